"""Any proxy, whatever happened to it: plain random rotation, the measure of all others."""

from __future__ import annotations

from random import Random

from proxysieve.core.site.policy_protocol import DRAW_COUNT, Choice, use
from proxysieve.core.site.state import SiteState


class UniformRandom:
    """Every proxy that may be used is equally likely, for every request."""

    def choose(self, state: SiteState, now: float, rng: Random) -> Choice:
        for _ in range(DRAW_COUNT if state.catalog else 0):
            if choice := use(state.catalog.draw(rng), state, now, "by chance"):
                return choice
        choices = [use(proxy, state, now, "by chance") for proxy in state.catalog]
        possible = [choice for choice in choices if choice]
        return rng.choice(possible) if possible else None
