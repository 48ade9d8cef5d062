"""HAR files, which browsers export: the requests of a page with their answers."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO, TypeVar

import msgspec

from proxysieve.errors import ConfigError
from proxysieve.saved.response import Answer, Given, Headers, is_status, lowered

START = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"log"\s*:\s*\{')
# It is one JSON object, so there is no way to read it in parts.
MOST_BYTES = 1_000_000_000

T = TypeVar("T")


class Pair(msgspec.Struct, frozen=True):
    """A header."""

    name: str
    value: str | None = ""


class HarContent(msgspec.Struct, frozen=True, rename="camel"):
    """A body, decoded by the browser."""

    size: float | None = None
    mime_type: str | None = ""
    text: str | None = None
    encoding: str | None = ""


class HarResponse(msgspec.Struct, frozen=True, rename="camel"):
    """An answer, as far as its verdict needs it."""

    status: int = 0
    headers: tuple[Pair, ...] = ()
    content: HarContent = HarContent()
    body_size: float | None = None


class HarRequest(msgspec.Struct, frozen=True):
    """A question, likewise."""

    url: str = ""


class HarEntry(msgspec.Struct, frozen=True, rename="camel"):
    """Both."""

    response: HarResponse
    request: HarRequest = HarRequest()
    started_date_time: str | None = ""
    time: float | None = 0.0


class HarLog(msgspec.Struct, frozen=True):
    """The entries, read one after the other."""

    entries: tuple[msgspec.Raw, ...]


class Har(msgspec.Struct, frozen=True):
    """The whole of a file."""

    log: HarLog


def is_har(head: bytes) -> bool:
    """Whether it begins as one."""
    return START.match(head) is not None


def read_har(file: BinaryIO, _: Given) -> Iterator[Answer]:
    """Each answer of *file*. Entries without one are left out: they were cancelled, or met an error.

    Raises:
        ConfigError: It is no HAR, or too large.
    """
    data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ConfigError(f"a HAR file of more than {MOST_BYTES // 1_000_000_000} GB: export fewer requests at once")
    for number, raw in enumerate(_decode(data.removeprefix(b"\xef\xbb\xbf"), Har, "").log.entries, start=1):
        entry = _decode(raw, HarEntry, f"entry {number}: ")
        if is_status(entry.response.status):
            yield _answer(entry)


def _answer(entry: HarEntry) -> Answer:
    response = entry.response
    body, note = _body(response)
    headers = lowered((pair.name, pair.value or "") for pair in response.headers)
    return Answer(
        status=response.status,
        headers=headers if response.content.encoding else _as_unicode(headers, response.content.mime_type or ""),
        body=body,
        url=entry.request.url,
        at=_moment(entry),
        note=note,
    )


def _body(response: HarResponse) -> tuple[bytes | None, str]:
    content = response.content
    if content.text is None:
        # Browsers leave out what they do not hold any more, and give it no size either.
        return (b"", "") if content.size == response.body_size == 0 else (None, "its body was not saved")
    if not content.encoding:
        return content.text.encode("utf-8", "replace"), ""
    try:
        return b64decode(content.text), ""
    except (binascii.Error, ValueError):
        return None, "its body is damaged"


def _as_unicode(headers: Headers, mime_type: str) -> Headers:
    """*headers* for a body that was decoded to text, whatever it was encoded in before."""
    kind = next((value for name, value in headers if name == "content-type"), mime_type)
    others = tuple((name, value) for name, value in headers if name != "content-type")
    return (*others, ("content-type", f"{kind.partition(';')[0]}; charset=utf-8")) if kind else others


def _moment(entry: HarEntry) -> float:
    try:
        started = datetime.fromisoformat(entry.started_date_time or "").timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0
    return started + (entry.time or 0.0) / 1000


def _decode(data: bytes | msgspec.Raw, kind: type[T], where: str) -> T:
    try:
        return msgspec.json.decode(data, type=kind, strict=False)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ConfigError(f"no whole HAR file: {where}{error}: export it anew") from error
