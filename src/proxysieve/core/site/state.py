"""What is known of one site: events change it, and policies choose by it.

How it works:

* A session is *open* from ``SessionOpened`` until it is blocked, throttled, failed by its proxy, unclear twice
  in a row, closed from outside, or too old. It *works* once the site has answered it well: that is the set
  that the classic algorithm stores and picks from.
* What happened belongs to exits and outlives sessions. A plain proxy is one exit and has at most one open session that
  nobody named. At a gateway every session has an exit of its own, of which only sums remain.
* A lease binds an answer to the moment of its request. If the request went out before the exit's last bad
  answer, the answer is part of the same incident: it neither revives the exit nor is counted against it again.
* A policy that learns has a *learner*, too. Then a session that worked and is refused is only held, until it is known
  whether it is to blame, and a throttled one cools down. An exit that was refused a page is blocked once others get the
  page; if all are refused it alike, none is (*control_group*). *conclusions* decides that. *site_sessions* keeps the
  sessions and exits.
* If a proxy answers something itself, for example that its login is wrong, it *cools down* with all of its exits and
  sessions (*proxy_cooldowns*): none of them is to blame.
* Nothing is scheduled: a cool-down ends because ``now >= cooldown_until``. *drought* tells whether nothing works.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import assert_never

import msgspec

from proxysieve.core.events import Asked, Event, Leased, Reported, SessionClosed, SessionOpened
from proxysieve.core.evidence import DISPUTABLE, is_answer, is_weak
from proxysieve.core.model import LONGEST_COOLDOWN_SECONDS, Outcome, Proxy, Verdict
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.proxies.other_sites import OtherSites
from proxysieve.core.proxies.proxy_cooldowns import ProxyCooldowns
from proxysieve.core.proxies.proxy_loads import Loads
from proxysieve.core.records import ExitRecord, SessionRecord, SiteRecord
from proxysieve.core.site.conclusions import Conclusions
from proxysieve.core.site.drought import DROUGHT_SECONDS, Drought
from proxysieve.core.site.rate_cap import RateCap
from proxysieve.core.site.sessions import Flight, SiteSessions, age

# A browser opens six connections to a host. A policy learns what a site really bears.
MAX_IN_FLIGHT = 8
# One unclear answer is an accident. A hung proxy gives nothing else, and each costs a time-out.
UNCLEAR_IN_A_ROW = 2
# How long a throttled session cools down if the site does not say: the usual window of a limit.
THROTTLED_SECONDS = 60.0


class SiteState:
    """The state of one site. Only :meth:`apply` changes it.

    Attributes:
        sessions: The open ones, by name.
        exits: What happened, by exit.
        flights: The requests under way, by lease.
        in_flight: How many are under way, by session name.
        changed: Kind and key of the records that differ from what was saved last.
        learner: What is learned of the site; None unless the policy learns.
        waiting: How many requests wait for a session, with the one that is choosing.
        avoided: The exits, by id, on which the choosing request has failed.
        loads: How many requests each proxy carries, over all sites.
        drought: What failed since the site was last answered well.
        proxy_cooldowns: Which proxies cool down as a whole.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        max_rate: float = 0.0,
        other_sites: OtherSites | None = None,
        loads: Loads | None = None,
    ) -> None:
        self.catalog = catalog
        self.loads = Loads() if loads is None else loads
        self.waiting = 1
        self.avoided: Collection[str] = ()
        self.site = SiteRecord()
        self.drought = Drought(catalog)
        self.proxy_cooldowns = ProxyCooldowns()
        self._site_sessions = SiteSessions(catalog, other_sites)
        self.sessions, self.exits = self._site_sessions.sessions, self._site_sessions.exits
        self.working, self.changed = self._site_sessions.working, self._site_sessions.changed
        self.learner = self._site_sessions.learner
        self._conclusions = Conclusions(self.learner, self._site_sessions) if self.learner else None
        self.flights: dict[int, Flight] = {}
        self.in_flight: dict[str, int] = {}
        self.rate_cap = RateCap(max_rate)

    def is_open(self, session: SessionRecord, now: float) -> bool:
        """Whether *session* may be used again at all: its proxy is there, and its exit is still the same."""
        return self._site_sessions.is_open(session, now)

    def is_full(self, key: str) -> bool:
        """Whether the proxy known by *key* carries all that it may, over all sites or here."""
        if self.proxy_cooldowns.is_full(key):
            return True
        proxy = self.catalog.get(key) if self.catalog.limited_count else None
        return proxy is not None and self.loads.is_full(proxy)

    @property
    def is_crowded(self) -> bool:
        """Whether a proxy carries all that it may, so that others' answers help."""
        return self.catalog.limited_count > 0 and any(self.is_full(key) for key in self.loads)

    def is_ready(self, session: SessionRecord, now: float) -> bool:
        """Whether *session* may carry one more request at *now*."""
        return (
            now >= self.cooldown_until(session.exit_id)
            and not (self.learner and self.learner.held_sessions.is_held(session.name))
            and self.in_flight.get(session.name, 0) < MAX_IN_FLIGHT
            and session.exit_id not in self.avoided
            and not self.is_full(session.proxy_key)
            and self.is_open(session, now)
        )

    def cooldown_until(self, exit_id: str) -> float:
        """Until when the exit cools down, by itself or with all of its proxy."""
        record = self.exits.get(exit_id)
        of_proxy = self.proxy_cooldowns.until(exit_id.partition("/")[0])
        return max(record.cooldown_until, of_proxy) if record else of_proxy

    def why_proxy_cools_down(self, key: str, now: float) -> str:
        """Why the proxy known by *key* cools down as a whole at *now*; empty if it does not."""
        record = self.exits.get(key)
        return record.why if record and now < self.proxy_cooldowns.until(key) else ""

    @property
    def is_dry(self) -> bool:
        """Whether the site is in a drought: nothing works, and nearly everything was tried."""
        return not self.working and self.drought.is_everywhere

    def has_failed(self, proxy: Proxy, now: float) -> bool:
        """Whether *proxy* failed lately, and no good answer came since; a gateway has other names to try."""
        has_failed = not proxy.is_gateway and self.drought.has_failed(proxy, self.exits.get(proxy.key))
        return has_failed and self.drought.is_news(proxy.cost, now)

    def failures(self) -> Iterator[ExitRecord]:
        """The exits that failed since the site last answered well."""
        for exit_id, record in self.exits.items():
            proxy = self.catalog.get(exit_id.partition("/")[0])
            if proxy is not None and self.drought.has_failed(proxy, record):
                yield record

    def session_on(self, proxy: Proxy, now: float) -> SessionRecord | None:
        """The open session that nobody named on a plain *proxy*, if there is one."""
        session = self._site_sessions.session_on.get(proxy.key)
        return session if session and self.is_open(session, now) else None

    def may_be_drawn(self, proxy: Proxy, now: float) -> bool:
        """Whether a new session may be opened on *proxy*, or the working one that it carries used again."""
        if now < self.cooldown_until(proxy.key) or self.is_full(proxy.key) or proxy.key in self.avoided:
            return False
        session = self.session_on(proxy, now)
        return session is None or (session.has_worked and self.is_ready(session, now))

    def apply(self, event: Event) -> list[str]:
        """Take *event* in. The same events give the same state.

        Returns:
            The names of the sessions that ended with it.
        """
        match event:
            case Leased():
                return self._lease(event)
            case Reported():
                return self._report(event)
            case Asked():
                return self._count(event)
            case SessionOpened():
                return self._open(event)
            case SessionClosed():
                return self._site_sessions.close(self.sessions.get(event.session_name))
            case _:
                assert_never(event)

    def restore(self, sessions: Iterable[SessionRecord]) -> None:
        """Restore saved sessions."""
        for session in sorted(sessions, key=age):
            self._site_sessions.admit(session)
        # A session name without a session had not worked yet when the process died.
        current = {session.exit_id for session in self.sessions.values()}
        for exit_id in [known for known in self.exits if "/" in known and known not in current]:
            self._site_sessions.sum_up(exit_id)
        self.drought.restore(self.exits, self.site.failing)
        self._recall_proxies(self.exits)
        self.site.failing = {}
        # A wrong clock in an earlier run would make the rate cap hold this one for ever.
        self.site.next_at = 0.0

    def _recall_proxies(self, exit_ids: Iterable[str]) -> None:
        """Restore what the records of these exits tell of their proxies."""
        for exit_id in exit_ids:
            key, record = exit_id.partition("/")[0], self.exits.get(exit_id)
            proxy = self.catalog.get(key)
            if proxy is None or record is None:
                continue
            if record.is_answered:
                self.proxy_cooldowns.recall(key)
            if proxy.is_gateway and key == exit_id and record.cooldown_until:
                # The record of a gateway has a cool-down only if the gateway asked for it itself.
                self.proxy_cooldowns.ask(key, record.cooldown_until)

    def part(self, proxies: Mapping[str, Proxy]) -> None:
        """*proxies*, by their keys, have left: their sessions are not used until they come back."""
        for session in self.sessions.values():
            if session.proxy_key in proxies:
                self._site_sessions.take_off_work(session)
        self.proxy_cooldowns.part(proxies)
        if self.learner:
            self.learner.part(proxies)
        self.drought.part(proxies)

    def welcome(self, proxies: Mapping[str, Proxy], *, are_new: bool) -> None:
        """*proxies*, by their keys, have come, or come back; if not *are_new*, they have other options."""
        self.proxy_cooldowns.forget(proxies)
        self._recall_proxies(proxies)
        if self.learner:
            self.learner.welcome(proxies)
        for session in sorted(self.sessions.values(), key=age):
            if session.proxy_key not in proxies or session.is_named:
                continue
            if proxies[session.proxy_key].ttl_seconds or proxies[session.proxy_key].idle_seconds:
                # It may end earlier than noted.
                self._site_sessions.note_end(session)
            self._site_sessions.take_off_work(session)
            if not (self.learner and self.learner.held_sessions.is_held(session.name)):
                self._site_sessions.put_to_work(session)
        self.drought.welcome(proxies, self.exits, are_new=are_new)

    def _open(self, event: SessionOpened) -> list[str]:
        closed = self._site_sessions.close(self.sessions.get(event.session_name))
        if not event.is_named:
            closed += self._site_sessions.close(self._site_sessions.session_on.get(event.proxy_key))
        session = SessionRecord(
            name=event.session_name,
            proxy_key=event.proxy_key,
            exit_name=event.exit_name,
            fingerprint=event.fingerprint,
            opened_at=event.at,
            is_named=event.is_named,
        )
        self._site_sessions.admit(session)
        if session.is_named:
            self.changed.add(("session", session.name))
        return closed

    def _lease(self, event: Leased) -> list[str]:
        session = self.sessions[event.session_name]
        record, depth = self._site_sessions.exit_of(session), self.in_flight.get(session.name, 0) + 1
        number, at = 0, event.at
        session.used_at = event.at
        self.in_flight[session.name] = depth
        self.loads.begin(session.proxy_key)
        self.proxy_cooldowns.lease(session.proxy_key, event.lease)
        if self.learner:
            proxy = self.catalog.get(session.proxy_key)
            if proxy is not None:
                number, at = self.learner.use(event.lease, session, proxy, at)
        self.flights[event.lease] = Flight(session, record, at, event.is_draw, event.reach, depth, number)
        site = self.site
        site.lease_count = event.lease + 1
        site.last_proxy = session.proxy_key
        if not event.is_counted:
            self.rate_cap.count(site, event.at)
        self.changed.add(("site", ""))
        closed = self._site_sessions.close_over_age(event.at)
        self._site_sessions.forget_absent(event.at)
        return closed

    def _count(self, event: Asked) -> list[str]:
        self.rate_cap.count(self.site, event.at, event.count)
        return []

    def _report(self, event: Reported) -> list[str]:
        flight = self.flights.pop(event.lease)
        session, record = flight.session, flight.exit
        event = self._presume(event)
        verdict = event.verdict
        session.used_at = event.at
        self._land(session)
        self.loads.end(session.proxy_key)
        self.proxy_cooldowns.land(session.proxy_key, event.lease)
        self.rate_cap.count_redirects(self.site, event.redirect_count)
        is_recheck = bool(self._conclusions and self._conclusions.hear(event, flight))
        if verdict is None:
            return self._close_untried(session)
        self.changed.add(("exit", session.exit_id))
        if verdict.is_of_proxy:
            return self._hear_of_proxy(flight, event.at, verdict)
        if is_answer(verdict):
            self._note_passed(session.proxy_key, flight.at)
        record.cooldown_until = max(record.cooldown_until, min(verdict.until, event.at + LONGEST_COOLDOWN_SECONDS))
        if self.learner and verdict.outcome is Outcome.THROTTLED and not verdict.until:
            record.cooldown_until = max(record.cooldown_until, event.at + THROTTLED_SECONDS)
        if verdict.outcome is Outcome.SITE_ERROR:
            # It says nothing about the exit, not even that it works.
            self._note_bad(flight, event.at, verdict)
            return self._close_untried(session)
        if flight.at < record.last_bad_at:
            return self._close_untried(session)
        if verdict.outcome is Outcome.UNCLEAR and flight.at < record.last_unclear_at:
            return self._close_untried(session)
        record.count(verdict.outcome)
        record.last = verdict.outcome
        if verdict.outcome is Outcome.OK:
            self._succeed(flight, event.at)
            return self._conclusions.conclude(flight, event) if self._conclusions else []
        self._note_bad(flight, event.at, verdict)
        self._note_failure(flight, event.at, verdict)
        closed = self._fail(flight, event, verdict, is_recheck=is_recheck)
        if self._conclusions and event.page_number and verdict.outcome in DISPUTABLE:
            self._conclusions.compare(flight, event.page_number, verdict)
        return closed

    def _presume(self, event: Reported) -> Reported:
        """*event*, as a block if an unclear answer would never be settled."""
        if self.learner or event.verdict is None or not is_weak(event.verdict):
            return event
        presumed = msgspec.structs.replace(event.verdict, outcome=Outcome.BLOCKED)
        return msgspec.structs.replace(event, verdict=presumed)

    def _close_untried(self, session: SessionRecord) -> list[str]:
        # A session that never worked is not stored. If it stayed open, it would occupy its proxy.
        return [] if session.has_worked or session.is_named else self._site_sessions.close(session)

    def _land(self, session: SessionRecord) -> None:
        still = self.in_flight[session.name] - 1
        if still:
            self.in_flight[session.name] = still
        else:
            del self.in_flight[session.name]
        if self.learner and session.has_worked:
            self.learner.land(session)

    def _succeed(self, flight: Flight, at: float) -> None:
        session, record, site = flight.session, flight.exit, self.site
        record.last_ok_at = site.last_ok_at = at
        self.drought.succeed(self.catalog.get(session.proxy_key), at)
        self.changed.add(("site", ""))
        session.ok_count += 1
        session.unclear_count = 0
        if self.sessions.get(session.name) is not session:
            if self.learner:
                self.learner.outlast(session, record)
            return
        self.changed.add(("session", session.name))
        is_first = not session.has_worked
        session.worked_at = session.worked_at or at
        if (is_first or flight.is_draw) and not session.is_named:
            session.draw_count += 1
            if session.proxy_key in self.catalog:
                self.working.add(session)
        if is_first and self.learner:
            self.learner.work(session, record)

    def _note_passed(self, key: str, asked_at: float) -> None:
        """The site was reached through the proxy known by *key*."""
        self.proxy_cooldowns.passes(key, asked_at)
        proxy = self.catalog.get(key)
        if proxy is not None:
            self.drought.note_passed(proxy)

    def _hear_of_proxy(self, flight: Flight, at: float, verdict: Verdict) -> list[str]:
        """A proxy refused whoever comes: all of it cools down, and its session learns nothing from that."""
        session, record, key = flight.session, flight.exit, flight.session.proxy_key
        whole = self.exits.setdefault(key, ExitRecord())
        if flight.at >= whole.failed_at:
            whole.why = verdict.why
        self.changed.add(("exit", key))
        if verdict.until:
            whole.cooldown_until = max(whole.cooldown_until, min(verdict.until, at + LONGEST_COOLDOWN_SECONDS))
            self.proxy_cooldowns.busy(key, whole.cooldown_until)
        else:
            self.proxy_cooldowns.refuse(key, flight.at, at)
        if flight.at >= record.failed_at:
            self._note_bad(flight, at, verdict)
            self.drought.note_failure(self.catalog.get(key), record, verdict)
            self.drought.note_whole(self.catalog.get(key))
            record.rest_with_proxy(at, verdict, is_working=session.has_worked)
        return self._close_untried(session)

    def _note_bad(self, flight: Flight, at: float, verdict: Verdict) -> None:
        site, drought = self.site, self.drought
        self.changed.add(("site", ""))
        if at - site.last_bad_at >= DROUGHT_SECONDS:
            drought.probe_count = 0
        elif self.is_dry:
            # Only a request since the last failure is a probe; earlier ones belong to the drought.
            drought.probe_count += flight.at >= site.last_bad_at
        drought.note_bad(self.catalog.get(flight.session.proxy_key), verdict, at)
        site.last_bad_at = at

    def _note_failure(self, flight: Flight, at: float, verdict: Verdict) -> None:
        record = flight.exit
        self.drought.note_failure(self.catalog.get(flight.session.proxy_key), record, verdict)
        record.why = verdict.why
        if verdict.outcome is Outcome.UNCLEAR:
            record.last_unclear_at = at
        else:
            record.last_bad_at = at

    def _fail(self, flight: Flight, event: Reported, verdict: Verdict, *, is_recheck: bool) -> list[str]:
        session, conclusions = flight.session, self._conclusions
        if self.sessions.get(session.name) is not session:
            return []
        # If it, or other working sessions, were refused this before, it tells nothing of the session.
        session.unclear_count += not conclusions or conclusions.is_news(event.page_number, verdict)
        if session.has_worked or session.is_named:
            self.changed.add(("session", session.name))
        is_doubtful = conclusions is not None and conclusions.is_doubtful(session, event, verdict)
        if not is_doubtful and not self._is_over(session, verdict.outcome):
            return []
        if conclusions and session.has_worked:
            return conclusions.hold(flight, event, verdict, is_recheck=is_recheck)
        return self._end(session, verdict)

    @staticmethod
    def _is_over(session: SessionRecord, outcome: Outcome) -> bool:
        if not session.has_worked:
            return True
        if outcome is Outcome.UNCLEAR or (session.is_named and outcome is Outcome.PROXY_ERROR):
            return session.unclear_count >= UNCLEAR_IN_A_ROW
        return not (session.is_named and outcome is Outcome.THROTTLED)

    def _end(self, session: SessionRecord, verdict: Verdict) -> list[str]:
        # A named session that never worked from its exit loses nothing: it is opened again on another.
        if not (session.is_named and session.has_worked):
            return self._site_sessions.close(session)
        session.lost = f"{verdict.outcome}: {verdict.why}"
        return []
