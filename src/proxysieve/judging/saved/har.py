"""HAR files, which browsers export: the requests of a page and their answers."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import BinaryIO, TypeVar

import msgspec

from proxysieve.core.model import Headers
from proxysieve.errors import ConfigError
from proxysieve.judging.saved.body_files import BodyFiles
from proxysieve.judging.saved.response import BODILESS, Defaults, SavedAnswer, is_short, is_status, lowered

START = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"log"\s*:\s*\{')
# Some programs write other fields before it.
START_BEHIND = re.compile(rb'[,{]\s*"log"\s*:\s*\{\s*"(?:version|creator|browser|pages|entries|comment)"\s*:')
# It is one JSON object, so it cannot be read in parts.
MOST_BYTES = 500_000_000
NOT_SAVED = "its body was not saved: export the file anew with the contents of the answers"
ENCODED = "its body has an encoding that is not known here: export the file anew"
CUT = "its body was not saved to its end: judged by its beginning"

T = TypeVar("T")
# Returns the content of a body's file by its name; None if there is no such file.
Bodies = Callable[[str], bytes | None]


class Pair(msgspec.Struct, frozen=True):
    """A header."""

    name: str
    value: str | None = ""


class HarContent(msgspec.Struct, frozen=True, rename="camel"):
    """A decoded body. Playwright keeps it in a file of its own."""

    size: float | None = None
    mime_type: str | None = ""
    text: str | None = None
    encoding: str | None = ""
    file: str | None = msgspec.field(name="_file", default=None)


class HarResponse(msgspec.Struct, frozen=True, rename="camel"):
    """An answer, as far as a verdict needs it."""

    status: int = 0
    headers: tuple[Pair, ...] = ()
    content: HarContent = HarContent()
    body_size: float | None = None


class HarRequest(msgspec.Struct, frozen=True):
    """A request, as far as a verdict needs it."""

    url: str = ""
    method: str | None = "GET"


class HarEntry(msgspec.Struct, frozen=True, rename="camel"):
    """A request and its answer."""

    response: HarResponse
    request: HarRequest = HarRequest()
    started_date_time: str | None = ""
    time: float | None = 0.0


class HarLog(msgspec.Struct, frozen=True):
    """The entries, which are read one after the other."""

    entries: tuple[msgspec.Raw, ...]


class Har(msgspec.Struct, frozen=True):
    """A whole file."""

    log: HarLog


def is_har(head: bytes) -> bool:
    """Whether *head* begins as a HAR file."""
    is_object = head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
    return START.match(head) is not None or (is_object and START_BEHIND.search(head) is not None)


def read_har(file: BinaryIO, defaults: Defaults) -> Iterator[SavedAnswer]:
    """Each answer of *file*. Entries without one are left out: they were cancelled or failed.

    Raises:
        ConfigError: It is no HAR file, or it is too large.
    """
    yield from answers_of(file.read(MOST_BYTES + 1), BodyFiles(defaults.folder).read)


def answers_of(data: bytes, bodies: Bodies) -> Iterator[SavedAnswer]:
    """The answers in the HAR file *data*; *bodies* reads the files beside it.

    Raises:
        ConfigError: It is no HAR file, or it is too large.
    """
    if len(data) > MOST_BYTES:
        raise ConfigError(f"a HAR file of more than {MOST_BYTES // 1_000_000} MB: export fewer requests at once")
    for number, raw in enumerate(_decode(data.removeprefix(b"\xef\xbb\xbf"), Har, "").log.entries, start=1):
        entry = _decode(raw, HarEntry, f"entry {number}: ")
        if is_status(entry.response.status):
            yield _answer(entry, bodies)


def _answer(entry: HarEntry, bodies: Bodies) -> SavedAnswer:
    response = entry.response
    body, note = _body(entry, bodies)
    headers = lowered((pair.name, pair.value or "") for pair in response.headers)
    return SavedAnswer(
        status=response.status,
        headers=headers
        if response.content.text is None or response.content.encoding
        else _as_unicode(headers, response.content.mime_type or ""),
        body=body,
        url=entry.request.url,
        at=_moment(entry),
        note=note,
        is_whole=not note,
    )


def _body(entry: HarEntry, bodies: Bodies) -> tuple[bytes | None, str]:
    """The body, or None if it is missing; and a note unless the body is complete."""
    response, content = entry.response, entry.response.content
    if content.text is None and content.file:
        body = bodies(content.file)
        if body is None:
            return None, "the file with its body is gone: put it back beside the HAR file"
    elif not content.text:
        # Browsers drop bodies that they do not keep, and give them no size.
        has_none = content.size == response.body_size == 0 or (content.text == "" and not _announced(response))
        is_empty = entry.response.status in BODILESS or (has_none and (entry.request.method or "").upper() != "HEAD")
        return (b"", "") if is_empty else (None, NOT_SAVED)
    elif content.encoding:
        if content.encoding.lower() != "base64":
            return None, ENCODED
        try:
            # Without validation, characters that are not base64 would be dropped: they may be the page itself.
            body = b64decode("".join(content.text.split()), validate=True)
        except ValueError:
            return None, "its body is damaged: export the file anew"
    else:
        body = content.text.encode("utf-8", "replace")
    return body, CUT if is_short(len(body), content.size or 0) else ""


def _announced(response: HarResponse) -> bool:
    """Whether the entry names a size, encoded or decoded."""
    return any(size is not None and size > 0 for size in (response.content.size, response.body_size))


def _as_unicode(headers: Headers, mime_type: str) -> Headers:
    """*headers* for a body that was decoded to text; its former encoding is replaced."""
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
