"""A limit of a site: at most n uses within a window, of which only an interval is known.

A block says exactly how many uses were too many, and only bounds the window. A grid of windows in factors of two would
make 12 in 47 s into 12 in 32 s or in 64 s: bans, or a quarter of the speed lost. So n is a number, and the window an
interval that probes and blocks narrow from both ends.
"""

from __future__ import annotations

import math
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


def windows_up_to(seconds: float) -> float:
    """The share of limits whose window is not longer than *seconds*, before anything is known."""
    if seconds >= LONGEST_WINDOW:
        return 1.0
    smooth = math.log(max(seconds, SHORTEST_WINDOW) / SHORTEST_WINDOW) / math.log(LONGEST_WINDOW / SHORTEST_WINDOW)
    round_ = sum(share for window, share in ROUND_WINDOWS if window <= seconds)
    return (1 - ENDLESS_SHARE) * (SMOOTH_SHARE * smooth + (1 - SMOOTH_SHARE) * round_)


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
        neighbour_count: How many neighbours of the subject were tried, to see whether they are blocked, too.
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
    neighbour_count: Count = msgspec.field(default=0, name="trial_count")

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
