"""crawlee for Python as a competent user sets it up; run by `rivals.py`."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from crawlee import ConcurrencySettings
from crawlee.crawlers import HttpCrawler, HttpCrawlingContext
from crawlee.errors import SessionError
from crawlee.proxy_configuration import ProxyConfiguration
from crawlee.sessions import SessionPool
from crawlee.storage_clients import MemoryStorageClient

from rivals_task import MOST_BLOCKS, Task, is_block

# With the default of 1,000, the first thousand requests would all go to new sessions.
POOL_SIZE = 100
# For errors that are nobody's fault; the default of 3 loses pages.
MOST_RETRIES = 10


async def fetch(task: Task) -> None:
    """Fetch all pages."""

    async def handle(context: HttpCrawlingContext) -> None:
        task.save(context.request.url, await context.http_response.read())

    async def judge(context: HttpCrawlingContext) -> None:
        # The challenge's 503 would count as an error of the site, which does not change the session.
        if is_block(await context.http_response.read()):
            raise SessionError("a block page")

    crawler = HttpCrawler(
        session_pool=SessionPool(max_pool_size=POOL_SIZE),
        proxy_configuration=ProxyConfiguration(proxy_urls=[*task.proxies]),
        max_session_rotations=MOST_BLOCKS,
        max_request_retries=MOST_RETRIES,
        # It passes this on, though its types do not say so.
        navigation_timeout=timedelta(seconds=task.timeout_seconds),  # type: ignore[call-arg]
        # Fixed, because the others' is; it would be adapted to the load of the machine.
        concurrency_settings=ConcurrencySettings(
            min_concurrency=task.concurrency,
            max_concurrency=task.concurrency,
            desired_concurrency=task.concurrency,
        ),
        # The default writes a file for each request.
        storage_client=MemoryStorageClient(),
        request_handler=handle,
        configure_logging=False,
    )
    crawler.post_navigation_hook(judge)
    await crawler.run(task.urls)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asyncio.run(fetch(Task.given()))
