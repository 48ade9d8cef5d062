"""How likely a blocked exit is to have recovered, by the time since. docs/inside/policy.md has the mathematics."""

from __future__ import annotations

import math
from collections.abc import Sequence

# How long bans last, before anything is known: all orders of magnitude alike.
SHORTEST_BAN, LONGEST_BAN = 30.0, 86400.0
# So many exits weigh as much as what is thought of bans before any is known.
BAN_WEIGHT = 2.0
BAN_BUCKETS = 20


class Recovery:
    """How likely a blocked exit is to have recovered, by the time since.

    What recovered after a time would have after a longer one, and what had not would not have after a shorter one.

    Args:
        lasting_share: What share of the bans never ends, before any is known.
        ends_at_once: Whether those that end do so at once: they are aimed at a session, not at its exit.

    Attributes:
        recovered: How many had recovered, by the power of two of the seconds.
        still: How many had not.
    """

    def __init__(self, lasting_share: float, *, ends_at_once: bool = False) -> None:
        self._lasting_share = lasting_share
        self._ends_at_once = ends_at_once
        self.recovered = [0.0] * BAN_BUCKETS
        self.still = [0.0] * BAN_BUCKETS

    def restore(self, recovered: Sequence[float], still: Sequence[float]) -> None:
        """Take back what was kept."""
        if len(recovered) == len(still) == BAN_BUCKETS:
            self.recovered, self.still = [*recovered], [*still]

    def chance(self, seconds: float) -> float:
        """How likely it is after *seconds*."""
        place = _bucket(seconds)
        good, bad = sum(self.recovered[: place + 1]), sum(self.still[place:])
        return (good + BAN_WEIGHT * self._prior(seconds)) / (good + bad + BAN_WEIGHT)

    def count(self, seconds: float, *, recovered: bool) -> None:
        """An exit was tried after *seconds*."""
        (self.recovered if recovered else self.still)[_bucket(seconds)] += 1

    def forget(self, share: float) -> None:
        """Have what is known weigh only *share* of what it did."""
        self.recovered = [count * share for count in self.recovered]
        self.still = [count * share for count in self.still]

    def _prior(self, seconds: float) -> float:
        if self._ends_at_once:
            return 1 - self._lasting_share
        part = math.log(max(seconds, SHORTEST_BAN) / SHORTEST_BAN) / math.log(LONGEST_BAN / SHORTEST_BAN)
        return (1 - self._lasting_share) * min(1.0, part)


def _bucket(seconds: float) -> int:
    return min(BAN_BUCKETS - 1, max(0, int(seconds)).bit_length())
