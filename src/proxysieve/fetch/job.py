"""The main job: URLs in, pages out, nothing lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from os import PathLike
from traceback import format_tb
from typing import NamedTuple

from proxysieve.core.model import Outcome, Tried
from proxysieve.core.verdicts.failures import words_of
from proxysieve.errors import ProxySieveError
from proxysieve.fetch.output import Output
from proxysieve.fetch.queue import UrlQueue
from proxysieve.fetch.report import JobCounts, Report, Stalled, sum_up
from proxysieve.fetch.robots import Robots
from proxysieve.fetch.urls import UrlList
from proxysieve.judging.expect import expects
from proxysieve.lists.proxy_list import Proxies
from proxysieve.pool.errors import GaveUp, NoSessionAvailable
from proxysieve.pool.events import PoolEvent, ProxiesJoined, TryEnded
from proxysieve.pool.session_pool import SessionPool
from proxysieve.pool.settings import Count, Settings

log = logging.getLogger("proxysieve")

# Pages are written to the disk this often, or when so many bytes have come in.
COMMIT_SECONDS = 0.5
COMMIT_BYTES = 8_000_000
# Beyond this, pages wait for the disk.
MOST_BYTES = 4 * COMMIT_BYTES
# How long requests under way may still take after an interrupt, while the user waits.
GRACE_SECONDS = 4.0


class JobOptions(Settings, frozen=True, kw_only=True):
    """All that makes up a job: what is listed here, and the settings of its pool.

    Attributes:
        out: The output, by a name that says its format (:mod:`proxysieve.fetch.output_files`).
        concurrency: Requests under way at most.
        expect: What a good page has: a text, ``css:SELECTOR``, ``json:KEY`` or ``bytes:COUNT``.
        robots: Whether to obey robots.txt.
        retry_failed: Whether to take up again what failed in an earlier run.
    """

    urls: UrlList
    proxies: Proxies
    out: str | PathLike[str]
    concurrency: Count = 50
    expect: str = ""
    robots: bool = True
    retry_failed: bool = False


class Progress(NamedTuple):
    """How far a job is; cheap to ask for.

    Attributes:
        news: What it does before pages can come; empty after that.
    """

    total: int
    done: int
    finished: int
    seconds: float
    wasted_per_page: float
    working: int
    news: str = ""


class Job:
    """A job; it runs once.

    Raises:
        ConfigError: An option is wrong, or the output cannot be written or belongs to something else.
    """

    def __init__(self, options: JobOptions) -> None:
        self._options = options
        self._counts = JobCounts()
        self._clock = options.clock
        self._started_at = self._clock.now()
        # Wrong options raise before a file is made.
        self._made_pool = SessionPool(
            options.proxies,
            **{name: getattr(options, name) for name in Settings.__struct_fields__}
            | {"headers": options.own_headers(options.urls.urls), "on_event": self._hear},
        )
        if options.expect:
            expects(options.expect)
        self._output = Output(options.out, retry_failed=options.retry_failed)
        urls = options.urls.urls
        todo = [url for url in urls if not self._output.has(url)]
        self._resumed_pages = sum(map(self._output.has_page, urls))
        self._resumed_failed = len(urls) - len(todo) - self._resumed_pages
        self._queue = UrlQueue(todo, options.site, options.concurrency)
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
        """Fetch what is not fetched yet. Returns the report.

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
        """Send nothing more, and let requests under way end within a few seconds; a second call ends them at once."""
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
        """How far the job is now."""
        return Progress(
            total=len(self._options.urls.urls),
            done=self._done,
            finished=self._pages + self._failed + self._skipped,
            seconds=self._clock.now() - self._started_at,
            wasted_per_page=self._counts.wasted / max(1, self._pages),
            working=self._pool.working_count if self._pool else 0,
            news=self._robots.news if self._robots else "",
        )

    def report(self) -> Report:
        """The figures as they are now. This counts every exit that was used."""
        counts, outcomes = self._counts, self._counts.outcomes
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
            requests=counts.requests,
            wasted_per_page=round(counts.wasted / max(1, self._pages), 4),
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
            reasons=[(outcome, why, count) for (outcome, why), count in counts.reasons.most_common()],
            left_out=left_out.count if left_out else 0,
            saved_bytes=left_out.saved_bytes if left_out else 0,
        )

    @property
    def _done(self) -> int:
        return self._resumed_pages + self._resumed_failed + self._pages + self._failed + self._skipped

    def _hear(self, event: PoolEvent) -> None:
        match event:
            case TryEnded(tried=tried):
                self._counts.note(tried)
            case ProxiesJoined():
                self._take_up()
        self._options.on_event(event)

    def _take_up(self) -> None:
        """There are new proxies, so try again the sites at which nothing worked."""
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
            # An error of one worker ends all of them.
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
                    # With many requests at a low rate, a page may have to queue for longer; it used up nothing.
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
        except Exception as error:  # noqa: BLE001 - whatever it is, the other pages go on
            why = f"unexpected error: {words_of(error) or type(error).__name__}"
            log.error("%s: %s", url, why)  # noqa: TRY400 - a traceback would show secrets
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
