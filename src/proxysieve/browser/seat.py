"""A session's place in a browser: the context that is this visitor, with its proxy, window, and all that it keeps."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

from playwright.async_api import BrowserContext, CDPSession, Error, Page, ProxySettings

from proxysieve.browser.chromium import Chromium
from proxysieve.browser.kept import keep, storage_state
from proxysieve.browser.options import BrowserOptions
from proxysieve.browser.running import Running
from proxysieve.errors import SessionEnded
from proxysieve.relay import Relay, open_relay
from proxysieve.session import Session
from proxysieve.windows import Window, draw_window

# How long a context may take to open, with a page in it; a browser that takes longer hangs.
OPEN_SECONDS = 30.0
# What takes longer to close is not waited for.
CLOSE_SECONDS = 10.0


class BrowserGone(Exception):  # noqa: N818 - a state of affairs; never leaves the package
    """The browser crashed, or hung and was killed: nobody's fault, and another one takes over."""


@dataclass(slots=True)
class Opened:
    """A context while it is open.

    Attributes:
        page_count: How many pages were opened in it.
        why_ended: Why its pages were closed; empty while they were not.
    """

    chromium: Chromium
    context: BrowserContext
    relay: Relay | None
    page_count: int = 0
    why_ended: str = ""


class Seat:
    """One session's place, with a context from its first page on.

    Attributes:
        page_count: How many of its pages are open.
    """

    def __init__(self, session: Session, running: Running, options: BrowserOptions) -> None:
        self.session = session
        self.page_count = 0
        # What its browser has in its cache, by address.
        self.cached: set[str] = set()
        self._running = running
        self._options = options
        self._opened: Opened | None = None
        self._opening = asyncio.Lock()

    @property
    def is_open(self) -> bool:
        """Whether it has a context."""
        return self._opened is not None

    @asynccontextmanager
    async def page(self) -> AsyncIterator[tuple[Page, CDPSession]]:
        """A new page of this visitor, closed in the end, and what commands the browser beneath it.

        Raises:
            SessionEnded: The session was given up meanwhile.
            BrowserGone: The browser crashed or hangs.
        """
        self.page_count += 1
        page: Page | None = None
        opened: Opened | None = None
        try:
            opened, page, commands = await self._open_page()
            try:
                yield page, commands
            except Error as error:
                await self._explain(error, opened)
                raise
        finally:
            self.page_count -= 1
            if opened is not None and page is not None and not page.is_closed():
                await opened.chromium.within(CLOSE_SECONDS, page.close())

    async def keep(self, page: Page) -> None:
        """Have the session keep what its context has now, with *page* open."""
        if self._opened is not None:
            await keep(self._opened.context, page, self.session)

    async def end(self, why: str) -> None:
        """Close its pages; whoever works on one is told *why*."""
        if self._opened is not None:
            self._opened.why_ended = why
        await self.close()

    async def close(self) -> None:
        """Close its context; another one is opened when it is needed."""
        opened, self._opened = self._opened, None
        if opened is None:
            return
        self.cached.clear()
        await opened.chromium.within(CLOSE_SECONDS, opened.context.close())
        if opened.relay is not None:
            await opened.relay.close()
        await self._running.give_back(opened.chromium)

    async def aclose(self) -> None:
        """The session is over, or has not been used for long."""
        await self.end("it was given up")

    async def _open_page(self) -> tuple[Opened, Page, CDPSession]:
        opened: Opened | None = None
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                opened = await self._ready()
                page = await opened.context.new_page()
                commands = await opened.context.new_cdp_session(page)
                await self._furnish(commands)
                return opened, page, commands
        except TimeoutError as error:
            if opened is not None:
                opened.chromium.kill()
            raise BrowserGone from error
        except Error as error:
            if opened is not None:
                await self._explain(error, opened)
            raise BrowserGone from error

    async def _ready(self) -> Opened:
        async with self._opening:
            if self._opened is None or self._is_worn(self._opened):
                await self.close()
                self._opened = await self._open()
            self._opened.page_count += 1
            self._opened.chromium.page_count += 1
            return self._opened

    def _is_worn(self, opened: Opened) -> bool:
        """Whether its context is to be made anew: the browser is gone, or it is old and nobody is in it."""
        if not opened.chromium.is_alive:
            return True
        is_old = opened.page_count >= self._options.pages_a_context or self._running.is_old(opened.chromium)
        return is_old and self.page_count <= 1

    async def _open(self) -> Opened:
        chromium = await self._running.take()
        relay = await self._open_relay()
        try:
            context = await chromium.browser.new_context(
                no_viewport=True,
                proxy=self._proxy(relay),
                storage_state=storage_state(self.session),
                timezone_id=self._timezone() or None,
            )
        except BaseException:
            if relay is not None:
                await relay.close()
            await self._running.give_back(chromium)
            raise
        return Opened(chromium, context, relay)

    async def _open_relay(self) -> Relay | None:
        """What logs in to the proxy, where Chromium cannot: by SOCKS."""
        proxy = self.session.proxy
        needs_it = proxy.scheme.startswith("socks") and any(self.session.proxy_login)
        return await open_relay(proxy, self.session.exit) if needs_it else None

    def _proxy(self, relay: Relay | None) -> ProxySettings:
        if relay is not None:
            return {"server": relay.url}
        # Chromium leaves names to the proxy in any case.
        server = f"{self.session.proxy.scheme.removesuffix('h')}://{self.session.proxy.address}"
        user, password = self.session.proxy_login
        return {"server": server, "username": user, "password": password} if user or password else {"server": server}

    def _timezone(self) -> str:
        kept = self.session.browser
        if kept.window is None:
            # Chosen once, with the window.
            kept.timezone = self._options.timezone
        return kept.timezone

    async def _furnish(self, commands: CDPSession) -> None:
        """Give a page the window that this visitor has: a real one, so that nothing about it contradicts itself."""
        window = self._window()
        told = await commands.send("Browser.getWindowForTarget")
        bounds = {"left": window.left, "top": window.top, "width": window.width, "height": window.height}
        await commands.send("Browser.setWindowBounds", {"windowId": told["windowId"], "bounds": bounds})
        screen = {"screenWidth": window.screen_width, "screenHeight": window.screen_height}
        # Nought leaves to the window the size that it has.
        own = {"width": 0, "height": 0, "deviceScaleFactor": window.pixel_ratio, "mobile": False}
        await commands.send("Emulation.setDeviceMetricsOverride", own | screen)
        if not self._options.locale.startswith("en"):
            # The languages that it reads are flags; this is how dates and numbers look, for which systems lack data.
            await commands.send("Emulation.setLocaleOverride", {"locale": self._options.locale})

    def _window(self) -> Window:
        kept = self.session.browser
        if kept.window is None:
            # The name is drawn by chance, and is one for all that is this visitor's.
            kept.window = draw_window(Random(self.session.name), sys.platform)
        return kept.window

    async def _explain(self, error: Error, opened: Opened) -> None:
        """Raise why *error* came, if that is nothing about the page."""
        if opened.why_ended:
            raise SessionEnded(self.session.name, opened.why_ended) from error
        if not await opened.chromium.answers():
            opened.chromium.kill()
            raise BrowserGone from error
