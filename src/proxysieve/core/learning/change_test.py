"""Whether a site has changed its rules all of a sudden. docs/inside/policy.md has the mathematics.

It is a test and not a rate of forgetting: what forgets fast enough for a limit that tightens forgets what is proven
while nothing changes. Forgetting is left with what changes by the day.
"""

from __future__ import annotations

import math

# What share of the requests is blocked for no reason of ours, before anything is known; so many weigh as much.
USUAL_SHARE, USUAL_WEIGHT = 0.002, 500


# Something has changed where at least this share is.
CHANGED_SHARE = 0.2


# Once in a million times that is chance.
SURE = math.log(1e6)


# Three blocks in a row may be chance, however seldom there was one before.
MOST_EVIDENCE = SURE / 3.5


class ChangeTest:
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
