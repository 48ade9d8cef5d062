"""What `rivals.py` and `browser_job.py` ask of another package, and how that hands over its pages."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Self

import msgspec

# What the block pages of the testbed say. A user finds such words by looking at the first blocks that came.
BLOCK_WORDS = (b"captcha", b"Just a moment")
# A page is given up after this many blocks or broken proxies: with four in five at fault, one page in 70,000.
MOST_BLOCKS = 50


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """Pages to be fetched.

    Attributes:
        proxies: As URLs with user and password.
        out: Where to put the pages, one JSON object a line: ``url`` and ``body``.
        concurrency: How many requests may be under way.
        timeout_seconds: For one try.
    """

    urls: list[str]
    proxies: list[str]
    out: str
    concurrency: int
    timeout_seconds: float

    @classmethod
    def given(cls) -> Self:
        """The one in the file that the command line names."""
        return msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=cls)

    def save(self, url: str, body: bytes) -> None:
        """Save what was taken for a page; at once, so that it is there if we are ended."""
        with Path(self.out).open("ab") as file:
            file.write(msgspec.json.encode({"url": url, "body": body.decode(errors="replace")}) + b"\n")

    def count(self) -> None:
        """Count something that was begun, so that it is known if we are ended."""
        with self._counter.open("ab") as file:
            file.write(b".")

    @property
    def counted(self) -> int:
        """How often that was."""
        return self._counter.stat().st_size if self._counter.exists() else 0

    @property
    def _counter(self) -> Path:
        return Path(f"{self.out}.count")


def is_block(body: bytes) -> bool:
    """Whether *body* is a block page."""
    return any(word in body for word in BLOCK_WORDS)
