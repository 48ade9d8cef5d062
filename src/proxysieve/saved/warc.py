"""WARC files: what crawlers and archives keep."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO

import msgspec
from warcio.archiveiterator import WARCIterator  # type: ignore[import-untyped]

from proxysieve.errors import ConfigError
from proxysieve.saved.raw_http import MOST_BYTES, is_raw_http, parse
from proxysieve.saved.response import Answer, Given

MARK = b"WARC/"


def is_warc(head: bytes) -> bool:
    """Whether it begins with a record."""
    return head.startswith(MARK)


def read_warc(file: BinaryIO, _: Given) -> Iterator[Answer]:
    """Each HTTP response of *file*, a record at a time.

    Raises:
        ConfigError: A record is damaged.
    """
    for record in _records(file):
        if record.rec_type != "response":
            continue
        block = record.raw_stream.read(MOST_BYTES)
        if is_raw_http(block):
            yield _answer(record, block)


def _answer(record: Any, block: bytes) -> Answer:  # noqa: ANN401 - warcio has no types
    """The response of a *record* whose content is *block*."""
    headers = record.rec_headers
    # Older crawlers write addresses as <address>.
    answer = parse(block, (headers.get_header("WARC-Target-URI") or "").strip("<> "))
    is_cut = headers.get_header("WARC-Truncated") or len(block) < min(record.length or 0, MOST_BYTES)
    note = answer.note or ("it was not saved to its end" if is_cut else "")
    return msgspec.structs.replace(answer, at=_moment(headers.get_header("WARC-Date") or ""), note=note)


def _records(file: BinaryIO) -> Iterator[Any]:
    """What warcio reads of *file*."""
    records = WARCIterator(file, no_record_parse=True)
    while True:
        try:
            # It prints warnings, with lines of what it reads in them: cookies, for instance.
            with contextlib.redirect_stderr(io.StringIO()):
                record = next(records, None)
        except OSError:
            raise
        except Exception as error:  # whatever its parsers stumble over
            raise ConfigError("damaged or cut short, or no WARC file at all: give a whole one") from error
        if record is None:
            return
        yield record


def _moment(date: str) -> float:
    try:
        return datetime.fromisoformat(date).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0
