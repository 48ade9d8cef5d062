"""The upper bound: it sees every ban, and never exceeds a limit or a quota.

It waits through an outage. Otherwise it takes the cheapest working exit, and of several the one that was unused
longest. Only chance can still go wrong for it: flaky answers.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterable
from random import Random

from proxysieve.sim.bans import Site
from proxysieve.sim.rivals.rival import Go, Later, Remembering
from proxysieve.sim.world import SimAnswer, World


class Shelf:
    """The exits of one price at one site: those that may be usable, unused longest first, and those that wait."""

    def __init__(self, exits: Iterable[int], site: Site) -> None:
        self._ready = deque(exits)
        self._later: list[tuple[float, int]] = []
        self._site = site

    def take(self, now: float) -> int | None:
        """The usable exit that was unused longest, if there is one."""
        while self._later and self._later[0][0] <= now:
            self._ready.append(heapq.heappop(self._later)[1])
        while self._ready:
            exit_ = self._ready.popleft()
            usable_at = max(self._site.banned_until(exit_, now), self._site.room_at(exit_, now))
            if usable_at <= now:
                self._ready.append(exit_)
                return exit_
            if usable_at < math.inf:
                heapq.heappush(self._later, (usable_at, exit_))
        return None

    @property
    def next_at(self) -> float:
        """When the first of those that wait may be usable."""
        return self._later[0][0] if self._later else math.inf


class Oracle(Remembering):
    """Sees the whole world."""

    def __init__(self, world: World, rng: Random) -> None:  # noqa: ARG002 - it uses no chance
        self._world = world
        exits = world.exits
        alive = [exit_ for exit_ in range(len(exits)) if not exits.is_dead[exit_]]
        prices = sorted({exits.cost[exit_] for exit_ in alive})
        self._shelves = [
            [Shelf((exit_ for exit_ in alive if exits.cost[exit_] == price), site) for price in prices]
            for site in world.sites
        ]

    def start(self, site: int, now: float) -> Go | Later:
        outage_ends_at = self._world.outage_ends_at(now)
        if outage_ends_at:
            return Later(outage_ends_at)
        shelves = self._shelves[site]
        for shelf in shelves:
            exit_ = shelf.take(now)
            if exit_ is not None:
                return Go(exit_, exit_)
        next_at = min((shelf.next_at for shelf in shelves), default=math.inf)
        return Later(next_at if next_at < math.inf else None)

    def finish(self, site: int, ticket: int, answer: SimAnswer, now: float) -> None:
        """It knew the answer."""
