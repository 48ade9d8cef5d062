"""Proxies that leave and come back at any moment, while crawls of two sites are under way."""

from __future__ import annotations

from collections import Counter
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.worlds import POLICIES, START, gateway, new_policy, plain, plains, verdict

from proxysieve.core.events import Reported
from proxysieve.core.model import Outcome, Proxy
from proxysieve.core.policies.adaptive import Adaptive
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.proxies.other_sites import OtherSites
from proxysieve.core.proxies.proxy_loads import Loads
from proxysieve.core.records import SessionRecord
from proxysieve.core.site.choices import Lost, Pick, Wait
from proxysieve.core.site.engine import Engine
from proxysieve.core.site.sessions import SESSION_SECONDS

ALL_POLICIES = [*sorted(POLICIES), "adaptive"]
FEW_NAMES = msgspec.structs.replace(gateway(2), numbers=(1, 3))
PROXIES = [plain(0), plain(1), plain(2), gateway(0), gateway(1), FEW_NAMES]
SITES = ["north.example", "south.example"]
OPTIONS = st.fixed_dictionaries(
    {
        "cost": st.sampled_from([1.0, 5.0]),
        "ttl_seconds": st.sampled_from([0.0, 40.0]),
        "max_in_flight": st.sampled_from([0, 1, 3]),
    }
)
OUTCOMES = st.sampled_from([*Outcome, Outcome.OK, Outcome.OK, Outcome.OK, None])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, 1)),
        st.tuples(st.just("ask"), st.integers(0, 1)),
        st.tuples(st.just("answer"), st.integers(0, 20), OUTCOMES, st.integers(0, 3)),
        st.tuples(st.just("answer"), st.integers(0, 20), OUTCOMES, st.integers(0, 3)),
        st.tuples(st.just("remove"), st.integers(0, 5)),
        st.tuples(st.just("add"), st.integers(0, 5), OPTIONS),
        st.tuples(st.just("pass"), st.sampled_from([0.1, 1.0, 30.0, 4000.0])),
    ),
    min_size=10,
    max_size=120,
)


class Crawl:
    """Two sites with one list of proxies, as a pool has them."""

    def __init__(self, policy: str, proxies: list[Proxy], seed: int = 1) -> None:
        self.catalog, self.loads, self.other_sites = Catalog(proxies), Loads(), OtherSites()
        self.engines = [
            Engine(site, self.catalog, new_policy(policy), other_sites=self.other_sites, loads=self.loads)
            for site in SITES
        ]
        self.rng = Random(seed)
        self.now = START
        self.out: list[tuple[Engine, int, str]] = []

    def ask(self, number: int, waiting: int = 1) -> Pick | Wait:
        engine = self.engines[number]
        choice = engine.choose(self.now, self.rng, waiting)
        if isinstance(choice, Pick):
            if choice.opened:
                engine.apply(choice.opened)
            engine.apply(choice.leased)
            session = engine.state.sessions[choice.leased.session_name]
            self.out.append((engine, choice.leased.lease, session.proxy_key))
        return choice

    def answer(self, number: int, outcome: Outcome | None, page_number: int = 0) -> None:
        engine, lease, _ = self.out.pop(number)
        self.now += 0.5
        said = None if outcome is None else verdict(outcome)
        engine.apply(Reported(self.now, lease, said, page_number=page_number))

    def serve(self, number: int, outcome: Outcome = Outcome.OK) -> str:
        """One request from lease to report; the proxy that carried it."""
        assert isinstance(self.ask(number), Pick)
        proxy = self.out[-1][2]
        self.answer(-1, outcome)
        return proxy

    def remove(self, *proxies: Proxy) -> None:
        there = {one.key: one for proxy in proxies if (one := self.catalog.get(proxy.key))}
        for key in there:
            self.catalog.remove(key)
        for engine in self.engines:
            engine.part(there)

    def add(self, *proxies: Proxy) -> None:
        for proxy in proxies:
            before = self.catalog.get(proxy.key)
            is_new = self.catalog.add(proxy)
            if before:
                self.catalog.replace(proxy)
            for engine in self.engines:
                if before:
                    engine.part({before.key: before})
                engine.welcome({proxy.key: proxy}, are_new=is_new)

    def working(self, number: int = 0) -> list[SessionRecord]:
        return list(self.engines[number].state.working)

    def check(self) -> None:
        """What holds at any moment."""
        carried = Counter(proxy for _, _, proxy in self.out)
        for proxy in PROXIES:
            assert self.loads.of(proxy.key) == carried[proxy.key]
        for engine in self.engines:
            state = engine.state
            for session in state.working:
                assert session.proxy_key in self.catalog
                assert state.sessions[session.name] is session
            if state.learner:
                for session in state.sessions.values():
                    if session.has_worked and not session.is_named and state.is_open(session, self.now):
                        assert (session in state.working) != state.learner.held_sessions.is_held(session.name)
                for cost, rotation in state.learner.rotation.items():
                    for member in rotation.all.values():
                        assert self.catalog.get(member.session.proxy_key) is member.proxy
                        assert member.proxy.cost == cost
                for tier in state.learner.candidates.tiers():
                    for key in [*tier.idle, *(key for kept in tier.blocked.values() for key in kept)]:
                        listed = self.catalog.get(key)
                        assert listed is not None
                        assert listed.cost == tier.cost


@pytest.mark.parametrize("policy", ALL_POLICIES)
@settings(deadline=None, max_examples=80)
@given(steps=STEPS, seed=st.integers(0, 99))
def test_lists_may_change_at_any_moment(policy: str, steps: list[tuple], seed: int) -> None:  # type: ignore[type-arg] # of several kinds
    """Nobody picks who has left, nobody carries more than its line says, and in the end all are served again."""
    crawl = Crawl(policy, PROXIES, seed)

    for kind, *what in steps:
        if kind == "ask":
            choice = crawl.ask(what[0], waiting=2)
            if isinstance(choice, Pick):
                proxy = crawl.catalog.get(crawl.out[-1][2])
                assert proxy is not None
                assert not proxy.max_in_flight or crawl.loads.of(proxy.key) <= proxy.max_in_flight
                session = crawl.engines[what[0]].state.sessions[choice.leased.session_name]
                assert crawl.now - session.opened_at < (proxy.ttl_seconds or SESSION_SECONDS)
        elif kind == "answer" and crawl.out:
            crawl.answer(what[0] % len(crawl.out), what[1], what[2])
        elif kind == "remove":
            crawl.remove(PROXIES[what[0]])
        elif kind == "add":
            crawl.add(msgspec.structs.replace(PROXIES[what[0]], **what[1]))
        elif kind == "pass":
            crawl.now += what[0]
        crawl.check()

    while crawl.out:
        crawl.answer(0, Outcome.SITE_ERROR)
    crawl.remove(*PROXIES)
    crawl.add(plain(8))
    crawl.check()
    for number in range(2):
        for power in range(16):
            if isinstance(crawl.ask(number), Pick):
                crawl.answer(-1, Outcome.OK)
                break
            crawl.now += 2.0**power
        else:
            raise AssertionError("nobody was served")


@pytest.mark.parametrize("policy", ALL_POLICIES)
def test_who_leaves_is_picked_no_more_and_works_again_when_it_is_back(policy: str) -> None:
    """Its session keeps what it was, name, looks and all, and answers that were out still count for it."""
    crawl = Crawl(policy, [plain(0)])
    crawl.serve(0)
    (session,) = crawl.working()
    crawl.ask(0)
    crawl.remove(plain(0))
    crawl.add(plain(1))

    assert crawl.working() == []
    crawl.answer(0, Outcome.OK)
    assert session.ok_count == 2
    assert {crawl.serve(0) for _ in range(5)} == {plain(1).key}

    crawl.remove(plain(1))
    crawl.add(plain(0))

    assert crawl.working()[0] is session
    assert crawl.serve(0) == plain(0).key
    assert session.ok_count == 3


@pytest.mark.parametrize("policy", ALL_POLICIES)
def test_a_site_that_was_given_up_tries_those_who_join(policy: str) -> None:
    """However many had failed there; and those that come back without a rest are no news."""
    crawl = Crawl(policy, plains(1000))
    engine = crawl.engines[0]
    while not engine.state.is_dry:
        crawl.serve(0, Outcome.BLOCKED)
    assert isinstance(crawl.ask(0), Wait)

    crawl.remove(plain(3))
    crawl.add(plain(3))
    had_failed = engine.state.has_failed(plain(3), crawl.now)
    assert engine.state.is_dry is had_failed
    crawl.add(*(plain(2000 + number) for number in range(5)))

    fresh = {plain(2000 + number).key for number in range(5)}
    tried = {crawl.serve(0, Outcome.BLOCKED) for _ in range(5)}
    # The others go by turn or chance, whatever is known.
    assert fresh & tried or policy in {"round_robin", "uniform_random"}


def test_a_drought_of_others_is_none() -> None:
    """Who has left does not count among those that failed."""
    crawl = Crawl("classic", plains(10))
    tried = {crawl.serve(0, Outcome.BLOCKED) for _ in range(9)}
    failed = [proxy for proxy in plains(10) if proxy.key in tried]

    crawl.remove(*failed[:8])

    assert not crawl.engines[0].state.is_dry


@pytest.mark.parametrize("policy", ALL_POLICIES)
def test_a_proxy_carries_so_many_at_all_sites_together(policy: str) -> None:
    """What is out at one site is missing at the other, which waits and gives up no hope."""
    crawl = Crawl(policy, [msgspec.structs.replace(gateway(0), max_in_flight=3)])
    for number in (0, 1, 1):
        assert isinstance(crawl.ask(number, waiting=20), Pick)

    waits = [crawl.ask(number, waiting=20) for number in range(2)]

    for wait in waits:
        assert isinstance(wait, Wait)
        assert not wait.is_hopeless
    named = crawl.engines[0].choose_named("ann", crawl.now, crawl.rng)
    assert isinstance(named, Wait)
    assert not named.is_hopeless
    crawl.answer(0, Outcome.OK)
    assert isinstance(crawl.ask(1, waiting=20), Pick)


def test_a_full_proxy_is_no_reason_to_take_risks() -> None:
    """However long requests wait for it, nobody goes past a limit of the site for that."""
    crawl = Crawl("adaptive", [msgspec.structs.replace(plain(0), max_in_flight=1)])
    crawl.serve(0)
    crawl.ask(0)
    for _ in range(50):
        assert isinstance(crawl.ask(0, waiting=50), Wait)
        crawl.now += 1

    policy = crawl.engines[0]._policy
    assert isinstance(policy, Adaptive)
    assert policy._want.seconds(crawl.now) == 0


@pytest.mark.parametrize("policy", ALL_POLICIES)
def test_what_full_proxies_cannot_carry_others_do(policy: str) -> None:
    """One that is full keeps nobody from those behind it."""
    crawl = Crawl(policy, [msgspec.structs.replace(plain(0), max_in_flight=1), plain(1)])
    for _ in range(12):
        crawl.serve(0)

    carried = [crawl.out[-1][2] for _ in range(4) if isinstance(crawl.ask(0, waiting=5), Pick)]

    assert carried.count(plain(0).key) <= 1
    assert plain(1).key in carried


@pytest.mark.parametrize("policy", ALL_POLICIES)
@pytest.mark.parametrize("proxy", [plain(0), gateway(0)], ids=["plain", "gateway"])
def test_a_session_lives_as_long_as_its_exit_is_the_same(policy: str, proxy: Proxy) -> None:
    """For the seconds that its line says; then another begins, and one that was named is lost."""
    crawl = Crawl(policy, [msgspec.structs.replace(proxy, ttl_seconds=600.0)])
    engine = crawl.engines[0]
    crawl.serve(0)
    (first,) = crawl.working()
    named = engine.choose_named("ann", crawl.now, crawl.rng)
    assert isinstance(named, Pick)
    assert named.opened
    engine.apply(named.opened)

    crawl.now = first.opened_at + 599
    assert engine.state.is_open(first, crawl.now)
    crawl.now += 2
    crawl.serve(0)

    assert first.name not in engine.state.sessions
    assert len(crawl.working()) == 1
    assert isinstance(engine.choose_named("ann", crawl.now, crawl.rng), Lost)


def test_other_options_hold_from_now_on() -> None:
    """A shorter life ends those who are older, a longer one spares them, and costs are those of the new line."""
    crawl = Crawl("adaptive", [plain(0)])
    crawl.serve(0)
    (first,) = crawl.working()
    crawl.now += 100
    crawl.add(msgspec.structs.replace(plain(0), ttl_seconds=50.0, cost=7.0))
    crawl.serve(0)
    (second,) = crawl.working()
    crawl.add(msgspec.structs.replace(plain(0), ttl_seconds=5000.0, cost=2.0))
    crawl.now += 1000
    crawl.serve(0)

    learner = crawl.engines[0].state.learner
    assert learner
    assert second is not first
    assert crawl.working() == [second]
    assert [cost for cost, rotation in learner.rotation.items() if rotation.all] == [2.0]


def test_other_sites_hear_of_a_block_once() -> None:
    """However often its proxy leaves and comes back."""
    crawl = Crawl("adaptive", plains(3))
    blocked = crawl.serve(0, Outcome.BLOCKED)
    (proxy,) = [one for one in plains(3) if one.key == blocked]
    for _ in range(5):
        crawl.remove(proxy)
        crawl.ask(0)
        crawl.add(proxy)
        crawl.ask(0)
        crawl.check()

    crawl.other_sites.tell(blocked, works=True)

    assert not crawl.other_sites.is_bad(blocked)


def test_what_was_known_of_a_proxy_that_was_away_at_the_start_comes_back_with_it() -> None:
    """Its blocks, the times of its uses, and the sessions that work there."""
    before = Crawl("adaptive", plains(2))
    used = [before.serve(0) for _ in range(6)]
    records = before.engines[0].take_changes()
    away = plain(0) if used[-1] == plain(0).key else plain(1)
    crawl = Crawl("adaptive", [plain(9)])
    crawl.engines[0] = engine = Engine(SITES[0], crawl.catalog, Adaptive(), records=records, loads=crawl.loads)
    crawl.now = before.now

    crawl.add(away)

    assert [session.proxy_key for session in engine.state.working] == [away.key]
    assert engine.state.learner
    assert engine.state.learner.usage.exits[away.key].count == used.count(away.key)
    assert crawl.serve(0) == away.key


@pytest.mark.parametrize("policy", ALL_POLICIES)
def test_an_exit_that_is_kept_for_hardly_any_time_carries_a_request(policy: str) -> None:
    """A session that ended as it was opened would be none to send the request with."""
    proxy = msgspec.structs.replace(plain(0), ttl_seconds=1e-9)
    crawl = Crawl(policy, [proxy])
    crawl.now = 1.7e9

    assert crawl.serve(0) == proxy.key
