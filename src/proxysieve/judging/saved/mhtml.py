"""MHTML files, in which browsers save pages: MIME, with the page and its resources as parts."""

from __future__ import annotations

import binascii
import quopri
import re
from base64 import b64decode
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesHeaderParser
from itertools import islice
from typing import BinaryIO, NamedTuple

from proxysieve.errors import ConfigError
from proxysieve.judging.saved.response import Defaults, SavedAnswer, lowered

# It includes pictures, which follow the page.
MOST_BYTES = 200_000_000
MOST_HEAD_BYTES = 1_000_000
# Parts are nested if a page has two forms.
DEEPEST = 4
MOST_PARTS = 10_000
LINE = rb"(?:[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*)"
START = re.compile(rb"(?:\xef\xbb\xbf)?\s*(" + LINE + rb"{1,200})")
# Each of these identifies it, even if the others are missing.
MARKS = re.compile(
    rb"^(?:content-type:\s*multipart/|mime-version:|snapshot-content-location:|from: <saved by )",
    re.IGNORECASE | re.MULTILINE,
)
BLANK_LINE = re.compile(rb"\r?\n\r?\n")
CUT = "the file breaks off: judged by the beginning of the page"
DAMAGED = "its page is damaged: judged by its beginning"
EMPTY = "its page is empty: save it anew"
ASTRAY = "the page that the file names is not in it: save it anew"
PAGE_TYPES = ("text/html", "application/xhtml+xml")
LONGEST_BOUNDARY = 200


class Part(NamedTuple):
    """A part of a message.

    Attributes:
        note: What the user should know if the part is not complete.
    """

    headers: Message
    content: bytes
    note: str = ""

    @property
    def kind(self) -> str:
        """Its content type, in lower case."""
        return _value(self.headers, "Content-Type").partition(";")[0].strip().lower()

    @property
    def location(self) -> str:
        """Where it was loaded from."""
        return _value(self.headers, "Content-Location")


def is_mhtml(head: bytes) -> bool:
    """Whether *head* begins with the headers of an MHTML file."""
    start = START.match(head)
    return bool(start and MARKS.search(start[1]))


def read_mhtml(file: BinaryIO, defaults: Defaults) -> Iterator[SavedAnswer]:
    """The page in *file*. Its frames, styles and pictures are left out.

    Raises:
        ConfigError: It has no page.
    """
    whole = _part(file.read(MOST_BYTES).lstrip(b"\xef\xbb\xbf \t\r\n"))
    address = _value(whole.headers, "Snapshot-Content-Location")
    page = _page(whole, address.partition("#")[0], DEEPEST)
    if page is None or (page is whole and page.kind not in PAGE_TYPES):
        raise ConfigError("an MHTML file without a page: save the page anew")
    body = _decoded(page)
    note = page.note or (DAMAGED if _is_damaged(page) else "" if body.strip() else EMPTY)
    kind = _value(page.headers, "Content-Type")
    yield SavedAnswer(
        status=defaults.status,
        headers=(*lowered([("date", _value(whole.headers, "Date")), ("content-type", kind)]), *defaults.headers),
        body=body if body.strip() else None,
        url=defaults.url or address or page.location,
        note=note,
        is_whole=not note,
    )


def _page(part: Part, address: str, depth: int) -> Part | None:
    """The page in *part*: the part from *address*, the part that it names as its start, or the first one."""
    if not part.kind.startswith("multipart/"):
        return part
    parts = list(islice(_parts(part), MOST_PARTS)) if depth else []
    start = _parameter(part.headers, "start")
    wanted = _parameter(part.headers, "type").lower()
    named = next((one for one in parts if address and one.location.partition("#")[0] == address), None) or next(
        (one for one in parts if start and _value(one.headers, "Content-ID") == start), None
    )
    found = (
        named
        or next((one for one in parts if wanted and one.kind == wanted), None)
        or next((one for one in parts if one.kind in PAGE_TYPES), None)
        or next(iter(parts), None)
    )
    page = _page(found, address, depth - 1) if found else None
    if page is None or page is not found:
        return page
    is_there = named is not None or not (address or start)
    return page if is_there and (not wanted or page.kind == wanted) else page._replace(note=page.note or ASTRAY)


def _parts(part: Part) -> Iterator[Part]:
    boundary = _parameter(part.headers, "boundary").encode("utf-8", "replace")
    if not 0 < len(boundary) <= LONGEST_BOUNDARY:
        return
    between = re.compile(rb"(?:\A|(?<=\n))--" + re.escape(boundary) + rb"(--)?[ \t]*(?:\r?\n|\Z)")
    start = None
    for line in between.finditer(part.content):
        if start is not None:
            # The line break before a boundary belongs to the boundary.
            content = part.content[start : line.start()].removesuffix(b"\n").removesuffix(b"\r")
            if content:
                yield _part(content)
        if line[1]:
            return
        start = line.end()
    if start is not None:
        yield _part(part.content[start:], CUT)


def _part(data: bytes, note: str = "") -> Part:
    end = BLANK_LINE.search(data, 0, MOST_HEAD_BYTES)
    # A part may have no headers at all.
    if data.startswith((b"\n", b"\r\n")):
        return Part(Message(), data.lstrip(b"\r\n"), note)
    head, content = (data[: end.end()], data[end.end() :]) if end else (data[:MOST_HEAD_BYTES], b"")
    return Part(BytesHeaderParser().parsebytes(head), content, note if end else CUT)


def _coding(part: Part) -> str:
    return _value(part.headers, "Content-Transfer-Encoding").strip().lower()


def _is_damaged(part: Part) -> bool:
    """Whether padding stands in the middle of base64: what follows it is not decoded."""
    return _coding(part) == "base64" and b"=" in part.content.rstrip(b"= \t\r\n")


def _decoded(part: Part) -> bytes:
    match _coding(part):
        case "quoted-printable":
            return quopri.decodestring(part.content)
        case "base64":
            try:
                return b64decode(part.content)
            except (binascii.Error, ValueError):
                # Data that breaks off does not end with a group of four letters.
                letters = re.sub(rb"[^A-Za-z0-9+/]", b"", part.content)
                return b64decode(letters[: len(letters) // 4 * 4])
        case _:
            return part.content


def _value(headers: Message, name: str) -> str:
    return str(headers.get(name, "")).replace("\r", "").replace("\n", "").strip()


def _parameter(headers: Message, name: str) -> str:
    """A parameter of the content type; empty if it cannot be parsed."""
    pattern = re.compile(rf";\s*{name}\s*=\s*(?:\"([^\"]*)\"|([^\s;]*))", re.IGNORECASE)
    found = pattern.search(_value(headers, "Content-Type"))
    return (found[1] or found[2] or "") if found else ""
