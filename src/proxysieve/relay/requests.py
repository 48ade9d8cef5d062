"""How far a request of HTTP/1.1 goes (RFC 9112), as strictly as only those can be read that browsers send.

What can be read in two ways is refused: to follow it in another way than the proxy does would put the login into a
body, or leave it out of a request.
"""

from __future__ import annotations

import re
from asyncio import IncompleteReadError, LimitOverrunError, StreamReader, StreamWriter
from dataclasses import dataclass

from proxysieve.relay.port import BURST

LINE_END = b"\r\n"
HEAD_END = b"\r\n\r\n"
# RFC 9110, 5.6.2 and 5.5.
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\0\r\n]*)")
# Whatever else is asked for is no proxy's to serve. Pages may ask any port of this machine for something, and do.
REQUEST_LINE = re.compile(rb"(?:(CONNECT) [^\0- \x7f]+|[A-Z]+ (?i:http)://[^\0- \x7f]+) HTTP/1\.1")
LENGTH = re.compile(rb"[0-9]{1,18}")
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n")
# Those that say how far a request goes may stand there once; a login of somebody else's not at all.
SINGLE = frozenset({b"content-length", b"transfer-encoding"})
OURS = b"proxy-authorization"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A request up to its blank line.

    Attributes:
        raw: As it came.
        is_connect: Whether it asks for a tunnel.
        is_chunked: Whether its body says piece by piece how long it is.
        length: Of its body otherwise.
        is_upgrade: Whether what follows it may be no HTTP.
    """

    raw: bytes
    is_connect: bool
    is_chunked: bool
    length: int
    is_upgrade: bool

    def with_header(self, line: bytes) -> bytes:
        """The same with one header more, the last, if *line* is any."""
        return self.raw[: -len(LINE_END)] + line + LINE_END if line else self.raw


async def read_head(reader: StreamReader) -> Head | None:
    """The next request; None where no more follow.

    Raises:
        ValueError: It is odd.
        EOFError: It breaks off.
    """
    try:
        return parse_head(await reader.readuntil(HEAD_END))
    except LimitOverrunError as error:
        raise ValueError("a request is too long") from error
    except IncompleteReadError as error:
        if error.partial:
            raise
        return None


def parse_head(raw: bytes) -> Head:
    """What is to be known of a request.

    Raises:
        ValueError: It is odd.
    """
    first, *lines = raw.removesuffix(HEAD_END).split(LINE_END)
    asked = REQUEST_LINE.fullmatch(first)
    fields = [FIELD.fullmatch(line) for line in lines]
    if asked is None or None in fields:
        raise ValueError("no request to a proxy")
    named = [(field[1].lower(), field[2].strip(b" \t")) for field in fields if field]
    names = [name for name, _ in named]
    told = {name: value for name, value in named if name in SINGLE}
    if sum(name in SINGLE for name in names) > 1 or OURS in names:
        raise ValueError("a request that can be read in two ways")
    coding, length = told.get(b"transfer-encoding", b""), told.get(b"content-length", b"0")
    if coding.lower() not in {b"", b"chunked"} or not LENGTH.fullmatch(length):
        raise ValueError("a body of no known length")
    return Head(
        raw=raw,
        is_connect=asked[1] is not None,
        is_chunked=bool(coding),
        length=int(length),
        is_upgrade=b"upgrade" in names,
    )


async def pass_body(head: Head, reader: StreamReader, writer: StreamWriter) -> None:
    """Pass on what belongs to a request behind its blank line.

    Raises:
        ValueError: It is odd.
        EOFError: It breaks off.
    """
    if not head.is_chunked:
        await _pass_exactly(head.length, reader, writer)
        return
    length = -1
    while length:
        line = await reader.readuntil(LINE_END)
        told = CHUNK_LINE.fullmatch(line)
        if told is None:
            raise ValueError("no chunk")
        writer.write(line)
        length = int(told[1], 16)
        await _pass_exactly(length, reader, writer)
        # Behind the last one there may be more headers, which no browser sends.
        if await reader.readexactly(len(LINE_END)) != LINE_END:
            raise ValueError("a chunk that does not end")
        writer.write(LINE_END)


async def _pass_exactly(length: int, reader: StreamReader, writer: StreamWriter) -> None:
    while length:
        burst = await reader.read(min(length, BURST))
        if not burst:
            raise EOFError("a body that breaks off")
        length -= len(burst)
        writer.write(burst)
        await writer.drain()
