"""A port on loopback that leads to a SOCKS5 proxy and logs in there, for browsers that cannot (Chromium).

The relay greets the proxy in the browser's place (RFC 1928) and logs in (RFC 1929). From then on every byte passes as
it is: what the browser asks for, the proxy's answer to that, and all that follows. So names are resolved at the proxy,
and the relay need not know what kinds of addresses and answers there are.

Whoever may connect to the port uses the proxy without knowing its password. On Linux the relay hangs up on other users
of the machine (:mod:`proxysieve.peers`). What remains are other programs of the same user, which could as well read
the list of proxies; and, on macOS, everybody who has an account, for as long as the relay is open.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self

from proxysieve.core.model import SESSION_PLACEHOLDER, Failure, Proxy
from proxysieve.errors import ConfigError
from proxysieve.peers import is_own

log = logging.getLogger("proxysieve")

HANDSHAKE_SECONDS = 30.0
LINGER_SECONDS = 60.0

# RFC 1928, 3 and 4.
VERSION = 5
WITHOUT_LOGIN, BY_PASSWORD, BY_NOTHING = 0, 2, 0xFF
AGREED = bytes((VERSION, WITHOUT_LOGIN))
DISAGREED = bytes((VERSION, BY_NOTHING))
# RFC 1929, 2.
LOGIN_VERSION = 1
LONGEST_CREDENTIAL = 255
# RFC 1928, 6. All but "not allowed by ruleset" would speak of the site.
GENERAL_FAILURE, NOT_ALLOWED = 1, 2
CODES = {Failure.PROXY_UNREACHABLE: GENERAL_FAILURE, Failure.PROXY_REFUSED: NOT_ALLOWED}
LONGEST_REQUEST = 262
BURST = 65_536

Ends = tuple[StreamReader, StreamWriter]


class Relay:
    """An open port that leads to one exit of one proxy, until :meth:`close`; made by :func:`open_relay`.

    Attributes:
        failure: Why the latest connection got no further than the proxy's door: it could not be reached, or refused.
            None if it did, whatever the proxy then said to its request. Browsers show these as one and the same error.
    """

    def __init__(self, proxy: Proxy, login: bytes, *, handshake_seconds: float, linger_seconds: float) -> None:
        self.failure: Failure | None = None
        self._proxy = proxy
        self._login = login
        self._handshake_seconds = handshake_seconds
        self._linger_seconds = linger_seconds
        self._server: asyncio.Server | None = None
        self._port = 0
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """What to tell the browser."""
        return f"socks5://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

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
        return f"<Relay {self.url} to {self._proxy}>"

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        if self._server is None:
            # It was already in the queue when the relay was closed.
            writer.transport.abort()
            return
        connection = asyncio.get_running_loop().create_task(self._serve((reader, writer)))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _serve(self, browser: Ends) -> None:
        # Either end may hang up at any moment, or come to a stop.
        with suppress(OSError, EOFError):
            async with self._closing(browser):
                if await self._greeted(browser):
                    await self._lead(browser)

    async def _greeted(self, browser: Ends) -> bool:
        """Whether the browser is one that we can serve."""
        reader, writer = browser
        if not is_own(writer.get_extra_info("socket")):
            log.warning("hung up on another user of this machine, who came to the relay to %s", self._proxy)
            return False
        async with asyncio.timeout(self._handshake_seconds):
            version, count = await reader.readexactly(2)
            methods = await reader.readexactly(count) if version == VERSION else b""
        if version == VERSION and WITHOUT_LOGIN not in methods:
            writer.write(DISAGREED)
        return WITHOUT_LOGIN in methods

    async def _lead(self, browser: Ends) -> None:
        proxy = await self._entered()
        self.failure = proxy if isinstance(proxy, Failure) else None
        if isinstance(proxy, Failure):
            await self._refuse(browser, proxy)
        else:
            async with self._closing(proxy):
                await self._join(browser, proxy)

    async def _entered(self) -> Ends | Failure:
        """A connection to the proxy, which let us in; or why there is none."""
        try:
            async with asyncio.timeout(self._handshake_seconds):
                proxy = await asyncio.open_connection(self._proxy.host, self._proxy.port)
        except (OSError, UnicodeError):
            return Failure.PROXY_UNREACHABLE
        is_in = False
        try:
            async with asyncio.timeout(self._handshake_seconds):
                is_in = await self._logged_in(proxy)
        except TimeoutError:
            # What accepts a connection and then says nothing is as good as not there.
            return Failure.PROXY_UNREACHABLE
        except (OSError, EOFError):
            return Failure.PROXY_REFUSED
        finally:
            if not is_in:
                proxy[1].transport.abort()
        return proxy if is_in else Failure.PROXY_REFUSED

    async def _logged_in(self, proxy: Ends) -> bool:
        reader, writer = proxy
        # Both are offered, as by libcurl, so that a proxy is the same to the built-in client and to a browser.
        methods = bytes((WITHOUT_LOGIN, BY_PASSWORD) if self._login else (WITHOUT_LOGIN,))
        writer.write(bytes((VERSION, len(methods))) + methods)
        version, method = await reader.readexactly(2)
        if version != VERSION or method not in methods:
            return False
        if method == WITHOUT_LOGIN:
            return True
        writer.write(self._login)
        # Some say a wrong version here, and mean well.
        _, status = await reader.readexactly(2)
        return status == 0

    async def _refuse(self, browser: Ends, failure: Failure) -> None:
        """Answer the browser's request in the proxy's place: only this answer has room for a reason."""
        reader, writer = browser
        writer.write(AGREED)
        async with asyncio.timeout(self._handshake_seconds):
            # Left unread, it would make the system throw the answer away.
            await reader.read(LONGEST_REQUEST)
        writer.write(bytes((VERSION, CODES[failure], 0, 1)) + bytes(6))

    async def _join(self, browser: Ends, proxy: Ends) -> None:
        """Pass on what either says until both are done."""
        browser[1].write(AGREED)
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as limit:
                await asyncio.gather(
                    self._pass_on(browser[0], proxy[1], limit), self._pass_on(proxy[0], browser[1], limit)
                )

    async def _pass_on(self, reader: StreamReader, writer: StreamWriter, limit: asyncio.Timeout) -> None:
        """Pass on what one side says; once it is done, the other has until *limit* for its last words."""
        linger = 0.0
        with suppress(OSError):
            while burst := await reader.read(BURST):
                writer.write(burst)
                await writer.drain()
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


async def open_relay(
    proxy: Proxy,
    exit_name: str = "",
    *,
    handshake_seconds: float = HANDSHAKE_SECONDS,
    linger_seconds: float = LINGER_SECONDS,
) -> Relay:
    """Open a relay to *proxy*, in the running event loop.

    Args:
        proxy: One of SOCKS5, with or without a login.
        exit_name: What a gateway provider knows the session's exit by.
        handshake_seconds: How long the browser may take to say what it wants, and the proxy to let us in.
        linger_seconds: How long a connection that one side has ended is kept for the other.

    Raises:
        ConfigError: The proxy speaks something else, or its user or password is too long for SOCKS5.
        OSError: No port is free.
    """
    if not proxy.scheme.startswith("socks5"):
        raise ConfigError(f"the proxy {proxy} needs no relay: expected socks5:// or socks5h://")
    login = _login(proxy, exit_name)
    relay = Relay(proxy, login, handshake_seconds=handshake_seconds, linger_seconds=linger_seconds)
    await relay._open()  # noqa: SLF001 - an own one, which nobody else should see before
    return relay


def _login(proxy: Proxy, exit_name: str) -> bytes:
    """The login as it is sent; empty without one."""
    if not proxy.username and not proxy.password:
        return b""
    parts = [part.replace(SESSION_PLACEHOLDER, exit_name).encode() for part in (proxy.username, proxy.password)]
    if max(map(len, parts)) > LONGEST_CREDENTIAL:
        raise ConfigError(f"the user or the password of {proxy.address} is too long for SOCKS5: expected 255 bytes")
    return bytes((LOGIN_VERSION,)) + b"".join(bytes((len(part),)) + part for part in parts)
