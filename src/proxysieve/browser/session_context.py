"""A session's place in a browser: its context, with its proxy and all that it keeps."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from playwright.async_api import BrowserContext, CDPSession, Error, Page, StorageState
from playwright.async_api import TimeoutError as PageTimeout

from proxysieve.browser.chromium import Chromium
from proxysieve.browser.cookies import SharedCookies
from proxysieve.browser.options import BrowserOptions
from proxysieve.browser.request_count import Counting
from proxysieve.browser.running_browser import Running
from proxysieve.browser.storage_state import keep, storage_state
from proxysieve.browser.time_limits import bring
from proxysieve.browser.window_and_locale import Surroundings
from proxysieve.browser.window_placement import Windows
from proxysieve.core.model import Failure
from proxysieve.errors import SessionEnded
from proxysieve.relay import Relay, bare_url, open_relay
from proxysieve.sessions.session import Session

log = logging.getLogger("proxysieve")

# How long a context may take to open, with a page in it; a browser that takes longer hangs.
OPEN_SECONDS = 30.0
# What takes longer to close is not waited for.
CLOSE_SECONDS = 10.0
GIVEN_UP = "it was given up"
OVERLOADED = "its browser takes too long to open a page"
WHERE_A_RELAY_GIVES_UP = ("ERR_SOCKS_CONNECTION_FAILED", "ERR_TUNNEL_CONNECTION_FAILED", "ERR_EMPTY_RESPONSE")


class BrowserGone(Exception):  # noqa: N818 - a state of affairs; never leaves the package
    """The browser crashed, or hung and was killed: nobody's fault, and another one takes over."""


@dataclass(slots=True)
class Opened:
    """A context while it is open.

    Attributes:
        page_count: How many pages were opened in it.
        open_count: How many of them are open, or being opened.
        why_ended: Why its pages were closed; empty while they were not.
        closed: Is set once the context is closed, by us or by whoever works on a page of it.
    """

    chromium: Chromium
    context: BrowserContext
    cookies: SharedCookies
    windows: Windows
    relay: Relay | None
    page_count: int = 0
    open_count: int = 0
    why_ended: str = ""
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.context.on("close", lambda _: self.closed.set())


class Seat:
    """One session's place, with a context from its first page on.

    Attributes:
        page_count: How many of its pages are open.
        counting: Of what they ask of the site.
    """

    def __init__(self, session: Session, running: Running, options: BrowserOptions) -> None:
        self.session = session
        self.page_count = 0
        self.counting = Counting(session.note_requests)
        self._running = running
        self._options = options
        self._surroundings = Surroundings(session, options)
        self._opened: Opened | None = None
        # Older ones, each until its last page is closed: a session that always has one open would grow in it for ever.
        self._old: list[Opened] = []
        self._opening = asyncio.Lock()
        self._is_over = False

    @property
    def is_open(self) -> bool:
        """Whether it has a context."""
        return self._opened is not None or bool(self._old)

    @property
    def is_busy(self) -> bool:
        """Whether a page of it is open; then it is not closed for want of use."""
        return self.page_count > 0

    @asynccontextmanager
    async def page(self) -> AsyncIterator[tuple[Page, CDPSession]]:
        """A new page of the session, closed in the end, and what commands the browser beneath it.

        Raises:
            SessionEnded: The session was given up meanwhile, or its browser has too much to do.
            BrowserGone: The browser crashed or hangs.
        """
        self.page_count += 1
        try:
            opened, page, commands = await self._open_page()
            pages = with_popups(page, partial(self._furnish_popup, opened))
            try:
                yield page, commands
            except Error as error:
                await self._explain(error, opened.chromium, opened.why_ended)
                raise
            finally:
                for one in pages:
                    await close_page(opened, one)
                await self._leave(opened)
        finally:
            self.page_count -= 1

    @contextmanager
    def loading(self) -> Iterator[None]:
        """While a page of it loads, an error is the proxy's where its relay could not reach it."""
        try:
            yield
        except Error as error:
            relay = self._opened.relay if self._opened is not None else None
            if relay is not None and is_unreached(error, relay):
                raise Error(f"net::ERR_PROXY_CONNECTION_FAILED, by a relay: {error.message}") from error
            raise

    async def keep(self, page: Page) -> None:
        """Have the session keep what its context has now, with *page* open."""
        for opened in self._all():
            if opened.context is page.context:
                await keep(opened.context, opened.cookies, page, self.session)

    async def end(self, why: str) -> None:
        """Close its pages; whoever works on one is told *why*."""
        for opened in self._all():
            opened.why_ended = why
        await self.close()

    async def close(self) -> None:
        """Close its context; another one is opened when it is needed."""
        closing, self._opened, self._old = self._all(), None, []
        for opened in closing:
            await self._shut(opened)

    def _all(self) -> list[Opened]:
        return [*self._old, *([self._opened] if self._opened is not None else [])]

    async def _leave(self, opened: Opened) -> None:
        """One page less is open in *opened*."""
        opened.open_count -= 1
        if opened in self._old and not opened.open_count:
            self._old.remove(opened)
            await self._shut(opened)

    async def _shut(self, opened: Opened) -> None:
        try:
            await opened.chromium.within(CLOSE_SECONDS, opened.context.close())
        finally:
            if opened.relay is not None:
                await opened.relay.close()
            await self._running.give_back(opened.chromium)

    async def aclose(self) -> None:
        """The session is over, or has not been used for long."""
        self._is_over = True
        await self.end(GIVEN_UP)

    async def _open_page(self) -> tuple[Opened, Page, CDPSession]:
        try:
            return await self._try_page()
        except Error as error:
            kept = self.session.browser
            if "Invalid timezone" not in error.message or kept.timezone == self._options.timezone:
                raise
            log.warning("session %s has a time zone that this browser does not know: left out", self.session.name)
            kept.timezone = self._options.timezone
        await self.close()
        return await self._try_page()

    async def _try_page(self) -> tuple[Opened, Page, CDPSession]:
        opened = await self._ready()
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                return opened, *await self._new_page(opened)
        except BaseException as error:
            await self._leave(opened)
            if isinstance(error, Error | TimeoutError):
                await self._explain(error, opened.chromium, opened.why_ended)
            raise

    async def _new_page(self, opened: Opened) -> tuple[Page, CDPSession]:
        await opened.cookies.give()
        page, commands = await bring(opened.windows.open(), lambda both: both[0].close())
        try:
            await self._surroundings.give_window(commands)
        except BaseException:
            await close_page(opened, page)
            raise
        return page, commands

    async def _ready(self) -> Opened:
        async with self._opening:
            if self._opened is not None and self._is_worn(self._opened):
                self._old.append(self._opened)
                self._opened = None
                # Those in whom nobody is left are closed at once.
                for opened in [one for one in self._old if not one.open_count]:
                    self._old.remove(opened)
                    await self._shut(opened)
            if self._opened is None:
                self._opened = await self._open()
            if self._is_over:
                # It was given up while its context was being opened.
                await self.close()
                raise SessionEnded(self.session.name, GIVEN_UP)
            self._opened.page_count += 1
            self._opened.open_count += 1
            self._opened.chromium.page_count += 1
            return self._opened

    def _is_worn(self, opened: Opened) -> bool:
        """Whether its context is to be made anew: it is closed, its browser is gone, or one of them has grown old."""
        is_old = opened.page_count >= self._options.pages_a_context or self._running.is_old(opened.chromium)
        return is_old or opened.closed.is_set() or not opened.chromium.is_alive

    async def _open(self) -> Opened:
        chromium = await self._running.take()
        relay = None
        try:
            if any(self.session.proxy_login):
                # Playwright would log in by holding up every request, without a cache. No browser does that.
                relay = await open_relay(self.session.proxy, self.session.exit)
            context = await self._open_context(chromium, relay.url if relay else bare_url(self.session.proxy))
        except BaseException:
            if relay is not None:
                await relay.close()
            await self._running.give_back(chromium)
            raise
        self.counting.attend(context)
        cookies = SharedCookies(self.session.cookies, context)
        return Opened(chromium, context, cookies, Windows(context, chromium.tell), relay)

    async def _open_context(self, chromium: Chromium, proxy: str) -> BrowserContext:
        async def open_with(storage: StorageState | None) -> BrowserContext:
            opening = chromium.browser.new_context(
                no_viewport=True,
                proxy={"server": proxy},
                storage_state=storage,
                timezone_id=self._surroundings.timezone() or None,
            )
            async with asyncio.timeout(OPEN_SECONDS):
                return await bring(opening, BrowserContext.close)

        try:
            with suppress(Error):
                return await open_with(storage_state(self.session))
            context = await open_with(None)
        except (Error, TimeoutError) as error:
            await self._explain(error, chromium)
            raise
        log.warning("what sites keep in the browser of session %s cannot be restored: left out", self.session.name)
        return context

    async def _furnish_popup(self, opened: Opened, popup: Page) -> None:
        """Give what a page opened the same screen, as soon as it is there."""
        with suppress(Error):
            await self._surroundings.show_screen(await opened.context.new_cdp_session(popup))

    async def _explain(self, error: Error | TimeoutError, chromium: Chromium, why_ended: str = "") -> None:
        """Raise why *error* came, if that is nothing about the page."""
        if why_ended:
            raise SessionEnded(self.session.name, why_ended) from error
        if not await chromium.answers():
            chromium.kill()
            raise BrowserGone from error
        if isinstance(error, TimeoutError):
            raise SessionEnded(self.session.name, OVERLOADED) from error


def is_unreached(error: Error, relay: Relay) -> bool:
    """Whether *error* came as *relay* could not reach its proxy: all that Chromium sees is a relay that gives up."""
    is_its = isinstance(error, PageTimeout) or any(name in error.message for name in WHERE_A_RELAY_GIVES_UP)
    return is_its and relay.failure is Failure.PROXY_UNREACHABLE


def with_popups(page: Page, furnish: Callable[[Page], Awaitable[None]]) -> list[Page]:
    """*page*, and in time the windows that it opens, and those that these open; *furnish* is given each of these."""
    pages: list[Page] = []

    def add(one: Page) -> None:
        pages.append(one)
        one.on("popup", add)
        one.on("popup", furnish)

    add(page)
    return pages


async def close_page(opened: Opened, page: Page) -> None:
    """Close *page*, as far as its browser does as it is told."""
    if not page.is_closed():
        await opened.chromium.within(CLOSE_SECONDS, page.close())
