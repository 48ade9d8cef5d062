"""What holds after any history, whatever the policy."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.core.worlds import BAD, DAY, POLICIES, World, gateway, plain, plains, verdict

from proxysieve.core.events import Asked, Event, Leased, Reported, SessionClosed
from proxysieve.core.model import Outcome, Proxy, Scope
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.proxies.other_sites import OtherSites
from proxysieve.core.records import SessionRecord
from proxysieve.core.site.choices import Lost, Pick, Wait
from proxysieve.core.site.engine import Engine
from proxysieve.core.site.rate_cap import LEEWAY_SECONDS
from proxysieve.core.site.state import MAX_IN_FLIGHT, SiteState

PROXIES = [plain(0), plain(1), plain(2), gateway(0)]
NAMES = ["ann", "bob"]
STEPS = st.sampled_from([0.01, 0.3, 1.0, 7.0, 60.0, 4000.0, DAY / 2, DAY])
OUTCOMES = st.sampled_from([*Outcome, Outcome.OK, Outcome.OK, None])
PAGES = st.integers(0, 3)
SIGNS = st.sampled_from(["", "timeout", "status-403", "mark"])
SCOPES = st.sampled_from([None, *Scope])
RESTS = st.sampled_from([0.0, 0.0, 0.0, 30.0, 5000.0])


def encoded(state: SiteState) -> bytes:
    """All of a site's state."""
    return msgspec.json.encode(
        [
            state.site,
            state.exits,
            state.sessions,
            [session.name for session in state.working],
            [[lease, flight.session.name, flight.at] for lease, flight in state.flights.items()],
            state.in_flight,
            sorted(state.changed),
            state.learner.record() if state.learner else None,
        ],
        order="deterministic",
    )


def choices(engine: Engine, now: float) -> list[Pick | Wait | Lost]:
    """What *engine* would do now and later, for several seeds."""
    found: list[Pick | Wait | Lost] = []
    for seed, later in enumerate((0.0, 0.0, 0.0, 0.4, 20.0, 3601.0, DAY)):
        found.append(engine.choose(now + later, Random(seed)))
        found += [engine.choose_named(name, now + later, Random(seed)) for name in NAMES]
    return found


class AnyHistory(RuleBasedStateMachine):
    """Requests with any answers, time that passes, proxies that come and go, restarts; and a second set of facts."""

    policy = "classic"

    @initialize(max_rate=st.sampled_from([0.0, 0.0, 2.0]), seed=st.integers(0, 99))
    def start(self, max_rate: float, seed: int) -> None:
        self.world = World(PROXIES, self.policy, max_rate=max_rate, seed=seed)
        self.seconds_apart = 1 / max_rate if max_rate else 0.0
        self.twin = self.new_twin(max_rate)
        self.page_number, self.sign = 0, ""
        self.scope: Scope | None = None
        self.rests: dict[str, float] = {}
        self.ended: list[SessionRecord] = []
        self.lost: set[str] = set()

    def new_twin(self, max_rate: float) -> SiteState:
        return SiteState(self.world.catalog, max_rate=max_rate)

    @rule(seconds=STEPS)
    def pass_time(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @rule(count=st.sampled_from([1, 1, 2, 3, 10]))
    def lease(self, count: int) -> None:
        for _ in range(count):
            choice = self.world.choose()
            if isinstance(choice, Pick):
                self.take(choice)
            else:
                self.check_wait(choice)

    @rule(name=st.sampled_from(NAMES), count=st.sampled_from([1, 1, 10]))
    def lease_by_name(self, name: str, count: int) -> None:
        for _ in range(count):
            choice = self.world.choose_named(name)
            if isinstance(choice, Pick):
                assert name not in self.lost
                assert choice.leased.session_name == name
                self.take(choice)
            elif isinstance(choice, Wait):
                self.check_wait(choice)

    @rule(data=st.data(), count=st.sampled_from([1, 1, 10]))
    def lease_again(self, data: st.DataObject, count: int) -> None:
        names = sorted(self.world.engine.state.sessions)
        name = data.draw(st.sampled_from(names)) if names else "nobody"
        for _ in range(count):
            before = encoded(self.world.engine.state)
            pick = self.world.choose_again(name)
            assert encoded(self.world.engine.state) == before
            if pick:
                assert pick.leased.session_name == name
                assert not self.world.engine.state.sessions[name].is_named
                assert self.may_send()
                self.take(pick)

    @precondition(lambda self: self.world.flights)
    @rule(data=st.data(), outcome=OUTCOMES, rest=RESTS, page_number=PAGES, sign=SIGNS, scope=SCOPES)
    def report(
        self,
        data: st.DataObject,
        outcome: Outcome | None,
        rest: float,
        page_number: int,
        sign: str,
        scope: Scope | None,
    ) -> None:
        self.page_number, self.sign, self.scope = page_number, sign, scope
        self.land(data.draw(st.sampled_from(list(self.world.flights))), outcome, rest)

    @precondition(lambda self: self.world.flights)
    @rule(outcome=OUTCOMES)
    def report_all(self, outcome: Outcome | None) -> None:
        for lease in reversed(list(self.world.flights)):
            self.land(lease, outcome, 0.0)

    def land(self, lease: int, outcome: Outcome | None, rest: float) -> None:
        session, record, leased_at, *_ = self.world.flights[lease]
        is_late = leased_at < record.last_bad_at
        before = msgspec.structs.replace(record), self.world.engine.state.drought.failing_count
        working = set(self.working())

        self.world.pass_time(0.5)
        said = None if outcome is None else verdict(outcome, until=self.until(rest))
        if said is not None:
            said = msgspec.structs.replace(said, sign=self.sign, scope=self.scope)
        self.apply(Reported(self.world.now, lease, said, page_number=self.page_number))

        if outcome is None:
            assert (record, self.world.engine.state.drought.failing_count) == before
            return
        if outcome is Outcome.SITE_ERROR:
            at_rest = msgspec.structs.replace(before[0], cooldown_until=record.cooldown_until)
            assert (record, self.world.engine.state.drought.failing_count <= before[1]) == (at_rest, True)
            self.rests[session.exit_id] = max(self.rests.get(session.exit_id, 0.0), self.until(rest))
            return
        self.rests[session.exit_id] = max(self.rests.get(session.exit_id, 0.0), self.until(rest))
        if is_late:
            # All that a late answer may tell is until when to rest.
            at_rest = msgspec.structs.replace(before[0], cooldown_until=record.cooldown_until)
            assert (record, self.world.engine.state.drought.failing_count) == (at_rest, before[1])
            assert set(self.working()) <= working
        elif session.is_named and outcome is Outcome.BLOCKED and self.is_open(session):
            self.lost.add(session.name)

    @rule(count=st.sampled_from([1, 3]))
    def ask(self, count: int) -> None:
        state = self.world.engine.state
        due_at = max(state.site.next_at, self.world.now) + count * self.seconds_apart
        self.apply(Asked(self.world.now, count))
        assert state.site.next_at == due_at

    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        names = sorted(self.world.engine.state.sessions)
        if names:
            name = data.draw(st.sampled_from(names))
            self.apply(SessionClosed(self.world.now, name))
            assert name not in self.world.engine.state.sessions

    @rule(proxy=st.sampled_from(PROXIES))
    def remove_proxy(self, proxy: Proxy) -> None:
        if self.world.catalog.remove(proxy.key):
            self.world.engine.part({proxy.key: proxy})
            self.twin.part({proxy.key: proxy})

    @rule(proxy=st.sampled_from(PROXIES))
    def add_proxy(self, proxy: Proxy) -> None:
        if self.world.catalog.add(proxy):
            self.world.engine.welcome({proxy.key: proxy})
            self.twin.welcome({proxy.key: proxy}, are_new=True)

    @rule()
    def save(self) -> None:
        self.world.save()
        self.twin.changed.clear()

    # With other proxies than before, in a drought and under a cap, a restart is a new beginning: see their own tests.
    @precondition(lambda self: not self.world.flights and self.all_is_in_the_catalog() and self.nothing_is_held())
    @rule(seed=st.integers(0, 9), goes_on=st.booleans())
    def restart(self, seed: int, *, goes_on: bool) -> None:
        world = self.world
        loaded = world.restart(order=Random(seed))

        assert choices(loaded, world.now) == choices(world.engine, world.now)
        assert loaded.status(world.now) == world.engine.status(world.now)

        self.twin.changed.clear()
        if goes_on:
            world.engine = loaded
            self.twin = world.restart().state
            self.ended = []

    def nothing_is_held(self) -> bool:
        state = self.world.engine.state
        return not state.is_dry and state.site.next_at <= self.world.now

    def all_is_in_the_catalog(self) -> bool:
        known = {exit_id.partition("/")[0] for exit_id in self.world.engine.state.exits}
        return all(proxy in self.world.catalog for proxy in known | {one.proxy_key for one in self.open()})

    @invariant()
    def facts_fed_alike_are_alike(self) -> None:
        assert encoded(self.world.engine.state) == encoded(self.twin)

    @invariant()
    def no_session_carries_more_than_it_may(self) -> None:
        out: dict[int, int] = {}
        for flight in self.world.flights.values():
            out[id(flight.session)] = out.get(id(flight.session), 0) + 1
        assert max(out.values(), default=0) <= MAX_IN_FLIGHT

    @invariant()
    def a_plain_proxy_carries_one_session_that_nobody_named(self) -> None:
        carriers = [session.proxy_key for session in self.open() if not session.is_named and not session.exit_name]
        assert len(carriers) == len(set(carriers))

    @invariant()
    def what_works_is_open_and_was_answered(self) -> None:
        for session in self.world.engine.state.working:
            assert self.is_open(session)
            assert session.has_worked
            assert not session.is_named

    @invariant()
    def what_is_open_for_nobody_is_closed(self) -> None:
        busy = {flight.session.name for flight in self.world.flights.values()}
        for session in self.open():
            assert session.has_worked or session.is_named or session.name in busy

    def take(self, pick: Pick) -> None:
        world = self.world
        if pick.opened:
            assert pick.opened.is_named or pick.opened.session_name not in world.engine.state.sessions
            self.apply(pick.opened)
        self.apply(pick.leased)
        session = world.session(pick.leased)
        assert all(session is not one for one in self.ended)
        assert session.proxy_key in world.catalog
        assert self.rests.get(session.exit_id, 0.0) <= world.now
        assert world.now - session.opened_at < DAY or (session.is_named and not session.exit_name)

    def apply(self, event: Event) -> None:
        before = dict(self.world.engine.state.sessions)
        closed = self.world.apply(event)
        assert self.twin.apply(event) == closed
        self.ended += [before[name] for name in closed]
        self.lost -= set(closed)

    def check_wait(self, wait: Wait | Lost) -> None:
        assert isinstance(wait, Wait)
        assert wait.why
        if wait.until is not None:
            assert wait.until > self.world.now
        # Whoever waits without an end must be woken by an answer that is due.
        assert wait.until is not None or wait.is_hopeless or self.world.flights

    def may_send(self) -> bool:
        """Whether the cap lets anybody send now, and no alarm and no drought keep it for a probe."""
        state = self.world.engine.state
        is_alarmed = state.learner is not None and bool(state.learner.held_sessions.alarm_at)
        return not state.is_dry and not is_alarmed and state.site.next_at - LEEWAY_SECONDS <= self.world.now

    def until(self, rest: float) -> float:
        return self.world.now + rest if rest else 0.0

    def working(self) -> list[str]:
        return [session.name for session in self.world.engine.state.working]

    def open(self) -> list[SessionRecord]:
        return list(self.world.engine.state.sessions.values())

    def is_open(self, session: SessionRecord) -> bool:
        return self.world.engine.state.sessions.get(session.name) is session


class AnyRoundRobinHistory(AnyHistory):
    policy = "round_robin"


class AnyRandomHistory(AnyHistory):
    policy = "uniform_random"


class AnyAdaptiveHistory(AnyHistory):
    """The same for a policy that learns: a block is only believed once others work, and a restart forgets doubts."""

    policy = "adaptive"

    def new_twin(self, max_rate: float) -> SiteState:
        return SiteState(self.world.catalog, max_rate=max_rate, other_sites=OtherSites())

    @rule(count=st.sampled_from([1, 1, 2, 3, 10]))
    def lease(self, count: int) -> None:
        for _ in range(count):
            before = encoded(self.world.engine.state)
            choice = self.world.engine.choose(self.world.now, self.world.rng, count)
            assert encoded(self.world.engine.state) == before
            if isinstance(choice, Pick):
                self.take(choice)
                assert not self.world.session(choice.leased).is_named
            else:
                self.check_wait(choice)

    def check_wait(self, wait: Wait | Lost) -> None:
        super().check_wait(wait)
        assert isinstance(wait, Wait)
        if self.world.catalog and not self.world.flights and not self.rests:
            assert wait.until is not None
            assert wait.until <= self.world.now + 3600

    def land(self, lease: int, outcome: Outcome | None, rest: float) -> None:
        super().land(lease, outcome, rest)
        # A good answer elsewhere, or of itself, may tell that it was not blocked after all.
        self.lost = set()

    @precondition(lambda self: not self.world.flights and self.all_is_in_the_catalog())
    @rule(seed=st.integers(0, 9), goes_on=st.booleans())
    def restart(self, seed: int, *, goes_on: bool) -> None:
        world = self.world
        loaded = world.restart(order=Random(seed))

        assert loaded.state.learner
        assert world.engine.state.learner
        assert {one.name for one in loaded.state.sessions.values()} == {
            one.name for one in self.open() if one.has_worked or one.is_named
        }

        self.twin.changed.clear()
        if goes_on:
            world.engine = loaded
            self.twin = world.restart().state
            self.ended = []

    def teardown(self) -> None:
        """Whatever happened, who waits long enough is served again."""
        if not hasattr(self, "world"):
            return
        for proxy in PROXIES[:2]:
            self.add_proxy(proxy)
        for proxy in PROXIES[2:]:
            self.remove_proxy(proxy)
        for lease in list(self.world.flights):
            self.land(lease, Outcome.SITE_ERROR, 0.0)
        for power in range(20):
            if isinstance(self.world.choose(), Pick):
                return
            self.world.pass_time(2.0**power)
        raise AssertionError(f"nobody was served: {self.world.choose()}")


@pytest.mark.parametrize("history", [AnyHistory, AnyRoundRobinHistory, AnyRandomHistory, AnyAdaptiveHistory])
def test_the_laws_hold_after_any_history(history: type[AnyHistory]) -> None:
    """Each rule and invariant above, for each policy."""
    run_state_machine_as_test(
        history,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
        ),
    )


@pytest.mark.parametrize("policy", [*sorted(POLICIES), "adaptive"])
@settings(deadline=None, max_examples=40)
@given(
    max_rate=st.sampled_from([1, 2, 3, 7, 30]),
    steps=st.lists(st.sampled_from([0.0, 0.001, 0.01, 0.02, 0.1, 0.3, 0.7, 3.0]), min_size=5, max_size=200),
)
def test_no_second_sees_more_than_its_share(policy: str, max_rate: int, steps: list[float]) -> None:
    """However requests arrive, any window of a second has at most one request more than the cap."""
    world = World(PROXIES, policy, max_rate=max_rate)
    sent = []

    for step in steps:
        world.pass_time(step)
        choice = world.choose()
        if isinstance(choice, Pick):
            leased = world.take(choice)
            world.apply(Reported(world.now, leased.lease, verdict(Outcome.OK)))
            sent.append(world.now)

    for start in sent:
        assert sum(start <= at < start + 1 - 1e-6 for at in sent) <= max_rate + 1


@settings(deadline=None, max_examples=60)
@given(bad=st.sampled_from(BAD), outcomes=st.lists(st.sampled_from(list(Outcome)), min_size=1, max_size=7))
def test_answers_in_flight_are_one_incident(bad: Outcome, outcomes: list[Outcome]) -> None:
    """After a bad answer, whatever else was under way on that session neither counts again nor brings it back."""
    world = World([plain(0)])
    session = world.send(Outcome.OK)
    leases = [world.lease() for _ in range(len(outcomes) + 1)]
    world.report(leases.pop(), bad)
    record = msgspec.structs.replace(world.exit(plain(0)))

    for leased, outcome in zip(leases, outcomes, strict=True):
        world.report(leased, outcome)

    assert world.exit(plain(0)) == record
    assert record.blocked_count + record.throttled_count + record.proxy_error_count == 1
    assert session.name not in world.engine.state.sessions
    assert len(world.engine.state.working) == 0


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_saved_and_loaded_is_equal_in_whatever_order_things_happened(policy: str) -> None:
    """What is drawn depends on what is known, and not on the order in which it came to be known."""
    world = World(plains(40), policy)
    leases = [world.lease() for _ in range(30)]
    for leased in reversed(leases):
        world.report(leased, Outcome.OK)
    for session in list(world.engine.state.working)[::3]:
        world.close(session.name)

    loaded = world.restart(order=Random(8))

    assert len(loaded.state.working) > 5
    assert [loaded.choose(world.now, Random(seed)) for seed in range(200)] == [
        world.engine.choose(world.now, Random(seed)) for seed in range(200)
    ]


def test_facts_are_the_same_whatever_else_the_process_does() -> None:
    """Applying draws nothing: events replayed long after give the very same state."""
    world = World(PROXIES, "uniform_random")
    for outcome in [*Outcome, None] * 5:
        if isinstance(world.choose(), Pick):
            world.send(outcome)
        world.pass_time(30)

    replayed = SiteState(Catalog(PROXIES))
    for event in world.events:
        replayed.apply(event)

    assert any(isinstance(event, Leased) for event in world.events)
    assert encoded(replayed) == encoded(world.engine.state)
