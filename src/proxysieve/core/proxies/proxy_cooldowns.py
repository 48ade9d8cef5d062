"""Which proxies cool down as a whole, because they answered something that holds for all of their exits.

* A proxy that asks us to wait gets no request until then, through any exit. It may be busy as many requests are out at
  once. So afterwards it carries no more than were still out then, and a quarter of one more each time that all of these
  are answered.
* A proxy that refuses its login, or whose plan is used up, may be paid for at any time, and nobody tells us. So one
  request asks it again now and then, and no other goes out meanwhile. If something came through it before, it may have
  been a hiccup: we ask after a second at first. If nothing ever did, we ask after an hour. Each time that it refuses
  again, the cooldown is twice as long, up to a day.

A store keeps only the waits that proxies asked for. Whoever starts a run has changed something, or wants to know.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from proxysieve.core.model import LONGEST_COOLDOWN_SECONDS

FIRST_REST_SECONDS, FIRST_REST_UNUSED_SECONDS = 1.0, 3600.0
# How much more a busy proxy carries once all of its requests were answered.
GROWTH = 0.25
# More doublings make a cooldown no longer.
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
    """The proxies of one site that cool down as a whole, by their keys."""

    def __init__(self) -> None:
        self._passed: set[str] = set()
        self._refused: dict[str, Refused] = {}
        self._asked: dict[str, float] = {}
        # The lease of the request that asks each of those again that refused.
        self._rechecks: dict[str, int] = {}
        # How many requests are out through each, and how many each busy one may carry.
        self._out: Counter[str] = Counter()
        self._bears: dict[str, float] = {}

    def until(self, key: str) -> float:
        """When the proxy may be used again, in Unix seconds; 0 if it does not cool down."""
        refused = self._refused.get(key)
        return max(self._asked.get(key, 0.0), refused.until if refused else 0.0)

    def cooling_down(self, now: float) -> Iterator[tuple[str, float]]:
        """The keys of the proxies that cool down at *now*, and until when each does."""
        for key in self._asked.keys() | self._refused.keys():
            until = self.until(key)
            if now < until:
                yield key, until

    def is_full(self, key: str) -> bool:
        """Whether the proxy may carry no more: the request that tests it is out, or as many as it allows."""
        return key in self._rechecks or self._out[key] + 1 > self._bears.get(key, math.inf)

    def lease(self, key: str, lease: int) -> None:
        """A request goes out through the proxy."""
        self._out[key] += 1
        if key in self._refused:
            self._rechecks[key] = lease

    def land(self, key: str, lease: int) -> None:
        """That request is over, whatever came of it."""
        self._out[key] -= 1
        if not self._out[key]:
            del self._out[key]
        if self._rechecks.get(key) == lease:
            del self._rechecks[key]

    def ask(self, key: str, until: float) -> None:
        """The proxy asked us to wait until that moment."""
        self._asked[key] = max(self._asked.get(key, 0.0), until)

    def busy(self, key: str, until: float) -> None:
        """The same, because it gets too many requests."""
        self._bears[key] = max(1.0, min(self._bears.get(key, math.inf), self._out[key]))
        self.ask(key, until)

    def refuse(self, key: str, asked_at: float, at: float) -> None:
        """The proxy refused a request; requests that were out together count as one refusal."""
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
        """The options of these proxies are new: ask them again."""
        for key in keys:
            self._refused.pop(key, None)
            self._rechecks.pop(key, None)
            self._bears.pop(key, None)

    def part(self, keys: Iterable[str]) -> None:
        """These proxies have left; what is to be kept of them stands in records."""
        for key in keys:
            self._refused.pop(key, None)
            self._rechecks.pop(key, None)
            self._bears.pop(key, None)
            self._asked.pop(key, None)
            self._passed.discard(key)
