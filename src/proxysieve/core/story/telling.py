"""Tells what is known of a site, of its sessions and exits, and why. Nothing is decided here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from random import Random
from typing import assert_never

from proxysieve.core.learning.learned_limit import Limit
from proxysieve.core.learning.learner import Learner
from proxysieve.core.learning.usage_limits import FLOOR, WINDOWS, UsageLimits
from proxysieve.core.model import Outcome, Proxy
from proxysieve.core.records import ExitRecord, SessionRecord
from proxysieve.core.site.choices import Pick, Wait
from proxysieve.core.site.engine import Engine
from proxysieve.core.site.state import MAX_IN_FLIGHT
from proxysieve.core.story.permission import exit_permission, learner_of, limit_uses, session_permission
from proxysieve.core.story.values import (
    ExitStory,
    HeldStory,
    LimitsStory,
    LimitStory,
    NetworkStory,
    NextStory,
    ProvenStory,
    RecoveryStory,
    SessionStory,
    SignStory,
    SiteStory,
    SiteSummary,
    TierStory,
)

# When a blocked exit might be tried again: a minute, ten, an hour, a day.
RECOVERY_SECONDS = (60.0, 600.0, 3600.0, 86400.0)
# The histories that a story tells of even if there is nothing to tell.
USUAL_HISTORIES = frozenset({"worked", "never worked", "dead"})
# A story names this many of the best networks, and of the worst.
NETWORK_COUNT = 3
# What says that a session's last answer was a refusal, or none. Who is throttled rests, and that is no doubt.
DOUBTED = frozenset({Outcome.BLOCKED, Outcome.PROXY_ERROR})


def summarize(engine: Engine, now: float) -> SiteSummary:
    """The site of *engine* in a line."""
    status = engine.status(now)
    return SiteSummary(
        site=engine.site,
        last_used_at=_last_used_at(engine, learner_of(engine)),
        request_count=engine.state.site.lease_count,
        session_count=len(engine.state.sessions),
        working_count=status.working,
        cooling_down_count=status.cooling_down,
        blocked_count=status.blocked,
        dead_count=status.dead,
    )


def tell_site(engine: Engine, now: float, rng: Random) -> SiteStory:
    """The story of the site of *engine*, whose policy learns.

    It asks for the next pick, and policies remember that they were asked: so *engine* should be one that was loaded
    for this, and not one that is at work.
    """
    state, learner, catalog = engine.state, learner_of(engine), engine.state.catalog
    status, networks = engine.status(now), _networks(engine, learner)
    listed = [one for one in state.exits if one.partition("/")[0] in catalog]
    unclear = [one for one in listed if one in catalog and not state.exits[one].is_judged]
    return SiteStory(
        site=engine.site,
        at=now,
        last_used_at=_last_used_at(engine, learner),
        request_count=state.site.lease_count,
        answer_seconds=learner.candidates.latency,
        proxy_count=len(catalog),
        gateway_count=catalog.gateway_count,
        working_count=status.working,
        cooling_down_count=status.cooling_down,
        blocked_count=status.blocked,
        dead_count=status.dead,
        unclear_count=len(unclear),
        untried_count=sum(not proxy.is_gateway and proxy.key not in state.exits for proxy in catalog),
        unlisted_count=len(state.exits) - len(listed),
        tiers=[
            TierStory(cost=tier.cost, chance=tier.chance, worked_count=tier.ok, failed_count=tier.bad)
            for tier in learner.candidates.tiers()
        ],
        network_count=len(networks),
        best_networks=networks[:NETWORK_COUNT],
        worst_networks=networks[NETWORK_COUNT:][: -NETWORK_COUNT - 1 : -1],
        in_flight_count=min(learner.usage.depth.proven, MAX_IN_FLIGHT),
        exits=_pace(engine, learner.usage.exit_limits, "exit"),
        networks=_pace(engine, learner.usage.network_limits, "network"),
        recoveries=[
            RecoveryStory(
                history=name,
                after_seconds=RECOVERY_SECONDS,
                chances=[recovery.chance(seconds) for seconds in RECOVERY_SECONDS],
                recheck_count=sum(recovery.recovered) + sum(recovery.still),
                recovered_count=sum(recovery.recovered),
            )
            for name, recovery in learner.candidates.recoveries.items()
            if name in USUAL_HISTORIES
            or learner.candidates.has_blocked(name)
            or sum(recovery.recovered + recovery.still) > 0
        ],
        held_sessions=list(_held_sessions(engine, learner)),
        signs=[
            SignStory(sign=sign, blocked_count=counts.blocked_count, page_count=counts.page_count)
            for sign, counts in sorted(learner.control_group.sign_counts.items(), key=lambda item: -sum(item[1]))
        ],
        alarm_at=learner.held_sessions.alarm_at or None,
        # The last, as policies note in their limits what they are about to try.
        next=_next(engine, now, rng),
    )


def tell_session(engine: Engine, name: str, now: float, rng: Random) -> SessionStory | None:
    """The story of the session called *name*; None if there is none."""
    session = engine.state.sessions.get(name)
    return _session(engine, session, engine.state.sessions.values(), now, rng) if session else None


def tell_sessions(engine: Engine, now: float, rng: Random, most: int = 0) -> list[SessionStory]:
    """The stories of the open sessions, the best first; of *most* of them, if that is not 0."""
    state, neighbours = engine.state, defaultdict(list)
    for session in state.sessions.values():
        neighbours[session.proxy_key].append(session)

    def rank(session: SessionRecord) -> tuple[bool, bool, bool, int, float, str]:
        record = state.exits.get(session.exit_id) or ExitRecord()
        is_refused, rests = not session.has_worked or record.last in DOUBTED, now < record.cooldown_until
        return not state.is_open(session, now), is_refused, rests, -session.ok_count, -record.last_ok_at, session.name

    best = sorted(state.sessions.values(), key=rank)
    return [_session(engine, one, neighbours[one.proxy_key], now, rng) for one in best[: most or None]]


def _session(
    engine: Engine, session: SessionRecord, neighbours: Iterable[SessionRecord], now: float, rng: Random
) -> SessionStory:
    return SessionStory(
        name=session.name,
        is_named=session.is_named,
        opened_at=session.opened_at,
        worked_at=session.worked_at or None,
        browser=session.fingerprint.browser,
        user_agent=session.fingerprint.user_agent,
        ok_count=session.ok_count,
        lost=session.lost,
        exit=_exit(engine, session.exit_id, neighbours, now),
        permission=session_permission(engine, session, now, rng),
    )


def tell_exits(engine: Engine, address: str, now: float) -> list[ExitStory]:
    """The stories of the proxies at *address*: a host, ``host:port`` or ``scheme://host:port``; or of that name."""
    state = engine.state
    there = [proxy for proxy in state.catalog if _is_at(proxy, address)]
    return [_exit(engine, proxy.key, state.sessions.values(), now) for proxy in there]


def _is_at(proxy: Proxy, address: str) -> bool:
    scheme, _, wanted = address.rpartition("://")
    is_there = scheme in {"", proxy.scheme} and wanted.rstrip("/") in {proxy.address, proxy.host}
    return is_there or (bool(proxy.name) and address == proxy.name)


def _last_used_at(engine: Engine, learner: Learner) -> float | None:
    site = engine.state.site
    used_at = [uses.nth_last(1) for uses in learner.usage.exits.values() if uses.count]
    return max([site.last_ok_at, site.last_bad_at, *used_at]) or None


def _networks(engine: Engine, learner: Learner) -> list[NetworkStory]:
    """Those of which something was tried, the best first."""
    counts: dict[str, list[int]] = {}
    for exit_id, record in engine.state.exits.items():
        proxy = engine.state.catalog.get(exit_id)
        if proxy is not None and proxy.network and record.is_judged:
            count = counts.setdefault(proxy.network, [0, 0])
            count[record.ok_count == 0] += 1
    tiers = learner.candidates.tiers()

    def rank(network: str) -> tuple[float, str]:
        ok, bad = counts[network]
        # The most is said by the tier in which the most was tried; few lists have more than one.
        tier = max(tiers, key=lambda one: one.ok + one.bad)
        return -tier.chance_of((ok, bad)), network

    return [
        NetworkStory(network=one, worked_count=counts[one][0], tried_count=sum(counts[one]))
        for one in sorted(counts, key=rank)
    ]


def _pace(engine: Engine, pace: UsageLimits, scope: str) -> LimitsStory:
    proven, most = [], FLOOR
    for window, frontier in zip(WINDOWS, pace.frontiers, strict=True):
        # As many within a longer window is less.
        if frontier.proven > most:
            most = frontier.proven
            proven.append(ProvenStory(request_count=most, window_seconds=window))
    limits = sorted(pace.limits, key=lambda limit: limit.below)
    return LimitsStory(
        scope=scope,
        limits=[_limit(engine, limit, scope) for limit in limits],
        proven=proven,
        late_seconds=pace.lag,
    )


def _limit(engine: Engine, limit: Limit, scope: str) -> LimitStory:
    learned_from = limit.subject
    if scope == "exit":
        proxy = engine.state.catalog.get(limit.subject.partition("/")[0])
        learned_from = str(proxy) if proxy else ""
    return LimitStory(
        scope=scope,
        request_count=limit.n,
        above_seconds=limit.above,
        below_seconds=None if limit.is_open else limit.below,
        chance=limit.sure,
        learned_at=limit.since,
        learned_from=learned_from,
        blocked_within_count=limit.inside_count,
        neighbour_count=limit.neighbour_count,
    )


def _held_sessions(engine: Engine, learner: Learner) -> Iterator[HeldStory]:
    """Who is held, and in an engine that was just loaded, who was when it was saved."""
    for session in engine.state.sessions.values():
        record, proxy = engine.state.exits.get(session.exit_id), engine.state.catalog.get(session.proxy_key)
        if record is None or proxy is None or session.lost or not session.has_worked:
            continue
        if learner.held_sessions.is_held(session.name) or record.last in DOUBTED:
            yield HeldStory(session=session.name, proxy=str(proxy), at=record.last_bad_at, why=record.why)


def _next(engine: Engine, now: float, rng: Random) -> NextStory:
    choice = engine.choose(now, rng)
    match choice:
        case Wait(until, why):
            return NextStory(why=why, until=until)
        case Pick(opened, leased, why):
            key = opened.proxy_key if opened else engine.state.sessions[leased.session_name].proxy_key
            return NextStory(
                why=why,
                proxy=str(engine.state.catalog.get(key)),
                session="" if opened else leased.session_name,
                reach=leased.reach.name.lower(),
            )
        case _:
            assert_never(choice)


def _exit(engine: Engine, exit_id: str, known: Iterable[SessionRecord], now: float) -> ExitStory:
    """The story of an exit, whose sessions are among the *known* ones."""
    state, learner = engine.state, learner_of(engine)
    key, _, session_name = exit_id.partition("/")
    proxy, record = state.catalog.get(key), state.exits.get(exit_id) or ExitRecord()
    uses = learner.usage.exits.get(exit_id)
    sessions = [one for one in known if one.proxy_key == key and session_name in {"", one.exit_name}]
    standing = _standing(record, sessions, proxy, now, is_sum=proxy is not None and exit_id == key)
    chance = _chance(learner, proxy, standing, now)
    used_at = uses.nth_last(1) if uses and uses.count else max(record.last_ok_at, record.last_bad_at)
    return ExitStory(
        proxy=str(proxy) if proxy else "",
        session_name=session_name,
        network=proxy.network if proxy else "",
        cost=proxy.cost if proxy else 0.0,
        standing=standing,
        chance=chance,
        ok_count=record.ok_count,
        blocked_count=record.blocked_count,
        throttled_count=record.throttled_count,
        proxy_error_count=record.proxy_error_count,
        unclear_count=record.unclear_count,
        last=str(record.last) if record.is_judged or record.unclear_count else "",
        last_used_at=used_at or None,
        last_ok_at=record.last_ok_at or None,
        last_bad_at=max(record.last_bad_at, record.last_unclear_at) or None,
        last_bad_why=record.why,
        cooldown_until=record.cooldown_until if record.cooldown_until > now else None,
        uses=[use for use, _ in limit_uses(learner, exit_id, proxy, now)],
        sessions=[one.name for one in sessions],
        permission=exit_permission(engine, exit_id, proxy, now),
        proxy_key=key,
    )


def _standing(
    record: ExitRecord, sessions: Iterable[SessionRecord], proxy: Proxy | None, now: float, *, is_sum: bool
) -> str:
    if proxy is not None and proxy.is_gateway and is_sum:
        return "provider"
    if now < record.cooldown_until:
        return "cooling down"
    if any(one.has_worked and not one.lost for one in sessions) or record.last is Outcome.OK:
        return "working"
    if record.last is Outcome.PROXY_ERROR:
        return "dead"
    if record.is_judged:
        return "blocked"
    return "unclear" if record.unclear_count else "untried"


def _chance(learner: Learner, proxy: Proxy | None, standing: str, now: float) -> float | None:
    """How likely an exit is to work that does not, or not yet."""
    tier = next((one for one in learner.candidates.tiers() if proxy is not None and one.cost == proxy.cost), None)
    if tier is None or proxy is None or standing == "working":
        return None
    for name, blocked in tier.blocked.items():
        if proxy.key in blocked:
            return learner.candidates.recoveries[name].chance(now - blocked[proxy.key])
    return tier.chance
