"""scrapy-rotating-proxies: good, unchecked and dead proxies, and a back-off for the dead.

It draws any available proxy, good or unchecked. A proxy that fails is dead for a time that is drawn from up to 300 s,
then 600 s and so on. Every five seconds, those whose time is over become unchecked again; if none is available, all do.
It knows proxies by host and port: of a provider's session names, one gets the results of all.

``tests/sim/test_real_rivals.py`` compares it with the real one.
"""

from __future__ import annotations

import heapq
from random import Random

from proxysieve.core.model import Outcome
from proxysieve.sim.bans import START_AT
from proxysieve.sim.rivals.rival import Go, Remembering
from proxysieve.sim.world import SimAnswer, World

TICK_SECONDS = 5.0
BACKOFF_SECONDS = 300.0
BACKOFF_CAP_SECONDS = 3600.0


class Available:
    """The proxies that may be drawn."""

    def __init__(self, count: int) -> None:
        self._proxies = list(range(count))
        self._places = {proxy: proxy for proxy in range(count)}

    def __len__(self) -> int:
        return len(self._proxies)

    def __contains__(self, proxy: int) -> bool:
        return proxy in self._places

    def draw(self, rng: Random) -> int:
        """Any proxy."""
        return self._proxies[int(rng.random() * len(self._proxies))]

    def add(self, proxy: int) -> None:
        """Add *proxy*; adding it twice is harmless."""
        if proxy not in self._places:
            self._places[proxy] = len(self._proxies)
            self._proxies.append(proxy)

    def discard(self, proxy: int) -> None:
        """Remove *proxy*, if it is there."""
        place = self._places.pop(proxy, None)
        if place is None:
            return
        last = self._proxies.pop()
        if last != proxy:
            self._proxies[place] = last
            self._places[last] = place


class RotatingProxies(Remembering):
    """One list for all sites, as in its middleware."""

    def __init__(self, world: World, rng: Random) -> None:
        self._addresses = world.exits.addresses
        self._rng = rng
        count = len(self._addresses)
        self._available = Available(count)
        self._known_as = _known_as(world)
        self._failures = [0] * count
        self._next_check = [0.0] * count
        self._checks: list[tuple[float, int]] = []

    def start(self, site: int, now: float) -> Go:  # noqa: ARG002 - it knows no sites
        self._recheck_due(now)
        if not self._available:
            self._revive_all()
        proxy = self._available.draw(self._rng)
        return Go(self._addresses[proxy], self._known_as[proxy])

    def finish(self, site: int, ticket: int, answer: SimAnswer, now: float) -> None:  # noqa: ARG002 - likewise
        if answer.outcome is Outcome.OK:
            self._failures[ticket] = 0
            self._available.add(ticket)
        else:
            self._set_dead(ticket, now)

    def _set_dead(self, proxy: int, now: float) -> None:
        # Each failure counts, also of requests that ran at the same time.
        self._next_check[proxy] = now + self._rng.uniform(0, longest_back_off_seconds(self._failures[proxy]))
        self._failures[proxy] += 1
        self._available.discard(proxy)
        heapq.heappush(self._checks, (self._next_check[proxy], proxy))

    def _recheck_due(self, now: float) -> None:
        ticked_at = now - (now - START_AT) % TICK_SECONDS
        while self._checks and self._checks[0][0] <= ticked_at:
            check_at, proxy = heapq.heappop(self._checks)
            if self._next_check[proxy] == check_at:
                self._available.add(proxy)

    def _revive_all(self) -> None:
        self._checks.clear()
        for proxy in range(len(self._addresses)):
            self._available.add(proxy)


def longest_back_off_seconds(failures: int) -> float:
    """The longest time that a proxy is dead after so many earlier failures."""
    return min(BACKOFF_CAP_SECONDS, BACKOFF_SECONDS * 2.0 ** min(failures, 10))


def _known_as(world: World) -> list[int]:
    """For each proxy, the one with the same host and port that gets its results."""
    known: list[int] = []
    for group in world.exits.groups:
        members = group.members
        known += [members[-1]] * len(members) if group.spec.provider else members
    return known
