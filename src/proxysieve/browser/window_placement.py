"""Opens the pages of a context in windows of their own.

Playwright opens them in one window. All of them say that they are in front, but those behind see a window without a
frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from playwright.async_api import BrowserContext, CDPSession, Error, Page

Tell = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


class Windows:
    """The windows of one context.

    Args:
        tell: Commands the browser that the context is in.
    """

    def __init__(self, context: BrowserContext, tell: Tell) -> None:
        self._context = context
        self._tell = tell
        self._context_id = ""
        self._opening = asyncio.Lock()

    async def open(self) -> tuple[Page, CDPSession]:
        """A page in a new window, and what commands the browser beneath it."""
        async with self._opening:
            if self._context_id and self._context.pages:
                return await self._open_beside()
            page = await self._context.new_page()
            commands = await self._context.new_cdp_session(page)
            self._context_id = (await _target(commands))["browserContextId"]
            return page, commands

    async def _open_beside(self) -> tuple[Page, CDPSession]:
        """Beside others, for which Playwright has no word."""
        opened: asyncio.Queue[Page | None] = asyncio.Queue()

        def end(_: BrowserContext) -> None:
            opened.put_nowait(None)

        self._context.on("page", opened.put_nowait)
        self._context.on("close", end)
        try:
            wanted = {"url": "about:blank", "browserContextId": self._context_id, "newWindow": True}
            target = {"targetId": (await self._tell("Target.createTarget", wanted))["targetId"]}
            try:
                return await self._find(target, opened)
            except BaseException:
                with suppress(Error):
                    await self._tell("Target.closeTarget", target)
                raise
        finally:
            self._context.remove_listener("page", opened.put_nowait)
            self._context.remove_listener("close", end)

    async def _find(self, target: dict[str, str], opened: asyncio.Queue[Page | None]) -> tuple[Page, CDPSession]:
        while page := await opened.get():
            if commands := await self._commands(page, target):
                return page, commands
        raise Error("Target closed: so is its context")

    async def _commands(self, page: Page, target: dict[str, str]) -> CDPSession | None:
        """What commands *page*, if it is *target*: a page of the site may open one at the same moment."""
        try:
            commands = await self._context.new_cdp_session(page)
            return commands if (await _target(commands))["targetId"] == target["targetId"] else None
        except Error:
            # It closed as soon as it was there; if that was the target, there is no use in waiting for it.
            await self._tell("Target.getTargetInfo", target)
            return None


async def _target(commands: CDPSession) -> dict[str, Any]:
    told: dict[str, Any] = await commands.send("Target.getTargetInfo")
    return told["targetInfo"]  # type: ignore[no-any-return] # Playwright has no types for it
