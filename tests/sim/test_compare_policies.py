"""Every policy in every world, in processes of their own."""

from __future__ import annotations

import msgspec
import pytest
from tests.sim.scripts import scenario

from proxysieve import ConfigError
from proxysieve.sim import contest, simulate

SMALL = scenario("pages = 30\nconcurrency = 5\n[exits]\ncount = 20\n[bans]\nexit_share = 0.5\n")


def test_plays_come_in_order_and_are_what_each_is_alone() -> None:
    """Scenario by scenario, policy by policy, seed by seed; which process plays changes nothing."""
    other = msgspec.structs.replace(SMALL, name="other", concurrency=2)

    played = list(contest([SMALL, other], ["classic", "oracle"], [1, 2]))

    assert played == [
        simulate(world, policy, seed=seed)
        for world in (SMALL, other)
        for policy in ("classic", "oracle")
        for seed in (1, 2)
    ]


def test_an_unknown_policy_is_answered_with_the_known_ones() -> None:
    """Before anything is played."""
    with pytest.raises(ConfigError, match=r"unknown policy 'clasic': expected one of adaptive, classic, .*oracle"):
        contest([SMALL], ["oracle", "clasic"], [1])


def test_a_policy_may_be_played_by_the_name_of_a_shipped_scenario() -> None:
    """Both are looked up."""
    figures = simulate("clean", "oracle")

    assert (figures.scenario, figures.policy, figures.pages) == ("clean", "oracle", 3000)
