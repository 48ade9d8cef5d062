"""The classic algorithm (Apify, 2019): use a session that worked with the chance n/max, else try a new one.

It counts draws and not sessions. The original stores a session for every try that worked, several of them on one exit
where few work. With sessions alone *n* would stay small, and blocked exits would be tried again and again: 3.0 wasted
requests a page instead of 0.6 where 95 % are banned, in simulation.
"""

from __future__ import annotations

from random import Random

from proxysieve.core.site.policy_protocol import Choice, Open, Reuse, draw_proxy, draw_working
from proxysieve.core.site.state import SiteState


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

    def choose(self, state: SiteState, now: float, rng: Random) -> Choice:
        chance = len(state.working) / self.max_sessions
        if chance > rng.random():
            return self._reuse(state, now, rng) or self._open(state, now, rng)
        return self._open(state, now, rng) or self._reuse(state, now, rng)

    def _reuse(self, state: SiteState, now: float, rng: Random) -> Choice:
        session = draw_working(state, now, rng)
        return Reuse(session, self._why(state)) if session else None

    def _open(self, state: SiteState, now: float, rng: Random) -> Choice:
        proxy = draw_proxy(state, now, rng)
        return Open(proxy, self._why(state)) if proxy else None

    def _why(self, state: SiteState) -> str:
        count = len(state.working)
        return f"{count} working, chance to use one of them {min(1.0, count / self.max_sessions):.0%}"
