"""Loads a page until it changes no more."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any

from playwright.async_api import CDPSession, Download, Error, Page
from playwright.async_api import Request as PageRequest
from playwright.async_api import Response as PageResponse
from playwright.async_api import TimeoutError as PageTimeout

from proxysieve.browser.navigation import Following, is_check
from proxysieve.browser.options import BrowserOptions
from proxysieve.browser.page_response import ask, drop, read, take
from proxysieve.browser.redirects import Redirecting, is_redirect
from proxysieve.browser.time_limits import in_time
from proxysieve.clients.protocol import Request, Response
from proxysieve.core.model import Answer, Failure
from proxysieve.judging.expect import expects

# What a page is waited for; pictures and streams may come later, or never end.
AWAITED = frozenset({"document", "script", "stylesheet", "xhr", "fetch"})
# How long the body of what a script fetched is waited for.
UNREAD_SECONDS = 1.0
# What Playwright says where no page comes of a navigation, but a file.
DOWNLOADING = "Download is starting"
# How a document fails that came all the same: the browser left it, for a download, for the next page, or as it has no
# content; or an error without a word, in whose place the browser shows its own.
NOT_CUT = ("net::ERR_ABORTED", "net::ERR_HTTP_RESPONSE_CODE_FAILURE")


class Loading:
    """What a page is doing: the answer to its main document, and what it still waits for.

    Attributes:
        refused: Why a redirect was not followed, where nothing came for that.
        hops: The redirects that led to where nothing came.

    Args:
        commands: What commands the browser beneath the page.
        redirecting: The redirects of the page.
    """

    def __init__(
        self, page: Page, commands: CDPSession, request: Request, options: BrowserOptions, redirecting: Redirecting
    ) -> None:
        self.page = page
        self.refused: Failure | None = None
        self.hops: tuple[Answer, ...] = ()
        self._commands = commands
        self._request = request
        self._redirecting = redirecting
        self._lacks = expects(request.expect) if request.expect else None
        self._way = Following(page, partial(ask, commands), options)
        self._is_loaded = False
        # Only what came in place of the page; it is kept with the answer that it is the body of.
        self._download: tuple[PageResponse, Download] | None = None
        self._has_download = asyncio.Event()
        self._downloaded: bytes | None = None
        self._dropping: set[asyncio.Task[None]] = set()
        self._pending: set[PageRequest] = set()
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
        if self._way.main is None:
            return self._request.url
        request = self._way.main.request
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
        except Error:
            await self._note_redirects()
            raise
        finally:
            self._is_loaded = True

    async def _note_redirects(self) -> None:
        if self._way.main is None and self._redirecting.refused is not None:
            self.refused, self.hops = self._redirecting.refused, self._redirecting.hops
            return
        self.hops = await self._way.hops()

    async def _load(self) -> Response:
        timeout_seconds = self._request.timeout_seconds
        try:
            await self.page.goto(self._request.url, wait_until="commit", timeout=timeout_seconds * 1000)
        except PageTimeout:
            raise
        except Error as error:
            # A download is no page, nor is an answer without content, or an error without a word; but they came.
            if self._way.main is None or self._failure:
                raise
            if DOWNLOADING in error.message:
                async with in_time(timeout_seconds, "a download"):
                    await self._has_download.wait()
            return await self._told()
        return await self._way.past_checks(self.look, self._is_check)

    def _is_check(self, response: Response) -> bool:
        return is_check(response.exchange(self.asked_url))

    async def look(self) -> Response:
        """What the page is, once it changes no more.

        Raises:
            playwright.async_api.Error: Its document broke off, or did not come to an end in time.
        """
        async with in_time(self._request.timeout_seconds, "the document"):
            await self._unless_cut(self.page.wait_for_load_state("domcontentloaded", timeout=0))
        await self._unless_cut(self._way.settle("load", self._is_done))
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

    async def _is_done(self) -> bool:
        return not self._pending and await self._is_as_expected()

    async def _is_as_expected(self) -> bool:
        """Whether the page has what is expected of it; scripts may bring that later."""
        main = self._way.main
        if self._lacks is None or main is None:
            return True
        shown = await read(self.page, self._commands, main, None, self._request.max_bytes)
        return self._lacks(shown.exchange(self._request.url)) is None

    async def _told(self) -> Response:
        # A script that never ends keeps a page from ever answering.
        async with in_time(self._request.timeout_seconds, "what the page shows"):
            return await self._read()

    async def _read(self) -> Response:
        main: PageResponse | None = None
        # Where another document comes meanwhile, the status is the one's and the body the other's.
        while main is not self._way.main:
            main = self._way.main
            assert main is not None, "an answer came"  # noqa: S101
            downloaded = await self._taken(main)
            response = await read(self.page, self._commands, main, downloaded, self._request.max_bytes)
        return response

    async def _taken(self, main: PageResponse) -> bytes | None:
        if self._download is None or self._download[0] is not main:
            return None
        if self._downloaded is None:
            self._downloaded = await take(self._download[1], self._request.max_bytes)
        return self._downloaded

    def _on_request(self, request: PageRequest) -> None:
        self._way.hear_request(request)
        if request.resource_type in AWAITED:
            self._pending.add(request)

    def _on_end(self, request: PageRequest) -> None:
        self._pending.discard(request)

    def _on_failed(self, request: PageRequest) -> None:
        self._on_end(request)
        failure = request.failure or ""
        if self._way.main is not None and request == self._way.main.request and not failure.startswith(NOT_CUT):
            self._failure = failure
            self._is_cut.set()

    def _on_response(self, response: PageResponse) -> None:
        request = response.request
        if is_redirect(response):
            self._pending.discard(request)
        elif request.resource_type == "fetch":
            # A body that no script reads never ends.
            asyncio.get_running_loop().call_later(UNREAD_SECONDS, self._pending.discard, request)
        elif self._way.hear(response):
            self._failure = ""
            self._is_cut.clear()
            self._way.has_come.set()

    def _on_download(self, download: Download) -> None:
        main = self._way.main
        is_main = main is not None and bare(download.url) == bare(main.url)
        # Behind a check it may come later; what else scripts, frames and clicks download is not what was asked for.
        is_asked_for = is_main and not self._is_loaded and bare(self.asked_url) == bare(self._request.url)
        if main is not None and is_asked_for and self._download is None:
            self._download = (main, download)
            self._has_download.set()
            return
        if is_main and self._way.before is not None:
            # The page is still there, and what it was led to is none.
            self._way.main = self._way.before
        dropping = asyncio.create_task(drop(download))
        self._dropping.add(dropping)
        dropping.add_done_callback(self._dropping.discard)


def bare(url: str) -> str:
    """*url* without its fragment, which no server sees."""
    return url.partition("#")[0]
