"""What follows from the value that describes a testbed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest

from proxysieve.errors import ConfigError
from proxysieve.testbed import Limit, Outage, World
from proxysieve.testbed.world import lay_out


def test_equal_worlds_have_equal_exits_and_other_seeds_have_others() -> None:
    """The layout follows from the world alone."""
    world = World(banned_share=0.5, hanging=10)

    assert lay_out(world) == lay_out(msgspec.structs.replace(world))
    assert lay_out(world) != lay_out(msgspec.structs.replace(world, seed=1))


def test_kinds_are_disjoint_and_as_many_as_said() -> None:
    """Each proxy is of one kind."""
    world = World(proxies=50, refusing=1, hanging=2, slow=3, demanding=4, failing=5)

    kinds = Counter(exit_.kind for exit_ in lay_out(world))

    assert kinds == {"refusing": 1, "hanging": 2, "slow": 3, "demanding": 4, "failing": 5, "plain": 35}


def test_the_banned_are_among_those_that_answer() -> None:
    """The banned share is of the plain and the slow proxies."""
    world = World(proxies=100, refusing=20, failing=10, slow=10, banned_share=0.5)

    banned = [exit_ for exit_ in lay_out(world) if exit_.banned]

    assert len(banned) == 35
    assert {exit_.kind for exit_ in banned} == {"plain", "slow"}


def test_exits_are_spread_evenly_over_networks() -> None:
    """Every exit has an address of its own, and the networks are as large as each other."""
    exits = lay_out(World(proxies=1000, networks=300))

    assert len({exit_.address for exit_ in exits}) == 1000
    sizes = Counter(exit_.network for exit_ in exits)
    assert len(sizes) == 300
    assert set(sizes.values()) == {3, 4}


def test_banned_networks_are_banned_whole() -> None:
    """All exits of a network share its fate."""
    exits = lay_out(World(proxies=100, networks=10, banned_network_share=0.3))

    fates = {(exit_.network, exit_.banned) for exit_ in exits}

    assert len(fates) == 10
    assert sum(banned for _, banned in fates) == 3


def test_each_style_of_block_is_used() -> None:
    """The styles are spread over the exits."""
    world = World(block_styles=("forbidden", "captcha", "empty"))

    assert {exit_.style for exit_ in lay_out(world)} == {"forbidden", "captcha", "empty"}


def test_missing_pages_are_about_their_share() -> None:
    """Whether a page is missing follows from its id."""
    world = World(missing_share=0.1)

    assert 60 < sum(world.is_missing(page_id) for page_id in range(1000)) < 140
    assert not any(World().is_missing(page_id) for page_id in range(100))


def test_each_page_has_one_fate() -> None:
    """The shares do not overlap, and together they may be all pages."""
    world = World(missing_share=0.5, forbidden_share=0.25, empty_share=0.25)

    fates = Counter(world.fate_of(page_id) for page_id in range(2000))

    assert set(fates) == {"missing", "forbidden", "empty"}
    assert 400 < fates["forbidden"] < 600
    assert 400 < fates["empty"] < 600
    assert {World().fate_of(page_id) for page_id in range(100)} == {"ok"}


def test_other_fates_leave_the_missing_missing() -> None:
    """A world that gets more of them still has its honest 404s at the same pages."""
    one, other = World(missing_share=0.1), World(missing_share=0.1, forbidden_share=0.1, empty_share=0.1)

    assert [one.is_missing(page_id) for page_id in range(500)] == [other.is_missing(page_id) for page_id in range(500)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"proxies": 0},
        {"proxies": 300, "networks": 1},
        {"networks": 0},
        {"banned_share": 1.5},
        {"flaky_share": -0.1},
        {"slow": -1},
        {"false_mark_after": -1},
        {"missing_share": 0.5, "forbidden_share": 0.3, "empty_share": 0.3},
        {"proxies": 10, "hanging": 6, "refusing": 5},
        {"block_styles": ()},
        {"assets": 999},
        {"assets": -1},
        {"host": "shop"},
        {"host": "127.0.0.1"},
        {"host": "Shop.example"},
        {"host": "shop.example:80"},
        {"block_styles": ("unheard-of",)},
    ],
)
def test_an_impossible_world_is_refused(wrong: dict[str, Any]) -> None:
    """The error says what was expected."""
    with pytest.raises(ConfigError):
        World(**wrong)


@pytest.mark.parametrize("wrong", [{"requests": 0}, {"window_seconds": 0}, {"ban_seconds": -1}])
def test_an_impossible_limit_is_refused(wrong: dict[str, Any]) -> None:
    """Likewise."""
    with pytest.raises(ConfigError):
        Limit(**wrong)


@pytest.mark.parametrize("wrong", [{"after_requests": -1}, {"requests": 0}, {"seconds": -0.1}])
def test_an_impossible_outage_is_refused(wrong: dict[str, Any]) -> None:
    """Likewise."""
    with pytest.raises(ConfigError):
        Outage(**{"after_requests": 0, **wrong})
