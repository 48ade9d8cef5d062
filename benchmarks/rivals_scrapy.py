"""Scrapy with scrapy-rotating-proxies as a competent user sets them up; run by `rivals.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from rotating_proxies.policy import BanDetectionPolicy  # type: ignore[import-untyped]
from scrapy import Request, Spider
from scrapy.crawler import CrawlerProcess
from scrapy.http import Response

from rivals_task import MOST_BLOCKS, Task, is_block


class BodyPolicy(BanDetectionPolicy):  # type: ignore[misc]
    """Looks at bodies too, and at redirects to a sorry page, which would be followed through another proxy."""

    def response_is_ban(self, request: Request, response: Response) -> bool:
        """Whether *response* is a ban."""
        is_sorry = b"/sorry" in (response.headers.get("Location") or b"")
        return super().response_is_ban(request, response) or is_sorry or is_block(response.body)


def settings_for(task: Task) -> dict[str, Any]:
    """All that differs from the defaults."""
    return {
        "DOWNLOADER_MIDDLEWARES": {
            "rotating_proxies.middlewares.RotatingProxyMiddleware": 610,
            "rotating_proxies.middlewares.BanDetectionMiddleware": 620,
        },
        "ROTATING_PROXY_LIST": task.proxies,
        "ROTATING_PROXY_BAN_POLICY": BodyPolicy,
        "ROTATING_PROXY_PAGE_RETRY_TIMES": MOST_BLOCKS,
        "CONCURRENT_REQUESTS": task.concurrency,
        "DOWNLOAD_TIMEOUT": task.timeout_seconds,
        # There is one jar for all proxies, which would show the site that they belong together.
        "COOKIES_ENABLED": False,
        "ROBOTSTXT_OBEY": False,
        "TELNETCONSOLE_ENABLED": False,
        "LOG_LEVEL": "CRITICAL",
    }


class PageSpider(Spider):
    """Fetches all pages."""

    name = "pages"

    def __init__(self, *, task: Task, **kwargs: Any) -> None:  # noqa: ANN401 - Scrapy's own
        super().__init__(**kwargs)
        self._task = task

    async def start(self) -> AsyncIterator[Request]:
        """What is to be fetched."""
        for url in self._task.urls:
            yield Request(url)

    def parse(self, response: Response) -> None:
        """Save a page."""
        # What is given up for its blocks is handed over all the same.
        if not is_block(response.body):
            self._task.save(response.url, response.body)


if __name__ == "__main__":
    task = Task.given()
    process = CrawlerProcess(settings_for(task))
    process.crawl(PageSpider, task=task)
    process.start()
