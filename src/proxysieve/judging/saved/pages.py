"""The pages that ``proxysieve fetch`` writes, one on each line, with their bodies or the names of their files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, BinaryIO

import msgspec

from proxysieve.errors import ConfigError
from proxysieve.judging.saved.body_files import BodyFiles
from proxysieve.judging.saved.response import (
    HIGHEST_STATUS,
    LOWEST_STATUS,
    MOST_BODY_BYTES,
    Defaults,
    SavedAnswer,
    lowered,
)

# JSON writes a byte as six characters at most.
MOST_LINE_BYTES = 6 * MOST_BODY_BYTES + 1_000_000
# Names as fetch makes them. None leads to another directory.
FILE_NAME = re.compile(r"[A-Za-z0-9._-]+")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class PageRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A page, as far as a verdict needs it."""

    url: str
    status: Annotated[int, msgspec.Meta(ge=LOWEST_STATUS, le=HIGHEST_STATUS)]
    headers: dict[str, str]
    fetched_at: float
    final_url: str = ""
    body: str | None = None
    body_base64: bytes | None = None
    file: str = ""

    def __post_init__(self) -> None:
        if self.body is None and self.body_base64 is None and not self.file:
            raise ValueError("it has no body")
        if self.file and not FILE_NAME.fullmatch(self.file):
            raise ValueError("its file is in another directory")

    def content(self, body_files: BodyFiles) -> bytes | None:
        """The body as it came; None if its file is missing."""
        if self.body is not None:
            return self.body.encode("utf-8", "replace")
        if self.body_base64 is not None:
            return self.body_base64
        return body_files.read(self.file)


def is_pages(file: BinaryIO) -> bool:
    """Whether the first line is a page."""
    return _decode(file.readline(MOST_LINE_BYTES).removeprefix(BYTE_ORDER_MARK)) is not None


def read_pages(file: BinaryIO, defaults: Defaults) -> Iterator[SavedAnswer]:
    """Each page of *file*, line by line.

    Raises:
        ConfigError: A line is no page, or a page that fetch never writes.
    """
    number, body_files = 0, BodyFiles(defaults.folder)
    while line := file.readline(MOST_LINE_BYTES):
        number += 1
        if len(line) == MOST_LINE_BYTES:
            raise ConfigError(f"line {number} is longer than a page can be: give what `proxysieve fetch` wrote")
        page = _decode(line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line)
        if page is not None:
            yield _answer(page, page.content(body_files))
        elif line.endswith(b"\n") and line.strip():
            raise ConfigError(
                f"line {number} is no page: expected url, status, headers and body, as `proxysieve fetch` writes them"
            )
        # The last line has no end while it is written, or if its run was killed.


def _answer(page: PageRecord, body: bytes | None) -> SavedAnswer:
    return SavedAnswer(
        status=page.status,
        headers=lowered(page.headers.items()),
        body=body,
        url=page.url,
        final_url=page.final_url,
        at=page.fetched_at,
        note="" if body is not None else "the file with its body is gone: put it back, or fetch the page again",
    )


def _decode(line: bytes) -> PageRecord | None:
    try:
        return msgspec.json.decode(line, type=PageRecord)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
