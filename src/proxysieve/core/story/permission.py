"""What keeps a session or an exit from being used now, until when, and how much of each limit is used up."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from proxysieve.core.learning.learner import Learner
from proxysieve.core.learning.use_times import Uses
from proxysieve.core.model import Outcome, Proxy
from proxysieve.core.records import SessionRecord
from proxysieve.core.site.choices import Lost, Pick, Wait
from proxysieve.core.site.engine import Engine
from proxysieve.core.site.state import MAX_IN_FLIGHT
from proxysieve.core.story.values import HELD_BACK, LimitUse, Permission


def learner_of(engine: Engine) -> Learner:
    """What *engine*, whose policy learns, has learned."""
    assert engine.state.learner is not None, "the policy learns"  # noqa: S101
    return engine.state.learner


def limit_uses(learner: Learner, exit_id: str, proxy: Proxy | None, now: float) -> Iterator[tuple[LimitUse, float]]:
    """How much of each limit is used up, and when there is room for one more."""
    network = proxy.network if proxy else ""
    for scope, pace, subject, uses in (
        ("exit", learner.usage.exit_limits, exit_id, learner.usage.exits.get(exit_id)),
        (
            "network",
            learner.usage.network_limits,
            network,
            learner.usage.networks.get(network) if network else None,
        ),
    ):
        for limit in pace.limits if subject else ():
            known = uses or Uses()
            use = LimitUse(
                scope=scope,
                used_count=known.within(limit.below, now),
                request_count=limit.n,
                window_seconds=limit.below,
                is_own=scope == "network" and limit.subject == subject,
            )
            yield use, known.nth_last(limit.n) + limit.below if known.count >= limit.n and not use.is_own else 0.0


def _holds(engine: Engine, exit_id: str, proxy: Proxy, now: float) -> Iterator[tuple[float, str]]:
    """All that keeps an exit from being used now: until when, and why."""
    learner, record = learner_of(engine), engine.state.exits.get(exit_id)
    proxys = engine.state.why_proxy_cools_down(proxy.key, now)
    if proxys:
        yield engine.state.cooldown_until(exit_id), f"its proxy cools down: {proxys}"
    elif record is not None:
        said = "it was throttled" if record.last is Outcome.THROTTLED else "the site asked to leave it alone"
        yield record.cooldown_until, said
    for use, due in limit_uses(learner, exit_id, proxy, now):
        whose = "it" if use.scope == "exit" else "its network"
        yield due, f"{whose} has used up a limit: {use.used_count} of {use.request_count}"


def _holds_back(engine: Engine, exit_id: str, proxy: Proxy) -> Iterator[tuple[float, str]]:
    """The same of what holds only those who do not go ahead of the others."""
    usage = learner_of(engine).usage
    uses, of_network = usage.exits.get(exit_id), usage.networks.get(proxy.network) if proxy.network else None
    if uses is not None:
        yield usage.exit_limits.frontier_at(uses), f"it {HELD_BACK}"
    if of_network is not None:
        yield usage.network_limits.frontier_at(of_network), f"its network {HELD_BACK}"


def session_permission(engine: Engine, session: SessionRecord, now: float, rng: Random) -> Permission:
    """Whether *session* may be used."""
    state, proxy = engine.state, engine.state.catalog.get(session.proxy_key)
    if proxy is None:
        return Permission(is_granted=False, why="its proxy is not in the list")
    if session.is_named:
        choice = engine.choose_named(session.name, now, rng)
        if isinstance(choice, Pick):
            return Permission(is_granted=True)
        why = f"its exit is lost: {choice.why}" if isinstance(choice, Lost) else choice.why
        return Permission(is_granted=False, why=why, until=choice.until if isinstance(choice, Wait) else None)
    if not state.is_open(session, now):
        return Permission(is_granted=False, why="it is too old, and ends with the next request")
    if learner_of(engine).held_sessions.is_held(session.name):
        return Permission(is_granted=False, why="it was refused, and it is not known yet whether it is to blame")
    if state.in_flight.get(session.name, 0) >= MAX_IN_FLIGHT:
        return Permission(is_granted=False, why="it carries all that it may")
    return _held_until(engine, session.exit_id, proxy, now)


def exit_permission(engine: Engine, exit_id: str, proxy: Proxy | None, now: float) -> Permission:
    """Whether an exit of *proxy* may be used by a session; None if it is not in the list."""
    if proxy is None:
        return Permission(is_granted=False, why="its proxy is not in the list")
    return _held_until(engine, exit_id, proxy, now)


def _held_until(engine: Engine, exit_id: str, proxy: Proxy, now: float) -> Permission:
    for holds in (_holds(engine, exit_id, proxy, now), _holds_back(engine, exit_id, proxy)):
        until, why = max(holds, default=(0.0, ""))
        if until > now:
            return Permission(is_granted=False, why=why, until=until)
    return Permission(is_granted=True)
