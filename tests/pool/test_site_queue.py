"""The desk: who gets a session when, and what happens when nobody can."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from tests.core.verdicts.made_up_sites import Make, block_page
from tests.fakes import BLOCK, OK, SITE, URL, InTurn, Scripted, answers, facts_of, pool_of, tries_in

from proxysieve import (
    Exchange,
    GaveUp,
    NoSessionAvailable,
    Outcome,
    Page,
    ProxySieveError,
    Request,
    Response,
    Session,
    SessionPool,
    Verdict,
)
from proxysieve.clock import VirtualClock, settle
from proxysieve.core.policies import POLICIES
from proxysieve.core.policies.adaptive import Adaptive
from proxysieve.core.records import ExitRecord
from proxysieve.core.site.policy_protocol import Choice, NotBefore
from proxysieve.core.site.state import MAX_IN_FLIGHT, SiteState
from proxysieve.core.site.status import SiteStatus
from proxysieve.core.verdicts.judge import SignFunction
from proxysieve.pool.events import PoolEvent


class Held:
    """A client whose requests stay out until they are let go."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.go = asyncio.Event()

    async def send(self, request: Request, _: Session) -> Response:
        self.out.append(request.url)
        await self.go.wait()
        return Response(url=request.url, status=200, headers=(), body=b"page")


async def test_nothing_works_and_nothing_is_due_in_time(clock: VirtualClock) -> None:
    """Once every exit failed and no probe is due soon enough, the request ends and tells all about it."""
    async with pool_of(3, Scripted(answers(999)), clock=clock, max_wait_seconds=0.5) as pool:
        with pytest.raises(NoSessionAvailable) as caught:
            await pool.get(URL)

        error = caught.value
        assert error.site == SITE
        assert error.why == (
            "none of the 3 exits tried since the last good answer works, most often: status 999 "
            "(0 working, 0 cooling down, 3 blocked, 0 dead)"
        )
        assert error.retry_at == clock.now() + 1
        assert len({tried.proxy for tried in error.attempts}) == 3
        assert {tried.verdict for tried in error.attempts} == {Outcome.BLOCKED}
        assert not any(tried.counted for tried in error.attempts)
        assert str(error) == f"no session available at {SITE}: {error.why}"


class Starving(Adaptive):
    """It says every second that there is nothing, until it is allowed to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.is_over = False
        self.waiting: list[int] = []

    def choose(self, state: SiteState, now: float, rng: Random) -> Choice:
        self.waiting.append(state.waiting)
        return super().choose(state, now, rng) if self.is_over else NotBefore(now + 1, "all sessions cool down")


def starve(monkeypatch: pytest.MonkeyPatch) -> Starving:
    policy = Starving()
    monkeypatch.setattr("proxysieve.pool.settings.POLICIES", {**POLICIES, "adaptive": lambda *_: policy})
    return policy


async def test_a_hopeless_wait_in_short_steps_ends_in_time(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is how long it has been hopeless, not how long the next step is; and the error tells it."""
    started_at = clock.now()
    starve(monkeypatch)
    async with pool_of(3, clock=clock, max_wait_seconds=10) as pool:
        task = asyncio.create_task(pool.get(URL))
        await clock.advance(9)
        assert not task.done()

        await clock.advance(1.5)

        with pytest.raises(NoSessionAvailable, match=r"all sessions cool down, for 10 s now \(0 working") as caught:
            await task
        assert caught.value.retry_at == started_at + 11


async def test_who_stands_behind_others_does_not_wait_anew(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All who wait give up when their own time is over: those who came together at once, a late one later."""
    starve(monkeypatch)
    async with pool_of(3, clock=clock, max_wait_seconds=10) as pool:
        early = [asyncio.create_task(pool.get(URL)) for _ in range(20)]
        await clock.advance(6)
        late = asyncio.create_task(pool.get(URL))
        await clock.advance(5)
        assert all(task.done() for task in early)
        assert not late.done()

        await clock.advance(6)

        ends = await asyncio.gather(*early, late, return_exceptions=True)
        assert {type(end) for end in ends} == {NoSessionAvailable}
        await clock.advance(60)
        again = asyncio.create_task(pool.get(URL))
        await clock.advance(9)
        assert not again.done()
        await clock.advance(2)
        assert isinstance(again.exception(), NoSessionAvailable)


async def test_nobody_gives_up_while_there_is_hope(clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as something is under way, or a session works that only rests by what was learned."""
    policy, client = starve(monkeypatch), Held()
    async with pool_of(3, client, clock=clock, max_wait_seconds=10) as pool:
        first = asyncio.create_task(pool.get(URL))
        await clock.advance(8)
        policy.is_over = True
        await clock.advance(1)
        policy.is_over = False
        second = asyncio.create_task(pool.get(URL))
        await clock.advance(60)
        assert not second.done()

        client.go.set()
        await clock.advance(1)
        assert first.done()
        await clock.advance(60)
        assert not second.done()
        policy.is_over = True
        await clock.advance(1)
        assert second.done()


async def test_the_policy_is_told_how_many_wait(clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one at the head included, whoever asks for a session by its name not; and at once when more come."""
    policy = starve(monkeypatch)
    async with pool_of(3, clock=clock, max_wait_seconds=10) as pool:
        tasks = [asyncio.create_task(pool.get(URL))]
        await settle()
        named = await pool.session("seven", site=SITE).get(URL)
        tasks += [asyncio.create_task(pool.get(URL)) for _ in range(4)]
        await settle()
        assert (policy.waiting[0], policy.waiting[-1]) == (1, 5)

        tasks.pop().cancel()
        await clock.advance(1)

        assert named.status == 200
        assert policy.waiting[-1] == 4
        policy.is_over = True
        await clock.advance(1)
        assert {task.result().status for task in tasks} == {200}


async def test_what_is_due_in_time_is_waited_for(clock: VirtualClock) -> None:
    """While nothing works a probe goes out after one second, two, four and eight; the next is too far away."""
    started_at = clock.now()
    async with pool_of(2, Scripted(answers(999)), clock=clock, policy="classic", max_wait_seconds=10) as pool:
        task = asyncio.create_task(pool.get(URL))
        await clock.advance(60)
        with pytest.raises(NoSessionAvailable) as caught:
            await task

    assert caught.value.retry_at == started_at + 1 + 2 + 4 + 8 + 16
    probes = caught.value.attempts[-4:]
    assert len(probes) == 4


async def test_a_site_that_recovers_is_found_by_a_probe(clock: VirtualClock) -> None:
    """The first good answer ends the drought for all who wait."""
    is_open = False

    def by_mood(request: Request, session: Session) -> Response:
        return answers(200 if is_open else 999)(request, session)

    async with pool_of(2, Scripted(by_mood), clock=clock, max_wait_seconds=30) as pool:
        tasks = [asyncio.create_task(pool.get(URL)) for _ in range(5)]
        await clock.advance(5)
        assert not any(task.done() for task in tasks)
        is_open = True

        await clock.advance(10)

        assert {task.result().status for task in tasks} == {200}


async def test_a_rest_that_the_site_asked_for_is_waited_for(clock: VirtualClock) -> None:
    """Where all exits rest for less than the caller would wait, the request goes on after the rest."""
    started_at = clock.now()
    headers = ("retry-after", "20")

    def once(request: Request, session: Session) -> Response:
        return (
            answers(429, headers)(request, session) if clock.now() < started_at + 20 else answers(200)(request, session)
        )

    async with pool_of(1, Scripted(once), clock=clock, max_wait_seconds=30) as pool:
        task = asyncio.create_task(pool.get(URL))
        await clock.advance(19)
        assert not task.done()

        await clock.advance(1)

        assert task.result().status == 200
        assert [tried.verdict for tried in task.result().tries] == [Outcome.THROTTLED, Outcome.OK]


async def test_a_rest_that_is_too_long_is_told(clock: VirtualClock) -> None:
    """Where all exits rest for longer, the request ends at once, and says when to come back."""
    started_at = clock.now()
    async with pool_of(3, Scripted(answers(429, ("retry-after", "600"))), clock=clock) as pool:
        task = asyncio.create_task(pool.get(URL))
        await clock.advance(30)
        with pytest.raises(NoSessionAvailable) as caught:
            await task

        assert caught.value.retry_at == started_at + 600
        assert "3 cooling down" in caught.value.why
        assert {tried.verdict for tried in caught.value.attempts} == {Outcome.THROTTLED}
        with pytest.raises(NoSessionAvailable):
            await pool.get(URL)
        assert (await pool.status(SITE)).cooling_down == 3


async def test_a_named_session_that_rests_is_waited_for(clock: VirtualClock) -> None:
    """Its rest is not the end of it: it goes on afterwards, with the same exit."""
    script = [answers(200), answers(429, ("retry-after", "5")), answers(200)]

    def in_turn(request: Request, session: Session) -> Response:
        return script.pop(0)(request, session)

    async with pool_of(3, Scripted(in_turn), clock=clock) as pool:
        named = pool.session("seven", site=SITE)
        first = await named.get(URL)
        task = asyncio.create_task(named.get(URL))
        await clock.advance(5)

        assert len(task.result().tries) == 2
        assert {tried.proxy for tried in task.result().tries} == {first.proxy}


async def test_a_named_session_looks_for_an_exit_that_works(clock: VirtualClock) -> None:
    """Until it has worked it has nothing to lose: it is opened anew on another exit."""
    async with pool_of(9, InTurn(999, 429, 999, 200), clock=clock) as pool:
        page = await pool.session("seven", site=SITE).get(URL)

        assert len({tried.proxy for tried in page.tries}) > 1
        assert page.proxy == page.tries[-1].proxy
        assert facts_of(pool).sessions["seven"].has_worked


async def test_a_named_session_that_finds_nothing_is_told_so(clock: VirtualClock) -> None:
    """Where no exit works its search ends as that of any other request, instead of going round for ever."""
    async with pool_of(3, Scripted(answers(999)), clock=clock, max_wait_seconds=0) as pool:
        with pytest.raises(NoSessionAvailable, match="none of the 3 exits"):
            await pool.session("seven", site=SITE).get(URL)

        assert facts_of(pool).flights == {}


async def test_names_leave_no_queues_behind(clock: VirtualClock) -> None:
    """Users may name sessions without end."""
    async with pool_of(9, Scripted(answers(200)), clock=clock) as pool:
        for number in range(5):
            await pool.session(f"user-{number}", site=SITE).get(URL)

        assert not pool._site_registry[SITE]._queues


async def test_requests_beyond_what_sessions_may_carry_wait_in_turn(clock: VirtualClock) -> None:
    """Who came first is served first, as soon as one place is free."""
    async with pool_of(1, Scripted(answers(200)), clock=clock) as pool:
        await pool.get(URL)
        leases = [await pool._lease(URL) for _ in range(MAX_IN_FLIGHT)]
        order: list[int] = []

        async def wait_for_one(number: int) -> None:
            leases.append(await pool._lease(URL))
            order.append(number)

        waiters = []
        for number in range(4):
            waiters.append(asyncio.create_task(wait_for_one(number)))
            await settle()
        assert order == []

        for done in range(1, 5):
            leases[done].report(OK)
            await settle()
            assert order == list(range(done))
        leases[0].report(OK)
        for lease in leases[5:]:
            lease.drop()


async def test_who_comes_when_a_place_is_free_does_not_overtake_who_waits(clock: VirtualClock) -> None:
    """A place that becomes free belongs to the first in the queue, also before that one has noticed."""
    rest = Exchange(url=URL, status=429, headers=(("retry-after", "600"),))
    async with pool_of(2, clock=clock, policy="round_robin") as pool:
        await pool.get(URL)
        # With one exit at rest, who waits does so for a moment as well as for a place, and is slower to notice.
        (await pool._lease(URL)).report(rest)
        leases = [await pool._lease(URL) for _ in range(MAX_IN_FLIGHT)]
        waiter = asyncio.create_task(pool._lease(URL))
        await settle()

        leases.pop().report(OK)
        late = asyncio.create_task(pool._lease(URL))
        await settle()

        assert waiter.done()
        assert not late.done()
        leases.pop().report(OK)
        for lease in [*leases, await waiter, await late]:
            lease.drop()


async def test_who_gives_up_in_the_queue_leaves_the_others_their_places(clock: VirtualClock) -> None:
    """One behind the head, whose own time is over: those before and after it are served in their order."""
    async with pool_of(1, Scripted(answers(200)), clock=clock) as pool:
        await pool.get(URL)
        leases = [await pool._lease(URL) for _ in range(MAX_IN_FLIGHT)]
        ends = [None, clock.now() + 5, None]
        waiters = [asyncio.create_task(pool._lease(URL, until=until)) for until in ends]
        await clock.advance(5)

        assert isinstance(waiters[1].exception(), NoSessionAvailable)
        assert "others came first, and the deadline came after 5 s" in str(waiters[1].exception())
        for waiter in waiters[::2]:
            assert not waiter.done()
            leases.pop(0).report(OK)
            await settle()
            leases.append(await waiter)
        for lease in leases:
            lease.drop()
        assert facts_of(pool).flights == {}


async def test_a_preferred_session_waits_its_turn(clock: VirtualClock) -> None:
    """Who prefers one stands in the same queue, and gets another where that one is busy."""
    async with pool_of(2, Scripted(answers(200)), clock=clock, policy="round_robin") as pool:
        first, second = [(await pool.get(URL)).session for _ in range(2)]
        leases = [await pool._lease(URL, first) for _ in range(MAX_IN_FLIGHT + 1)]
        assert [lease.session.name for lease in leases] == [first] * MAX_IN_FLIGHT + [second]
        leases += [await pool._lease(URL) for _ in range(MAX_IN_FLIGHT - 1)]

        early, late = asyncio.create_task(pool._lease(URL)), asyncio.create_task(pool._lease(URL, first))
        await settle()
        leases.pop(0).report(OK)
        await settle()

        assert (early.done(), late.done()) == (True, False)
        leases.pop(0).report(OK)
        assert (await late).session.name == first
        for lease in [*leases, await early, await late]:
            lease.drop()


async def test_a_waiter_that_is_cancelled_leaves_no_trace(clock: VirtualClock) -> None:
    """Its place goes to the next in the queue, and no lease stays behind."""
    async with pool_of(1, Scripted(answers(200)), clock=clock) as pool:
        await pool.get(URL)
        leases = [await pool._lease(URL) for _ in range(MAX_IN_FLIGHT)]
        first = asyncio.create_task(pool.get(URL))
        await settle()
        second = asyncio.create_task(pool.get(URL))
        await settle()

        first.cancel()
        await settle()
        leases.pop().report(OK)

        assert (await second).status == 200
        assert first.cancelled()
        for lease in leases:
            lease.report(OK)
        assert facts_of(pool).flights == {}
        assert facts_of(pool).in_flight == {}


async def test_a_waiter_for_time_that_is_cancelled_leaves_no_trace(clock: VirtualClock) -> None:
    """The same holds while it waits for a rest to end."""
    async with pool_of(1, Scripted(answers(429, ("retry-after", "20"))), clock=clock) as pool:
        waiters = [asyncio.create_task(pool.get(URL)) for _ in range(2)]
        await clock.advance(1)

        for waiter in waiters:
            waiter.cancel()
        await settle()

        assert all(waiter.cancelled() for waiter in waiters)
        assert facts_of(pool).flights == {}


@pytest.mark.parametrize("had_worked", [False, True], ids=["fresh", "had worked"])
async def test_a_request_that_is_cancelled_says_nothing_of_its_exit(clock: VirtualClock, *, had_worked: bool) -> None:
    """No lease stays behind, and neither a success nor a failure is counted."""
    client = Held()
    async with pool_of(1, client, clock=clock) as pool:
        if had_worked:
            async with pool.acquire(URL) as lease:
                lease.report(OK)
        before = [(one.ok_count, one.blocked_count, one.unclear_count) for one in facts_of_exits(pool)]
        task = asyncio.create_task(pool.get(URL))
        await settle()
        assert client.out == [URL]

        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

        assert facts_of(pool).flights == {}
        assert facts_of(pool).in_flight == {}
        after = [(one.ok_count, one.blocked_count, one.unclear_count) for one in facts_of_exits(pool)]
        assert after == (before or [(0, 0, 0)])
        assert len(facts_of(pool).working) == int(had_worked)
        assert not client.go.is_set()


def facts_of_exits(pool: SessionPool) -> list[ExitRecord]:
    return list(facts_of(pool).exits.values()) if pool.statuses() else []


async def sent_at(pool: SessionPool, clock: VirtualClock, urls: Sequence[str], seconds: int) -> list[Page]:
    tasks = [asyncio.create_task(pool.get(url)) for url in urls]
    for _ in range(seconds):
        await clock.advance(1)
    return await asyncio.gather(*tasks)


async def test_a_site_is_asked_no_faster_than_its_cap_over_all_sessions(clock: VirtualClock) -> None:
    """No second sees more than its share, give or take the one that woke late; and the share is used."""
    moments: list[float] = []

    def note(request: Request, session: Session) -> Response:
        moments.append(clock.now())
        return answers(200)(request, session)

    async with pool_of(50, Scripted(note), clock=clock, max_rate=10, policy="classic", max_sessions=50) as pool:
        pages = await sent_at(pool, clock, [URL] * 100, seconds=11)

    assert len({page.session for page in pages}) > 10
    assert len(moments) == 100
    for moment in moments:
        assert sum(moment <= other < moment + 1 - 1e-6 for other in moments) <= 10 + 1
    assert max(moments) - min(moments) == pytest.approx(9.9, abs=0.1)


async def test_a_quiet_time_is_not_saved_up(clock: VirtualClock) -> None:
    """After a minute without requests the cap is what it was."""
    moments: list[float] = []

    def note(request: Request, session: Session) -> Response:
        moments.append(clock.now())
        return answers(200)(request, session)

    async with pool_of(20, Scripted(note), clock=clock, max_rate=5) as pool:
        await pool.get(URL)
        await clock.advance(60)
        moments.clear()
        await sent_at(pool, clock, [URL] * 20, seconds=5)

    for moment in moments:
        assert sum(moment <= other < moment + 1 - 1e-6 for other in moments) <= 5 + 1


async def test_each_site_has_a_cap_of_its_own(clock: VirtualClock) -> None:
    """Two sites at once are each asked at the full rate."""
    other = "http://other.example/"
    async with pool_of(10, Scripted(answers(200)), clock=clock, max_rate=10) as pool:
        await sent_at(pool, clock, [URL, other] * 50, seconds=5)

        assert set(pool.statuses()) == {SITE, "other.example"}


async def test_a_cap_alone_is_never_hopeless(clock: VirtualClock) -> None:
    """A queue behind the cap waits for longer than a caller would wait for something to work."""
    async with pool_of(5, Scripted(answers(200)), clock=clock, max_rate=1, max_wait_seconds=0) as pool:
        pages = await sent_at(pool, clock, [URL] * 10, seconds=10)

    assert len(pages) == 10


async def test_a_lease_is_reported_once(clock: VirtualClock) -> None:
    """A second report, or one after the lease was given back, is an error."""
    async with pool_of(1, Scripted(answers(200)), clock=clock) as pool:
        async with pool.acquire(URL) as lease:
            assert lease.report(OK).outcome is Outcome.OK
            with pytest.raises(ProxySieveError, match="reported already"):
                lease.report(OK)
            with pytest.raises(ProxySieveError, match="reported already"):
                lease.drop()

        assert facts_of(pool).flights == {}


async def test_a_lease_left_without_a_report_is_an_error(clock: VirtualClock) -> None:
    """It is given back, and the error says what is missing; an error of the caller's own goes first."""
    async with pool_of(1, Scripted(answers(200)), clock=clock) as pool:
        with pytest.raises(ProxySieveError, match=r"without check\(\) or report\(\)"):
            async with pool.acquire(URL):
                pass
        with pytest.raises(KeyError):
            async with pool.acquire(URL):
                raise KeyError

        assert facts_of(pool).flights == {}
        assert pool.statuses()[SITE] == SiteStatus(0, 0, 0, 0)


async def test_a_dropped_lease_says_nothing(clock: VirtualClock) -> None:
    """A request that was not sent after all is neither good nor bad."""
    async with pool_of(1, Scripted(answers(200)), clock=clock) as pool:
        async with pool.acquire(URL) as lease:
            assert "proxy-0" in repr(lease)
            lease.drop()

        assert pool.statuses()[SITE] == SiteStatus(0, 0, 0, 0)


async def test_a_lease_can_be_taken_without_a_block(clock: VirtualClock) -> None:
    """It is reported or dropped by whoever took it; a session can be preferred, and any will do."""
    async with pool_of(2, clock=clock) as pool:
        lease = await pool.lease(URL)
        lease.report(OK)

        again = await pool.lease(URL, prefer=lease.session.name)
        other = await pool.lease(URL, prefer="nobody")

        assert again.session is lease.session
        again.drop()
        other.drop()
        assert not facts_of(pool).flights


async def test_what_a_session_is_given_after_its_request_is_kept_too(clock: VirtualClock) -> None:
    """Cookies and data may change long after the answer, when it was saved already."""
    async with pool_of(1, clock=clock) as pool:
        lease = await pool.lease(URL)
        lease.report(OK)
        await pool.save()
        lease.session.data["page"] = 7

        lease.keep()

        [site_queue] = pool._site_registry.values()
        assert [(record.kind, record.value) for record in site_queue.take_changes()] == [("data", b'{"page":7}')]


async def test_a_session_can_be_ended_by_who_used_it(clock: VirtualClock) -> None:
    """Whatever it brought; what is kept of it after that is nothing."""
    async with pool_of(1, clock=clock) as pool:
        lease = await pool.lease(URL)
        lease.report(OK)
        assert pool.has_session(lease.session.name)

        lease.end_session()
        lease.keep()

        assert not pool.has_session(lease.session.name)
        assert pool.working_count == 0


async def test_a_report_is_judged_and_learned_from(clock: VirtualClock) -> None:
    """The low level gives the verdict back, and the next lease knows of it."""
    async with pool_of(1, Scripted(answers(200)), clock=clock) as pool:
        async with pool.acquire(URL) as lease:
            assert not lease.had_worked
            lease.report(OK)
        async with pool.acquire(URL) as lease:
            assert lease.had_worked
            verdict = lease.report(BLOCK)

        assert (verdict.outcome, verdict.why) == (Outcome.BLOCKED, "status 999")
        assert pool.statuses()[SITE] == SiteStatus(0, 0, 0, 0, held=1)
        assert "1 held" in repr(pool._site_registry[SITE])


@pytest.mark.parametrize(
    "opinion",
    [
        pytest.param(lambda _: 1 // 0, id="raises"),
        pytest.param(lambda _: True, id="no verdict"),
        pytest.param(lambda _: Verdict(outcome=Outcome.BLOCKED, until=math.inf), id="a rest without an end"),
    ],
)
async def test_a_sign_that_fails_costs_no_page_and_is_said_once(
    opinion: SignFunction, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is passed over, whether it is the pool's or the request's, and the other signs decide."""
    async with pool_of(1, Scripted(answers(200)), clock=clock, signs=[opinion]) as pool:
        for _ in range(2 * MAX_IN_FLIGHT):
            async with pool.acquire(URL) as lease:
                verdict = lease.report(OK, opinion)
            assert verdict.outcome is Outcome.OK

        assert facts_of(pool).flights == {}
        assert pool.statuses()[SITE] == SiteStatus(1, 0, 0, 0)
    assert [record.getMessage().partition(" failed ")[2][:15] for record in caplog.records] == ["and is skipped:"]


async def test_an_answer_to_a_question_from_before_the_block_revives_nothing(clock: VirtualClock) -> None:
    """Of two requests in flight the one is blocked; the other's good answer came too late."""
    async with pool_of(1, Scripted(answers(200)), clock=clock) as pool:
        async with pool.acquire(URL) as lease:
            lease.report(OK)
        early, late = await pool._lease(URL), await pool._lease(URL)
        await clock.advance(1)

        late.report(BLOCK)
        early.report(OK)

        assert pool.statuses()[SITE].working == 0


async def test_a_named_session_is_not_held_up_by_the_queue_of_the_others(clock: VirtualClock) -> None:
    """While all others wait for a place, the named one goes ahead on its own."""
    async with pool_of(1, Scripted(answers(200)), clock=clock) as pool:
        await pool.get(URL)
        leases = [await pool._lease(URL) for _ in range(MAX_IN_FLIGHT)]
        waiter = asyncio.create_task(pool._lease(URL))
        await settle()

        named = await pool.session("seven", site=SITE).get(URL)

        assert named.status == 200
        assert not waiter.done()
        leases.pop().report(OK)
        (await waiter).drop()
        for lease in leases:
            lease.drop()


async def test_a_session_that_has_not_worked_yet_carries_one_request(clock: VirtualClock) -> None:
    """What may be blocked is tried with one request, while the others wait for its answer."""
    client = Held()
    async with pool_of(1, client, clock=clock) as pool:
        tasks = [asyncio.create_task(pool.get(URL)) for _ in range(5)]
        await settle()
        assert len(client.out) == 1

        client.go.set()

        assert {page.status for page in await asyncio.gather(*tasks)} == {200}


async def test_redirects_count_against_the_cap(clock: VirtualClock) -> None:
    """They are requests as well: three hops cost four slots."""

    def with_redirects(request: Request, _: Session) -> Response:
        return Response(url=request.url, status=200, headers=(), body=b"page", redirect_count=3)

    async with pool_of(3, Scripted(with_redirects), clock=clock, max_rate=1) as pool:
        started = clock.now()
        task = asyncio.gather(*(pool.get(URL) for _ in range(3)))
        for _ in range(20):
            await clock.advance(0.5)
        pages = await task

    assert sorted(round(page.fetched_at - started) for page in pages) == [0, 4, 8]


async def test_what_a_client_sends_after_its_answer_counts_against_the_cap(clock: VirtualClock) -> None:
    """At once, and no more than once where it is judged later; also where its session has ended by then."""
    async with pool_of(1, Scripted(answers(200)), clock=clock, max_rate=1) as pool:
        lease = await pool.lease(URL)
        lease.report(OK)
        site, started = facts_of(pool).site, clock.now()

        lease.session.note_requests(3)
        noted_at = site.next_at
        lease.follow_up(OK, is_counted=True)
        followed_at = site.next_at
        lease.follow_up(OK)
        asked_at = site.next_at
        lease.end_session()
        lease.session.note_requests()

        assert [at - started for at in (noted_at, followed_at, asked_at, site.next_at)] == [4, 4, 5, 6]


STRANGE = block_page(Random(9))
STRANGE_PAGE = Exchange(url=URL, status=200, body=STRANGE)


class Shop:
    """A site of one make, which shows some proxies a block page that nobody knows, with status 200."""

    def __init__(self) -> None:
        self._rng = Random(1)
        self._make = Make(self._rng)
        self.refused: set[str] = set()

    async def send(self, request: Request, session: Session) -> Response:
        body = STRANGE if str(session.proxy) in self.refused else self._make.page(self._rng)
        return Response(url=request.url, status=200, headers=(), body=body)


async def get_pages(pool: SessionPool, count: int) -> list[Page]:
    return [await pool.get(URL) for _ in range(count)]


def kinds_changed(pool: SessionPool) -> set[str]:
    return {record.kind for record in pool._site_registry[SITE].take_changes()}


async def test_a_block_page_that_nobody_knows_is_no_page(clock: VirtualClock) -> None:
    """It is unlike the site's pages, so another session gets the page."""
    shop, heard = Shop(), list[PoolEvent]()
    async with pool_of(5, shop, clock=clock, on_event=heard.append) as pool:
        known = await get_pages(pool, 30)
        shop.refused = {known[-1].proxy}

        pages = await get_pages(pool, 20)

    assert STRANGE not in [page.body for page in pages]
    doubted = [tried for tried in tries_in(heard) if tried.verdict is Outcome.UNCLEAR]
    assert {tried.proxy for tried in doubted} == shop.refused
    assert {tried.why for tried in doubted} <= {f"unlike the {count} good pages seen here" for count in ("30", "30+")}


async def test_looks_can_be_switched_off(clock: VirtualClock) -> None:
    """Then whatever bears no sign is a page."""
    shop = Shop()
    async with pool_of(1, shop, clock=clock, looks=False) as pool:
        known = await get_pages(pool, 30)
        shop.refused = {known[-1].proxy}

        assert (await pool.get(URL)).body == STRANGE
        pool._site_registry[SITE].accept(STRANGE_PAGE)
        assert "looks" not in kinds_changed(pool)


async def test_looks_survive_a_restart(tmp_path: Path) -> None:
    """The next run doubts its very first answer."""
    shop = Shop()
    async with pool_of(2, shop, store=tmp_path) as pool:
        known = await get_pages(pool, 30)
    shop.refused = {page.proxy for page in known[-1:]}

    async with pool_of(2, shop, store=tmp_path) as pool:
        assert STRANGE not in [page.body for page in await get_pages(pool, 10)]


async def test_looks_are_saved_now_and_then(clock: VirtualClock) -> None:
    """Not at every page; and again if that failed."""
    async with pool_of(1, Shop(), clock=clock) as pool:
        await get_pages(pool, 7)
        assert "looks" not in kinds_changed(pool)
        await get_pages(pool, 1)
        site_queue = pool._site_registry[SITE]
        (record,) = [record for record in site_queue.take_changes() if record.kind == "looks"]
        assert "looks" not in kinds_changed(pool)

        site_queue.keep_changed(record)

        assert not site_queue.is_idle
        assert "looks" in kinds_changed(pool)


async def test_a_page_that_is_good_after_all_is_not_doubted_again(clock: VirtualClock) -> None:
    """Nor are those that look like it, and it is remembered at once."""
    shop = Shop()
    async with pool_of(1, shop, clock=clock) as pool:
        known = await get_pages(pool, 30)
        shop.refused = {known[-1].proxy}
        site_queue = pool._site_registry[SITE]
        site_queue.take_changes()

        site_queue.accept(STRANGE_PAGE)

        assert "looks" in kinds_changed(pool)
        assert (await pool.get(URL)).body == STRANGE


async def test_a_page_with_what_was_expected_is_not_doubted(clock: VirtualClock) -> None:
    """Who asks for it knows better than its looks."""
    shop = Shop()
    async with pool_of(1, shop, clock=clock) as pool:
        known = await get_pages(pool, 30)
        shop.refused = {known[-1].proxy}

        assert (await pool.get(URL, expect="<form")).body == STRANGE


# Whom to believe, the sign or the sessions


def marked(request: Request, _: Session) -> Response:
    """A site one of whose pages, and from some moment on all, bears what a sign takes for a captcha."""
    is_marked = request.url.endswith("/marked")
    body = b'<html><p>How to solve <i id="px-captcha">captchas</i>' if is_marked else b"<html><p>A page about lamps."
    return Response(url=request.url, status=200, headers=(), body=body)


async def test_a_page_that_bears_a_mark_itself_costs_nobody_and_is_shown(tmp_path: Path, clock: VirtualClock) -> None:
    """It is no data, and final; who was refused it works on; and a sample says by what the sign is mistaken."""

    class Slow:
        async def send(self, request: Request, session: Session) -> Response:
            await clock.wait(asyncio.Event(), clock.now() + 0.5)
            return marked(request, session)

    pool = pool_of(12, Slow(), clock=clock, store=tmp_path / "store")

    errors = []

    async def work(paths: Iterator[str]) -> None:
        for path in paths:
            try:
                await pool.get(f"{URL}{path}")
            except GaveUp as error:
                errors.append(error)

    async def crawl(*paths: str) -> None:
        left = iter(paths)
        workers = [asyncio.create_task(work(left)) for _ in range(10)]
        while not all(worker.done() for worker in workers):
            await clock.advance(0.2)

    async with pool:
        await crawl(*(f"first/{number}" for number in range(40)))
        await crawl("marked", *(f"then/{number}" for number in range(150)))
        await crawl("marked")

        [_, error] = errors
        assert error.verdict.is_final
        assert len(error.attempts) == 1
        assert pool.statuses()[SITE].blocked == 0
        [suspicion] = pool.suspicions()[SITE]
        assert suspicion.startswith("the sign human-captcha calls pages blocks to sessions that work elsewhere")
    [sample] = (tmp_path / "store" / "samples").iterdir()
    assert "px-captcha" in sample.read_text()
    assert str(sample) in suspicion
