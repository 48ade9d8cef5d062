"""Servers that misbehave, each in one way, on loopback: sites and proxies of all kinds."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import struct
import zlib
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import cache

import trustme

Behaviour = Callable[[Reader, Writer], Awaitable[None]]
Context = Callable[[], ssl.SSLContext]

HOST = "shop.example"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
HEAD_END = b"\r\n\r\n"
PIECE = b"x" * 65_536
GOOD = b"<p>ok</p>"

authority = trustme.CA()


def answer(
    status: str = "200 OK", *headers: str, body: bytes = GOOD, length: int | None = None, stays: bool = False
) -> bytes:
    """An answer that says how long it is, truly unless *length* says otherwise."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join([*lines, *["Connection: close"] * (not stays), "", ""]).encode("latin-1") + body


def raw(*lines: str, body: bytes = b"") -> bytes:
    """An answer as it is written, with a blank line before its body."""
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunked(*pieces: bytes) -> bytes:
    """An answer of chunks, which ends where they end."""
    return raw("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Connection: close", body=b"".join(pieces))


def packed(encoding: str, body: bytes) -> bytes:
    """An answer that says how it is compressed, truly or not."""
    return answer("200 OK", f"Content-Encoding: {encoding}", body=body)


def sent_to(location: str) -> bytes:
    """A redirect."""
    return answer("302 Found", f"Location: {location}", body=b"")


def saying(said: bytes) -> Behaviour:
    """Answers whatever is asked with *said*, and closes."""

    async def behave(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(HEAD_END)
        writer.write(said)
        await writer.drain()

    return behave


def blurting(said: bytes) -> Behaviour:
    """Says *said* before it is asked, and nothing more."""

    async def behave(reader: Reader, writer: Writer) -> None:
        writer.write(said)
        await silent(reader, writer)

    return behave


def endless(said: bytes, piece: bytes = PIECE) -> Behaviour:
    """Answers with *said*, and then with *piece* for as long as anybody listens."""

    async def behave(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(HEAD_END)
        writer.write(said)
        while True:
            writer.write(piece)
            await writer.drain()

    return behave


def dripping(said: bytes, drop: bytes = b"x") -> Behaviour:
    """Answers with *said*, and then with a drop now and then, for as long as anybody listens."""

    async def behave(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(HEAD_END)
        writer.write(said)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.01)

    return behave


def resetting(said: bytes = b"") -> Behaviour:
    """Answers with *said*, and is gone as a machine is that forgot the connection."""

    async def behave(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(HEAD_END)
        writer.write(said)
        await writer.drain()
        reset(writer)

    return behave


async def silent(reader: Reader, _: Writer) -> None:
    """Takes all that is said, and never answers."""
    while await reader.read(65_536):
        pass


async def closing(reader: Reader, _: Writer) -> None:
    """Takes the request, and hangs up."""
    await reader.readuntil(HEAD_END)


async def closing_at_once(_: Reader, __: Writer) -> None:
    """Hangs up before anything is said."""


async def cutting(reader: Reader, writer: Writer) -> None:
    """Is gone once anything is said, as a handshake."""
    await reader.read(1)
    reset(writer)


def reset(writer: Writer) -> None:
    """End the connection of *writer* without a farewell."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def tunnel(behave: Behaviour, said: bytes = ESTABLISHED) -> Behaviour:
    """A proxy that lets a CONNECT through, to whatever *behave* is."""

    async def serve(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(HEAD_END)
        writer.write(said)
        await behave(reader, writer)

    return serve


def over_tls(behave: Behaviour, tls: Context | None = None) -> Behaviour:
    """*behave* behind TLS."""

    async def serve(reader: Reader, writer: Writer) -> None:
        await writer.start_tls((tls or trusted)())
        await behave(reader, writer)

    return serve


def site(behave: Behaviour, tls: Context | None = None) -> Behaviour:
    """A site with TLS behind a proxy that is in order."""
    return tunnel(over_tls(behave, tls))


def socks(code: int, behave: Behaviour = silent) -> Behaviour:
    """A SOCKS5 proxy that answers a request with *code* (RFC 1928, 6), and then is *behave*."""

    async def serve(reader: Reader, writer: Writer) -> None:
        _, count = await reader.readexactly(2)
        await reader.readexactly(count)
        writer.write(b"\x05\x00")
        *_, length = await reader.readexactly(5)
        await reader.readexactly(length + 2)
        writer.write(bytes((5, code, 0, 1)) + bytes(6))
        await behave(reader, writer)

    return serve


def by_path(behaviours: Mapping[str, Behaviour], otherwise: Behaviour) -> Behaviour:
    """What is another server at each path."""

    async def serve(reader: Reader, writer: Writer) -> None:
        head = await reader.readuntil(HEAD_END)
        path = head.split()[1].decode().rpartition("/")[2]
        again = Reader()
        again.feed_data(head)
        await behaviours.get(path, otherwise)(again, writer)

    return serve


def context(issuer: trustme.CA, host: str, *protocols: str, until: datetime | None = None) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate for *host*."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.set_alpn_protocols(list(protocols or ("http/1.1",)))
    issuer.issue_cert(host, not_after=until).configure_cert(made)
    return made


@cache
def trusted() -> ssl.SSLContext:
    """As it should be."""
    return context(authority, HOST)


@cache
def trusted_proxy() -> ssl.SSLContext:
    """As a proxy's should be."""
    return context(authority, "127.0.0.1")


@cache
def http_2() -> ssl.SSLContext:
    """As it should be, for HTTP/2."""
    return context(authority, HOST, "h2")


@cache
def self_signed() -> ssl.SSLContext:
    """Of an authority that nobody knows."""
    return context(trustme.CA(), HOST)


@cache
def expired() -> ssl.SSLContext:
    """Of long ago."""
    return context(authority, HOST, until=datetime(2020, 1, 1, tzinfo=UTC))


@cache
def of_another_host() -> ssl.SSLContext:
    """Of somebody else."""
    return context(authority, "other.example")


def frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    """One of HTTP/2's (RFC 9113, 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


SETTINGS = frame(4)


@cache
def gzip_bomb(megabytes: int) -> bytes:
    """So many megabytes of zeros, a thousand times smaller; it breaks off where all of them have come out."""
    packer = zlib.compressobj(9, wbits=31)
    begin = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    megabyte = packer.compress(bytes(1_000_000)) + packer.flush(zlib.Z_FULL_FLUSH)
    return begin + megabyte * megabytes


@cache
def zstd_bomb(megabytes: int) -> bytes:
    """The same in blocks that say how often a byte is repeated (RFC 8878, 3.1.1), 32,000 times smaller."""
    most = 128 * 1024
    block = (most << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    return b"\x28\xb5\x2f\xfd\x00\x58" + block * (megabytes * 1_000_000 // most)


def packed_twice(body: bytes) -> bytes:
    """A bomb within a package."""
    return packed("gzip, gzip", gzip.compress(body))


@asynccontextmanager
async def listening(behave: Behaviour) -> AsyncIterator[int]:
    """A port on loopback where every connection meets with *behave*."""
    meetings: set[asyncio.Task[None]] = set()

    async def meet(reader: Reader, writer: Writer) -> None:
        # What a client does to a server that is rude to it is no concern of the tests.
        with suppress(OSError, EOFError, asyncio.CancelledError):
            await behave(reader, writer)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        # A client that does not read would leave it open, and the loop may end before it is closed.
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()

    def accept(reader: Reader, writer: Writer) -> None:
        meeting = asyncio.create_task(meet(reader, writer))
        meetings.add(meeting)
        meeting.add_done_callback(meetings.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for meeting in meetings:
            meeting.cancel()
        if meetings:
            await asyncio.wait(meetings)
