"""What a page comes to that Crawlee leads somewhere: scripts change it, and checks lead on by themselves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from playwright.async_api import Error, Frame, Page, Request, Response

from proxysieve import client
from proxysieve.browser.loading import CHECKS_IN_A_ROW, QUIET_MS, REDIRECTS, UNTIL_QUIET, is_check
from proxysieve.browser.options import BrowserOptions
from proxysieve.browser.reading import while_it_navigates
from proxysieve.browser.waiting import in_time
from proxysieve.core.model import Exchange

# How long pages take at the most is the same here as with a browser of our own.
DEFAULTS = BrowserOptions()


class Navigation:
    """The way of a page to what was requested, and beyond.

    Args:
        until: By the event loop's clock, when it has to be there.
    """

    def __init__(self, page: Page, until: float) -> None:
        self._page = page
        self._until = until
        self._main: Response | None = None
        self._has_moved = asyncio.Event()

    @classmethod
    @contextmanager
    def of(cls, page: Page, seconds: float) -> Iterator[Self]:
        """That of *page* from here on, which has so many seconds."""
        navigation = cls(page, asyncio.get_running_loop().time() + seconds)
        page.on("response", navigation._on_response)
        page.on("framenavigated", navigation._on_navigated)
        try:
            yield navigation
        finally:
            page.remove_listener("response", navigation._on_response)
            page.remove_listener("framenavigated", navigation._on_navigated)

    async def end(self, first: Response, url: str, method: str) -> tuple[Response, Exchange]:
        """What it comes to, once scripts change nothing more: the answer that the page is of, and what it says.

        A check that lets browsers pass by themselves is given the time for it.

        Args:
            first: What Playwright took for the answer.
            url: What was requested.
            method: By what.

        Raises:
            playwright.async_api.Error: The page cannot be read, or not in time.
        """
        self._main = self._main or first
        found = await self._look(url, method)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(DEFAULTS.check_seconds, self._seconds_left)):
                for _ in range(CHECKS_IN_A_ROW):
                    if not is_check(url, _as_response(found)):
                        break
                    await self._has_moved.wait()
                    found = await self._look(url, method)
        return self._main, found

    @property
    def _seconds_left(self) -> float:
        return max(0.0, self._until - asyncio.get_running_loop().time())

    async def _look(self, url: str, method: str) -> Exchange:
        self._has_moved.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(DEFAULTS.settle_seconds, self._seconds_left)):
                await self._settle()
        # A script that never ends keeps a page from ever answering.
        async with in_time(self._seconds_left, "what the page shows"):
            return await self._read(url, method)

    async def _settle(self) -> None:
        while True:
            with while_it_navigates():
                await self._page.wait_for_load_state("domcontentloaded", timeout=0)
                await self._page.evaluate(f"{UNTIL_QUIET}({QUIET_MS}, {DEFAULTS.settle_seconds * 1000})")
                return

    async def _read(self, url: str, method: str) -> Exchange:
        main = self._main
        assert main is not None, "an answer came"  # noqa: S101
        headers = tuple((one["name"].lower(), one["value"]) for one in await main.headers_array())
        return Exchange(
            url=url,
            method=method,
            final_url=main.url,
            status=main.status,
            headers=headers,
            body=await self._body(main, dict(headers).get("content-type", "")),
            redirect_count=redirect_count(main.request),
        )

    async def _body(self, main: Response, content_type: str) -> bytes | None:
        """What the page shows; if it is no page, what came."""
        if content_type and "html" not in content_type:
            try:
                return await main.body()
            except Error:
                # Of a download, there is none here.
                return None
        while True:
            with while_it_navigates():
                await self._page.wait_for_load_state("domcontentloaded", timeout=0)
                return (await self._page.content()).encode("utf-8", "replace")

    def _on_response(self, response: Response) -> None:
        request = response.request
        is_redirect = response.status in REDIRECTS and "location" in response.headers
        if request.is_navigation_request() and not is_redirect and request.frame == self._page.main_frame:
            self._main = response

    def _on_navigated(self, frame: Frame) -> None:
        if frame == self._page.main_frame:
            self._has_moved.set()


def redirect_count(request: Request) -> int:
    """How many requests led to *request*, one after the other."""
    count = 0
    before = request.redirected_from
    while before is not None:
        before, count = before.redirected_from, count + 1
    return count


def _as_response(exchange: Exchange) -> client.Response:
    return client.Response(
        url=exchange.final_url, status=exchange.status, headers=exchange.headers, body=exchange.body or b""
    )
