"""What taking turns promises."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.worlds import World, gateway, plain, plains

from proxysieve.core.model import Outcome

OUTCOMES = st.sampled_from([*Outcome, Outcome.OK, None])


@settings(deadline=None, max_examples=60)
@given(
    plain_count=st.integers(0, 5),
    gateway_count=st.integers(0, 2),
    outcomes=st.lists(OUTCOMES, min_size=30, max_size=30),
)
def test_between_two_uses_of_a_proxy_every_other_is_used_once(
    plain_count: int, gateway_count: int, outcomes: list[Outcome | None]
) -> None:
    """The order is that of the list, whatever comes back, at plain proxies and at providers."""
    proxies = [*plains(plain_count), *(gateway(number) for number in range(gateway_count))] or [plain(9)]
    world = World(proxies, "round_robin")

    used = []
    for outcome in outcomes:
        world.pass_time(4000)  # so that a drought's pauses are over
        used.append(world.send(outcome).proxy_key)

    keys = [proxy.key for proxy in proxies]
    assert used == [keys[number % len(keys)] for number in range(len(outcomes))]


def test_one_that_rests_is_passed_over() -> None:
    """What the site asked to leave alone misses its turn, and has the next one after its rest."""
    world = World(plains(3), "round_robin")
    until = world.now + 100
    world.send(Outcome.OK, until=until)

    during = [world.send(Outcome.OK).proxy_key for _ in range(4)]
    world.now = until
    after = [world.send(Outcome.OK).proxy_key for _ in range(3)]

    zero, one, two = (proxy.key for proxy in plains(3))
    assert during == [one, two, one, two]
    assert after == [zero, one, two]


def test_a_proxy_keeps_its_session() -> None:
    """A plain proxy's turns are carried by one session as long as it is well; a provider's each by a new one."""
    world = World([plain(0), gateway(0)], "round_robin")

    sessions = [world.send(Outcome.OK).name for _ in range(6)]

    assert len(set(sessions[0::2])) == 1
    assert len(set(sessions[1::2])) == 3


def test_turns_go_on_after_a_restart() -> None:
    """The next run starts behind the proxy that was used last."""
    world = World(plains(3), "round_robin")
    world.send(Outcome.OK)

    world.engine = world.restart()

    assert world.send(Outcome.OK).proxy_key == plain(1).key


def test_turns_go_on_when_the_last_one_has_left() -> None:
    """Where the proxy that was used last is gone, it starts over."""
    world = World(plains(3), "round_robin")
    world.send(Outcome.OK)

    world.catalog.remove(plain(0).key)

    used = [world.send(Outcome.OK).proxy_key for _ in range(2)]
    assert used == [plain(2).key, plain(1).key]
