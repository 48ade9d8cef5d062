"""Which exits are banned when, at one site: bans from the start, limits, quotas, and bans by other users.

All calls come in the order of time. A window keeps the times of the last requests, one more than the limit allows,
because older ones decide nothing. A ban ends when its time has passed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from proxysieve.sim.exits import ExitTable, stream
from proxysieve.sim.scenario import Limit, Others, Scenario

# Times are Unix seconds, as everywhere. 0 means "never" in the records of the core.
START_AT = 1_000_000.0
HOUR_SECONDS = 3600.0


class Ruling(NamedTuple):
    """The site's decision about one request.

    Attributes:
        is_served: Whether it gets its page.
        until: When a throttled one may come again; 0 if the exit is banned.
    """

    is_served: bool
    until: float = 0.0


SERVED = Ruling(is_served=True)
REFUSED = Ruling(is_served=False)


class Ban:
    """A ban of an exit or a network for breaking one limit. It may begin later."""

    __slots__ = ("begins_at", "ends_at")

    def __init__(self) -> None:
        self.begins_at = 0.0
        self.ends_at = 0.0


class Counter:
    """One limit, and what it has counted."""

    def __init__(self, spec: Limit, exits: ExitTable) -> None:
        self.spec = spec
        self.from_at = START_AT + spec.from_seconds
        self.until_at = START_AT + spec.until_seconds
        by_exit = spec.scope == "exit"
        self._key = range(len(exits)) if by_exit else exits.network
        keys = len(exits) if by_exit else exits.network_count
        self._members: list[list[int]] | None = None if by_exit else exits.members
        self._windows: list[deque[float]] = [deque(maxlen=spec.requests + 1) for _ in range(keys)]
        self._bans: dict[int, Ban] = {}

    def is_in_force(self, now: float) -> bool:
        """Whether requests count at *now*."""
        return self.from_at <= now < self.until_at

    def banned_until(self, exit_: int, now: float) -> float:
        """When the ban that is in force at *now* ends; 0 if there is none."""
        ban = self._bans.get(self._key[exit_])
        return ban.ends_at if ban and ban.begins_at <= now < ban.ends_at else 0.0

    def room_at(self, exit_: int, now: float) -> float:
        """When one more request will not be too many."""
        window, spec = self._windows[self._key[exit_]], self.spec
        if not self.is_in_force(now) or len(window) < spec.requests:
            return now
        return max(now, window[-spec.requests] + spec.window_seconds)

    def count(self, exit_: int, now: float) -> list[int]:
        """Count a request; returns the exits that it gets banned."""
        key, spec = self._key[exit_], self.spec
        window = self._windows[key]
        window.append(now)
        if spec.style == "throttle" or len(window) <= spec.requests or window[0] + spec.window_seconds <= now:
            return []
        ban = self._bans.setdefault(key, Ban())
        ends_at = now + spec.after_seconds + spec.ban_seconds
        if now >= ban.ends_at:
            ban.begins_at, ban.ends_at = now + spec.after_seconds, ends_at
        elif spec.blocked_count:
            ban.ends_at = max(ban.ends_at, ends_at)
        return self._members[key] if self._members else [exit_]


class OtherUsers:
    """The bans that other users of one exit cause. They are drawn as time passes, whatever we do."""

    __slots__ = ("_draws", "_ends_at", "_next")

    def __init__(self, spec: Others, seed: int, site: int, exit_: int) -> None:
        self._draws = _bans_of_others(spec, seed, site, exit_)
        self._next = next(self._draws)
        self._ends_at = 0.0

    def banned_until(self, now: float) -> float:
        """When the ban that is in force at *now* ends; 0 if there is none."""
        while self._next[0] <= now:
            self._ends_at = max(self._ends_at, self._next[1])
            self._next = next(self._draws)
        return self._ends_at if now < self._ends_at else 0.0


def _bans_of_others(spec: Others, seed: int, site: int, exit_: int) -> Iterator[tuple[float, float]]:
    rng, at = stream(seed, f"others of {exit_} at {site}"), START_AT
    while spec.bans_per_hour:
        at += rng.expovariate(spec.bans_per_hour / HOUR_SECONDS)
        yield at, at + rng.expovariate(1 / spec.ban_seconds)
    yield math.inf, math.inf


class Site:
    """One site, and which exits it has banned.

    Attributes:
        burned: The exits that a limit or a quota has banned.
        uses: For each exit, how many requests were not refused.
        quota: For each exit, how many requests the site allows; None for no limit.
    """

    def __init__(self, scenario: Scenario, exits: ExitTable, seed: int, number: int, banned: list[float]) -> None:
        self.burned: set[int] = set()
        self.counters = [Counter(spec, exits) for spec in scenario.limit]
        self.uses = [0] * len(exits)
        self.quota = _quotas(scenario, exits, seed, number)
        self._banned = list(banned)
        self._is_dead = exits.is_dead
        self._others = scenario.others
        self._of_others: dict[int, OtherUsers] = {}
        self._seed = seed
        self._number = number

    def banned_until(self, exit_: int, now: float) -> float:
        """When the ban of the exit ends, as known at *now*; 0 if it is not banned."""
        until = self._banned[exit_]
        until = until if now < until else 0.0
        for counter in self.counters:
            until = max(until, counter.banned_until(exit_, now))
        if self._others is not None:
            until = max(until, self._other_users(exit_, self._others).banned_until(now))
        return until

    def room_at(self, exit_: int, now: float) -> float:
        """When one more request breaks no limit and no quota; infinite for never."""
        if self.quota is not None and self.uses[exit_] >= self.quota[exit_]:
            return math.inf
        return max((counter.room_at(exit_, now) for counter in self.counters), default=now)

    def visit(self, exit_: int, now: float, *, is_banned: bool) -> Ruling:
        """Count a request of an exit, and decide about it."""
        if is_banned:
            self._count(exit_, now, is_refused=True)
            return REFUSED
        until = self._throttled_until(exit_, now)
        if until > now:
            self._count(exit_, now, is_refused=True)
            return Ruling(is_served=False, until=until)
        self._count(exit_, now, is_refused=False)
        if self._is_used_up(exit_):
            return REFUSED
        return SERVED if not self.counters or not self.banned_until(exit_, now) else REFUSED

    def _count(self, exit_: int, now: float, *, is_refused: bool) -> None:
        for counter in self.counters:
            if counter.is_in_force(now) and (not is_refused or counter.spec.blocked_count):
                hit = counter.count(exit_, now)
                self.burned.update(one for one in hit if self._is_a_loss(one, now))

    def _is_a_loss(self, exit_: int, now: float) -> bool:
        # A network's ban also hits exits that could not be used anyway.
        return not self._is_dead[exit_] and now >= self._banned[exit_]

    def _throttled_until(self, exit_: int, now: float) -> float:
        throttles = (counter for counter in self.counters if counter.spec.style == "throttle")
        return max((counter.room_at(exit_, now) for counter in throttles), default=now)

    def _is_used_up(self, exit_: int) -> bool:
        self.uses[exit_] += 1
        if self.quota is None or self.uses[exit_] <= self.quota[exit_]:
            return False
        self._banned[exit_] = math.inf
        self.burned.add(exit_)
        return True

    def _other_users(self, exit_: int, spec: Others) -> OtherUsers:
        users = self._of_others.get(exit_)
        if users is None:
            users = self._of_others[exit_] = OtherUsers(spec, self._seed, self._number, exit_)
        return users


def _quotas(scenario: Scenario, exits: ExitTable, seed: int, site: int) -> list[int] | None:
    quota = scenario.quota
    if quota is None:
        return None
    rng = stream(seed, f"quotas at {site}")
    least, most = quota.requests * (1 - quota.spread), quota.requests * (1 + quota.spread)
    return [round(rng.uniform(least, most)) for _ in range(len(exits))]


def sites_of(scenario: Scenario, exits: ExitTable, seed: int) -> list[Site]:
    """The sites, with the bans that are in force at the start."""
    first = _bans_at_the_start(scenario, exits, seed)
    banned = [first, *(_shared(scenario, first, seed, number) for number in range(1, scenario.vendor.sites))]
    return [Site(scenario, exits, seed, number, until) for number, until in enumerate(banned)]


def _bans_at_the_start(scenario: Scenario, exits: ExitTable, seed: int) -> list[float]:
    """When the ban of each exit ends. Each draws alike, banned or not, so a share changes nothing for the others."""
    rng, bans = stream(seed, "bans"), scenario.bans
    network_is_banned = [rng.random() < bans.network_share for _ in range(exits.network_count)]
    until = []
    for group in exits.groups:
        own = group.spec.banned_share
        share = bans.exit_share if own is None else own
        for exit_ in group.members:
            is_banned = rng.random() < share or network_is_banned[exits.network[exit_]]
            part = rng.random()
            lifted_at = START_AT + part * bans.lift_within_seconds if bans.lift_within_seconds < math.inf else math.inf
            until.append(lifted_at if is_banned else 0.0)
    return until


def _shared(scenario: Scenario, first: list[float], seed: int, number: int) -> list[float]:
    rng = stream(seed, f"shared with {number}")
    return [until if rng.random() < scenario.vendor.shared_share else 0.0 for until in first]
