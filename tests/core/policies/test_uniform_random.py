"""What plain random rotation promises."""

from __future__ import annotations

from collections import Counter
from math import sqrt
from random import Random

import pytest
from tests.core.worlds import World, gateway, plains

from proxysieve.core.model import Outcome
from proxysieve.core.site.choices import Pick

TRIES = 4000


def proxies_of(world: World) -> Counter[str]:
    """What the engine would go through, asked over and over in one and the same state."""
    rng = Random(3)
    found: Counter[str] = Counter()
    for _ in range(TRIES):
        pick = world.engine.choose(world.now, rng)
        assert isinstance(pick, Pick)
        opened = pick.opened
        found[opened.proxy_key if opened else world.engine.state.sessions[pick.leased.session_name].proxy_key] += 1
    return found


@pytest.mark.parametrize("rested", [0, 3])
def test_all_usable_proxies_are_equally_likely(rested: int) -> None:
    """Blocked, working, unknown or a provider's: only what rests, as the site asked, is left out."""
    world = World([*plains(10), gateway(0)], "uniform_random")
    for outcome in [*Outcome, *Outcome]:
        world.send(outcome)
    cooling_down = {proxy.key for proxy in plains(rested)}
    while any(world.engine.state.cooldown_until(key) == 0 for key in cooling_down):
        leased = world.lease()
        world.report(leased, Outcome.THROTTLED, until=world.now + 900 if world.proxy(leased) in cooling_down else 0)

    uses = proxies_of(world)

    usable = {proxy.key for proxy in world.catalog} - cooling_down
    expected = TRIES / len(usable)
    assert set(uses) == usable
    assert all(abs(count - expected) <= 5 * sqrt(expected) for count in uses.values())


def test_the_last_usable_ones_are_equally_likely() -> None:
    """Where 297 of 300 rest, each of the others has a third."""
    world = World(plains(300), "uniform_random")
    awake = {proxy.key for proxy in plains(3)}
    while any(world.engine.state.cooldown_until(proxy.key) == 0 for proxy in plains(300)[3:]):
        leased = world.lease()
        is_awake = world.proxy(leased) in awake
        world.report(leased, Outcome.OK, until=0 if is_awake else world.now + 10**6)

    uses = proxies_of(world)

    assert set(uses) == awake
    assert all(abs(count - TRIES / 3) <= 5 * sqrt(TRIES / 3) for count in uses.values())


def test_a_gateway_gives_somebody_else_every_time() -> None:
    """A request through a provider is a new session's, a plain proxy's is its session's."""
    world = World([*plains(1), gateway(0)], "uniform_random")

    sessions = [world.send(Outcome.OK) for _ in range(40)]

    assert len({session.name for session in sessions if not session.exit_name}) == 1
    at_the_gateway = [session.name for session in sessions if session.exit_name]
    assert len(set(at_the_gateway)) == len(at_the_gateway) > 5
