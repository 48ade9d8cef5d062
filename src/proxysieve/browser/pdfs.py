"""Has PDFs downloaded, byte for byte, where Chromium would show them in a viewer, which is a page of its own.

A preference would do so, too, but sites can read it. This shows nothing: what is changed is how the answer is taken,
once it is there.
"""

from __future__ import annotations

import asyncio
from typing import Any

from playwright.async_api import CDPSession, Error, Page

from proxysieve.browser.redirecting import headers_in

PDF = "application/pdf"


async def download_pdfs(page: Page) -> None:
    """Have *page* download the PDFs that it is led to."""
    # What else is held up by the same session would be forgotten.
    commands = await page.context.new_cdp_session(page)
    going: set[asyncio.Task[None]] = set()

    def go_on(paused: dict[str, Any]) -> None:
        task = asyncio.create_task(_go_on(commands, paused))
        going.add(task)
        task.add_done_callback(going.discard)

    commands.on("Fetch.requestPaused", go_on)
    documents = {"resourceType": "Document", "requestStage": "Response"}
    await commands.send("Fetch.enable", {"patterns": [documents]})


async def _go_on(commands: CDPSession, paused: dict[str, Any]) -> None:
    answer: dict[str, Any] = {"requestId": paused["requestId"]}
    headers = paused.get("responseHeaders", [])
    if any(kind.lower().startswith(PDF) for name, kind in headers_in(headers) if name == "content-type"):
        others = [one for one in headers if one["name"].lower() != "content-disposition"]
        answer["responseHeaders"] = [*others, {"name": "Content-Disposition", "value": "attachment"}]
        answer["responseCode"] = paused["responseStatusCode"]
    try:
        await commands.send("Fetch.continueResponse", answer)
    except Error:
        return  # the page is gone
