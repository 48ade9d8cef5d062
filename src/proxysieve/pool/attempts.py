"""The loop of attempts: each is a request with one session, and if it is blocked, the next one follows."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any

import msgspec

from proxysieve.clients.protocol import Request
from proxysieve.core.evidence import is_weak
from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.model import Exchange, Outcome, Tried, Verdict, in_lower_case
from proxysieve.core.site.retry import REFUSALS, Again, Budget, Over, wants_another
from proxysieve.core.urls.channels import channel_of, headers_over
from proxysieve.core.verdicts.failures import failed_exchange
from proxysieve.core.verdicts.judge import SignFunction
from proxysieve.errors import ProxySieveError, SessionEnded
from proxysieve.judging.expect import expects
from proxysieve.pool.errors import Blocked, GaveUp, NoSessionAvailable
from proxysieve.pool.events import TryEnded
from proxysieve.pool.settings import Settings
from proxysieve.pool.site_queue import Lease, SiteQueue
from proxysieve.sessions.own_headers import check_headers, merged
from proxysieve.sessions.session import Session

# If so many sessions end at a page, the page is the reason: it may crash every browser that shows it.
MOST_ENDED = 10

# Headers that say nothing of the browser.
OF_TRANSPORT = frozenset({"Accept-Encoding", "Connection", "TE"})

Headers = Mapping[str, str] | Iterable[tuple[str, str]]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A good answer, and how it came.

    Attributes:
        final_url: Where redirects ended.
        headers: Names in lower case.
        body: Decoded of transfer and content encodings.
        fetched_at: Unix seconds.
        session: The name of the session that got it.
        proxy: Without the password.
        seconds: How long its try took.
        attempts: How many attempts it used, this one included.
        tries: Everything that was sent for it, in order.
        request_headers: Those that tell the browser; cookies are not among them.
    """

    url: str
    final_url: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    fetched_at: float
    session: str
    proxy: str
    seconds: float
    attempts: int
    tries: tuple[Tried, ...]
    request_headers: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """The body as UTF-8, with a replacement character for what is not."""
        return self.body.decode(errors="replace")

    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """The body as JSON."""
        return msgspec.json.decode(self.body)


class Attempt:
    """One try of a request. Enter it to get a session, and report what came back before you leave it."""

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts
        self._lease: Lease | None = None
        self._error: GaveUp | None = None
        self._is_reported = False

    @property
    def was_entered(self) -> bool:
        """Whether it got a session."""
        return self._lease is not None

    async def __aenter__(self) -> Session:
        if self._lease is not None:
            raise ProxySieveError("this attempt was entered already; another request needs another attempt")
        self._lease = await self._attempts.take_lease()
        return self._lease.session

    def check(
        self,
        status: int,
        headers: Headers = (),
        body: str | bytes | None = None,
        *,
        url: str = "",
        redirect_count: int = 0,
    ) -> None:
        """Go on if this is a good answer (a 404 is one). Otherwise leave the attempt; the next one follows.

        Args:
            status: HTTP status.
            headers: In any case.
            body: The whole page; a text is encoded as UTF-8. Without it, a captcha is not found.
            url: Where redirects ended, if there were any.
            redirect_count: How many requests they took; these count for max_rate too.

        Raises:
            GaveUp: The answer is not good. The attempt catches it as long as another one follows.
        """
        exchange = Exchange(
            url=self._attempts.url,
            method=self._attempts.method,
            final_url=url,
            status=status,
            headers=in_lower_case(headers),
            body=body.encode() if isinstance(body, str) else body,
            at=self._attempts.now(),
            redirect_count=redirect_count,
        )
        self.check_exchange(exchange)

    def check_exchange(self, exchange: Exchange) -> None:
        """The same for an exchange.

        Raises:
            GaveUp: As of :meth:`check`.
        """
        self.report(exchange)
        if self._error is not None:
            raise self._error

    def report(self, exchange: Exchange) -> Verdict:
        """The same for an exchange, but the block goes on; the next attempt follows when it ends.

        Its method is that of the attempts.
        """
        if self._lease is None:
            raise ProxySieveError("an attempt must be entered before it is reported: async with attempt as session")
        self._is_reported = True
        exchange = self._lease.completed(exchange, self._attempts.method)
        if self._attempts.is_aside:
            verdict = self._lease.report_aside(exchange)
        else:
            verdict = self._lease.report(exchange, *self._attempts.signs)
        self._error = self._attempts.count(self._lease, exchange, verdict)
        return verdict

    def follow_up(self, exchange: Exchange, *, is_counted: bool = False) -> Verdict:
        """Report what the session asked for by itself after the attempt was reported; see :class:`Lease`."""
        if self._lease is None or not self._is_reported:
            raise ProxySieveError("what follows an answer is reported after it: check() or report() it first")
        return self._lease.follow_up(exchange, is_counted=is_counted)

    def keep(self) -> None:
        """Save the session's cookies and data, if they changed since the report."""
        if self._lease is not None:
            self._lease.keep()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if self._lease is None:
            return False
        has_ended = isinstance(error, SessionEnded)
        if self._is_reported:
            # The answer counts, although the session ended.
            return self._leave_reported(None if has_ended else error) or has_ended
        if has_ended and self._attempts.takes_another_session():
            # This says nothing of the request, and costs it nothing.
            self._lease.drop()
            return True
        attempts = self._attempts
        failed = None
        if error is not None:
            failed = failed_exchange(attempts.url, error, method=attempts.method, at=attempts.now())
        if failed is None:
            await self._lease.__aexit__(kind, error, trace)
            return False
        self.report(failed)
        if self._error is not None and not attempts.goes_on:
            raise self._error from error
        return True

    def _leave_reported(self, error: BaseException | None) -> bool:
        if error is None and self._error is not None and not self._attempts.goes_on:
            raise self._error
        return error is not None and error is self._error and self._attempts.goes_on


class Attempts:
    """The attempts of one request, until one is good or all are used up. Iterate over it.

    Attributes:
        signs: Judge its answers, after all other signs.
        is_aside: Whether it asks for no page, so that its answers say nothing of the sessions.
        tries: Everything that was sent so far.
    """

    def __init__(
        self,
        url: str,
        lease: Callable[[str, float | None, Collection[str]], Awaitable[Lease]],
        settings: Settings,
        *,
        method: str = "GET",
        signs: tuple[SignFunction, ...] = (),
        is_named: bool = False,
        is_aside: bool = False,
        failed_on: set[str] | None = None,
        max_tries: int | None = None,
    ) -> None:
        self.url = url
        self.is_aside = is_aside
        self.method = method.upper()
        self.signs = signs
        self.tries: list[Tried] = []
        self._lease = lease
        self._settings = settings
        self._is_named = is_named
        self._budget = Budget(
            settings.attempts,
            max_tries,
            deadline_seconds=settings.deadline_seconds,
            started_at=settings.clock.now(),
        )
        self._failed: tuple[Exchange, Verdict] | None = None
        # What follows the last try; None before the first.
        self._next: Again | Over | None = None
        self._last_session = ""
        # The exits on which it failed.
        self._failed_on: set[str] = set() if failed_on is None else failed_on
        self._ended_count = 0
        self._attempt: Attempt | None = None

    def now(self) -> float:
        """The time of the pool's clock, in Unix seconds."""
        return self._settings.clock.now()

    @property
    def used(self) -> int:
        """How many attempts were used up."""
        return self._budget.used

    @property
    def goes_on(self) -> bool:
        """Whether another attempt would follow a failure."""
        return not isinstance(self._next, Over)

    def takes_another_session(self) -> bool:
        """Whether to go on with another session after one ended; not if too many of them end here."""
        self._ended_count += 1
        return self._ended_count < MOST_ENDED

    async def take_lease(self) -> Lease:
        """The lease for the next try."""
        if self._failed and self._budget.is_late(self.now()):
            raise self._give_up(*self._failed, Over(self._budget.lateness))
        keeps_session = isinstance(self._next, Again) and self._next.keeps_session
        try:
            prefer = self._last_session if keeps_session else ""
            return await self._lease(prefer, self._budget.deadline_at, self._failed_on)
        except NoSessionAvailable as error:
            error.attempts = tuple(self.tries)
            if error.is_overdue and self._failed:
                raise self._give_up(*self._failed, Over(f"{self._budget.lateness}: {error.why}")) from error
            raise

    def count(self, lease: Lease, exchange: Exchange, verdict: Verdict) -> GaveUp | None:
        """Record a try. Returns the error that the request would end with now; None if the try was good."""
        now = self.now()
        is_to_change = wants_another(verdict.outcome)
        if is_to_change:
            self._failed_on.add(lease.exit_id)
        has_others = is_to_change and not self._is_named and lease.has_others(self._failed_on)
        counted = self._budget.spend(verdict, had_worked=lease.had_worked, has_others=has_others)
        tried = Tried(
            session=lease.session.name,
            proxy=str(lease.session.proxy),
            verdict=verdict.outcome,
            why=f"{verdict.vendor} {verdict.why}".strip(),
            status=exchange.status,
            seconds=now - lease.started_at,
            counted=counted,
            vendor=verdict.vendor,
            sign=verdict.sign,
            scope=verdict.scope,
        )
        self.tries.append(tried)
        self._last_session = lease.session.name
        self._settings.on_event(TryEnded(lease.session.site, tried))
        if verdict.outcome is Outcome.OK:
            self._failed, self._next = None, Over()
            return None
        self._failed = exchange, verdict
        # A blocked named session has lost its exit. Another session is not wanted, and the same one would be refused.
        is_refused = verdict.outcome is Outcome.BLOCKED or is_weak(verdict)
        is_lost = self._is_named and lease.had_worked and is_refused
        self._next = Over() if is_lost else self._budget.follow(exchange, verdict, now)
        return self._give_up(exchange, verdict, self._next if isinstance(self._next, Over) else Over())

    def _give_up(self, exchange: Exchange, verdict: Verdict, over: Over) -> GaveUp:
        kind = Blocked if verdict.outcome in REFUSALS else GaveUp
        return kind(exchange, verdict, self.tries, why=over.why, retry_at=over.retry_at)

    def __aiter__(self) -> Attempts:
        return self

    async def __anext__(self) -> Attempt:
        if self._attempt is not None and not self._attempt.was_entered:
            raise ProxySieveError("an attempt was not entered: write async with attempt as session in the loop")
        if isinstance(self._next, Over):
            raise StopAsyncIteration
        if self._next is not None and self._next.at > self.now():
            await self._settings.clock.wait(asyncio.Event(), self._next.at)
        self._attempt = Attempt(self)
        return self._attempt


class Sender(ABC):
    """The three ways to send requests, from the easiest to the barest: get, attempts, acquire.

    Attributes:
        settings: The options of the pool.
        headers: The user's own, by the sites that they are for.
    """

    def __init__(self, settings: Settings, *, session: str = "") -> None:
        self.settings = settings
        self._session_name = session
        self.headers = settings.own_headers()

    @abstractmethod
    async def _site_queue(self, url: str) -> SiteQueue:
        """The queue of the site that *url* belongs to."""

    async def get(
        self, url: str, *, headers: Mapping[str, str] | None = None, expect: str = "", max_tries: int | None = None
    ) -> Page:
        """Fetch *url* with the pool's client, through as many sessions as it takes.

        Args:
            url: http or https.
            headers: On top of the pool's and the browser's own. They go to the URL's site alone, and secrets among
                them to its host alone.
            expect: What a good page has: a text, ``css:SELECTOR``, ``json:KEY`` or ``bytes:COUNT``.
            max_tries: How often it may be sent at most; tries that use up no attempt count too.

        Raises:
            Blocked: The site refused the last attempt.
            GaveUp: The attempts or the time are used up, and the last attempt failed for another reason.
            NoSessionAvailable: Nothing works and nothing is due soon, or other requests came first until the deadline.
            ConfigError: It is no URL, or a header is not allowed.
        """
        settings = self.settings
        request = Request(
            url=url,
            headers=merged(self.headers.at(url), check_headers(headers or {})),
            timeout_seconds=settings.timeout_seconds,
            max_bytes=settings.max_bytes,
            expect=expect,
        )
        return await self._send(request, self.attempts(url, expect=expect, max_tries=max_tries))

    async def get_aside(
        self, url: str, timeout_seconds: float, *, waiting: int = 1, failed_on: set[str] | None = None
    ) -> Page:
        """Fetch *url*, which is no page (robots.txt, say), by one try.

        The standing of the session does not change, unless the proxy failed.

        Args:
            url: http or https.
            timeout_seconds: How long it may take.
            waiting: How many requests wait for the answer.
            failed_on: The ids of exits on which it has failed; these are used again only if there is no other. If the
                try fails, its exit is added.

        Raises:
            GaveUp: It failed.
            NoSessionAvailable: Nothing works and nothing is due soon, or other requests came first until the deadline.
        """
        settings = self.settings
        request = Request(
            url=url, headers=self.headers.at(url), timeout_seconds=timeout_seconds, max_bytes=settings.max_bytes
        )
        attempts = Attempts(
            url,
            lambda prefer, until, avoided: self._lease(url, prefer, until, avoided, behind=waiting),
            settings,
            is_aside=True,
            failed_on=failed_on,
            max_tries=1,
        )
        return await self._send(request, attempts)

    async def _send(self, request: Request, attempts: Attempts) -> Page:
        settings, url = self.settings, request.url
        async for attempt in attempts:
            async with attempt as session:
                response = await settings.client.send(request, session)
                attempt.check_exchange(response.exchange(url, at=attempts.now()))
                return Page(
                    url=url,
                    final_url=response.url,
                    status=response.status,
                    headers=response.headers,
                    body=response.body,
                    fetched_at=settings.clock.now(),
                    session=session.name,
                    proxy=str(session.proxy),
                    seconds=attempts.tries[-1].seconds,
                    attempts=attempts.used + 1,
                    tries=tuple(attempts.tries),
                    request_headers=_shown(session.fingerprint, response.url, request.headers),
                )
        raise AssertionError("attempts ended without a good answer and without an error")

    def attempts(self, url: str, *, method: str = "GET", expect: str = "", max_tries: int | None = None) -> Attempts:
        """The attempts to send a request to *url* with any client: ``async for``, then ``async with``.

        An error of a known client that leaves the block is judged, and a ``TimeoutError`` counts as a time-out. Any
        other error is yours: it goes through, and says nothing about the session.

        Args:
            url: What will be asked for.
            method: One that is not idempotent, like POST, is sent again only if the site has surely not processed it.
                For that, the client must not follow redirects by itself.
            expect: What a good page has: a text, ``css:SELECTOR``, ``json:KEY`` or ``bytes:COUNT``.
            max_tries: How often it may be sent at most; tries that use up no attempt count too.
        """
        signs = (expects(expect),) if expect else ()
        return Attempts(
            url,
            lambda prefer, until, avoided: self._lease(url, prefer, until, avoided),
            self.settings,
            method=method,
            signs=signs,
            is_named=bool(self._session_name),
            max_tries=max_tries,
        )

    @asynccontextmanager
    async def acquire(self, url: str) -> AsyncIterator[Lease]:
        """A lease for one request to *url*: send it with ``lease.session``, then call ``lease.report(exchange)``.

        Raises:
            NoSessionAvailable: Nothing works and nothing is due soon, or other requests came first until the deadline.
        """
        async with await self.lease(url) as lease:
            yield lease

    async def lease(self, url: str, *, prefer: str = "", avoided: Collection[str] = ()) -> Lease:
        """The same without a block: you must report or drop the lease, once.

        Args:
            url: What will be asked for.
            prefer: The name of a session to use if it may carry one more request now; otherwise any is used.
            avoided: The exits (each a lease's ``exit_id``) on which the request has failed; these are used again only
                if there is no other.
        """
        settings = self.settings
        until = settings.clock.now() + settings.deadline_seconds if settings.deadline_seconds else None
        return await self._lease(url, prefer, until, avoided)

    async def _lease(
        self,
        url: str,
        prefer: str = "",
        until: float | None = None,
        avoided: Collection[str] = (),
        behind: int = 0,
    ) -> Lease:
        site_queue = await self._site_queue(url)
        return await site_queue.lease(
            self._session_name,
            prefer=prefer,
            max_wait_seconds=self.settings.max_wait_seconds,
            until=until,
            url=url,
            avoided=avoided,
            behind=behind,
        )


def _shown(fingerprint: Fingerprint, url: str, own: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The headers of *fingerprint* at *url*, as the user's *own* change them."""
    shown = headers_over(fingerprint, channel_of(url))
    changed = {name.lower(): value for name, value in own.items()}
    return tuple((name, changed.get(name.lower(), value)) for name, value in shown.items() if name not in OF_TRANSPORT)
