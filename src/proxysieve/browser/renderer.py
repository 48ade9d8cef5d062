"""Pages of sessions: so many at once, each in its session's context, in a browser that runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Self

from msgspec.structs import replace
from playwright.async_api import BrowserType, Error, Page

from proxysieve.browser.options import BrowserOptions
from proxysieve.browser.page_load import Loading
from proxysieve.browser.pdfs import download_pdfs
from proxysieve.browser.redirects import Redirecting
from proxysieve.browser.request_headers import send_along
from proxysieve.browser.resource_blocking import LeftOut
from proxysieve.browser.running_browser import Running
from proxysieve.browser.session_context import BrowserGone, Seat
from proxysieve.browser.time_limits import in_time, while_it_closes
from proxysieve.clients.protocol import Request, Response
from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.verdicts.failures import SendFailed, failure_of, words_of
from proxysieve.errors import SessionEnded
from proxysieve.sessions.session import Session
from proxysieve.site_of import site_of

log = logging.getLogger("proxysieve")

# A page that ends so many browsers is not asked for again.
BROWSERS_A_PAGE = 3
# What a browser that works answers within a moment.
ASK_SECONDS = 10.0


class Visit:
    """A page that is loaded, for as long as it is open.

    Attributes:
        response: What came, as any client tells it.
    """

    def __init__(self, seat: Seat, loading: Loading, response: Response) -> None:
        self.session = seat.session
        self.page: Page = loading.page
        self.response = response
        self._seat = seat
        self._loading = loading

    @property
    def asked_url(self) -> str:
        """What the page was asked for last, from where it may have been sent on."""
        return self._loading.asked_url

    async def look(self) -> Response:
        """What the page is by now."""
        self.response = await self._loading.look()
        return self.response

    async def keep(self) -> None:
        """Have the session keep its cookies and storage as they are now."""
        with suppress(Error):
            async with in_time(ASK_SECONDS, "what the session keeps"):
                await self._seat.keep(self.page)

    async def picture(self) -> bytes | None:
        """All of the page as PNG; None where none can be taken, as of pages of enormous size."""
        try:
            return await self.page.screenshot(full_page=True)
        except Error as error:
            if self.page.is_closed():
                raise
            log.warning("no picture could be taken of %s: %s", self.response.url, str(error).partition("\n")[0])
            return None

    async def end(self, why: str) -> None:
        """Close all pages of the session; whoever works on another one is told *why*."""
        await self._seat.end(why)


class Renderer:
    """Opens pages as sessions. Use it in ``async with``.

    Attributes:
        left_out: What was not loaded, and what that saved.
        slots: How many more pages may be opened. Take one before you ask for a session: a session that waits for its
            page may be the wrong one by then.
    """

    def __init__(self, kind: BrowserType, options: BrowserOptions) -> None:
        self.left_out = LeftOut(options.leave_out)
        self._options = options
        self._running = Running(kind, options)
        self.slots = asyncio.Semaphore(options.max_pages)
        # Those used last stand at the end.
        self._seats: dict[Session, Seat] = {}

    @property
    def fingerprints(self) -> Sequence[Fingerprint]:
        """The fingerprints that its sessions can have."""
        return (self._running.fingerprint,)

    async def __aenter__(self) -> Self:
        try:
            await self._running.give_back(await self._running.take())
        except BaseException:
            await self._running.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await asyncio.gather(*(seat.end("the browser is closed") for seat in self._seats.values()))
        finally:
            await self._running.close()

    @asynccontextmanager
    async def visit(self, request: Request, session: Session) -> AsyncIterator[Visit]:
        """The page that *request* brings, as *session*.

        Raises:
            SessionEnded: The session was given up meanwhile, or its browser crashed.
            SendFailed: Nothing came.
        """
        seat = session.client(self._make_seat)
        self._seats[session] = self._seats.pop(session, seat)
        try:
            visit, opened = await self._load(request, seat)
            async with opened:
                yield visit
        except BrowserGone as error:
            raise SessionEnded(session.name, "its browser crashed") from error
        finally:
            await self._tidy()

    def _make_seat(self, session: Session) -> Seat:
        self._seats[session] = Seat(session, self._running, self._options)
        return self._seats[session]

    async def _load(self, request: Request, seat: Seat) -> tuple[Visit, AsyncExitStack]:
        for _ in range(BROWSERS_A_PAGE):
            with suppress(BrowserGone), while_it_closes():
                return await self._load_once(request, seat)
        raise Error("Page crashed: and so did each browser that opened it")

    async def _load_once(self, request: Request, seat: Seat) -> tuple[Visit, AsyncExitStack]:
        loading: Loading | None = None
        try:
            async with AsyncExitStack() as stack:
                page, commands = await stack.enter_async_context(seat.page())
                redirecting = Redirecting()
                async with in_time(ASK_SECONDS, "what the page is to leave out or send along"):
                    await redirecting.attend(page)
                    await download_pdfs(page)
                    await self.left_out.attend(page, commands, site_of(request.url))
                    if request.headers:
                        await send_along(page, request.url, request.headers)
                loading = Loading(page, commands, request, self._options, redirecting)
                with seat.loading(), seat.counting.loading(page, request.url) as count:
                    response = await loading.load()
                    # Requests beside the document count at the site too.
                    response = replace(response, redirect_count=count.take())
                return Visit(seat, loading, response), stack.pop_all()
        except Error as error:
            failure = failure_of(error)
            if loading is None or failure is None:
                raise
            # Its requests were counted already.
            failure, words = loading.refused or failure, words_of(error)
            raise SendFailed(failure, words, hops=loading.hops, redirect_count=0) from error

    async def _tidy(self) -> None:
        """Close the contexts beyond the limit of those that were not used for longest."""
        is_open = [seat for seat in self._seats.values() if seat.is_open]
        idle = [seat for seat in is_open if not seat.page_count]
        surplus = max(0, len(is_open) - self._options.max_contexts)
        for seat in idle[:surplus]:
            # While one is closed, the next may get a page.
            if not seat.page_count:
                await seat.close()
        for session in [one for one, seat in self._seats.items() if not seat.is_open and not seat.page_count]:
            del self._seats[session]
