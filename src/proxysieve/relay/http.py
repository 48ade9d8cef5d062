"""A relay to an HTTP proxy, with or without TLS, that adds the login to what a browser asks for.

Tunnels and answers pass as they are, and so does everything in a request but the login. So the relay follows where
requests end, and nothing else.
"""

from __future__ import annotations

import asyncio
import re
from asyncio import IncompleteReadError, LimitOverrunError, StreamReader, StreamWriter
from base64 import b64encode
from functools import partial

from proxysieve.core.model import Failure
from proxysieve.relay.port import BURST, Ends, Relay, pass_on
from proxysieve.relay.requests import HEAD_END, LINE_END, Head, pass_body, read_head

# By this a browser says that there is no tunnel. Without a tunnel it would take any answer for the site's, so there it
# gets none.
NO_TUNNEL = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
LOGIN_WANTED = re.compile(rb"HTTP/1\.[01] 407\b")
WHICH_LOGIN = b"proxy-authenticate:"


class HttpRelay(Relay):
    """A relay to a proxy of HTTP."""

    scheme = "http"

    def _as_sent(self, user: str, password: str) -> bytes:
        return b"Proxy-Authorization: Basic " + b64encode(f"{user}:{password}".encode()) + LINE_END

    async def _lead(self, browser: Ends) -> None:
        async with asyncio.timeout(self._handshake_seconds):
            head = await read_head(browser[0])
        if head is None:
            return
        proxy = await self._reached()
        if isinstance(proxy, Failure):
            self._refuse(browser, head, proxy)
            return
        async with self._closing(proxy):
            if head.is_connect:
                await self._tunnel(browser, proxy, head)
            else:
                self.failure = None
                await self._join(browser, proxy, partial(self._ask, head), self._answer)

    def _refuse(self, browser: Ends, head: Head, failure: Failure) -> None:
        self.failure = failure
        if head.is_connect:
            browser[1].write(NO_TUNNEL)

    async def _tunnel(self, browser: Ends, proxy: Ends, head: Head) -> None:
        proxy[1].write(head.with_header(self._login))
        try:
            async with asyncio.timeout(self._handshake_seconds):
                answer = await self._first_answer(proxy[0])
        except TimeoutError:
            # As with SOCKS: a proxy that says nothing counts as not there.
            self._refuse(browser, head, Failure.PROXY_UNREACHABLE)
            return
        if not answer:
            self._refuse(browser, head, Failure.PROXY_REFUSED)
            return
        browser[1].write(answer)
        await self._join(browser, proxy)

    async def _ask(self, head: Head | None, reader: StreamReader, writer: StreamWriter) -> None:
        """Pass on *head* and all requests that follow, each with the login."""
        while head is not None:
            writer.write(head.with_header(self._login))
            if head.is_upgrade:
                # The proxy is not logged in to by what follows; should it be requests all the same, it refuses them.
                await pass_on(reader, writer)
                return
            await pass_body(head, reader, writer)
            await writer.drain()
            head = await read_head(reader)

    async def _answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(await self._first_answer(reader))
        await pass_on(reader, writer)

    async def _first_answer(self, reader: StreamReader) -> bytes:
        """What the proxy says first, up to a blank line if there is one; nothing if it hangs up instead.

        It never asks for another login: the browser would open a window for it.
        """
        try:
            answer = await reader.readuntil(HEAD_END)
        except LimitOverrunError:
            answer = await reader.read(BURST)
        except IncompleteReadError as error:
            answer = error.partial
        except OSError:
            answer = b""
        self.failure = Failure.PROXY_REFUSED if LOGIN_WANTED.match(answer) else None
        if self.failure is None:
            return answer
        lines = answer.split(LINE_END)
        return LINE_END.join(line for line in lines if not line.lower().startswith(WHICH_LOGIN))
