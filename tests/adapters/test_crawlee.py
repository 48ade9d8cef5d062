"""Crawlee's HTTP crawlers on our pool, at a real site through real proxies."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from crawlee import ConcurrencySettings, Request
from crawlee.crawlers import BasicCrawler, BasicCrawlingContext, HttpCrawler, HttpCrawlingContext
from crawlee.errors import SessionError
from crawlee.http_clients import HttpClient, ImpitHttpClient
from crawlee.statistics import FinalStatistics
from crawlee.storage_clients import MemoryStorageClient

from proxysieve import NoSessionAvailable, SessionPool
from proxysieve.adapters.crawlee import CrawleeSession, http_crawler_options
from proxysieve.errors import ConfigError, MissingExtraError
from proxysieve.testbed import BlockStyle, Testbed, World

STYLES: tuple[BlockStyle, ...] = ("forbidden", "throttled", "challenge", "captcha", "sorry")
CLIENTS: dict[str, Callable[[], HttpClient | None]] = {"the pool's own": lambda: None, "impit": ImpitHttpClient}
Handler = Callable[[HttpCrawlingContext], Coroutine[Any, Any, None]]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Crawlee tells each retry."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


class Crawl:
    """One run of an ``HttpCrawler``, with all that came of it."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.sessions: dict[str, str] = {}
        self.errors: dict[str, Exception] = {}

    def crawler(
        self,
        pool: SessionPool,
        handle: Handler | None = None,
        http_client: HttpClient | None = None,
        **options: Any,
    ) -> HttpCrawler:
        async def save(context: HttpCrawlingContext) -> None:
            if handle is not None:
                await handle(context)
            assert context.session is not None
            self.pages[context.request.url] = await context.http_response.read()
            self.sessions[context.request.url] = context.session.id

        settings = ConcurrencySettings(min_concurrency=8, max_concurrency=8, desired_concurrency=8)
        crawler = HttpCrawler(
            **http_crawler_options(pool, http_client=http_client),
            request_handler=save,
            concurrency_settings=settings,
            storage_client=MemoryStorageClient(),
            configure_logging=False,
            **options,
        )

        @crawler.failed_request_handler
        async def fail(context: BasicCrawlingContext, error: Exception) -> None:
            self.errors[context.request.url] = error

        return crawler


def pool_of(bed: Testbed, **options: Any) -> SessionPool:
    settings: dict[str, Any] = {"store": "memory:", "max_rate": 0.0, "timeout_seconds": 3.0, "seed": 1} | options
    return SessionPool(bed.proxy_lines, **settings)


@pytest.mark.parametrize("make_client", CLIENTS.values(), ids=CLIENTS)
async def test_every_page_is_right_and_little_is_wasted(make_client: Callable[[], HttpClient | None]) -> None:
    """Two lines make the crawler that one has a learning one, with a client of Crawlee's as well."""
    world = World(proxies=60, banned_share=0.7, refusing=3, failing=3, block_styles=STYLES)
    async with Testbed(world) as bed:
        urls, crawl = bed.page_urls(60), Crawl()

        statistics: FinalStatistics = await crawl.crawler(pool_of(bed), http_client=make_client()).run(urls)

        assert crawl.errors == {}
        assert {url: crawl.pages[url] for url in urls} == {url: bed.page_body(id_) for id_, url in enumerate(urls)}
        assert bed.truth().hit_count <= 60 + 40
        assert statistics.requests_finished == 60
