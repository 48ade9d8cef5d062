"""What an output says about a page, and about a URL that failed, in any format."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import BinaryIO

import msgspec
from msgspec import UNSET, UnsetType

from proxysieve.core.model import Tried
from proxysieve.judging.saved.pages import MOST_LINE_BYTES
from proxysieve.pool.attempts import Page

# The site set them for one session: who has them can act as that session. So they are no part of the page.
SECRET_HEADERS = frozenset({"set-cookie", "set-cookie2"})
# The beginning of each line.
MARK = b'{"url":"'
# A multiple of three, so that base64 needs no padding within. Encoding takes 15 ms at most.
PIECE = 786_432
# The last place with this text, as a header may be called like a field.
END_OF_BODY = b'","fetched_at":'
NO_BODY = b'"body":"' + END_OF_BODY


class PageLine(msgspec.Struct, frozen=True, kw_only=True):
    """A page with its body: as text, as base64 if it is not UTF-8, or in a file of its own.

    Lines of older versions are read as one, too: a new field needs a default.
    """

    url: str
    final_url: str
    status: int
    headers: dict[str, str]
    body: str | UnsetType = UNSET
    body_base64: bytes | UnsetType = UNSET
    file: str | UnsetType = UNSET
    fetched_at: float
    attempts: int
    session: str
    proxy: str
    seconds: float


class FailedLine(msgspec.Struct, frozen=True, kw_only=True):
    """The failed *url*, with the story of its tries. A new field needs a default here, too."""

    url: str
    error: str
    failed_at: float
    attempts: Sequence[Tried]


def page_record(page: Page, file: str | UnsetType = UNSET) -> PageLine:
    """The record of *page*, with its body, or with the name of the *file* that has it."""
    text: str | UnsetType = UNSET
    data: bytes | UnsetType = UNSET
    if file is UNSET:
        try:
            text = page.body.decode()
        except UnicodeDecodeError:
            data = page.body
    return PageLine(
        url=page.url,
        final_url=page.final_url,
        status=page.status,
        headers=_headers_of(page),
        body=text,
        body_base64=data,
        file=file,
        fetched_at=page.fetched_at,
        attempts=page.attempts,
        session=page.session,
        proxy=page.proxy,
        seconds=round(page.seconds, 6),
    )


def page_line(page: Page) -> bytes:
    """The record of *page* with its body, as a line of JSON.

    The body is written in pieces. 50 MB with much to escape take a second, in which no other thread would run.
    """
    begin, _, end = line(page_record(msgspec.structs.replace(page, body=b""))).rpartition(NO_BODY)
    try:
        text = page.body.decode()
    except UnicodeDecodeError:
        size = len(page.body)
        pieces = [base64.b64encode(page.body[at : at + PIECE]) for at in range(0, size, PIECE)]
        return b"".join([begin, b'"body_base64":"', *pieces, END_OF_BODY, end])
    pieces = [msgspec.json.encode(text[at : at + PIECE])[1:-1] for at in range(0, len(text), PIECE)]
    return b"".join([begin, b'"body":"', *pieces, END_OF_BODY, end])


def line(record: msgspec.Struct) -> bytes:
    """A record as a line of JSON."""
    return msgspec.json.encode(record) + b"\n"


def look_for_page(file: BinaryIO) -> str | None:
    """Read a page in *file* from its position on, see :meth:`proxysieve.fetch.formats.Format.look`."""
    return _look(file, PageLine)


def look_for_failed(file: BinaryIO) -> str | None:
    """The same for a URL that failed."""
    return _look(file, FailedLine)


def may_begin_with(data: bytes, mark: bytes) -> bool:
    """Whether *data* begins with *mark*, or is cut within it."""
    return data.startswith(mark) or mark.startswith(data)


def _look(file: BinaryIO, kind: type[PageLine | FailedLine]) -> str | None:
    found = file.readline(MOST_LINE_BYTES)
    if not found.endswith(b"\n"):
        return "" if len(found) < MOST_LINE_BYTES and may_begin_with(found, MARK) else None
    try:
        return msgspec.json.decode(found, type=kind).url if found.startswith(MARK) else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _headers_of(page: Page) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in page.headers:
        if name not in SECRET_HEADERS:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
