"""How many sessions and exits of a site stand where."""

from __future__ import annotations

from typing import NamedTuple

from proxysieve.core.learning.held_sessions import HeldSessions
from proxysieve.core.model import Outcome
from proxysieve.core.site.state import SiteState


class SiteStatus(NamedTuple):
    """How many stand where at the site: sessions that work, exits that rest, that are blocked, dead, or unclear.

    Attributes:
        held: Sessions that worked and were refused, and it is not known yet whether they are to blame.
    """

    working: int
    cooling_down: int
    blocked: int
    dead: int
    unclear: int = 0
    held: int = 0

    def __str__(self) -> str:
        held = f", {self.held} held" if self.held else ""
        unclear = f", {self.unclear} unclear" if self.unclear else ""
        return (
            f"{self.working} working, {self.cooling_down} cooling down, {self.blocked} blocked, {self.dead} dead"
            f"{held}{unclear}"
        )


def status_of(state: SiteState, now: float) -> SiteStatus:
    """How many stand where at *now*; looks at every exit that was ever used."""
    cooling_down = blocked = dead = unclear = 0
    held_sessions = state.learner.held_sessions if state.learner else HeldSessions()
    held = {
        incident.session.exit_id for kept in (held_sessions.held, held_sessions.rechecks) for incident in kept.values()
    }
    for exit_id, record in state.exits.items():
        proxy = state.catalog.get(exit_id.partition("/")[0])
        if proxy is None or exit_id in held:
            continue
        if proxy.is_gateway:
            blocked += record.blocked_count + record.throttled_count
            dead += record.proxy_error_count
        elif now < record.cooldown_until:
            cooling_down += 1
        elif record.last is Outcome.PROXY_ERROR:
            dead += 1
        elif record.last in {Outcome.BLOCKED, Outcome.THROTTLED}:
            blocked += 1
        elif not record.is_judged:
            unclear += record.unclear_count > 0
    return SiteStatus(state.working.session_count, cooling_down, blocked, dead, unclear, len(held))
