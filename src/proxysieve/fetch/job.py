"""The main job: URLs in, pages out, nothing lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from os import PathLike
from traceback import format_tb
from typing import NamedTuple

import msgspec

from proxysieve.clients.protocol import Client
from proxysieve.clock import Clock, SystemClock
from proxysieve.core.model import Outcome, Tried
from proxysieve.core.verdicts.failures import words_of
from proxysieve.errors import ProxySieveError
from proxysieve.fetch.output import Output
from proxysieve.fetch.queue import UrlQueue
from proxysieve.fetch.report import JobCounts, Report, Stalled, sum_up
from proxysieve.fetch.robots import Robots
from proxysieve.fetch.urls import UrlList
from proxysieve.judging.expect import expects
from proxysieve.judging.tables import OwnSign
from proxysieve.lists.proxy_list import Proxies
from proxysieve.pool.errors import GaveUp, NoSessionAvailable
from proxysieve.pool.session_pool import SessionPool
from proxysieve.sessions.own_headers import OwnHeaders
from proxysieve.site_of import site_of

log = logging.getLogger("proxysieve")

# What came in is brought to the disk this often, or when so much has gathered.
COMMIT_SECONDS = 0.5
COMMIT_BYTES = 8_000_000
# Where pages come faster than the disk takes them, they wait for it beyond this.
MOST_BYTES = 4 * COMMIT_BYTES
# How long requests under way may take to end after an interrupt; the user waits for it.
GRACE_SECONDS = 4.0


class JobOptions(msgspec.Struct, frozen=True, kw_only=True):
    """All that makes up a job; the command line's options, by their names.

    Attributes:
        out: The output, by a name that says its format (:mod:`proxysieve.fetch.layout`).
        deadline: Seconds after which a page is not tried again; 0 for no such limit.
        max_wait: Seconds to wait for something to be due where nothing works.
        timeout: Seconds for one try.
        expect: Text that a good page contains.
        likeness: Whether a page is doubted that is unlike the good pages of its site.
        signs: Signs of one's own: files like ``signs.toml``, or functions of an exchange.
        headers: The user's own, on top of those that an identity sends by itself.
        cookies: The file with those that every session starts with; none if empty.
        client: Sends the requests; the built-in one by default.
    """

    urls: UrlList
    proxies: Proxies
    out: str | PathLike[str]
    store: str | PathLike[str] = ".proxysieve"
    policy: str = "adaptive"
    max_sessions: int = 100
    thrift: float = 1.0
    concurrency: int = 50
    max_rate: float = 30.0
    attempts: int = 5
    deadline: float = 600.0
    max_wait: float = 30.0
    timeout: float = 30.0
    expect: str = ""
    likeness: bool = True
    signs: tuple[OwnSign, ...] = ()
    robots: bool = True
    retry_failed: bool = False
    headers: OwnHeaders = OwnHeaders()
    cookies: str | PathLike[str] = ""
    seed: int | None = None
    client: Client | None = None


class Progress(NamedTuple):
    """How far a job is; cheap to ask for.

    Attributes:
        news: What it is doing before pages can come; empty where they can.
    """

    total: int
    done: int
    finished: int
    seconds: float
    wasted_per_page: float
    working: int
    news: str = ""


class Job:
    """A job under way; one job runs once.

    Raises:
        ConfigError: An option is wrong, or the output cannot be written, or is that of something else.
    """

    def __init__(self, options: JobOptions, *, clock: Clock | None = None) -> None:
        self._options = options
        self._tally = JobCounts()
        self._clock = clock or SystemClock()
        self._started_at = self._clock.now()
        # What is wrong with the options is said before a file is made.
        self._made_pool = self._make_pool()
        if options.expect:
            expects(options.expect)
        self._output = Output(options.out, retry_failed=options.retry_failed)
        urls = options.urls.urls
        todo = [url for url in urls if not self._output.has(url)]
        self._resumed_pages = sum(map(self._output.has_page, urls))
        self._resumed_failed = len(urls) - len(todo) - self._resumed_pages
        self._queue = UrlQueue(todo, site_of, options.concurrency)
        self._worker_count = min(options.concurrency, len(todo))
        self._pages = self._failed = self._skipped = 0
        self._stalled: dict[str, NoSessionAvailable] = {}
        self._is_interrupted = False
        self._pool: SessionPool | None = None
        # One for each request under way, whether for a page or for robots.txt.
        self._slots = asyncio.Semaphore(options.concurrency)
        self._robots: Robots | None = None
        self._workers: asyncio.Task[None] | None = None
        self._busy_count = 0
        self._hire: Callable[[], object] = lambda: None
        self._must_commit = asyncio.Event()

    async def run(self) -> Report:
        """Fetch what is still to be fetched; what came of it.

        Raises:
            ConfigError: There is no usable proxy, or the output cannot be written.
            StoreError: The store cannot be used.
        """
        async with AsyncExitStack() as stack:
            stack.callback(self._output.close)
            if self._worker_count:
                self._pool = await stack.enter_async_context(self._made_pool)
                await self._work(self._pool)
            return self.report()

    def interrupt(self) -> None:
        """Send nothing more, and give requests under way a few seconds to end; none if said twice."""
        if self._is_interrupted:
            self._cancel()
            return
        self._is_interrupted = True
        if self._robots:
            self._robots.stop()
        if self._pool:
            self._pool.drain()
        asyncio.get_running_loop().call_later(GRACE_SECONDS, self._cancel)

    def progress(self) -> Progress:
        """How far the job is."""
        return Progress(
            total=len(self._options.urls.urls),
            done=self._done,
            finished=self._pages + self._failed + self._skipped,
            seconds=self._clock.now() - self._started_at,
            wasted_per_page=self._tally.wasted / max(1, self._pages),
            working=self._pool.working_count if self._pool else 0,
            news=self._robots.news if self._robots else "",
        )

    def report(self) -> Report:
        """The figures as they are now; looks at every exit that was used."""
        tally, outcomes = self._tally, self._tally.outcomes
        standing = sum_up(self._pool.statuses() if self._pool else {})
        pending = self._queue.pending()
        left_out = getattr(self._options.client, "left_out", None)
        return Report(
            urls=len(self._options.urls.urls),
            duplicates=self._options.urls.duplicate_count,
            pages=self._resumed_pages + self._pages,
            failed=self._resumed_failed + self._failed,
            skipped=self._skipped,
            pending=len(self._options.urls.urls) - self._done,
            resumed=self._resumed_pages + self._resumed_failed,
            requests=tally.requests,
            wasted_per_page=round(tally.wasted / max(1, self._pages), 4),
            blocked=outcomes[Outcome.BLOCKED],
            throttled=outcomes[Outcome.THROTTLED],
            proxy_errors=outcomes[Outcome.PROXY_ERROR],
            site_errors=outcomes[Outcome.SITE_ERROR],
            unclear=outcomes[Outcome.UNCLEAR],
            sessions_working=standing.working,
            sessions_cooling_down=standing.cooling_down,
            sessions_blocked=standing.blocked,
            sessions_unclear=standing.unclear,
            sessions_held=standing.held,
            proxies_dead=standing.dead,
            seconds=round(self._clock.now() - self._started_at, 3),
            interrupted=self._is_interrupted,
            suspicions=[
                f"{site}: {text}"
                for site, texts in (self._pool.suspicions() if self._pool else {}).items()
                for text in texts
            ],
            stalled=[
                Stalled(site=site, why=error.why, pending=pending.get(site, 0), retry_at=error.retry_at)
                for site, error in self._stalled.items()
            ],
            reasons=[(outcome, why, count) for (outcome, why), count in tally.reasons.most_common()],
            left_out=left_out.count if left_out else 0,
            saved_bytes=left_out.saved_bytes if left_out else 0,
        )

    @property
    def _done(self) -> int:
        return self._resumed_pages + self._resumed_failed + self._pages + self._failed + self._skipped

    def _make_pool(self) -> SessionPool:
        options = self._options
        return SessionPool(
            options.proxies,
            store=options.store,
            policy=options.policy,
            max_sessions=options.max_sessions,
            thrift=options.thrift,
            max_rate=options.max_rate,
            attempts=options.attempts,
            deadline_seconds=options.deadline,
            max_wait_seconds=options.max_wait,
            timeout_seconds=options.timeout,
            likeness=options.likeness,
            signs=options.signs,
            headers=options.headers.bound_to(options.urls.urls),
            cookies=options.cookies or (),
            client=options.client,
            clock=self._clock,
            seed=options.seed,
            on_tried=self._tally.note,
            on_joined=self._take_up,
        )

    def _take_up(self, _: int) -> None:
        """There are new proxies: the sites at which nothing worked are worth another look."""
        if self._busy_count and self._queue.take_up():
            self._stalled.clear()
            for _ in range(self._worker_count - self._busy_count):
                self._hire()

    async def _work(self, pool: SessionPool) -> None:
        if self._options.robots:
            self._robots = Robots(pool, self._options.concurrency, self._slots)
        self._workers = asyncio.create_task(self._run_workers(pool))
        tasks = {self._workers, asyncio.create_task(self._commit_now_and_then())}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if not (task.cancelled() and self._is_interrupted):
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            if self._robots:
                await self._robots.close()
            await self._output.commit()

    async def _run_workers(self, pool: SessionPool) -> None:
        try:
            async with asyncio.TaskGroup() as workers:
                self._hire = lambda: workers.create_task(self._fetch_all(pool))
                for _ in range(self._worker_count):
                    self._hire()
        except BaseExceptionGroup as group:
            # What ends one ends all, for the same reason.
            raise group.exceptions[0] from None

    async def _fetch_all(self, pool: SessionPool) -> None:
        self._busy_count += 1
        try:
            await self._fetch_in_turn(pool)
        finally:
            self._busy_count -= 1

    async def _fetch_in_turn(self, pool: SessionPool) -> None:
        while not self._is_interrupted and (url := self._queue.take()) is not None:
            try:
                await self._fetch(url, pool)
            except NoSessionAvailable as error:
                if error.is_overdue:
                    # With many under way at a low rate, a turn may come later than that; the page lost nothing.
                    self._queue.put_off(url)
                    continue
                self._queue.put_back(url)
                if not self._is_interrupted:
                    self._stalled.setdefault(error.site, error)
            else:
                self._queue.finish(url)

    async def _fetch(self, url: str, pool: SessionPool) -> None:
        try:
            if self._robots and not await self._robots.allows(url):
                self._skipped += 1
                return
            async with self._slots:
                page = await pool.get(url, expect=self._options.expect)
        except GaveUp as error:
            why = f"{error.verdict.outcome}: {error.attempts[-1].why}"
            self._fail(url, f"{why}; {error.why}" if error.why else why, error.attempts)
        except ProxySieveError:
            raise
        except Exception as error:  # noqa: BLE001 - of ours or the client's, and the other pages must not pay for it
            why = f"unexpected error: {words_of(error) or type(error).__name__}"
            log.error("%s: %s", url, why)  # noqa: TRY400 - with a traceback come all of its words, secrets among them
            log.debug("where it came from:\n%s", "".join(format_tb(error.__traceback__)))
            self._fail(url, why, ())
        else:
            self._output.add_page(page)
            self._pages += 1
        if self._output.batch_bytes >= COMMIT_BYTES:
            self._must_commit.set()
        if self._output.batch_bytes >= MOST_BYTES:
            await self._output.commit()

    def _fail(self, url: str, why: str, tries: Sequence[Tried]) -> None:
        self._output.add_failed(url, why, tries, self._clock.now())
        self._failed += 1

    async def _commit_now_and_then(self) -> None:
        while True:
            await self._clock.wait(self._must_commit, self._clock.now() + COMMIT_SECONDS)
            self._must_commit.clear()
            await self._output.commit()

    def _cancel(self) -> None:
        if self._workers:
            self._workers.cancel()
