"""The counters that the adaptive policy learns with. docs/policy.md has the mathematics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import msgspec

from proxysieve.core.records import Count, Moment, Positive, Weight

# What sites write down: of the limits with a round window, how many have which.
ROUND_WINDOWS = (
    (1.0, 0.06), (5.0, 0.03), (10.0, 0.09), (15.0, 0.02), (30.0, 0.06), (60.0, 0.42),
    (120.0, 0.02), (300.0, 0.08), (600.0, 0.05), (900.0, 0.03), (3600.0, 0.12), (86400.0, 0.02),
)  # fmt: skip
# The others have any window, all orders of magnitude alike; and some end with the day, or never.
SHORTEST_WINDOW, LONGEST_WINDOW = 0.5, 86400.0
SMOOTH_SHARE, ENDLESS_SHARE = 0.4, 0.15

# The window of a limit is taken for as long as it is with this chance.
ALMOST_CERTAIN = 0.95

# How long bans last, before anything is known: all orders of magnitude alike.
SHORTEST_BAN, LONGEST_BAN = 30.0, 86400.0
# So many exits weigh as much as what is thought of bans before any is known.
BAN_WEIGHT = 2.0
BAN_BUCKETS = 20

# What share of the requests is blocked for no reason of ours, before anything is known; so many weigh as much.
USUAL_SHARE, USUAL_WEIGHT = 0.002, 500
# Something has changed where at least this share is.
CHANGED_SHARE = 0.2
# Once in a million times that is chance.
SURE = math.log(1e6)
# Three blocks in a row may be chance, however seldom there was one before.
MOST_EVIDENCE = SURE / 3.5


def windows_up_to(seconds: float) -> float:
    """The share of limits whose window is not longer than *seconds*, before anything is known."""
    if seconds >= LONGEST_WINDOW:
        return 1.0
    smooth = math.log(max(seconds, SHORTEST_WINDOW) / SHORTEST_WINDOW) / math.log(LONGEST_WINDOW / SHORTEST_WINDOW)
    round_ = sum(share for window, share in ROUND_WINDOWS if window <= seconds)
    return (1 - ENDLESS_SHARE) * (SMOOTH_SHARE * smooth + (1 - SMOOTH_SHARE) * round_)


class Recovery:
    """How likely a blocked exit is to have recovered, by the time since.

    What recovered after a time would have after a longer one, and what had not would not have after a shorter one.

    Args:
        lasting_share: What share of the bans never ends, before any is known.
        ends_at_once: Whether those that end do so at once: they are aimed at a visitor, not at its exit.

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


class Limit(msgspec.Struct, gc=False):
    """Not more than *n* uses within some seconds: more than *above*, and at most *below*.

    Attributes:
        n: How many uses are borne.
        seconds: What is kept to: the window is almost certainly no longer.
        most: How many may be, as answers are still out that will tell.
        subject: The exit or network whose block told of it.
        since: When it was learned or changed, in Unix seconds.
        asked_at: When the refused request had gone out.
        sure: How likely it is that there is such a limit, and not somebody else who caused the block.
        inside_count: How many were blocked though they were within it.
        trial_count: How many neighbours of the subject were tried, to see whether they are blocked as well.
    """

    n: Positive
    above: Weight
    below: Annotated[float, msgspec.Meta(gt=0, le=LONGEST_WINDOW)] = LONGEST_WINDOW
    seconds: Annotated[float, msgspec.Meta(gt=0, le=LONGEST_WINDOW)] = LONGEST_WINDOW
    most: Count = 0
    subject: str = ""
    since: Moment = 0.0
    asked_at: Moment = 0.0
    sure: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    inside_count: Count = 0
    trial_count: Count = 0

    def __post_init__(self) -> None:
        if self.seconds > self.below:
            self.narrow()

    @property
    def is_open(self) -> bool:
        """Whether no end of its window is known."""
        return self.below >= LONGEST_WINDOW

    def narrow(self, *, above: float = 0.0, below: float = LONGEST_WINDOW) -> None:
        """The window is longer than *above* and at most *below* seconds, as well."""
        self.above, self.below = max(self.above, above), min(self.below, below)
        self.seconds = self.below if self.is_open else self.seconds_for(ALMOST_CERTAIN)

    def chance_below(self, seconds: float) -> float:
        """How likely one use more is to be borne, *seconds* after the n-th last one."""
        least, most = windows_up_to(self.above), windows_up_to(self.below)
        if seconds >= self.below or most <= least:
            return 1.0
        part = max(0.0, (windows_up_to(seconds) - least) / (most - least))
        return 1 - self.sure * (1 - part)

    def seconds_for(self, chance: float) -> float:
        """The least seconds for which :meth:`chance_below` is *chance*."""
        low, high = max(self.above, SHORTEST_WINDOW), self.below
        while high > low * 1.001:
            middle = math.sqrt(low * high)
            low, high = (low, middle) if self.chance_below(middle) >= chance else (middle, high)
        return high


class Surprise:
    """Whether blocks come so often, all of a sudden, that something must have changed: a CUSUM test."""

    __slots__ = ("_evidence", "blocked_count", "ok_count")

    def __init__(self) -> None:
        self._evidence = 0.0
        self.ok_count = 0
        self.blocked_count = 0

    @property
    def usual_share(self) -> float:
        """The share of the requests that is blocked for no reason of ours."""
        blocked = self.blocked_count + USUAL_SHARE * USUAL_WEIGHT
        return min(blocked / (self.blocked_count + self.ok_count + USUAL_WEIGHT), CHANGED_SHARE / 2)

    def answer_well(self) -> None:
        """A session that works was answered well."""
        self.ok_count += 1
        if self._evidence:
            self._evidence = max(0.0, self._evidence + math.log((1 - CHANGED_SHARE) / (1 - self.usual_share)))

    def block(self) -> bool:
        """One was blocked within all that it may do; whether that is too much to be chance."""
        self._evidence += min(math.log(CHANGED_SHARE / self.usual_share), MOST_EVIDENCE)
        self.blocked_count += 1
        if self._evidence < SURE:
            return False
        self._evidence = 0.0
        return True
