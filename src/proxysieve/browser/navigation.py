"""Follows a page on its way: by what document it came to be, until when that changes, and past checks that lead on.

Our pages and Crawlee's are followed here alike, but read in two ways. Ours are led as far as the first byte and read by
Chromium's own protocol, downloads included. Crawlee's are led as their users say, and read as Firefox and WebKit can
be, too: there another document has come when it stands in the page, and not before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf
from typing import Literal, TypeVar

from playwright.async_api import Error, Page
from playwright.async_api import Request as PageRequest
from playwright.async_api import Response as PageResponse

from proxysieve.browser.options import BrowserOptions
from proxysieve.browser.page_response import while_it_navigates
from proxysieve.browser.redirects import hops_before, is_redirect
from proxysieve.browser.time_limits import in_time
from proxysieve.core.model import Answer, Exchange, Scope
from proxysieve.core.verdicts.judge import REFUSALS
from proxysieve.judging.sign_tables import make_judge

T = TypeVar("T")
State = Literal["load", "domcontentloaded"]

# A page is ready when nothing has changed in it for so long.
QUIET_MS = 200
UNTIL_QUIET = """((quiet, most) => new Promise(done => {
    const finish = () => { observer.disconnect(); done(); };
    let timer = setTimeout(finish, quiet);
    const observer = new MutationObserver(() => { clearTimeout(timer); timer = setTimeout(finish, quiet); });
    observer.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
    setTimeout(finish, most);
}))"""
# A check that comes back so often lets nobody pass.
CHECKS_IN_A_ROW = 3
# How long the browser has to tell by which redirects it came to where nothing came.
TELL_SECONDS = 5.0


class Following:
    """The way of a page from document to document.

    Attributes:
        main: The answer to its last main document; None before the first.
        before: The answer to the one before.
        has_come: The caller sets it once there is another document to read: when its answer comes, if it may be no
            page at all; else when it takes the place of the last one.

    Args:
        ask: Has the page answer a question in JavaScript.
        options: How long it may take to settle, and its checks.
        until: By the event loop's clock, when all of it has to be over.
    """

    def __init__(
        self, page: Page, ask: Callable[[str], Awaitable[object]], options: BrowserOptions, *, until: float = inf
    ) -> None:
        self.main: PageResponse | None = None
        self.before: PageResponse | None = None
        self.has_come = asyncio.Event()
        # The last question for a main document, whatever came of it.
        self._asked: PageRequest | None = None
        self._page = page
        self._ask = ask
        self._options = options
        self._until = until

    @property
    def seconds_left(self) -> float:
        """How long it may go on."""
        return max(0.0, self._until - asyncio.get_running_loop().time())

    def hear_request(self, request: PageRequest) -> None:
        """Take note of what is asked for."""
        if request.is_navigation_request() and request.frame == self._page.main_frame:
            self._asked = request

    async def hops(self) -> tuple[Answer, ...]:
        """The redirects that led to the main document that was asked for last, whether or not that came."""
        with suppress(Error):
            async with in_time(TELL_SECONDS, "its redirects"):
                return await hops_before(self._asked) if self._asked else ()
        return ()

    def hear(self, response: PageResponse) -> bool:
        """Whether *response* is the answer to another main document; it counts from then on."""
        request = response.request
        if is_redirect(response) or not request.is_navigation_request() or request.frame != self._page.main_frame:
            return False
        self.before, self.main = self.main, response
        return True

    async def settle(self, state: State, is_done: Callable[[], Awaitable[bool]] | None = None) -> None:
        """Wait until the page has come to *state*, changes no more and *is_done*; or until it has had its time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(min(self._options.settle_seconds, self.seconds_left)):
                await self._rest(state, is_done)

    async def _rest(self, state: State, is_done: Callable[[], Awaitable[bool]] | None) -> None:
        while True:
            with while_it_navigates():
                await self._page.wait_for_load_state(state, timeout=0)
                await self._ask(f"{UNTIL_QUIET}({QUIET_MS}, {self._options.settle_seconds * 1000})")
                if is_done is None or await is_done():
                    return

    async def past_checks(self, look: Callable[[], Awaitable[T]], is_check: Callable[[T], bool]) -> T:
        """What *look* sees. Where that *is_check*, another document gets the time to come, and is read too."""
        for _ in range(CHECKS_IN_A_ROW):
            # What comes from here on may be what is seen, or not.
            self.has_come.clear()
            seen = await look()
            if not (is_check(seen) and await self._comes_next()):
                return seen
        return await look()

    async def _comes_next(self) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(min(self._options.check_seconds, self.seconds_left)):
                await self.has_come.wait()
        return self.has_come.is_set()


def is_check(exchange: Exchange) -> bool:
    """Whether a page is a check that may let the session pass by itself."""
    verdict = make_judge().judge(exchange)
    return verdict.outcome in REFUSALS and verdict.scope is Scope.SESSION
