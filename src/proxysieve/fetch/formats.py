"""How pages stand in an output: what every format can do, and the plainest of them."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Protocol

from proxysieve.attempts import Page
from proxysieve.fetch.records import page_line

Pack = Callable[[bytes], bytes]

# Of 58 sites' pages, level 3 leaves 27 % at 100 MB/s; the usual 6 leaves 25 % at half of that, and 1 is hardly faster.
GZIP_LEVEL = 3


class Format(Protocol):
    """Translates pages into the bytes of a file that only grows; when they are written, and count, is not its business.

    A format that writes something beside that file has it wait until its record counts.
    """

    def record(self, page: Page, at: int) -> bytes:
        """What stands in the file for *page*, from the offset *at* on; of a new file, its beginning too.

        Raises:
            OSError: What belongs beside the file cannot be written.
        """
        ...

    def sync(self) -> None:
        """Bring to the disk what was written beside the file."""
        return

    def settle(self, end: int) -> None:  # noqa: ARG002 - most have nothing beside it
        """Let stand what was written for records before the offset *end*, and remove what was for others."""
        return


class Lines(Format):
    """A page a line, as JSON.

    Args:
        pack: What is done to each line; whatever it is, one line can be read without the others.
    """

    def __init__(self, pack: Pack = bytes) -> None:
        self._pack = pack

    def record(self, page: Page, at: int) -> bytes:  # noqa: ARG002 - the same everywhere in the file
        return self._pack(page_line(page))


def gzipped(data: bytes) -> bytes:
    """*data* as one whole gzip member, of which any number make a file."""
    return gzip.compress(data, GZIP_LEVEL, mtime=0)
