"""A check: every proxy is asked once for the same page, and nothing is kept of it."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from os import PathLike
from random import Random, SystemRandom
from typing import NamedTuple

import msgspec

from proxysieve.clients.curl import CurlClient
from proxysieve.clients.protocol import Client, Request
from proxysieve.clock import Clock, SystemClock
from proxysieve.core.fingerprints.offered import FINGERPRINTS
from proxysieve.core.model import Exchange, Outcome, Proxy, Scope, Verdict
from proxysieve.core.proxies.providers import exit_name
from proxysieve.core.records import SessionRecord
from proxysieve.core.site.engine import LEEWAY_SECONDS
from proxysieve.core.verdicts.failures import failed_exchange, words_of
from proxysieve.core.verdicts.logins import redacted_answer, without_login_in
from proxysieve.core.verdicts.side_by_side import Comparison
from proxysieve.judging.expect import expects
from proxysieve.judging.tables import OwnSign, make_judge
from proxysieve.sessions.clients import Clients
from proxysieve.sessions.cookie_file import cookies_at, read_cookies
from proxysieve.sessions.own_headers import OwnHeaders
from proxysieve.sessions.session import Session
from proxysieve.site_of import site_of

log = logging.getLogger("proxysieve")

# A page of news or of a shop is smaller; whoever answers without end is no page.
MOST_BYTES = 10_000_000


class CheckOptions(msgspec.Struct, frozen=True, kw_only=True):
    """All that makes up a check; the command line's options, by their names.

    Attributes:
        names: How many session names to try of each gateway provider.
        timeout: Seconds for one try.
        max_rate: Requests a second to the site; 0 for no cap.
        expect: What a good page has.
        signs: Signs of one's own: files like ``signs.toml``, or functions of an exchange.
        headers: The user's own, on top of those that an identity sends by itself.
        cookies: The file with those that every session starts with; none if empty.
        client: Sends the requests; the built-in one by default.
    """

    url: str
    proxies: Sequence[Proxy]
    names: int = 1
    concurrency: int = 300
    max_rate: float = 30.0
    timeout: float = 10.0
    expect: str = ""
    signs: tuple[OwnSign, ...] = ()
    headers: OwnHeaders = OwnHeaders()
    cookies: str | PathLike[str] = ""
    seed: int | None = None
    client: Client | None = None


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What was met through one exit.

    Attributes:
        proxy: Without the password.
        name: The session name that was tried, of a gateway provider.
        browser: What it looked like: the target that was impersonated.
        why: The sign that decided, in words.
        status: HTTP status, 0 when no answer came.
        title: Of the page that came, in lower case.
        bytes: The size of what came, decoded.
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
    """What a check came to.

    Attributes:
        exits: How many were to be tried: proxies, and session names of providers.
        tried: How many were, each once.
        works: Through how many the site gave a good answer; what else was met is counted below.
        remarks: What else a person should know, in words.
        results: The good ones first, then what else was met, each the fastest first.
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
    """What one exit was told, before it is compared."""

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
    """A check under way; one check runs once. It reads and writes no store.

    Raises:
        ConfigError: It is no URL, or a sign or an expectation cannot be used.
    """

    def __init__(self, options: CheckOptions, *, clock: Clock | None = None) -> None:
        self._options = options
        self._site = site_of(options.url)
        self._headers = options.headers.bound_to([options.url]).at(options.url)
        self._judge = make_judge(options.signs)
        self._signs = (expects(options.expect),) if options.expect else ()
        self._clock = clock or SystemClock()
        cookies = read_cookies(options.cookies, self._clock.now()) if options.cookies else ()
        self._cookies = cookies_at(self._site, cookies, site_of)
        self._client = options.client or CurlClient()
        self._clients = Clients(options.concurrency)
        self._rng = Random(SystemRandom().getrandbits(64) if options.seed is None else options.seed)
        self._turns = Rotation(options.max_rate, self._clock)
        self._started_at = self._clock.now()
        self._comparison = Comparison()
        self._told: list[Told] = []
        self._works: dict[Proxy, None] = {}
        self._total = sum(options.names if proxy.is_gateway else 1 for proxy in options.proxies)
        self._good_count = 0
        self._is_interrupted = False
        self._workers: asyncio.Task[None] | None = None

    async def run(self) -> CheckReport:
        """Ask through every proxy, and say what came of it."""
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
        """Send nothing more, and wait for nothing that is under way."""
        self._is_interrupted = True
        if self._workers:
            self._workers.cancel()

    def progress(self) -> Progress:
        """How far it is."""
        return Progress(self._total, len(self._told), self._good_count, self._clock.now() - self._started_at)

    def working(self) -> list[Proxy]:
        """The proxies that work, in their order, once the check has ended."""
        return [proxy for proxy in self._options.proxies if proxy in self._works]

    async def _run_workers(self) -> None:
        exits = self._exits()
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(min(self._options.concurrency, self._total)):
                    workers.create_task(self._try_all(exits))
        except BaseExceptionGroup as group:
            # What ends one ends all, for the same reason.
            raise group.exceptions[0] from None

    def _exits(self) -> Iterator[Session]:
        """A fresh visitor for each exit, in no order: neighbours in a list are neighbours in a network.

        So the site does not see one network after the other, and what a check that is interrupted has seen is a sample.
        """
        exits = [
            proxy for proxy in self._options.proxies for _ in range(self._options.names if proxy.is_gateway else 1)
        ]
        self._rng.shuffle(exits)
        return map(self._new_session, exits)

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
            await self._turns.take()
            self._clients.hold(session)
            try:
                await self._try(session)
            finally:
                self._clients.release(session)
                self._clients.end(session)

    async def _try(self, session: Session) -> None:
        options, started_at = self._options, self._clock.now()
        request = Request(url=options.url, headers=self._headers, timeout_seconds=options.timeout, max_bytes=MOST_BYTES)
        try:
            response = await self._client.send(request, session)
        except Exception as error:  # noqa: BLE001 - one proxy's surprise must not end the check
            now = self._clock.now()
            failed = failed_exchange(options.url, error, at=now)
            unexpected = "" if failed else f"unexpected error: {words_of(error) or type(error).__name__}"
            exchange = redacted_answer(failed or Exchange(url=options.url, at=now), session.proxy_login)
        else:
            exchange, unexpected = response.exchange(options.url, at=self._clock.now()), ""
            self._turns.add(response.redirect_count)
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
        verdicts = self._comparison.verdicts()
        results = [_checked(told, verdict) for told, verdict in zip(self._told, verdicts, strict=True)]
        self._works = {
            told.session.proxy: None
            for told, verdict in zip(self._told, verdicts, strict=True)
            if verdict.outcome is Outcome.OK
        }
        counts = Counter(verdict.outcome for verdict in verdicts)
        return CheckReport(
            exits=self._total,
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


class Rotation:
    """When the next request may go out, at so many a second.

    Args:
        rate: How many a second; 0 for no cap.
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
        # One after the other, so that redirects put off all who wait.
        async with self._queue:
            while (now := self._clock.now()) < self._next_at:
                await self._clock.wait(asyncio.Event(), self._next_at)
            self._next_at = max(self._next_at, now - LEEWAY_SECONDS) + self._seconds_apart

    def add(self, count: int) -> None:
        """So many more were sent than turns were taken, as redirects are: the next ones wait for them."""
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
