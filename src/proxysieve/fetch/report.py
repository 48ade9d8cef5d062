"""The figures of a job, while it runs and when it is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

from proxysieve.core.model import Outcome, Tried
from proxysieve.core.site.status import SiteStatus


class JobCounts:
    """Counts what a job sends, try by try."""

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
        """Everything that was sent."""
        return self.outcomes.total()

    @property
    def wasted(self) -> int:
        """What was sent and brought nothing."""
        return self.requests - self.outcomes[Outcome.OK]


class Stalled(msgspec.Struct, frozen=True, kw_only=True):
    """A site at which nothing works.

    Attributes:
        why: What was tried, in words.
        pending: How many of its URLs are still to be fetched.
        retry_at: Unix seconds at which the next session is due, if one is.
    """

    site: str
    why: str
    pending: int
    retry_at: float | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a job came to. Requests and what they met are those of this run.

    Attributes:
        urls: How many the job has, each counted once.
        pages: How many of them stand in the output, and *failed* among the failed.
        skipped: What robots.txt asks to leave alone.
        pending: What is still to be fetched.
        resumed: How many pages and failures were there already when the run began.
        wasted_per_page: Requests that brought nothing, for each page that this run got.
        sessions_working: At the end, over all sites.
        suspicions: Signs that may be mistaken, by site, in words; nobody was given up for them.
        reasons: What else than pages was met, why, and how often.
        left_out: How many images, media and fonts a browser did not load.
        saved_bytes: What those would have weighed, going by others of their kind and site that were loaded.
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
        """Whether every URL has its page, or is to be left alone."""
        return not self.failed and not self.pending


def sum_up(statuses: Mapping[str, SiteStatus]) -> SiteStatus:
    """The standings of all sites together; a proxy that is dead at several sites is counted at one."""
    if not statuses:
        return NOTHING
    working, cooling_down, blocked, dead, unclear, held = zip(*statuses.values(), strict=True)
    return SiteStatus(sum(working), sum(cooling_down), sum(blocked), max(dead), sum(unclear), sum(held))


NOTHING = SiteStatus(0, 0, 0, 0)
