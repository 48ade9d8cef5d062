"""The world of a scenario and a seed: its exits and sites, and the answers to requests.

The world does not depend on what a policy does: each of its properties has a random generator of its own, seeded by its
purpose. These are the exits with their networks, the bans, each exit's quota, the bans by other users, and the exit
behind a session's name. Chance in a request depends on its number: the n-th request is flaky or slow for every policy
alike, whichever exit it uses.

The site decides when a request is sent. A dead exit comes first, because the site never sees its requests. Then the
site counts the request and decides. An outage or a flaky answer hides the decision from the client.
"""

from __future__ import annotations

from math import exp
from typing import NamedTuple

from proxysieve.core.model import Outcome
from proxysieve.sim.bans import START_AT, sites_of
from proxysieve.sim.exits import ExitTable, stream
from proxysieve.sim.scenario import Scenario

LATENCY_SIGMA = 0.4
# A block page is short, and needs no database.
BLOCK_SHARE = 0.4
DEAD_SECONDS = 10.0
FLAKY_OUTCOMES = (Outcome.SITE_ERROR, Outcome.UNCLEAR)


class SimAnswer(NamedTuple):
    """What a client sees of a request. It is a tuple, because there is one for every request.

    Attributes:
        at: When.
        until: Until when the site asked to wait; 0 if it did not.
        was_banned: The truth: whether the exit was banned already when the request was sent.
    """

    outcome: Outcome
    at: float
    until: float
    was_banned: bool


class World:
    """Everything that is true, and hidden from policies.

    Attributes:
        sites: Those behind one vendor; most worlds have one.
    """

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario = scenario
        self.seed = seed
        self.exits = ExitTable(scenario, seed)
        self.sites = sites_of(scenario, self.exits, seed)
        outage = scenario.outage
        self._outage_at = START_AT + outage.start_seconds if outage else 0.0
        self._outage_ends_at = self._outage_at + outage.seconds if outage else 0.0
        self._outage_outcome = Outcome(outage.seen_as) if outage else Outcome.OK
        self._noise = stream(seed, "noise")

    def ask(self, site: int, exit_: int, now: float) -> SimAnswer:
        """Send a request for a page of *site* through *exit_*. Times must not go back."""
        flaky, seconds = self._draw()
        if self.exits.is_dead[exit_]:
            return SimAnswer(Outcome.PROXY_ERROR, now + DEAD_SECONDS, 0.0, was_banned=False)
        place = self.sites[site]
        was_banned = place.banned_until(exit_, now) > 0
        ruling = place.visit(exit_, now, is_banned=was_banned)
        outcome = self._seen(flaky, now)
        if outcome is not None:
            return SimAnswer(outcome, now + seconds * _share(outcome), 0.0, was_banned)
        if ruling.is_served:
            return SimAnswer(Outcome.OK, now + seconds, 0.0, was_banned)
        refusal = Outcome.THROTTLED if ruling.until else Outcome.BLOCKED
        return SimAnswer(refusal, now + seconds * BLOCK_SHARE, ruling.until, was_banned)

    def outage_ends_at(self, now: float) -> float:
        """When the outage at *now* ends; 0 if there is none."""
        return self._outage_ends_at if self._outage_at <= now < self._outage_ends_at else 0.0

    def burned_count(self) -> int:
        """How many exits a limit or a quota has banned, at any site."""
        return len(set[int]().union(*(site.burned for site in self.sites)))

    def _draw(self) -> tuple[float, float]:
        """For one request: a number that decides whether it is flaky, and the seconds that a good answer takes."""
        rng, noise = self._noise, self.scenario.noise
        return rng.random(), noise.latency_seconds * exp(rng.gauss(0.0, LATENCY_SIGMA))

    def _seen(self, flaky: float, now: float) -> Outcome | None:
        """What the client sees instead of the site's decision; None if it sees the decision."""
        if self.outage_ends_at(now):
            return self._outage_outcome
        share = self.scenario.noise.flaky_share
        return FLAKY_OUTCOMES[flaky < share / 2] if flaky < share else None


def _share(outcome: Outcome) -> float:
    return BLOCK_SHARE if outcome is Outcome.BLOCKED else 1.0
