"""One site's desk: where requests queue up for its sessions, and hand them back."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from hashlib import blake2b
from http.cookiejar import Cookie
from random import Random
from types import TracebackType
from typing import NamedTuple, Self

import msgspec

from proxysieve.clock import Clock
from proxysieve.core.events import Asked, Event, Reported, SessionClosed
from proxysieve.core.model import Exchange, Outcome, Proxy, Verdict
from proxysieve.core.records import Record, decode
from proxysieve.core.robots.asking import fact_in
from proxysieve.core.site.engine import Engine, Lost, Pick, SiteStatus, Wait
from proxysieve.core.verdicts.judge import Judge, SignFunction
from proxysieve.core.verdicts.likeness import UNLIKE, Likeness, LikenessRecord, traits_of
from proxysieve.core.verdicts.logins import redacted_answer
from proxysieve.errors import ProxySieveError
from proxysieve.judging.samples import Samples
from proxysieve.pool.errors import NoSessionAvailable
from proxysieve.pool.saved_storage import SavedStorage
from proxysieve.pool.waiting import Patience, Waiters
from proxysieve.sessions.clients import Clients
from proxysieve.sessions.session import Session
from proxysieve.sessions.storage import OWN_KINDS

log = logging.getLogger("proxysieve")

REPORTED_TWICE = "this lease was reported already; another request needs another lease"


class Lease:
    """The right to send one request with one session: taken before it, reported after it.

    Attributes:
        session: What to send it with.
        exit_id: What the exit of the session is known by.
        had_worked: Whether the session had been answered well before.
        started_at: Unix seconds.
    """

    def __init__(
        self, site_queue: SiteQueue, number: int, session: Session, *, exit_id: str, had_worked: bool, started_at: float
    ) -> None:
        self.exit_id = exit_id
        self._site_queue = site_queue
        self._number = number
        self._is_out = True
        self.session = session
        self.had_worked = had_worked
        self.started_at = started_at

    def report(self, exchange: Exchange, *extra_signs: SignFunction) -> Verdict:
        """Judge *exchange*, by *extra_signs* after all others, and learn from it. Its ``at`` may be left out."""
        if not self._is_out:
            raise ProxySieveError(REPORTED_TWICE)
        self._is_out = False
        exchange = self.take_note(exchange)
        verdict = self._site_queue.judge_page(exchange, extra_signs)
        return self._site_queue.take_back(self._number, self.session, verdict, exchange)

    def report_aside(self, exchange: Exchange) -> Verdict:
        """Judge *exchange*, which brought no page, as robots.txt is none: only what came before the site is learned."""
        if not self._is_out:
            raise ProxySieveError(REPORTED_TWICE)
        self._is_out = False
        exchange = self.take_note(exchange)
        return self._site_queue.take_back_aside(self._number, self.session, exchange, had_worked=self.had_worked)

    def follow_up(self, exchange: Exchange, *extra_signs: SignFunction, is_counted: bool = False) -> Verdict:
        """Judge what the session went on to ask for by itself after the report, and learn from it.

        Nobody was asked for that request, but it was made and counts, unless it *is_counted* already, by the session's
        ``note_requests``. Of a session that ended meanwhile it is judged and no more.
        """
        if self._is_out:
            raise ProxySieveError("what follows an answer is reported after it")
        exchange = self.take_note(exchange)
        verdict = self._site_queue.judge_page(exchange, extra_signs)
        return self._site_queue.take_in(self.session, verdict, exchange, is_counted=is_counted)

    def take_note(self, exchange: Exchange) -> Exchange:
        """*exchange* with the moment of its answer, if that is missing, and without the login at its proxy."""
        exchange = redacted_answer(exchange, self.session.proxy_login)
        return msgspec.structs.replace(exchange, at=exchange.at or self._site_queue.clock.now())

    def keep(self) -> None:
        """Have the session's cookies and data saved, where they changed since the report."""
        self._site_queue.keep(self.session)

    def drop(self) -> None:
        """Give the lease back without a word on the session: what happened was not its doing."""
        if not self._is_out:
            raise ProxySieveError(REPORTED_TWICE)
        self._is_out = False
        self._site_queue.drop(self._number, self.session)

    def has_others(self, avoided: Collection[str]) -> bool:
        """Whether a request that failed on the *avoided* exits, by id, may yet be sent through others."""
        return self._site_queue.engine.has_others(avoided)

    def end_session(self) -> None:
        """Never use the session again, whatever its requests brought."""
        self._site_queue.close_session(self.session.name)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_out:
            self.drop()
            if error is None:
                raise ProxySieveError("a request ended without check() or report(): say what came back")

    def __repr__(self) -> str:
        return f"<Lease of {self.session}>"


class LeaseRequest(NamedTuple):
    """What a request wants of the engine; see :meth:`SiteQueue.lease`."""

    name: str
    prefer: str
    page: int
    avoided: Collection[str]
    behind: int


class SiteQueue:
    """The waiting around one site's engine.

    Args:
        engine: It decides.
        clock: The time by which it does.
        rng: The chance by which it does.
        judge: What judges answers.
        samples: Where pages go by which a sign came under suspicion.
        clients: Where the sessions' clients live.
        records: What the store kept of the site.
        likeness: Whether a page is doubted that is unlike the good ones of its site.
        cookies: What each session starts with.
        on_free: Is told when a proxy that carried all that it may can carry one request more, here or elsewhere.

    Raises:
        msgspec.DecodeError: A record is damaged.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Clock,
        rng: Random,
        judge: Judge,
        clients: Clients,
        samples: Samples,
        records: Sequence[Record] = (),
        likeness: bool = True,
        cookies: Sequence[Cookie] = (),
        on_free: Callable[[], None] = lambda: None,
    ) -> None:
        self.engine = engine
        if str(engine.changed_fingerprints):
            log.warning("%s: %s", engine.site, engine.changed_fingerprints)
        self._on_free = on_free
        self.clock = clock
        self.judge = judge
        self.suspicions: dict[str, str] = {}
        self._samples = samples
        self._cookies = cookies
        self._rng = rng
        self._clients = clients
        self._sessions: dict[str, Session] = {}
        self._kept = SavedStorage(engine.site, records, engine.state.sessions)
        self._likeness = self._load_likeness(records) if likeness else None
        self._changed: asyncio.Event | None = None
        self._is_closing = False
        # One queue for all who take any session, and one for each session that has a name.
        self._queues: defaultdict[str, Waiters] = defaultdict(Waiters)

    async def lease(
        self,
        name: str = "",
        *,
        prefer: str = "",
        max_wait_seconds: float,
        until: float | None = None,
        page: int = 0,
        avoided: Collection[str] = (),
        behind: int = 0,
    ) -> Lease:
        """A lease, as soon as the engine grants one; first come, first served.

        Args:
            page: What it is for.
            avoided: The exits, by id, on which the request has failed; used again only where there is nobody else.
            behind: How many more requests wait for the answer.
            name: Of a session, to use that one and no other.
            prefer: Of a session, to use that one if it may be used when this request is at the head.
            max_wait_seconds: How long it may take until something is due where nothing works; all the time counts
                that only time could help, however often the engine was asked in it.
            until: The moment from which on it waits no more, whatever for.

        Raises:
            NoSessionAvailable: Nothing is due within that time, or the named session has lost its exit.
        """
        queue, asked_at = self._queues[name], self.clock.now()
        place = queue.enter()
        patience = Patience(asked_at, max_wait_seconds, until)
        # The one at the head may be given what is not worth it for itself alone.
        if not name:
            self.wake()
        try:
            if not place.is_set():
                await self.clock.wait(place, until)
                if not place.is_set():
                    raise self._overdue("others came first", None, patience)
            pick = await self._pick(queue, patience, LeaseRequest(name, prefer, page, avoided, behind))
            if pick.opened:
                self._apply(pick.opened)
            self._apply(pick.leased)
        finally:
            queue.leave(place)
            if name and not queue.count:
                # Users may name sessions without end.
                self._queues.pop(name, None)
        leased = pick.leased
        record = self.engine.state.flights[leased.lease].session
        session = self._session(leased.session_name)
        self._clients.hold(session)
        log.debug("%s: %s; %s %s", session.site, pick.why, "opened" if pick.opened else "picked", session)
        return Lease(
            self,
            leased.lease,
            session,
            exit_id=record.exit_id,
            had_worked=record.has_worked,
            started_at=leased.at,
        )

    def judge_page(self, exchange: Exchange, extra_signs: Sequence[SignFunction] = ()) -> Verdict:
        """What *exchange* says, by all signs and then by how the site's pages look; it never raises."""
        verdict = self.judge.judge(exchange, *extra_signs)
        if self._likeness is None:
            return verdict
        try:
            return self._likeness.judge(exchange, verdict, is_expected=bool(extra_signs))
        except Exception:
            # What is found out by looks is only ever a doubt, and not worth a page.
            log.warning("%s: how a page looks cannot be found out", self.engine.site, exc_info=True)
            return verdict

    def accept(self, exchange: Exchange) -> None:
        """Take the page of *exchange* for good after all: those that look like it are not doubted again."""
        if self._likeness and exchange.body:
            self._likeness.accept(traits_of(exchange))

    def take_back(self, lease: int, session: Session, verdict: Verdict, exchange: Exchange) -> Verdict:
        """The request of *lease* brought *exchange*, which was judged; the verdict, or what it comes to by contrast."""
        # What other methods ask for is not told by the address.
        page = page_number(exchange.url) if exchange.method.upper() == "GET" else 0
        alarm = self.engine.alarm_sign
        # What is known of the page already says nothing of the session, nor of others who were refused it.
        known = self.engine.settle(page, verdict)
        compared = page if known is verdict else 0
        self._end(Reported(self.clock.now(), lease, known, exchange.redirect_count, compared), session)
        settled = self.engine.settle(compared, known)
        log.debug("%s: %s was %s %s", session.site, session, settled.outcome, settled.why)
        if verdict.sign == UNLIKE and settled.outcome is Outcome.OK:
            self.accept(exchange)
        elif verdict.outcome is Outcome.BLOCKED and settled is not verdict:
            self._question(session, exchange, verdict, "calls pages blocks to sessions that work elsewhere")
        elif verdict.outcome is Outcome.BLOCKED and alarm is None and self.engine.alarm_sign == verdict.sign:
            self._question(session, exchange, verdict, "refuses sessions that worked a moment ago, all over the pool")
        elif verdict.outcome is Outcome.BLOCKED and self.engine.is_postponed(session.name, self.clock.now()):
            why = "refuses who worked a moment ago, while nobody else is answered well"
            self._question(session, exchange, verdict, why)
        return settled

    def take_back_aside(self, lease: int, session: Session, exchange: Exchange, *, had_worked: bool) -> Verdict:
        """The request of *lease* brought *exchange*, which is no page; the verdict."""
        verdict = self.judge.judge(exchange)
        fact = fact_in(verdict, exchange.status, had_worked=had_worked)
        self._end(Reported(self.clock.now(), lease, fact, exchange.redirect_count), session)
        log.debug("%s: %s was %s %s, asked aside", session.site, session, verdict.outcome, verdict.why)
        return verdict

    def take_in(self, session: Session, verdict: Verdict, exchange: Exchange, *, is_counted: bool) -> Verdict:
        """The same for a request that *session* made without a lease."""
        if self._sessions.get(session.name) is not session:
            return verdict
        leased = self.engine.leased(session.name, self.clock.now(), is_counted=is_counted)
        self._apply(leased)
        self._clients.hold(session)
        return self.take_back(leased.lease, session, verdict, exchange)

    def count(self, request_count: int) -> None:
        """The site was asked for so many things more, by whomever: they count against its cap from now on."""
        # Nobody is woken: it can only make them wait longer.
        self.engine.apply(Asked(self.clock.now(), request_count))

    def keep(self, session: Session) -> None:
        """Have the cookies and data of *session* saved, if they changed."""
        if self._sessions.get(session.name) is session:
            self._kept.note_use(session.name)

    def drop(self, lease: int, session: Session) -> None:
        """The request of *lease* is over, and says nothing of the session."""
        self._end(Reported(self.clock.now(), lease, None), session)

    def _end(self, reported: Reported, session: Session) -> None:
        was_full = self.engine.state.is_full(session.proxy.key)
        self._apply(reported)
        if was_full:
            self._on_free()
        self._clients.release(session)
        # Its answer may have set cookies, and its user data.
        self._kept.note_use(session.name)

    def _question(self, session: Session, exchange: Exchange, verdict: Verdict, why: str) -> None:
        """Say that a sign may be mistaken, and show by what; nobody is given up for it meanwhile."""
        if verdict.sign in self.suspicions:
            return
        path = self._samples.keep(self.engine.site, exchange, verdict, session.proxy_login)
        sample = f" (sample: {path})" if path else ""
        self.suspicions[verdict.sign] = f"the sign {verdict.sign} {why}{sample}"
        log.warning("%s: %s; the sessions are kept", self.engine.site, self.suspicions[verdict.sign])

    def close_session(self, name: str) -> None:
        """Never use the session called *name* again."""
        self._apply(SessionClosed(self.clock.now(), name))

    def part(self, proxies: Mapping[str, Proxy]) -> None:
        """*proxies*, by their keys, have left: nobody picks them any more, and what they carry may end."""
        self.engine.part(proxies)
        for session in self._sessions.values():
            if session.proxy.key in proxies:
                self._clients.end(session)
        self.wake()

    def welcome(self, proxies: Mapping[str, Proxy], *, are_new: bool = True) -> None:
        """*proxies*, by their keys, have come, or come back; or they have other options, if not *are_new*."""
        self.engine.welcome(proxies, are_new=are_new)
        for session in self._sessions.values():
            session.proxy = proxies.get(session.proxy.key, session.proxy)
        self.wake()

    def change(self, before: Mapping[str, Proxy], now: Mapping[str, Proxy]) -> None:
        """The same proxies, by their keys, have other options *now*."""
        self.engine.part(before)
        self.welcome(now, are_new=False)

    def drain(self) -> None:
        """Grant no more leases; those who wait for one are told so."""
        self._is_closing = True
        self.wake()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way, waited for, or not saved yet."""
        state = self.engine.state
        is_waited_for = any(queue.count for queue in self._queues.values())
        is_unsaved = state.changed or self._kept.may_have_changed or (self._likeness and self._likeness.are_to_be_saved)
        return not (state.flights or is_unsaved or is_waited_for)

    def close(self) -> None:
        """Let go of the sessions' clients; what is known stands in the store."""
        for session in self._sessions.values():
            self._clients.end(session)

    def status(self) -> SiteStatus:
        """How many stand where now."""
        return self.engine.status(self.clock.now())

    def take_changes(self) -> list[Record]:
        """What must be saved since this was asked last."""
        storage = self._kept.take_changes(self._sessions)
        return [*self.engine.take_changes(), *storage, *self._take_likeness()]

    def keep_changed(self, record: Record) -> None:
        """What :meth:`take_changes` gave could not be saved: give it again next time."""
        if record.kind in OWN_KINDS:
            self._kept.keep_changed(record)
        elif self._likeness and record.kind == "looks":
            self._likeness.call_for_saving()
        else:
            self.engine.state.changed.add((record.kind, record.key))

    async def _pick(self, queue: Waiters, patience: Patience, wanted: LeaseRequest) -> Pick:
        while not self._is_closing:
            now = self.clock.now()
            choice = self._choose(queue, wanted, now)
            if isinstance(choice, Pick):
                queue.hopeless_since = None
                return choice
            if isinstance(choice, Lost):
                why = f"the exit of session {wanted.name!r} is lost ({choice.why}); renew() gives it another"
                raise NoSessionAvailable(self.engine.site, why, retry_at=None)
            self._check_hope(queue, choice, now, patience)
            # One for all who wait, and none while nobody does: most requests are granted at once.
            self._changed = self._changed or asyncio.Event()
            await self.clock.wait(self._changed, patience.first(choice.until))
        raise NoSessionAvailable(self.engine.site, "the pool is being closed", retry_at=None)

    def _choose(self, queue: Waiters, wanted: LeaseRequest, now: float) -> Pick | Wait | Lost:
        if wanted.name:
            return self.engine.choose_named(wanted.name, now, self._rng)
        again = self.engine.choose_again(wanted.prefer, now) if wanted.prefer else None
        return again or self.engine.choose(now, self._rng, queue.count + wanted.behind, wanted.page, wanted.avoided)

    def _check_hope(self, queue: Waiters, wait: Wait, now: float, patience: Patience) -> None:
        """Raise if *wait* is hopeless and takes longer than *patience* would, or if that has ended."""
        if not wait.is_hopeless:
            queue.hopeless_since = None
            if patience.ends_before(now):
                raise self._overdue(wait.why, wait.until, patience)
            return
        if queue.hopeless_since is None:
            queue.hopeless_since = now
        # An engine may look again in short steps, so it is the sum of them that counts; and whoever stood behind
        # others has waited as long as they have.
        since = max(queue.hopeless_since, patience.asked_at)
        is_too_long = wait.until is None or wait.until - since > patience.max_wait_seconds
        if is_too_long or patience.ends_before(wait.until):
            waited = f", for {now - since:.0f} s now" if now - since >= 1 else ""
            raise NoSessionAvailable(self.engine.site, f"{wait.why}{waited} ({self.status()})", retry_at=wait.until)

    def _overdue(self, why: str, due_at: float | None, patience: Patience) -> NoSessionAvailable:
        waited = f"{why}, and the deadline came after {self.clock.now() - patience.asked_at:.0f} s"
        return NoSessionAvailable(self.engine.site, f"{waited} ({self.status()})", retry_at=due_at, is_overdue=True)

    def _apply(self, event: Event) -> None:
        for name in self.engine.apply(event):
            session = self._sessions.pop(name, None)
            if session is not None:
                self._clients.end(session)
            self._kept.forget(name)
        self.wake()

    def wake(self) -> None:
        """Have those who wait ask again."""
        if self._changed:
            self._changed.set()
            self._changed = None

    def _session(self, name: str) -> Session:
        session = self._sessions.get(name)
        if session is None:
            record = self.engine.state.sessions[name]
            proxy = self.engine.state.catalog.get(record.proxy_key)
            assert proxy is not None, "a session was picked without its proxy"  # noqa: S101
            own = self._kept.of(name)
            session = Session(
                record, self.engine.site, proxy, self._clients, **own, given=self._cookies, on_asked=self.count
            )
            self._sessions[name] = session
        return session

    @staticmethod
    def _load_likeness(records: Iterable[Record]) -> Likeness:
        likeness = Likeness()
        for record in records:
            if record.kind == "looks":
                likeness.restore(decode(record.value, LikenessRecord))
        return likeness

    def _take_likeness(self) -> list[Record]:
        if self._likeness is None or not self._likeness.are_to_be_saved:
            return []
        return [Record(self.engine.site, "looks", "", msgspec.json.encode(self._likeness.take_record()))]

    def __repr__(self) -> str:
        return f"<Desk of {self.engine.site}: {self.status()}>"


def page_number(url: str) -> int:
    """A number that stands for what is at *url*; never 0."""
    return int.from_bytes(blake2b(url.encode("utf-8", "surrogatepass"), digest_size=7).digest()) + 1
