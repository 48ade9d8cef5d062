"""The retry idiom: what counts, what goes on, and with which clients."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import httpx
import pytest
import requests
from curl_cffi import CurlECode
from curl_cffi.requests import AsyncSession, RequestsError
from tests.fakes import BLOCK, SITE, URL, InTurn, facts_of, pool_of

from proxysieve import (
    Attempt,
    Blocked,
    Exchange,
    GaveUp,
    Outcome,
    ProxySieveError,
    Session,
    SessionPool,
    SyncSessionPool,
    Tried,
)
from proxysieve.attempts import Headers
from proxysieve.clock import VirtualClock
from proxysieve.testbed import Testbed, TestbedProcess, World

# What counts


async def test_looking_for_a_session_that_works_uses_no_attempts(clock: VirtualClock) -> None:
    """Fresh sessions that are refused or dead are passed over, many more of them than there are attempts."""
    failures: list[int | BaseException] = [999, 429, httpx.ReadTimeout("slow")]
    script = InTurn(*failures * 10, 200)
    async with pool_of(100, script, clock=clock, attempts=1) as pool:
        page = await pool.get(URL)

    assert len(page.tries) == 31
    assert page.attempts == 1
    assert not any(tried.counted for tried in page.tries)


async def test_failures_of_sessions_that_had_worked_use_attempts(clock: VirtualClock) -> None:
    """Each try on a session that had worked counts, as it may be the request that is at fault."""
    async with pool_of(3, InTurn(200, 200, 200, 999, 999, 999), clock=clock, policy="round_robin", attempts=2) as pool:
        for _ in range(3):
            await pool.get(URL)
        with pytest.raises(Blocked) as caught:
            await pool.get(URL)

    assert [tried.counted for tried in caught.value.attempts] == [True, True]
    assert str(caught.value) == f"gave up on {URL} after 2 tries; the last was blocked: status 999"


async def test_errors_of_the_site_use_attempts_on_fresh_sessions_too(clock: VirtualClock) -> None:
    """A 500 is no better from another exit, and the site is given a moment, twice as long each time."""
    started_at = clock.now()
    async with pool_of(9, InTurn(500, 503, 500), clock=clock, attempts=3) as pool:
        task = asyncio.create_task(pool.get(URL))
        await clock.advance(0.4)
        assert not task.done()
        await clock.advance(1.1)
        with pytest.raises(GaveUp) as caught:
            await task

        assert [tried.counted for tried in caught.value.attempts] == [True] * 3
        assert clock.now() == started_at + 1.5
        assert pool.standings()[SITE] == (0, 0, 0, 0)


async def test_a_page_tells_how_many_attempts_it_took(clock: VirtualClock) -> None:
    """Its own attempt is among them, and what was not counted is not."""
    async with pool_of(9, InTurn(999, 500, 200), clock=clock) as pool:
        task = asyncio.create_task(pool.get(URL))
        await clock.advance(0.5)
        page = await task

    assert page.attempts == 2
    assert [tried.verdict for tried in page.tries] == [Outcome.BLOCKED, Outcome.SITE_ERROR, Outcome.OK]
    assert [tried.counted for tried in page.tries] == [False, True, False]


async def test_every_try_is_told_as_it_happens(clock: VirtualClock) -> None:
    """The function handed in hears of each, with its site."""
    heard: list[tuple[str, Tried]] = []
    async with pool_of(
        9, InTurn(999, 200), clock=clock, on_tried=lambda site, tried: heard.append((site, tried))
    ) as pool:
        page = await pool.get(URL)

    assert [tried for _, tried in heard] == list(page.tries)
    assert {site for site, _ in heard} == {SITE}


async def test_a_block_of_a_named_session_ends_its_request(clock: VirtualClock) -> None:
    """Another exit is not what was asked for: no attempt follows, though some are left."""
    async with pool_of(9, InTurn(200, 999), clock=clock, attempts=5) as pool:
        named = pool.session("seven", site=SITE)
        await named.get(URL)
        with pytest.raises(Blocked) as caught:
            await named.get(URL)

    assert len(caught.value.attempts) == 1


async def test_a_named_session_tries_again_what_was_not_a_block(clock: VirtualClock) -> None:
    """One time-out costs it an attempt, not its exit."""
    async with pool_of(9, InTurn(200, httpx.ReadTimeout("slow"), 200), clock=clock) as pool:
        named = pool.session("seven", site=SITE)
        await named.get(URL)
        page = await named.get(URL)

    assert [tried.verdict for tried in page.tries] == [Outcome.UNCLEAR, Outcome.OK]
    assert len({tried.proxy for tried in page.tries}) == 1


# How an attempt is left


@pytest.fixture
async def pool(clock: VirtualClock) -> AsyncIterator[SessionPool]:
    """A pool of five proxies, whose sessions are used in turn; nothing is sent."""
    async with pool_of(5, InTurn(), clock=clock) as pool:
        yield pool


async def test_a_good_answer_ends_the_attempts(pool: SessionPool) -> None:
    """After a check that raises nothing there is no other attempt."""
    seen = []
    async for attempt in pool.attempts(URL):
        async with attempt as session:
            attempt.check(200, {"Content-Type": "text/html"}, "page")
            seen.append(session)

    assert len(seen) == 1
    assert pool.standings()[SITE].working == 1


async def test_a_block_leaves_the_attempt_and_the_next_has_another_session(pool: SessionPool) -> None:
    """What follows check is not reached, and what follows the attempt is."""
    statuses = [999, 429, 200]
    names = []
    reached = []
    async for attempt in pool.attempts(URL):
        async with attempt as session:
            names.append(session.name)
            attempt.check(statuses.pop(0), (), "page")
            reached.append(session.name)

    assert len(set(names)) == 3
    assert reached == names[-1:]
    assert facts_of(pool).flights == {}


@pytest.mark.parametrize("headers", [{"Retry-After": "60"}, [("Retry-After", "60")]], ids=["mapping", "pairs"])
async def test_headers_may_be_a_mapping_or_pairs(pool: SessionPool, headers: Headers) -> None:
    """Names count in any case."""
    statuses = [429, 200]
    async for attempt in pool.attempts(URL):
        async with attempt:
            status = statuses.pop(0)
            attempt.check(status, headers if status == 429 else (), "page")

    assert pool.standings()[SITE].resting == 1


@pytest.mark.parametrize("body", ["Just a moment: <i>_cf_chl_opt</i>", b"_cf_chl_opt"], ids=["text", "bytes"])
async def test_the_body_is_judged_as_text_or_bytes(pool: SessionPool, body: str | bytes) -> None:
    """A mark in it is found in both."""
    bodies: list[str | bytes] = [body, "page"]
    attempts = pool.attempts(URL)
    async for attempt in attempts:
        async with attempt:
            attempt.check(200, (), bodies.pop(0))

    assert [tried.why for tried in attempts.tries] == ["Cloudflare challenge page", ""]


async def test_where_redirects_ended_is_judged(pool: SessionPool) -> None:
    """The address handed to check tells a page for robots."""
    attempts = pool.attempts(URL)
    ends = ["http://shop.example/sorry/index", URL]
    async for attempt in attempts:
        async with attempt:
            attempt.check(200, (), "page", url=ends.pop(0))

    assert [tried.verdict for tried in attempts.tries] == [Outcome.BLOCKED, Outcome.OK]


async def test_expected_text_counts_in_attempts(pool: SessionPool) -> None:
    """A page that lacks it leads to the next attempt."""
    bodies = ["something", "the price"]
    attempts = pool.attempts(URL, expect="price")
    async for attempt in attempts:
        async with attempt:
            attempt.check(200, (), bodies.pop(0))

    assert [tried.verdict for tried in attempts.tries] == [Outcome.UNCLEAR, Outcome.OK]


async def test_a_report_lets_the_block_go_on(pool: SessionPool) -> None:
    """With report the block itself sees the verdict, and the next attempt follows when it ends."""
    statuses = [999, 200]
    seen = []
    async for attempt in pool.attempts(URL):
        async with attempt:
            verdict = attempt.report(Exchange(url=URL, status=statuses.pop(0), body=b"page"))
            seen.append(verdict.outcome)

    assert seen == [Outcome.BLOCKED, Outcome.OK]


@pytest.mark.parametrize("by_report", [False, True], ids=["check", "report"])
async def test_the_last_failure_is_raised(clock: VirtualClock, *, by_report: bool) -> None:
    """When attempts are used up it is an error, also where the block went on after its report."""

    async def use_up(pool: SessionPool) -> None:
        async for attempt in pool.attempts(URL):
            async with attempt:
                if by_report:
                    attempt.report(Exchange(url=URL, status=500))
                else:
                    attempt.check(500)

    async with pool_of(5, InTurn(), clock=clock, attempts=3) as pool:
        task = asyncio.create_task(use_up(pool))
        await clock.advance(2)
        with pytest.raises(GaveUp) as caught:
            await task

        assert len(caught.value.attempts) == 3
        assert facts_of(pool).flights == {}


def check_and_divide(attempt: Attempt) -> None:
    attempt.check(200, (), "page")
    raise ZeroDivisionError


def check_twice(attempt: Attempt) -> None:
    attempt.check(200, (), "page")
    attempt.check(999)


async def go_through(pool: SessionPool, act: Callable[[Attempt], object]) -> None:
    async for attempt in pool.attempts(URL):
        async with attempt:
            act(attempt)


async def test_the_callers_own_error_goes_through_and_says_nothing(pool: SessionPool) -> None:
    """A bug in the block is not the session's fault: it is not tried again, and counts neither way."""
    with pytest.raises(ZeroDivisionError):
        await go_through(pool, lambda _: 1 // 0)

    assert facts_of(pool).flights == {}
    assert pool.standings()[SITE] == (0, 0, 0, 0)


async def test_the_callers_own_error_after_a_check_goes_through(pool: SessionPool) -> None:
    """The answer was good, whatever the caller made of it."""
    with pytest.raises(ZeroDivisionError):
        await go_through(pool, check_and_divide)

    assert pool.standings()[SITE].working == 1


async def test_the_callers_own_error_after_a_reported_block_goes_through(pool: SessionPool) -> None:
    """It is not taken for the block, and no attempt follows."""
    with pytest.raises(ZeroDivisionError):
        await go_through(pool, lambda attempt: (attempt.report(BLOCK), 1 // 0))

    assert pool.standings()[SITE].blocked == 1


async def test_leaving_without_a_word_is_an_error(pool: SessionPool) -> None:
    """A block that neither checks nor reports would teach the pool nothing, and is told so."""
    with pytest.raises(ProxySieveError, match=r"without check\(\) or report\(\)"):
        await go_through(pool, lambda _: None)

    assert facts_of(pool).flights == {}


async def test_an_attempt_is_entered_once(pool: SessionPool) -> None:
    """A second request needs a second attempt; the error leaves no lease behind."""
    attempts = pool.attempts(URL)
    attempt = await anext(attempts)
    async with attempt:
        with pytest.raises(ProxySieveError, match="entered already"):
            await attempt.__aenter__()
        attempt.check(200, (), "page")
    with pytest.raises(ProxySieveError, match="entered already"):
        async with attempt:
            pass

    assert facts_of(pool).flights == {}


async def test_an_attempt_is_reported_once(pool: SessionPool) -> None:
    """A second check is an error, and the first stands."""
    with pytest.raises(ProxySieveError, match="reported already"):
        await go_through(pool, check_twice)

    assert pool.standings()[SITE].working == 1


async def test_an_attempt_is_reported_inside(pool: SessionPool) -> None:
    """Without a session there is nothing to report on."""
    attempt = await anext(pool.attempts(URL))

    with pytest.raises(ProxySieveError, match="must be entered"):
        attempt.check(200, (), "page")


async def test_break_and_return_leave_nothing_behind(pool: SessionPool) -> None:
    """After a good answer, leaving the loop in whatever way is fine."""

    async def first_page() -> str:
        async for attempt in pool.attempts(URL):
            async with attempt as session:
                attempt.check(200, (), "page")
                return session.name
        raise AssertionError

    async for attempt in pool.attempts(URL):
        async with attempt:
            attempt.check(200, (), "page")
            break

    assert await first_page()
    assert facts_of(pool).flights == {}


async def test_break_without_a_word_is_an_error_too(pool: SessionPool) -> None:
    """Leaving the loop does not excuse from saying what came back."""

    async def leave() -> None:
        async for attempt in pool.attempts(URL):
            async with attempt:
                break

    with pytest.raises(ProxySieveError, match="without check"):
        await leave()

    assert facts_of(pool).flights == {}


async def test_cancelling_the_block_gives_the_lease_back(pool: SessionPool) -> None:
    """A cancellation is the caller's business and says nothing about the session."""

    async def hang() -> None:
        async for attempt in pool.attempts(URL):
            async with attempt:
                await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(facts_of(pool).flights) == 1
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert facts_of(pool).flights == {}
    assert pool.standings()[SITE] == (0, 0, 0, 0)


# Other clients

# Four that fail, three that are banned, three that work.
MIXED = World(proxies=10, networks=5, refusing=2, demanding=1, failing=1, banned_share=0.5, page_bytes=2000)

# Reading the certificates of all the world's authorities, once a client, is most of the time that httpx would take.
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

By = Callable[[Attempt, Session, str], Awaitable[bytes]]


async def by_httpx(attempt: Attempt, session: Session, url: str) -> bytes:
    client = session.client(make_httpx)
    response = await client.get(url)
    attempt.check(response.status_code, response.headers, response.content)
    return response.content


def make_httpx(session: Session) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        proxy=session.proxy_url,
        headers=session.headers,
        cookies=session.cookies,
        trust_env=False,
        timeout=1,
        verify=NO_AUTHORITIES,
    )


async def by_aiohttp(attempt: Attempt, session: Session, url: str) -> bytes:
    client = session.client(make_aiohttp)
    async with client.get(url, proxy=session.proxy_url) as response:
        body = await response.read()
    attempt.check(response.status, response.headers, body)
    return body


def make_aiohttp(session: Session) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(headers=session.headers, timeout=aiohttp.ClientTimeout(total=1))


async def by_curl(attempt: Attempt, session: Session, url: str) -> bytes:
    response = await session.client(make_curl).get(url)
    body: bytes = response.content
    attempt.check(response.status_code, response.headers, body)
    return body


def make_curl(session: Session) -> AsyncSession[Any]:
    return AsyncSession(
        impersonate=session.identity.impersonate,
        proxy=session.proxy_url,
        cookies=session.cookies,
        trust_env=False,
        timeout=1,
    )


async def get_by(by: By, pool: SessionPool, url: str) -> tuple[bytes, list[Tried]]:
    attempts = pool.attempts(url)
    async for attempt in attempts:
        async with attempt as session:
            return await by(attempt, session, url), attempts.tries
    raise AssertionError


CLIENTS = pytest.mark.parametrize("by", [by_httpx, by_aiohttp, by_curl], ids=["httpx", "aiohttp", "curl_cffi"])


@CLIENTS
async def test_other_clients_bring_every_page(by: By) -> None:
    """Their answers and their errors are judged, and each page comes through in the end."""
    bodies = []
    tries: list[Tried] = []
    async with (
        Testbed(MIXED) as bed,
        SessionPool(bed.proxy_lines, store="memory:", max_rate=0, policy="round_robin") as pool,
    ):
        for url in bed.page_urls(15):
            body, tried = await get_by(by, pool, url)
            bodies.append(body)
            tries += tried

        assert bodies == [bed.page_body(number) for number in range(15)]
        assert {tried.verdict for tried in tries} >= {Outcome.OK, Outcome.BLOCKED, Outcome.PROXY_ERROR}
        assert not any(tried.counted for tried in tries if tried.verdict is Outcome.PROXY_ERROR)


@CLIENTS
@pytest.mark.parametrize("kind", ["refusing", "hanging"])
async def test_a_dead_proxy_is_judged_by_the_error_of_the_client(by: By, kind: str) -> None:
    """It is the proxy's fault, or at least not the site's, and the client's own error is the cause of ours."""
    world = World(proxies=1, networks=1, **{kind: 1})  # type: ignore[arg-type] # both are counts
    tries: list[Tried] = []
    async with (
        Testbed(world) as bed,
        SessionPool(
            bed.proxy_lines, store="memory:", max_wait_seconds=0, on_tried=lambda _, tried: tries.append(tried)
        ) as pool,
    ):
        with pytest.raises(ProxySieveError):
            await get_by(by, pool, bed.page_url(1))

    (tried,) = tries
    assert tried.status == 0
    assert tried.verdict is (Outcome.PROXY_ERROR if kind == "refusing" else Outcome.UNCLEAR)


@CLIENTS
async def test_an_error_that_uses_the_last_attempt_is_the_cause_of_ours(by: By) -> None:
    """The exception of the client is not lost: it hangs on GaveUp."""
    async with (
        Testbed(World(proxies=1, networks=1)) as bed,
        SessionPool(bed.proxy_lines, store="memory:", attempts=1) as pool,
    ):
        await get_by(by, pool, bed.page_url(1))
        with pytest.raises(GaveUp, match="connection lost") as caught:
            await get_by(by, pool, f"{bed.site_url}/reset")

    assert isinstance(caught.value.__cause__, httpx.TransportError | aiohttp.ClientError | RequestsError)


def make_requests(session: Session) -> requests.Session:
    client = requests.Session()
    client.trust_env = False
    client.proxies = {"http": session.proxy_url, "https": session.proxy_url}
    client.headers.update(session.headers)
    return client


def test_requests_brings_every_page() -> None:
    """The synchronous client is judged in the same way, its errors included."""
    bodies = []
    tries: list[Tried] = []
    with (
        TestbedProcess(MIXED) as bed,
        SyncSessionPool(
            bed.proxy_lines,
            store="memory:",
            max_rate=0,
            policy="classic",
            max_sessions=10,
            on_tried=lambda _, tried: tries.append(tried),
        ) as pool,
    ):
        for url in bed.page_urls(15):
            for attempt in pool.attempts(url):
                with attempt as session:
                    response = session.client(make_requests).get(url, timeout=1)
                    attempt.check(response.status_code, response.headers, response.content)
                    bodies.append(response.content)

        assert bodies == [bed.page_body(number) for number in range(15)]
        assert {tried.verdict for tried in tries} >= {Outcome.OK, Outcome.BLOCKED}
        assert not any(tried.counted for tried in tries)


async def test_what_cannot_be_helped_is_tried_once(clock: VirtualClock) -> None:
    """A body beyond the limit would be downloaded again and again, through proxies that cost by the byte."""
    script = InTurn(RequestsError("too large", CurlECode.WRITE_ERROR), 200)
    async with pool_of(3, script, clock=clock) as pool:
        with pytest.raises(GaveUp) as caught:
            await pool.get(URL)

    assert len(caught.value.attempts) == 1


async def test_tries_can_be_limited(clock: VirtualClock) -> None:
    """Those included that use up no attempt."""
    async with pool_of(9, InTurn(*[999] * 9), clock=clock) as pool:
        with pytest.raises(Blocked) as caught:
            await pool.get(URL, max_tries=4)

    assert len(caught.value.attempts) == 4


async def test_a_time_out_of_the_callers_own_goes_through(clock: VirtualClock) -> None:
    """It may be a database that was slow; no session pays for it."""
    async with pool_of(3, InTurn(), clock=clock) as pool:
        with pytest.raises(TimeoutError, match="my database"):  # noqa: PT012 - it is raised in the middle of the idiom
            async for attempt in pool.attempts(URL):
                async with attempt:
                    raise TimeoutError("my database was slow")

        assert (await pool.standing(SITE)).blocked == 0
        assert all(record.unclear_count == 0 for record in facts_of(pool).exits.values())
