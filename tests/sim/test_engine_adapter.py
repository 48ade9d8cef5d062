"""The proxies that our own engine sees of a world."""

from __future__ import annotations

from itertools import combinations

from tests.sim.scripts import world

from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.core.model import SESSION_PLACEHOLDER
from proxysieve.sim.engine_adapter import plain_proxy, provider_of

TWO_GROUPS = "[[exits]]\ncount = 120\nnetworks = 30\n[[exits]]\ncount = 60\nnetworks = 30\ncost = 5\n"


def test_two_proxies_are_neighbours_if_their_exits_are() -> None:
    """And only then, in one group and across them."""
    exits = world(TWO_GROUPS).exits

    proxies = [plain_proxy(exits, exit_) for exit_ in range(len(exits))]

    assert len({proxy.key for proxy in proxies}) == len(exits) == 180
    assert all(proxy.network for proxy in proxies)
    assert all(
        (proxies[one].network == proxies[other].network) is (exits.network[one] == exits.network[other])
        for one, other in combinations(range(len(exits)), 2)
    )


def test_networks_stay_apart_however_many_there_are() -> None:
    """Far beyond what a scenario can say; and the hosts are addresses that can be written and read."""
    exits = world("[exits]\ncount = 6\nnetworks = 1").exits
    exits.network[:] = [0, 1, 0xFFFF, 0x1_0000, 1_000_000_000, 1_000_000_000]

    proxies = [plain_proxy(exits, exit_) for exit_ in range(6)]

    assert len({proxy.network for proxy in proxies[:5]}) == 5
    assert proxies[4].network == proxies[5].network
    assert [parse_proxy(proxy.url()).key for proxy in proxies] == [proxy.key for proxy in proxies]


def test_proxies_cost_what_their_exits_cost() -> None:
    """Plain ones and providers."""
    exits = world(TWO_GROUPS + "[[exits]]\ncount = 9\nprovider = true\ncost = 20\n").exits

    provider = provider_of(exits.groups[2])

    assert [plain_proxy(exits, exit_).cost for exit_ in (0, 119, 120, 179)] == [1.0, 1.0, 5.0, 5.0]
    assert provider.cost == 20.0
    assert provider.is_gateway
    assert parse_proxy(f"{provider.url(SESSION_PLACEHOLDER)} cost=20") == provider
