"""crawlee's PlaywrightCrawler, with a pool of sessions and proxies; run by `browser_job.py`.

As it comes: it tells blocks by itself (``retry_on_blocked``), draws what browsers look like, and has a pool of
sessions, which rotate as often as it takes; and a context for each page, for otherwise all pages of a browser share the
proxy and the cookies of the first one. Set up: besides, a hook waits for checks by script and for what scripts do
afterwards, and finds blocks in what is shown then by their words; 403 is no block by itself, as checks come with it;
and all visitors look like the browser that it is, for another user agent with each page would have passed no check yet.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from crawlee import ConcurrencySettings
from crawlee.crawlers import (
    PlaywrightCrawler,
    PlaywrightCrawlingContext,
    PlaywrightPostNavCrawlingContext,
    PlaywrightPreNavCrawlingContext,
)
from crawlee.errors import SessionError
from crawlee.proxy_configuration import ProxyConfiguration
from crawlee.sessions import SessionPool
from crawlee.storage_clients import MemoryStorageClient
from playwright.async_api import TimeoutError as PlaywrightTimeoutError
from playwright.async_api import async_playwright

from proxysieve.browser.chromium import find_chromium
from rivals_task import MOST_BLOCKS, Task, is_block

# A few more than pages at once: each beyond that is one more to be found among the banned.
POOL_SIZE = 8
MOST_RETRIES = 10
CHECK_TITLE = "Just a moment..."
# As long as ours waits for a check, and for what scripts do to a page that is loaded.
CHECK_MS = 6_000
QUIET_MS = 200
# Between two pages there is no title.
HAS_PASSED = "title => document.readyState === 'complete' && document.title && document.title !== title"
FORBIDDEN_TITLE = "403 Forbidden"


async def fetch(task: Task, *, is_set_up: bool) -> None:
    """Fetch all pages."""

    async def handle(context: PlaywrightCrawlingContext) -> None:
        task.save(context.request.url, (await context.page.content()).encode())

    async def count(_: PlaywrightPreNavCrawlingContext) -> None:
        task.count()

    options = await launch_options()
    crawler = PlaywrightCrawler(
        browser_type="chromium",
        browser_launch_options=options,
        # Without it all pages of a browser share the proxy and the cookies of the first one.
        use_incognito_pages=True,
        session_pool=SessionPool(max_pool_size=POOL_SIZE),
        proxy_configuration=ProxyConfiguration(proxy_urls=[*task.proxies]),
        retry_on_blocked=True,
        max_session_rotations=MOST_BLOCKS,
        max_request_retries=MOST_RETRIES,
        navigation_timeout=timedelta(seconds=task.timeout_seconds),
        concurrency_settings=ConcurrencySettings(
            min_concurrency=task.concurrency,
            max_concurrency=task.concurrency,
            desired_concurrency=task.concurrency,
        ),
        storage_client=MemoryStorageClient(),
        request_handler=handle,
        configure_logging=False,
        **(SETUP if is_set_up else {}),
    )
    crawler.pre_navigation_hook(count)
    if is_set_up:
        crawler.post_navigation_hook(judge)
    await crawler.run(task.urls)


# It would draw another user agent for each page, and a check that was passed belongs to one.
SETUP: dict[str, Any] = {
    "fingerprint_generator": None,
    "browser_new_context_options": {"extra_http_headers": {}},
    # That of checks; what else comes with it is told by its words.
    "ignore_http_error_status_codes": [403],
}


async def judge(context: PlaywrightPostNavCrawlingContext) -> None:
    """Wait until a check has let this visitor pass, and until scripts are done.

    Raises:
        SessionError: What the page shows then is a block.
    """
    page = context.page
    try:
        await page.wait_for_function(HAS_PASSED, arg=CHECK_TITLE, timeout=CHECK_MS)
    except PlaywrightTimeoutError:
        raise SessionError("a check that lets nobody pass") from None
    await page.wait_for_timeout(QUIET_MS)
    if await page.title() == FORBIDDEN_TITLE or is_block((await page.content()).encode()):
        raise SessionError("a block page")


async def launch_options() -> dict[str, Any]:
    """The Chromium that ours runs, as Playwright starts it by default."""
    async with async_playwright() as playwright:
        return {"executable_path": find_chromium(playwright.chromium), "chromium_sandbox": False}


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asyncio.run(fetch(Task.given(), is_set_up=Path(sys.argv[1]).name.startswith("set-up")))
