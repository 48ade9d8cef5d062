"""Loads a page until it changes no more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from msgspec.structs import replace
from playwright.async_api import CDPSession, Download, Error, Page
from playwright.async_api import Request as PageRequest
from playwright.async_api import Response as PageResponse
from playwright.async_api import TimeoutError as PageTimeout

from proxysieve.browser.options import BrowserOptions
from proxysieve.browser.reading import drop, read, take, while_it_navigates
from proxysieve.browser.waiting import in_time
from proxysieve.client import Request, Response
from proxysieve.core.judge import REFUSALS
from proxysieve.core.model import Exchange, Scope
from proxysieve.detector import make_judge
from proxysieve.expect import expects
from proxysieve.sites import site_of

# For so long nothing may change in a page that is there.
QUIET_MS = 200
UNTIL_QUIET = """((quiet, most) => new Promise(done => {
    const finish = () => { observer.disconnect(); done(); };
    let timer = setTimeout(finish, quiet);
    const observer = new MutationObserver(() => { clearTimeout(timer); timer = setTimeout(finish, quiet); });
    observer.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
    setTimeout(finish, most);
}))"""
# A check that comes back as often lets nobody pass.
CHECKS_IN_A_ROW = 3
# What a page is waited for; pictures and streams may come later, or never end.
AWAITED = frozenset({"document", "script", "stylesheet", "xhr", "fetch"})
# How long the body of what a script fetched is waited for.
UNREAD_SECONDS = 1.0
# What is asked for once, and then taken from the browser's cache.
CACHED = frozenset({"script", "stylesheet", "image", "media", "font", "manifest"})
REDIRECTS = range(300, 400)
# What Playwright says where no page comes of a navigation, but a file.
DOWNLOADING = "Download is starting"
# How a document fails that came all the same: the browser left it, for a download, for the next page, or as it has no
# content; or an error without a word, in whose place the browser shows its own.
NOT_CUT = ("net::ERR_ABORTED", "net::ERR_HTTP_RESPONSE_CODE_FAILURE")


class Loading:
    """What a page is doing: the answer to its main document, and what it still waits for.

    Args:
        commands: What commands the browser beneath the page.
        cached: What this visitor's browser has in its cache, by address; it grows.
    """

    def __init__(
        self, page: Page, commands: CDPSession, request: Request, options: BrowserOptions, cached: set[str]
    ) -> None:
        self.page = page
        self._commands = commands
        self._request = request
        self._options = options
        self._cached = cached
        self._site = site_of(request.url)
        self._lacks = expects(request.expect) if request.expect else None
        self._main: PageResponse | None = None
        # What was shown before it.
        self._before: PageResponse | None = None
        self._is_loaded = False
        # Only what came in place of the page; it is kept with the answer that it is the body of.
        self._download: tuple[PageResponse, Download] | None = None
        self._has_download = asyncio.Event()
        self._downloaded: bytes | None = None
        self._dropping: set[asyncio.Task[None]] = set()
        self._pending: set[PageRequest] = set()
        self._asked_count = 0
        self._has_come = asyncio.Event()
        # How the main document broke off.
        self._failure = ""
        self._is_cut = asyncio.Event()
        page.on("request", self._on_request)
        page.on("requestfinished", self._on_end)
        page.on("requestfailed", self._on_failed)
        page.on("response", self._on_response)
        page.on("download", self._on_download)

    @property
    def asked_url(self) -> str:
        """Of the navigation that brought the main document: where it began, before any redirect."""
        if self._main is None:
            return self._request.url
        request = self._main.request
        while request.redirected_from is not None:
            request = request.redirected_from
        return request.url

    async def load(self) -> Response:
        """What the request brings, once the page and its scripts are done.

        A check that lets browsers pass by themselves is given the time for it.

        Raises:
            playwright.async_api.Error: Nothing came, or not all of it.
        """
        try:
            return await self._load()
        finally:
            self._is_loaded = True

    async def _load(self) -> Response:
        timeout_seconds = self._request.timeout_seconds
        try:
            await self.page.goto(self._request.url, wait_until="commit", timeout=timeout_seconds * 1000)
        except PageTimeout:
            raise
        except Error as error:
            # A download is no page, nor is an answer without content, or an error without a word; but they came.
            if self._main is None or self._failure:
                raise
            if DOWNLOADING in error.message:
                async with in_time(timeout_seconds, "a download"):
                    await self._has_download.wait()
            return await self._told()
        response = await self.look()
        for _ in range(CHECKS_IN_A_ROW):
            if not (is_check(self.asked_url, response) and await self._comes_next()):
                break
            response = await self.look()
        return response

    async def _comes_next(self) -> bool:
        """Whether another document comes, within the time that a check has."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._options.check_seconds):
                await self._has_come.wait()
        return self._has_come.is_set()

    async def look(self) -> Response:
        """What the page is, once it changes no more, with the requests that it made since this was asked last.

        Raises:
            playwright.async_api.Error: Its document broke off, or did not come to an end in time.
        """
        # What comes from here on may be what is seen, or not.
        self._has_come.clear()
        async with in_time(self._request.timeout_seconds, "the document"):
            await self._unless_cut(self.page.wait_for_load_state("domcontentloaded", timeout=0))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._options.settle_seconds):
                await self._unless_cut(self._settle())
        return await self._told()

    async def _unless_cut(self, waiting: Coroutine[Any, Any, None]) -> None:
        """Wait, but no longer than until the main document breaks off: Chromium takes it for one that still loads."""
        work, cut = asyncio.create_task(waiting), asyncio.create_task(self._is_cut.wait())
        try:
            await asyncio.wait({work, cut}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended = [task for task in (work, cut) if not task.cancel()]
        if self._failure:
            raise Error(self._failure)
        for task in ended:
            task.result()

    async def _settle(self) -> None:
        while True:
            with while_it_navigates():
                await self.page.wait_for_load_state("load", timeout=0)
                await self._ask(f"{UNTIL_QUIET}({QUIET_MS}, {self._options.settle_seconds * 1000})")
                if not self._pending and await self._is_as_expected():
                    return

    async def _is_as_expected(self) -> bool:
        """Whether the page has what is expected of it; scripts may bring that later."""
        main = self._main
        if self._lacks is None or main is None:
            return True
        shown = await read(self.page, self._commands, main, None, self._request.max_bytes)
        return self._lacks(Exchange(url=self._request.url, status=shown.status, body=shown.body)) is None

    async def _ask(self, question: str) -> None:
        """Have the page answer in a world apart from its scripts, which may have made anything of the language."""
        tree = await self._commands.send("Page.getFrameTree")
        made = await self._commands.send("Page.createIsolatedWorld", {"frameId": tree["frameTree"]["frame"]["id"]})
        where = {"contextId": made["executionContextId"], "awaitPromise": True}
        await self._commands.send("Runtime.evaluate", {"expression": question, **where})

    async def _told(self) -> Response:
        # A script that never ends keeps a page from ever answering.
        async with in_time(self._request.timeout_seconds, "what the page shows"):
            return await self._read()

    async def _read(self) -> Response:
        main: PageResponse | None = None
        # Where another document comes meanwhile, the status is the one's and the body the other's.
        while main is not self._main:
            main = self._main
            assert main is not None, "an answer came"  # noqa: S101
            downloaded = await self._taken(main)
            response = await read(self.page, self._commands, main, downloaded, self._request.max_bytes)
        # The first is the request itself; what a page asks for beside it, the site bears all the same.
        more_count, self._asked_count = max(0, self._asked_count - 1), 0
        return replace(response, redirect_count=more_count)

    async def _taken(self, main: PageResponse) -> bytes | None:
        if self._download is None or self._download[0] is not main:
            return None
        if self._downloaded is None:
            self._downloaded = await take(self._download[1], self._request.max_bytes)
        return self._downloaded

    def _on_request(self, request: PageRequest) -> None:
        if request.resource_type in AWAITED:
            self._pending.add(request)

    def _on_end(self, request: PageRequest) -> None:
        self._pending.discard(request)

    def _on_failed(self, request: PageRequest) -> None:
        self._on_end(request)
        failure = request.failure or ""
        if self._main is not None and request == self._main.request and not failure.startswith(NOT_CUT):
            self._failure = failure
            self._is_cut.set()

    def _on_response(self, response: PageResponse) -> None:
        request = response.request
        self._count(response, request.resource_type)
        if response.status in REDIRECTS and "location" in response.headers:
            self._pending.discard(request)
        elif request.resource_type == "fetch":
            # A body that no script reads never ends.
            asyncio.get_running_loop().call_later(UNREAD_SECONDS, self._pending.discard, request)
        elif request.is_navigation_request() and request.frame == self.page.main_frame:
            self._before, self._main = self._main, response
            self._failure = ""
            self._is_cut.clear()
            self._has_come.set()

    def _count(self, response: PageResponse, kind: str) -> None:
        """Count what the site was asked for; what was left out, or lay in the cache, it has not seen."""
        url = response.url
        may_be_cached = kind in CACHED and "no-store" not in response.headers.get("cache-control", "")
        if url.startswith("http") and site_of(url) == self._site and not (may_be_cached and url in self._cached):
            self._asked_count += 1
        if may_be_cached:
            self._cached.add(url)

    def _on_download(self, download: Download) -> None:
        main = self._main
        is_main = main is not None and bare(download.url) == bare(main.url)
        # Behind a check it may come later; what else scripts, frames and clicks download is not what was asked for.
        is_asked_for = is_main and not self._is_loaded and bare(self.asked_url) == bare(self._request.url)
        if main is not None and is_asked_for and self._download is None:
            self._download = (main, download)
            self._has_download.set()
            return
        if is_main and self._before is not None:
            # The page is still there, and what it was led to is none.
            self._main = self._before
        dropping = asyncio.create_task(drop(download))
        self._dropping.add(dropping)
        dropping.add_done_callback(self._dropping.discard)


def bare(url: str) -> str:
    """*url* without its fragment, which no server sees."""
    return url.partition("#")[0]


def is_check(asked_url: str, response: Response) -> bool:
    """Whether a page is a check of this visitor, which may let it pass by itself."""
    exchange = Exchange(
        url=asked_url,
        final_url=response.url,
        status=response.status,
        headers=response.headers,
        body=response.body,
    )
    verdict = make_judge().judge(exchange)
    return verdict.outcome in REFUSALS and verdict.scope is Scope.SESSION
