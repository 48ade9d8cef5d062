"""The pages that ``proxysieve fetch`` writes, one a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, BinaryIO

import msgspec

from proxysieve.errors import ConfigError
from proxysieve.saved.response import HIGHEST_STATUS, LOWEST_STATUS, MOST_BODY_BYTES, Answer, Given, lowered

# JSON writes a byte in six at the most.
MOST_LINE_BYTES = 6 * MOST_BODY_BYTES + 1_000_000
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class PageRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A page, as far as its verdict needs it."""

    url: str
    status: Annotated[int, msgspec.Meta(ge=LOWEST_STATUS, le=HIGHEST_STATUS)]
    headers: dict[str, str]
    fetched_at: float
    final_url: str = ""
    body: str | None = None
    body_base64: bytes | None = None

    def __post_init__(self) -> None:
        if self.body is None and self.body_base64 is None:
            raise ValueError("it has no body")

    def content(self) -> bytes:
        """The body as it came."""
        return (self.body_base64 or b"") if self.body is None else self.body.encode("utf-8", "replace")


def is_pages(file: BinaryIO) -> bool:
    """Whether the first line is a page."""
    return _decode(file.readline(MOST_LINE_BYTES).removeprefix(BYTE_ORDER_MARK)) is not None


def read_pages(file: BinaryIO, _: Given) -> Iterator[Answer]:
    """Each page of *file*, a line at a time.

    Raises:
        ConfigError: A line is no page.
    """
    number = 0
    while line := file.readline(MOST_LINE_BYTES):
        number += 1
        page = _decode(line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line)
        if page is not None:
            yield Answer(
                status=page.status,
                headers=lowered(page.headers.items()),
                body=page.content(),
                url=page.url,
                final_url=page.final_url,
                at=page.fetched_at,
            )
        elif line.endswith(b"\n") and line.strip():
            raise ConfigError(
                f"line {number} is no page: expected url, status, headers and body, as `proxysieve fetch` writes them"
            )
        # A line without an end is being written, or was when its run was killed.


def _decode(line: bytes) -> PageRecord | None:
    try:
        return msgspec.json.decode(line, type=PageRecord)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
