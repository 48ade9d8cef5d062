"""Crawlee's HTTP crawlers on our pool, at a real site through real proxies."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from crawlee import ConcurrencySettings, Request, service_locator
from crawlee.crawlers import BasicCrawler, BasicCrawlingContext, HttpCrawler, HttpCrawlingContext
from crawlee.errors import SessionError
from crawlee.http_clients import HttpClient, ImpitHttpClient
from crawlee.statistics import FinalStatistics
from crawlee.storage_clients import MemoryStorageClient
from tests.clients.rude_servers import answer, listening, saying
from tests.clients.walks import LED_ON, LED_ON_TOLD, SHOP, playing
from tests.fakes import Scripted, answers, lines

from proxysieve import NoSessionAvailable, Response, Session, SessionPool
from proxysieve import Request as PoolRequest
from proxysieve.adapters.crawlee import CrawleeSession, http_crawler_options
from proxysieve.errors import ConfigError, MissingExtraError
from proxysieve.pool.site_queue import SiteQueue
from proxysieve.sessions.own_headers import Given
from proxysieve.testbed import BlockStyle, Testbed, World

STYLES: tuple[BlockStyle, ...] = ("forbidden", "throttled", "challenge", "captcha", "sorry")
CLIENTS: dict[str, Callable[[], HttpClient | None]] = {"the pool's own": lambda: None, "impit": ImpitHttpClient}
Handler = Callable[[HttpCrawlingContext], Coroutine[Any, Any, None]]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Crawlee keeps the queues of a process for all crawlers in it, and tells each retry."""
    for service in ("_configuration", "_event_manager", "_storage_client"):
        monkeypatch.setattr(service_locator, service, None)
    logging.disable(logging.CRITICAL)
    yield
    service_locator.storage_instance_manager.clear_cache()
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
        concurrency: int = 8,
        **options: Any,  # noqa: ANN401 - the crawler's own
    ) -> HttpCrawler:
        async def save(context: HttpCrawlingContext) -> None:
            if handle is not None:
                await handle(context)
            assert context.session is not None
            self.pages[context.request.url] = await context.http_response.read()
            self.sessions[context.request.url] = context.session.id

        settings = ConcurrencySettings(
            min_concurrency=concurrency, max_concurrency=concurrency, desired_concurrency=concurrency
        )
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


def pool_of(bed: Testbed, **options: object) -> SessionPool:
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


def only_desk(pool: SessionPool) -> SiteQueue:
    [site_queue] = pool._site_registry.values()
    return site_queue


async def test_a_session_is_the_same_visitor_everywhere() -> None:
    """Cookies that are bound to an address and a browser are never shown by another session."""
    async with Testbed(World(proxies=20, banned_share=0.5, bound_cookies=True)) as bed:
        urls, crawl, pool = bed.page_urls(40), Crawl(), pool_of(bed)

        async with pool:
            await crawl.crawler(pool).run(urls)

            assert len(crawl.pages) == 40
            assert set(crawl.sessions.values()) <= only_desk(pool).engine.state.sessions.keys()
        assert bed.truth().answer_counts["blocked"] <= 10


@pytest.mark.parametrize("make_client", CLIENTS.values(), ids=CLIENTS)
async def test_a_request_can_be_bound_to_the_session_of_another(make_client: Callable[[], HttpClient | None]) -> None:
    """By its id, as Crawlee's users do it; it has the cookies of the first, and the user's data."""
    async with Testbed(World(proxies=5)) as bed:
        first, second = f"{bed.site_url}/cookie", f"{bed.site_url}/cookie?again=1"
        seen: list[Any] = []

        async def follow(context: HttpCrawlingContext) -> None:
            session = context.session
            assert isinstance(session, CrawleeSession)
            if context.request.url == first:
                session.user_data["page"] = 7
                await context.add_requests([Request.from_url(second, session_id=session.id)])
            else:
                seen.extend([session.id, session.user_data, session.cookies["flavour"]])

        crawl = Crawl()
        await crawl.crawler(pool_of(bed), follow, make_client()).run([first])

    assert seen == [crawl.sessions[first], {"page": 7}, "vanilla"]
    assert b"flavour=vanilla" in crawl.pages[second]


async def test_headers_of_the_pool_go_to_the_sites_that_they_are_for() -> None:
    """With those of the request on top, each name once."""
    sent: dict[str, dict[str, str]] = {}

    def keep(request: PoolRequest, session: Session) -> Response:
        sent[request.url] = {name.lower(): value for name, value in request.headers.items()}
        assert len(sent[request.url]) == len(request.headers)
        return answers(200)(request, session)

    headers: Given = {"X-Own": "pool", "shop.example": {"Authorization": "s3cret"}}
    pool = SessionPool(lines(2), store="memory:", max_rate=0, looks=False, client=Scripted(keep), headers=headers)
    requests = [
        Request.from_url("http://shop.example/", headers={"x-own": "request"}),
        Request.from_url("http://other.example/"),
    ]

    crawl = Crawl()
    await crawl.crawler(pool).run(requests)

    assert crawl.errors == {}
    assert sent == {
        "http://shop.example/": {"x-own": "request", "authorization": "s3cret"},
        "http://other.example/": {"x-own": "pool"},
    }


async def test_a_session_that_is_unknown_is_missed_as_in_crawlee() -> None:
    """The request fails at once, with Crawlee's own error, and nothing is sent."""
    async with Testbed(World(proxies=5)) as bed:
        crawl = Crawl()
        await crawl.crawler(pool_of(bed)).run([Request.from_url(bed.page_url(1), session_id="nobody")])

        assert bed.truth().hit_count == 0
    assert [type(error).__name__ for error in crawl.errors.values()] == ["RequestCollisionError"]


async def test_an_error_of_the_handlers_own_says_nothing_of_the_session() -> None:
    """However often it comes; Crawlee's own would give the session up after three."""
    async with Testbed(World(proxies=1)) as bed:

        async def stumble(_: HttpCrawlingContext) -> None:
            raise ValueError("a bug of the user's")

        crawl, pool = Crawl(), pool_of(bed)
        async with pool:
            await crawl.crawler(pool, stumble, max_request_retries=1).run(bed.page_urls(5))

            assert pool.working_count == 1
            assert only_desk(pool).status().blocked == 0
            assert not only_desk(pool).engine.state.flights
        assert bed.truth().answer_counts == {"ok": 10}
    assert {type(error) for error in crawl.errors.values()} == {ValueError}


async def test_a_session_that_is_retired_is_not_used_again() -> None:
    """Nor is it in another run; its proxy may carry another visitor."""
    async with Testbed(World(proxies=4)) as bed:
        retired: list[str] = []

        async def retire(context: HttpCrawlingContext) -> None:
            assert context.session is not None
            retired.append(context.session.id)
            context.session.retire()

        crawl, pool = Crawl(), pool_of(bed)
        async with pool:
            await crawl.crawler(pool, retire, concurrency=1).run(bed.page_urls(6))

            assert len(set(retired)) == len(retired) == 6
            assert pool.working_count == 0


async def test_who_says_that_a_session_is_blocked_gets_another() -> None:
    """By Crawlee's own error; it costs a rotation, as the pool found nothing wrong."""
    async with Testbed(World(proxies=6)) as bed:
        sessions: list[str] = []

        async def doubt(context: HttpCrawlingContext) -> None:
            assert context.session is not None
            sessions.append(context.session.id)
            if len(sessions) < 3:
                raise SessionError("looks odd")

        crawl = Crawl()
        await crawl.crawler(pool_of(bed), doubt, max_session_rotations=3).run([bed.page_url(1)])

    assert len(set(sessions)) == 3
    assert crawl.pages.keys() == {bed.page_url(1)}


async def test_looking_for_a_session_that_works_costs_a_request_no_rotation() -> None:
    """It would be given up at once otherwise, as most proxies are banned."""
    async with Testbed(World(proxies=30, banned_share=0.9)) as bed:
        crawl = Crawl()
        await crawl.crawler(pool_of(bed), max_session_rotations=1, max_request_retries=0).run([bed.page_url(1)])

        assert bed.truth().answer_counts["blocked"] > 1
    assert crawl.pages.keys() == {bed.page_url(1)}


async def test_where_nothing_works_requests_fail_and_say_so() -> None:
    """Each once, after the pool has tried what there is; nothing is sent without a proxy."""
    async with Testbed(World(proxies=8, banned_share=1.0)) as bed:
        crawl = Crawl()
        pool = pool_of(bed, max_wait_seconds=0.0)
        await crawl.crawler(pool).run(bed.page_urls(10))

        exits = {exit_.address for exit_ in bed.exits}
        assert {hit.exit for hit in bed.truth().hits} <= exits
        assert bed.truth().hit_count <= 16
    assert crawl.pages == {}
    assert len(crawl.errors) == 10
    assert {type(error) for error in crawl.errors.values()} == {NoSessionAvailable}


async def test_what_was_learned_is_there_in_the_next_run(tmp_path: Path) -> None:
    """In our store, so that the second run wastes next to nothing."""
    async with Testbed(World(proxies=40, banned_share=0.8)) as bed:
        for start in (0, 20):
            before = bed.truth().answer_counts.get("blocked", 0)
            crawl = Crawl()
            urls = [bed.page_url(id_) for id_ in range(start, start + 20)]
            await crawl.crawler(pool_of(bed, store=tmp_path / "store")).run(urls)
            assert len(crawl.pages) == 20

        assert bed.truth().answer_counts["blocked"] - before <= 2 < before


async def test_a_page_that_is_missing_is_no_fault_of_the_session() -> None:
    """Crawlee fails it as it fails a 404, without a retry."""
    async with Testbed(World(proxies=3, missing_share=1.0)) as bed:
        crawl, pool = Crawl(), pool_of(bed)
        async with pool:
            await crawl.crawler(pool).run(bed.page_urls(4))

            assert pool.working_count >= 1
        assert bed.truth().answer_counts == {"missing": 4}
    assert {type(error).__name__ for error in crawl.errors.values()} == {"HttpClientStatusCodeError"}


async def test_what_may_have_had_an_effect_is_not_sent_twice() -> None:
    """A POST that was refused might have been taken in."""
    async with Testbed(World(proxies=5, banned_share=1.0)) as bed:
        crawl = Crawl()
        request = Request.from_url(bed.page_url(1), method="POST", payload=b"x=1")
        await crawl.crawler(pool_of(bed)).run([request])

        assert bed.truth().hit_count == 1
    assert [type(error) for error in crawl.errors.values()] == [SessionError]


@pytest.mark.parametrize(("path", "told"), LED_ON_TOLD)
async def test_redirects_are_judged_one_by_one(path: str, told: str) -> None:
    """What they say counts where they do not end at the page."""
    async with playing(LED_ON) as (line, _):
        crawl = Crawl()
        pool = SessionPool([line], store="memory:", max_rate=0.0, max_wait_seconds=0.1)
        crawler = crawl.crawler(pool, max_request_retries=0, max_session_rotations=0)
        await crawler.run([f"{SHOP}/{path}"])

    assert [str(error) for error in crawl.errors.values()] == [told]


async def test_what_a_proxy_answers_to_a_connect_is_told() -> None:
    """By the pool's own client, as it tells it to the pool."""
    refusing = saying(answer("407 Proxy Authentication Required", "Proxy-Authenticate: Basic realm=x"))
    async with listening(refusing) as port:
        crawl = Crawl()
        pool = SessionPool([f"http://127.0.0.1:{port}"], store="memory:", max_rate=0.0, max_wait_seconds=0.1)
        crawler = crawl.crawler(pool, max_request_retries=0, max_session_rotations=0)
        await crawler.run(["https://shop.example/item/1"])

    [error] = crawl.errors.values()
    assert "the proxy wants other credentials" in str(error)


@pytest.mark.parametrize("make_client", CLIENTS.values(), ids=CLIENTS)
async def test_proxies_that_hang_or_refuse_are_found_out(make_client: Callable[[], HttpClient | None]) -> None:
    """What a client makes of them in Crawlee says the same as it does elsewhere."""
    async with Testbed(World(proxies=9, refusing=3, hanging=3)) as bed:
        # What is cheaper is tried first, so that some of those are that refuse.
        pairs = zip(bed.proxy_lines, bed.exits, strict=True)
        priced = [line if exit_.kind == "refusing" else f"{line} cost=100" for line, exit_ in pairs]
        crawl, pool = Crawl(), SessionPool(priced, store="memory:", max_rate=0.0, seed=1, timeout_seconds=0.5)
        async with pool:
            crawler = crawl.crawler(pool, None, make_client(), navigation_timeout=timedelta(seconds=1))
            await crawler.run(bed.page_urls(12))

            assert only_desk(pool).status().dead >= 1
    assert len(crawl.pages) == 12


async def test_a_request_that_comes_back_goes_through_another_exit() -> None:
    """While there is one that it was not sent through."""
    async with Testbed(World(proxies=4)) as bed, pool_of(bed) as pool:
        options = http_crawler_options(pool)
        sessions, proxies = options["session_pool"], options["proxy_configuration"]
        async with sessions:
            for number in range(12):
                await pool.get(bed.page_urls(20)[number])
            taken = []
            for _ in range(4):
                session = await sessions.get_session()
                info = await proxies.new_proxy_info(session.id, Request.from_url(bed.page_urls(1)[0]), None)
                taken.append(info.url)
                session.mark_bad()
                session.end()

    assert len(set(taken)) == 4


async def test_a_lease_is_given_back_whatever_happens() -> None:
    """Also where Crawlee marks the session neither good nor bad."""
    async with Testbed(World(proxies=2)) as bed:
        crawl, pool = Crawl(), pool_of(bed)
        async with pool:
            crawler = crawl.crawler(pool, max_session_rotations=1)

            @crawler.pre_navigation_hook
            async def stumble(_: BasicCrawlingContext) -> None:
                raise SessionError("before anything was sent")

            await crawler.run([bed.page_url(1)])

            assert not only_desk(pool).engine.state.flights
        assert bed.truth().hit_count == 0


async def test_what_a_basic_crawler_sends_is_judged_once() -> None:
    """The first request of a handler speaks for its session; those that follow go through the same."""
    async with Testbed(World(proxies=20, banned_share=0.7)) as bed:
        seen: list[str] = []

        async def handle(context: BasicCrawlingContext) -> None:
            answers = [await context.send_request(f"{bed.site_url}/echo") for _ in range(2)]
            seen.extend([(await answer.read()).decode() for answer in answers])

        pool = pool_of(bed)
        async with pool:
            crawler = BasicCrawler(
                **http_crawler_options(pool),
                request_handler=handle,
                storage_client=MemoryStorageClient(),
                configure_logging=False,
            )
            await crawler.run([f"{bed.site_url}/page/1"])

            assert pool.working_count == 1
    assert len(seen) == 2
    assert seen[0] == seen[1]


async def test_what_a_handler_sends_besides_delays_the_next_request() -> None:
    """By a turn of the cap each; what goes to another site does not."""
    async with Testbed(World(proxies=1)) as bed:
        pool, due = pool_of(bed, max_rate=0.0001), []

        async def ask(context: HttpCrawlingContext) -> None:
            for url in (f"{bed.site_url}/echo", f"{bed.site_url}/echo?2", "http://elsewhere.example/"):
                due.append(only_desk(pool).engine.state.site.next_at)
                await context.send_request(url)
            due.append(only_desk(pool).engine.state.site.next_at)

        async with pool:
            await Crawl().crawler(pool, ask).run([bed.page_url(1)])

    assert [round(later - sooner) for sooner, later in pairwise(due)] == [10_000, 10_000, 0]


async def test_robots_txt_is_read_through_the_pool() -> None:
    """Crawlee asks for it without a session, and so would show the site this machine's own address."""
    async with Testbed(World(proxies=10, banned_share=0.5, robots="User-agent: *\nDisallow: /page/1\n")) as bed:
        crawl = Crawl()
        crawler = crawl.crawler(pool_of(bed), respect_robots_txt_file=True)
        await crawler.run([bed.page_url(1), bed.page_url(2)])

        assert {hit.exit for hit in bed.truth().hits} <= {exit_.address for exit_ in bed.exits}
    assert crawl.pages.keys() == {bed.page_url(2)}


async def test_a_crawler_can_run_twice_on_a_pool_that_is_open() -> None:
    """What the first run learned holds in the second, although Crawlee resets its pool in between."""
    async with Testbed(World(proxies=20, banned_share=0.7)) as bed, pool_of(bed) as pool:
        crawl = Crawl()
        crawler = crawl.crawler(pool)

        await crawler.run(bed.page_urls(5))
        before = bed.truth().answer_counts["blocked"]
        await crawler.run([bed.page_url(id_) for id_ in range(5, 10)])

        assert len(crawl.pages) == 10
        assert bed.truth().answer_counts["blocked"] <= before + 2


async def test_a_crawler_without_sessions_is_told_so() -> None:
    """It would send without a proxy."""
    async with Testbed(World(proxies=2)) as bed:
        with pytest.raises(ConfigError, match="use_session_pool"):
            await Crawl().crawler(pool_of(bed), use_session_pool=False).run([bed.page_url(1)])

        assert bed.truth().hit_count == 0


async def test_no_password_is_shown() -> None:
    """Neither by the session nor by its proxy, of which Crawlee's own show everything."""
    async with Testbed(World(proxies=2)) as bed:
        shown: list[str] = []

        async def show(context: HttpCrawlingContext) -> None:
            shown.extend([repr(context.session), repr(context.proxy_info), repr(context)])

        await Crawl().crawler(pool_of(bed), show).run([f"{bed.site_url}/cookie"])

        [password] = {line.partition("@")[0].rpartition(":")[2] for line in bed.proxy_lines}
    assert len(shown) == 3
    assert not [text for text in shown if password in text or "vanilla" in text]


class TestSession:
    """What Crawlee's users know a session to do, of one that has no request."""

    def test_its_score_rises_and_falls(self) -> None:
        """By one for what is bad, by half for what is good; at three it is retired."""
        session = CrawleeSession(user_data={"key": 1}, cookies={"name": "value"})

        session.mark_bad()
        session.mark_bad()
        session.mark_good()
        assert (session.error_score, session.usage_count, session.is_usable) == (1.5, 3, True)
        session.mark_bad()
        session.mark_bad()

        assert session.is_blocked
        assert not session.is_usable
        assert (session.user_data, session.cookies["name"]) == ({"key": 1}, "value")

    def test_it_is_retired_at_once(self) -> None:
        """Without another use."""
        session = CrawleeSession()
        session.retire()

        assert not session.is_usable
        assert session.usage_count == 0

    def test_its_state_makes_another(self) -> None:
        """Of the same id."""
        session = CrawleeSession(id="one", cookies={"name": "value"})

        again = CrawleeSession.from_model(session.get_state(as_dict=False))

        assert (again.id, again.cookies) == ("one", session.cookies)
        assert session.get_state(as_dict=True)["id"] == "one"

    def test_it_ends_neither_by_its_age_nor_by_its_uses(self) -> None:
        """That is for the pool to say, which knows what exits bear."""
        session = CrawleeSession(usage_count=10_000)

        assert not session.is_max_usage_count_reached
        assert not session.is_expired

    @pytest.mark.parametrize(("status", "is_blocked"), [(403, True), (429, True), (200, False)])
    def test_it_knows_blocks_by_their_status(self, status: int, *, is_blocked: bool) -> None:
        """As long as there is nothing better to go by."""
        assert CrawleeSession().is_blocked_status_code(status_code=status) is is_blocked


def test_without_crawlee_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the package itself never asks for it."""
    for name in [name for name in sys.modules if name.split(".")[0] == "crawlee" or "adapters.crawlee" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "crawlee", None)

    with pytest.raises(MissingExtraError, match=r"crawlee.*: pip install 'proxysieve\[crawlee\]'"):
        importlib.import_module("proxysieve.adapters.crawlee")
