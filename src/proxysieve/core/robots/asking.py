"""How robots.txt is asked for: through how many exits at once, for how long, and what becomes of their answers.

Nobody waits for one exit: a second one is asked once the first has failed, or said nothing for a second, and then twice
as many each time. Most of them have little time. What they answer is no page, and tells nothing of pages: who caches a
site shows its robots.txt to the banned as well. So of an exit only that is learned which came before the site.
"""

from __future__ import annotations

from collections import Counter

import msgspec

from proxysieve.core.model import Outcome, Tried, Verdict
from proxysieve.core.site.retry import FIRST_PAUSE_SECONDS, SITE_IN_TROUBLE

# A refusal may be meant for the exit, or it may be how a server says that there is no such file. So many are asked
# before the second is believed: where three in four are banned, all of them are once in 5,000 times.
REFUSALS_BELIEVED = 30
REFUSALS = range(400, 429)
# Where few work, many are tried until one of them does. The pool knows when that is hopeless, but not while other
# origins of the site go on working.
MOST_TRIES = 990
# A small file comes within this from nine in ten exits that work at all, and pages wait for it. The slow ones have
# their time as well: one try in four may take as long as any other request.
SHORT_SECONDS = 5.0
PATIENT_SHARE = 4
# Who has not answered by then is not waited for alone.
GROW_SECONDS = 1.0
# These tell of the exit, whatever was asked.
FACTS = frozenset({Outcome.PROXY_ERROR, Outcome.THROTTLED})
REASONS_TOLD = 3


class End(msgspec.Struct, frozen=True):
    """Nobody else is asked.

    Attributes:
        why: The rules cannot be read; empty where there are none.
    """

    why: str = ""


class Asking:
    """The search for one robots.txt.

    Args:
        places: How many may be asked at once at the most.
        attempts: How often the site itself may fail, up to three times.
        timeout_seconds: For one try of those that have the most.
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
        """How many may be asked at once now; no more than can still be refused, once somebody was."""
        return min(self._width, REFUSALS_BELIEVED - self._refusal_count) if self._refusal_count else self._width

    def may_start(self, under_way: int, now: float) -> bool:
        """Whether one more may be asked while so many are."""
        return under_way < self.width and now >= self._next_at

    def look_again_at(self, now: float) -> float:
        """When something may be due though nobody answered."""
        return self._next_at if now < self._next_at else now + GROW_SECONDS

    def seconds_for(self, patient_count: int) -> float:
        """How long the next try may take, while so many are out that may take the most."""
        is_patient = patient_count < max(1, self._places // PATIENT_SHARE)
        return self._timeout_seconds if is_patient else min(self._timeout_seconds, SHORT_SECONDS)

    def is_patient(self, seconds: float) -> bool:
        """Whether a try of so many *seconds* has the most."""
        return seconds >= self._timeout_seconds

    def grow(self) -> None:
        """Ask twice as many at once."""
        self._width = min(2 * self._width, self._places)

    def fail(self, tried: Tried, now: float, *, is_final: bool) -> End | None:
        """A try was no good; the end, if it is one."""
        self._reasons[tried.why] += 1
        self._refusal_count += _is_refusal(tried)
        if self._refusal_count >= REFUSALS_BELIEVED:
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
        """Whether everybody who was asked was refused."""
        return 0 < self._refusal_count == self.try_count

    def __str__(self) -> str:
        """How it goes, in words."""
        tries = "1 try" if self.try_count == 1 else f"{self.try_count} tries"
        told = [f"{count} x {why}" for why, count in self._reasons.most_common(REASONS_TOLD)]
        return ": ".join([f"{tries} so far", *([", ".join(told)] if told else [])])


def _is_refusal(tried: Tried) -> bool:
    return tried.status in REFUSALS and tried.verdict is not Outcome.PROXY_ERROR


def fact_in(verdict: Verdict, status: int, *, had_worked: bool) -> Verdict | None:
    """What *verdict* on an answer to what is no page tells of its session; None if nothing.

    That the proxy failed, or that one is to slow down, is so whatever was asked. Of a session of which nothing was
    known it is worth to know that a wall stands before it, or that nothing came back through it. A status that sites
    also give to files that are not there is worth nothing.
    """
    if verdict.outcome in FACTS:
        return verdict
    is_about_exit = verdict.outcome is Outcome.BLOCKED or (
        verdict.outcome is Outcome.UNCLEAR and status not in REFUSALS
    )
    return verdict if is_about_exit and not had_worked else None
