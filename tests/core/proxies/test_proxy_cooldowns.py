"""Proxies that refuse whoever comes through them: all of each rests, and no session is to blame."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.worlds import DAY, START, World, gateway, plain, plains, verdict

from proxysieve.core.events import Leased, Reported
from proxysieve.core.model import Outcome, Proxy, Scope, Verdict
from proxysieve.core.proxies.catalog import NAMES_AT_A_GATEWAY
from proxysieve.core.proxies.proxy_cooldowns import FIRST_REST_SECONDS, FIRST_REST_UNUSED_SECONDS, ProxyCooldowns
from proxysieve.core.records import SessionRecord
from proxysieve.core.site.choices import Pick, Wait

WRONG_LOGIN = Verdict(outcome=Outcome.PROXY_ERROR, why="status 407: wrong", sign="proxy-credentials", scope=Scope.PROXY)
USED_UP = Verdict(outcome=Outcome.PROXY_ERROR, why="status 402: used up", sign="proxy-payment", scope=Scope.PROXY)
BUSY = Verdict(outcome=Outcome.PROXY_ERROR, why="status 429 from the proxy", sign="proxy-busy", scope=Scope.PROXY)
POLICIES = ["adaptive", "classic", "round_robin", "uniform_random"]
KINDS = {"plain": plain, "gateway": gateway}


def tell(world: World, leased: Leased, said: Verdict) -> list[str]:
    """What came of it, a second later; a rest is counted from then on."""
    world.pass_time(1)
    if said is BUSY:
        said = msgspec.structs.replace(BUSY, until=world.now + 30)
    return world.apply(Reported(world.now, leased.lease, said))


def ask(world: World, said: Verdict) -> SessionRecord:
    """One request that is told *said*."""
    leased = world.lease()
    session = world.session(leased)
    tell(world, leased, said)
    return session


def rests_at(world: World, proxy: Proxy, now: float) -> bool:
    return now < world.engine.state.cooldown_until(proxy.key)


def asked_until(world: World, said: Verdict, seconds: float) -> list[float]:
    """When a proxy that always says *said* is asked within that time, by whoever asks as soon as that may help."""
    start, asked = world.now, []
    while world.now < start + seconds:
        choice = world.choose()
        if isinstance(choice, Pick):
            asked.append(world.now - start)
            tell(world, world.take(choice), said)
        else:
            assert choice.until is not None
            world.now = max(choice.until, world.now + 0.01)
    return asked


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("said", [WRONG_LOGIN, USED_UP], ids=["login", "plan"])
def test_who_refuses_a_login_through_which_nothing_ever_came_is_not_asked_again(
    policy: str, kind: str, said: Verdict
) -> None:
    """Its other names would meet the same, so one says it for all; an hour later somebody may have paid."""
    world = World([KINDS[kind](1)], policy)
    ask(world, said)
    refused_at = world.now
    # As nothing works, there is a pause before a probe.
    world.pass_time(1)

    choice = world.choose()

    told = f"1 of 1 proxies cool down: {said.why}"
    assert choice == Wait(refused_at + FIRST_REST_UNUSED_SECONDS, told, is_hopeless=True)
    assert len(asked_until(world, said, DAY)) <= 5


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kind", KINDS)
def test_who_asks_to_come_back_is_left_alone_until_then(policy: str, kind: str) -> None:
    """With all of its names, and whatever the policy."""
    proxy = KINDS[kind](1)
    world = World([proxy], policy)
    ask(world, BUSY)
    until = world.now + 30

    choice = world.choose()

    assert isinstance(choice, Wait)
    assert choice.is_hopeless
    assert "status 429 from the proxy" in choice.why
    assert rests_at(world, proxy, until - 0.1)
    world.now = until
    assert isinstance(world.choose(), Pick)


@pytest.mark.parametrize("kind", KINDS)
def test_sessions_that_work_outlast_the_rest_of_their_proxy(kind: str) -> None:
    """That it is busy, or wants to be paid, is not their doing: they are neither held nor given up."""
    for said in (BUSY, USED_UP):
        world = World([KINDS[kind](1)], "adaptive")
        working = world.work(1)

        session = ask(world, said)

        assert session in working
        assert world.engine.state.learner is not None
        assert not world.engine.state.learner.held_sessions.is_held(session.name)
        assert isinstance(world.choose(), Wait)
        world.now = world.engine.state.cooldown_until(session.exit_id)
        assert world.session(world.lease()) is session


@pytest.mark.parametrize("policy", POLICIES)
def test_the_others_go_on(policy: str) -> None:
    """A list has other proxies, and only the one that refuses rests."""
    bad, good = gateway(1), plain(1)
    world = World([bad, good], policy)
    refused = 0
    for _ in range(30):
        leased = world.lease()
        if world.proxy(leased) == bad.key:
            refused += 1
            tell(world, leased, WRONG_LOGIN)
        else:
            world.report(leased, Outcome.OK)

    assert refused <= 1
    assert world.engine.state.working.session_count == 1


def test_a_hiccup_of_a_proxy_that_works_costs_a_second() -> None:
    """Twice as long each time that it refuses again, until something comes through."""
    world = World([gateway(1)], "adaptive")
    world.work(1)

    asked = asked_until(world, WRONG_LOGIN, 600)
    world.now = world.engine.state.cooldown_until(gateway(1).key)
    world.send(Outcome.OK)
    again = asked_until(world, WRONG_LOGIN, 4)

    pauses = [later - earlier for earlier, later in pairwise(asked)]
    assert pauses[:3] == pytest.approx([2, 3, 5])
    assert again == pytest.approx([0, 2])


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("said", [WRONG_LOGIN, None], ids=["refused", "dropped"])
def test_who_refused_is_asked_again_by_a_single_question(policy: str, kind: str, said: Verdict | None) -> None:
    """However many wait, and whatever comes of it; once something comes through, all of them go."""
    proxy = KINDS[kind](1)
    world = World([proxy], policy)
    world.send(Outcome.OK)
    ask(world, WRONG_LOGIN)
    for _ in range(3):
        world.now = world.engine.state.cooldown_until(proxy.key) + DAY
        leased = world.lease()
        assert isinstance(world.choose(waiting=50), Wait)
        assert not isinstance(world.choose_named("alice"), Pick)
        world.pass_time(1)
        world.apply(Reported(world.now, leased.lease, said))

    world.now = world.engine.state.cooldown_until(proxy.key) + DAY
    world.send(Outcome.OK)
    assert {world.lease().lease for _ in range(3)} == {world.engine.state.site.lease_count - n for n in (1, 2, 3)}


def test_a_refusal_among_thousands_of_good_answers_costs_next_to_nothing() -> None:
    """Also where it comes again and again, and many requests are out."""
    world = World([gateway(1)], "adaptive")
    chance, started_at, good = Random(2), world.now, 0
    while good < 5_000:
        flights = [world.take(pick) for _ in range(8) if isinstance(pick := world.choose(8), Pick)]
        if not flights:
            world.now = world.engine.state.cooldown_until(gateway(1).key)
            continue
        world.pass_time(1)
        for leased in flights:
            is_refused = good > 0 and chance.random() < 0.001
            world.apply(Reported(world.now, leased.lease, WRONG_LOGIN if is_refused else verdict(Outcome.OK)))
            good += not is_refused

    # Without any it would be 625 seconds and a few.
    assert world.now - started_at < 700


def test_those_who_were_out_together_are_refused_once() -> None:
    """Twenty answers to questions of one moment tell no more than the first of them."""
    world = World([gateway(1)], "classic")
    flights = [world.lease() for _ in range(20)]
    for leased in flights:
        tell(world, leased, WRONG_LOGIN)

    assert world.engine.state.cooldown_until(gateway(1).key) == START + 1 + FIRST_REST_UNUSED_SECONDS


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("waiting", [16, 100])
def test_who_is_busy_is_asked_no_more_at_once_than_it_bears(policy: str, waiting: int) -> None:
    """Of a plan that bears ten requests at once next to none is refused, and it is used nearly to the full."""
    world = World([gateway(1)], policy)
    flights: list[Leased] = []
    good = refused = 0
    while good < 1_000:
        while len(flights) < waiting and isinstance(pick := world.choose(waiting), Pick):
            flights.append(world.take(pick))
            if len(flights) > 10:
                refused += 1
                until = world.now + 1
                world.apply(Reported(world.now, flights.pop().lease, msgspec.structs.replace(BUSY, until=until)))
        if flights:
            world.report(flights.pop(0), Outcome.OK)
            good += 1
        else:
            world.now = world.engine.state.cooldown_until(gateway(1).key)

    assert refused < 100
    # One comes back in a second here, of those that are out.
    assert world.now - START < 1_100


def test_a_proxy_that_was_busy_once_carries_more_again() -> None:
    """What it bore at that moment tells less and less."""
    world = World([gateway(1)], "uniform_random")
    ask(world, BUSY)
    world.pass_time(30)
    most = 0
    flights: list[Leased] = []
    for _ in range(600):
        while isinstance(pick := world.choose(50), Pick) and len(flights) < 16:
            flights.append(world.take(pick))
        most = max(most, len(flights))
        world.report(flights.pop(0), Outcome.OK)

    assert most == 16


def test_what_comes_through_beside_a_refusal_makes_it_a_hiccup() -> None:
    """The login is right, then."""
    world = World([gateway(1)], "classic")
    first, second = world.lease(), world.lease()
    tell(world, first, WRONG_LOGIN)

    world.report(second, Outcome.BLOCKED)

    assert world.engine.state.cooldown_until(gateway(1).key) == START + 1 + FIRST_REST_SECONDS


def test_a_list_that_says_something_new_of_a_proxy_has_it_asked_again() -> None:
    """Whoever corrects a list wants to see it."""
    proxy = gateway(1)
    world = World([proxy], "adaptive")
    ask(world, WRONG_LOGIN)
    assert isinstance(world.choose(), Wait)

    world.engine.welcome({proxy.key: proxy}, are_new=False)
    # As nothing works, there is a pause before a probe.
    world.pass_time(1)

    assert isinstance(world.choose(), Pick)


@pytest.mark.parametrize("kind", KINDS)
def test_a_proxy_that_leaves_and_comes_back_still_rests(kind: str) -> None:
    """As long as it asked for."""
    proxy = KINDS[kind](1)
    world = World([proxy], "adaptive")
    ask(world, BUSY)

    world.catalog.remove(proxy.key)
    world.engine.part({proxy.key: proxy})
    world.catalog.add(proxy)
    world.engine.welcome({proxy.key: proxy})

    assert rests_at(world, proxy, world.now + 29)
    assert not rests_at(world, proxy, world.now + 30)


@pytest.mark.parametrize("kind", KINDS)
def test_another_run_asks_a_refused_login_and_keeps_what_was_asked_for(kind: str) -> None:
    """Somebody may have paid, but ``Retry-After`` is the least to wait, whoever asks."""
    for said, rests in ((WRONG_LOGIN, False), (BUSY, True)):
        proxy = KINDS[kind](1)
        world = World([proxy], "adaptive")
        ask(world, said)
        world.save()
        world.engine = world.restart(now=world.now)

        assert rests_at(world, proxy, world.now) is rests
        world.now += 31
        assert not rests_at(world, proxy, world.now)


def test_a_gateway_that_refuses_all_has_failed_with_all_of_its_names() -> None:
    """So where the plain proxies are dead as well, nothing works, and looking ends."""
    world = World([gateway(1), *plains(3)], "adaptive")
    while not world.engine.state.is_dry:
        leased = world.lease()
        if world.proxy(leased) == gateway(1).key:
            tell(world, leased, WRONG_LOGIN)
        else:
            world.report(leased, Outcome.PROXY_ERROR)
        assert len(world.events) < NAMES_AT_A_GATEWAY

    assert isinstance(world.choose(), Wait)


def test_that_a_proxy_refuses_teaches_nothing_of_the_site() -> None:
    """No limit, no alarm, no chance of its other names."""
    world = World([gateway(1)], "adaptive")
    world.work(1)
    learner = world.engine.state.learner
    assert learner is not None
    chance = learner.candidates.tiers()[0].chance

    for _ in range(20):
        ask(world, BUSY)
        world.pass_time(30)

    assert not learner.usage.exit_limits.limits
    assert not learner.held_sessions.alarm_at
    assert learner.candidates.tiers()[0].chance == chance


def test_a_named_session_waits_for_its_proxy() -> None:
    """It keeps its exit, and is told what it waits for."""
    world = World([gateway(1)], "adaptive")
    world.send(Outcome.OK, "alice")
    tell(world, world.lease("alice"), BUSY)

    choice = world.choose_named("alice")

    assert choice == Wait(world.now + 30, "its proxy cools down: status 429 from the proxy", is_hopeless=True)
    world.pass_time(30)
    assert isinstance(world.choose_named("alice"), Pick)


@given(
    st.lists(st.tuples(st.sampled_from(["ask", "busy", "refuse", "passes", "forget"]), st.floats(0, 100)), max_size=30)
)
def test_a_rest_ends_within_a_day(steps: list[tuple[str, float]]) -> None:
    """Whatever happens, and what was asked for is never cut short."""
    rests, now, asked = ProxyCooldowns(), START, 0.0
    rng = Random(1)
    for step, seconds in steps:
        now += seconds
        match step:
            case "ask":
                asked = max(asked, now + seconds)
                rests.ask("a", now + seconds)
            case "busy":
                asked = max(asked, now + seconds)
                rests.busy("a", now + seconds)
                assert not rests.is_full("a")
            case "refuse":
                rests.refuse("a", now - rng.random(), now)
            case "passes":
                rests.passes("a", now - rng.random())
            case _:
                rests.forget(["a"])
        assert asked <= rests.until("a") <= max(asked, now + DAY)
        assert dict(rests.cooling_down(now)) == ({"a": rests.until("a")} if rests.until("a") > now else {})
