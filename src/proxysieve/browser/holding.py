"""Holds up requests and answers of a page for a moment, to change or stop them. No site sees anything of that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from playwright.async_api import CDPSession, Error, Page

# The answers to documents: a redirect, or a page.
DOCUMENTS = {"resourceType": "Document", "requestStage": "Response"}
# How a request goes on: a command of Chromium's, and what it takes beside the request's id.
GoOn = tuple[str, Mapping[str, Any]]


async def hold_up(
    page: Page,
    *patterns: Mapping[str, str],
    decide: Callable[[dict[str, Any]], GoOn],
    commands: CDPSession | None = None,
) -> None:
    """Hold up what *page* does from here on and fits one of *patterns*; *decide* says how each goes on.

    *commands* must hold up nothing else, as Chromium would forget that. New ones are opened if they are left out.
    """
    commands = commands or await page.context.new_cdp_session(page)
    going: set[asyncio.Task[None]] = set()

    async def go_on(paused: dict[str, Any]) -> None:
        command, told = decide(paused)
        # The page may be gone.
        with suppress(Error):
            await commands.send(command, {"requestId": paused["requestId"], **told})

    def start(paused: dict[str, Any]) -> None:
        task = asyncio.create_task(go_on(paused))
        going.add(task)
        task.add_done_callback(going.discard)

    commands.on("Fetch.requestPaused", start)
    await commands.send("Fetch.enable", {"patterns": list(patterns)})
