"""The classic algorithm (Apify, 2019): use a session that worked with the chance n/max, else try a new one."""

from __future__ import annotations

from random import Random

from proxysieve.core.site.policy import Choice, Open, Reuse, draw_proxy, draw_working
from proxysieve.core.site.state import Facts


class Classic:
    """Of n sessions that work, one is picked with the chance n/*max_sessions*; else a new one is tried.

    So the fewer work, the more is tried, and trying ends when *max_sessions* work. A lower number uses the
    working ones sooner and more, a higher one keeps looking.

    The original may store several sessions that leave by one exit. Here a plain proxy carries one, which counts as
    often as it was drawn as a new one, so that the chances are the original's. And where chance leads nowhere, since
    there is no proxy to draw or no session to use, the other way is taken.
    """

    def __init__(self, max_sessions: int = 100) -> None:
        self.max_sessions = max_sessions

    def choose(self, facts: Facts, now: float, rng: Random) -> Choice:
        chance = len(facts.working) / self.max_sessions
        if chance > rng.random():
            return self._reuse(facts, now, rng) or self._open(facts, now, rng)
        return self._open(facts, now, rng) or self._reuse(facts, now, rng)

    def _reuse(self, facts: Facts, now: float, rng: Random) -> Choice:
        session = draw_working(facts, now, rng)
        return Reuse(session, self._why(facts)) if session else None

    def _open(self, facts: Facts, now: float, rng: Random) -> Choice:
        proxy = draw_proxy(facts, now, rng)
        return Open(proxy, self._why(facts)) if proxy else None

    def _why(self, facts: Facts) -> str:
        count = len(facts.working)
        return f"{count} working, chance to use one of them {min(1.0, count / self.max_sessions):.0%}"
