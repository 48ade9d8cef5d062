"""The pool for synchronous callers: the same answers and errors, from any thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from typing import Unpack

import pytest
import requests
from tests.fakes import SITE, URL, Options, Scripted, answers, lines

from proxysieve import (
    Client,
    ConfigError,
    Exchange,
    Fingerprint,
    GaveUp,
    NoSessionAvailable,
    Outcome,
    Page,
    ProxySieveError,
    Request,
    Response,
    Session,
    StoreError,
    SyncSessionPool,
)
from proxysieve.core.site.status import SiteStatus
from proxysieve.testbed import Limit, TestbedProcess, World


def pool_of(count: int, client: Client | None = None, **options: Unpack[Options]) -> SyncSessionPool:
    settled: Options = {"store": "memory:", "max_rate": 0, **options}
    return SyncSessionPool(lines(count), client=client or Scripted(answers(200)), **settled)


def own_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("proxysieve")]


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    """Whatever a test does, no thread of the package is there before or after it."""
    assert own_threads() == []
    yield
    assert own_threads() == []


@pytest.fixture(scope="module")
def bed() -> Iterator[TestbedProcess]:
    """A site at which half of twenty proxies are banned."""
    with TestbedProcess(World(proxies=20, banned_share=0.5, bound_cookies=True, page_bytes=2000)) as bed:
        yield bed


def test_every_page_comes_to_several_threads(bed: TestbedProcess) -> None:
    """Threads share the pool, and each gets its own pages."""
    with SyncSessionPool(bed.proxy_lines, store="memory:", max_rate=0, max_sessions=5) as pool:
        with ThreadPoolExecutor(6) as threads:
            pages = list(threads.map(pool.get, bed.page_urls(60)))

        assert [page.body for page in pages] == [bed.page_body(number) for number in range(60)]
        standing = pool.status(bed.site_url.removeprefix("http://"))
        assert standing.working > 0
        assert "20 proxies" in repr(pool)


def test_attempts_go_on_after_a_block() -> None:
    """The retry idiom without await."""
    statuses = [999, 429, 200]
    names = []
    with pool_of(9) as pool:
        for attempt in pool.attempts(URL):
            with attempt as session:
                names.append(session.name)
                attempt.check(statuses.pop(0), {"X-Own": "1"}, "page", url=URL)

        assert len(set(names)) == 3
        assert pool.status(SITE).working == 1


def test_attempts_can_be_reported() -> None:
    """With report, the block sees the verdict and goes on."""
    statuses = [999, 200]
    outcomes = []
    with pool_of(9) as pool:
        for attempt in pool.attempts(URL):
            with attempt:
                outcomes.append(attempt.report(Exchange(url=URL, status=statuses.pop(0), body=b"page")).outcome)

    assert outcomes == [Outcome.BLOCKED, Outcome.OK]


def post(pool: SyncSessionPool) -> None:
    for attempt in pool.attempts(URL, method="POST"):
        with attempt:
            attempt.check(500)


def test_a_post_is_not_sent_twice() -> None:
    """The method holds for attempts without await as well, and what ends them is told."""
    with pool_of(9) as pool, pytest.raises(GaveUp, match=r"a POST may have had an effect") as caught:
        post(pool)

    assert len(caught.value.attempts) == 1
    assert "1. site error: status 500" in caught.value.story()


def test_the_deadline_holds() -> None:
    """A pause that would end after it is not begun."""
    failing, said = Scripted(answers(500)), r"another try would be past the deadline of 0\.25 s$"
    with pool_of(9, client=failing, deadline_seconds=0.25) as pool, pytest.raises(GaveUp, match=said):
        pool.get(URL)


def divide(pool: SyncSessionPool) -> None:
    for attempt in pool.attempts(URL):
        with attempt:
            raise ZeroDivisionError


def test_the_callers_own_error_goes_through() -> None:
    """It says nothing about the session, in attempts as in leases."""
    with pool_of(2) as pool:
        with pytest.raises(ZeroDivisionError):
            divide(pool)
        with pytest.raises(ZeroDivisionError), pool.acquire(URL):
            raise ZeroDivisionError

        assert pool.status(SITE) == SiteStatus(0, 0, 0, 0)


def test_a_lease_is_reported_or_dropped() -> None:
    """The low level without await; leaving it without a word is an error here too."""
    with pool_of(1) as pool:
        with pool.acquire(URL) as lease:
            assert lease.session.proxy.host == "proxy-0.example"
            verdict = lease.report(Exchange(url=URL, status=200, body=b"page"))
        with pool.acquire(URL) as lease:
            lease.drop()
        with pytest.raises(ProxySieveError, match="without check"), pool.acquire(URL):
            pass

        assert verdict.outcome is Outcome.OK
        assert pool.status(SITE).working == 1


def test_errors_come_through() -> None:
    """What the pool raises arrives in the caller's thread, with its facts."""
    with pool_of(2, client=Scripted(answers(999)), max_wait_seconds=0) as pool:
        with pytest.raises(NoSessionAvailable) as none:
            pool.get(URL)
        with pytest.raises(ConfigError, match="not a URL"):
            pool.get("nonsense")
    with pool_of(2, client=Scripted(answers(500)), attempts=1) as pool, pytest.raises(GaveUp) as given_up:
        pool.get(URL, headers={"X-Own": "1"}, expect="text")

    assert len(none.value.attempts) >= 2
    assert given_up.value.verdict.outcome is Outcome.SITE_ERROR


def test_a_named_session_is_kept_and_renewed(tmp_path: Path) -> None:
    """The same proxy on every run, and another after renew."""
    limit = Limit(requests=2, window_seconds=60, ban_seconds=600)
    proxies = []
    with TestbedProcess(World(proxies=9, limit=limit, block_styles=("challenge",))) as bed:
        site = bed.site_url.removeprefix("http://")
        for number in range(2):
            with SyncSessionPool(bed.proxy_lines, store=tmp_path / "store") as pool:
                proxies.append(pool.session("seven", site=site).get(bed.page_url(number)).proxy)
        with SyncSessionPool(bed.proxy_lines, store=tmp_path / "store", seed=3) as pool:
            named = pool.session("seven", site=site)
            with pytest.raises(GaveUp):
                named.get(bed.page_url(2))
            with pytest.raises(NoSessionAvailable, match="lost"):
                named.get(bed.page_url(2))
            named.renew()
            proxies.append(named.get(bed.page_url(2)).proxy)
            assert "seven" in repr(named)

    assert proxies[0] == proxies[1] != proxies[2]


def test_closing_ends_the_thread_and_may_be_done_twice() -> None:
    """After it, the pool says that it is not open."""
    pool = pool_of(1)
    with pool:
        pool.get(URL)
        assert own_threads() == ["proxysieve"]
    assert own_threads() == []
    pool.close()

    with pytest.raises(ProxySieveError, match="not open any more"):
        pool.get(URL)
    with pytest.raises(ProxySieveError, match="not open any more"):
        pool.status(SITE)


def test_a_start_that_fails_leaves_no_thread(tmp_path: Path) -> None:
    """Neither wrong arguments nor a store that cannot be opened leave anything behind."""
    (tmp_path / "store").write_text("a file where a directory should be")

    with pytest.raises(ConfigError, match="policy"):
        pool_of(1, policy="best")
    with pytest.raises(ConfigError, match="has no proxies"), SyncSessionPool([], store="memory:"):
        pytest.fail("it cannot be opened")
    with pytest.raises(StoreError), pool_of(1, store=tmp_path / "store"):
        pytest.fail("it cannot be opened")

    assert own_threads() == []


def test_a_pool_that_was_never_opened_can_be_closed() -> None:
    """Its thread ends."""
    pool = pool_of(1)

    pool.close()

    assert own_threads() == []


def test_a_thread_that_waits_when_the_pool_is_closed_is_let_go() -> None:
    """It is told that its request was cancelled, instead of waiting for ever."""
    is_waiting = threading.Event()

    def throttle(request: Request, _: Session) -> Response:
        is_waiting.set()
        return Response(url=request.url, status=429, headers=(("retry-after", "20"),), body=b"")

    with ThreadPoolExecutor(1) as threads:
        with pool_of(1, client=Scripted(throttle)) as pool:
            waiter = threads.submit(pool.get, URL)
            assert is_waiting.wait(5)

        with pytest.raises((CancelledError, ProxySieveError)):
            waiter.result(5)


def test_clients_of_synchronous_callers_are_closed_with_their_sessions() -> None:
    """A client made in a thread is found again there, and closed with the pool."""
    closed = []

    class Made:
        def __init__(self, session: Session) -> None:
            self.name = session.name

        def close(self) -> None:
            closed.append(self.name)

    def use(page: int) -> Page | None:
        with pool.acquire(f"{URL}{page}") as lease:
            assert lease.session.client(Made) is lease.session.client(Made)
            lease.report(Exchange(url=URL, status=200, body=b"page"))
        return None

    with pool_of(3, policy="round_robin") as pool, ThreadPoolExecutor(4) as threads:
        list(threads.map(use, range(40)))

    assert len(closed) == len(set(closed)) == 3


def test_a_relay_leads_to_the_sessions_proxy(bed: TestbedProcess) -> None:
    """A client that cannot log in gets its pages, for as long as the block."""
    with SyncSessionPool(bed.proxy_lines, store="memory:", max_rate=0) as pool:
        for attempt in pool.attempts(bed.page_url(1)):
            with attempt as session, pool.relay(session) as url:
                answer = requests.get(bed.page_url(1), proxies={"http": url}, headers=session.headers, timeout=10)
                attempt.check(answer.status_code, answer.headers, answer.content)

        with pytest.raises(requests.ConnectionError):
            requests.get(bed.page_url(1), proxies={"http": url}, timeout=10)

    assert url.startswith("http://127.0.0.1:")
    assert answer.content == bed.page_body(1)


def test_all_sessions_look_as_they_are_told_to(bed: TestbedProcess) -> None:
    """Who drives a browser says which it is."""
    chrome = Fingerprint(engine="chromium", impersonate="chrome150", user_agent="Chrome/156", accept_language="en")
    with SyncSessionPool(bed.proxy_lines, store="memory:", max_rate=0) as pool:
        pool.use_fingerprints([chrome])
        with pool.acquire(bed.page_url(1)) as lease:
            lease.drop()

        assert lease.session.fingerprint == chrome
        with pytest.raises(ProxySieveError, match="look otherwise"):
            pool.use_fingerprints([])
