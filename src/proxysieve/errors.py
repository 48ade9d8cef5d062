"""The exception tree. A new leaf only where a caller would write another ``except``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxysieve.core.model import Exchange, Tried, Verdict


class ProxySieveError(Exception):
    """Anything that proxysieve raises on purpose."""


class ConfigError(ProxySieveError, ValueError):
    """Something that was handed in cannot be used; the message says what was expected."""


class MissingExtraError(ProxySieveError, ImportError):
    """A package is missing that an optional part needs; the message names the exact install command."""


class StoreError(ProxySieveError):
    """The store cannot be opened, read or written; what was in it is untouched."""


class NoSessionAvailable(ProxySieveError):  # noqa: N818 - it names a state of affairs, not a fault
    """Nothing works at the site, and nothing is due within the time that the caller would wait.

    Attributes:
        site: The site in question.
        why: What was tried, in words.
        retry_at: Unix seconds at which the next session is due; None when nothing will come by itself.
        attempts: What was tried for this request before, oldest first.
    """

    def __init__(self, site: str, why: str, *, retry_at: float | None, attempts: Sequence[Tried] = ()) -> None:
        super().__init__(f"no session available at {site}: {why}")
        self.site = site
        self.why = why
        self.retry_at = retry_at
        self.attempts = tuple(attempts)


class GaveUp(ProxySieveError):  # noqa: N818 - likewise
    """A request used up its attempts without a good answer.

    Attributes:
        exchange: The last request with its answer.
        verdict: What was made of it.
        attempts: Every attempt, oldest first.
    """

    def __init__(self, exchange: Exchange, verdict: Verdict, attempts: Sequence[Tried] = ()) -> None:
        super().__init__(
            f"gave up on {exchange.url} after {len(attempts)} tries; the last was {verdict.outcome}: {verdict.why}"
        )
        self.exchange = exchange
        self.verdict = verdict
        self.attempts = tuple(attempts)


class Blocked(GaveUp):
    """A request was given up, and in the end it was the site that refused it."""
