"""scrapy-rotating-proxies: good, unchecked and dead proxies, and a back-off for the dead.

Any available proxy (good or unchecked) that was not used in this round; when all were, a round begins. Whatever fails
is dead for a time drawn from up to 300 s, then 600 s and so on; every five seconds those whose time is over are
unchecked again, and all are when none is available.
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


class Round:
    """The available proxies that were not used in this round."""

    def __init__(self) -> None:
        self._left: list[int] = []
        self._places: dict[int, int] = {}

    def __bool__(self) -> bool:
        return bool(self._left)

    def draw(self, rng: Random) -> int:
        """Any of them, and use it up."""
        proxy = self._left[int(rng.random() * len(self._left))]
        self.discard(proxy)
        return proxy

    def add(self, proxy: int) -> None:
        """It may be drawn; twice does no harm."""
        if proxy not in self._places:
            self._places[proxy] = len(self._left)
            self._left.append(proxy)

    def discard(self, proxy: int) -> None:
        """It may not; absent does no harm."""
        place = self._places.pop(proxy, None)
        if place is None:
            return
        last = self._left.pop()
        if last != proxy:
            self._left[place] = last
            self._places[last] = place


class RotatingProxies(Remembering):
    """One list for all sites, as its middleware has."""

    def __init__(self, world: World, rng: Random) -> None:
        self._addresses = world.exits.addresses
        self._rng = rng
        count = len(self._addresses)
        # In the order of the list, so that a round begins alike on every machine.
        self._available = dict.fromkeys(range(count))
        self._failures = [0] * count
        self._used: set[int] = set()
        self._next_check = [0.0] * count
        self._checks: list[tuple[float, int]] = []
        self._round = Round()
        self._begin_round()

    def start(self, site: int, now: float) -> Go:  # noqa: ARG002 - it tells no sites apart
        self._reanimate(now)
        if not self._available:
            self._revive_all()
        if not self._round:
            self._begin_round()
        proxy = self._round.draw(self._rng)
        self._used.add(proxy)
        return Go(self._addresses[proxy], proxy)

    def finish(self, site: int, ticket: int, answer: Answer, now: float) -> None:  # noqa: ARG002 - likewise
        if answer.outcome is Outcome.OK:
            self._failures[ticket] = 0
            self._make_available(ticket)
        else:
            self._bury(ticket, now)

    def _bury(self, proxy: int, now: float) -> None:
        # Each failure counts, also of requests that were under way together.
        most = min(BACKOFF_CAP_SECONDS, BACKOFF_SECONDS * 2.0 ** min(self._failures[proxy], 10))
        self._next_check[proxy] = now + self._rng.uniform(0, most)
        self._failures[proxy] += 1
        self._available.pop(proxy, None)
        self._round.discard(proxy)
        heapq.heappush(self._checks, (self._next_check[proxy], proxy))

    def _reanimate(self, now: float) -> None:
        ticked_at = now - (now - START_AT) % TICK_SECONDS
        while self._checks and self._checks[0][0] <= ticked_at:
            check_at, proxy = heapq.heappop(self._checks)
            if proxy not in self._available and self._next_check[proxy] == check_at:
                self._make_available(proxy)

    def _revive_all(self) -> None:
        self._checks.clear()
        for proxy in range(len(self._addresses)):
            self._make_available(proxy)

    def _make_available(self, proxy: int) -> None:
        self._available[proxy] = None
        if proxy not in self._used:
            self._round.add(proxy)

    def _begin_round(self) -> None:
        self._used.clear()
        for proxy in self._available:
            self._round.add(proxy)
