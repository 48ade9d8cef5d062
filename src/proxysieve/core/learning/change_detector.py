"""Whether a site has suddenly changed its rules. docs/inside/policy.md has the mathematics.

It is a test and not a rate of forgetting. A rate that is fast enough for a limit that tightens forgets what is proven
while nothing changes. Only what changes from day to day is forgotten by a rate.
"""

from __future__ import annotations

import math

# The share of the requests that is blocked for no reason of ours, before anything is known, and its weight in requests.
USUAL_SHARE, USUAL_WEIGHT = 0.002, 500
# At least this share is blocked if something has changed.
CHANGED_SHARE = 0.2
# By chance it happens once in a million times.
SURE = math.log(1e6)
# Three blocks in a row may be chance, however rare blocks were before.
MOST_EVIDENCE = SURE / 3.5


class ChangeDetector:
    """A CUSUM test: whether blocks suddenly come so often that something must have changed."""

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
        """The site answered a working session well."""
        self.ok_count += 1
        if self._evidence:
            self._evidence = max(0.0, self._evidence + math.log((1 - CHANGED_SHARE) / (1 - self.usual_share)))

    def block(self) -> bool:
        """A session was blocked that kept to its limits; whether there are too many such blocks to be chance."""
        self._evidence += min(math.log(CHANGED_SHARE / self.usual_share), MOST_EVIDENCE)
        self.blocked_count += 1
        if self._evidence < SURE:
            return False
        self._evidence = 0.0
        return True
