"""One site: events in, decisions out. The rules that hold whatever the policy are here.

A page avoids the exits on which it failed, and waits for nobody: they are used if no other exit may be used now. To
wait at the head of the queue would hold up all the others.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from random import Random
from typing import assert_never

import msgspec

from proxysieve.core.events import Event, Leased, SessionOpened
from proxysieve.core.evidence import DISPUTABLE, is_weak, own_verdict
from proxysieve.core.fingerprints.available import FINGERPRINTS
from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.learning.held_sessions import HeldSessions, Incident
from proxysieve.core.model import Outcome, Proxy, Reach, Verdict
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.proxies.other_sites import OtherSites
from proxysieve.core.proxies.providers import exit_name
from proxysieve.core.proxies.proxy_loads import Loads
from proxysieve.core.records import Record, SessionRecord
from proxysieve.core.site.choices import Lost, Pick, Wait
from proxysieve.core.site.policy_protocol import (
    DRAW_COUNT,
    NotBefore,
    Open,
    Policy,
    Reuse,
    draw_awake,
    draw_proxy,
    draw_working,
)
from proxysieve.core.site.probes import wait_for_probe
from proxysieve.core.site.saved import load, take_changes
from proxysieve.core.site.state import MAX_IN_FLIGHT, SiteState
from proxysieve.core.site.status import SiteStatus, status_of


class Engine:
    """The decisions for one site.

    Args:
        site: Its name, for the records.
        catalog: The proxies that there are; shared with other sites, and free to change.
        policy: How to rank what is known.
        max_rate: Requests a second over all sessions; 0 for no cap.
        fingerprints: Those that sessions may have.
        other_sites: What other sites say of exits; shared with them.
        loads: How many requests proxies carry; shared with them, too.
        records: What a store kept of the site.
        now: When they are read, in Unix seconds: what lies ahead of it is brought back.

    Raises:
        msgspec.DecodeError: A record is damaged.
    """

    def __init__(
        self,
        site: str,
        catalog: Catalog,
        policy: Policy,
        *,
        max_rate: float = 0.0,
        fingerprints: Sequence[Fingerprint] = FINGERPRINTS,
        other_sites: OtherSites | None = None,
        loads: Loads | None = None,
        records: Iterable[Record] = (),
        now: float = math.inf,
    ) -> None:
        self.site = site
        heard = OtherSites() if other_sites is None else other_sites
        learns = getattr(policy, "learns", False)
        self.state = SiteState(catalog, max_rate=max_rate, other_sites=heard if learns else None, loads=loads)
        self._policy = policy
        self._fingerprints = fingerprints
        self.changed_fingerprints = load(self.state, records, fingerprints, now)

    def apply(self, event: Event) -> list[str]:
        """Take *event* in; the names of the sessions that ended with it."""
        return self.state.apply(event)

    def part(self, proxies: Mapping[str, Proxy]) -> None:
        """*proxies*, by their keys, have left the catalog."""
        self.state.part(proxies)

    def welcome(self, proxies: Mapping[str, Proxy], *, are_new: bool = True) -> None:
        """*proxies*, by their keys, stand in the catalog now; before, with other options, if not *are_new*."""
        self.state.welcome(proxies, are_new=are_new)

    def choose(
        self, now: float, rng: Random, waiting: int = 1, page_number: int = 0, avoided: Collection[str] = ()
    ) -> Pick | Wait:
        """The session for the next request, and what comes of it as events.

        Args:
            now: The moment, in Unix seconds.
            rng: Where all chance comes from.
            waiting: How many requests wait, this one included.
            page_number: What it is for.
            avoided: The exits, by id, on which it has failed; they are used only where there is nobody else.
        """
        known = self._known_to_fail()
        self.state.waiting, self.state.avoided = waiting, known.union(avoided) if known else avoided
        choice, is_picky = self._choose(now, rng, page_number), bool(self.state.avoided)
        # The next who asks, as for a session by its name, avoids nobody.
        self.state.avoided = ()
        return choice if isinstance(choice, Pick) or not is_picky else self._choose(now, rng, page_number)

    def _known_to_fail(self) -> frozenset[str]:
        """In an alarm, the exits that failed since it began, while others work: to probe them again tells nothing."""
        learner = self.state.learner
        if learner is None or not learner.held_sessions.alarm_at:
            return frozenset()
        failed = frozenset(
            member.session.exit_id
            for member in learner.working()
            if member.exit.failed_at > learner.held_sessions.alarm_at
        )
        works = any(member.session.exit_id not in failed for member in learner.working())
        return failed if works else frozenset()

    def has_others(self, avoided: Collection[str]) -> bool:
        """Whether a request that failed on the *avoided* exits may yet be sent through others."""
        state = self.state
        works = any(session.exit_id not in avoided for session in state.working)
        return works or state.drought.has_untried or state.catalog.gateway_count > 0

    def _choose(self, now: float, rng: Random, page_number: int) -> Pick | Wait:
        must_wait = self._must_wait(now)
        if must_wait is not None:
            return must_wait
        learner = self.state.learner
        if learner and learner.held_sessions.is_recheck_due(now):
            recheck = self._recheck(learner.held_sessions.rechecks, now, page_number)
            if recheck:
                return recheck
        choice = self._policy.choose(self.state, now, rng)
        if learner and not self.state.flights and not isinstance(choice, Reuse | Open):
            # Nothing else will tell whether they are blocked.
            recheck = self._last_recheck(learner.held_sessions, now)
            proxy = draw_proxy(self.state, now, rng) if self.state.is_dry else None
            if recheck:
                return recheck
            if proxy:
                return self._draw(proxy, now, rng, "a probe, as nothing works")
        match choice:
            case Reuse(session, why, reach):
                return self._pick(session.name, now, why, reach=reach)
            case Open(proxy, why):
                return self._draw(proxy, now, rng, why)
            case NotBefore(until, why) if self._has_hope(now):
                return Wait(until, why)
            case NotBefore(until, why) if not self._all_cool_down(now):
                return Wait(until, why, is_hopeless=True)
            case None | NotBefore():
                return self._wait_for_cooldown(now)
            case _:
                assert_never(choice)

    def choose_again(self, name: str, now: float) -> Pick | None:
        """The session called *name*, if it may carry one more request at *now* by all that is known; else any may."""
        state, learner = self.state, self.state.learner
        session = state.sessions.get(name)
        if session is None or session.is_named or state.is_dry or (learner and learner.held_sessions.alarm_at):
            # Single probes are not for somebody's convenience.
            return None
        if not state.is_ready(session, now) or self._capped(now):
            return None
        if learner and not learner.bears_again(session, now, state.in_flight.get(name, 0)):
            return None
        return self._pick(name, now, "asked again for a page that the site failed to give")

    def _has_hope(self, now: float) -> bool:
        """Whether anybody works, and waits for no other reason than what was learned."""
        learner = self.state.learner
        cooldown_until = self.state.cooldown_until
        works = learner is not None and any(
            now >= cooldown_until(member.session.exit_id) for member in learner.working()
        )
        return works or bool(self.state.flights) or self.state.is_crowded

    def _all_cool_down(self, now: float) -> bool:
        """Whether there is nobody whom the site did not ask to leave alone."""
        return all(now < self.state.cooldown_until(proxy.key) for proxy in self.state.catalog)

    def _recheck(self, incidents: Mapping[str, Incident], now: float, page_number: int) -> Pick | None:
        """One more request for one of those that are held, to see whether it is blocked; not for those with a name.

        That it is refused *page_number* is known; that would tell nothing.
        """
        state = self.state
        for name, incident in incidents.items():
            session = incident.session
            is_free = now >= state.cooldown_until(session.exit_id) and state.in_flight.get(name, 0) < MAX_IN_FLIGHT
            is_free = is_free and not state.is_full(session.proxy_key)
            is_news = not page_number or incident.page_number != page_number
            if not session.is_named and is_free and is_news and state.is_open(session, now):
                return self._pick(name, now, "tried again, to see whether it is blocked")
        return None

    def _last_recheck(self, held_sessions: HeldSessions, now: float) -> Pick | None:
        """The same where nothing else can be done, so that those who are held have their turn as well."""
        recheck = self._recheck(held_sessions.may_recheck(now), now, 0)
        if recheck or any(self.state.is_open(incident.session, now) for incident in held_sessions.rechecks.values()):
            return recheck
        # The proxies of all that are to be rechecked have left, or their users named them.
        return self._recheck(held_sessions.held, now, 0)

    def leased(self, name: str, now: float, *, is_counted: bool) -> Leased:
        """The event that the open session called *name* carries a request that nobody chose it for."""
        return Leased(now, self.state.site.lease_count, name, is_counted=is_counted)

    def settle(self, page_number: int, verdict: Verdict) -> Verdict:
        """*verdict* on *page_number*, or what it comes to where the page is the same for sessions that work elsewhere.

        For a policy that does not learn, what looks like a block is one, as nobody would ever tell.
        """
        learner = self.state.learner
        if not learner and is_weak(verdict):
            return msgspec.structs.replace(verdict, outcome=Outcome.BLOCKED)
        if not learner or not page_number or verdict.outcome not in DISPUTABLE:
            return verdict
        is_own = learner.control_group.is_own(page_number, verdict.sign or verdict.outcome)
        return own_verdict(verdict) if is_own else verdict

    def is_postponed(self, name: str, now: float) -> bool:
        """Whether the session called *name* was refused again while nobody else is answered well."""
        learner = self.state.learner
        return (
            learner is not None
            and name in learner.held_sessions.rechecks
            and not learner.held_sessions.may_recheck(now)
        )

    @property
    def alarm_sign(self) -> str | None:
        """By which sign everything fails; None while it does not."""
        held_sessions = self.state.learner.held_sessions if self.state.learner else None
        return held_sessions.alarm_sign if held_sessions and held_sessions.alarm_at else None

    def choose_named(self, name: str, now: float, rng: Random) -> Pick | Wait | Lost:
        """The same for the session that its user calls *name*; it is opened where it was unknown."""
        session = self.state.sessions.get(name)
        if session is None or not session.is_named:
            return self._open_named(name, now, rng)
        if not self.state.is_open(session, now):
            return Lost(self._why_lost(session))
        cooldown_until = self.state.cooldown_until(session.exit_id)
        if now < cooldown_until:
            proxys = self.state.why_proxy_cools_down(session.proxy_key, now)
            why = f"its proxy cools down: {proxys}" if proxys else "the site asked to leave it alone for a while"
            return Wait(cooldown_until, why, is_hopeless=True)
        if not self.state.is_ready(session, now):
            return Wait(None, "it carries all that it may")
        return self._capped(now) or self._pick(name, now, "asked for by name")

    def _open_named(self, name: str, now: float, rng: Random) -> Pick | Wait:
        must_wait = self._must_wait(now)
        if must_wait is not None:
            return must_wait
        # Where others get through, so will it; that another session goes there too is no harm to either.
        neighbour = draw_working(self.state, now, rng)
        proxy = self.state.catalog.get(neighbour.proxy_key) if neighbour else draw_awake(self.state, now, rng)
        if proxy is None:
            return self._wait_for_cooldown(now)
        return self._pick(name, now, "opened by name", self._opened(proxy, now, rng, name))

    def status(self, now: float) -> SiteStatus:
        """How many stand where at *now*; looks at every exit that was ever used."""
        return status_of(self.state, now)

    def take_changes(self) -> list[Record]:
        """What must be saved since this was asked last, in the same order in every process."""
        return take_changes(self.site, self.state)

    def _must_wait(self, now: float) -> Wait | None:
        """The rules that come before any policy: single probes while nothing works, and the rate cap."""
        return wait_for_probe(self.state, now) or self._capped(now)

    def _capped(self, now: float) -> Wait | None:
        due_at = self.state.rate_cap.due_at(self.state.site)
        return Wait(due_at, "the site's rate cap") if now < due_at else None

    def _wait_for_cooldown(self, now: float) -> Wait:
        state = self.state
        if not state.catalog:
            return Wait(None, "there are no proxies", is_hopeless=True)
        cooldowns = [record.cooldown_until for record in state.exits.values() if now < record.cooldown_until]
        of_proxies = {key: at for key, at in state.proxy_cooldowns.cooling_down(now) if key in state.catalog}
        until = min([*cooldowns, *of_proxies.values()], default=None)
        if state.flights:
            return Wait(until, "all sessions are busy or cool down")
        if state.is_crowded:
            return Wait(until, "proxies carry as many requests at other sites as they may")
        if of_proxies:
            said = Counter(sorted(state.why_proxy_cools_down(key, now) for key in of_proxies))
            told = f"{len(of_proxies):,} of {len(state.catalog):,} proxies cool down: {said.most_common(1)[0][0]}"
            return Wait(until, told, is_hopeless=True)
        return Wait(until, f"all {len(cooldowns)} exits cool down, as the site asked", is_hopeless=True)

    def _pick(
        self,
        session: str,
        now: float,
        why: str,
        opened: SessionOpened | None = None,
        *,
        reach: Reach = Reach.PROVEN,
    ) -> Pick:
        lease = self.state.site.lease_count
        return Pick(opened, Leased(now, lease, session, opened is not None, reach), why)

    def _draw(self, proxy: Proxy, now: float, rng: Random, why: str) -> Pick | Wait:
        carried = None if proxy.is_gateway else self.state.session_on(proxy, now)
        is_full = self.state.is_full(proxy.key)
        if is_full or now < self.state.cooldown_until(proxy.key) or (carried and not self.state.is_ready(carried, now)):
            # A cool-down is kept and eight requests are enough, whatever a policy asks for.
            return self._wait_for_cooldown(now)
        if carried is not None:
            return Pick(None, Leased(now, self.state.site.lease_count, carried.name, is_draw=True), why)
        opened = self._opened(proxy, now, rng)
        return self._pick(opened.session_name, now, why, opened)

    def _opened(self, proxy: Proxy, now: float, rng: Random, name: str = "") -> SessionOpened:
        fresh = self._fresh_name(proxy, rng)
        # A provider may have fewer names than there are sessions.
        own = f"{fresh}-{self.state.site.lease_count}" if fresh in self.state.sessions else fresh
        return SessionOpened(
            at=now,
            session_name=name or own,
            proxy_key=proxy.key,
            exit_name=fresh if proxy.is_gateway else "",
            fingerprint=rng.choice(self._fingerprints),
            is_named=bool(name),
        )

    def _fresh_name(self, proxy: Proxy, rng: Random) -> str:
        for _ in range(DRAW_COUNT):
            name = exit_name(proxy, rng)
            if name not in self.state.sessions and f"{proxy.key}/{name}" not in self.state.avoided:
                break
        return name

    def _why_lost(self, session: SessionRecord) -> str:
        if session.lost:
            return session.lost
        if session.proxy_key not in self.state.catalog:
            return "its proxy is no longer in the list"
        return "its provider may have given the exit to somebody else by now"
