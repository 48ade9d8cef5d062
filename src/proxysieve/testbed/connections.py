"""Listening sockets and the connections made to them, all of which end together."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter, str], Awaitable[None]]
"""Serves one connection: its two ends here, and the client's address."""

_BACKLOG = 512
_PAUSE_SECONDS = 0.1
# The longest line that version 1 of the PROXY protocol allows.
_LONGEST_ANNOUNCEMENT_BYTES = 107


class Connections:
    """Every listening socket of a testbed and every connection that it has accepted."""

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
        hears_announcements: bool = False,
    ) -> None:
        """Serve the connections to a bound socket.

        Args:
            listener: The socket, which is closed at the end.
            handle: What serves a connection.
            tls: What makes it a TLS connection.
            hears_announcements: Whether a client may announce another address than its own, before any TLS.
        """
        self.keep(listener)
        listener.listen(_BACKLOG)
        self._spawn(self._accept(listener, handle, tls, hears_announcements=hears_announcements))

    def keep(self, bound: socket.socket) -> None:
        """Keep a bound socket until the end; as long as nothing listens on it, its port refuses."""
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

    async def _accept(
        self,
        listener: socket.socket,
        handle: Handler,
        tls: ssl.SSLContext | None,
        *,
        hears_announcements: bool,
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, (address, _) = await loop.sock_accept(listener)
            except OSError:
                # Too many open files end as connections do.
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                self._spawn(self._greet(connection, address, handle, tls, hears_announcements=hears_announcements))

    async def _greet(
        self,
        connection: socket.socket,
        address: str,
        handle: Handler,
        tls: ssl.SSLContext | None,
        *,
        hears_announcements: bool,
    ) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        try:
            if hears_announcements:
                address = await _announced_address(connection) or address
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=tls)
        except OSError:
            connection.close()
        except asyncio.CancelledError:
            connection.close()
            raise
        else:
            await self._serve(handle, reader, asyncio.StreamWriter(transport, protocol, reader, loop), address)

    async def _serve(
        self, handle: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str
    ) -> None:
        self._writers.add(writer)
        try:
            # A client that breaks off is not an error here.
            with contextlib.suppress(OSError, EOFError):
                await handle(reader, writer, address)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            self._writers.discard(writer)


def announcement(source: tuple[str, int], destination: tuple[str, int]) -> bytes:
    """Return the line by which a proxy announces *source* as its client: PROXY protocol, version 1."""
    return f"PROXY TCP4 {source[0]} {destination[0]} {source[1]} {destination[1]}\r\n".encode()


async def _announced_address(connection: socket.socket) -> str | None:
    """Take the announcement off the connection, if it begins with one, and leave all that follows unread."""
    await _wait_readable(connection)
    # Peeked at, because TLS may begin right after it. It arrives whole: it is the first thing that is sent.
    seen = connection.recv(_LONGEST_ANNOUNCEMENT_BYTES, socket.MSG_PEEK)
    line, ending, _ = seen.partition(b"\r\n")
    match line.split(b" "):
        case [b"PROXY", b"TCP4", source, _, _, _] if ending:
            connection.recv(len(line) + len(ending))
            return source.decode("ascii", errors="replace")
        case _:
            return None


async def _wait_readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    is_readable: asyncio.Future[None] = loop.create_future()
    loop.add_reader(connection, is_readable.set_result, None)
    try:
        await is_readable
    finally:
        loop.remove_reader(connection)
