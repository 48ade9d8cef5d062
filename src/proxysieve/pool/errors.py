"""Why a request was given up: the errors that carry all that was tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from proxysieve.core.model import Exchange, Outcome, Tried, Verdict
from proxysieve.errors import ProxySieveError


class NoSessionAvailable(ProxySieveError):  # noqa: N818 - it names a state of affairs, not a fault
    """Nothing works at the site, and nothing is due within the time that the caller would wait.

    Attributes:
        site: The site in question.
        why: What was tried, in words.
        retry_at: Unix seconds at which the next session is due; None when nothing will come by itself.
        attempts: What was tried for this request before, oldest first.
        is_overdue: Whether others had their turns until the caller's own deadline: nothing is wrong with the site.
    """

    def __init__(
        self,
        site: str,
        why: str,
        *,
        retry_at: float | None,
        attempts: Sequence[Tried] = (),
        is_overdue: bool = False,
    ) -> None:
        super().__init__(f"no session available at {site}: {why}")
        self.site = site
        self.why = why
        self.retry_at = retry_at
        self.attempts = tuple(attempts)
        self.is_overdue = is_overdue

    def story(self) -> str:
        """The error and, in a line each, all that was tried."""
        return _story(self, self.attempts)


class GaveUp(ProxySieveError):  # noqa: N818 - it names a state of affairs, not a fault
    """A request used up its attempts, or its time, without a good answer.

    Attributes:
        exchange: The last request with its answer.
        verdict: What was made of it.
        attempts: Every try, oldest first.
        why: What else than the number of attempts kept it from being tried again; empty if nothing did.
        retry_at: When the site asked to come back, in Unix seconds, where that is later than the request could wait.
    """

    def __init__(
        self,
        exchange: Exchange,
        verdict: Verdict,
        attempts: Sequence[Tried] = (),
        *,
        why: str = "",
        retry_at: float | None = None,
    ) -> None:
        tries = "1 try" if len(attempts) == 1 else f"{len(attempts)} tries"
        causes = f" ({_summed_up(attempts)})" if attempts else ""
        last = f"the last was {verdict.outcome}: {verdict.why}"
        super().__init__(f"gave up on {exchange.url} after {tries}{causes}; {last}{f'; {why}' if why else ''}")
        self.exchange = exchange
        self.verdict = verdict
        self.attempts = tuple(attempts)
        self.why = why
        self.retry_at = retry_at

    def story(self) -> str:
        """The error and, in a line each, all that was tried."""
        return _story(self, self.attempts)


class Blocked(GaveUp):
    """A request was given up, and in the end it was the site that refused it."""


def _summed_up(attempts: Sequence[Tried]) -> str:
    counts = Counter(tried.verdict for tried in attempts).most_common()
    return ", ".join(f"{count} {_named(verdict, count)}" for verdict, count in counts)


def _named(verdict: Outcome, count: int = 1) -> str:
    words = verdict.replace("_", " ")
    return f"{words}s" if count > 1 and words.endswith("error") else words


def _story(error: ProxySieveError, attempts: Sequence[Tried]) -> str:
    return "\n".join([str(error), *(f"{number:>4}. {_told(tried)}" for number, tried in enumerate(attempts, start=1))])


def _told(tried: Tried) -> str:
    came = f"status {tried.status}" if tried.status else "no answer"
    said = f" ({tried.why})" if tried.why and tried.why != came else ""
    return f"{_named(tried.verdict)}{said}: {came} after {tried.seconds:.2f} s, {tried.session} via {tried.proxy}"
