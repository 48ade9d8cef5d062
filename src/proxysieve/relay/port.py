"""What all relays are: an open port, who may come to it, and what passes between two connections.

Everybody who can connect to the port uses the proxy without its password. On Linux the relay hangs up on other users
of the machine (``local_peers.py``). Other programs of the same user remain, which could also read the list of
proxies; and, on macOS, all users of the machine while the relay is open. The same holds on a Linux whose kernel does
not tell who owns a connection, as in some sandboxes: the relay finds out when it opens.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from abc import ABC, abstractmethod
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import ClassVar, Self

from proxysieve.core.model import Failure, Proxy
from proxysieve.relay.local_peers import can_tell, is_own

log = logging.getLogger("proxysieve")

HANDSHAKE_SECONDS = 30.0
LINGER_SECONDS = 60.0
BURST = 65_536
# Of a request or an answer, up to its blank line: what Chromium takes from a server at the most.
LONGEST_HEAD = 262_144

Ends = tuple[StreamReader, StreamWriter]
Passing = Callable[[StreamReader, StreamWriter], Awaitable[None]]


async def pass_on(reader: StreamReader, writer: StreamWriter) -> None:
    """Pass on all that comes."""
    while burst := await reader.read(BURST):
        writer.write(burst)
        await writer.drain()


class Relay(ABC):
    """An open port that leads to one exit of one proxy, until :meth:`close`; made by ``open_relay``.

    Attributes:
        failure: Why the latest connection got no further than the proxy's door: it could not be reached, or refused.
            None if it did, whatever the proxy then said to its request; unreachable, while the first is on its way.
            Browsers show these as one and the same error.
    """

    scheme: ClassVar[str]

    def __init__(
        self,
        proxy: Proxy,
        exit_name: str,
        *,
        tls: ssl.SSLContext | None,
        handshake_seconds: float,
        linger_seconds: float,
    ) -> None:
        self.failure: Failure | None = None
        self._has_tried = False
        self._can_tell = False
        self._proxy = proxy
        login = proxy.login(exit_name)
        self._login = self._as_sent(*login) if any(login) else b""
        self._tls = tls
        self._handshake_seconds = handshake_seconds
        self._linger_seconds = linger_seconds
        self._server: asyncio.Server | None = None
        self._port = 0
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """What to tell the browser."""
        return f"{self.scheme}://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Begin to listen."""
        self._can_tell = can_tell()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=LONGEST_HEAD)
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End all connections at once; nothing of the relay is left afterwards."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        # Aborted connections are closed in the loop's next round.
        await asyncio.sleep(0)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url} to {self._proxy}>"

    @abstractmethod
    def _as_sent(self, user: str, password: str) -> bytes:
        """The login as the proxy is sent it."""

    @abstractmethod
    async def _lead(self, browser: Ends) -> None:
        """Lead *browser*, who may come, to the proxy, for as long as both are there."""

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        if self._server is None:
            # It was already in the queue when the relay was closed.
            writer.transport.abort()
            return
        connection = asyncio.get_running_loop().create_task(self._serve((reader, writer)))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _serve(self, browser: Ends) -> None:
        # Either end may hang up at any moment, come to a stop, or say what makes no sense.
        with suppress(OSError, EOFError, ValueError):
            async with self._closing(browser):
                if not self._can_tell or is_own(browser[1].get_extra_info("socket")):
                    await self._lead(browser)
                else:
                    log.warning("hung up on another user of this machine, who came to the relay to %s", self._proxy)

    async def _reached(self) -> Ends | Failure:
        """A connection to the proxy, or why there is none."""
        if not self._has_tried:
            # Browsers may lose patience before the relay does.
            self.failure, self._has_tried = Failure.PROXY_UNREACHABLE, True
        try:
            async with asyncio.timeout(self._handshake_seconds):
                return await asyncio.open_connection(
                    self._proxy.host, self._proxy.port, ssl=self._tls, limit=LONGEST_HEAD
                )
        except ssl.SSLError:
            return Failure.PROXY_REFUSED
        except (OSError, UnicodeError):
            return Failure.PROXY_UNREACHABLE

    async def _join(self, browser: Ends, proxy: Ends, upwards: Passing = pass_on, downwards: Passing = pass_on) -> None:
        """Pass on what either says until both are done."""
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as limit:
                await asyncio.gather(
                    self._to_the_end(upwards, browser[0], proxy[1], limit),
                    self._to_the_end(downwards, proxy[0], browser[1], limit),
                )

    async def _to_the_end(
        self, passing: Passing, reader: StreamReader, writer: StreamWriter, limit: asyncio.Timeout
    ) -> None:
        """Pass on what one side says; once it is done, the other has until *limit* for its last words."""
        linger = 0.0
        with suppress(OSError, EOFError, ValueError):
            await passing(reader, writer)
            # Within TLS there is no end of one way alone.
            if writer.can_write_eof():
                writer.write_eof()
                linger = self._linger_seconds
        limit.reschedule(asyncio.get_running_loop().time() + linger)

    @asynccontextmanager
    async def _closing(self, ends: Ends) -> AsyncIterator[None]:
        """Close the connection afterwards: what was said last is still delivered, unless something went wrong."""
        _, writer = ends
        try:
            yield
            writer.close()
            async with asyncio.timeout(self._linger_seconds):
                await writer.wait_closed()
        finally:
            writer.transport.abort()


@cache
def system_trust() -> ssl.SSLContext:
    """TLS to those whom this system trusts; HTTP/2, which browsers offer to proxies too, is not spoken.

    All relays share one: to read what the system trusts takes up to a quarter of a second.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
