"""What is known of one site: the state that events change, and that policies rank.

The theory of operation:

* A session is *open* from ``SessionOpened`` until it is blocked, throttled, failed by its proxy, unclear twice
  in a row, closed from outside, or too old. It *works* once the site has answered it well: that is the set
  that the classic algorithm stores and picks from.
* Facts attach to exits and outlive sessions. A plain proxy is one exit and has at most one open session that
  nobody named; at a gateway provider every session has an exit of its own, of which only sums remain.
* A lease binds an answer to the moment of its question. Where the question was asked before the exit's last bad
  answer, the answer is part of the same incident: it neither revives the exit nor is counted against it again.
* For a policy that learns, *lore* is kept as well. Then a session that worked and is refused is only held, until it is
  known whom to believe, and one that is throttled rests. Who was refused a page is believed to be blocked once others
  get that page, and nobody is if it is refused to them alike (*contrast*).
* Nothing is scheduled: a rest ends because ``now >= rests_until``, and the site is in a *drought* when so many
  exits failed since its last good answer that nothing seems to work.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from heapq import heappop, heappush
from random import Random
from typing import NamedTuple, assert_never

import msgspec

from proxysieve.core.catalog import Catalog
from proxysieve.core.contrast import ALIKE_COUNT, Suspect
from proxysieve.core.doubts import Incident
from proxysieve.core.events import Event, Leased, Reported, SessionClosed, SessionOpened
from proxysieve.core.hearsay import Hearsay
from proxysieve.core.loads import Loads
from proxysieve.core.lore import REFUSALS, Lore
from proxysieve.core.model import Outcome, Proxy, Reach, Scope, Verdict
from proxysieve.core.records import LATEST_AT, ExitRecord, SessionRecord, SiteRecord

# As long as an exit can be trusted to be the same: the classic's figure, which is that of Apify Proxy.
SESSION_SECONDS = 24 * 3600.0
# A browser opens six connections to a host; what a site really bears is for a policy to learn.
MAX_IN_FLIGHT = 8
# So many exits that fail in a row are no accident: even where 99 % are banned it happens once in 20,000 times.
DROUGHT_COUNT = 1000
# Some exits may never be drawn (they rest, or carry other sessions), so many bad answers tell as well; a page that
# fails by its own fault gives a handful.
BAD_ANSWERS_AN_EXIT = 3
FEWEST_BAD_ANSWERS = 50
# What nobody asked about for so long is asked about anew: bans end, and proxies come back.
DROUGHT_SECONDS = 3600.0
# A gateway provider has names without end; this many of them stand for it.
NAMES_AT_A_GATEWAY = 100
# One unclear answer is an accident; a hung proxy gives nothing else, and each costs a time-out.
UNCLEAR_IN_A_ROW = 2
# So many refusals in a row that may each be the page's own are not, whatever the pages.
REFUSALS_IN_A_ROW = 4
# Of more draws than these no chance is any different, and each takes its place in a list.
MOST_DRAWS = 100_000
# What happens by accident to any request, and says too little of a session to keep it from others.
ACCIDENTS = frozenset({"", "timeout", "reset", "tls", "certificate", "garbled", "status-502", "status-504"})
# What may be the page's own.
DISPUTABLE = frozenset({Outcome.BLOCKED, Outcome.UNCLEAR})
# How long a throttled session rests where the site does not say it: the usual window of a limit.
THROTTLED_SECONDS = 60.0


class Flight(NamedTuple):
    """A request that is out. A tuple, because one is made for every request."""

    session: SessionRecord
    exit: ExitRecord
    at: float
    is_draw: bool = False
    reach: Reach = Reach.PROVEN
    depth: int = 1
    number: int = 0


class Working:
    """The sessions that work, to be drawn from at random: each as often as it was drawn as a new one.

    They stand by age, so that the order, and with it what chance picks, does not depend on their history.
    """

    def __init__(self) -> None:
        self._sessions: list[SessionRecord] = []
        self.session_count = 0

    def add(self, session: SessionRecord, count: int = 1) -> None:
        """Add *session* so many times, also if it is there."""
        place = bisect_left(self._sessions, _age(session), key=_age)
        self.session_count += self._sessions[place : place + 1] != [session]
        self._sessions[place:place] = [session] * count

    def discard(self, session: SessionRecord) -> None:
        """Take out *session* altogether; absent does no harm."""
        place = bisect_left(self._sessions, _age(session), key=_age)
        end = bisect_right(self._sessions, _age(session), key=_age)
        self.session_count -= end > place
        del self._sessions[place:end]

    def draw(self, rng: Random) -> SessionRecord:
        """Any of them, all equally likely; there must be one."""
        return self._sessions[int(rng.random() * len(self._sessions))]

    def __iter__(self) -> Iterator[SessionRecord]:
        return iter(self._sessions)

    def __len__(self) -> int:
        return len(self._sessions)


def is_weak(verdict: Verdict) -> bool:
    """Whether *verdict* is a refusal that may as well be the page's own."""
    return verdict.outcome is Outcome.UNCLEAR and verdict.sign not in ACCIDENTS


def ends_at(session: SessionRecord, proxy: Proxy | None) -> float:
    """From when on the exit of *session*, whose proxy is *proxy*, cannot be trusted to be the same."""
    seconds = proxy.ttl_seconds if proxy else 0.0
    end = session.opened_at + min(SESSION_SECONDS, seconds or SESSION_SECONDS)
    if proxy and session.exit and proxy.idle_seconds:
        return min(end, max(session.used_at, session.opened_at) + proxy.idle_seconds)
    return end


def _age(session: SessionRecord) -> tuple[float, str]:
    return session.opened_at, session.name


class Facts:
    """The state of one site. Only :meth:`apply` changes it.

    Attributes:
        sessions: The open ones, by name.
        exits: What happened, by exit.
        flights: The requests that are out, by lease.
        in_flight: How many are out, by session name.
        changed: Kind and key of the records that differ from what was saved last.
        lore: What is learned of the site; None unless a policy asks for it.
        waiting: How many requests wait for a session, the one included for which one is chosen.
        loads: How many requests each proxy carries, those of other sites included.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        max_rate: float = 0.0,
        hearsay: Hearsay | None = None,
        loads: Loads | None = None,
    ) -> None:
        self.catalog = catalog
        self.loads = Loads() if loads is None else loads
        self.waiting = 1
        self.site = SiteRecord()
        self.sessions: dict[str, SessionRecord] = {}
        self.exits: dict[str, ExitRecord] = {}
        self.working = Working()
        self.flights: dict[int, Flight] = {}
        self.in_flight: dict[str, int] = {}
        self.changed: set[tuple[str, str]] = set()
        self.seconds_apart = 1 / max_rate if max_rate else 0.0
        # When the first of those that nobody named is too old, and its name; what has ended since counts no more.
        self._ends: list[tuple[float, str]] = []
        self._session_on: dict[str, SessionRecord] = {}
        self.lore = Lore(catalog, self.exits, hearsay, self._session_on) if hearsay is not None else None

    def is_open(self, session: SessionRecord, now: float) -> bool:
        """Whether *session* may be used again at all: its exit is there, and can be trusted to be the same."""
        proxy = self.catalog.get(session.proxy)
        if session.lost or proxy is None:
            return False
        # A plain proxy's exit stays what it is unless it is said for how long; a session that nobody named ends all
        # the same, as the classic's.
        keeps = session.pinned and not session.exit and not proxy.ttl_seconds
        return keeps or now < ends_at(session, proxy)

    def is_full(self, key: str) -> bool:
        """Whether the proxy known by *key* carries all that it may, at all sites together."""
        proxy = self.catalog.get(key) if self.catalog.limited_count else None
        return proxy is not None and self.loads.is_full(proxy)

    @property
    def is_crowded(self) -> bool:
        """Whether a proxy carries all that it may, so that others' answers will help."""
        return self.catalog.limited_count > 0 and any(self.is_full(key) for key in self.loads)

    def is_ready(self, session: SessionRecord, now: float) -> bool:
        """Whether *session* may carry one more request at *now*."""
        return (
            now >= self.rests_until(session.exit_id)
            and not (self.lore and self.lore.doubts.is_held(session.name))
            and self.in_flight.get(session.name, 0) < MAX_IN_FLIGHT
            and not self.is_full(session.proxy)
            and self.is_open(session, now)
        )

    def rests_until(self, exit_id: str) -> float:
        """Until when the site asked to leave the exit alone; at a provider that is a matter of each name."""
        record = self.exits.get(exit_id)
        return record.rests_until if record else 0.0

    @property
    def is_dry(self) -> bool:
        """Whether the site is in a drought: nothing works, and as good as everything has been tried."""
        if self.working:
            return False
        failing_count, bad_count = self._drought_counts
        return self.site.failing_count >= failing_count or self.site.bad_count >= bad_count

    @property
    def _drought_counts(self) -> tuple[int, int]:
        """How many failing exits, and how many bad answers, make a drought."""
        gateways = self.catalog.gateway_count
        reach = len(self.catalog) - gateways + gateways * NAMES_AT_A_GATEWAY
        bad_count = max(BAD_ANSWERS_AN_EXIT * reach, FEWEST_BAD_ANSWERS)
        return min(reach, DROUGHT_COUNT), min(bad_count, DROUGHT_COUNT)

    def has_failed(self, proxy: Proxy) -> bool:
        """Whether *proxy* failed since the site last answered well; a provider has other names to try."""
        record = None if proxy.is_gateway else self.exits.get(proxy.key)
        return record is not None and self.is_failing(record)

    def is_failing(self, record: ExitRecord) -> bool:
        """Whether the exit of *record* failed since the site last answered well."""
        return max(record.last_bad_at, record.last_unclear_at) > self.site.last_ok_at

    def session_on(self, proxy: Proxy, now: float) -> SessionRecord | None:
        """The open session that nobody named on a plain *proxy*, if there is one."""
        session = self._session_on.get(proxy.key)
        return session if session and self.is_open(session, now) else None

    def may_be_drawn(self, proxy: Proxy, now: float) -> bool:
        """Whether a new session may be wanted on *proxy* at *now*; one that it carries already must work for that."""
        if now < self.rests_until(proxy.key) or self.is_full(proxy.key):
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
            case SessionOpened():
                return self._open(event)
            case SessionClosed():
                return self._close(self.sessions.get(event.session))
            case _:
                assert_never(event)

    def restore(self, sessions: Iterable[SessionRecord]) -> None:
        """Take saved sessions back."""
        for session in sorted(sessions, key=_age):
            self._admit(session)
        # A name at a provider without a session had not worked yet when the process died.
        current = {session.exit_id for session in self.sessions.values()}
        for exit_id in [known for known in self.exits if "/" in known and known not in current]:
            self._sum_up(exit_id)
        self._forget_failures_of_others()
        # Who starts anew wants to know now, so the pauses begin with the first. The cap begins anew as well: if the
        # clock was wrong in an earlier run, it would hold this one for ever.
        self.site.bad_count = self.site.probe_count = 0
        self.site.next_at = 0.0

    def part(self, proxies: Mapping[str, Proxy]) -> None:
        """*proxies*, by their keys, have left: their sessions have no turns until they come back."""
        for session in self.sessions.values():
            if session.proxy in proxies:
                self._take_off_work(session)
        if self.lore:
            self.lore.part(proxies)
        self._forget_failures_of_others()

    def welcome(self, proxies: Mapping[str, Proxy], *, are_new: bool) -> None:
        """*proxies*, by their keys, have come, or come back; or they have other options, if not *are_new*."""
        if self.lore:
            self.lore.welcome(proxies)
        for session in sorted(self.sessions.values(), key=_age):
            if session.proxy not in proxies or session.pinned:
                continue
            if proxies[session.proxy].ttl_seconds or proxies[session.proxy].idle_seconds:
                # It may end before what was noted.
                self._note_end(session)
            self._take_off_work(session)
            if not (self.lore and self.lore.doubts.is_held(session.name)):
                self._put_to_work(session)
        if are_new:
            self._hope(proxies.values())

    def _hope(self, proxies: Iterable[Proxy]) -> None:
        """Let a drought wait until those of *proxies* were tried that have not failed."""
        fresh_count = 0
        for proxy in proxies:
            record = self.exits.get(proxy.key)
            if record is None or not self.is_failing(record):
                fresh_count += NAMES_AT_A_GATEWAY if proxy.is_gateway else 1
        if not fresh_count:
            return
        site, (failing_count, bad_count) = self.site, self._drought_counts
        site.failing_count = max(0, min(site.failing_count, failing_count) - fresh_count)
        site.bad_count = max(0, min(site.bad_count, bad_count) - BAD_ANSWERS_AN_EXIT * fresh_count)
        site.probe_count = 0
        self.changed.add(("site", ""))

    def _forget_failures_of_others(self) -> None:
        """Let a drought be one of the proxies that there are now: who brings fresh ones must not wait for its end."""
        failing = 0
        for exit_id, record in self.exits.items():
            proxy = self.catalog.get(exit_id.partition("/")[0])
            if proxy and self.is_failing(record):
                failing += NAMES_AT_A_GATEWAY if proxy.is_gateway else 1
        self.site.failing_count = min(self.site.failing_count, failing)

    def _open(self, event: SessionOpened) -> list[str]:
        closed = self._close(self.sessions.get(event.session))
        if not event.pinned:
            closed += self._close(self._session_on.get(event.proxy))
        session = SessionRecord(
            name=event.session,
            proxy=event.proxy,
            exit=event.exit,
            identity=event.identity,
            opened_at=event.at,
            pinned=event.pinned,
        )
        self._admit(session)
        if session.pinned:
            self.changed.add(("session", session.name))
        return closed

    def _admit(self, session: SessionRecord) -> None:
        self.sessions[session.name] = session
        if session.pinned:
            return
        self._note_end(session)
        if not session.exit:
            self._session_on[session.proxy] = session
        self._put_to_work(session)

    def _put_to_work(self, session: SessionRecord) -> None:
        if session.proxy not in self.catalog:
            # It is kept in case that its proxy comes back, but works for nobody.
            return
        if session.draw_count:
            self.working.add(session, min(session.draw_count, MOST_DRAWS))
        if self.lore and session.draw_count:
            self.lore.work(session, self._exit_of(session))

    def _close(self, session: SessionRecord | None) -> list[str]:
        if session is None or self.sessions.get(session.name) is not session:
            return []
        del self.sessions[session.name]
        if session.has_worked or session.pinned:
            self.changed.add(("session", session.name))
        self._take_off_work(session)
        if self.lore:
            self.lore.leave(session, self.exits.get(session.exit_id))
        if self._session_on.get(session.proxy) is session:
            del self._session_on[session.proxy]
        if session.exit_id in self.exits and session.exit:
            self._sum_up(session.exit_id)
        return [session.name]

    def _take_off_work(self, session: SessionRecord) -> None:
        self.working.discard(session)
        if self.lore:
            self.lore.stop(session)

    def _exit_of(self, session: SessionRecord) -> ExitRecord:
        record = self.exits.get(session.exit_id)
        if record is None:
            record = self.exits[session.exit_id] = ExitRecord()
        return record

    def _sum_up(self, exit_id: str) -> None:
        proxy = exit_id.partition("/")[0]
        self.exits.setdefault(proxy, ExitRecord()).absorb(self.exits.pop(exit_id))
        self.changed |= {("exit", exit_id), ("exit", proxy)}
        if self.lore:
            self.lore.forget_exit(exit_id)

    def _lease(self, event: Leased) -> list[str]:
        session = self.sessions[event.session]
        record, depth = self._exit_of(session), self.in_flight.get(session.name, 0) + 1
        number, at = 0, event.at
        session.used_at = event.at
        self.in_flight[session.name] = depth
        self.loads.begin(session.proxy)
        if self.lore:
            proxy = self.catalog.get(session.proxy)
            if proxy is not None:
                number, at = self.lore.use(event.lease, session, proxy, at)
        self.flights[event.lease] = Flight(session, record, at, event.is_draw, event.reach, depth, number)
        site = self.site
        site.lease_count = event.lease + 1
        site.last_proxy = session.proxy
        site.next_at = max(site.next_at, event.at) + self.seconds_apart
        self.changed.add(("site", ""))
        return self._close_over_age(event.at)

    def _close_over_age(self, now: float) -> list[str]:
        closed: list[str] = []
        while self._ends and self._ends[0][0] <= now:
            _, name = heappop(self._ends)
            session = self.sessions.get(name)
            if session is None or session.pinned:
                continue
            if ends_at(session, self.catalog.get(session.proxy)) > now:
                # It is another of that name, or was used since, or may live longer than was noted.
                self._note_end(session)
            else:
                closed += self._close(session)
        return closed

    def _note_end(self, session: SessionRecord) -> None:
        heappush(self._ends, (ends_at(session, self.catalog.get(session.proxy)), session.name))

    def _report(self, event: Reported) -> list[str]:
        flight = self.flights.pop(event.lease)
        session, record = flight.session, flight.exit
        event = self._presume(event)
        verdict = event.verdict
        session.used_at = event.at
        self._land(session)
        self.loads.end(session.proxy)
        self.site.next_at += event.redirect_count * self.seconds_apart
        is_trial = bool(self.lore and self._hear(self.lore, event, flight))
        if verdict is None:
            return self._close_untried(session)
        self.changed.add(("exit", session.exit_id))
        record.rests_until = max(record.rests_until, min(verdict.until, LATEST_AT))
        if self.lore and verdict.outcome is Outcome.THROTTLED and not verdict.until:
            record.rests_until = max(record.rests_until, event.at + THROTTLED_SECONDS)
        if verdict.outcome is Outcome.SITE_ERROR:
            # It says nothing about the exit, not even that it works.
            self._note_bad(flight, event.at)
            return self._close_untried(session)
        if flight.at < record.last_bad_at:
            return self._close_untried(session)
        if verdict.outcome is Outcome.UNCLEAR and flight.at < record.last_unclear_at:
            return self._close_untried(session)
        record.count(verdict.outcome)
        record.last = verdict.outcome
        if verdict.outcome is Outcome.OK:
            self._succeed(flight, event.at)
            return self._believe(self.lore, flight, event) if self.lore else []
        self._note_bad(flight, event.at)
        self._note_failure(record, event.at, verdict)
        closed = self._fail(flight, event, verdict, is_trial=is_trial)
        if self.lore and event.page and verdict.outcome in DISPUTABLE:
            self._compare(self.lore, flight, event.page, verdict)
        return closed

    def _presume(self, event: Reported) -> Reported:
        """*event*, with a block for a doubt where nobody would ever tell."""
        if self.lore or event.verdict is None or not is_weak(event.verdict):
            return event
        presumed = msgspec.structs.replace(event.verdict, outcome=Outcome.BLOCKED)
        return msgspec.structs.replace(event, verdict=presumed)

    @staticmethod
    def _is_presumed(lore: Lore, event: Reported, session: SessionRecord) -> bool:
        """Whether an exit that never worked is taken for blocked until others tell, and so not tried again."""
        if session.has_worked or not event.page or event.verdict is None or not is_weak(event.verdict):
            return False
        return not lore.contrast.is_usually_own(event.verdict.sign)

    def _compare(self, lore: Lore, flight: Flight, page: int, verdict: Verdict) -> None:
        """Ask who else was refused *page*."""
        session, sign = flight.session, verdict.sign or verdict.outcome
        is_presumed = not session.has_worked and (verdict.outcome is Outcome.BLOCKED or is_weak(verdict))
        suspect = Suspect(
            session.name, session.exit_id, session.proxy, sign, flight.at, session.has_worked, is_presumed
        )
        if lore.contrast.fail(page, suspect) >= ALIKE_COUNT:
            lore.doubts.suspect(page)
        if lore.contrast.is_own(page, sign):
            self._acquit(lore, page, sign)

    def _acquit(self, lore: Lore, page: int, sign: str) -> None:
        """*page* itself bears *sign*: whoever was refused it is not to blame."""
        for incident in lore.doubts.take_page(page):
            self._release(lore, incident)
        for suspect in lore.contrast.own(page, sign):
            record, proxy = self.exits.get(suspect.exit_id), self.catalog.get(suspect.proxy)
            if not record or not proxy or proxy.is_gateway:
                continue
            if record.last is Outcome.BLOCKED:
                record.blocked_count -= 1
                record.unclear_count += 1
                record.last, record.last_bad_at = Outcome.UNCLEAR, 0.0
                self.changed.add(("exit", suspect.exit_id))
            elif not suspect.is_presumed:
                continue
            lore.supply.acquit(proxy, record)

    def _convict(self, lore: Lore, suspect: Suspect, at: float) -> None:
        """Others got what was refused to *suspect*, of which nothing else is known."""
        record, proxy = self.exits.get(suspect.exit_id), self.catalog.get(suspect.proxy)
        if not record or not proxy or record.is_judged or suspect.proxy in self._session_on:
            return
        if not suspect.is_presumed and not lore.contrast.others_got_through(suspect.asked_at):
            # The site may have been down.
            return
        record.unclear_count -= 1
        record.count(Outcome.BLOCKED)
        record.last, record.last_bad_at = Outcome.BLOCKED, max(record.last_unclear_at, suspect.asked_at)
        self.changed.add(("exit", suspect.exit_id))
        if not suspect.is_presumed:
            lore.supply.convict(proxy, record, at)

    def _hear(self, lore: Lore, event: Reported, flight: Flight) -> bool:
        """Learn what any answer tells, also that to a question asked before the exit's last bad one.

        Returns:
            Whether the fate of those who are suspected hangs on it.
        """
        self.changed.add(("lore", ""))
        session, record, outcome = flight.session, flight.exit, event.verdict.outcome if event.verdict else None
        is_late, proxy = flight.at < record.last_bad_at, self.catalog.get(session.proxy)
        if event.verdict and not is_late and outcome in DISPUTABLE:
            record.scope = event.verdict.scope
        is_trial = lore.doubts.end(event.lease, event.at, is_ok=outcome is Outcome.OK)
        heard = Outcome.BLOCKED if self._is_presumed(lore, event, session) else outcome
        lore.supply.end(event.lease, proxy, None if is_late else heard, record, event.at)
        if outcome is Outcome.OK:
            lore.supply.answer_well(event.at - flight.at)
            lore.wear.serve(session.exit_id, flight.number)
            if is_late and flight.reach:
                lore.wear.bear(session.exit_id, flight.at, event.at)
            return is_trial
        if event.verdict is not None and flight.reach < Reach.PAST_LIMIT:
            lore.doubt(event.lease, session, event.verdict, event.page, flight.at, event.at)
        if is_late and outcome in REFUSALS:
            lore.doubts.refine(session.name, flight.at, flight.number)
        return is_trial

    def _believe(self, lore: Lore, flight: Flight, event: Reported) -> list[str]:
        """What a good answer says about others; the sessions that end with it."""
        session, at = flight.session, event.at
        if lore.doubts.is_held(session.name) and flight.at > lore.doubts.refused_at(session.name):
            self._release_alike(lore, session.name)
        believed = lore.doubts.succeed(flight.at, event.page)
        for incident in lore.doubts.take_forgiven(flight.at):
            self._release(lore, incident)
        if event.page:
            for suspect in lore.contrast.succeed(event.page, session.exit_id, flight.at):
                self._convict(lore, suspect, at)
        for page, sign in lore.contrast.confirm(session.name, flight.at):
            self._acquit(lore, page, sign)
        proxy = self.catalog.get(session.proxy)
        network = proxy.network if proxy else ""
        lore.wear.answer_well(network, flight.at)
        if flight.reach and proxy:
            lore.wear.prove(session.exit_id, network, flight.number, flight.at, flight.depth, at)
        return [name for incident in believed for name in self._condemn(lore, incident, at)]

    def _release_alike(self, lore: Lore, name: str) -> None:
        """The session called *name* is not to blame, and nobody who was refused the same."""
        page = lore.doubts.page_of(name)
        for incident in lore.doubts.take_page(page) if page else lore.doubts.take_all():
            self._release(lore, incident)

    def _release(self, lore: Lore, incident: Incident) -> None:
        session = incident.session
        session.lost, session.unclear_count = "", 0
        incident.exit.last = Outcome.OK
        self._note_settled(session)
        if self.sessions.get(session.name) is session and not session.pinned:
            self._put_to_work(session)
        proxy = self.catalog.get(session.proxy)
        if proxy:
            lore.supply.carry(proxy)

    def _condemn(self, lore: Lore, incident: Incident, at: float) -> list[str]:
        """It was."""
        record = incident.exit
        if incident.was_unclear and record.last is Outcome.UNCLEAR:
            # It was a block after all, as others got the page.
            record.unclear_count -= 1
            record.count(Outcome.BLOCKED)
        record.last = incident.outcome
        self._note_settled(incident.session)
        lore.believe(incident, at)
        if record.scope is Scope.SESSION and incident.outcome is Outcome.BLOCKED:
            # Its exit was not meant; another visitor from there may pass.
            record.last = Outcome.UNCLEAR
        return [] if incident.session.pinned else self._close(incident.session)

    def _note_settled(self, session: SessionRecord) -> None:
        """It is known whether *session*, which was held, is to blame: that is to be saved, of its exit as well."""
        if self.sessions.get(session.name) is session:
            self.changed |= {("session", session.name), ("exit", session.exit_id)}

    def _close_untried(self, session: SessionRecord) -> list[str]:
        # A session that was never answered well is not stored, and left open it would keep its proxy from others.
        return [] if session.has_worked or session.pinned else self._close(session)

    def _land(self, session: SessionRecord) -> None:
        still = self.in_flight[session.name] - 1
        if still:
            self.in_flight[session.name] = still
        else:
            del self.in_flight[session.name]
        if self.lore and session.has_worked:
            self.lore.land(session)

    def _succeed(self, flight: Flight, at: float) -> None:
        session, record, site = flight.session, flight.exit, self.site
        record.last_ok_at = site.last_ok_at = at
        site.failing_count = site.bad_count = site.probe_count = 0
        self.changed.add(("site", ""))
        session.ok_count += 1
        session.unclear_count = 0
        if self.sessions.get(session.name) is not session:
            return
        self.changed.add(("session", session.name))
        is_first = not session.has_worked
        session.worked_at = session.worked_at or at
        if (is_first or flight.is_draw) and not session.pinned:
            session.draw_count += 1
            if session.proxy in self.catalog:
                self.working.add(session)
        if is_first and self.lore:
            self.lore.work(session, record)

    def _note_bad(self, flight: Flight, at: float) -> None:
        site = self.site
        self.changed.add(("site", ""))
        if at - site.last_bad_at >= DROUGHT_SECONDS:
            site.failing_count = site.bad_count = site.probe_count = 0
        if self.is_dry:
            # Only what was asked since the last failure is a probe; what was out before belongs to the drought.
            site.probe_count += flight.at >= site.last_bad_at
        site.bad_count += 1
        site.last_bad_at = at

    def _note_failure(self, record: ExitRecord, at: float, verdict: Verdict) -> None:
        if not self.is_failing(record):
            self.site.failing_count += 1
        record.why = verdict.why
        if verdict.outcome is Outcome.UNCLEAR:
            record.last_unclear_at = at
        else:
            record.last_bad_at = at

    def _fail(self, flight: Flight, event: Reported, verdict: Verdict, *, is_trial: bool) -> list[str]:
        session = flight.session
        if self.sessions.get(session.name) is not session:
            return []
        # What was refused before, to it or to others that work, is no news of the session.
        is_news = not (self.lore and is_weak(verdict) and self.lore.contrast.is_disputed(event.page, verdict.sign))
        session.unclear_count += is_news
        if session.has_worked or session.pinned:
            self.changed.add(("session", session.name))
        is_doubtful = self._is_doubtful(session, event, verdict)
        if not is_doubtful and not self._is_over(session, verdict.outcome):
            return []
        if self.lore and session.has_worked:
            return self._hold(self.lore, flight, event, verdict, is_trial=is_trial)
        return self._end(session, verdict)

    def _is_doubtful(self, session: SessionRecord, event: Reported, verdict: Verdict) -> bool:
        """Whether others are to tell at once what an unclear answer means, so that *session* is not used meanwhile."""
        if not self.lore or not event.page or not session.has_worked or session.pinned or not is_weak(verdict):
            return False
        return not self.lore.contrast.is_usually_own(verdict.sign)

    def _hold(self, lore: Lore, flight: Flight, event: Reported, verdict: Verdict, *, is_trial: bool) -> list[str]:
        """Wait with the end of a session until it is known whom to believe, unless it is known already."""
        session, outcome, at = flight.session, verdict.outcome, event.at
        blocked = lore.blocked(session, flight.at, flight.number, is_expected=flight.reach >= Reach.AHEAD)
        page = 0 if self._is_sure(lore, event.page, verdict) else event.page
        # At the end of a crawl nothing but pages may be left that are nobody's to see.
        is_doubtful = bool(page) and is_weak(verdict) and session.unclear_count < REFUSALS_IN_A_ROW
        meant = Outcome.BLOCKED if is_weak(verdict) else outcome
        incident = Incident(session, flight.exit, meant, at, blocked, page, is_doubtful, is_weak(verdict))
        if outcome is Outcome.THROTTLED:
            # That the site says so itself leaves no doubt.
            lore.believe(incident, at)
            if lore.doubts.is_held(session.name):
                self._release_alike(lore, session.name)
            return []
        if lore.doubts.is_held(session.name):
            # It was given another chance, which tells nothing while all fail, or of the same page.
            if not is_trial or lore.doubts.alarm_at or (page and page == lore.doubts.page_of(session.name)):
                return []
            if lore.doubts.postpone(session.name, at):
                return []
            doomed = lore.doubts.take(session.name)
            if is_doubtful:
                # Now that page is the question.
                lore.doubts.hold(incident)
                return []
            return [name for one in doomed for name in self._condemn(lore, one, at)]
        self._take_off_work(session)
        if session.pinned:
            session.lost = f"{outcome}: {verdict.why}"
        if flight.reach is Reach.PAST_LIMIT and not lore.doubts.alarm_at and not is_doubtful:
            # It was to be expected.
            return self._condemn(lore, incident, at)
        lore.doubts.hold(incident)
        return []

    @staticmethod
    def _is_sure(lore: Lore, page: int, verdict: Verdict) -> bool:
        """Whether it does not depend on the page what *verdict* means."""
        if verdict.outcome is not Outcome.BLOCKED and not is_weak(verdict):
            return True
        return lore.contrast.is_trusted(page, verdict.sign or verdict.outcome, is_weak=is_weak(verdict))

    @staticmethod
    def _is_over(session: SessionRecord, outcome: Outcome) -> bool:
        if not session.has_worked:
            return True
        if outcome is Outcome.UNCLEAR or (session.pinned and outcome is Outcome.PROXY_ERROR):
            return session.unclear_count >= UNCLEAR_IN_A_ROW
        return not (session.pinned and outcome is Outcome.THROTTLED)

    def _end(self, session: SessionRecord, verdict: Verdict) -> list[str]:
        # A name that never worked from its exit has lost nothing by it: it is opened anew, on another.
        if not (session.pinned and session.has_worked):
            return self._close(session)
        session.lost = f"{verdict.outcome}: {verdict.why}"
        return []
