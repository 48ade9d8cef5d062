"""Listening sockets and their connections, all of which end together."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass

from proxysieve.testbed.client_hello import HANDSHAKE, RECORD_HEAD_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The client of a connection.

    Attributes:
        address: Its own, or the one that was announced.
        hello: The first TLS record that it sent, with the ClientHello; empty without TLS.
    """

    address: str
    hello: bytes = b""


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Caller], Awaitable[None]]
"""Serves one connection: gets its two ends here, and its client."""

_BACKLOG = 512
_PAUSE_SECONDS = 0.1
# The longest line that version 1 of the PROXY protocol allows.
_LONGEST_ANNOUNCEMENT_BYTES = 107


class Connections:
    """All listening sockets of a testbed and all connections that they accepted."""

    def __init__(self) -> None:
        self._listeners: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    def listen(
        self,
        listener: socket.socket,
        handle: Handler,
        *,
        tls: ssl.SSLContext | None = None,
        is_tls_optional: bool = False,
        hears_announcements: bool = False,
    ) -> None:
        """Serve the connections to a bound socket.

        Args:
            listener: The socket, which is closed at the end.
            handle: What serves a connection.
            tls: Makes it a TLS connection.
            is_tls_optional: Whether only connections that begin like TLS use it.
            hears_announcements: Whether a client may announce another address, before any TLS.
        """
        self.keep(listener)
        listener.listen(_BACKLOG)
        door = _Door(handle, tls, is_tls_optional=is_tls_optional, hears_announcements=hears_announcements)
        self._spawn(self._accept(listener, door))

    def keep(self, bound: socket.socket) -> None:
        """Keep a bound socket until the end. Nothing listens on it, so its port refuses."""
        bound.settimeout(0.0)
        self._listeners.append(bound)

    async def close(self) -> None:
        """End everything at once."""
        for writer in self._writers:
            writer.transport.abort()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            for listener in self._listeners:
                listener.close()
        # An aborted transport closes its socket in the loop's next round.
        await asyncio.sleep(0)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket, door: _Door) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, (address, _) = await loop.sock_accept(listener)
            except OSError:
                # With too many open files, wait until connections end.
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                self._spawn(self._greet(connection, address, door))

    async def _greet(self, connection: socket.socket, address: str, door: _Door) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        try:
            caller = await door.identify(connection, address)
            tls = door.tls_for(caller)
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=tls)
        except OSError:
            connection.close()
        except asyncio.CancelledError:
            connection.close()
            raise
        else:
            await self._serve(door.handle, reader, asyncio.StreamWriter(transport, protocol, reader, loop), caller)

    async def _serve(
        self, handle: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, caller: Caller
    ) -> None:
        self._writers.add(writer)
        try:
            # It is no error here if a client breaks off.
            with contextlib.suppress(OSError, EOFError):
                await handle(reader, writer, caller)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            self._writers.discard(writer)


class _Door:
    """How connections to one listening socket begin."""

    def __init__(
        self, handle: Handler, tls: ssl.SSLContext | None, *, is_tls_optional: bool, hears_announcements: bool
    ) -> None:
        self.handle = handle
        self._tls = tls
        self._is_tls_optional = is_tls_optional
        self._hears_announcements = hears_announcements

    async def identify(self, connection: socket.socket, address: str) -> Caller:
        """Find out who the client is, and leave everything unread that TLS needs."""
        if self._hears_announcements:
            address = await _announced_address(connection) or address
        return Caller(address=address, hello=b"" if self._tls is None else await _peek_record(connection))

    def tls_for(self, caller: Caller) -> ssl.SSLContext | None:
        """Return the TLS context for the connection of *caller*, or None without TLS."""
        return None if self._is_tls_optional and not caller.hello else self._tls


def announcement(source: tuple[str, int], destination: tuple[str, int]) -> bytes:
    """Return the line by which a proxy announces *source* as its client: PROXY protocol, version 1."""
    return f"PROXY TCP4 {source[0]} {destination[0]} {source[1]} {destination[1]}\r\n".encode()


async def _announced_address(connection: socket.socket) -> str | None:
    """Read the announcement, if the connection begins with one, and leave the rest unread."""
    await _wait_readable(connection)
    # Only peeked at, because TLS may follow directly. It arrives whole, as it is sent first.
    seen = connection.recv(_LONGEST_ANNOUNCEMENT_BYTES, socket.MSG_PEEK)
    line, ending, _ = seen.partition(b"\r\n")
    match line.split(b" "):
        case [b"PROXY", b"TCP4", source, _, _, _] if ending:
            connection.recv(len(line) + len(ending))
            return source.decode("ascii", errors="replace")
        case _:
            return None


async def _peek_record(connection: socket.socket) -> bytes:
    """Look at the first TLS record of the connection; empty if it begins with something else."""
    first = await _peek(connection, 1)
    if first[:1] != bytes((HANDSHAKE,)):
        return b""
    head = await _peek(connection, RECORD_HEAD_BYTES)
    return await _peek(connection, RECORD_HEAD_BYTES + int.from_bytes(head[3:]))


async def _peek(connection: socket.socket, count: int) -> bytes:
    """Look at the next *count* bytes when all of them are there, or at fewer if no more come."""
    # Peeked bytes stay readable, so the socket must not count as readable before the rest has arrived.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)
    try:
        await _wait_readable(connection)
        return connection.recv(count, socket.MSG_PEEK)
    finally:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)


async def _wait_readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    is_readable: asyncio.Future[None] = loop.create_future()
    loop.add_reader(connection, is_readable.set_result, None)
    try:
        await is_readable
    finally:
        loop.remove_reader(connection)
