"""Runs of days and weeks, in which proxies die and come: what is of no use any more takes no room."""

from __future__ import annotations

import pytest
from tests.core.worlds import DAY, START, World, gateway, plain

from proxysieve.core.learning.learner import Learner
from proxysieve.core.learning.usage_limits import WINDOWS
from proxysieve.core.model import Outcome, Proxy
from proxysieve.core.proxies.other_sites import OtherSites
from proxysieve.core.site.sessions import ABSENT_SECONDS, ENDS_KEPT


def at(number: int) -> Proxy:
    """A proxy in a network of its own."""
    return Proxy(scheme="http", host=f"10.0.{number}.1", port=8000)


def swap(world: World, old: Proxy, new: Proxy) -> None:
    """*new* joins, and *old* leaves."""
    world.catalog.add(new)
    world.engine.welcome({new.key: new})
    world.catalog.remove(old.key)
    world.engine.part({old.key: old})


def learner(world: World) -> Learner:
    assert world.engine.state.learner
    return world.engine.state.learner


def test_sessions_that_fail_leave_nothing_to_be_looked_at() -> None:
    """Each is noted for when it would be a day old; those that ended long before are taken out."""
    world = World([gateway(0)])

    for _ in range(1000):
        world.send(Outcome.PROXY_ERROR)
        world.send(Outcome.OK)
        world.close(next(iter(world.engine.state.sessions)))

    assert len(world.engine.state._site_sessions._ends) <= ENDS_KEPT + 2


def test_networks_that_nobody_used_are_forgotten_when_they_leave() -> None:
    """A list that changes for days names networks without end."""
    world = World([at(0)], "adaptive")

    for number in range(1, 200):
        swap(world, at(number - 1), at(number))
        world.choose()

    assert len(learner(world).candidates._groups) == 1


def test_uses_of_who_has_left_are_kept_for_as_long_as_they_tell_something() -> None:
    """Beyond the longest window, no limit looks at them."""
    world = World([at(0), at(1)], "adaptive")
    world.send(Outcome.OK)
    used = next(iter(learner(world).usage.exits))
    first, other = (at(0), at(1)) if used == at(0).key else (at(1), at(0))

    swap(world, first, at(2))
    assert first.key in learner(world).usage.exits
    world.pass_time(WINDOWS[-1] + 1)
    world.send(Outcome.OK)
    swap(world, other, at(3))

    assert first.key not in learner(world).usage.exits
    assert first.network not in learner(world).usage.networks


def test_what_is_left_of_them_is_no_stumbling_block() -> None:
    """A session that is held while its proxy is away for hours is believed to be blocked all the same."""
    world = World([at(0)], "adaptive")
    held = world.send(Outcome.OK)
    world.send(Outcome.BLOCKED)
    swap(world, at(0), at(1))
    world.send(Outcome.OK, "ann")
    world.pass_time(WINDOWS[-1] + 1)
    learner(world).usage.drop_old(world.now, lambda _: False, ())

    world.catalog.add(at(0))
    world.engine.welcome({at(0).key: at(0)})
    world.send(Outcome.OK, "ann")

    assert held.name not in world.engine.state.sessions


@pytest.mark.parametrize("policy", ["classic", "adaptive"])
def test_exits_that_left_weeks_ago_are_forgotten(policy: str) -> None:
    """Neither memory nor the store grows for ever; who is in the list, or carries a named session, is remembered."""
    world = World([plain(0)], policy)
    world.send(Outcome.OK)
    swap(world, plain(0), plain(1))
    world.send(Outcome.OK, "ann")
    swap(world, plain(1), plain(2))
    world.send(Outcome.OK)
    world.save()
    assert {plain(number).key for number in range(3)} == {key for kind, key in world.store if kind == "exit"}

    world.pass_time(ABSENT_SECONDS + DAY)
    world.send(Outcome.OK)
    world.save()

    assert {key for kind, key in world.store if kind == "exit"} == {plain(1).key, plain(2).key}
    assert set(world.engine.state.exits) == {plain(1).key, plain(2).key}


def test_exits_that_left_lately_are_remembered() -> None:
    """A list may be another for some days."""
    world = World([plain(0)])
    world.send(Outcome.BLOCKED)
    swap(world, plain(0), plain(1))

    world.pass_time(ABSENT_SECONDS - DAY)
    world.send(Outcome.OK)

    assert plain(0).key in world.engine.state.exits


def test_the_moments_of_uses_are_kept_once() -> None:
    """A store's record hands them over to who counts them, and is saved with them again."""
    world = World([plain(0)], "adaptive")
    world.send(Outcome.OK)
    engine = world.restart()

    kept = engine.state.exits[plain(0).key]
    engine.state.changed.add(("exit", plain(0).key))
    (record,) = [one for one in engine.take_changes() if one.kind == "exit"]

    assert kept.used_at is None
    assert record.value == world.store["exit", plain(0).key].value
    assert world.now - START < DAY


def test_nobody_draws_who_has_left_for_working_elsewhere() -> None:
    """What was heard of it counts again when it comes back."""
    other_sites = OtherSites()
    other_sites.tell("ann", works=True)
    other_sites.tell("bob", works=False)

    other_sites.part(["ann", "bob"])
    assert not list(other_sites.good)
    other_sites.welcome(["ann", "bob"])

    assert list(other_sites.good) == ["ann"]
    assert other_sites.is_bad("bob")
