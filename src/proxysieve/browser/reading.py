"""Tells what a page brought as a client does: the answer to its main document, with the document as it is by now."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.async_api import CDPSession, Download, Error, Page
from playwright.async_api import Response as PageResponse

from proxysieve.client import Response

# What Chromium makes of nothing.
NOTHING = "<html><head></head><body></body></html>"
RENDERED = ("text/html", "application/xhtml+xml")
NO_CONTENT = frozenset({204, 205})
# What is said where a question met a page that is being left, by Playwright and by Chromium.
NAVIGATING = (
    "context was destroyed",
    "is navigating",
    "Execution context",
    "Could not find node with given id",
    "Inspected target navigated",
)


async def read(page: Page, commands: CDPSession, main: PageResponse, download: Download | None) -> Response:
    """What *page* brought.

    Args:
        page: Loaded.
        commands: What commands the browser beneath the page.
        main: The answer to its main document.
        download: What the browser took that answer for, if it is no page.
    """
    headers = tuple((one["name"].lower(), one["value"]) for one in await main.headers_array())
    if download is not None:
        body = await asyncio.to_thread((await download.path()).read_bytes)
    else:
        body = await _body(page, commands, main, dict(headers).get("content-type", ""))
    return Response(url=main.url, status=main.status, headers=headers, body=body)


async def _body(page: Page, commands: CDPSession, main: PageResponse, content_type: str) -> bytes:
    if main.status in NO_CONTENT or page.url.startswith("chrome-error:"):
        return b""
    if content_type and not content_type.startswith(RENDERED):
        return await main.body()
    while True:
        with while_it_navigates():
            shown = await _shown(commands)
            if shown == NOTHING and not (came := await main.body()).strip():
                return came
            return shown.encode("utf-8", "replace")


async def _shown(commands: CDPSession) -> str:
    """The document as it is now."""
    # Asked of Chromium itself, because Playwright brings scripts of its own into each page for it, and the first time
    # in a page that takes a tenth of a second.
    told = await commands.send("DOM.getDocument", {"depth": 0})
    shown = await commands.send("DOM.getOuterHTML", {"nodeId": told["root"]["nodeId"]})
    return str(shown["outerHTML"])


@contextmanager
def while_it_navigates() -> Iterator[None]:
    """Go on where a page was left for the next one in the middle of a question."""
    try:
        yield
    except Error as error:
        if not is_navigating(error):
            raise


def is_navigating(error: Error) -> bool:
    """Whether *error* says no more than that the page is being left for the next one."""
    return any(words in str(error) for words in NAVIGATING)
