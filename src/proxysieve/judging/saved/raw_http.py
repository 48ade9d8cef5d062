"""Responses as they came over the wire: from ``curl -i``, and the records of archives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from proxysieve.core.model import Answer as Hop
from proxysieve.core.model import Headers, first_value
from proxysieve.core.urls.parsing import joined
from proxysieve.errors import ConfigError
from proxysieve.judging.saved.decoding import CUT, Decoded, decode
from proxysieve.judging.saved.response import (
    BODILESS,
    MOST_BODY_BYTES,
    REDIRECTS,
    Defaults,
    SavedAnswer,
    is_short,
    lowered,
)

STATUS_LINE = re.compile(rb"HTTP/\d(?:\.\d)? ([1-9]\d\d)(?: [^\r\n]*)?\r?(?:\n|$)")
# The same in parts, for the output of tools. A byte order mark and blank lines may precede it.
BLANKS = rb"(?:\xef\xbb\xbf)?\s*"
METHOD = rb"[A-Z]{3,10}"
STATUS = rb"HTTP/\d(?:\.\d)? [1-9]\d\d"
FIELD = rb"[!-9;-~]+:[^\r\n]*"
# Only headers follow the empty line, and no body.
ONLY_FIELDS = re.compile(rb"\s*(?:" + FIELD + rb"\r?(?:\n|\Z))++\s*\Z")
USUAL_FIELD = re.compile(
    rb"^(?:content-(?:type|length)|server|set-cookie|date|cache-control|cf-ray):", re.IGNORECASE | re.MULTILINE
)
# What tools show in place of a body that is no text: HTTPie, xh and curl.
NOT_SHOWN = re.compile(
    rb"\s*(?:\+-+\+\s*\| NOTE: binary data not shown in terminal \||Warning: Binary output can mess up your terminal)"
)
# curl prints the names of headers in bold.
BOLD = re.compile(r"\x1b\[[\d;]*m")
HEADERS_END = re.compile(rb"\r?\n\r?\n")

# More than clients accept of headers and redirects.
MOST_HEAD_BYTES = 1_000_000
MOST_HEADS = 1_000
# A body with its headers.
MOST_BYTES = MOST_BODY_BYTES + MOST_HEAD_BYTES
# The output of tools is read line by line.
MOST_PRINTED_BYTES = 10_000_000
BROKEN_OFF = Decoded(None, is_whole=False, note="it breaks off in its headers: judged by the headers that are there")
TOO_MANY = Decoded(None, is_whole=False, note=f"it has more than {MOST_HEADS:,} answers in a row: save one")
NO_ANSWER = "it has no answer of the site, only what came before: save the answer with curl -i"
NOT_FOLLOWED = "a redirect that nobody followed: save it with curl -iL"
NO_TEXT = "its body is no text, so it was not shown: save it with curl -i --compressed -o FILE"
NOT_SAVED = "its body was not saved: save it with curl -i, and not -I"


def is_raw_http(head: bytes) -> bool:
    """Whether *head* begins with a status line."""
    return STATUS_LINE.match(head) is not None


def read_raw_http(file: BinaryIO, defaults: Defaults) -> Iterator[SavedAnswer]:
    """The last response in *file*."""
    yield parse(file.read(MOST_BYTES), defaults.url)


def read_printed(file: BinaryIO) -> bytes:
    """The whole of *file*, the output of a tool.

    Raises:
        ConfigError: It is too long.
    """
    data = file.read(MOST_PRINTED_BYTES + 1)
    if len(data) > MOST_PRINTED_BYTES:
        raise ConfigError(
            f"a transcript of more than {MOST_PRINTED_BYTES // 1_000_000} MB: save the answer with curl -i"
        )
    return data


def parse(data: bytes, url: str, *, is_record: bool = False) -> SavedAnswer:
    """The last response in *data*. Those before it are redirects, interim answers, or a proxy's answers to CONNECT.

    Args:
        data: It begins with a status line.
        url: The URL of the first request.
        is_record: Whether a machine kept all that came. Then a missing body is an empty one.
    """
    at, here = 0, url
    hops: list[Hop] = []
    for _ in range(MOST_HEADS):
        status, headers, body_at = _head(data, at)
        if body_at is None:
            decoded = BROKEN_OFF
            break
        if not STATUS_LINE.match(data, body_at):
            decoded = _body(data[body_at:], status, headers, is_record=is_record)
            break
        location = first_value(headers, "location")
        if status in REDIRECTS and location:
            hops.append(Hop(url=here, status=status, headers=headers))
            here = joined(here, location)
        at = body_at
    else:
        decoded = TOO_MANY
    return SavedAnswer(
        status=status,
        headers=headers,
        body=decoded.body,
        url=url,
        final_url=here if hops else "",
        redirect_count=len(hops),
        # Without a URL, a circle of redirects cannot be told.
        hops=tuple(hops) if url else (),
        note=decoded.note,
        is_whole=decoded.is_whole,
    )


def _body(raw: bytes, status: int, headers: Headers, *, is_record: bool) -> Decoded:
    """The body after *headers*; none if they announce more."""
    said = first_value(headers, "content-length")
    announced = int(said) if said.isdecimal() and len(said) < len(str(2**63)) else None
    is_none = not raw.strip() or (len(raw) < MOST_HEAD_BYTES and ONLY_FIELDS.match(raw) and USUAL_FIELD.search(raw))
    is_kept = status in BODILESS or len(raw) == announced or (is_record and announced is None and not raw)
    if is_none and not is_kept:
        is_led_away = status in REDIRECTS and first_value(headers, "location")
        return Decoded(None, is_whole=False, note=NOT_FOLLOWED if is_led_away else NOT_SAVED)
    if NOT_SHOWN.match(raw):
        return Decoded(None, is_whole=False, note=NO_TEXT)
    decoded = decode(raw, headers)
    # Only the beginning of a longer body is read.
    if decoded.is_whole and is_short(len(raw), min(announced or 0, MOST_BODY_BYTES)):
        return decoded._replace(is_whole=False, note=CUT)
    return decoded


def _head(data: bytes, at: int) -> tuple[int, Headers, int | None]:
    """Status and headers of the response at *at*, and where its body begins; None if the headers do not end."""
    line = STATUS_LINE.match(data, at)
    assert line, "the caller found a status line here"  # noqa: S101
    # The end of the status line may be half of the empty line.
    end = HEADERS_END.search(data, max(line.end() - 2, at), line.end() + MOST_HEAD_BYTES)
    lines = data[line.end() : end.start() if end else line.end() + MOST_HEAD_BYTES].decode("latin-1").split("\n")
    return int(line[1]), lowered(_pairs(lines)), end.end() if end else None


def _pairs(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            yield BOLD.sub("", name) if "\x1b" in name else name, value
