"""Removes chunks and compression from bodies, also if they are gone and the headers still name them.

``curl -i`` leaves the headers as they came and decodes the body. ``curl -i --raw`` decodes nothing. Archives do
either. So a body is decoded only if that is possible.
"""

from __future__ import annotations

import re
import zlib
from typing import NamedTuple

from proxysieve.core.model import Headers
from proxysieve.judging.saved.response import MOST_BODY_BYTES

CHUNK = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")
INFLATED = frozenset({"gzip", "x-gzip", "deflate"})
PIECE_BYTES = 65_536
TEXT_BYTES = 8_192
# Texts have few of these: control characters except spaces and the escapes of Japanese and of terminals.
CONTROLS = bytes(set(range(32)) - set(b"\b\t\n\f\r\x1b"))
MOST_CONTROLS = 0.02
WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
CODING_LENGTH = 20
# Servers name one. Each costs as much as the whole body.
MOST_CODINGS = 5
# Servers send chunks of some kilobytes, so this is more than a body may have.
MOST_CHUNKS = 500_000
CUT = "its body breaks off: judged by its beginning"


class Decoded(NamedTuple):
    """A decoded body.

    Attributes:
        body: As a reader gets it; None if it cannot be decoded.
        is_whole: Whether it is all of it.
        note: What the user should know about it.
    """

    body: bytes | None
    is_whole: bool = True
    note: str = ""


class Part(NamedTuple):
    """The result of removing one coding; not *is_whole* if the input broke off."""

    body: bytes
    is_whole: bool = True


def decode(body: bytes, headers: Headers) -> Decoded:
    """The *body* as a reader gets it."""
    part = unchunked(body) if "chunked" in _codings(headers, "transfer-encoding") else Part(body)
    is_whole = part.is_whole
    codings = _codings(headers, "content-encoding")
    for place, coding in enumerate(reversed(codings)):
        plain = inflated(part.body) if coding in INFLATED and place < MOST_CODINGS else None
        if plain is None and coding != "identity" and not is_text(part.body):
            told = f"its body cannot be decoded ({coding[:CODING_LENGTH]}): save it with curl --compressed"
            return Decoded(None, is_whole=False, note=told)
        if plain is None and place >= MOST_CODINGS:
            break
        part = plain or part
        is_whole = is_whole and part.is_whole
    return Decoded(part.body, is_whole=is_whole, note="" if is_whole else CUT)


def unchunked(body: bytes) -> Part:
    """*body* without the sizes of its chunks; unchanged if it has none. If it breaks off, what is there."""
    pieces: list[bytes] = []
    at, is_ended = 0, False
    while len(pieces) < MOST_CHUNKS and (chunk := CHUNK.match(body, at)):
        start, size = chunk.end(), int(chunk[1], 16)
        at = start + size
        if at < len(body) and not body.startswith(b"\r\n", at) and size:
            return Part(body) if not pieces else Part(b"".join([*pieces, body[start:at]]), is_whole=False)
        pieces.append(body[start:at])
        is_ended = not size
        if is_ended or at >= len(body):
            break
        at += 2
    return Part(b"".join(pieces), is_ended) if pieces else Part(body)


def inflated(body: bytes) -> Part | None:
    """*body* decompressed; None if it is not compressed. If it breaks off, what is there."""
    plain = _inflate(body, zlib.MAX_WBITS | 32)
    # Raw deflate has no signature, and the beginnings of many texts look like it.
    return _inflate(body, -zlib.MAX_WBITS) if plain is None and not is_text(body) else plain


def is_text(body: bytes) -> bool:
    """Whether *body* begins as something that a person could read."""
    head = body[:TEXT_BYTES]
    if head.startswith(WIDE_MARKS):
        return True
    control_count = len(head) - len(head.translate(None, CONTROLS))
    return b"\0" not in head and control_count <= len(head) * MOST_CONTROLS


def _inflate(body: bytes, window: int) -> Part | None:
    unpack, size = zlib.decompressobj(window), 0
    pieces: list[bytes] = []
    for at in range(0, len(body), PIECE_BYTES):
        try:
            piece = unpack.decompress(body[at : at + PIECE_BYTES], MOST_BODY_BYTES + 1 - size)
        except zlib.error:
            # Without a signature and a proper end, it was never compressed.
            plain = b"".join(pieces)
            return Part(plain, is_whole=False) if window > 0 and plain else None
        pieces.append(piece)
        size += len(piece)
        if unpack.eof or size > MOST_BODY_BYTES:
            break
    return Part(b"".join(pieces), unpack.eof or size > MOST_BODY_BYTES)


def _codings(headers: Headers, name: str) -> list[str]:
    values = ",".join(value for key, value in headers if key == name)
    return [coding.strip().lower() for coding in values.split(",") if coding.strip()]
