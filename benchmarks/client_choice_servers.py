"""Proxies and sites on loopback for `client_choice.py`, which remember all that was said to them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import ssl
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import trustme

HOST = "shop.example"
HEAD_END = b"\r\n\r\n"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
PIECE = b"x" * 65_536
BIG_BYTES = 1_000_000_000
ANSWERS = {
    "/ok": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "/moved": b"HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n",
    "/cookie": b"HTTP/1.1 200 OK\r\nSet-Cookie: seen=1; Path=/\r\nContent-Length: 2\r\n\r\nok",
    "/cut": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nhalf",
    "/big": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG_BYTES,
    "/drip": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
}


class Trust:
    """An authority, and what it vouches for.

    Args:
        directory: Where its certificate is kept.
    """

    def __init__(self, directory: Path) -> None:
        self._authority = trustme.CA()
        self.ca_path = directory / "ca.pem"
        self._authority.cert_pem.write_to_path(self.ca_path)
        self.site = self.context(HOST, "localhost")
        self.proxy = self.context("127.0.0.1")

    def context(self, *hosts: str) -> ssl.SSLContext:
        """A server's side of TLS."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.set_alpn_protocols(["http/1.1"])
        self._authority.issue_cert(*hosts).configure_cert(made)
        return made


class Proxy:
    """A proxy by HTTP and SOCKS5 that is all sites at once, whatever their names.

    Attributes:
        stops: Where it falls silent, or hangs up if *hangs_up*: ``tunnel``, ``tls`` or ``answer``; empty for nowhere.
        said: What it answers a CONNECT, for ever if it *goes_on*.
        port: Where it listens.
        logins: User and password of each connection.
        names: How SOCKS named the site: ``name`` or ``address``.
        heads: Of the requests that came to the site.
        ports: The client's port of each of those.
        sent_bytes: Of bodies.
    """

    def __init__(
        self,
        trust: Trust,
        *,
        stops: str = "",
        hangs_up: bool = False,
        said: bytes = ESTABLISHED,
        goes_on: bool = False,
        tls: bool = False,
    ) -> None:
        self.stops, self.hangs_up, self.said, self.goes_on = stops, hangs_up, said, goes_on
        self.port = self.sent_bytes = self._open_count = 0
        self.logins: list[tuple[str, str]] = []
        self.names: list[str] = []
        self.heads: list[bytes] = []
        self.ports: list[int] = []
        self._trust = trust
        self._tls = tls
        self._is_left = asyncio.Event()
        self._meetings: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Proxy]:
        """Listen for as long as the block lasts."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._trust.proxy if self._tls else None)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for meeting in self._meetings:
                meeting.cancel()

    async def is_left(self, seconds: float = 1.0) -> bool:
        """Whether all connections are closed within so many seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._is_left.wait(), seconds)
        return self._is_left.is_set()

    def _accept(self, reader: Reader, writer: Writer) -> None:
        meeting = asyncio.create_task(self._meet(reader, writer))
        self._meetings.add(meeting)
        meeting.add_done_callback(self._meetings.discard)

    async def _meet(self, reader: Reader, writer: Writer) -> None:
        self._open_count += 1
        self._is_left.clear()
        try:
            await self._serve(reader, writer)
        except (OSError, EOFError, asyncio.CancelledError, asyncio.LimitOverrunError):
            pass
        finally:
            self._open_count -= 1
            if not self._open_count:
                self._is_left.set()
            writer.transport.abort()

    async def _serve(self, reader: Reader, writer: Writer) -> None:
        first = await reader.readexactly(1)
        if first == b"\x05":
            port = await self._greet_by_socks(reader, writer)
            await self._be_site(reader, writer, tls=port == 443)
            return
        head = first + await reader.readuntil(HEAD_END)
        self._note_login(head)
        if not head.startswith(b"CONNECT"):
            await self._answer(head, reader, writer)
            await self._be_site(reader, writer, tls=False)
            return
        if self.stops != "tunnel":
            writer.write(self.said)
            await writer.drain()
            while self.goes_on:
                writer.write(PIECE)
                await writer.drain()
            if self.said == ESTABLISHED:
                await self._be_site(reader, writer, tls=True)
                return
        await self._stop(reader)

    async def _greet_by_socks(self, reader: Reader, writer: Writer) -> int:
        methods = await reader.readexactly((await reader.readexactly(1))[0])
        writer.write(b"\x05\x02" if 2 in methods else b"\x05\x00")
        if 2 in methods:
            await reader.readexactly(1)
            user, password = [await reader.readexactly((await reader.readexactly(1))[0]) for _ in range(2)]
            self.logins.append((user.decode(), password.decode()))
            writer.write(b"\x01\x00")
        *_, kind = await reader.readexactly(4)
        self.names.append("name" if kind == 3 else "address")
        length = (await reader.readexactly(1))[0] if kind == 3 else {1: 4, 4: 16}[kind]
        await reader.readexactly(length)
        port = int.from_bytes(await reader.readexactly(2))
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        return port

    async def _be_site(self, reader: Reader, writer: Writer, *, tls: bool) -> None:
        if self.stops == "tls":
            await reader.read(1)
            await self._stop(reader)
            return
        if tls:
            await writer.start_tls(self._trust.site)
        while True:
            await self._answer(await reader.readuntil(HEAD_END), reader, writer)

    async def _answer(self, head: bytes, reader: Reader, writer: Writer) -> None:
        self.heads.append(head)
        self.ports.append(writer.get_extra_info("peername")[1])
        path = "/" + head.split()[1].decode().rpartition("/")[2]
        if self.stops == "answer":
            await self._stop(reader)
        writer.write(ANSWERS.get(path, ANSWERS["/ok"]))
        await writer.drain()
        while path == "/big" and self.sent_bytes < BIG_BYTES:
            writer.write(PIECE)
            await writer.drain()
            self.sent_bytes += len(PIECE)
        if path == "/drip":
            await reader.read()
        if path == "/cut":
            raise EOFError

    async def _stop(self, reader: Reader) -> None:
        if not self.hangs_up:
            while await reader.read(65_536):
                pass
        raise EOFError

    def _note_login(self, head: bytes) -> None:
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b": ")
            if name.lower() == b"proxy-authorization":
                user, _, password = base64.b64decode(value.split()[1]).decode().partition(":")
                self.logins.append((user, password))


@contextlib.contextmanager
def deaf_port() -> Iterator[int]:
    """A port whose queue is full, so that no connection comes about and none is refused."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port that refuses."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
