"""What is known of a site, and why: values for a person or a machine to read. Nothing is decided here.

Every moment is in Unix seconds. Proxies stand there as their ``str()`` shows them, without what is secret of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from random import Random
from typing import assert_never

import msgspec

from proxysieve.core.curves import Limit
from proxysieve.core.engine import Engine, Lost, Pick, Wait
from proxysieve.core.facts import MAX_IN_FLIGHT
from proxysieve.core.lore import Lore
from proxysieve.core.model import Outcome, Proxy
from proxysieve.core.pace import FLOOR, WINDOWS, Pace
from proxysieve.core.records import ExitRecord, SessionRecord
from proxysieve.core.uses import Uses

# When a blocked exit might be tried again: a minute, ten, an hour, a day.
RECOVERY_SECONDS = (60.0, 600.0, 3600.0, 86400.0)
# The standings that a story tells of even if there is nothing to tell.
USUAL_STANDINGS = frozenset({"worked", "never worked", "dead"})
# A story names this many of the best networks, and of the worst.
NETWORK_COUNT = 3
# What says that a session's last answer was a refusal, or none. Who is throttled rests, and that is no doubt.
DOUBTED = frozenset({Outcome.BLOCKED, Outcome.PROXY_ERROR})

HELD_BACK = "has done all that is proven to be borne, so it may only go ahead of the others"


class LimitStory(msgspec.Struct, frozen=True, kw_only=True):
    """One limit that is believed in.

    Attributes:
        scope: ``exit`` or ``network``: whose requests it counts together.
        request_count: So many are borne.
        above_seconds: Its window is longer than this.
        below_seconds: And at most as long as this; None while no end is known.
        chance: How likely it is to be a limit, and not somebody else's doing.
        learned_at: When it was learned or changed.
        learned_from: The proxy or network whose block told of it; empty where that is not known any more.
        blocked_within_count: How many were blocked though they had kept it.
        neighbour_count: How many neighbours of a blocked exit were tried, to see whether it is their network's.
    """

    scope: str
    request_count: int
    above_seconds: float
    below_seconds: float | None
    chance: float
    learned_at: float
    learned_from: str
    blocked_within_count: int
    neighbour_count: int


class ProvenStory(msgspec.Struct, frozen=True, kw_only=True):
    """So many requests within so long were answered well, several times."""

    request_count: int
    window_seconds: float


class PaceStory(msgspec.Struct, frozen=True, kw_only=True):
    """How hard an exit, or a network, may be used.

    Attributes:
        late_seconds: How long after its cause a ban may come.
        unproven_count: So many requests are granted though nothing is proven.
    """

    scope: str
    limits: list[LimitStory]
    proven: list[ProvenStory]
    late_seconds: float
    unproven_count: int = FLOOR


class TierStory(msgspec.Struct, frozen=True, kw_only=True):
    """The proxies of one cost, and how likely a fresh one is to work."""

    cost: float
    chance: float
    worked_count: int
    failed_count: int


class NetworkStory(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the exits of a network that were tried have worked."""

    network: str
    worked_count: int
    tried_count: int


class RecoveryStory(msgspec.Struct, frozen=True, kw_only=True):
    """How likely a blocked exit is to work again.

    Attributes:
        standing: What it was before: ``worked``, ``never worked`` or ``dead``; ``challenged`` where the visitor was
            refused and not its exit, ``barred`` where all of its network or country is.
        chances: After each of the ``after_seconds`` of the story.
        recheck_count: How many were tried again; old ones weigh less, so that it may be a fraction.
        recovered_count: How many of those worked.
    """

    standing: str
    after_seconds: tuple[float, ...]
    chances: list[float]
    recheck_count: float
    recovered_count: float


class DoubtStory(msgspec.Struct, frozen=True, kw_only=True):
    """A session that worked and was refused, and it is not known whether it is to blame."""

    session: str
    proxy: str
    at: float
    why: str


class ContrastStory(msgspec.Struct, frozen=True, kw_only=True):
    """What a sign meant here, by what others got.

    Attributes:
        blocked_count: Exits that it was a block of: others got the same page.
        page_count: Pages that it was the nature of: sessions were refused them alike that work elsewhere.
    """

    sign: str
    blocked_count: int
    page_count: int


class NextStory(msgspec.Struct, frozen=True, kw_only=True):
    """What the next request would get.

    Attributes:
        proxy: Empty if it had to wait.
        session: Empty for a new one.
        reach: How far it would go: ``proven``, ``unproven``, ``ahead`` (of the others) or ``past_limit``.
        until: When to ask again; None if nothing is due by itself, and for a pick.
    """

    why: str
    proxy: str = ""
    session: str = ""
    reach: str = "proven"
    until: float | None = None


class SiteStory(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a site.

    Attributes:
        at: The moment of the story.
        last_used_at: None if it was never.
        request_count: All that were ever sent.
        answer_seconds: How long a good answer takes, on average; 0 while that is unknown.
        unclear_count: Plain proxies that were tried, and nothing came of it that tells.
        untried_count: Those that were never tried.
        unlisted_count: Exits that are known but whose proxy is not in the list.
        in_flight_count: So many requests of one exit may be out at once.
        alarm_at: Since when everything fails; None while it does not.
        contrasts: What signs meant here, the most frequent first.
    """

    site: str
    at: float
    last_used_at: float | None
    request_count: int
    answer_seconds: float
    proxy_count: int
    gateway_count: int
    working_count: int
    resting_count: int
    blocked_count: int
    dead_count: int
    unclear_count: int
    untried_count: int
    unlisted_count: int
    tiers: list[TierStory]
    network_count: int
    best_networks: list[NetworkStory]
    worst_networks: list[NetworkStory]
    in_flight_count: int
    exits: PaceStory
    networks: PaceStory
    recoveries: list[RecoveryStory]
    doubts: list[DoubtStory]
    contrasts: list[ContrastStory]
    alarm_at: float | None
    next: NextStory


class Permission(msgspec.Struct, frozen=True, kw_only=True):
    """Whether something may be used now; if not, *until* when and why, None if time alone will not help."""

    is_granted: bool
    why: str = ""
    until: float | None = None


class LimitUse(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a limit is used up.

    Attributes:
        scope: ``exit`` or ``network``.
        window_seconds: How far back it is counted.
        is_own: Whether this very network told of it; then it is not held to it.
    """

    scope: str
    used_count: int
    request_count: int
    window_seconds: float
    is_own: bool


class ExitStory(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to an exit at the site.

    Attributes:
        proxy: Empty where it is not in the list.
        proxy_key: The hash that stores know it by.
        session_name: What it is called at a gateway provider; empty for a plain proxy, and for a provider's sums.
        standing: ``working``, ``resting``, ``blocked``, ``dead``, ``unclear``, ``never tried`` or ``provider``.
        chance: How likely it is to work, if it does not; None if it does, or its proxy is unknown.
        last: What the last answer that counts said; empty if there is none.
        last_bad_why: What the last bad answer was.
        rests_until: None if it does not rest.
        uses: How much of each limit is used up.
        sessions: The names of those that are open on it.
    """

    proxy: str
    session_name: str
    network: str
    cost: float
    standing: str
    chance: float | None
    ok_count: int
    blocked_count: int
    throttled_count: int
    proxy_error_count: int
    unclear_count: int
    last: str
    last_used_at: float | None
    last_ok_at: float | None
    last_bad_at: float | None
    last_bad_why: str
    rests_until: float | None
    uses: list[LimitUse]
    sessions: list[str]
    permission: Permission
    proxy_key: str = ""


class SessionStory(msgspec.Struct, frozen=True, kw_only=True):
    """One session.

    Attributes:
        is_named: Whether its user named it.
        worked_at: When it was first answered well; None while that has not happened.
        browser: What it looks like.
        ok_count: Its good answers; *exit* has those of all the sessions there.
        lost: Why its exit is lost; empty while it is not.
    """

    name: str
    is_named: bool
    opened_at: float
    worked_at: float | None
    browser: str
    user_agent: str
    ok_count: int
    lost: str
    exit: ExitStory
    permission: Permission


class SiteSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A site in a line.

    Attributes:
        last_used_at: None if it was never.
        request_count: All that were ever sent.
        session_count: The open ones.
        working_count: Those of them that work; the other counts are of exits.
    """

    site: str
    last_used_at: float | None
    request_count: int
    session_count: int
    working_count: int
    resting_count: int
    blocked_count: int
    dead_count: int


def summarize(engine: Engine, now: float) -> SiteSummary:
    """The site of *engine* in a line."""
    standing = engine.standing(now)
    return SiteSummary(
        site=engine.site,
        last_used_at=_last_used_at(engine, _lore(engine)),
        request_count=engine.facts.site.lease_count,
        session_count=len(engine.facts.sessions),
        working_count=standing.working,
        resting_count=standing.resting,
        blocked_count=standing.blocked,
        dead_count=standing.dead,
    )


def tell_site(engine: Engine, now: float, rng: Random) -> SiteStory:
    """The story of the site of *engine*, whose policy learns.

    It asks for the next pick, and policies remember that they were asked: so *engine* should be one that was loaded
    for this, and not one that is at work.
    """
    facts, lore, catalog = engine.facts, _lore(engine), engine.facts.catalog
    standing, networks = engine.standing(now), _networks(engine, lore)
    listed = [one for one in facts.exits if one.partition("/")[0] in catalog]
    unclear = [one for one in listed if one in catalog and not facts.exits[one].is_judged]
    return SiteStory(
        site=engine.site,
        at=now,
        last_used_at=_last_used_at(engine, lore),
        request_count=facts.site.lease_count,
        answer_seconds=lore.supply.latency,
        proxy_count=len(catalog),
        gateway_count=catalog.gateway_count,
        working_count=standing.working,
        resting_count=standing.resting,
        blocked_count=standing.blocked,
        dead_count=standing.dead,
        unclear_count=len(unclear),
        untried_count=sum(not proxy.is_gateway and proxy.key not in facts.exits for proxy in catalog),
        unlisted_count=len(facts.exits) - len(listed),
        tiers=[
            TierStory(cost=tier.cost, chance=tier.chance, worked_count=tier.ok, failed_count=tier.bad)
            for tier in lore.supply.tiers()
        ],
        network_count=len(networks),
        best_networks=networks[:NETWORK_COUNT],
        worst_networks=networks[NETWORK_COUNT:][: -NETWORK_COUNT - 1 : -1],
        in_flight_count=min(lore.wear.depth.proven, MAX_IN_FLIGHT),
        exits=_pace(engine, lore.wear.exit_pace, "exit"),
        networks=_pace(engine, lore.wear.network_pace, "network"),
        recoveries=[
            RecoveryStory(
                standing=name,
                after_seconds=RECOVERY_SECONDS,
                chances=[recovery.chance(seconds) for seconds in RECOVERY_SECONDS],
                recheck_count=sum(recovery.recovered) + sum(recovery.still),
                recovered_count=sum(recovery.recovered),
            )
            for name, recovery in lore.supply.recoveries.items()
            if name in USUAL_STANDINGS or lore.supply.has_blocked(name) or sum(recovery.recovered + recovery.still) > 0
        ],
        doubts=list(_doubts(engine, lore)),
        contrasts=[
            ContrastStory(sign=sign, blocked_count=tally.blocked_count, page_count=tally.page_count)
            for sign, tally in sorted(lore.contrast.tallies.items(), key=lambda item: -sum(item[1]))
        ],
        alarm_at=lore.doubts.alarm_at or None,
        # The last, as policies note in their limits what they are about to try.
        next=_next(engine, now, rng),
    )


def tell_session(engine: Engine, name: str, now: float, rng: Random) -> SessionStory | None:
    """The story of the session called *name*; None if there is none."""
    session = engine.facts.sessions.get(name)
    return _session(engine, session, engine.facts.sessions.values(), now, rng) if session else None


def tell_sessions(engine: Engine, now: float, rng: Random, most: int = 0) -> list[SessionStory]:
    """The stories of the open sessions, the best first; of *most* of them, if that is not 0."""
    facts, neighbours = engine.facts, defaultdict(list)
    for session in facts.sessions.values():
        neighbours[session.proxy].append(session)

    def rank(session: SessionRecord) -> tuple[bool, bool, bool, int, float, str]:
        record = facts.exits.get(session.exit_id) or ExitRecord()
        is_refused, rests = not session.has_worked or record.last in DOUBTED, now < record.rests_until
        return not facts.is_open(session, now), is_refused, rests, -session.ok_count, -record.last_ok_at, session.name

    best = sorted(facts.sessions.values(), key=rank)
    return [_session(engine, one, neighbours[one.proxy], now, rng) for one in best[: most or None]]


def _session(
    engine: Engine, session: SessionRecord, neighbours: Iterable[SessionRecord], now: float, rng: Random
) -> SessionStory:
    return SessionStory(
        name=session.name,
        is_named=session.pinned,
        opened_at=session.opened_at,
        worked_at=session.worked_at or None,
        browser=session.identity.browser,
        user_agent=session.identity.user_agent,
        ok_count=session.ok_count,
        lost=session.lost,
        exit=_exit(engine, session.exit_id, neighbours, now),
        permission=_session_permission(engine, session, now, rng),
    )


def tell_exits(engine: Engine, address: str, now: float) -> list[ExitStory]:
    """The stories of the proxies at *address*: a host, ``host:port`` or ``scheme://host:port``; or of that name."""
    facts = engine.facts
    there = [proxy for proxy in facts.catalog if _is_at(proxy, address)]
    return [_exit(engine, proxy.key, facts.sessions.values(), now) for proxy in there]


def _is_at(proxy: Proxy, address: str) -> bool:
    scheme, _, wanted = address.rpartition("://")
    is_there = scheme in {"", proxy.scheme} and wanted.rstrip("/") in {proxy.address, proxy.host}
    return is_there or (bool(proxy.name) and address == proxy.name)


def _lore(engine: Engine) -> Lore:
    assert engine.facts.lore is not None, "the policy learns"  # noqa: S101
    return engine.facts.lore


# The site.


def _last_used_at(engine: Engine, lore: Lore) -> float | None:
    site = engine.facts.site
    used_at = [uses.nth_last(1) for uses in lore.wear.exits.values() if uses.count]
    return max([site.last_ok_at, site.last_bad_at, *used_at]) or None


def _networks(engine: Engine, lore: Lore) -> list[NetworkStory]:
    """Those of which something was tried, the best first."""
    counts: dict[str, list[int]] = {}
    for exit_id, record in engine.facts.exits.items():
        proxy = engine.facts.catalog.get(exit_id)
        if proxy is not None and proxy.network and record.is_judged:
            count = counts.setdefault(proxy.network, [0, 0])
            count[record.ok_count == 0] += 1
    tiers = lore.supply.tiers()

    def rank(network: str) -> tuple[float, str]:
        ok, bad = counts[network]
        # The most is said by the tier in which the most was tried; few lists have more than one.
        tier = max(tiers, key=lambda one: one.ok + one.bad)
        return -tier.chance_of((ok, bad)), network

    return [
        NetworkStory(network=one, worked_count=counts[one][0], tried_count=sum(counts[one]))
        for one in sorted(counts, key=rank)
    ]


def _pace(engine: Engine, pace: Pace, scope: str) -> PaceStory:
    proven, most = [], FLOOR
    for window, frontier in zip(WINDOWS, pace.frontiers, strict=True):
        # As many within a longer window is less.
        if frontier.proven > most:
            most = frontier.proven
            proven.append(ProvenStory(request_count=most, window_seconds=window))
    limits = sorted(pace.limits, key=lambda limit: limit.below)
    return PaceStory(
        scope=scope,
        limits=[_limit(engine, limit, scope) for limit in limits],
        proven=proven,
        late_seconds=pace.lag,
    )


def _limit(engine: Engine, limit: Limit, scope: str) -> LimitStory:
    learned_from = limit.subject
    if scope == "exit":
        proxy = engine.facts.catalog.get(limit.subject.partition("/")[0])
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
        neighbour_count=limit.trial_count,
    )


def _doubts(engine: Engine, lore: Lore) -> Iterator[DoubtStory]:
    """Who is held, and in an engine that was just loaded, who was when it was saved."""
    for session in engine.facts.sessions.values():
        record, proxy = engine.facts.exits.get(session.exit_id), engine.facts.catalog.get(session.proxy)
        if record is None or proxy is None or session.lost or not session.has_worked:
            continue
        if lore.doubts.is_held(session.name) or record.last in DOUBTED:
            yield DoubtStory(session=session.name, proxy=str(proxy), at=record.last_bad_at, why=record.why)


def _next(engine: Engine, now: float, rng: Random) -> NextStory:
    choice = engine.choose(now, rng)
    match choice:
        case Wait(until, why):
            return NextStory(why=why, until=until)
        case Pick(opened, leased, why):
            key = opened.proxy if opened else engine.facts.sessions[leased.session].proxy
            return NextStory(
                why=why,
                proxy=str(engine.facts.catalog.get(key)),
                session="" if opened else leased.session,
                reach=leased.reach.name.lower(),
            )
        case _:
            assert_never(choice)


# A session, and an exit.


def _exit(engine: Engine, exit_id: str, known: Iterable[SessionRecord], now: float) -> ExitStory:
    """The story of an exit, whose sessions are among the *known* ones."""
    facts, lore = engine.facts, _lore(engine)
    key, _, session_name = exit_id.partition("/")
    proxy, record = facts.catalog.get(key), facts.exits.get(exit_id) or ExitRecord()
    uses = lore.wear.exits.get(exit_id)
    sessions = [one for one in known if one.proxy == key and session_name in {"", one.exit}]
    standing = _standing(record, sessions, proxy, now, is_sum=proxy is not None and exit_id == key)
    chance = _chance(lore, proxy, standing, now)
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
        rests_until=record.rests_until if record.rests_until > now else None,
        uses=[use for use, _ in _limit_uses(lore, exit_id, proxy, now)],
        sessions=[one.name for one in sessions],
        permission=_exit_permission(engine, exit_id, proxy, now),
        proxy_key=key,
    )


def _standing(
    record: ExitRecord, sessions: Iterable[SessionRecord], proxy: Proxy | None, now: float, *, is_sum: bool
) -> str:
    if proxy is not None and proxy.is_gateway and is_sum:
        return "provider"
    if now < record.rests_until:
        return "resting"
    if any(one.has_worked and not one.lost for one in sessions) or record.last is Outcome.OK:
        return "working"
    if record.last is Outcome.PROXY_ERROR:
        return "dead"
    if record.is_judged:
        return "blocked"
    return "unclear" if record.unclear_count else "never tried"


def _chance(lore: Lore, proxy: Proxy | None, standing: str, now: float) -> float | None:
    """How likely an exit is to work that does not, or not yet."""
    tier = next((one for one in lore.supply.tiers() if proxy is not None and one.cost == proxy.cost), None)
    if tier is None or proxy is None or standing == "working":
        return None
    for name, blocked in tier.blocked.items():
        if proxy.key in blocked:
            return lore.supply.recoveries[name].chance(now - blocked[proxy.key])
    return tier.chance


def _limit_uses(lore: Lore, exit_id: str, proxy: Proxy | None, now: float) -> Iterator[tuple[LimitUse, float]]:
    """How much of each limit is used up, and when there is room for one more."""
    network = proxy.network if proxy else ""
    for scope, pace, subject, uses in (
        ("exit", lore.wear.exit_pace, exit_id, lore.wear.exits.get(exit_id)),
        ("network", lore.wear.network_pace, network, lore.wear.networks.get(network) if network else None),
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
    lore, record = _lore(engine), engine.facts.exits.get(exit_id)
    if record is not None:
        said = "it was throttled" if record.last is Outcome.THROTTLED else "the site asked to leave it alone"
        yield record.rests_until, said
    for use, due in _limit_uses(lore, exit_id, proxy, now):
        whose = "it" if use.scope == "exit" else "its network"
        yield due, f"{whose} has used up a limit: {use.used_count} of {use.request_count}"


def _holds_back(engine: Engine, exit_id: str, proxy: Proxy) -> Iterator[tuple[float, str]]:
    """The same of what holds only those who do not go ahead of the others."""
    wear = _lore(engine).wear
    uses, of_network = wear.exits.get(exit_id), wear.networks.get(proxy.network) if proxy.network else None
    if uses is not None:
        yield wear.exit_pace.frontier_at(uses), f"it {HELD_BACK}"
    if of_network is not None:
        yield wear.network_pace.frontier_at(of_network), f"its network {HELD_BACK}"


def _session_permission(engine: Engine, session: SessionRecord, now: float, rng: Random) -> Permission:
    facts, proxy = engine.facts, engine.facts.catalog.get(session.proxy)
    if proxy is None:
        return Permission(is_granted=False, why="its proxy is not in the list")
    if session.pinned:
        choice = engine.choose_named(session.name, now, rng)
        if isinstance(choice, Pick):
            return Permission(is_granted=True)
        why = f"its exit is lost: {choice.why}" if isinstance(choice, Lost) else choice.why
        return Permission(is_granted=False, why=why, until=choice.until if isinstance(choice, Wait) else None)
    if not facts.is_open(session, now):
        return Permission(is_granted=False, why="it is too old, and ends with the next request")
    if _lore(engine).doubts.is_held(session.name):
        return Permission(is_granted=False, why="it was refused, and it is not known yet whether it is to blame")
    if facts.in_flight.get(session.name, 0) >= MAX_IN_FLIGHT:
        return Permission(is_granted=False, why="it carries all that it may")
    return _held_until(engine, session.exit_id, proxy, now)


def _exit_permission(engine: Engine, exit_id: str, proxy: Proxy | None, now: float) -> Permission:
    if proxy is None:
        return Permission(is_granted=False, why="its proxy is not in the list")
    return _held_until(engine, exit_id, proxy, now)


def _held_until(engine: Engine, exit_id: str, proxy: Proxy, now: float) -> Permission:
    for holds in (_holds(engine, exit_id, proxy, now), _holds_back(engine, exit_id, proxy)):
        until, why = max(holds, default=(0.0, ""))
        if until > now:
            return Permission(is_granted=False, why=why, until=until)
    return Permission(is_granted=True)
