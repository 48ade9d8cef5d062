"""Any proxy, whatever happened to it: plain random rotation, the measure of all others."""

from __future__ import annotations

from random import Random

from proxysieve.core.site.policy import DRAW_COUNT, Choice, use
from proxysieve.core.site.state import Facts


class UniformRandom:
    """Every proxy that may be used is equally likely, for every request."""

    def choose(self, facts: Facts, now: float, rng: Random) -> Choice:
        for _ in range(DRAW_COUNT if facts.catalog else 0):
            if choice := use(facts.catalog.draw(rng), facts, now, "by chance"):
                return choice
        choices = [use(proxy, facts, now, "by chance") for proxy in facts.catalog]
        possible = [choice for choice in choices if choice]
        return rng.choice(possible) if possible else None
