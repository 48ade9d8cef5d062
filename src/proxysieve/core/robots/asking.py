"""How to ask for robots.txt: through how many exits at once, for how long, and what to learn from the answers.

A second exit is asked when the first has failed or has not answered within a second; then the number doubles each
time. Most tries have a short time-out. The answers tell nothing about pages: a cache in front of a site shows
robots.txt also to banned exits. So an exit is judged only by what happened before the site.
"""

from __future__ import annotations

from collections import Counter

import msgspec

from proxysieve.core.model import Outcome, Tried, Verdict
from proxysieve.core.site.retry import FIRST_PAUSE_SECONDS, SITE_IN_TROUBLE

# A refusal may be meant for the exit, or it may mean that there is no such file. After so many refusals the second is
# assumed: if three in four exits are banned, this is wrong once in 5,000 times.
REFUSALS_NEEDED = 30
REFUSALS = range(400, 429)
# If few exits work, many are tried until one does. The pool knows when that is hopeless, but not while other
# origins of the site go on working.
MOST_TRIES = 990
# Nine in ten working exits bring a small file within this time, and pages wait for it. The slow exits get their time,
# too: one try in four may take as long as any other request.
SHORT_SECONDS = 5.0
PATIENT_SHARE = 4
# After this time without an answer, more exits are asked.
GROW_SECONDS = 1.0
# These tell of the exit whatever the request was.
ALWAYS_COUNT = frozenset({Outcome.PROXY_ERROR, Outcome.THROTTLED})
REASONS_TOLD = 3


class End(msgspec.Struct, frozen=True):
    """The search is over.

    Attributes:
        why: Why the rules cannot be read; empty if there are none.
    """

    why: str = ""


class Asking:
    """The search for one robots.txt.

    Args:
        places: How many tries may run at once at most.
        attempts: How often the site itself may fail, up to three times.
        timeout_seconds: The longest time-out of a try.
    """

    def __init__(self, *, places: int, attempts: int, timeout_seconds: float) -> None:
        self._places = places
        self._errors_allowed = SITE_IN_TROUBLE.budget(attempts)
        self._timeout_seconds = timeout_seconds
        self._width = 1
        self._refusal_count = self._error_count = 0
        self._reasons: Counter[str] = Counter()
        self._next_at = 0.0

    @property
    def try_count(self) -> int:
        """How many tries failed."""
        return self._reasons.total()

    @property
    def width(self) -> int:
        """How many tries may run at once now. After a refusal, no more than the refusals that are still to come."""
        return min(self._width, REFUSALS_NEEDED - self._refusal_count) if self._refusal_count else self._width

    def may_start(self, under_way: int, now: float) -> bool:
        """Whether one more try may start while *under_way* run."""
        return under_way < self.width and now >= self._next_at

    def look_again_at(self, now: float) -> float:
        """When to look again, even without an answer."""
        return self._next_at if now < self._next_at else now + GROW_SECONDS

    def seconds_for(self, patient_count: int) -> float:
        """The time-out of the next try, while *patient_count* tries have the longest one."""
        is_patient = patient_count < max(1, self._places // PATIENT_SHARE)
        return self._timeout_seconds if is_patient else min(self._timeout_seconds, SHORT_SECONDS)

    def is_patient(self, seconds: float) -> bool:
        """Whether a try with this time-out has the longest one."""
        return seconds >= self._timeout_seconds

    def grow(self) -> None:
        """Double the number of tries at once."""
        self._width = min(2 * self._width, self._places)

    def fail(self, tried: Tried, now: float, *, is_final: bool) -> End | None:
        """A try failed. Returns the end of the search, if this is it."""
        self._reasons[tried.why] += 1
        self._refusal_count += _is_refusal(tried)
        if self._refusal_count >= REFUSALS_NEEDED:
            return End()
        if tried.verdict is Outcome.SITE_ERROR:
            self._error_count += 1
            self._next_at = now + FIRST_PAUSE_SECONDS * 2.0 ** (self._error_count - 1)
            if is_final or self._error_count >= self._errors_allowed:
                return End(tried.why)
        else:
            self.grow()
        return End(tried.why) if self.try_count >= MOST_TRIES else None

    @property
    def is_refused_by_all(self) -> bool:
        """Whether every try was refused."""
        return 0 < self._refusal_count == self.try_count

    def __str__(self) -> str:
        """The state of the search, in words."""
        tries = "1 try" if self.try_count == 1 else f"{self.try_count} tries"
        told = [f"{count} x {why}" for why, count in self._reasons.most_common(REASONS_TOLD)]
        return ": ".join([f"{tries} so far", *([", ".join(told)] if told else [])])


def _is_refusal(tried: Tried) -> bool:
    return tried.status in REFUSALS and tried.verdict is not Outcome.PROXY_ERROR


def verdict_on_session(verdict: Verdict, status: int, *, had_worked: bool) -> Verdict | None:
    """What *verdict* on an answer that is no page tells of its session; None if nothing.

    A failing proxy and a request to slow down count whatever was asked. If nothing was known of the session, a wall
    before the site and silence count as well. A status that sites also give to missing files does not count.
    """
    if verdict.outcome in ALWAYS_COUNT:
        return verdict
    is_about_exit = verdict.outcome is Outcome.BLOCKED or (
        verdict.outcome is Outcome.UNCLEAR and status not in REFUSALS
    )
    return verdict if is_about_exit and not had_worked else None
