"""HTTP/1.1 on the wire: reading requests and writing answers, for the site and the proxies alike."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

BURST_BYTES = 65_536
"""How much is read and written at once."""

LONGEST_BODY_BYTES = 10_000_000
"""How much a client may send with a request."""

Headers = tuple[tuple[str, str], ...]


class RefusalError(Exception):
    """A request cannot be served, or is no valid request; `status` is the answer."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it arrived.

    Attributes:
        headers: In their order and case.
        fields: The same by their lower-case names.
    """

    method: str
    target: str
    version: str
    headers: Headers
    fields: Mapping[str, str]
    body: bytes = b""

    def header(self, name: str) -> str:
        """Return the header with the lower-case *name*, or an empty text."""
        return self.fields.get(name, "")

    def cookie(self, name: str) -> str | None:
        """Return the first cookie of that name, or None."""
        pairs = (cookie.strip().partition("=") for cookie in self.header("cookie").split(";"))
        return next((value for key, _, value in pairs if key == name), None)

    @property
    def is_last(self) -> bool:
        """Whether the client wants the connection closed after the answer."""
        connection = self.header("connection").lower()
        return "close" in connection or (self.version == "HTTP/1.0" and "keep-alive" not in connection)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer.

    Attributes:
        status: Three digits.
        headers: Without those about the length of the body.
        body: All of it.
        pieces: Instead, a body to stream. It is chunked unless the headers say its length.
    """

    status: int = 200
    headers: Headers = ()
    body: bytes = b""
    pieces: Iterable[bytes] | None = None

    @property
    def is_chunked(self) -> bool:
        """Whether the body needs chunks to show its end."""
        return self.pieces is not None and all(name != "Content-Length" for name, _ in self.headers)


async def read_request(reader: asyncio.StreamReader, start: bytes = b"") -> Request | None:
    """Read one request; *start* was read before.

    Returns:
        The request, or None if the client has closed the connection between two requests.

    Raises:
        RefusalError: What arrived is no request.
        OSError: The connection broke.
    """
    try:
        head = start + await reader.readuntil(b"\r\n\r\n")
        request = _parse_head(head)
        if length := _body_length(request):
            request = replace(request, body=await reader.readexactly(length))
    except asyncio.LimitOverrunError as error:
        raise RefusalError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from error
    except asyncio.IncompleteReadError:
        return None
    return request


def encode_request(request: Request, *, target: str, dropped: frozenset[str]) -> bytes:
    """Return the bytes of *request* with another target and without the *dropped* headers (lower-case)."""
    headers = "".join(f"{name}: {value}\r\n" for name, value in request.headers if name.lower() not in dropped)
    head = f"{request.method} {target} {request.version}\r\n{headers}\r\n"
    return head.encode("latin-1") + request.body


async def write_response(writer: asyncio.StreamWriter, response: Response, *, to: Request | None) -> None:
    """Write *response* as the answer *to* a request. Without a request, or to the last one, it says so."""
    head = _encode_head(response, is_last=to is None or to.is_last)
    if to is not None and to.method == "HEAD":
        writer.write(head)
    else:
        writer.write(head + response.body)
        await _stream(writer, response)
    await writer.drain()


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on everything from *reader* until its end, and then end the other connection in the same way."""
    try:
        while burst := await reader.read(BURST_BYTES):
            writer.write(burst)
            await writer.drain()
    except OSError:
        reset(writer)
    else:
        writer.close()


def reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with a TCP reset."""
    raw: socket.socket | None = writer.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        # With a linger time of zero, closing the socket sends a reset.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _parse_head(head: bytes) -> Request:
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    match first.split(" "):
        case [method, target, "HTTP/1.1" | "HTTP/1.0" as version] if method and target:
            headers = tuple([_parse_header(line) for line in lines])
            fields = {name.lower(): value for name, value in headers}
            return Request(method=method, target=target, version=version, headers=headers, fields=fields)
        case _:
            raise RefusalError(HTTPStatus.BAD_REQUEST)


def _parse_header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not name or not colon:
        raise RefusalError(HTTPStatus.BAD_REQUEST)
    return name, value.strip()


def _body_length(request: Request) -> int:
    if request.header("transfer-encoding"):
        raise RefusalError(HTTPStatus.LENGTH_REQUIRED)
    length = request.header("content-length") or "0"
    if not (length.isascii() and length.isdigit()):
        raise RefusalError(HTTPStatus.BAD_REQUEST)
    if int(length[:20]) > LONGEST_BODY_BYTES:
        raise RefusalError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return int(length)


def _encode_head(response: Response, *, is_last: bool) -> bytes:
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {response.status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in response.headers]
    if response.is_chunked:
        lines.append("Transfer-Encoding: chunked")
    elif response.pieces is None and response.status not in {204, 304}:
        lines.append(f"Content-Length: {len(response.body)}")
    if is_last:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _stream(writer: asyncio.StreamWriter, response: Response) -> None:
    for piece in response.pieces or ():
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if response.is_chunked else piece)
        await writer.drain()
    if response.is_chunked:
        writer.write(b"0\r\n\r\n")
