"""Tells what a page brought as a client does: the answer to its main document, with the document as it is by now.

The DOM is judged, and not the document as it came. A captcha that a script puts up is seen only there, and a check that
cleared by itself is gone there. The status is that of the last main document.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from playwright.async_api import CDPSession, Download, Error, Page
from playwright.async_api import Response as PageResponse

from proxysieve.browser.redirects import headers_in, hops_before
from proxysieve.clients.protocol import MOST_AT_ONCE, Response

# What Chromium makes of nothing.
NOTHING = "<html><head></head><body></body></html>"
LENGTH = "document.documentElement ? document.documentElement.outerHTML.length : 0"
RENDERED = ("text/html", "application/xhtml+xml")
NO_CONTENT = frozenset({204, 205})
# What is said where a question met a page that is being left, by Playwright and by Chromium.
NAVIGATING = (
    "context was destroyed",
    "is navigating",
    "Execution context",
    "Cannot find context",
    "Promise was collected",
    "No frame for given id",
    "Could not find node with given id",
    "Inspected target navigated",
)


async def read(
    page: Page, commands: CDPSession, main: PageResponse, downloaded: bytes | None, max_bytes: int
) -> Response:
    """What *page* brought.

    Args:
        page: Loaded.
        commands: What commands the browser beneath the page.
        main: The answer to its main document.
        downloaded: What came in place of a page.
        max_bytes: How large the body may be.

    Raises:
        playwright.async_api.Error: It is larger.
    """
    headers = headers_in(await main.headers_array())
    body = downloaded
    if body is None:
        body = await _body(page, commands, main, dict(headers).get("content-type", ""), max_bytes)
    _mind_size(len(body), max_bytes)
    hops = await hops_before(main.request)
    return Response(url=main.url, status=main.status, headers=headers, body=body, hops=hops)


async def take(download: Download, max_bytes: int) -> bytes:
    """What was downloaded, of which nothing is left in the browser.

    Raises:
        playwright.async_api.Error: It broke off, or is larger than *max_bytes*.
    """
    try:
        failure = await download.failure()
        if failure:
            raise Error(f"net::ERR_CONNECTION_CLOSED, in a download: {failure}")
        path = await download.path()
        _mind_size(path.stat().st_size, max_bytes)
        return await asyncio.to_thread(path.read_bytes)
    finally:
        await drop(download)


async def drop(download: Download) -> None:
    """Leave nothing of *download* in the browser, however far it came."""
    with suppress(Error):
        await download.cancel()
        await download.delete()


def _mind_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise Error(f"net::ERR_FILE_TOO_BIG: {size} bytes, where {max_bytes} are allowed")


async def _body(page: Page, commands: CDPSession, main: PageResponse, content_type: str, max_bytes: int) -> bytes:
    if main.status in NO_CONTENT or page.url.startswith("chrome-error:"):
        return b""
    if content_type and not content_type.startswith(RENDERED):
        return await main.body()
    while True:
        with while_it_navigates():
            shown = await _shown(commands, max_bytes)
            if shown == NOTHING and not (came := await main.body()).strip():
                return came
            return shown.encode("utf-8", "replace")


async def _shown(commands: CDPSession, max_bytes: int) -> str:
    """The document as it is now."""
    # An answer of the browser is read at once, and nothing else runs meanwhile.
    _mind_size(int(await ask(commands, LENGTH) or 0), min(max_bytes, MOST_AT_ONCE))
    # Chromium itself is asked: Playwright would bring its own scripts into the page, which takes a tenth of a second
    # at first.
    told = await commands.send("DOM.getDocument", {"depth": 0})
    shown = await commands.send("DOM.getOuterHTML", {"nodeId": told["root"]["nodeId"]})
    return str(shown["outerHTML"])


async def ask(commands: CDPSession, question: str) -> Any:  # noqa: ANN401 - whatever a page answers
    """Ask the page apart from its scripts, which may have changed the language."""
    tree = await commands.send("Page.getFrameTree")
    made = await commands.send("Page.createIsolatedWorld", {"frameId": tree["frameTree"]["frame"]["id"]})
    where = {"contextId": made["executionContextId"], "awaitPromise": True, "returnByValue": True}
    told = await commands.send("Runtime.evaluate", {"expression": question, **where})
    return told["result"].get("value")


@contextmanager
def while_it_navigates() -> Iterator[None]:
    """Go on if the page was left for the next one during a question."""
    try:
        yield
    except Error as error:
        if not any(words in str(error) for words in NAVIGATING):
            raise
