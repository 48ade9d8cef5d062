"""Crawlee's HttpCrawler with its own session pool and proxy configuration, beside the same crawler on our pool.

Every side gets the same pages from a fresh site of the same world, in a process of its own, and hands over what its
handler was given; the site counts. A request that brought no right page is wasted.

  as it comes   Crawlee's SessionPool and ProxyConfiguration(proxy_urls=...), and nothing else
  set up        a pool of 100 sessions, 50 rotations a page, and a hook that knows the words of the block pages
  our pool      http_crawler_options(pool), with Crawlee's own client (impit), or with the pool's
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import msgspec
from crawlee import ConcurrencySettings
from crawlee.crawlers import HttpCrawler, HttpCrawlingContext
from crawlee.errors import SessionError
from crawlee.http_clients import ImpitHttpClient
from crawlee.proxy_configuration import ProxyConfiguration
from crawlee.sessions import SessionPool as CrawleesOwnPool
from crawlee.storage_clients import MemoryStorageClient

from measure import BLOCK_STYLES, Bench, Spread
from proxysieve import SessionPool
from proxysieve.adapters.crawlee import http_crawler_options
from proxysieve.testbed import TestbedProcess, World
from rivals_task import MOST_BLOCKS, is_block

CONCURRENCY = 20
POOL_SIZE = 100

Hook = Callable[[HttpCrawlingContext], Awaitable[None]]
Options = dict[str, Any]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One side in one world.

    Attributes:
        wrong: Pages that the handler was given, and the site does not have so.
        missing: Pages that it was never given right.
    """

    right: int
    wrong: int
    missing: int
    requests: int

    @property
    def wasted_per_page(self) -> float:
        """Requests that brought no right page, for each that did."""
        return (self.requests - self.right) / self.right if self.right else float("inf")


def as_it_comes(proxies: list[str]) -> Options:
    """What Crawlee's documentation shows."""
    return {"proxy_configuration": ProxyConfiguration(proxy_urls=[*proxies])}


def set_up(proxies: list[str]) -> Options:
    """What somebody does who has looked at what came."""
    pool = CrawleesOwnPool(max_pool_size=POOL_SIZE)
    return {**as_it_comes(proxies), "session_pool": pool, "max_session_rotations": MOST_BLOCKS}


def ours(proxies: list[str]) -> Options:
    """The two lines, with the client that the others have."""
    pool = SessionPool(proxies, store="memory:", max_rate=0.0)
    return http_crawler_options(pool, http_client=ImpitHttpClient())


def ours_alone(proxies: list[str]) -> Options:
    """The two lines."""
    return http_crawler_options(SessionPool(proxies, store="memory:", max_rate=0.0))


async def know_blocks(context: HttpCrawlingContext) -> None:
    """Take a page that says so for a block."""
    if is_block(await context.http_response.read()):
        raise SessionError("a block page")


SIDES: dict[str, tuple[Callable[[list[str]], Options], Hook | None]] = {
    "Crawlee's, as it comes": (as_it_comes, None),
    "Crawlee's, set up": (set_up, know_blocks),
    "our pool, Crawlee's client": (ours, None),
    "our pool": (ours_alone, None),
}


async def crawl(side: str, urls: list[str], proxies: list[str]) -> list[tuple[str, bytes]]:
    """What the handler was given."""
    given: list[tuple[str, bytes]] = []

    async def save(context: HttpCrawlingContext) -> None:
        given.append((context.request.url, await context.http_response.read()))

    make, hook = SIDES[side]
    crawler = HttpCrawler(
        **make(proxies),
        request_handler=save,
        concurrency_settings=ConcurrencySettings(
            min_concurrency=CONCURRENCY, max_concurrency=CONCURRENCY, desired_concurrency=CONCURRENCY
        ),
        storage_client=MemoryStorageClient(),
        configure_logging=False,
    )
    if hook:
        crawler.post_navigation_hook(hook)
    await crawler.run(urls)
    return given


def crawl_apart(side: str, urls: list[str], proxies: list[str]) -> list[tuple[str, bytes]]:
    """The same, in a process of its own."""
    logging.disable(logging.CRITICAL)
    return asyncio.run(crawl(side, urls, proxies))


def play(side: str, world: World, page_count: int) -> Run:
    """Have *side* fetch so many pages."""
    with TestbedProcess(world) as bed, ProcessPoolExecutor(1, get_context("spawn")) as process:
        urls = bed.page_urls(page_count)
        given = process.submit(crawl_apart, side, urls, bed.proxy_lines).result()
        right = {url for url, body in given if body == bed.page_body(urls.index(url))}
        truth = bed.truth()
        requests = truth.hit_count + sum(truth.proxy_answers.values())
    return Run(right=len(right), wrong=len(given) - len(right), missing=page_count - len(right), requests=requests)


def measure(bench: Bench, options: argparse.Namespace) -> None:
    """Have all sides take turns, and print what came of it."""
    runs: dict[str, list[Run]] = {side: [] for side in SIDES}
    for seed in range(options.rounds):
        world = World(proxies=options.proxies, banned_share=0.7, block_styles=BLOCK_STYLES, seed=seed)
        for side, done in runs.items():
            done.append(play(side, world, options.pages))
            bench.emit(side=side, seed=seed, **msgspec.structs.asdict(done[-1]))
    bench.table(
        f"{options.proxies} proxies, 70 % banned; {options.pages} pages, {CONCURRENCY} at a time",
        [
            {
                "sessions of": side,
                "right": Spread.of(run.right for run in done).text(),
                "wrong": Spread.of(run.wrong for run in done).text(),
                "missing": Spread.of(run.missing for run in done).text(),
                "wasted a page": Spread.of(run.wasted_per_page for run in done).text(3),
            }
            for side, done in runs.items()
        ],
    )


def main() -> None:
    """Measure."""
    bench = Bench("crawlee_pool", __doc__, rounds=5)
    bench.parser.add_argument("--pages", type=int, default=300, help="how many (default: %(default)s)")
    bench.parser.add_argument("--proxies", type=int, default=100, help="how many (default: %(default)s)")
    measure(bench, bench.start())


if __name__ == "__main__":
    main()
