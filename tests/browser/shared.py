"""Real Chromiums that the tests of a file share: each test has contexts of its own in them, and not a process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self

from playwright.async_api import BrowserType

from proxysieve import SessionPool
from proxysieve.adapters.playwright import PlaywrightBrowser
from proxysieve.browser.client import BrowserClient, OnLoaded
from proxysieve.browser.options import BrowserOptions
from proxysieve.browser.renderer import Renderer


class SharedChromium:
    """Opens browsers in Chromiums that run until the end of the file. Use it in ``async with``."""

    def __init__(self, chromium: BrowserType) -> None:
        self._chromium = chromium
        self._renderers: dict[str, Renderer] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @asynccontextmanager
    async def browser(
        self, pool: SessionPool, options: BrowserOptions | None = None
    ) -> AsyncIterator[PlaywrightBrowser]:
        """As ``browser`` of the adapter."""
        async with self._renderer(options) as renderer:
            pool.use_fingerprints(renderer.fingerprints)
            yield PlaywrightBrowser(pool, renderer)

    @asynccontextmanager
    async def client(
        self, options: BrowserOptions | None = None, *, on_loaded: OnLoaded | None = None
    ) -> AsyncIterator[BrowserClient]:
        """A client that is open."""
        async with self._renderer(options) as renderer:
            client = BrowserClient(options, on_loaded=on_loaded)
            client._renderer = renderer
            yield client

    @asynccontextmanager
    async def _renderer(self, options: BrowserOptions | None) -> AsyncIterator[Renderer]:
        how = options or BrowserOptions()
        if repr(how) not in self._renderers:
            self._renderers[repr(how)] = await self._stack.enter_async_context(Renderer(self._chromium, how))
        renderer = self._renderers[repr(how)]
        try:
            yield renderer
        finally:
            for seat in [*renderer._seats.values()]:
                await seat.end("the test is over")
