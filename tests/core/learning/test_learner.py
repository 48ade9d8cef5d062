"""What is learned of a site outlives a run, and fades by the day."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from tests.core.worlds import START, World, gateway, plain, plains

from proxysieve.core.learning.learned_limit import Limit
from proxysieve.core.learning.learner import HALF_LIFE_SECONDS, Learner, LearnerRecord
from proxysieve.core.learning.use_times import Uses
from proxysieve.core.model import Outcome, Proxy
from proxysieve.core.policies.adaptive import Adaptive
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.proxies.other_sites import OtherSites
from proxysieve.core.site.choices import Pick


def learner_of(world: World) -> Learner:
    learner = world.engine.state.learner
    assert learner is not None
    return learner


def restarted(world: World) -> Learner:
    """What the next run knows."""
    learner = world.restart(order=Random(3)).state.learner
    assert learner is not None
    return learner


def all_work(world: World) -> None:
    """Every proxy is tried, and works."""
    leases = [world.take(world.choose(waiting=1000)) for _ in range(len(world.catalog))]
    for leased in leases:
        world.report(leased, Outcome.OK)


class TestRestart:
    """What the next run knows."""

    def test_a_policy_that_does_not_learn_keeps_nothing(self) -> None:
        """Neither uses nor lore are in its records."""
        world = World(plains(3))
        for outcome in (Outcome.OK, Outcome.BLOCKED, Outcome.OK):
            world.send(outcome)
        world.save()

        kinds = {kind for kind, _ in world.store}
        exits = [msgspec.json.decode(one.value or b"") for one in world.store.values() if one.kind == "exit"]

        assert world.engine.state.learner is None
        assert "lore" not in kinds
        assert all(one.get("used_at") is None for one in exits)

    def test_limits_and_curves_come_back(self) -> None:
        """The record is the same after a round trip through bytes."""
        world = World(plains(3), Adaptive())
        all_work(world)
        learner = learner_of(world)
        learner.usage.exit_limits.limits = [Limit(7, 1.0, 60.0, subject="x", since=START, sure=0.9)]
        learner.usage.network_limits.limits = [Limit(70, 1.0, 60.0)]
        learner.usage.exit_limits.lag = 12.0
        learner.candidates.recoveries["dead"].count(500, recovered=True)
        learner.candidates.recoveries["worked"].count(50, recovered=False)
        world.engine.state.changed.add(("lore", ""))

        again = restarted(world).record()

        assert msgspec.json.encode(again) == msgspec.json.encode(learner.record())
        assert again.exits.limits[0].n == 7

    def test_uses_come_back_with_their_sessions(self) -> None:
        """A limit holds across a restart: each exit knows when it was used."""
        world = World(plains(2), Adaptive())
        all_work(world)
        for _ in range(6):
            world.pass_time(2)
            world.send(Outcome.OK)
        learner = learner_of(world)

        again = restarted(world)

        assert {member.session.name for member in again.working()} == {
            member.session.name for member in learner.working()
        }
        assert set(again.usage.exits) == set(learner.usage.exits) == {plain(0).key, plain(1).key}
        for key, uses in learner.usage.exits.items():
            assert again.usage.exits[key].latest(1e6) == pytest.approx(uses.latest(1e6), abs=0.001)

    def test_networks_know_the_uses_of_all_their_exits(self) -> None:
        """In the order of time, whatever the order of the records."""
        proxies = [Proxy(scheme="http", host=f"203.0.113.{number}", port=8000) for number in range(3)]
        world = World(proxies, Adaptive())
        all_work(world)

        again = restarted(world)

        network = again.usage.networks["203.0.113.0/24"]
        assert network.count == 3
        assert network.latest(1e6) == sorted(network.latest(1e6))

    def test_a_blocked_exit_is_not_tried_again_first(self) -> None:
        """Those never used come before it."""
        world = World(plains(4), Adaptive())
        blocked = [world.send(Outcome.BLOCKED).proxy_key for _ in range(2)]
        loaded = world.restart()

        found = {
            pick.opened.proxy_key
            for seed in range(30)
            if isinstance(pick := loaded.choose(world.now, Random(seed)), Pick) and pick.opened
        }

        assert found == {proxy.key for proxy in plains(4)} - set(blocked)

    def test_how_exits_recover_is_kept_as_soon_as_it_is_learned(self) -> None:
        """A try of a blocked exit is saved with its answer."""
        world = World(plains(1), Adaptive())
        world.send(Outcome.BLOCKED)
        while not isinstance(pick := world.choose(), Pick):
            world.pass_time(1000)
        world.report(world.take(pick), Outcome.OK)
        learner = learner_of(world)
        assert sum(learner.candidates.recoveries["never worked"].recovered) == 1

        again = restarted(world)

        assert (
            again.candidates.recoveries["never worked"].recovered
            == learner.candidates.recoveries["never worked"].recovered
        )

    def test_names_at_a_gateway_leave_no_uses(self) -> None:
        """A name that is gone is forgotten, in this run and in the next."""
        world = World([gateway(0)], Adaptive())
        session = world.send(Outcome.OK)
        assert session.exit_id in learner_of(world).usage.exits

        world.close(session.name)

        assert learner_of(world).usage.exits == {}
        assert restarted(world).usage.exits == {}

    def test_an_old_record_is_no_harm(self) -> None:
        """What an earlier version did not keep is as if nothing was known."""
        learner = Learner(Catalog(plains(2)), {}, OtherSites())

        learner.restore(LearnerRecord(), [])

        assert learner.usage.exit_limits.limits == []
        assert learner.candidates.latency == 0.0


class TestChangesOfTheList:
    """Proxies come and go, and what works goes on."""

    @pytest.mark.parametrize("outcome", [Outcome.THROTTLED, Outcome.BLOCKED])
    def test_who_has_a_session_is_not_blocked(self, outcome: Outcome) -> None:
        """Neither one that rests, nor one whose block is not believed yet; other sites hear nothing of it."""
        world = World([plain(0)], Adaptive())
        session = world.send(Outcome.OK)
        world.send(outcome)
        assert session.name in world.engine.state.sessions

        world.catalog.add(plain(1))
        (tier,) = learner_of(world).candidates.tiers()

        assert not any(tier.blocked.values())

    def test_one_that_recovers_meanwhile_is_blocked_no_more(self) -> None:
        """The list may change while a blocked exit is tried again."""
        world = World([plain(0)], Adaptive())
        world.send(Outcome.BLOCKED)
        while not isinstance(pick := world.choose(), Pick):
            world.pass_time(1000)
        leased = world.take(pick)
        world.catalog.add(plain(1))
        world.choose()

        world.report(leased, Outcome.OK)

        (tier,) = learner_of(world).candidates.tiers()
        assert not any(tier.blocked.values())


class TestHalfLife:
    """Limits, bans and lists change by the day."""

    @pytest.mark.parametrize(("days", "share"), [(0.9, 1.0), (1.0, 0.5), (2.5, 0.25)])
    def test_a_day_later_it_weighs_half(self, days: float, share: float) -> None:
        """Once a day, with the first request."""
        world = World([gateway(0)], Adaptive())
        for _ in range(8):
            world.send(Outcome.BLOCKED)
        learner = learner_of(world)
        learner.candidates.recoveries["dead"].count(500, recovered=True)
        assert learner.candidates.tiers()[0].bad == 8
        world.now = learner.at + days * HALF_LIFE_SECONDS

        world.lease()

        assert learner.candidates.tiers()[0].bad == 8 * share
        assert sum(learner.candidates.recoveries["dead"].recovered) == share

    def test_a_clock_that_goes_back_changes_nothing(self) -> None:
        """The day begins anew."""
        world = World([gateway(0)], Adaptive())
        for _ in range(8):
            world.send(Outcome.BLOCKED)
        world.now -= 10 * HALF_LIFE_SECONDS

        world.lease()

        assert learner_of(world).candidates.tiers()[0].bad == 8
        assert learner_of(world).at == world.now

    def test_uses_are_facts_and_stay(self) -> None:
        """When an exit was used does not become less true."""
        world = World(plains(1), Adaptive())
        world.send(Outcome.OK)
        learner = learner_of(world)
        world.pass_time(HALF_LIFE_SECONDS / 2)
        world.lease()

        assert isinstance(learner.usage.exits[plain(0).key], Uses)
        assert learner.usage.exits[plain(0).key].count == 2
