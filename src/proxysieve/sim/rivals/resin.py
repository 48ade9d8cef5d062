"""Resin: the better of two nodes, by their load and how fast they answered.

It takes a block for an answer, and a fast one. Only three transport failures in a row remove a node. Nodes stay
removed: its probes would fail at a dead node, and three time-outs by accident do not happen.
"""

from __future__ import annotations

from random import Random

from proxysieve.core.model import Outcome
from proxysieve.sim.rivals.rival import Go, Later, Remembering
from proxysieve.sim.world import SimAnswer, World

FAILURES_TO_OPEN = 3
LATENCY_AGE_SECONDS = 600.0
# The weight of a new latency in the average.
EWMA_WEIGHT = 0.3
TRANSPORT_FAILURES = frozenset({Outcome.PROXY_ERROR, Outcome.UNCLEAR})


class Latency:
    """The moving average of one node at one site."""

    __slots__ = ("at", "seconds")

    def __init__(self, seconds: float, at: float) -> None:
        self.seconds = seconds
        self.at = at

    def add(self, seconds: float, at: float) -> None:
        """Add one more."""
        self.seconds += EWMA_WEIGHT * (seconds - self.seconds)
        self.at = at


class Resin(Remembering):
    """Draws two nodes, and takes the one with the lower score; the second on a tie."""

    def __init__(self, world: World, rng: Random) -> None:
        self._addresses = world.exits.addresses
        self._rng = rng
        self._routable = list(range(len(self._addresses)))
        self._failures = [0] * len(self._addresses)
        self._leases: dict[int, int] = {}
        self._latencies: list[dict[int, Latency]] = [{} for _ in world.sites]
        self._out: dict[int, tuple[int, float]] = {}
        self._ticket = 0

    def start(self, site: int, now: float) -> Go | Later:
        if not self._routable:
            return Later(None)
        node = self._better(site, now, *self._draw())
        exit_ = self._addresses[node]
        self._leases[exit_] = self._leases.get(exit_, 0) + 1
        self._ticket += 1
        self._out[self._ticket] = node, now
        return Go(exit_, self._ticket)

    def finish(self, site: int, ticket: int, answer: SimAnswer, now: float) -> None:
        node, started_at = self._out.pop(ticket)
        self._leases[self._addresses[node]] -= 1
        if answer.outcome in TRANSPORT_FAILURES:
            self._fail(node)
            return
        self._failures[node] = 0
        latencies, seconds = self._latencies[site], now - started_at
        if node in latencies:
            latencies[node].add(seconds, now)
        else:
            latencies[node] = Latency(seconds, now)

    def _draw(self) -> tuple[int, int]:
        if len(self._routable) == 1:
            return self._routable[0], self._routable[0]
        first, second = self._rng.sample(self._routable, 2)
        return first, second

    def _better(self, site: int, now: float, first: int, second: int) -> int:
        one, other = self._latency(site, first, now), self._latency(site, second, now)
        carried, other_carried = self._carried(first), self._carried(second)
        if one and other:
            return first if (carried + 1) * one < (other_carried + 1) * other else second
        # A latency cannot be compared if the other node has none.
        return first if carried < other_carried else second

    def _latency(self, site: int, node: int, now: float) -> float:
        known = self._latencies[site].get(node)
        if known:
            return known.seconds if now - known.at <= LATENCY_AGE_SECONDS else 0.0
        elsewhere = [at[node] for at in self._latencies if node in at]
        fresh = [one.seconds for one in elsewhere if now - one.at <= LATENCY_AGE_SECONDS]
        return sum(fresh) / len(fresh) if fresh else 0.0

    def _carried(self, node: int) -> int:
        return self._leases.get(self._addresses[node], 0)

    def _fail(self, node: int) -> None:
        self._failures[node] += 1
        if self._failures[node] == FAILURES_TO_OPEN:
            self._routable.remove(node)
