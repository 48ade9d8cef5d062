"""The figures of a play."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from statistics import fmean

import msgspec

from proxysieve.core.model import Outcome
from proxysieve.sim.world import SimAnswer

MINUTE_SECONDS = 60.0


class RunFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one run.

    Attributes:
        pages: How many came.
        wasted_per_page: Requests that brought no page, divided by pages (by one if none came).
        cost_per_page: The cost of all requests, divided in the same way.
        blocked: Refusals: blocks and 429s.
        burned: Exits banned by a limit or a quota.
        on_banned_share: The share of requests that went to exits which were banned already.
        peak_per_minute: The busiest exit's requests in its busiest minute.
    """

    pages: int
    seconds: float
    requests: int
    wasted_per_page: float
    cost_per_page: float
    blocked: int
    burned: int
    on_banned_share: float
    peak_per_minute: int


class Figures(RunFigures, frozen=True, kw_only=True):
    """The figures of a play, for all its runs together.

    Attributes:
        scenario: Its name.
        policy: Its name.
        last: The figures of the last run, if there were several.
    """

    scenario: str
    policy: str
    seed: int
    last: RunFigures | msgspec.UnsetType = msgspec.UNSET

    def as_json(self) -> dict[str, object]:
        """As JSON, with the names of the play before its figures."""
        first = {"scenario": self.scenario, "policy": self.policy, "seed": self.seed}
        return first | dict(msgspec.to_builtins(self))


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """The means of one policy's figures over the seeds."""

    pages: float
    seconds: float
    wasted_per_page: float
    cost_per_page: float
    blocked: float
    burned: float
    on_banned_share: float
    peak_per_minute: float


def means(figures: Iterable[RunFigures]) -> Means:
    """Average each figure by itself."""
    plays = list(figures)
    fields = Means.__struct_fields__
    return Means(**{name: fmean(getattr(play, name) for play in plays) for name in fields})


class RunCounts:
    """Counts during a run."""

    def __init__(self) -> None:
        self.page_count = 0
        self.request_count = 0
        self.seconds = 0.0
        self._cost = 0.0
        self._blocked_count = 0
        self._on_banned_count = 0
        self._peak = 0
        self._last_minute: dict[int, deque[float]] = {}

    @property
    def wasted_count(self) -> int:
        """Requests that brought no page, or have not brought it yet."""
        return self.request_count - self.page_count

    def sent(self, exit_: int, now: float, cost: float, *, was_banned: bool) -> None:
        """A request went out."""
        self.request_count += 1
        self._cost += cost
        self._on_banned_count += was_banned
        minute = self._last_minute.get(exit_)
        if minute is None:
            minute = self._last_minute[exit_] = deque()
        minute.append(now)
        while minute[0] + MINUTE_SECONDS <= now:
            minute.popleft()
        self._peak = max(self._peak, len(minute))

    def answered(self, answer: SimAnswer, *, is_page: bool) -> None:
        """An answer came."""
        self.page_count += is_page
        self._blocked_count += answer.outcome is Outcome.BLOCKED or answer.outcome is Outcome.THROTTLED

    def figures(self, burned: int) -> RunFigures:
        """The figures of the run."""
        pages = max(1, self.page_count)
        return RunFigures(
            pages=self.page_count,
            seconds=round(self.seconds, 3),
            requests=self.request_count,
            wasted_per_page=round(self.wasted_count / pages, 6),
            cost_per_page=round(self._cost / pages, 6),
            blocked=self._blocked_count,
            burned=burned,
            on_banned_share=round(self._on_banned_count / max(1, self.request_count), 6),
            peak_per_minute=self._peak,
        )


def together(runs: list[RunFigures], burned: int) -> RunFigures:
    """The figures of several runs as one."""
    pages, requests = sum(run.pages for run in runs), sum(run.requests for run in runs)
    return RunFigures(
        pages=pages,
        seconds=round(math.fsum(run.seconds for run in runs), 3),
        requests=requests,
        wasted_per_page=round((requests - pages) / max(1, pages), 6),
        cost_per_page=round(math.fsum(run.cost_per_page * max(1, run.pages) for run in runs) / max(1, pages), 6),
        blocked=sum(run.blocked for run in runs),
        burned=burned,
        on_banned_share=round(math.fsum(run.on_banned_share * run.requests for run in runs) / max(1, requests), 6),
        peak_per_minute=max(run.peak_per_minute for run in runs),
    )
