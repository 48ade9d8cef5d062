"""Crawlee's crawler of browsers on our pool, with a real Chromium."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from crawlee import ConcurrencySettings, service_locator
from crawlee.crawlers import BasicCrawlingContext, PlaywrightCrawler, PlaywrightCrawlingContext
from crawlee.storage_clients import MemoryStorageClient
from tests.browser.visits import FETCH, SLOW_RATE, Counted
from tests.clients.walks import LED_ON, LED_ON_TOLD, SHOP, playing

from proxysieve import SessionPool
from proxysieve.adapters.crawlee import playwright_crawler_options
from proxysieve.adapters.crawlee_browsers import CrawleeBrowserPool
from proxysieve.adapters.crawlee_sessions import CrawleeSession
from proxysieve.core.model import Exchange, Failure
from proxysieve.errors import ConfigError
from proxysieve.testbed import Testbed, World

Handler = Callable[[PlaywrightCrawlingContext], Coroutine[Any, Any, None]]


LAUNCH: dict[str, Any] = {"chromium_sandbox": False}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, chromium_path: str) -> Iterator[None]:
    """Crawlee keeps the queues of a process for all crawlers in it, and tells each retry."""
    for service in ("_configuration", "_event_manager", "_storage_client"):
        monkeypatch.setattr(service_locator, service, None)
    LAUNCH["executable_path"] = chromium_path
    logging.disable(logging.CRITICAL)
    yield
    service_locator.storage_instance_manager.clear_cache()
    logging.disable(logging.NOTSET)


def pool_of(bed: Testbed, **options: object) -> SessionPool:
    settings: dict[str, Any] = {"store": "memory:", "max_rate": 0.0, "seed": 1} | options
    return SessionPool(bed.proxy_lines, **settings)


def crawler_of(pool: SessionPool, handle: Handler, concurrency: int = 3, **options: object) -> PlaywrightCrawler:
    settings: dict[str, Any] = options
    return PlaywrightCrawler(
        **playwright_crawler_options(pool, headless=True, browser_launch_options=LAUNCH),
        request_handler=handle,
        concurrency_settings=ConcurrencySettings(
            min_concurrency=concurrency, max_concurrency=concurrency, desired_concurrency=concurrency
        ),
        storage_client=MemoryStorageClient(),
        configure_logging=False,
        **settings,
    )


def contexts_of(crawler: PlaywrightCrawler) -> list[Any]:
    """The contexts in which pages may be opened now; the browser itself is none of them."""
    pool = crawler._browser_pool
    assert isinstance(pool, CrawleeBrowserPool)
    return [one for one in pool.active_browsers if one is not pool._browser]


def chromiums() -> int:
    """How many processes of it we have started, at whatever remove, that have not ended."""
    parents, names = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        state, parent = rest.split()[:2]
        if state != "Z":
            parents[int(stat.parent.name)], names[int(stat.parent.name)] = int(parent), name

    def is_ours(process: int) -> bool:
        return process == os.getpid() or (process in parents and is_ours(parents[process]))

    return sum("chrom" in name and is_ours(process) for process, name in names.items())


async def test_every_page_is_right_and_no_browser_is_left() -> None:
    """Through proxies of which half are banned; each page is of the exit that its session has."""
    world = World(
        proxies=12, banned_share=0.5, refusing=1, failing=1, page_bytes=2_000, block_styles=("challenge", "captcha")
    )
    async with Testbed(world) as bed:
        titles: dict[str, str] = {}
        running: list[int] = []

        async def save(context: PlaywrightCrawlingContext) -> None:
            titles[context.request.url] = (await context.response.body()).decode()
            running.append(chromiums())

        crawler = crawler_of(pool_of(bed), save)
        await crawler.run(bed.page_urls(15))

        assert titles == {bed.page_url(id_): bed.page_body(id_).decode() for id_ in range(15)}
        assert bed.truth().answer_counts["blocked"] <= 8
        assert {hit.exit for hit in bed.truth().hits} <= {exit_.address for exit_ in bed.exits}
    assert min(running) > 0
    assert chromiums() == 0


async def test_a_context_has_the_proxy_of_its_session() -> None:
    """Whatever other sessions have pages in the same browser; and one session has one context."""
    async with Testbed(World(proxies=4, page_bytes=500)) as bed:
        seen: list[tuple[str, str, Any]] = []

        async def look(context: PlaywrightCrawlingContext) -> None:
            assert context.session is not None
            address = (await context.response.json())["address"]
            seen.append((context.session.id, address, context.page.context))
            if len(seen) < 4:
                context.session.retire()

        crawler = crawler_of(pool_of(bed), look, concurrency=1)
        await crawler.run([f"{bed.site_url}/echo?{number}" for number in range(8)])

    assert len(seen) == 8
    names, addresses, contexts = (set(column) for column in zip(*seen, strict=True))
    # As many visitors as contexts, so each has one of its own, and one address.
    assert len(set(seen)) == len(names) == len(contexts) >= 4
    assert addresses <= {exit_.address for exit_ in bed.exits}


async def test_to_retire_a_session_retires_its_browser() -> None:
    """Its context closes once its page is closed, and no other page is opened in it."""
    async with Testbed(World(proxies=4, page_bytes=500)) as bed:
        closed: list[str] = []

        async def retire(context: PlaywrightCrawlingContext) -> None:
            assert context.session is not None
            name = context.session.id
            context.page.context.on("close", lambda _: closed.append(name))
            context.session.retire()
            # The handler may go on with its page.
            assert await context.page.title()

        crawler = crawler_of(pool_of(bed), retire, concurrency=1)
        closed_before: list[tuple[int, int]] = []
        crawler.pre_navigation_hook(lambda _: _note(closed_before, len(closed), len(contexts_of(crawler))))
        await crawler.run(bed.page_urls(4))

    assert len(set(closed)) == 4
    assert [context_count for _, context_count in closed_before] == [1, 1, 1, 1]


async def _note(notes: list[tuple[int, int]], *numbers: int) -> None:
    first, second = numbers
    notes.append((first, second))


@pytest.mark.parametrize(("path", "told"), LED_ON_TOLD)
async def test_redirects_are_judged_one_by_one(path: str, told: str) -> None:
    """What they say counts where they do not end at the page, and no handler sees what they may not lead to."""
    errors: list[str] = []

    async def fail(_: PlaywrightCrawlingContext) -> None:
        raise AssertionError("it was taken for good")

    async with playing(LED_ON) as (line, _):
        pool = SessionPool([line], store="memory:", max_rate=0.0, max_wait_seconds=0.1)
        crawler = crawler_of(pool, fail, max_request_retries=0, max_session_rotations=0)

        @crawler.failed_request_handler
        async def note(_: BasicCrawlingContext, error: Exception) -> None:
            errors.append(str(error))

        await crawler.run([f"{SHOP}/{path}"])

    assert errors == [told]


async def test_a_block_retires_the_browser() -> None:
    """The judge sees what the browser shows, and the next try is made in another context."""
    async with Testbed(World(proxies=6, banned_share=0.85, block_styles=("captcha",), page_bytes=500)) as bed:
        contexts: list[Any] = []

        async def nothing(_: PlaywrightCrawlingContext) -> None: ...

        async def note(context: Any) -> None:  # noqa: ANN401 - one of Crawlee's many
            contexts.append(context.page.context)

        crawler = crawler_of(pool_of(bed), nothing, concurrency=1, max_session_rotations=1)
        crawler.pre_navigation_hook(note)
        statistics = await crawler.run([bed.page_url(1)])

        assert statistics.requests_finished == 1
        assert bed.truth().answer_counts["blocked"] >= 1
    assert len(set(contexts)) == len(contexts) >= 2


async def test_cookies_of_a_session_outlive_its_browser(tmp_path: Path) -> None:
    """They are in our store, and in the next run's context."""
    async with Testbed(World(proxies=1, page_bytes=500)) as bed:
        received: list[Any] = []

        async def read(context: PlaywrightCrawlingContext) -> None:
            received.append((await context.response.json())["received"])

        for run in range(2):
            await crawler_of(pool_of(bed, store=tmp_path / "store"), read).run([f"{bed.site_url}/cookie?{run}"])

    assert received == [None, "flavour=vanilla"]


async def test_what_a_handler_asks_for_besides_goes_through_its_session() -> None:
    """By the context of its page."""
    async with Testbed(World(proxies=3, page_bytes=500)) as bed:
        addresses: list[str] = []

        async def ask(context: PlaywrightCrawlingContext) -> None:
            answer = await context.send_request(f"{bed.site_url}/echo")
            addresses.append((await answer.read()).decode())

        await crawler_of(pool_of(bed), ask).run([bed.page_url(1)])

        assert len({hit.exit for hit in bed.truth().hits}) == 1
    assert len(addresses) == 1


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_proxies_with_a_login_let_the_browser_in(scheme: str) -> None:
    """By a relay each, which nothing is left of; and what a site sees is what browsers send that log in nowhere."""
    async with Testbed(World(proxies=2, page_bytes=500)) as bed:
        headers: list[dict[str, str]] = []

        async def read(context: PlaywrightCrawlingContext) -> None:
            headers.append(await context.response.request.all_headers())
            answer = await context.send_request(f"{bed.site_url}/echo")
            assert answer.status_code == 200

        lines = bed.socks5_lines if scheme == "socks5" else bed.proxy_lines
        pool = SessionPool(lines, store="memory:", max_rate=0.0, seed=1)
        statistics = await crawler_of(pool, read).run(bed.page_urls(3))

        assert statistics.requests_finished == 3
        assert bed.truth().direct_connection_count == 0
    assert not any({"cache-control", "pragma"} & one.keys() for one in headers)
    assert not asyncio.all_tasks() - {asyncio.current_task()}


async def test_a_proxy_that_cannot_be_reached_is_told_from_one_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the relay before it, of which the browser sees no more than that it gives up."""
    told: list[Failure | None] = []
    settle = CrawleeSession.settle

    def listen(session: CrawleeSession, exchange: Exchange) -> None:
        told.append(exchange.failure)
        settle(session, exchange)

    async def nothing(_: PlaywrightCrawlingContext) -> None: ...

    monkeypatch.setattr(CrawleeSession, "settle", listen)
    async with Testbed(World(proxies=1, refusing=1)) as bed:
        await crawler_of(pool_of(bed, max_wait_seconds=0.0), nothing).run([bed.page_url(1)])

    assert set(told) == {Failure.PROXY_UNREACHABLE}


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(World(proxies=1, page_bytes=500), id="pages"),
        pytest.param(World(proxies=1, page_bytes=500, assets=2_000), id="pages-with-assets"),
        pytest.param(World(proxies=1, networks=1, script_challenge=True), id="behind-a-check"),
    ],
)
async def test_what_a_page_asks_for_delays_the_next_request(world: World) -> None:
    """All of it, as the site sees it: while it is loaded, while the handler has it, and what that sends besides."""
    async with Testbed(world) as bed:
        pool = pool_of(bed, max_rate=SLOW_RATE)
        counted = Counted(pool)
        counts: list[tuple[int, int]] = []

        def note() -> None:
            counts.append((counted.count, sum(hit.path != "/favicon.ico" for hit in bed.truth().hits)))

        async def use(context: PlaywrightCrawlingContext) -> None:
            note()
            await context.page.evaluate(FETCH, 5)
            note()
            await context.send_request(f"{bed.site_url}/echo")
            note()

        await crawler_of(pool, use).run([bed.page_url(1)])

    [(loaded, seen), used, sent] = counts
    assert loaded == seen
    assert used == (seen + 5, seen + 5)
    assert sent == (seen + 6, seen + 6)


async def test_a_check_that_leads_on_by_itself_is_passed() -> None:
    """What is judged, and what the handler has, is the page behind it."""
    async with Testbed(World(proxies=1, networks=1, script_challenge=True)) as bed:
        read: list[tuple[int, str]] = []

        async def note(context: PlaywrightCrawlingContext) -> None:
            read.append((context.response.status, await context.page.title()))

        await crawler_of(pool_of(bed, max_wait_seconds=0.0), note).run([bed.page_url(7)])

        assert bed.truth().passed_count == 1
    [(status, title)] = read
    assert status == 200
    assert title.endswith("- item 7")


async def test_a_block_that_a_script_makes_is_one() -> None:
    """It stands in no byte of the page, and appears once that is loaded."""
    world = World(proxies=1, banned_share=1.0, block_styles=("hidden_captcha",), page_bytes=500)
    async with Testbed(world) as bed:
        read: list[str] = []

        async def note(context: PlaywrightCrawlingContext) -> None:
            read.append(context.request.url)

        await crawler_of(pool_of(bed, max_wait_seconds=0.0), note).run([bed.page_url(1)])

        assert bed.truth().answer_counts["blocked"] >= 1
    assert read == []


async def test_nothing_of_the_browser_goes_past_the_proxy() -> None:
    """Neither packets of WebRTC, which would show this machine's own address, nor connections."""
    async with Testbed(World(proxies=1, networks=1)) as bed:

        async def wait(context: PlaywrightCrawlingContext) -> None:
            await context.page.wait_for_function("document.title === 'done'")

        await crawler_of(pool_of(bed), wait).run([f"{bed.site_url}/mirror"])
        truth = bed.truth()

    assert truth.mirrors[-1].ice_candidates == ()
    assert truth.stun_senders == {}
    assert truth.direct_connection_count == 0


async def test_where_nothing_works_no_page_is_opened() -> None:
    """The request fails with the pool's own error, and the browser shows nobody who we are."""
    async with Testbed(World(proxies=3, banned_share=1.0, page_bytes=500)) as bed:
        errors: list[str] = []

        async def nothing(_: PlaywrightCrawlingContext) -> None: ...

        crawler = crawler_of(pool_of(bed, max_wait_seconds=0.0), nothing)

        @crawler.failed_request_handler
        async def fail(_: Any, error: Exception) -> None:  # noqa: ANN401 - one of Crawlee's many
            errors.append(type(error).__name__)

        await crawler.run(bed.page_urls(2))

        assert {hit.exit for hit in bed.truth().hits} <= {exit_.address for exit_ in bed.exits}
    assert errors == ["NoSessionAvailable"] * 2
    assert chromiums() == 0


async def test_a_page_without_a_session_is_refused() -> None:
    """It would have no proxy."""
    async with CrawleeBrowserPool.of(headless=True, browser_launch_options=LAUNCH) as pool:
        with pytest.raises(ConfigError, match="give the crawler all options"):
            await pool.new_page()
