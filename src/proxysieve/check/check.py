"""A check: it asks each proxy once for the same page, and keeps nothing."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from proxysieve.clients.protocol import Request
from proxysieve.clock import Clock
from proxysieve.core.fingerprints.available import FINGERPRINTS
from proxysieve.core.model import Exchange, Outcome, Proxy, Scope, Verdict
from proxysieve.core.proxies.providers import exit_name
from proxysieve.core.records import SessionRecord
from proxysieve.core.site.rate_cap import LEEWAY_SECONDS
from proxysieve.core.verdicts.compare_exits import Comparison
from proxysieve.core.verdicts.failures import failed_exchange, words_of
from proxysieve.core.verdicts.redact_logins import redacted_answer, without_login_in
from proxysieve.judging.expect import expects
from proxysieve.judging.sign_tables import make_judge
from proxysieve.pool.settings import Count, Positive, RequestSettings
from proxysieve.sessions.clients import Clients
from proxysieve.sessions.cookie_file import cookies_at
from proxysieve.sessions.session import Session
from proxysieve.site_of import site_of

log = logging.getLogger("proxysieve")

# Pages of news sites and shops are smaller. An endless answer is no page.
MOST_BYTES = 10_000_000


class CheckOptions(RequestSettings, frozen=True, kw_only=True):
    """All that makes up a check: what is listed here, and how requests are sent.

    Attributes:
        names: How many session names to try of each gateway provider.
        concurrency: Requests under way at most.
        expect: What a good page has: a text, ``css:SELECTOR``, ``json:KEY`` or ``bytes:COUNT``.
    """

    url: str
    proxies: Sequence[Proxy]
    names: Count = 1
    # As many go out before the first of them has timed out, so that proxies that hang do not slow a check down.
    concurrency: Count = 300
    timeout_seconds: Positive = 10.0
    expect: str = ""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What came through one exit.

    Attributes:
        proxy: Without the password.
        name: The session name that was tried, of a gateway provider.
        browser: The browser that the session imitated.
        why: The sign that decided, in words.
        status: HTTP status, 0 when no answer came.
        title: Of the page, in lower case.
        bytes: The size of the decoded body.
        seconds: How long it took.
        retry_after: Seconds that the site asked to wait.
    """

    proxy: str
    name: str | None
    browser: str
    verdict: Outcome
    why: str | None
    vendor: str | None
    sign: str | None
    scope: Scope | None
    status: int
    title: str | None
    bytes: int
    seconds: float
    retry_after: float | None


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a check.

    Attributes:
        exits: How many there are: proxies, and session names of providers.
        tried: How many were tried, each once.
        works: How many brought a good answer; the other verdicts are counted below.
        remarks: What else a person should know, in words.
        results: The good ones first, then by verdict; within each, the fastest first.
    """

    exits: int
    tried: int
    works: int
    blocked: int
    throttled: int
    proxy_errors: int
    site_errors: int
    unclear: int
    seconds: float
    interrupted: bool
    remarks: list[str]
    results: list[Checked]


class Progress(NamedTuple):
    """How far a check is; cheap to ask for."""

    total: int
    done: int
    good: int
    seconds: float


class Told(NamedTuple):
    """The answer through one exit, before it is compared."""

    session: Session
    status: int
    title: str
    size: int
    at: float
    seconds: float


ORDER = (
    Outcome.OK,
    Outcome.BLOCKED,
    Outcome.THROTTLED,
    Outcome.UNCLEAR,
    Outcome.SITE_ERROR,
    Outcome.PROXY_ERROR,
)


class Check:
    """A check; it runs once, and uses no store.

    Raises:
        ConfigError: An option is wrong.
    """

    def __init__(self, options: CheckOptions) -> None:
        self._options = options
        self._site = site_of(options.url)
        self._headers = options.own_headers([options.url]).at(options.url)
        self._judge = make_judge(options.signs)
        self._signs = (expects(options.expect),) if options.expect else ()
        self._clock = options.clock
        self._cookies = cookies_at(self._site, options.first_cookies(), site_of)
        self._clients = Clients(options.concurrency)
        self._rng = options.random()
        self._pace = Pace(options.max_rate, self._clock)
        self._started_at = self._clock.now()
        self._comparison = Comparison()
        self._told: list[Told] = []
        self._works: set[Proxy] = set()
        self._exits = [proxy for proxy in options.proxies for _ in range(options.names if proxy.is_gateway else 1)]
        # Neighbours in a list are often in one network, and the site should not see one network after the other.
        self._rng.shuffle(self._exits)
        self._good_count = 0
        self._is_interrupted = False
        self._workers: asyncio.Task[None] | None = None

    async def run(self) -> CheckReport:
        """Ask through every proxy. Returns the report."""
        self._workers = asyncio.create_task(self._run_workers())
        if self._is_interrupted:
            self._workers.cancel()
        try:
            await asyncio.wait([self._workers])
        finally:
            self._workers.cancel()
            await self._clients.close()
        if not self._workers.cancelled():
            self._workers.result()
        return self._report()

    def interrupt(self) -> None:
        """Send nothing more, and do not wait for requests under way."""
        self._is_interrupted = True
        if self._workers:
            self._workers.cancel()

    def progress(self) -> Progress:
        """How far it is."""
        return Progress(len(self._exits), len(self._told), self._good_count, self._clock.now() - self._started_at)

    def working(self) -> list[Proxy]:
        """The proxies that work, in the order of the list; call it after the end."""
        return [proxy for proxy in self._options.proxies if proxy in self._works]

    async def _run_workers(self) -> None:
        exits = map(self._new_session, self._exits)
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(min(self._options.concurrency, len(self._exits))):
                    workers.create_task(self._try_all(exits))
        except BaseExceptionGroup as group:
            # An error of one worker ends all of them.
            raise group.exceptions[0] from None

    def _new_session(self, proxy: Proxy) -> Session:
        name = exit_name(proxy, self._rng)
        record = SessionRecord(
            name=name,
            proxy_key=proxy.key,
            exit_name=name if proxy.is_gateway else "",
            fingerprint=self._rng.choice(FINGERPRINTS),
            opened_at=self._clock.now(),
        )
        return Session(record, self._site, proxy, self._clients, given=self._cookies)

    async def _try_all(self, exits: Iterator[Session]) -> None:
        for session in exits:
            await self._pace.take()
            self._clients.hold(session)
            try:
                await self._try(session)
            finally:
                self._clients.release(session)
                self._clients.end(session)

    async def _try(self, session: Session) -> None:
        options, started_at = self._options, self._clock.now()
        request = Request(
            url=options.url, headers=self._headers, timeout_seconds=options.timeout_seconds, max_bytes=MOST_BYTES
        )
        try:
            response = await options.client.send(request, session)
        except Exception as error:  # noqa: BLE001 - one proxy's surprise must not end the check
            now = self._clock.now()
            failed = failed_exchange(options.url, error, at=now)
            unexpected = "" if failed else f"unexpected error: {words_of(error) or type(error).__name__}"
            exchange = redacted_answer(failed or Exchange(url=options.url, at=now), session.proxy_login)
        else:
            exchange, unexpected = response.exchange(options.url, at=self._clock.now()), ""
            self._pace.add(response.redirect_count)
        self._note(session, exchange, started_at, unexpected)

    def _note(self, session: Session, exchange: Exchange, started_at: float, unexpected: str) -> None:
        if unexpected:
            log.warning("%s: %s", session, unexpected)
            verdict = Verdict(outcome=Outcome.UNCLEAR, why=unexpected, confidence=0.5)
        else:
            verdict = self._judge.judge(exchange, *self._signs)
        self._comparison.add(exchange, verdict, is_expected=bool(self._signs))
        self._good_count += verdict.outcome is Outcome.OK
        title = exchange.content.title
        self._told.append(
            Told(
                session=session,
                status=exchange.status,
                title=without_login_in(title, session.proxy_login) if title else "",
                size=exchange.content.size,
                at=exchange.at,
                seconds=exchange.at - started_at,
            )
        )

    def _report(self) -> CheckReport:
        judged = list(zip(self._told, self._comparison.verdicts(), strict=True))
        results = [_checked(told, verdict) for told, verdict in judged]
        self._works = {told.session.proxy for told, verdict in judged if verdict.outcome is Outcome.OK}
        counts = Counter(one.verdict for one in results)
        return CheckReport(
            exits=len(self._exits),
            tried=len(results),
            works=counts[Outcome.OK],
            blocked=counts[Outcome.BLOCKED],
            throttled=counts[Outcome.THROTTLED],
            proxy_errors=counts[Outcome.PROXY_ERROR],
            site_errors=counts[Outcome.SITE_ERROR],
            unclear=counts[Outcome.UNCLEAR],
            seconds=round(self._clock.now() - self._started_at, 3),
            interrupted=self._is_interrupted,
            remarks=self._comparison.remarks(),
            results=sorted(results, key=lambda one: (ORDER.index(one.verdict), one.seconds)),
        )


class Pace:
    """Says when the next request may go out.

    Args:
        rate: Requests a second; 0 for no cap.
        clock: The time.
    """

    def __init__(self, rate: float, clock: Clock) -> None:
        self._seconds_apart = 1 / rate if rate else 0.0
        self._clock = clock
        self._next_at = 0.0
        self._queue = asyncio.Lock()

    async def take(self) -> None:
        """Return when the caller may send one request."""
        if not self._seconds_apart:
            return
        # One after the other, so that redirects delay all requests that wait.
        async with self._queue:
            while (now := self._clock.now()) < self._next_at:
                await self._clock.wait(asyncio.Event(), self._next_at)
            self._next_at = max(self._next_at, now - LEEWAY_SECONDS) + self._seconds_apart

    def add(self, count: int) -> None:
        """Count requests that were sent without asking, as redirects are: the next ones wait longer."""
        self._next_at += count * self._seconds_apart


def _checked(told: Told, verdict: Verdict) -> Checked:
    return Checked(
        proxy=str(told.session.proxy),
        name=told.session.name if told.session.proxy.is_gateway else None,
        browser=told.session.fingerprint.browser,
        verdict=verdict.outcome,
        why=verdict.why or None,
        vendor=verdict.vendor or None,
        sign=verdict.sign or None,
        scope=verdict.scope,
        status=told.status,
        title=told.title or None,
        bytes=told.size,
        seconds=round(told.seconds, 3),
        retry_after=round(verdict.until - told.at, 1) if verdict.until > told.at else None,
    )
