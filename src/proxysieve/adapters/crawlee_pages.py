"""What comes of a page that Crawlee navigates: scripts change it, and checks lead on by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from playwright.async_api import Error, Frame, Page, Response

from proxysieve.browser.navigation import Following, is_check
from proxysieve.browser.options import BrowserOptions
from proxysieve.browser.page_response import while_it_navigates
from proxysieve.browser.redirects import headers_in, hops_before, not_to_be_followed
from proxysieve.browser.time_limits import in_time
from proxysieve.core.model import Exchange, Failure

# How long pages take at the most is the same here as with a browser of our own.
DEFAULTS = BrowserOptions()


class Navigation:
    """The way of a page to what was requested, and beyond.

    Args:
        until: By the event loop's clock, when it has to be there.
    """

    def __init__(self, page: Page, until: float) -> None:
        self._page = page
        self._way = Following(page, page.evaluate, DEFAULTS, until=until)

    @classmethod
    @contextmanager
    def of(cls, page: Page, seconds: float) -> Iterator[Self]:
        """That of *page* from here on, which has so many seconds."""
        navigation = cls(page, asyncio.get_running_loop().time() + seconds)
        page.on("request", navigation._way.hear_request)
        page.on("response", navigation._on_response)
        page.on("framenavigated", navigation._on_navigated)
        try:
            yield navigation
        finally:
            page.remove_listener("request", navigation._way.hear_request)
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
        self._way.main = self._way.main or first
        found = await self._way.past_checks(lambda: self._look(url, method), is_check)
        return self._way.main, found

    async def lost(self, failure: Failure, url: str, method: str) -> Exchange:
        """What it comes to where nothing came: *failure*, and the redirects that led there."""
        # What they took of requests has been told.
        return Exchange(url=url, method=method, failure=failure, hops=await self._way.hops())

    async def _look(self, url: str, method: str) -> Exchange:
        await self._way.settle("domcontentloaded")
        # A script that never ends keeps a page from ever answering.
        async with in_time(self._way.seconds_left, "what the page shows"):
            return await self._read(url, method)

    async def _read(self, url: str, method: str) -> Exchange:
        main = self._way.main
        assert main is not None, "an answer came"  # noqa: S101
        hops = await hops_before(main.request)
        refused = not_to_be_followed(hops)
        if refused is not None:
            return Exchange(url=url, method=method, failure=refused, redirect_count=len(hops), hops=hops)
        headers = headers_in(await main.headers_array())
        return Exchange(
            url=url,
            method=method,
            final_url=main.url,
            status=main.status,
            headers=headers,
            body=await self._body(main, dict(headers).get("content-type", "")),
            redirect_count=len(hops),
            hops=hops,
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
        self._way.hear(response)

    def _on_navigated(self, frame: Frame) -> None:
        if frame == self._page.main_frame:
            self._way.has_come.set()
