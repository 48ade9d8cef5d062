"""scrapy-rotating-proxies: good, unchecked and dead proxies, and a back-off for the dead.

Any available proxy, good or unchecked, as likely as any other. Whatever fails is dead for a time drawn from up to
300 s, then 600 s and so on; every five seconds those whose time is over are unchecked again, and all are when none is
available. It knows proxies by host and port: of a provider's session names, one is told what came of any.

Held against the real one by ``tests/sim/test_real_rivals.py``.
"""

from __future__ import annotations

import heapq
from random import Random

from proxysieve.core.model import Outcome
from proxysieve.sim.bans import START_AT
from proxysieve.sim.rivals.rival import Go, Remembering
from proxysieve.sim.world import Answer, World

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
        """Any of them."""
        return self._proxies[int(rng.random() * len(self._proxies))]

    def add(self, proxy: int) -> None:
        """It may be drawn; twice does no harm."""
        if proxy not in self._places:
            self._places[proxy] = len(self._proxies)
            self._proxies.append(proxy)

    def discard(self, proxy: int) -> None:
        """It may not; absent does no harm."""
        place = self._places.pop(proxy, None)
        if place is None:
            return
        last = self._proxies.pop()
        if last != proxy:
            self._proxies[place] = last
            self._places[last] = place


class RotatingProxies(Remembering):
    """One list for all sites, as its middleware has."""

    def __init__(self, world: World, rng: Random) -> None:
        self._addresses = world.exits.addresses
        self._rng = rng
        count = len(self._addresses)
        self._available = Available(count)
        self._known_as = _known_as(world)
        self._failures = [0] * count
        self._next_check = [0.0] * count
        self._checks: list[tuple[float, int]] = []

    def start(self, site: int, now: float) -> Go:  # noqa: ARG002 - it tells no sites apart
        self._reanimate(now)
        if not self._available:
            self._revive_all()
        proxy = self._available.draw(self._rng)
        return Go(self._addresses[proxy], self._known_as[proxy])

    def finish(self, site: int, ticket: int, answer: Answer, now: float) -> None:  # noqa: ARG002 - likewise
        if answer.outcome is Outcome.OK:
            self._failures[ticket] = 0
            self._available.add(ticket)
        else:
            self._bury(ticket, now)

    def _bury(self, proxy: int, now: float) -> None:
        # Each failure counts, also of requests that were under way together.
        self._next_check[proxy] = now + self._rng.uniform(0, longest_back_off_seconds(self._failures[proxy]))
        self._failures[proxy] += 1
        self._available.discard(proxy)
        heapq.heappush(self._checks, (self._next_check[proxy], proxy))

    def _reanimate(self, now: float) -> None:
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
    """How long a proxy can be dead that has failed so often before."""
    return min(BACKOFF_CAP_SECONDS, BACKOFF_SECONDS * 2.0 ** min(failures, 10))


def _known_as(world: World) -> list[int]:
    """For each proxy, the one of the same host and port that is told what came of it."""
    known: list[int] = []
    for group in world.exits.groups:
        members = group.members
        known += [members[-1]] * len(members) if group.spec.provider else members
    return known
