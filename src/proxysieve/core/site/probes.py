"""When single requests probe a site at which nothing works, and when nobody is sent to it at all."""

from __future__ import annotations

from collections import Counter

from proxysieve.core.learning.held_sessions import HeldSessions
from proxysieve.core.site.choices import Wait
from proxysieve.core.site.drought import DROUGHT_SECONDS
from proxysieve.core.site.state import SiteState

# In a drought single probes go out, a second after the first failure and then ever more seldom, up to an hour.
FIRST_PROBE_SECONDS = 1.0
LAST_PROBE_SECONDS = 3600.0
ALARM = "independent exits began to fail together"


def wait_for_probe(state: SiteState, now: float) -> Wait | None:
    """In an alarm or a drought: what to wait for; None while nobody has to, or if a probe is due."""
    if state.learner and state.learner.held_sessions.alarm_at:
        return _in_alarm(state.learner.held_sessions, now)
    if not state.is_dry or now - state.site.last_bad_at >= DROUGHT_SECONDS:
        return None
    if state.flights:
        return Wait(None, "nothing works; waiting for the answer to a probe")
    pause = FIRST_PROBE_SECONDS * 2.0 ** min(state.drought.probe_count, 30)
    probe_at = state.site.last_bad_at + min(pause, LAST_PROBE_SECONDS)
    return Wait(probe_at, _why_dry(state), is_hopeless=True) if now < probe_at else None


def _in_alarm(held_sessions: HeldSessions, now: float) -> Wait | None:
    alarm = f"{ALARM}, most by the sign {held_sessions.alarm_sign}" if held_sessions.alarm_sign else ALARM
    if held_sessions.is_probing:
        return Wait(None, f"{alarm}; waiting for the answer to a probe")
    return Wait(held_sessions.probe_at, alarm, is_hopeless=True) if now < held_sessions.probe_at else None


def _why_dry(state: SiteState) -> str:
    failing = [record.why for record in state.failures()]
    if not failing:
        return f"the last {state.drought.bad_count} answers were the site's own errors"
    why, _ = Counter(failing).most_common(1)[0]
    count = state.drought.failing_count
    if count == 1:
        return f"the only exit tried since the last good answer does not work: {why}"
    return f"none of the {count} exits tried since the last good answer works, most often: {why}"
