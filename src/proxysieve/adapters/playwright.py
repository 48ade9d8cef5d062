"""Playwright: a page that is a session's, in a real Chromium, as soon as the site shows it what was asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

from proxysieve.clients.protocol import Request, Response
from proxysieve.core.model import OK, Outcome, Verdict
from proxysieve.core.verdicts.judge import REFUSALS
from proxysieve.errors import MissingExtraError
from proxysieve.pool.attempts import Attempt, Attempts
from proxysieve.pool.errors import Blocked
from proxysieve.pool.session_pool import SessionPool
from proxysieve.sessions.session import Session
from proxysieve.sync.loop import Loop
from proxysieve.sync.pool import SyncSessionPool, behind

try:
    from playwright.async_api import BrowserType, Page
except ImportError as error:
    raise MissingExtraError("browsers need Playwright: pip install 'proxysieve[playwright]'") from error

from proxysieve.browser.driver import started_playwright
from proxysieve.browser.options import BrowserOptions
from proxysieve.browser.renderer import Renderer, Visit
from proxysieve.sync.playwright_objects import Synced


class SessionPage(Page):
    """Playwright's page, with the session that it is a page of.

    Attributes:
        session: The session that it belongs to.
        answer: What its main document was answered, and what it shows.
    """

    session: Session
    answer: Response
    _judge: Callable[[SessionPage], Awaitable[Verdict]]

    async def judge(self) -> Verdict:
        """Judge what the page has come to: after a click, a login, or whatever else it was used for.

        What another site was asked for says nothing of the session, and is not judged.

        Raises:
            Blocked: The site refuses this session now. All pages of the session are closed.
        """
        return await self._judge(self)


class PlaywrightBrowser:
    """Opens pages as sessions of a pool; made by :func:`browser`."""

    def __init__(self, pool: SessionPool, renderer: Renderer) -> None:
        self._pool = pool
        self._renderer = renderer

    @property
    def saved_bytes(self) -> int:
        """How much was not loaded, as far as it is known what such things weigh at the site."""
        return self._renderer.left_out.saved_bytes

    @asynccontextmanager
    async def page(
        self,
        url: str,
        *,
        session: str = "",
        expect: str = "",
        timeout_seconds: float = 30.0,
        max_tries: int | None = None,
    ) -> AsyncIterator[SessionPage]:
        """The page at *url*, by as many sessions as it takes; closed in the end.

        While ``max_pages`` are open it waits until one is closed; so whoever opens pages within pages wants fewer.

        Args:
            url: http or https.
            session: The name of the one that is to have it, and no other, as of :meth:`SessionPool.session`.
            expect: What a good page has: a text, ``css:SELECTOR``, ``json:KEY`` or ``bytes:COUNT``.
            timeout_seconds: How long one try may take to be answered.
            max_tries: How often it may be tried at the most.

        Raises:
            SessionEnded: Out of the block: another page of the session was refused, or the browser crashed.
            Blocked: The site refused the last try that there was.
            GaveUp: The tries are used up for another reason.
            NoSessionAvailable: Nothing works, and nothing is due soon.
        """
        pool, headers = self._pool, self._pool.headers.at(url)
        request = Request(url=url, headers=headers, timeout_seconds=timeout_seconds, expect=expect)
        sender = pool.session(session, site=pool.site_of(url)) if session else pool
        attempts = sender.attempts(url, expect=expect, max_tries=max_tries)
        async with self._renderer.slots, AsyncExitStack() as stack:
            visit, attempt = await self._load(request, attempts, stack)
            try:
                yield session_page(self._pool, visit, attempt)
            finally:
                await visit.keep()
                attempt.keep()

    async def _load(self, request: Request, attempts: Attempts, stack: AsyncExitStack) -> tuple[Visit, Attempt]:
        async for attempt in attempts:
            async with attempt as session, AsyncExitStack() as opened:
                visit = await opened.enter_async_context(self._renderer.visit(request, session))
                await visit.keep()
                verdict = attempt.report(visit.response.exchange(request.url))
                if verdict.outcome is Outcome.OK:
                    stack.push_async_exit(opened.pop_all())
                    return visit, attempt
                if verdict.outcome in REFUSALS:
                    await visit.end(why_of(verdict))
        raise AssertionError("attempts ended without a good answer and without an error")


@asynccontextmanager
async def browser(
    pool: SessionPool, chromium: BrowserType, options: BrowserOptions | None = None
) -> AsyncIterator[PlaywrightBrowser]:
    """A Chromium whose contexts are the sessions of *pool*; for ``async with``.

    From then on all sessions of the pool have this browser's fingerprint, also in its own client. So open it before you
    use the pool.

    Args:
        pool: Open.
        chromium: Playwright's; it runs its own Chromium if that is installed, or else the system's.
        options: How the browser is run.

    Raises:
        ConfigError: There is no Chromium, or it does not start.
    """
    async with Renderer(chromium, options or BrowserOptions()) as renderer:
        pool.use_fingerprints(renderer.fingerprints)
        yield PlaywrightBrowser(pool, renderer)


class SyncPlaywrightBrowser:
    """The same for callers without ``await``; made by :func:`sync_browser`."""

    def __init__(self, loop: Loop, browser: PlaywrightBrowser) -> None:
        self._loop = loop
        self._browser = browser

    @contextmanager
    def page(
        self,
        url: str,
        *,
        session: str = "",
        expect: str = "",
        timeout_seconds: float = 30.0,
        max_tries: int | None = None,
    ) -> Iterator[Any]:
        """The page at *url*; Playwright's, with the same names, and with nothing to await."""
        page = self._browser.page(
            url, session=session, expect=expect, timeout_seconds=timeout_seconds, max_tries=max_tries
        )
        with self._loop.entered(page) as opened:
            yield Synced(self._loop, opened)


@contextmanager
def sync_browser(pool: SyncSessionPool, options: BrowserOptions | None = None) -> Iterator[SyncPlaywrightBrowser]:
    """A Chromium whose contexts are the sessions of *pool*; for ``with``. It brings its own Playwright.

    Raises:
        ConfigError: There is no Chromium, or it does not start.
    """
    loop, wrapped = behind(pool)
    with (
        loop.entered(started_playwright()) as playwright,
        loop.entered(browser(wrapped, playwright.chromium, options)) as opened,
    ):
        yield SyncPlaywrightBrowser(loop, opened)


def session_page(pool: SessionPool, visit: Visit, attempt: Attempt) -> SessionPage:
    """The page of *visit*, with what belongs to it.

    Playwright makes its pages itself, and hands out the same object each time; so it is this one that learns more.
    """

    async def judge(page: SessionPage) -> Verdict:
        page.answer = await visit.look()
        await visit.keep()
        if pool.site_of(visit.asked_url) != page.session.site:
            return OK
        exchange = page.answer.exchange(visit.asked_url)
        verdict = attempt.follow_up(exchange, is_counted=True)
        if verdict.outcome in REFUSALS:
            await visit.end(why_of(verdict))
            raise Blocked(exchange, verdict)
        return verdict

    page = visit.page
    page.__class__ = SessionPage
    assert isinstance(page, SessionPage)  # noqa: S101 - for those who only read types
    page.session, page.answer, page._judge = visit.session, visit.response, judge  # noqa: SLF001 - made here
    return page


def why_of(verdict: Verdict) -> str:
    """*verdict* for whoever works on another page of the session."""
    return f"the site refused another page of it: {verdict.vendor} {verdict.why}".replace("  ", " ")
