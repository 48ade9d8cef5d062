"""Responses as they came over the wire: ``curl -i``, and the records of archives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from proxysieve.saved.decoding import decode
from proxysieve.saved.response import (
    MOST_BODY_BYTES,
    REDIRECTS,
    Answer,
    Given,
    Headers,
    first,
    joined,
    lowered,
)

STATUS_LINE = re.compile(rb"HTTP/\d(?:\.\d)? ([1-9]\d\d)(?: [^\r\n]*)?\r?(?:\n|$)")
HEADERS_END = re.compile(rb"\r?\n\r?\n")

# Headers beside the body.
MOST_BYTES = MOST_BODY_BYTES + 1_000_000


def is_raw_http(head: bytes) -> bool:
    """Whether it begins with a status line."""
    return STATUS_LINE.match(head) is not None


def read_raw_http(file: BinaryIO, given: Given) -> Iterator[Answer]:
    """The last of the responses in *file*."""
    yield parse(file.read(MOST_BYTES), given.url)


def parse(data: bytes, url: str) -> Answer:
    """The last of the responses in *data*: those before it are redirects, interim, or of a proxy's CONNECT.

    Args:
        data: With a status line at its beginning.
        url: What the first one was asked for.
    """
    at, here, redirect_count = 0, url, 0
    while True:
        status, headers, body_at = _head(data, at)
        if body_at is None:
            body, note = None, "it breaks off in its headers: judged by those that are there"
            break
        if not STATUS_LINE.match(data, body_at):
            body, note = decode(data[body_at:], headers)
            break
        location = first(headers, "location")
        if status in REDIRECTS and location:
            here, redirect_count = joined(here, location), redirect_count + 1
        at = body_at
    final_url = here if redirect_count else ""
    return Answer(
        status=status,
        headers=headers,
        body=body,
        url=url,
        final_url=final_url,
        redirect_count=redirect_count,
        note=note,
    )


def _head(data: bytes, at: int) -> tuple[int, Headers, int | None]:
    """Status and headers of the response at *at*, and where its body begins; None if the headers do not end."""
    line = STATUS_LINE.match(data, at)
    assert line, "whoever asks has found a status line there"  # noqa: S101
    # The end of the status line may be half of the blank line.
    end = HEADERS_END.search(data, max(line.end() - 2, at))
    lines = data[line.end() : end.start() if end else len(data)].decode("latin-1").split("\n")
    return int(line[1]), lowered(_pairs(lines)), end.end() if end else None


def _pairs(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            yield name, value
