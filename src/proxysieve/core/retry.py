"""When a request is tried again, and what that costs it."""

from __future__ import annotations

from proxysieve.core.model import Outcome, Verdict

# A server in trouble is given a moment, twice as long each time, and never longer than a person would wait.
FIRST_PAUSE_SECONDS = 0.5
LAST_PAUSE_SECONDS = 30.0


class Budget:
    """The attempts of one request.

    Only what happened on sessions that had worked, and the site's own errors, use attempts up. A try that merely
    found another blocked or dead proxy is what looking for good ones costs, and the pool's affair: it ends when
    nothing is left to be found.

    Args:
        attempts: How many may be used up.
        max_tries: How often it may be sent at all.
    """

    def __init__(self, attempts: int, max_tries: int | None = None) -> None:
        self.left = attempts
        self._tries_left = max_tries
        self._site_error_count = 0
        self._is_final = False

    @property
    def is_spent(self) -> bool:
        """Whether there is no other try."""
        return self.left <= 0 or self._tries_left == 0 or self._is_final

    def spend(self, verdict: Verdict, *, had_worked: bool) -> bool:
        """Count a try that ended with *verdict*; whether it used up an attempt."""
        counts = verdict.outcome is Outcome.SITE_ERROR or (had_worked and verdict.outcome is not Outcome.OK)
        self.left -= counts
        if self._tries_left is not None:
            self._tries_left -= 1
        self._is_final = verdict.is_final
        self._site_error_count += verdict.outcome is Outcome.SITE_ERROR
        return counts

    def pause_seconds(self, verdict: Verdict) -> float:
        """How long to wait before the next try: blocks and dead proxies go on at once, on another session."""
        if verdict.outcome is not Outcome.SITE_ERROR:
            return 0.0
        return min(FIRST_PAUSE_SECONDS * 2.0 ** (self._site_error_count - 1), LAST_PAUSE_SECONDS)
