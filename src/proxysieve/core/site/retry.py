"""When a request is tried again, with which session, and what that costs it."""

from __future__ import annotations

import math
from collections import Counter
from typing import NamedTuple

from proxysieve.core.evidence import is_answer
from proxysieve.core.model import Exchange, Failure, Outcome, Verdict

# A server in trouble is given a moment, twice as long each time.
FIRST_PAUSE_SECONDS = 0.5


class Cause(NamedTuple):
    """Why tries fail, and how many of them a request may have for it.

    Attributes:
        share: How many for each attempt that the user grants.
        most: And how many at the most, however many attempts there are.
        is_free_on_new: Whether a try on a session that had not worked costs nothing: that is what looking for good
            ones costs, and the pool's affair. It ends when nothing is left to be found.
        keeps_session: Whether another session would be no better, but a pause.
    """

    share: int = 1
    most: float = math.inf
    is_free_on_new: bool = True
    keeps_session: bool = False

    def budget(self, attempts: int) -> float:
        """How many tries that fail for it end the request."""
        return min(self.share * attempts, self.most)


BAD_SESSION = Cause()
# Whatever is between us and the site has failed. While others are left that the request was not sent through, that is
# no fault of the page's; one that fails on so many is rather a page that nobody gets.
UNANSWERED = Cause(share=6)
# Whoever was throttled rests by itself, and others may be due: that is no reason to give up as soon as for a block.
TOO_FAST = Cause(share=2)
# What fails three times within seconds is better asked for in another run.
SITE_IN_TROUBLE = Cause(most=3, is_free_on_new=False, keeps_session=True)
CAUSES = {
    Outcome.BLOCKED: BAD_SESSION,
    Outcome.PROXY_ERROR: BAD_SESSION,
    Outcome.UNCLEAR: BAD_SESSION,
    Outcome.THROTTLED: TOO_FAST,
    Outcome.SITE_ERROR: SITE_IN_TROUBLE,
}

# To send them twice does no more than to send them once (RFC 9110, 9.2.2).
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
# With these the site has not seen the request.
UNSENT = frozenset({Failure.PROXY_UNREACHABLE, Failure.PROXY_REFUSED, Failure.UNRESOLVED})
REFUSALS = frozenset({Outcome.BLOCKED, Outcome.THROTTLED})
# Surely enough that it was the wall before the site, and not the site.
SURE_OF_WALL = 0.8


class Again(NamedTuple):
    """Another try follows.

    Attributes:
        at: Not before, in Unix seconds.
        keeps_session: Whether with the same session, if that is to be had.
    """

    at: float
    keeps_session: bool


class Over(NamedTuple):
    """No other try follows.

    Attributes:
        why: In words; empty where the attempts are used up, or another try could not bring anything else.
        retry_at: When the site asked to come back, if that is why.
    """

    why: str = ""
    retry_at: float | None = None


class Budget:
    """The tries of one request.

    Args:
        attempts: How often it may fail on sessions that had worked; other causes have budgets of their own.
        max_tries: How often it may be sent at all.
        deadline_seconds: How long after its start another try may begin; 0 for no such limit.
        started_at: Unix seconds.
    """

    def __init__(
        self,
        attempts: int,
        max_tries: int | None = None,
        *,
        deadline_seconds: float = 0.0,
        started_at: float = 0.0,
    ) -> None:
        self._attempts = attempts
        self._tries_left = max_tries
        self._deadline_seconds = deadline_seconds
        self._spent: Counter[Cause] = Counter()
        self._cause: Cause | None = None
        self.deadline_at = started_at + deadline_seconds if deadline_seconds else None

    @property
    def used(self) -> int:
        """How many attempts are used up, for whatever cause."""
        return self._spent.total() - self._spent[UNANSWERED]

    def spend(self, verdict: Verdict, *, had_worked: bool, has_others: bool = False) -> bool:
        """Count a try that ended with *verdict*; whether it used up an attempt.

        Args:
            verdict: What the try brought.
            had_worked: Whether its session had.
            has_others: Whether there are others through which the request was not sent yet.
        """
        if self._tries_left is not None:
            self._tries_left -= 1
        cause = self._cause = _cause(verdict, has_others=has_others)
        if cause is None or (cause.is_free_on_new and not had_worked):
            return False
        self._spent[cause] += 1
        return cause is not UNANSWERED

    def follow(self, exchange: Exchange, verdict: Verdict, now: float) -> Again | Over:
        """What follows *exchange*, which was no good."""
        cause = self._cause or CAUSES[verdict.outcome]
        if verdict.is_final or self._tries_left == 0 or self._spent[cause] >= cause.budget(self._attempts):
            return Over()
        if not may_repeat(exchange, verdict):
            return Over(f"a {exchange.method} may have had an effect, and was not sent again")
        if not cause.keeps_session:
            return self._within_deadline(Again(now, keeps_session=False), now)
        again = Again(max(now + self._pause_seconds(), verdict.until), keeps_session=True)
        if verdict.until > now and self.is_late(again.at):
            return Over(f"the site asked to come back in {verdict.until - now:.0f} s, {self.lateness}", verdict.until)
        return self._within_deadline(again, now)

    def is_late(self, at: float) -> bool:
        """Whether no try may begin at *at* any more."""
        return self.deadline_at is not None and at > self.deadline_at

    @property
    def lateness(self) -> str:
        """That it is late, in words."""
        return f"past the deadline of {self._deadline_seconds:g} s"

    def _within_deadline(self, again: Again, now: float) -> Again | Over:
        if not self.is_late(again.at):
            return again
        return Over(self.lateness if self.is_late(now) else f"another try would be {self.lateness}")

    def _pause_seconds(self) -> float:
        return FIRST_PAUSE_SECONDS * 2.0 ** (self._spent[SITE_IN_TROUBLE] - 1)


def _cause(verdict: Verdict, *, has_others: bool) -> Cause | None:
    if has_others and not is_answer(verdict):
        return UNANSWERED
    return CAUSES.get(verdict.outcome)


def wants_another(outcome: Outcome) -> bool:
    """Whether a try that ended with *outcome* is better repeated through another exit."""
    cause = CAUSES.get(outcome)
    return cause is not None and not cause.keeps_session


def may_repeat(exchange: Exchange, verdict: Verdict) -> bool:
    """Whether to send the request of *exchange* again cannot do something twice."""
    if exchange.method.upper() in IDEMPOTENT:
        return True
    if exchange.failure is not None:
        return exchange.failure in UNSENT
    if exchange.redirect_count or exchange.final_url not in {"", exchange.url}:
        # Whoever sent it on had taken it in before.
        return False
    if verdict.outcome is Outcome.PROXY_ERROR:
        return exchange.status == 407
    return verdict.outcome in REFUSALS and bool(verdict.vendor) and verdict.confidence >= SURE_OF_WALL
