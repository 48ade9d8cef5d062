"""A client that renders pages, for a pool and for the main job; it brings its own Playwright."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Self

from proxysieve.browser.driver import started_playwright
from proxysieve.browser.options import BrowserOptions
from proxysieve.browser.renderer import Renderer, Visit
from proxysieve.browser.resource_blocking import LeftOut
from proxysieve.clients.protocol import Request, Response
from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.errors import ConfigError, ProxySieveError
from proxysieve.sessions.session import Session

OnLoaded = Callable[[Request, Visit], Awaitable[None]]


class BrowserClient:
    """Sends requests as real browsers do, and brings what they show. Use it in ``async with``.

    Args:
        options: How the browser is run.
        on_loaded: Is given each page while it is open, whatever it will be judged to be.
    """

    def __init__(self, options: BrowserOptions | None = None, *, on_loaded: OnLoaded | None = None) -> None:
        self._options = options or BrowserOptions()
        self._on_loaded = on_loaded
        self._stack = AsyncExitStack()
        self._renderer: Renderer | None = None

    async def __aenter__(self) -> Self:
        """Start a browser.

        Raises:
            ConfigError: There is no Chromium, or it does not start.
        """
        async with AsyncExitStack() as stack:
            playwright = await stack.enter_async_context(started_playwright())
            self._renderer = await stack.enter_async_context(Renderer(playwright.chromium, self._options))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def fingerprints(self) -> Sequence[Fingerprint]:
        """The fingerprints that its sessions can have."""
        return self._open_renderer.fingerprints

    @property
    def left_out(self) -> LeftOut:
        """What was not loaded, and what that saved."""
        return self._open_renderer.left_out

    async def send(self, request: Request, session: Session) -> Response:
        if request.method != "GET":
            raise ConfigError(f"a browser is led to pages by GET, not by {request.method}")
        renderer = self._open_renderer
        async with renderer.slots, renderer.visit(request, session) as visit:
            await visit.keep()
            if self._on_loaded is not None:
                await self._on_loaded(request, visit)
            return visit.response

    @property
    def _open_renderer(self) -> Renderer:
        if self._renderer is None:
            raise ProxySieveError("the browser is not open: use it in async with")
        return self._renderer
