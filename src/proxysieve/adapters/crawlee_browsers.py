"""A browser pool as Crawlee takes it: one browser, in which each of our sessions has a context of its own.

Crawlee's takes any browser for any page, and so any proxy. Here a page is opened by a plugin that stands for its
session, and whose context ends with that session: when it is retired, when it is blocked, when its proxy has left.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Literal, Self, Unpack

from crawlee.browsers import BrowserPool, BrowserType, CrawleePage, PlaywrightBrowserPlugin
from crawlee.browsers._browser_controller import BrowserController
from crawlee.browsers._browser_plugin import BrowserPlugin
from crawlee.crawlers._playwright._playwright_http_client import PlaywrightHttpClient
from crawlee.errors import SessionError
from crawlee.fingerprint_suite import DefaultFingerprintGenerator, FingerprintGenerator, HeaderGeneratorOptions
from crawlee.http_clients import HttpClient, HttpResponse
from crawlee.proxy_configuration import ProxyInfo
from playwright.async_api import Error

from proxysieve.adapters.crawlee_http import SHARE_OF_TIME, CrawleeHttpClient, RequestOptions
from proxysieve.adapters.crawlee_pages import Navigation
from proxysieve.adapters.crawlee_sessions import CrawleeProxyInfo, CrawleeSession, CrawleeSessionPool, session_of
from proxysieve.browser.chromium import FLAGS, NOWHERE
from proxysieve.browser.counting import Counting
from proxysieve.browser.seat import is_unreached
from proxysieve.core.model import Failure
from proxysieve.core.verdicts.failures import failure_of
from proxysieve.errors import ConfigError
from proxysieve.relay import Relay, open_relay
from proxysieve.sessions.session import Session as PoolSession

# Sessions end by what the pool learns, and not by the clock.
NEVER = timedelta(days=36_500)
# Playwright's own, where Crawlee says nothing.
LONGEST_MS = 30_000


class ContextController(BrowserController):
    """The context of one session, in a browser that others have contexts in as well.

    Where the session's proxy wants a login, a relay logs in, open for as long as the context: SOCKS5 proxies let no
    browser in otherwise, and at others Playwright would hold up every request, without a cache, as no browser does.

    Args:
        browser: Opens a context with its first page.
        counting: Of what the pages of the session ask of its site.
    """

    def __init__(self, browser: BrowserController, library: str, counting: Counting) -> None:
        # By this name, Crawlee finds the browser for a plugin.
        self.AUTOMATION_LIBRARY = library
        self._browser = browser
        self._counting = counting
        self._context: Any = None
        self._relay: Relay | None = None
        self._is_opening = False
        self._pages: list[Any] = []
        self._opened_count = 0
        self._opened_at = datetime.now(UTC)
        self._empty = asyncio.Event()
        self._empty.set()
        self._is_closed = False

    @property
    def pages(self) -> list[Any]:
        return self._pages

    @property
    def total_opened_pages(self) -> int:
        return self._opened_count

    @property
    def pages_count(self) -> int:
        return len(self._pages)

    @property
    def last_page_opened_at(self) -> datetime:
        return self._opened_at

    @property
    def idle_time(self) -> timedelta:
        return datetime.now(UTC) - self._opened_at

    @property
    def has_free_capacity(self) -> bool:
        return self.is_browser_connected

    @property
    def is_opening_pages(self) -> bool:
        return self._is_opening

    @property
    def is_browser_connected(self) -> bool:
        return not self._is_closed and self._browser.is_browser_connected

    @property
    def browser_type(self) -> BrowserType:
        return self._browser.browser_type

    async def new_page(
        self, browser_new_context_options: Mapping[str, Any] | None = None, proxy_info: ProxyInfo | None = None
    ) -> Any:  # noqa: ANN401 - Playwright's, which is optional
        self._is_opening = True
        self._empty.clear()
        try:
            page = await self._open_page(browser_new_context_options, proxy_info)
        finally:
            self._is_opening = False
            self._note_empty()
        return page

    def why_it_failed(self, error: Exception) -> Failure | None:
        """What *error* of one of its pages says of the request; None if that is nothing."""
        if self._relay is not None and isinstance(error, Error) and is_unreached(error, self._relay):
            return Failure.PROXY_UNREACHABLE
        return failure_of(error)

    async def _open_page(self, options: Mapping[str, Any] | None, proxy_info: ProxyInfo | None) -> Any:  # noqa: ANN401
        if self._context is None:
            page = await self._open_context(options, proxy_info)
        else:
            page = await self._context.new_page()
        self._pages.append(page)
        page.on("close", self._forget)
        self._opened_count += 1
        self._opened_at = datetime.now(UTC)
        return page

    async def _open_context(self, options: Mapping[str, Any] | None, proxy_info: ProxyInfo | None) -> Any:  # noqa: ANN401
        """Open it, with its first page."""
        if isinstance(proxy_info, CrawleeProxyInfo):
            pool_session = proxy_info.session.pool_session
            if any(pool_session.proxy_login):
                self._relay = await open_relay(pool_session.proxy, pool_session.exit)
                proxy_info = CrawleeProxyInfo(proxy_info.session, self._relay.url)
        try:
            page: Any = await self._browser.new_page(options, proxy_info)
        except BaseException:
            await self._close_relay()
            raise
        self._context = page.context
        self._counting.attend(self._context)
        return page

    def _forget(self, page: Any) -> None:  # noqa: ANN401 - likewise
        if page in self._pages:
            self._pages.remove(page)
        self._note_empty()

    def _note_empty(self) -> None:
        if not self._pages and not self._is_opening:
            self._empty.set()

    async def close(self, *, force: bool = False) -> None:
        if self._pages and not force:
            raise ValueError("Cannot close the browser while there are open pages.")
        if self._is_closed:
            return
        self._is_closed = True
        self._pages.clear()
        self._empty.set()
        try:
            if self._context is not None and self._browser.is_browser_connected:
                await self._context.close()
        finally:
            await self._close_relay()

    async def _close_relay(self) -> None:
        relay, self._relay = self._relay, None
        if relay is not None:
            await relay.close()

    async def close_when_empty(self) -> None:
        """Close it as soon as nobody has a page in it."""
        await self._empty.wait()
        await self.close(force=True)


class SessionPlugin(BrowserPlugin):
    """Opens the browser of one session: a context in the browser of all.

    Attributes:
        counting: Of what the session's pages ask of its site.

    Args:
        pool_session: The session.
        plugin: Of the browser of all.
        browser: That browser, launched if it is not running.
        let_go: Has the browser pool forget a plugin, and its controller.
    """

    _numbers = itertools.count()

    def __init__(
        self,
        pool_session: PoolSession,
        plugin: PlaywrightBrowserPlugin,
        browser: Callable[[], Awaitable[BrowserController]],
        let_go: Callable[[SessionPlugin, ContextController], None],
    ) -> None:
        self.AUTOMATION_LIBRARY = f"{plugin.AUTOMATION_LIBRARY} {next(self._numbers)}"
        # Two pages at once would open two contexts.
        self.opening = asyncio.Lock()
        self.counting = Counting(pool_session.note_requests)
        self._plugin = plugin
        self._browser = browser
        self._let_go = let_go
        self._controller: ContextController | None = None

    @property
    def active(self) -> bool:
        return self._plugin.active

    @property
    def browser_type(self) -> BrowserType:
        return self._plugin.browser_type

    @property
    def browser_launch_options(self) -> Mapping[str, Any]:
        return self._plugin.browser_launch_options

    @property
    def browser_new_context_options(self) -> Mapping[str, Any]:
        return self._plugin.browser_new_context_options

    @property
    def max_open_pages_per_browser(self) -> int:
        return self._plugin.max_open_pages_per_browser

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    async def new_browser(self) -> ContextController:
        # Of a browser that crashed.
        self.retire()
        self._controller = ContextController(await self._browser(), str(self.AUTOMATION_LIBRARY), self.counting)
        return self._controller

    def why_it_failed(self, error: Exception) -> Failure | None:
        """What *error* of a page of its session says of the request; None if that is nothing."""
        return self._controller.why_it_failed(error) if self._controller else failure_of(error)

    def retire(self) -> ContextController | None:
        """Open no page in its context any more; the next one gets another."""
        controller, self._controller = self._controller, None
        if controller:
            self._let_go(self, controller)
        return controller

    async def aclose(self) -> None:
        """The session has ended, or was not used for long: its context goes, once its pages are closed."""
        controller = self.retire()
        if controller:
            await controller.close_when_empty()


class CrawleeBrowserPool(BrowserPool):
    """Opens each page in the context of its session, and has what it navigates to judged."""

    def __init__(self, plugin: PlaywrightBrowserPlugin) -> None:
        super().__init__([plugin], browser_inactive_threshold=NEVER, retire_browser_after_page_count=sys.maxsize)
        self._plugin = plugin
        self._open_plugins: list[BrowserPlugin] = [plugin]
        self._plugins = self._open_plugins
        self._browser: BrowserController | None = None
        self._launching = asyncio.Lock()
        self._closings: set[asyncio.Task[None]] = set()
        self._leaving: set[ContextController] = set()

    @classmethod
    def of(
        cls,
        *,
        browser_type: BrowserType = "chromium",
        headless: bool | None = None,
        browser_launch_options: Mapping[str, Any] | None = None,
        browser_new_context_options: Mapping[str, Any] | None = None,
        fingerprint_generator: FingerprintGenerator | Literal["default"] | None = "default",
    ) -> CrawleeBrowserPool:
        """One with a browser as ``PlaywrightCrawler`` would launch it with the same arguments."""
        if fingerprint_generator == "default":
            kind: Any = "chrome" if browser_type in {"chromium", "chrome"} else browser_type
            kind = "safari" if kind == "webkit" else kind
            fingerprint_generator = DefaultFingerprintGenerator(header_options=HeaderGeneratorOptions(browsers=[kind]))
        options = dict(browser_launch_options or {})
        if headless is not None:
            options["headless"] = headless
        return cls(
            PlaywrightBrowserPlugin(
                browser_type=browser_type,
                browser_launch_options=_guarded(options, browser_type),
                browser_new_context_options=dict(browser_new_context_options or {}),
                # How many are open at once is the crawler's concurrency.
                max_open_pages_per_browser=sys.maxsize,
                use_incognito_pages=True,
                fingerprint_generator=fingerprint_generator,
            )
        )

    async def new_page(
        self,
        *,
        page_id: str | None = None,
        browser_plugin: BrowserPlugin | None = None,
        proxy_info: ProxyInfo | None = None,
    ) -> CrawleePage:
        if browser_plugin is not None or not isinstance(proxy_info, CrawleeProxyInfo):
            raise ConfigError("this browser pool opens pages for sessions of the pool: give the crawler all options")
        session = proxy_info.session
        plugin = session.pool_session.client(self._open_plugin)
        if plugin not in self._open_plugins:
            self._open_plugins.append(plugin)
        async with plugin.opening:
            page = await super().new_page(page_id=page_id, browser_plugin=plugin, proxy_info=proxy_info)
        _judge_navigation(page.page, session, plugin)
        return page

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for controller in list(self._leaving):
            await controller.close(force=True)
        if self._closings:
            await asyncio.wait(self._closings)
        # Contexts before the browser that they are in.
        self._active_browsers.reverse()
        await super().__aexit__(kind, error, trace)
        self._open_plugins[:] = [self._plugin]
        self._browser = None

    def _open_plugin(self, pool_session: PoolSession) -> SessionPlugin:
        return SessionPlugin(pool_session, self._plugin, self._launched, self._let_go)

    async def _launched(self) -> BrowserController:
        async with self._launching:
            if self._browser is None or not self._browser.is_browser_connected:
                self._browser = await self._launch_new_browser("", self._plugin)
            return self._browser

    def _let_go(self, plugin: SessionPlugin, controller: ContextController) -> None:
        if plugin in self._open_plugins:
            self._open_plugins.remove(plugin)
        if controller in self._active_browsers:
            self._active_browsers.remove(controller)
        self._leaving.add(controller)
        closing = asyncio.get_running_loop().create_task(self._close(controller))
        self._closings.add(closing)
        closing.add_done_callback(self._closings.discard)

    async def _close(self, controller: ContextController) -> None:
        try:
            await controller.close_when_empty()
        finally:
            self._leaving.discard(controller)


class CrawleeBrowserHttpClient(HttpClient):
    """Sends what a handler asks for besides by its page's context; and what has no page, by a session of its own."""

    def __init__(self, sessions: CrawleeSessionPool) -> None:
        super().__init__()
        self._in_page = PlaywrightHttpClient()
        self._alone = CrawleeHttpClient(sessions)
        self._sessions = sessions

    async def send_request(self, url: str, **asked: Unpack[RequestOptions]) -> HttpResponse:
        session = asked.get("session")
        if session is not None:
            self._sessions.note_besides(session_of(session), url)
        client = self._alone if session is None else self._in_page
        return await client.send_request(url, **asked)

    async def crawl(self, *_: Any, **__: Any) -> Any:  # noqa: ANN401 - as the protocol has it
        raise NotImplementedError("a PlaywrightCrawler navigates, and crawls nothing")

    def stream(self, *_: Any, **__: Any) -> Any:  # noqa: ANN401 - likewise
        raise NotImplementedError("a page's context streams nothing")

    async def cleanup(self) -> None:
        """Nothing: pages and contexts are the browser pool's."""


def _guarded(options: Mapping[str, Any], browser_type: BrowserType) -> dict[str, Any]:
    """Launch options with which nothing goes past the proxies, as far as it is known how; what is given is heeded.

    Only contexts have proxies that lead anywhere, and what the browser asks for itself has none.
    """
    flags = FLAGS if browser_type in {"chromium", "chrome"} else ()
    return {"proxy": {"server": NOWHERE}, **options, "args": [*flags, *options.get("args", ())]}


def _judge_navigation(page: Any, session: CrawleeSession, plugin: SessionPlugin) -> None:  # noqa: ANN401 - Playwright's
    """Have the navigation to what was requested judged, and no other of the page's."""
    go = page.goto

    async def goto(url: str, **options: Any) -> Any:  # noqa: ANN401 - Playwright's
        request = session.request
        if url != request.url or not session.is_out:
            return await go(url, **options)
        if options.get("timeout"):
            options["timeout"] *= SHARE_OF_TIME
        navigation: Navigation | None = None
        try:
            try:
                seconds = (options.get("timeout") or LONGEST_MS) / 1000
                with plugin.counting.loading(page, url) as tally, Navigation.of(page, seconds) as navigation:
                    response = await go(url, **options)
                    if response is not None:
                        response, exchange = await navigation.end(response, url, request.method)
                        # Of redirects, the exchange tells.
                        tally.take(exchange.redirect_count)
            except Exception as error:
                # A download aborts the navigation, and has come all the same.
                failure = None if "ERR_ABORTED" in str(error) else plugin.why_it_failed(error)
                if failure is not None and navigation is not None:
                    session.settle(await navigation.lost(failure, url, request.method))
                raise
            if response is not None:
                session.settle(exchange)
        except SessionError:
            if session.was_blocked:
                plugin.retire()
            raise
        return response

    page.goto = goto
