"""A relay to a SOCKS5 proxy, for browsers that cannot log in to one (Chromium).

The relay greets the proxy in the browser's place (RFC 1928) and logs in (RFC 1929). From then on every byte passes as
it is: what the browser asks for, the proxy's answer to that, and all that follows. So names are resolved at the proxy,
and the relay need not know what kinds of addresses and answers there are.
"""

from __future__ import annotations

import asyncio

from proxysieve.core.model import Failure
from proxysieve.errors import ConfigError
from proxysieve.relay.port import Ends, Relay

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


class SocksRelay(Relay):
    """A relay to a proxy of SOCKS5."""

    scheme = "socks5"

    def _as_sent(self, user: str, password: str) -> bytes:
        parts = [user.encode(), password.encode()]
        if max(map(len, parts)) > LONGEST_CREDENTIAL:
            raise ConfigError(
                f"the user or the password of {self._proxy.address} is too long for SOCKS5: expected 255 bytes"
            )
        return bytes((LOGIN_VERSION,)) + b"".join(bytes((len(part),)) + part for part in parts)

    async def _lead(self, browser: Ends) -> None:
        if not await self._greeted(browser):
            return
        proxy = await self._entered()
        self.failure = proxy if isinstance(proxy, Failure) else None
        if isinstance(proxy, Failure):
            await self._refuse(browser, proxy)
            return
        async with self._closing(proxy):
            browser[1].write(AGREED)
            await self._join(browser, proxy)

    async def _greeted(self, browser: Ends) -> bool:
        """Whether the browser is one that we can serve."""
        reader, writer = browser
        async with asyncio.timeout(self._handshake_seconds):
            version, count = await reader.readexactly(2)
            methods = await reader.readexactly(count) if version == VERSION else b""
        if version == VERSION and WITHOUT_LOGIN not in methods:
            writer.write(DISAGREED)
        return WITHOUT_LOGIN in methods

    async def _entered(self) -> Ends | Failure:
        """A connection to the proxy, which let us in; or why there is none."""
        proxy = await self._reached()
        if isinstance(proxy, Failure):
            return proxy
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
