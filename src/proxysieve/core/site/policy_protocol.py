"""What a policy answers, and what it must be able to do to be asked."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple, Protocol

from proxysieve.core.model import Proxy, Reach
from proxysieve.core.records import SessionRecord
from proxysieve.core.site.state import SiteState


class Reuse(NamedTuple):
    """Take a session that is open; *why* goes to the log.

    Attributes:
        reach: How far this goes beyond what is known to be borne.
    """

    session: SessionRecord
    why: str
    reach: Reach = Reach.PROVEN


class Open(NamedTuple):
    """Open a session on *proxy*: with a fresh name where it is a provider's.

    A plain proxy carries one session at a time. If it carries one that works, that is used, and counts once more.
    """

    proxy: Proxy
    why: str


class NotBefore(NamedTuple):
    """Nothing before *until*, in Unix seconds, unless something happens."""

    until: float
    why: str


Choice = Reuse | Open | NotBefore | None


class Policy(Protocol):
    """A ranking over the state of a site.

    One that has an attribute ``learns``, and it is true, finds what was learned of the site in ``state.learner``; its
    sessions do not end at the first block, but once others are answered well, and cool down when they are throttled.
    """

    def choose(self, state: SiteState, now: float, rng: Random) -> Choice:
        """The session for the next request, or None while there is none to be had.

        Args:
            state: What is known; not to be changed.
            now: The moment, in Unix seconds.
            rng: Where all chance comes from.
        """
        ...


# Drawing again costs a microsecond, looking at all of them a hundred times that; where three in four are not to
# be had, one draw in 10,000 needs the look.
DRAW_COUNT = 32


def draw_proxy(state: SiteState, now: float, rng: Random) -> Proxy | None:
    """Any proxy for a new session, all equally likely, if there is one.

    While nothing works, those that failed since the last good answer come last: to draw the same ones again and again
    would cost several times what it takes to know that nothing works.
    """
    if not state.working:
        untried = _draw(state, rng, lambda proxy: state.may_be_drawn(proxy, now) and not state.has_failed(proxy, now))
        if untried:
            return untried
    return _draw(state, rng, lambda proxy: state.may_be_drawn(proxy, now))


def _draw(state: SiteState, rng: Random, is_wanted: Callable[[Proxy], bool]) -> Proxy | None:
    for _ in range(DRAW_COUNT if state.catalog else 0):
        proxy = state.catalog.draw(rng)
        if is_wanted(proxy):
            return proxy
    wanted = [proxy for proxy in state.catalog if is_wanted(proxy)]
    return rng.choice(wanted) if wanted else None


def draw_awake(state: SiteState, now: float, rng: Random) -> Proxy | None:
    """Any proxy that does not cool down and may carry one more request; those that failed lately last."""
    awake = [
        proxy for proxy in state.catalog if now >= state.cooldown_until(proxy.key) and not state.is_full(proxy.key)
    ]
    sound = [proxy for proxy in awake if not state.has_failed(proxy, now)]
    return rng.choice(sound or awake) if awake else None


def draw_working(state: SiteState, now: float, rng: Random) -> SessionRecord | None:
    """Any session that works and may carry one more request, all equally likely, if there is one."""
    for _ in range(DRAW_COUNT if state.working else 0):
        session = state.working.draw(rng)
        if state.is_ready(session, now):
            return session
    ready = [session for session in state.working if state.is_ready(session, now)]
    return rng.choice(ready) if ready else None


def use(proxy: Proxy, state: SiteState, now: float, why: str) -> Choice:
    """A request through *proxy* itself: by the session it carries, else a new one; None if it is not to be had."""
    if now < state.cooldown_until(proxy.key) or state.is_full(proxy.key) or proxy.key in state.avoided:
        return None
    session = None if proxy.is_gateway else state.session_on(proxy, now)
    if session is None:
        return Open(proxy, why)
    return Reuse(session, why) if state.is_ready(session, now) else None
