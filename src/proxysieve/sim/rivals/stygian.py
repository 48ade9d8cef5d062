"""stygian: Thompson sampling over all proxies, with a circuit breaker for each.

A proxy's chance is drawn from Beta(1 + successes, 1 + failures), and the highest draw wins. Every 300 s both counts
lose 5 %. Five failures in a row open a proxy's breaker for 60 s. Then one request goes through, and closes or opens it.

Proxies without a success are drawn in groups with equal failures. The highest of m draws from Beta(1, 1 + f) is one
draw, 1 - (1 - u^(1/m))^(1/(1 + f)) with a uniform u, and each proxy of the group is equally likely to have made it.
"""

from __future__ import annotations

import heapq
from random import Random

from proxysieve.core.model import Outcome
from proxysieve.sim.bans import START_AT
from proxysieve.sim.rivals.rival import Go, Later, Remembering
from proxysieve.sim.world import SimAnswer, World

DECAY = 0.95
DECAY_SECONDS = 300.0
FAILURES_TO_OPEN = 5
OPEN_SECONDS = 60.0


class Arm:
    """One proxy."""

    __slots__ = ("exit", "failures", "in_a_row", "is_trying", "number", "opens_until", "place", "successes")

    def __init__(self, number: int, exit_: int) -> None:
        self.number = number
        self.exit = exit_
        self.successes = 0.0
        self.failures = 0.0
        self.in_a_row = 0
        self.opens_until = 0.0
        self.is_trying = False
        self.place = -1


class Group:
    """Arms without a success and with equal failures."""

    def __init__(self) -> None:
        self.arms: list[Arm] = []

    def add(self, arm: Arm) -> None:
        """Add *arm*."""
        arm.place = len(self.arms)
        self.arms.append(arm)

    def remove(self, arm: Arm) -> None:
        """Remove *arm*."""
        last = self.arms.pop()
        if last is not arm:
            self.arms[arm.place] = last
            last.place = arm.place
        arm.place = -1


class Stygian(Remembering):
    """One bandit for all sites."""

    def __init__(self, world: World, rng: Random) -> None:
        self._rng = rng
        self._arms = [Arm(number, exit_) for number, exit_ in enumerate(world.exits.addresses)]
        self._proven: dict[int, Arm] = {}
        self._groups: dict[float, Group] = {}
        self._open: list[tuple[float, int]] = []
        self._decays_at = START_AT + DECAY_SECONDS
        for arm in self._arms:
            self._join(arm)

    def start(self, site: int, now: float) -> Go | Later:  # noqa: ARG002 - it knows no sites
        self._decay(now)
        self._half_open(now)
        arm = self._highest()
        if arm is None:
            return Later(self._open[0][0] if self._open else None)
        if arm.opens_until:
            arm.is_trying = True
            self._leave(arm)
        return Go(arm.exit, arm.number)

    def finish(self, site: int, ticket: int, answer: SimAnswer, now: float) -> None:  # noqa: ARG002 - likewise
        arm = self._arms[ticket]
        self._leave(arm)
        if answer.outcome is Outcome.OK:
            arm.successes += 1.0
            arm.in_a_row, arm.opens_until = 0, 0.0
        else:
            arm.failures += 1.0
            arm.in_a_row += 1
        was_trying, arm.is_trying = arm.is_trying, False
        is_tripped = answer.outcome is not Outcome.OK and (was_trying or arm.in_a_row >= FAILURES_TO_OPEN)
        if is_tripped and (was_trying or arm.opens_until <= now):
            arm.opens_until = now + OPEN_SECONDS
            heapq.heappush(self._open, (arm.opens_until, arm.number))
        if arm.opens_until <= now:
            self._join(arm)

    def _highest(self) -> Arm | None:
        rng = self._rng
        best, most = None, -1.0
        for failures, group in self._groups.items():
            draw = 1.0 - (1.0 - rng.random() ** (1.0 / len(group.arms))) ** (1.0 / (1.0 + failures))
            if draw > most:
                best, most = group.arms[int(rng.random() * len(group.arms))], draw
        for arm in self._proven.values():
            draw = rng.betavariate(1.0 + arm.successes, 1.0 + arm.failures)
            if draw > most:
                best, most = arm, draw
        return best

    def _join(self, arm: Arm) -> None:
        if arm.successes:
            self._proven[arm.number] = arm
        else:
            self._groups.setdefault(arm.failures, Group()).add(arm)

    def _leave(self, arm: Arm) -> None:
        self._proven.pop(arm.number, None)
        if arm.place >= 0:
            group = self._groups[arm.failures]
            group.remove(arm)
            if not group.arms:
                del self._groups[arm.failures]

    def _half_open(self, now: float) -> None:
        while self._open and self._open[0][0] <= now:
            until, number = heapq.heappop(self._open)
            arm = self._arms[number]
            if arm.opens_until == until and not arm.is_trying:
                self._leave(arm)
                self._join(arm)

    def _decay(self, now: float) -> None:
        while now >= self._decays_at:
            self._decays_at += DECAY_SECONDS
            for arm in self._arms:
                arm.successes *= DECAY
                arm.failures *= DECAY
            self._groups = {group.arms[0].failures: group for group in self._groups.values()}
