"""Which proxies rest as a whole, because they said something of themselves that all of their exits would meet.

* Who asks to be left alone until a moment is left alone until then, whichever exit of it was told so. It may be busy by
  how many requests are out at once. So from then on it carries no more than were still out when it said so, and with
  each time that all of these are answered a quarter of one more.
* Who refuses its login, or to be used any longer, may be paid for at any time, and nobody tells. So it is asked again
  by a single question now and then, and by no other while that is out. If something came through it before, it may have
  been a hiccup: that is after a second at first. If nothing ever did, it is no accident, nor a session's name: that is
  after an hour. Each time that it refuses again, the rest is twice as long, up to a day.

Only what was asked for is kept in a store. Whoever starts a run has changed something, or wants to know.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from proxysieve.core.model import LONGEST_COOLDOWN_SECONDS

FIRST_REST_SECONDS, FIRST_REST_UNUSED_SECONDS = 1.0, 3600.0
# How much more a proxy that was busy carries once as many were answered as it carries.
GROWTH = 0.25
# No more doublings make a rest any longer.
MOST_DOUBLINGS = 30


class Refused(NamedTuple):
    """A proxy refused whoever asks.

    Attributes:
        at: When it did last, in Unix seconds.
        until: When it is asked again.
        times: How often it did, in a row.
    """

    at: float
    until: float
    times: int


class ProxyCooldowns:
    """The proxies of one site that rest as a whole, by their keys."""

    def __init__(self) -> None:
        self._passed: set[str] = set()
        self._refused: dict[str, Refused] = {}
        self._asked: dict[str, float] = {}
        # The lease of the question by which each of those that refused is asked again.
        self._trials: dict[str, int] = {}
        # How many requests are out through each, and how many those that were busy are to carry.
        self._out: Counter[str] = Counter()
        self._bears: dict[str, float] = {}

    def until(self, key: str) -> float:
        """When the proxy may be used again, in Unix seconds; 0 if it does not rest."""
        refused = self._refused.get(key)
        return max(self._asked.get(key, 0.0), refused.until if refused else 0.0)

    def cooling_down(self, now: float) -> Iterator[tuple[str, float]]:
        """The keys of the proxies that rest at *now*, and until when each does."""
        for key in self._asked.keys() | self._refused.keys():
            until = self.until(key)
            if now < until:
                yield key, until

    def is_full(self, key: str) -> bool:
        """Whether the proxy is to carry no more: the question that tries it is out, or as many as it bears."""
        return key in self._trials or self._out[key] + 1 > self._bears.get(key, math.inf)

    def lease(self, key: str, lease: int) -> None:
        """A question goes out through the proxy."""
        self._out[key] += 1
        if key in self._refused:
            self._trials[key] = lease

    def land(self, key: str, lease: int) -> None:
        """That question is over, whatever came of it."""
        self._out[key] -= 1
        if not self._out[key]:
            del self._out[key]
        if self._trials.get(key) == lease:
            del self._trials[key]

    def ask(self, key: str, until: float) -> None:
        """The proxy asked to be left alone until that moment."""
        self._asked[key] = max(self._asked.get(key, 0.0), until)

    def busy(self, key: str, until: float) -> None:
        """The same, as it is asked too much."""
        self._bears[key] = max(1.0, min(self._bears.get(key, math.inf), self._out[key]))
        self.ask(key, until)

    def refuse(self, key: str, asked_at: float, at: float) -> None:
        """The proxy refused at that moment what was asked before; questions that were out together are refused once."""
        before = self._refused.get(key)
        if before is None or asked_at >= before.at:
            times = before.times + 1 if before else 1
            self._refused[key] = Refused(at, at + self._seconds(key, times), times)

    def passes(self, key: str, asked_at: float) -> None:
        """Something came through the proxy that was asked at that moment."""
        is_first = key not in self._passed
        self._passed.add(key)
        if key in self._bears:
            self._bears[key] += GROWTH / self._bears[key]
        refused = self._refused.get(key)
        if refused is None:
            return
        if asked_at > refused.at:
            del self._refused[key]
        elif is_first:
            self._refused[key] = refused._replace(until=refused.at + self._seconds(key, refused.times))

    def _seconds(self, key: str, times: int) -> float:
        first = FIRST_REST_SECONDS if key in self._passed else FIRST_REST_UNUSED_SECONDS
        return float(min(first * 2.0 ** min(times - 1, MOST_DOUBLINGS), LONGEST_COOLDOWN_SECONDS))

    def recall(self, key: str) -> None:
        """Something came through the proxy in an earlier run."""
        self._passed.add(key)

    def forget(self, keys: Iterable[str]) -> None:
        """What is said of these proxies is new: ask them."""
        for key in keys:
            self._refused.pop(key, None)
            self._trials.pop(key, None)
            self._bears.pop(key, None)

    def part(self, keys: Iterable[str]) -> None:
        """These proxies have left; what is to be kept of them stands in records."""
        for key in keys:
            self._refused.pop(key, None)
            self._trials.pop(key, None)
            self._bears.pop(key, None)
            self._asked.pop(key, None)
            self._passed.discard(key)
