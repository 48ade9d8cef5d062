"""The figures of a job, while it runs and at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

from proxysieve.core.model import Outcome, Tried
from proxysieve.core.site.status import SiteStatus


class JobCounts:
    """Counts the tries of a job."""

    def __init__(self) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self.reasons: Counter[tuple[Outcome, str]] = Counter()

    def note(self, tried: Tried) -> None:
        """Count a try."""
        self.outcomes[tried.verdict] += 1
        if tried.verdict is not Outcome.OK:
            self.reasons[tried.verdict, tried.why] += 1

    @property
    def requests(self) -> int:
        """All requests that were sent."""
        return self.outcomes.total()

    @property
    def wasted(self) -> int:
        """The requests that brought no page."""
        return self.requests - self.outcomes[Outcome.OK]


class Stalled(msgspec.Struct, frozen=True, kw_only=True):
    """A site at which nothing works.

    Attributes:
        why: What was tried, in words.
        pending: How many of its URLs are left.
        retry_at: Unix seconds at which the next session is due, if one is.
    """

    site: str
    why: str
    pending: int
    retry_at: float | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a job. Requests and their outcomes are those of this run.

    Attributes:
        urls: How many URLs the job has, without duplicates.
        pages: How many of them are pages in the output; *failed*: how many failed.
        skipped: How many robots.txt excludes.
        pending: How many are left.
        resumed: How many were done when the run began, as pages or failures.
        wasted_per_page: Requests that brought no page, for each page of this run.
        sessions_working: At the end, over all sites.
        suspicions: Signs that may be mistaken, by site, in words. No session was given up for them.
        reasons: What came instead of pages, why, and how often.
        left_out: How many images, media and fonts a browser did not load.
        saved_bytes: Their estimated size, from the loaded ones of their kind and site.
    """

    urls: int
    duplicates: int
    pages: int
    failed: int
    skipped: int
    pending: int
    resumed: int
    requests: int
    wasted_per_page: float
    blocked: int
    throttled: int
    proxy_errors: int
    site_errors: int
    unclear: int
    sessions_working: int
    sessions_cooling_down: int
    sessions_blocked: int
    sessions_unclear: int
    sessions_held: int
    proxies_dead: int
    seconds: float
    interrupted: bool
    suspicions: list[str]
    stalled: list[Stalled]
    reasons: list[tuple[Outcome, str, int]]
    left_out: int = 0
    saved_bytes: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether every URL has its page or is excluded."""
        return not self.failed and not self.pending


def sum_up(statuses: Mapping[str, SiteStatus]) -> SiteStatus:
    """The standings of all sites together. A proxy that is dead at several sites counts once."""
    if not statuses:
        return NOTHING
    working, cooling_down, blocked, dead, unclear, held = zip(*statuses.values(), strict=True)
    return SiteStatus(sum(working), sum(cooling_down), sum(blocked), max(dead), sum(unclear), sum(held))


NOTHING = SiteStatus(0, 0, 0, 0)
