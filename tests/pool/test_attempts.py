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
from tests.fakes import BLOCK, OK, SITE, URL, InTurn, Scripted, answers, facts_of, pool_of, tries_in

from proxysieve import (
    Attempt,
    Blocked,
    Exchange,
    GaveUp,
    Lease,
    NoSessionAvailable,
    Outcome,
    ProxySieveError,
    Request,
    Response,
    Session,
    SessionPool,
    SyncSessionPool,
    Tried,
)
from proxysieve.clock import VirtualClock
from proxysieve.core.model import Scope
from proxysieve.core.policies import POLICIES
from proxysieve.core.site.status import SiteStatus
from proxysieve.pool.attempts import Headers
from proxysieve.pool.events import PoolEvent, TryEnded
from proxysieve.testbed import Testbed, TestbedProcess, World


@pytest.fixture
async def pool(clock: VirtualClock) -> AsyncIterator[SessionPool]:
    """A pool of five proxies, whose sessions are used in turn; nothing is sent."""
    async with pool_of(5, InTurn(), clock=clock) as pool:
        yield pool


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
    assert str(caught.value) == f"gave up on {URL} after 2 tries (2 blocked); the last was blocked: status 999"
    assert (caught.value.why, caught.value.retry_at) == ("", None)


@pytest.mark.parametrize("policy", ["adaptive", "classic", "round_robin", "uniform_random"])
async def test_a_page_outlives_sessions_that_die_together(clock: VirtualClock, policy: str) -> None:
    """Whoever does not answer uses no attempt while others are left, and none of them is asked twice."""
    dead: set[str] = set()

    def answer(request: Request, session: Session) -> Response:
        if session.proxy.key in dead:
            raise httpx.ReadTimeout("slow")
        return Response(url=request.url, status=200, headers=(), body=b"page")

    async with pool_of(30, Scripted(answer), clock=clock, policy=policy, attempts=1) as pool:
        for number in range(100):
            session = (await pool.get(f"{URL}{number}")).proxy
            if number >= 70:
                # What works best dies first.
                dead |= {one.key for one in pool._catalog if str(one) == session}
            if len(dead) == 12:
                break
        page = await pool.get(f"{URL}last")

    tried = [one.proxy for one in page.tries]
    assert len(tried) == len(set(tried))
    assert page.attempts == 1


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
        assert pool.statuses()[SITE] == SiteStatus(0, 0, 0, 0)


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
    heard: list[PoolEvent] = []
    async with pool_of(9, InTurn(999, 200), clock=clock, on_event=heard.append) as pool:
        page = await pool.get(URL)

    assert heard == [TryEnded(SITE, tried) for tried in page.tries]


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


# Which session comes next, and when


@pytest.mark.parametrize("policy", sorted(POLICIES))
async def test_errors_of_the_site_are_tried_again_on_the_same_session(clock: VirtualClock, policy: str) -> None:
    """Another one would be no better, and what one has in its cart, only it has."""
    script = InTurn(*[200] * 40)
    async with pool_of(4, script, clock=clock, policy=policy) as pool:
        await open_some(pool)
        await clock.advance(60)
        script.answers = [500, 502, 200]
        task = asyncio.create_task(pool.get(f"https://{SITE}/"))
        await clock.advance(1.5)
        page = task.result()

    assert len({tried.session for tried in page.tries}) == 1
    assert [tried.status for tried in page.tries] == [500, 502, 200]
    assert page.attempts == 3


async def open_some(pool: SessionPool) -> None:
    """Have several sessions work: so many requests at once that no policy would let one of them carry all."""
    waiting = {asyncio.create_task(pool._lease(URL)) for _ in range(40)}
    leases: list[Lease] = []
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        leases += [task.result() for task in done]
        leases.pop(0).report(OK)
    for lease in leases:
        lease.report(OK)
    assert facts_of(pool).working.session_count > 1


async def test_where_the_same_session_is_not_to_be_had_another_is_taken(clock: VirtualClock) -> None:
    """One that had not worked ends with the site's error, and one may be closed during the pause."""
    async with pool_of(4, InTurn(500, 500, 200), clock=clock, policy="round_robin") as pool:
        task = asyncio.create_task(pool.get(URL))
        await clock.advance(1.5)

    assert len({tried.session for tried in task.result().tries}) == 3


async def test_a_pause_is_no_shorter_than_the_site_asked(clock: VirtualClock) -> None:
    """A 500 with Retry-After rests the exit, and the request waits for it: it goes on with the same session."""
    script = InTurn(200, answers(500, ("retry-after", "40")), 200)
    async with pool_of(1, script, clock=clock, max_wait_seconds=0) as pool:
        await pool.get(URL)
        task = asyncio.create_task(pool.get(URL))
        await clock.advance(39)
        assert not task.done()
        assert (await pool.status(SITE)).cooling_down == 1
        await clock.advance(1)

    assert len({tried.session for tried in task.result().tries}) == 1


async def test_a_wait_beyond_the_deadline_is_not_begun(clock: VirtualClock) -> None:
    """The error comes at once, and says when to come back."""
    script = InTurn(200, answers(500, ("retry-after", "900")))
    async with pool_of(3, script, clock=clock) as pool:
        await pool.get(URL)
        with pytest.raises(GaveUp, match=r"asked to come back in 900 s, past the deadline of 600 s$") as caught:
            await pool.get(URL)

    assert caught.value.retry_at == clock.now() + 900


async def test_a_throttled_site_does_not_eat_the_attempts_for_blocks(clock: VirtualClock) -> None:
    """Whoever is throttled rests, and others are due; twice as often as the site may block."""
    script = InTurn(*[200] * 9, *[429] * 3, 999, 200)
    async with pool_of(9, script, clock=clock, policy="round_robin", attempts=2) as pool:
        for _ in range(9):
            await pool.get(URL)
        page = await pool.get(URL)

    assert [tried.counted for tried in page.tries] == [True] * 4 + [False]
    assert page.attempts == 5


async def test_a_site_that_throttles_on_and_on_is_given_up(clock: VirtualClock) -> None:
    """After twice the attempts."""
    script = InTurn(*[200] * 9, *[429] * 9)
    async with pool_of(9, script, clock=clock, policy="round_robin", attempts=2) as pool:
        for _ in range(9):
            await pool.get(URL)
        with pytest.raises(Blocked, match=r"after 4 tries \(4 throttled\)"):
            await pool.get(URL)


# How long it may take


async def test_no_try_begins_after_the_deadline(clock: VirtualClock) -> None:
    """However many are left; the last verdict is told."""
    started_at = clock.now()

    async def go(pool: SessionPool) -> None:
        async for attempt in pool.attempts(URL):
            async with attempt:
                await clock.wait(asyncio.Event(), clock.now() + 4)
                attempt.check(999)

    async with pool_of(9, InTurn(), clock=clock, deadline_seconds=10) as pool:
        task = asyncio.create_task(go(pool))
        await clock.advance(12)
        with pytest.raises(Blocked, match=r"3 tries \(3 blocked\).*; past the deadline of 10 s$") as caught:
            await task

    assert clock.now() == started_at + 12
    assert caught.value.verdict.outcome is Outcome.BLOCKED


async def test_time_between_a_report_and_the_next_try_counts(clock: VirtualClock) -> None:
    """Where a block goes on after its report until the deadline is over, nothing more is sent."""

    async def go(pool: SessionPool) -> None:
        async for attempt in pool.attempts(URL):
            async with attempt:
                attempt.report(BLOCK)
                await clock.wait(asyncio.Event(), clock.now() + 11)

    async with pool_of(9, InTurn(), clock=clock, deadline_seconds=10) as pool:
        task = asyncio.create_task(go(pool))
        await clock.advance(11)
        with pytest.raises(Blocked, match="past the deadline") as caught:
            await task

        assert len(caught.value.attempts) == 1
        assert facts_of(pool).flights == {}


async def test_a_wait_for_a_session_ends_with_the_deadline(clock: VirtualClock) -> None:
    """With what was tried, if anything was; else it is said that no session came."""
    async with pool_of(1, InTurn(999), clock=clock, deadline_seconds=20, max_rate=0.01) as pool:
        tried = asyncio.create_task(pool.get(URL))
        untried = asyncio.create_task(pool.get(URL))
        named = asyncio.create_task(pool.session("seven", site=SITE).get(URL))
        await clock.advance(19)
        assert not any(task.done() for task in (tried, untried, named))
        await clock.advance(1)

        with pytest.raises(Blocked, match=r"past the deadline of 20 s: .*rate cap.* came after 20 s") as caught:
            await tried
        assert isinstance(caught.value.__cause__, NoSessionAvailable)
        for task in (untried, named):
            with pytest.raises(NoSessionAvailable, match="the deadline came after 20 s") as none:
                await task
            assert none.value.is_overdue
            assert none.value.attempts == ()
        assert facts_of(pool).flights == {}


async def test_without_a_deadline_a_wait_lasts_as_long_as_there_is_hope(clock: VirtualClock) -> None:
    """Zero means none."""
    async with pool_of(1, InTurn(200, 200), clock=clock, deadline_seconds=0, max_rate=0.01) as pool:
        tasks = [asyncio.create_task(pool.get(URL)) for _ in range(2)]
        await clock.advance(99)
        assert not tasks[1].done()
        await clock.advance(1)

    assert {task.result().status for task in tasks} == {200}


async def test_where_nothing_works_that_is_told_instead_of_the_deadline(clock: VirtualClock) -> None:
    """The site is at fault, and what waits for it stays pending; a probe that comes too late is not waited for."""
    async with pool_of(2, Scripted(answers(999)), clock=clock, deadline_seconds=5, max_wait_seconds=60) as pool:
        task = asyncio.create_task(pool.get(URL))
        await clock.advance(4)
        with pytest.raises(NoSessionAvailable, match="none of the 2 exits") as caught:
            await task

    assert len(caught.value.attempts) >= 2
    assert caught.value.retry_at
    assert not caught.value.is_overdue
    assert caught.value.story().count("\n") == len(caught.value.attempts)


# What must not happen twice

WALL = ("cf-mitigated", "challenge")


@pytest.mark.parametrize(
    ("first", "sent"),
    [
        pytest.param(httpx.ConnectTimeout("no proxy"), 2, id="never-sent"),
        pytest.param((407, ()), 2, id="proxy-wants-credentials"),
        pytest.param((999, (WALL,)), 2, id="wall"),
        pytest.param((999, ()), 1, id="999"),
        pytest.param((500, ()), 1, id="500"),
        pytest.param(httpx.ReadTimeout("slow"), 1, id="time-out"),
        pytest.param(httpx.ReadError("reset"), 1, id="reset"),
    ],
)
async def test_a_post_is_sent_again_only_if_the_site_has_not_taken_it_in(
    pool: SessionPool, first: BaseException | tuple[int, tuple[tuple[str, str], ...]], sent: int
) -> None:
    """Else the request ends, and the error says why."""
    attempts = pool.attempts(URL, method="post")

    async def go() -> None:
        async for attempt in attempts:
            async with attempt:
                if len(attempts.tries) == 1:
                    attempt.check(200, (), "done")
                elif isinstance(first, BaseException):
                    raise first
                else:
                    attempt.check(*first, "page")

    if sent == 1:
        with pytest.raises(GaveUp, match=r"a POST may have had an effect, and was not sent again$"):
            await go()
    else:
        await go()

    assert len(attempts.tries) == sent


async def test_a_reported_exchange_is_of_the_method_of_the_attempts(pool: SessionPool) -> None:
    """Whoever leaves it out of the exchange must not have a POST sent twice."""
    failed = Exchange(url=URL, status=500)

    with pytest.raises(GaveUp, match="not sent again") as caught:
        await go_through(pool, lambda attempt: attempt.report(failed), method="POST")

    assert len(caught.value.attempts) == 1


async def test_a_head_has_no_page(pool: SessionPool) -> None:
    """So an empty answer to it is a good one."""
    attempts = pool.attempts(URL, method="HEAD")
    async for attempt in attempts:
        async with attempt:
            attempt.check(200, (), b"")

    assert [tried.verdict for tried in attempts.tries] == [Outcome.OK]


# What is told


async def test_a_try_tells_whose_block_it_was(clock: VirtualClock) -> None:
    """Its vendor and sign, beside the same in words."""
    async with pool_of(9, InTurn(answers(999, WALL), 200), clock=clock) as pool:
        page = await pool.get(URL)

    refused, good = page.tries
    assert (refused.vendor, bool(refused.sign), refused.scope) == ("Cloudflare", True, Scope.SESSION)
    assert refused.why.startswith("Cloudflare ")
    assert (good.vendor, good.sign, good.scope) == ("", "", None)


async def test_the_error_has_the_story_of_all_that_was_tried(clock: VirtualClock) -> None:
    """One line for a log, and a line for each try, without the proxy's password."""
    script = InTurn(999, httpx.ReadTimeout("slow"), 500, 500, 500)
    async with pool_of(9, script, clock=clock, policy="round_robin") as pool:
        task = asyncio.create_task(pool.get(URL))
        await clock.advance(5)
        with pytest.raises(GaveUp) as caught:
            await task

    tries, story = caught.value.attempts, caught.value.story().splitlines()
    assert story == [
        f"gave up on {URL} after 5 tries (3 site errors, 1 blocked, 1 unclear); the last was site_error: status 500",
        f"   1. blocked: status 999 after 0.00 s, {tries[0].session} via http://user:***@proxy-0.example:8000",
        f"   2. unclear (timed out): no answer after 0.00 s, {tries[1].session} via {tries[1].proxy}",
        *(
            f"   {number}. site error: status 500 after 0.00 s, {tried.session} via {tried.proxy}"
            for number, tried in enumerate(tries[2:], start=3)
        ),
    ]


# How an attempt is left


async def test_a_good_answer_ends_the_attempts(pool: SessionPool) -> None:
    """After a check that raises nothing there is no other attempt."""
    seen = []
    async for attempt in pool.attempts(URL):
        async with attempt as session:
            attempt.check(200, {"Content-Type": "text/html"}, "page")
            seen.append(session)

    assert len(seen) == 1
    assert pool.statuses()[SITE].working == 1


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

    assert pool.statuses()[SITE].cooling_down == 1


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


async def go_through(pool: SessionPool, act: Callable[[Attempt], object], method: str = "GET") -> None:
    async for attempt in pool.attempts(URL, method=method):
        async with attempt:
            act(attempt)


async def test_the_callers_own_error_goes_through_and_says_nothing(pool: SessionPool) -> None:
    """A bug in the block is not the session's fault: it is not tried again, and counts neither way."""
    with pytest.raises(ZeroDivisionError):
        await go_through(pool, lambda _: 1 // 0)

    assert facts_of(pool).flights == {}
    assert pool.statuses()[SITE] == SiteStatus(0, 0, 0, 0)


async def test_the_callers_own_error_after_a_check_goes_through(pool: SessionPool) -> None:
    """The answer was good, whatever the caller made of it."""
    with pytest.raises(ZeroDivisionError):
        await go_through(pool, check_and_divide)

    assert pool.statuses()[SITE].working == 1


async def test_the_callers_own_error_after_a_reported_block_goes_through(pool: SessionPool) -> None:
    """It is not taken for the block, and no attempt follows."""
    with pytest.raises(ZeroDivisionError):
        await go_through(pool, lambda attempt: (attempt.report(BLOCK), 1 // 0))

    assert pool.statuses()[SITE].blocked == 1


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

    assert pool.statuses()[SITE].working == 1


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
    assert pool.statuses()[SITE] == SiteStatus(0, 0, 0, 0)


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
        impersonate=session.fingerprint.impersonate,
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
    heard: list[PoolEvent] = []
    async with (
        Testbed(world) as bed,
        SessionPool(bed.proxy_lines, store="memory:", max_wait_seconds=0, on_event=heard.append) as pool,
    ):
        with pytest.raises(ProxySieveError):
            await get_by(by, pool, bed.page_url(1))

    (tried,) = tries_in(heard)
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
    heard: list[PoolEvent] = []
    with (
        TestbedProcess(MIXED) as bed,
        SyncSessionPool(
            bed.proxy_lines,
            store="memory:",
            max_rate=0,
            policy="classic",
            max_sessions=10,
            on_event=heard.append,
        ) as pool,
    ):
        for url in bed.page_urls(15):
            for attempt in pool.attempts(url):
                with attempt as session:
                    response = session.client(make_requests).get(url, timeout=1)
                    attempt.check(response.status_code, response.headers, response.content)
                    bodies.append(response.content)

        assert bodies == [bed.page_body(number) for number in range(15)]
        assert {tried.verdict for tried in tries_in(heard)} >= {Outcome.OK, Outcome.BLOCKED}
        assert not any(tried.counted for tried in tries_in(heard))


async def test_what_cannot_be_helped_is_tried_once(clock: VirtualClock) -> None:
    """A body beyond the limit would be downloaded again and again, through proxies that cost by the byte."""
    script = InTurn(RequestsError("client returned ERROR on write", CurlECode.WRITE_ERROR), 200)
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


async def test_a_time_limit_of_the_callers_own_leads_to_the_next_attempt(pool: SessionPool) -> None:
    """A request that takes the caller too long was a try that failed."""
    tries = 0
    attempts = pool.attempts(URL)
    async for attempt in attempts:
        async with attempt:
            tries += 1
            if tries == 1:
                async with asyncio.timeout(0):
                    await asyncio.sleep(60)
            attempt.check(200, (), OK.body)

    assert [tried.why for tried in attempts.tries] == ["timed out", ""]
