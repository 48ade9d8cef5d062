"""Our re-implementations of the rivals, held against the real packages.

Both see the same picks and the same outcomes, and must be in the same state at every step. Where chance decides, the
real one is handed the draws of ours, and that both draw alike is looked at apart.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, tzinfo
from functools import partial
from random import Random
from typing import ClassVar, TypeVar

import pytest
from crawlee import ConcurrencySettings, HttpHeaders
from crawlee.crawlers import HttpCrawler, HttpCrawlingContext
from crawlee.errors import ProxyError
from crawlee.http_clients import HttpClient, HttpCrawlingResult, HttpResponse
from crawlee.proxy_configuration import ProxyConfiguration, ProxyInfo
from crawlee.sessions import SessionPool
from crawlee.storage_clients import MemoryStorageClient
from crawlee.storages import RequestQueue
from rotating_proxies.expire import Proxies, exp_backoff  # type: ignore[import-untyped]
from rotating_proxies.middlewares import BanDetectionMiddleware, RotatingProxyMiddleware  # type: ignore[import-untyped]
from scrapy import Spider
from scrapy.http import Request, Response
from scrapy.utils.test import get_crawler
from tests.sim.scripts import OK, B, D, E, U, answer, plain, sent, use, world
from twisted.internet.error import ConnectionLost
from twisted.internet.error import TimeoutError as TwistedTimeout

from proxysieve.core.model import Outcome
from proxysieve.sim.bans import START_AT
from proxysieve.sim.rivals.crawlee import (
    ERROR_DECREMENT,
    MAX_AGE_SECONDS,
    MAX_ERROR_SCORE,
    MAX_USAGE_COUNT,
    POOL_SIZE,
    Crawlee,
    PythonPool,
    PythonSession,
)
from proxysieve.sim.rivals.rotating_proxies import RotatingProxies, longest_back_off_seconds

T = TypeVar("T")

THROTTLED = Outcome.THROTTLED
# How likely each outcome is: where most is fine sessions wear out and grow old, and so on.
MIXES = {
    "mostly fine": {OK: 95, E: 3, U: 1, B: 1},
    "errors": {OK: 50, E: 30, U: 10, D: 10},
    "mostly blocked": {OK: 20, B: 60, THROTTLED: 15, D: 5},
    "of everything": {OK: 30, B: 10, THROTTLED: 10, E: 20, U: 20, D: 10},
}


def drawn(mix: str, rng: Random) -> Outcome:
    weights = MIXES[mix]
    return rng.choices(list(weights), list(weights.values()))[0]


class Clock:
    """The time, for whoever calls it ``datetime`` or ``time``."""

    def __init__(self) -> None:
        self.now_at = START_AT

    def now(self, zone: tzinfo) -> datetime:
        return datetime.fromtimestamp(self.now_at, zone)

    def time(self) -> float:
        return self.now_at


class SameDraws:
    """Chooses with the draw that ours chooses with."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(seed)

    def choice(self, items: Sequence[T]) -> T:
        return items[int(self._rng.random() * len(items))]


PROXY_URLS = [f"http://proxy-{number}.example:8000" for number in range(30)]
FEW_URLS = PROXY_URLS[:8]
FEW_SESSIONS = 6
IN_FLIGHT = 5
# No page is ever given up, as in the simulator.
NO_END = 1_000_000

# Of a session, by both: its exit (-1: none yet), error score, use count, and whether it is usable.
Shown = tuple[int, float, float, bool]


class Answered:
    """An answer without a network."""

    http_version = "HTTP/1.1"
    headers = HttpHeaders({"content-type": "text/html"})

    def __init__(self, status_code: int) -> None:
        self.status_code = status_code

    async def read(self) -> bytes:
        return b"<html></html>"

    def read_stream(self) -> AsyncIterator[bytes]:
        raise NotImplementedError


class ScriptedClient(HttpClient):
    """Answers the real crawler's requests as drawn and in any order, and has ours do the same beside it.

    Attributes:
        picks: The exit of each request, by the real one and by ours.
        states: All sessions before each answer, likewise.
    """

    WAYS: ClassVar[dict[Outcome, tuple[int | type[Exception], ...]]] = {
        OK: (200,),
        B: (401, 403, ProxyError),
        THROTTLED: (429,),
        E: (500, 502, 503),
        U: (TimeoutError,),
        D: (TimeoutError,),
    }

    def __init__(self, mix: str, pace_seconds: int, clock: Clock) -> None:
        super().__init__()
        self.picks: list[tuple[int, int]] = []
        self.states: list[tuple[list[Shown], list[Shown]]] = []
        self.proxies = ProxyConfiguration(proxy_urls=[*PROXY_URLS])
        self.sessions = SessionPool(max_pool_size=FEW_SESSIONS)
        self.ours = Crawlee(
            plain(len(PROXY_URLS)), partial(PythonPool, rng=Random(pace_seconds), size=FEW_SESSIONS), PythonSession
        )
        self._mix = mix
        self._pace_seconds = pace_seconds
        self._rng = Random(f"outcomes {pace_seconds}")
        self._clock = clock
        self._waiting: list[asyncio.Future[None]] = []
        self._crawler: HttpCrawler | None = None
        self._steps = 0

    async def play(self, steps: int) -> None:
        """Crawl until so many answers came."""
        self._steps = steps
        storage = MemoryStorageClient()
        queue = await RequestQueue.open(
            alias=f"{self._mix} {self._pace_seconds}".replace(" ", "-"), storage_client=storage
        )
        self._crawler = HttpCrawler(
            http_client=self,
            session_pool=self.sessions,
            proxy_configuration=self.proxies,
            request_manager=queue,
            storage_client=storage,
            concurrency_settings=ConcurrencySettings(
                min_concurrency=IN_FLIGHT, max_concurrency=IN_FLIGHT, desired_concurrency=IN_FLIGHT
            ),
            max_request_retries=NO_END,
            max_session_rotations=NO_END,
            request_handler=self._handle,
            configure_logging=False,
        )
        await self._crawler.run([f"http://site.example/{page}" for page in range(steps + IN_FLIGHT)])
        await queue.drop()

    async def crawl(self, *_: object, proxy_info: ProxyInfo | None = None, **__: object) -> HttpCrawlingResult:
        assert proxy_info is not None
        go = sent(self.ours, self._clock.now_at - START_AT)
        self.picks.append((_exit_of(proxy_info.url), go.exit))
        await self._member()
        outcome = drawn(self._mix, self._rng)
        way = self._rng.choice(self.WAYS[outcome])
        self.ours.finish(0, go.ticket, answer(outcome), self._clock.now_at)
        if isinstance(way, int):
            return HttpCrawlingResult(http_response=Answered(way))
        raise way

    async def send_request(self, *_: object, **__: object) -> HttpResponse:
        raise NotImplementedError

    def stream(self, *_: object, **__: object) -> AbstractAsyncContextManager[HttpResponse]:
        raise NotImplementedError

    async def cleanup(self) -> None:
        """Nothing is open."""

    async def _handle(self, context: HttpCrawlingContext) -> None:
        """Any page will do."""

    async def _member(self) -> None:
        """Wait to be drawn from all that are in flight, one at a time."""
        member = asyncio.get_running_loop().create_future()
        self._waiting.append(member)
        if len(self._waiting) == IN_FLIGHT:
            self._draw()
        await member

    def _draw(self) -> None:
        self.states.append((self._real_state(), self._our_state()))
        self._clock.now_at += self._rng.choice((0, self._pace_seconds))
        rotation = [self._waiting.pop(self._rng.randrange(IN_FLIGHT))]
        self._steps -= 1
        if not self._steps and self._crawler:
            self._crawler.stop()
            rotation += self._waiting
        for member in rotation:
            member.set_result(None)

    def _real_state(self) -> list[Shown]:
        urls = self.proxies._used_proxy_urls
        return [
            (
                _exit_of(str(urls[session.id])) if session.id in urls else -1,
                session.error_score,
                session.usage_count,
                session.is_usable,
            )
            for session in self.sessions._state.current_value.sessions.values()
        ]

    def _our_state(self) -> list[Shown]:
        assert isinstance(self.ours._pool, PythonPool)
        return [
            (session.exit, session.error_score, session.use_count, session.is_usable(self._clock.now_at))
            for session in self.ours._pool._sessions
        ]


def _exit_of(url: str) -> int:
    return PROXY_URLS.index(url.rstrip("/"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time of both."""
    clock = Clock()
    monkeypatch.setattr("crawlee.sessions._session.datetime", clock)
    monkeypatch.setattr("rotating_proxies.expire.time", clock)
    return clock


class TestCrawlee:
    """Against crawlee's own crawler, session pool and proxy configuration."""

    @pytest.mark.parametrize("pace_seconds", [3, 30], ids=["worn out first", "too old first"])
    @pytest.mark.parametrize("mix", MIXES)
    async def test_all_sessions_are_alike_at_every_step(
        self, mix: str, pace_seconds: int, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Their proxies, scores, uses and whether they are usable, whatever came in whichever order."""
        monkeypatch.setattr("crawlee.sessions._session_pool.random", SameDraws(pace_seconds))
        client = ScriptedClient(mix, pace_seconds, clock)

        await client.play(400)

        assert len(client.states) == 400
        assert [real for real, _ in client.states] == [ours for _, ours in client.states]
        assert [real for real, _ in client.picks] == [ours for _, ours in client.picks]

    async def test_the_settings_are_its_defaults(self) -> None:
        """Of a session, and how many there are."""
        async with SessionPool() as pool:
            session = await pool.get_session()

            assert pool.session_count == POOL_SIZE
            assert session._max_error_score == MAX_ERROR_SCORE
            assert session._error_score_decrement == ERROR_DECREMENT
            assert session._max_usage_count == MAX_USAGE_COUNT
            assert session._max_age.total_seconds() == MAX_AGE_SECONDS

    async def test_any_session_is_as_likely_as_any_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Also one that is unusable, for which there is a new one."""
        monkeypatch.setattr("crawlee.sessions._session_pool.random", Random(1))
        rng = Random(2)

        real = Counter([await _real_place() for _ in range(1000)])
        ours = Counter([_our_place(rng) for _ in range(1000)])

        assert set(real) == set(ours) == {1, 3, 5, 6}
        assert [real[place] for place in (1, 3, 5)] == pytest.approx([1000 / 6] * 3, abs=60)
        assert [ours[place] for place in (1, 3, 5)] == pytest.approx([1000 / 6] * 3, abs=60)


async def _real_place() -> int:
    """Which of six sessions the real pool picks, where every other one is retired; 6 for a new one."""
    async with SessionPool(max_pool_size=6) as pool:
        sessions = list(pool._state.current_value.sessions.values())
        for session in sessions[::2]:
            session.retire()
        picked = await pool.get_session()
        return next((place for place, session in enumerate(sessions) if session is picked), 6)


def _our_place(rng: Random) -> int:
    pool = PythonPool(lambda now: PythonSession(-1, now), rng, size=6)
    pool.get(START_AT)
    sessions = list(pool._sessions)
    for session in sessions[::2]:
        session.retire()
    picked = pool.get(START_AT)
    return next((place for place, session in enumerate(sessions) if session is picked), 6)


class ToldPicks:
    """Chooses the proxy that ours chose, if that can be chosen, and draws back-offs as ours does."""

    def __init__(self, seed: int) -> None:
        self.told = ""
        self._rng = Random(seed)

    def choice(self, urls: Sequence[str]) -> str:
        # One draw for each choice, as ours.
        self._rng.random()
        return urls[urls.index(self.told)]

    def uniform(self, low: float, high: float) -> float:
        return self._rng.uniform(low, high)


class Pair:
    """The real middlewares, and ours beside them.

    Attributes:
        states: After each step, of both: which proxies are available, how often each failed since it was good, and of
            the dead until when.
    """

    WAYS: ClassVar[dict[Outcome, tuple[Response | Exception, ...]]] = {
        OK: (Response("http://site.example", body=b"page"), Response("http://site.example", status=302)),
        B: (Response("http://site.example", status=403), Response("http://site.example", body=b"")),
        THROTTLED: (Response("http://site.example", status=429),),
        E: (Response("http://site.example", status=500), Response("http://site.example", status=503)),
        U: (TwistedTimeout(), ConnectionLost()),  # type: ignore[no-untyped-call]
        D: (TwistedTimeout(),),  # type: ignore[no-untyped-call]
    }

    def __init__(self, mix: str, seed: int, clock: Clock, told: ToldPicks) -> None:
        self.states: list[tuple[object, object]] = []
        self.ours = RotatingProxies(plain(len(FEW_URLS)), Random(seed))
        crawler = get_crawler(settings_dict={"ROTATING_PROXY_LIST": FEW_URLS})
        self.bans = BanDetectionMiddleware.from_crawler(crawler)
        self.rotation = RotatingProxyMiddleware.from_crawler(crawler)
        self._spider = Spider("spider")
        self._mix = mix
        self._rng = Random(f"outcomes {seed}")
        self._clock = clock
        self._told = told
        self._in_flight: list[tuple[Request, int]] = []

    def play(self, steps: int) -> None:
        """Send and answer, in any order."""
        for _ in range(steps):
            if len(self._in_flight) < IN_FLIGHT:
                self._send()
            else:
                self._land(*self._in_flight.pop(self._rng.randrange(IN_FLIGHT)))
            self.states.append((self._real_state(), self._our_state()))
            self._pass(self._rng.choice((0, 1, 4, 60)))

    def _send(self) -> None:
        go = sent(self.ours, self._clock.now_at - START_AT)
        url = FEW_URLS[go.exit]
        request = Request("http://site.example")
        self._told.told = url
        self.rotation.process_request(request, self._spider)
        self._in_flight.append((request, go.ticket))

    def _land(self, request: Request, ticket: int) -> None:
        outcome = drawn(self._mix, self._rng)
        way = self._rng.choice(self.WAYS[outcome])
        self.ours.finish(0, ticket, answer(outcome), self._clock.now_at)
        for middleware in (self.bans, self.rotation):
            if isinstance(way, Response):
                middleware.process_response(request, way, self._spider)
            else:
                middleware.process_exception(request, way, self._spider)

    def _pass(self, seconds: int) -> None:
        """Let time pass, at whose ticks the real one looks after the dead."""
        until = self._clock.now_at + seconds
        interval = self.rotation.reanimate_interval
        while (ticks_at := self._clock.now_at + interval - (self._clock.now_at - START_AT) % interval) <= until:
            self._clock.now_at = ticks_at
            self.rotation.reanimate_proxies()
        self._clock.now_at = until

    def _real_state(self) -> object:
        proxies = self.rotation.proxies
        dead = {FEW_URLS.index(url): proxies.proxies[url].next_check for url in proxies.dead}
        return (
            {FEW_URLS.index(url) for url in proxies.good | proxies.unchecked},
            [proxies.proxies[url].failed_attempts for url in FEW_URLS],
            dead,
        )

    def _our_state(self) -> object:
        # It looks after the dead when it is asked next, and not at the ticks.
        self.ours._recheck_due(self._clock.now_at)
        count = len(FEW_URLS)
        available = {proxy for proxy in range(count) if proxy in self.ours._available}
        dead = {proxy: self.ours._next_check[proxy] for proxy in range(count) if proxy not in available}
        return available, list(self.ours._failures), dead


# The real one says so by a method that Python would rather have it not use.
@pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")
class TestRotatingProxies:
    """Against the two middlewares of scrapy-rotating-proxies."""

    @pytest.mark.parametrize("seed", range(2))
    @pytest.mark.parametrize("mix", MIXES)
    def test_all_proxies_are_alike_at_every_step(
        self, mix: str, seed: int, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who is available, how often each failed, and when the dead are looked at."""
        told = ToldPicks(seed)
        monkeypatch.setattr("rotating_proxies.expire.random", told)
        pair = Pair(mix, seed, clock, told)

        pair.play(2000)

        assert [real for real, _ in pair.states] == [ours for _, ours in pair.states]

    @pytest.mark.parametrize("failures", range(20))
    def test_the_back_offs_are_alike(self, failures: int) -> None:
        """At most, for any number of failures."""
        assert exp_backoff(failures) == longest_back_off_seconds(failures)

    def test_any_available_proxy_is_as_likely_as_any_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """However often it was used."""
        monkeypatch.setattr("rotating_proxies.expire.random", Random(1))
        real = Proxies(["http://a.example:80", "http://b.example:80", "http://c.example:80", "http://d.example:80"])
        real.mark_dead("http://a.example:80")
        real.mark_good("http://b.example:80")
        ours = RotatingProxies(plain(4), Random(2))
        dead = use(ours, B)

        counts = [
            Counter(real.get_random() for _ in range(900)),
            Counter(use(ours, OK) for _ in range(900)),
        ]

        assert dead not in counts[1]
        for count in counts:
            assert sorted(count.values()) == pytest.approx([300] * 3, abs=60)

    def test_of_a_provider_one_name_answers_for_all(self) -> None:
        """So all but one go on being used, whatever comes of them."""
        names = [f"http://user-session-{number}:secret@gateway.example:8000" for number in range(20)]
        real = Proxies(names)
        ours = RotatingProxies(world("[[exits]]\ncount = 20\nprovider = true\n"), Random(1))

        for name in names:
            real.mark_dead(real.get_proxy(name))
            use(ours, B)

        assert len(real.dead) == 1
        assert len(ours._available) == len(real.unchecked) == 19
