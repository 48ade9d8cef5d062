"""One site's queue: requests wait here for its sessions, and give them back."""

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
from proxysieve.core.robots.asking import verdict_on_session
from proxysieve.core.site.choices import Lost, Pick, Wait
from proxysieve.core.site.engine import Engine
from proxysieve.core.site.status import SiteStatus
from proxysieve.core.verdicts.judge import Judge, SignFunction
from proxysieve.core.verdicts.looks import UNLIKE, Looks, LooksRecord, traits_of
from proxysieve.core.verdicts.redact_logins import redacted_answer
from proxysieve.errors import ProxySieveError
from proxysieve.judging.samples import Samples
from proxysieve.pool.errors import NoSessionAvailable
from proxysieve.pool.saved_storage import SavedStorage
from proxysieve.pool.waiters import Patience, Waiters
from proxysieve.sessions.clients import Clients
from proxysieve.sessions.session import Session
from proxysieve.sessions.storage import OWN_KINDS

log = logging.getLogger("proxysieve")

REPORTED_TWICE = "this lease was reported already; another request needs another lease"


class Lease:
    """The right to send one request with one session: taken before the request, reported after it.

    Attributes:
        session: What to send it with.
        exit_id: The id of the session's exit.
        had_worked: Whether the session had been answered well before.
        started_at: Unix seconds.
    """

    def __init__(
        self,
        site_queue: SiteQueue,
        number: int,
        session: Session,
        wanted: LeaseRequest,
        *,
        exit_id: str,
        had_worked: bool,
        started_at: float,
    ) -> None:
        self.exit_id = exit_id
        self._wanted = wanted
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
        exchange = self.completed(exchange)
        verdict = self._site_queue.judge_page(exchange, extra_signs)
        return self._site_queue.take_back(self._number, self.session, verdict, exchange, self._page_of(exchange))

    def report_aside(self, exchange: Exchange) -> Verdict:
        """Judge *exchange*, which brought no page, as robots.txt is none: only what came before the site is learned."""
        if not self._is_out:
            raise ProxySieveError(REPORTED_TWICE)
        self._is_out = False
        exchange = self.completed(exchange)
        return self._site_queue.take_back_aside(self._number, self.session, exchange, had_worked=self.had_worked)

    def follow_up(self, exchange: Exchange, *extra_signs: SignFunction, is_counted: bool = False) -> Verdict:
        """Judge what the session went on to ask for by itself after the report, and learn from it.

        The request counts against the cap, unless it *is_counted* already, by the session's ``note_requests``. If the
        session has ended meanwhile, the exchange is judged and nothing is learned.
        """
        if self._is_out:
            raise ProxySieveError("what follows an answer is reported after it")
        exchange = self.completed(exchange)
        verdict = self._site_queue.judge_page(exchange, extra_signs)
        page = self._page_of(exchange)
        return self._site_queue.take_in(self.session, verdict, exchange, page, is_counted=is_counted)

    def completed(self, exchange: Exchange, method: str = "") -> Exchange:
        """*exchange* with its method and the time of its answer, and without the login at its proxy."""
        exchange = redacted_answer(exchange, self.session.proxy_login)
        method = method or exchange.method
        if exchange.at and exchange.method == method:
            return exchange
        return msgspec.structs.replace(exchange, at=exchange.at or self._site_queue.clock.now(), method=method)

    def _page_of(self, exchange: Exchange) -> int:
        """The number of what *exchange* asked for; 0 for other methods, as the URL does not say what they asked for."""
        if exchange.method.upper() != "GET":
            return 0
        return self._wanted.page if exchange.url == self._wanted.url else page_number(exchange.url)

    def keep(self) -> None:
        """Have the session's cookies and data saved, where they changed since the report."""
        self._site_queue.keep(self.session)

    def drop(self) -> None:
        """Give the lease back without a report: what happened says nothing of the session."""
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
    url: str
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
        samples: Where pages are kept for which a sign may be mistaken.
        clients: Where the sessions' clients live.
        records: What the store kept of the site.
        looks: Whether a page is doubted that is like no good page of the site.
        cookies: What each session starts with.
        on_free: Is told when a full proxy can carry one more request, here or elsewhere.

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
        looks: bool = True,
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
        self._looks = self._load_looks(records) if looks else None
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
        url: str = "",
        avoided: Collection[str] = (),
        behind: int = 0,
    ) -> Lease:
        """A lease, as soon as the engine grants one; first come, first served.

        Args:
            url: What it is for.
            avoided: The exits, by id, on which the request has failed; used again only where there is nobody else.
            behind: How many more requests wait for the answer.
            name: Of a session, to use that one and no other.
            prefer: Of a session, to use that one if it may be used when this request is at the head.
            max_wait_seconds: How long it may wait while nothing works and only time can help.
            until: When it stops waiting, whatever for.

        Raises:
            NoSessionAvailable: Nothing is due within that time, or the named session has lost its exit.
        """
        wanted = LeaseRequest(name, prefer, url, page_number(url), avoided, behind)
        queue, asked_at = self._queues[name], self.clock.now()
        place = queue.enter()
        patience = Patience(asked_at, max_wait_seconds, until)
        # With more requests waiting, the engine may open a session for the one at the head.
        if not name:
            self.wake()
        try:
            if not place.is_set():
                await self.clock.wait(place, until)
                if not place.is_set():
                    raise self._overdue("others came first", None, patience)
            pick = await self._pick(queue, patience, wanted)
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
            wanted,
            exit_id=record.exit_id,
            had_worked=record.has_worked,
            started_at=leased.at,
        )

    def judge_page(self, exchange: Exchange, extra_signs: Sequence[SignFunction] = ()) -> Verdict:
        """What *exchange* says, by all signs and then by looks; it never raises."""
        verdict = self.judge.judge(exchange, *extra_signs)
        if self._looks is None:
            return verdict
        try:
            return self._looks.judge(exchange, verdict, is_expected=bool(extra_signs))
        except Exception:
            # Looks only ever raises doubts, which are not worth a page.
            log.warning("%s: the looks of a page cannot be found out", self.engine.site, exc_info=True)
            return verdict

    def accept(self, exchange: Exchange) -> None:
        """Take the page of *exchange* for good after all: pages like it are not doubted again."""
        if self._looks and exchange.body:
            self._looks.accept(traits_of(exchange))

    def take_back(self, lease: int, session: Session, verdict: Verdict, exchange: Exchange, page: int) -> Verdict:
        """The request of *lease* brought *exchange*, which was judged; the verdict after the control group's word."""
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
        told = verdict_on_session(verdict, exchange.status, had_worked=had_worked)
        self._end(Reported(self.clock.now(), lease, told, exchange.redirect_count), session)
        log.debug("%s: %s was %s %s, asked aside", session.site, session, verdict.outcome, verdict.why)
        return verdict

    def take_in(
        self, session: Session, verdict: Verdict, exchange: Exchange, page: int, *, is_counted: bool
    ) -> Verdict:
        """The same for a request that *session* made without a lease."""
        if self._sessions.get(session.name) is not session:
            return verdict
        leased = self.engine.leased(session.name, self.clock.now(), is_counted=is_counted)
        self._apply(leased)
        self._clients.hold(session)
        return self.take_back(leased.lease, session, verdict, exchange, page)

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
        """Warn that a sign may be mistaken, and keep a sample; no session ends for it meanwhile."""
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
        """*proxies*, by their keys, have left: they get no new requests, and may finish those under way."""
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
        is_unsaved = state.changed or self._kept.may_have_changed or (self._looks and self._looks.are_to_be_saved)
        return not (state.flights or is_unsaved or is_waited_for)

    def close(self) -> None:
        """Close the sessions' clients; the store has all that is known."""
        for session in self._sessions.values():
            self._clients.end(session)

    def status(self) -> SiteStatus:
        """How many stand where now."""
        return self.engine.status(self.clock.now())

    def take_changes(self) -> list[Record]:
        """What must be saved since this was asked last."""
        storage = self._kept.take_changes(self._sessions)
        return [*self.engine.take_changes(), *storage, *self._take_looks()]

    def keep_changed(self, record: Record) -> None:
        """What :meth:`take_changes` gave could not be saved: give it again next time."""
        if record.kind in OWN_KINDS:
            self._kept.keep_changed(record)
        elif self._looks and record.kind == "looks":
            self._looks.call_for_saving()
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
        # The engine may wait in short steps, so their sum counts. A request behind others waits since it asked.
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
    def _load_looks(records: Iterable[Record]) -> Looks:
        looks = Looks()
        for record in records:
            if record.kind == "looks":
                looks.restore(decode(record.value, LooksRecord))
        return looks

    def _take_looks(self) -> list[Record]:
        if self._looks is None or not self._looks.are_to_be_saved:
            return []
        return [Record(self.engine.site, "looks", "", msgspec.json.encode(self._looks.take_record()))]

    def __repr__(self) -> str:
        return f"<Queue of {self.engine.site}: {self.status()}>"


def page_number(url: str) -> int:
    """A number that stands for what is at *url*; never 0."""
    return int.from_bytes(blake2b(url.encode("utf-8", "surrogatepass"), digest_size=7).digest()) + 1
