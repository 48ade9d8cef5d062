"""Plays a scenario: pages to fetch, requests in progress, and virtual time that jumps from one answer to the next."""

from __future__ import annotations

import heapq
import math
from random import Random

import msgspec

from proxysieve.core.model import Outcome
from proxysieve.sim.bans import START_AT
from proxysieve.sim.figures import Figures, RunCounts, RunFigures, together
from proxysieve.sim.rivals.rival import Later, Recruit, Rival
from proxysieve.sim.scenario import Scenario
from proxysieve.sim.world import SimAnswer, World

HOUR_SECONDS = 3600.0
LONGEST_HOURS = 6
# Crawls of more pages than this have twice the time.
LONG_PAGES = 10_000
MOST_WASTED_PER_PAGE = 20
# A rival that wants to be asked again at once must not stop the time.
LEAST_WAIT_SECONDS = 0.001

# The time of the answer, the number of the request, its site, its ticket, the answer, whether it may bring a page.
Flight = tuple[float, int, int, int, SimAnswer, bool]


def play(scenario: Scenario, name: str, recruit: Recruit, seed: int) -> Figures:
    """Play *scenario* once.

    Args:
        scenario: The world.
        name: The policy's name in the figures.
        recruit: Makes the rival that picks the exits.
        seed: Of the world, and of the policy's own chance.
    """
    world = World(scenario, seed)
    rival = recruit(world, Random(seed))
    runs: list[RunFigures] = []
    now, burned = START_AT, 0
    for number in range(scenario.runs.count):
        if number:
            rival.rest()
            now += scenario.runs.pause_seconds
        run = Run(world, rival, now)
        now = run.play()
        # An exit that two runs burned counts in the first.
        burned, before = world.burned_count(), burned
        runs.append(run.counts.figures(burned - before))
    whole = together(runs, burned) if len(runs) > 1 else runs[0]
    last = runs[-1] if len(runs) > 1 else msgspec.UNSET
    return Figures(scenario=scenario.name, policy=name, seed=seed, last=last, **msgspec.structs.asdict(whole))


class Run:
    """One crawl in a world, from its first request to its last answer."""

    def __init__(self, world: World, rival: Rival, started_at: float) -> None:
        scenario = world.scenario
        self.counts = RunCounts()
        self._world = world
        self._rival = rival
        self._started_at = started_at
        hours = LONGEST_HOURS * (2 if scenario.pages > LONG_PAGES else 1)
        self._ends_at = started_at + hours * HOUR_SECONDS
        self._most_wasted = MOST_WASTED_PER_PAGE * scenario.pages
        site_count = len(world.sites)
        # For each site, how many pages are neither fetched nor requested.
        self._wanted = [len(range(site, scenario.pages, site_count)) for site in range(site_count)]
        self._flights: list[Flight] = []

    def play(self) -> float:
        """Play to the end; returns the time of it."""
        now = self._started_at
        while True:
            asked_again_at = self._send(now)
            lands_at = self._flights[0][0] if self._flights else math.inf
            now_next = min(lands_at, asked_again_at)
            if now_next > self._ends_at or self.counts.wasted_count >= self._most_wasted + len(self._flights):
                break
            now = now_next
            if lands_at <= now:
                self._land()
        return self._finish(now)

    def _finish(self, now: float) -> float:
        # If a crawl is given up, the running requests are still answered.
        while self._flights:
            now = self._flights[0][0]
            self._land()
        self.counts.seconds = now - self._started_at
        return now

    def _send(self, now: float) -> float:
        """Send as many requests as allowed; returns when to try again even without an answer."""
        asked_again_at = math.inf
        waiting: set[int] = set()
        while len(self._flights) < self._world.scenario.concurrency:
            site = self._next_site(waiting)
            if site < 0:
                break
            wanted = min(self._wanted[site], self._world.scenario.concurrency - len(self._flights))
            self._rival.expect(site, wanted)
            move = self._rival.start(site, now)
            if isinstance(move, Later):
                waiting.add(site)
                if move.until is not None:
                    asked_again_at = min(asked_again_at, max(move.until, now + LEAST_WAIT_SECONDS))
            else:
                self._depart(site, move.exit, move.ticket, now, is_probe=move.is_probe)
        return asked_again_at

    def _next_site(self, waiting: set[int]) -> int:
        """The site with the most pages left, without those that must wait; -1 if there is none."""
        best, most = -1, 0
        for site, count in enumerate(self._wanted):
            if count > most and site not in waiting:
                best, most = site, count
        return best

    def _depart(self, site: int, exit_: int, ticket: int, now: float, *, is_probe: bool) -> None:
        answer = self._world.ask(site, exit_, now)
        self.counts.sent(exit_, now, self._world.exits.cost[exit_], was_banned=answer.was_banned)
        self._wanted[site] -= not is_probe
        heapq.heappush(self._flights, (answer.at, self.counts.request_count, site, ticket, answer, not is_probe))

    def _land(self) -> None:
        now, _, site, ticket, answer, asks_for_page = heapq.heappop(self._flights)
        is_page = asks_for_page and answer.outcome is Outcome.OK
        self._wanted[site] += asks_for_page and not is_page
        self.counts.answered(answer, is_page=is_page)
        self._rival.finish(site, ticket, answer, now)
