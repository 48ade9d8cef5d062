"""What the classic algorithm promises (Apify, 2019)."""

from __future__ import annotations

from collections import Counter
from math import sqrt
from random import Random

import pytest
from tests.core.worlds import BAD, World, gateway, is_name, plain, plains

from proxysieve.core.model import Outcome
from proxysieve.core.policies.classic import Classic
from proxysieve.core.site.choices import Pick
from proxysieve.core.site.engine import Engine
from proxysieve.core.site.state import MAX_IN_FLIGHT

TRIES = 4000


def picks(engine: Engine, now: float, seed: int = 11) -> list[Pick]:
    """What the engine would do, asked over and over in one and the same state."""
    rng = Random(seed)
    choices = [engine.choose(now, rng) for _ in range(TRIES)]
    assert all(isinstance(choice, Pick) for choice in choices)
    return [choice for choice in choices if isinstance(choice, Pick)]


def tolerance(chance: float, tries: int = TRIES) -> float:
    """Five standard deviations of the binomial: one seed in two million is outside."""
    return 5 * sqrt(tries * chance * (1 - chance))


def worked(count: int, max_sessions: int = 20) -> World:
    """A site where *count* sessions work, one each on a plain proxy, among a hundred and a gateway."""
    world = World([*plains(100), gateway(0)], Classic(max_sessions=1000))
    world.work(count)
    world.engine._policy = Classic(max_sessions)
    return world


@pytest.mark.parametrize(
    ("count", "chance"), [(0, 0.0), (1, 0.05), (5, 0.25), (10, 0.5), (19, 0.95), (20, 1.0), (25, 1.0)]
)
def test_of_n_sessions_that_work_one_is_used_with_the_chance_n_of_max(count: int, chance: float) -> None:
    """The fewer work, the more is tried; trying ends when the most that are wanted work."""
    world = worked(count)

    reused = sum(not pick.leased.is_draw for pick in picks(world.engine, world.now))

    assert abs(reused - TRIES * chance) <= tolerance(chance)


def test_the_working_ones_are_used_alike() -> None:
    """Which of them is used is a matter of chance, and all have the same."""
    world = worked(20)

    uses = Counter(pick.leased.session_name for pick in picks(world.engine, world.now))

    assert set(uses) == {session.name for session in world.engine.state.working}
    assert all(abs(count - TRIES / 20) <= tolerance(1 / 20) for count in uses.values())


def test_the_working_ones_are_used_alike_when_most_of_them_are_full() -> None:
    """Where nearly all carry what they may, the few that are left are still equally likely."""
    world = World(plains(60), Classic(max_sessions=60))
    world.work(60)
    free = {session.name for session in list(world.engine.state.working)[::20]}
    for session in world.engine.state.working:
        if session.name not in free:
            world.engine.state.in_flight[session.name] = MAX_IN_FLIGHT

    uses = Counter(pick.leased.session_name for pick in picks(world.engine, world.now))

    assert set(uses) == free
    assert all(abs(count - TRIES / 3) <= tolerance(1 / 3) for count in uses.values())


def test_a_new_session_takes_any_unused_proxy() -> None:
    """All proxies without a session are equally likely, whatever happened to them before."""
    world = World([*plains(10), gateway(0)], Classic(max_sessions=10**9))
    for outcome in (*BAD, Outcome.OK, Outcome.OK, Outcome.OK):
        world.send(outcome)
    carrying = {session.proxy_key for session in world.engine.state.working if not session.exit_name}

    opened = Counter(pick.opened.proxy_key for pick in picks(world.engine, world.now) if pick.opened)

    unused = {proxy.key for proxy in world.catalog} - carrying
    # Who carries one is drawn as often, and used again.
    chance = 1 / len(world.catalog)
    assert set(opened) == unused
    assert all(abs(count - TRIES * chance) <= tolerance(chance) for count in opened.values())


def test_a_proxy_that_carries_a_session_counts_once_more() -> None:
    """The original would store another one; here the chance to use it grows all the same, up to certainty."""
    world = World(plains(2), Classic(max_sessions=10))

    for _ in range(400):
        world.send(Outcome.OK)

    assert world.engine.state.working.session_count == 2
    assert len(world.engine.state.working) == 10
    assert sum(session.draw_count for session in world.engine.state.sessions.values()) == 10
    assert world.engine.status(world.now).working == 2


def test_what_counts_several_times_is_forgotten_at_once() -> None:
    """A block deletes all that the original would have stored on the exit, one after the other."""
    world = World(plains(1), Classic(max_sessions=10))
    for _ in range(100):
        world.send(Outcome.OK)

    world.send(Outcome.BLOCKED)

    assert len(world.engine.state.working) == world.engine.state.working.session_count == 0


def test_the_last_proxy_that_may_be_drawn_is_found() -> None:
    """One unused proxy among 2,000 is as good as one among two."""
    world = World(plains(2000), Classic(max_sessions=10**9))
    for session in world.work(1999):
        world.engine.state.in_flight[session.name] = MAX_IN_FLIGHT

    pick = world.choose()

    assert isinstance(pick, Pick)
    assert pick.opened is not None
    assert pick.opened.proxy_key not in {session.proxy_key for session in world.engine.state.working}


def test_a_session_is_stored_once_it_worked() -> None:
    """A session counts among the working ones from its first good answer on, and not before."""
    world = World(plains(5), Classic(max_sessions=5))
    leased = world.lease()
    before = len(world.engine.state.working)

    world.report(leased, Outcome.OK)

    assert before == 0
    assert [session.name for session in world.engine.state.working] == [leased.session_name]


@pytest.mark.parametrize(
    ("outcome", "stays"),
    [
        pytest.param(Outcome.OK, True, id="ok-or-404"),
        pytest.param(Outcome.SITE_ERROR, True, id="500"),
        pytest.param(None, True, id="given-back"),
        pytest.param(Outcome.UNCLEAR, True, id="one-that-said-nothing"),
        pytest.param(Outcome.BLOCKED, False, id="block"),
        pytest.param(Outcome.THROTTLED, False, id="throttle"),
        pytest.param(Outcome.PROXY_ERROR, False, id="proxy-error"),
    ],
)
def test_what_deletes_a_working_session(*, outcome: Outcome | None, stays: bool) -> None:
    """It is deleted when its exit is refused or broken, and kept otherwise."""
    world = World(plains(1), Classic(max_sessions=1))
    session = world.send(Outcome.OK)

    world.send(outcome)

    assert (session in list(world.engine.state.working)) is stays


@pytest.mark.parametrize("outcome", [*BAD, Outcome.UNCLEAR, Outcome.SITE_ERROR, None])
def test_a_new_session_is_stored_by_nothing_else_than_a_good_answer(outcome: Outcome | None) -> None:
    """Whatever else comes back, the new session is gone and its proxy unused again."""
    world = World(plains(1), Classic(max_sessions=1))

    session = world.send(outcome)

    assert session.name not in world.engine.state.sessions
    assert len(world.engine.state.working) == 0


def test_at_a_gateway_every_try_is_somebody_else() -> None:
    """A new session at a provider has a name and a look of its own, again and again."""
    world = World([gateway(0)], Classic(max_sessions=10**9))

    sessions = [world.send(Outcome.BLOCKED if number % 2 else Outcome.OK) for number in range(60)]

    assert len({session.exit_name for session in sessions}) == 60
    assert all(is_name(session.exit_name) for session in sessions)
    assert len({session.fingerprint for session in sessions}) > 1


def test_where_nothing_is_left_to_try_a_working_one_is_used() -> None:
    """Chance decides only where there is a choice."""
    world = World(plains(2), Classic(max_sessions=10**9))
    world.work(2)

    pick = world.choose()

    assert isinstance(pick, Pick)
    assert pick.opened is None


def test_where_the_working_ones_are_full_a_new_one_is_tried() -> None:
    """The other way round it holds too."""
    world = World([plain(0), plain(1)], Classic(max_sessions=1))
    world.work(1)
    for _ in range(MAX_IN_FLIGHT):
        world.lease()

    pick = world.choose()

    assert isinstance(pick, Pick)
    assert pick.opened is not None


def test_the_log_says_what_the_odds_were() -> None:
    """A pick comes with the number of working sessions and the chance that it had."""
    world = worked(5)

    pick = world.choose()

    assert isinstance(pick, Pick)
    assert pick.why == "5 working, chance to use one of them 25%"
