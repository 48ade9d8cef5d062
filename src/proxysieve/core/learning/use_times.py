"""When an exit, or a network, was used: the last times exactly, older ones coarsely."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable

# Limits of up to so many requests are counted exactly; few sites bear more from one address in any short time.
EXACT_COUNT = 112
# The exact ones are moved to the coarse ones in bunches, as taking off the front costs as much as the rest is long.
BUNCH = 16
# So many coarse ones, each standing for as many uses as need be.
COARSE_COUNT = 48


class Uses:
    """The times of uses, in Unix seconds and in their order.

    Attributes:
        count: How many there have been in all.
        served: The number of the latest that was answered well.
    """

    __slots__ = ("_coarse", "_exact", "_stride", "count", "served")

    def __init__(self, times: Iterable[float] = ()) -> None:
        self._exact = array("d", times)
        self.count = self.served = len(self._exact)
        self._coarse: array[float] | None = None
        self._stride = BUNCH
        while len(self._exact) > EXACT_COUNT + BUNCH:
            self._make_room()

    @property
    def last(self) -> float:
        """When the last one was; minus infinity if there was none."""
        return self._exact[-1] if self._exact else -math.inf

    def add(self, at: float) -> None:
        """One more, the latest."""
        self.count += 1
        self._exact.append(at)
        if len(self._exact) > EXACT_COUNT + BUNCH:
            self._make_room()

    def nth_last(self, n: int) -> float:
        """When the *n*-th last use was, or a moment not before it; minus infinity where that is not known any more."""
        exact = self._exact
        if n <= len(exact):
            return exact[-n]
        if n > self.count or not self._coarse:
            return -math.inf
        forgotten, stride = self.count - len(exact), self._stride
        n -= len(exact) + forgotten % stride
        return exact[0] if n <= 0 else self._coarse[-((n - 1) // stride + 1)]

    def due_at(self, rules: Iterable[tuple[int, float]]) -> float:
        """When one more use keeps to all *rules*: so many within so many seconds, those for fewer first."""
        at, exact, count = -math.inf, self._exact, self.count
        size = len(exact)
        for n, seconds in rules:
            if n > count:
                break
            due = (exact[-n] if n <= size else self.nth_last(n)) + seconds
            if due > at:
                at = due
        return at

    def within(self, seconds: float, until: float) -> int:
        """How many there were in the *seconds* up to and with *until*."""
        return self.after(until - seconds) - self.after(until)

    def after(self, at: float) -> int:
        """How many there were after *at*."""
        exact = self._exact
        place = bisect_right(exact, at)
        if place or not self._coarse:
            return len(exact) - place
        return len(exact) + self._between + self._stride * (len(self._coarse) - bisect_right(self._coarse, at))

    def latest(self, seconds: float) -> list[float]:
        """Those of the last *seconds* before the last one, as far as they are known exactly."""
        exact = self._exact
        return list(exact[bisect_right(exact, exact[-1] - seconds) :]) if exact else []

    @property
    def _between(self) -> int:
        """How many are not exact any more, and do not stand among the coarse ones yet."""
        return (self.count - len(self._exact)) % self._stride

    def _make_room(self) -> None:
        if self._coarse is None:
            self._coarse = array("d")
        # The last of a bunch stands for it, so that times are never taken for older than they are.
        if self._between == self._stride - BUNCH:
            self._coarse.append(self._exact[BUNCH - 1])
        del self._exact[:BUNCH]
        if len(self._coarse) > COARSE_COUNT:
            self._coarse = self._coarse[1::2]
            self._stride *= 2
