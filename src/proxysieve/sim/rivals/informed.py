"""The other bound: it knows every limit, quota and delay exactly and never exceeds one, but not which exits are banned.

For each page it takes the working exit with room that was unused longest; else one that was blocked after it had
worked, if its ban is known to be over; else an untried one in random order. So it tries as many new exits at once as
pages wait, and none once the working ones have room for all. An exit has at most eight requests in progress.

If prices differ, it goes through this for the cheapest exits first. An exit that was blocked at its first try is tried
again after all others. If a wrong detector has left nothing at all, every exit counts as untried again.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterable
from random import Random

from proxysieve.core.model import Outcome
from proxysieve.sim.bans import START_AT, Site
from proxysieve.sim.rivals.rival import Go, Later, Remembering
from proxysieve.sim.scenario import Scenario
from proxysieve.sim.world import SimAnswer, World

MAX_IN_FLIGHT = 8


class Known:
    """What is known of one exit at one site."""

    __slots__ = ("blocked_at", "exit", "has_worked", "in_flight", "is_queued", "is_working", "shelf", "used_at")

    def __init__(self, exit_: int, shelf: Shelf) -> None:
        self.exit = exit_
        self.shelf = shelf
        self.has_worked = False
        self.is_working = False
        self.is_queued = True
        self.in_flight = 0
        self.used_at = 0.0
        self.blocked_at = 0.0


class Due:
    """Exits that wait for their time."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, Known]] = []

    def add(self, known: Known, at: float) -> None:
        """Let *known* wait until *at*; for ever if that is infinite."""
        if at < math.inf:
            heapq.heappush(self._waiting, (at, known.exit, known))

    def take(self, now: float) -> Known | None:
        """An exit whose time has come."""
        return heapq.heappop(self._waiting)[2] if self._waiting and self._waiting[0][0] <= now else None

    @property
    def next_at(self) -> float:
        """When the next one's time comes."""
        return self._waiting[0][0] if self._waiting else math.inf


class Shelf:
    """The exits of one price at one site."""

    def __init__(self, site: Site, exits: Iterable[int], rng: Random) -> None:
        self._site = site
        self.all = [Known(exit_, self) for exit_ in exits]
        rng.shuffle(self.all)
        self.fresh = deque(self.all)
        self.blocked = Due()
        self._working: list[tuple[float, int, Known]] = []
        self._without_room = Due()

    def rest(self, known: Known) -> None:
        """Put *known* among the working exits, in the order of their last use."""
        known.is_queued = True
        heapq.heappush(self._working, (known.used_at, known.exit, known))

    def take(self, now: float) -> Known | None:
        """The best exit that may be used at *now*."""
        while (known := self._without_room.take(now)) is not None:
            self.rest(known) if known.is_working else self.fresh.appendleft(known)
        return self._working_one(now) or self._blocked_one(now) or self._fresh_one(now)

    @property
    def next_at(self) -> float:
        """When that may change by itself."""
        return min(self._without_room.next_at, self.blocked.next_at)

    def _working_one(self, now: float) -> Known | None:
        while self._working:
            known = heapq.heappop(self._working)[2]
            known.is_queued = False
            if known.is_working and known.in_flight < MAX_IN_FLIGHT and self._has_room(known, now):
                return known
        return None

    def _blocked_one(self, now: float) -> Known | None:
        while (known := self.blocked.take(now)) is not None:
            if self._has_room(known, now):
                return known
        return None

    def _fresh_one(self, now: float) -> Known | None:
        while self.fresh:
            known = self.fresh.popleft()
            if self._has_room(known, now):
                return known
        return None

    def _has_room(self, known: Known, now: float) -> bool:
        room_at = self._site.room_at(known.exit, now)
        if room_at > now:
            known.is_queued = True
            self._without_room.add(known, room_at)
        return room_at <= now


class SiteExits:
    """One site's exits, cheapest first."""

    def __init__(self, world: World, site: Site, rng: Random) -> None:
        exits = world.exits
        prices = sorted(set(exits.cost))
        by_price = [[exit_ for exit_ in range(len(exits)) if exits.cost[exit_] == price] for price in prices]
        self._scenario = world.scenario
        self._rng = rng
        self.shelves = [Shelf(site, members, rng) for members in by_price]
        self.known = {known.exit: known for shelf in self.shelves for known in shelf.all}
        self._never_worked = Due()
        self._out_count = 0

    def take(self, now: float) -> Known | Later:
        """An exit for one request, or when to ask again."""
        known = next(filter(None, (shelf.take(now) for shelf in self.shelves)), None) or self._never_worked.take(now)
        if known is not None:
            return self._use(known, now)
        next_at = min(self._never_worked.next_at, *(shelf.next_at for shelf in self.shelves))
        if next_at == math.inf and not self._out_count and self._begin_anew():
            return self.take(now)
        return Later(next_at if next_at < math.inf else None)

    def learn(self, known: Known, answer: SimAnswer, asked_at: float, now: float) -> None:
        """Note the answer to a request that was sent at *asked_at*."""
        known.in_flight -= 1
        self._out_count -= 1
        if asked_at < known.blocked_at:
            return
        match answer.outcome:
            case Outcome.OK:
                known.has_worked = known.is_working = True
            case Outcome.BLOCKED | Outcome.THROTTLED:
                self._set_aside(known, now)
                return
            case Outcome.PROXY_ERROR:
                known.is_working = False
                return
            case Outcome.SITE_ERROR | Outcome.UNCLEAR:
                self._ask_again(known)
        if known.is_working and not known.is_queued:
            known.shelf.rest(known)

    def _use(self, known: Known, now: float) -> Known:
        known.in_flight += 1
        known.used_at = now
        known.is_queued = False
        self._out_count += 1
        if known.is_working and known.in_flight < MAX_IN_FLIGHT:
            known.shelf.rest(known)
        return known

    def _ask_again(self, known: Known) -> None:
        if not known.is_working and not known.is_queued:
            known.is_queued = True
            known.shelf.fresh.append(known)

    def _set_aside(self, known: Known, now: float) -> None:
        known.is_working = False
        known.blocked_at = now
        known.is_queued = True
        if known.has_worked:
            known.shelf.blocked.add(known, ends_at(self._scenario, now, is_left_over=False))
        else:
            self._never_worked.add(known, ends_at(self._scenario, now, is_left_over=True))

    def _begin_anew(self) -> bool:
        blocked = [known for known in self.known.values() if known.blocked_at and not known.is_working]
        self._rng.shuffle(blocked)
        for known in blocked:
            known.shelf.fresh.append(known)
        return bool(blocked)


def ends_at(scenario: Scenario, now: float, *, is_left_over: bool) -> float:
    """When a ban met at *now* ends, by what is known of bans. It never meets a ban by a limit.

    Args:
        scenario: The world.
        now: When it was met.
        is_left_over: Whether it may be older than the crawl, because the exit never worked.
    """
    if scenario.others is not None:
        return now + scenario.others.ban_seconds
    lifted_at = START_AT + scenario.bans.lift_within_seconds
    return lifted_at if is_left_over and lifted_at > now else math.inf


class Informed(Remembering):
    """Sees the world's limits and quotas, and nothing else."""

    def __init__(self, world: World, rng: Random) -> None:
        self._sites = [SiteExits(world, site, rng) for site in world.sites]
        self._asked: dict[int, tuple[Known, float]] = {}
        self._ticket = 0

    def start(self, site: int, now: float) -> Go | Later:
        taken = self._sites[site].take(now)
        if isinstance(taken, Later):
            return taken
        self._ticket += 1
        self._asked[self._ticket] = taken, now
        return Go(taken.exit, self._ticket)

    def finish(self, site: int, ticket: int, answer: SimAnswer, now: float) -> None:
        known, asked_at = self._asked.pop(ticket)
        self._sites[site].learn(known, answer, asked_at, now)
