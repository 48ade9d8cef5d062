"""WARC files, which crawlers and archives keep."""

from __future__ import annotations

import contextlib
import io
import sys
import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO

import msgspec
from warcio.archiveiterator import WARCIterator  # type: ignore[import-untyped]

from proxysieve.errors import ConfigError
from proxysieve.judging.saved.raw_http import MOST_BYTES, is_raw_http, parse
from proxysieve.judging.saved.response import Defaults, SavedAnswer

MARK = b"WARC/"
# Writers need some hundred bytes for the head of a record.
MOST_HEAD_BYTES = 1_000_000
PIECE_BYTES = 65_536


def is_warc(head: bytes) -> bool:
    """Whether *head* begins with a record."""
    return head.startswith(MARK)


def read_warc(file: BinaryIO, _: Defaults) -> Iterator[SavedAnswer]:
    """Each HTTP response of *file*, record by record.

    Raises:
        ConfigError: A record is damaged.
    """
    for record in _records(file):
        if record.rec_type != "response":
            continue
        block = record.raw_stream.read(MOST_BYTES)
        if is_raw_http(block):
            yield _answer(record, block)


def _answer(record: Any, block: bytes) -> SavedAnswer:  # noqa: ANN401 - warcio has no types
    """The response of a *record* with the content *block*."""
    headers = record.rec_headers
    # Older crawlers write addresses as <address>.
    answer = parse(block, (headers.get_header("WARC-Target-URI") or "").strip("<> "), is_record=True)
    is_cut = bool(headers.get_header("WARC-Truncated")) or len(block) < min(record.length or 0, MOST_BYTES)
    return msgspec.structs.replace(
        answer,
        at=_moment(headers.get_header("WARC-Date") or ""),
        note=answer.note or ("it was not saved to its end: judged by its beginning" if is_cut else ""),
        is_whole=answer.is_whole and not is_cut,
        body=None if is_cut and not answer.body else answer.body,
    )


class LimitedFile:
    """A file that limits how much is read for the head of a record: a line may have no end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = 0

    def read(self, size: int = -1) -> bytes:
        """At most the next *size* bytes.

        Raises:
            ValueError: The limit is used up, and the head has not ended.
        """
        if self._left <= 0:
            raise ValueError("a head without an end")
        data = self._file.read(min(size, PIECE_BYTES) if size >= 0 else PIECE_BYTES)
        self._left -= len(data)
        return data

    def allow(self, size: int) -> None:
        """Let *size* more bytes be read."""
        self._left = size


def _records(file: BinaryIO) -> Iterator[Any]:
    """The records that warcio reads from *file*."""
    limited = LimitedFile(file)
    limited.allow(MOST_HEAD_BYTES)
    records = WARCIterator(limited, no_record_parse=True)
    while (record := _next(records)) is not None:
        limited.allow(sys.maxsize)
        yield record
        # The rest of a record must not count towards the limit of the next head.
        while record.raw_stream.read(PIECE_BYTES):
            pass
        limited.allow(MOST_HEAD_BYTES)


def _next(records: Iterator[Any]) -> Any:  # noqa: ANN401 - warcio has no types
    try:
        # It prints warnings that quote what it reads, such as cookies.
        with contextlib.redirect_stderr(io.StringIO()):
            return next(records, None)
    except (OSError, EOFError, zlib.error):
        raise
    except Exception as error:  # its parsers can fail in any way
        raise ConfigError("damaged, cut short or no WARC file: give a whole one") from error


def _moment(date: str) -> float:
    try:
        return datetime.fromisoformat(date).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0
