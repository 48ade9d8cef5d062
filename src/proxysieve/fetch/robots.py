"""What sites ask robots not to fetch, read through the pool."""

from __future__ import annotations

import asyncio
from urllib.parse import urljoin

from proxysieve.core.robots.asking import Asking, End
from proxysieve.core.robots.rules import Rules, read_rules
from proxysieve.core.urls.parsing import as_sent, place_of
from proxysieve.pool.attempts import Page
from proxysieve.pool.errors import GaveUp, NoSessionAvailable
from proxysieve.pool.session_pool import SessionPool
from proxysieve.site_of import site_of

# This much takes some milliseconds to read, so a thread does it.
MANY_BYTES = 20_000


class Robots:
    """Tells whether a page may be fetched. It reads each origin's robots.txt once in a run.

    Args:
        pool: Sends the requests.
        places: How many requests may run at once, over all origins.
        slots: One for each running request, including those for pages.
    """

    def __init__(self, pool: SessionPool, places: int, slots: asyncio.Semaphore) -> None:
        self._pool = pool
        self._places = places
        self._slots = slots
        self._rules: dict[str, asyncio.Task[Rules]] = {}
        self._askings: dict[str, Asking] = {}
        # Long checks run one after the other, so that the event loop has enough time.
        self._turn = asyncio.Lock()

    async def allows(self, url: str) -> bool:
        """Whether *url* may be fetched.

        Raises:
            NoSessionAvailable: The rules cannot be read, so nothing may be fetched now (RFC 9309, 2.3.1.4).
        """
        origin = place_of(url).origin
        if origin not in self._rules:
            # A login in the URL counts for this file, too.
            self._rules[origin] = asyncio.create_task(self._read(urljoin(as_sent(url), "/robots.txt")))
        reading = self._rules[origin]
        try:
            rules = await asyncio.shield(reading)
        except NoSessionAvailable as error:
            if error.is_overdue and self._rules.get(origin) is reading:
                # Nothing was requested yet, so the next caller may try.
                del self._rules[origin]
            raise
        except asyncio.CancelledError:
            if _is_wanted():
                raise NoSessionAvailable(site_of(url), "its robots.txt is no longer asked for", retry_at=None) from None
            raise
        return await self._ask(rules, url)

    async def _ask(self, rules: Rules, url: str) -> bool:
        steps = rules.steps(url)
        answer = next(steps)
        if answer is None:
            # One at a time: otherwise the steps of all would follow each other without a pause.
            async with self._turn:
                for answer in steps:  # noqa: B007 - the last one counts
                    await asyncio.sleep(0)
        return answer is True

    @property
    def news(self) -> str:
        """Whose robots.txt is being read, and the state of that; empty if none is."""
        told = [f"asking {place_of(url).host}'s robots.txt: {asking}" for url, asking in self._askings.items()]
        return f"{told[0]}{f' (and {len(told) - 1} more)' if told[1:] else ''}" if told else ""

    def stop(self) -> None:
        """Send no more requests. Whoever waits for rules gets an error."""
        for task in self._rules.values():
            task.cancel()

    async def close(self) -> None:
        """Stop, and wait until no request runs."""
        self.stop()
        await asyncio.gather(*self._rules.values(), return_exceptions=True)

    async def _read(self, url: str) -> Rules:
        settings = self._pool.settings
        asking = self._askings[url] = Asking(
            places=self._places, attempts=settings.attempts, timeout_seconds=settings.timeout_seconds
        )
        tries = Tries(self._pool, url, asking, self._slots)
        try:
            page = await self._search(url, asking, tries)
        finally:
            del self._askings[url]
            await tries.cancel()
        # If there is no such file, everything is allowed.
        if page is None or page.status >= 400:
            return NO_RULES
        if len(page.body) <= MANY_BYTES:
            return read_rules(page.body)
        async with self._turn:
            return await asyncio.to_thread(read_rules, page.body)

    async def _search(self, url: str, asking: Asking, tries: Tries) -> Page | None:
        """The first good answer; None if there is no such file."""
        stopped: NoSessionAvailable | None = None
        while stopped is None or tries.count:
            if stopped is None:
                await tries.start()
            end: End | None = None
            for result in await tries.results():
                match result:
                    case Page():
                        return result
                    case NoSessionAvailable():
                        stopped = stopped or result
                    case GaveUp():
                        end = end or asking.fail(
                            result.attempts[-1], self._pool.settings.clock.now(), is_final=result.verdict.is_final
                        )
            if end and end.why:
                why = f"its robots.txt cannot be read ({end.why}); --no-robots goes on without"
                raise NoSessionAvailable(site_of(url), why, retry_at=None)
            if end:
                return None
        if asking.is_refused_by_all:
            return None
        raise stopped


class Tries:
    """The running requests for one robots.txt."""

    def __init__(self, pool: SessionPool, url: str, asking: Asking, slots: asyncio.Semaphore) -> None:
        self._pool = pool
        self._url = url
        self._asking = asking
        self._slots = slots
        # For each, whether it has the longest time-out.
        self._tasks: dict[asyncio.Task[Page], bool] = {}
        self._has_news = asyncio.Event()
        self._failed_on: set[str] = set()

    @property
    def count(self) -> int:
        """How many run."""
        return len(self._tasks)

    async def start(self) -> None:
        """Start as many more as allowed. If there is no room for all, pages come first."""
        asking, clock = self._asking, self._pool.settings.clock
        while asking.may_start(self.count, clock.now()) and not (self._tasks and self._slots.locked()):
            await self._slots.acquire()
            seconds = asking.seconds_for(sum(self._tasks.values()))
            task = asyncio.create_task(
                self._pool.get_aside(self._url, seconds, waiting=asking.width, failed_on=self._failed_on)
            )
            self._tasks[task] = asking.is_patient(seconds)
            task.add_done_callback(self._note_end)

    def _note_end(self, _: object) -> None:
        self._slots.release()
        self._has_news.set()

    async def results(self) -> list[Page | GaveUp | NoSessionAvailable]:
        """The results, as soon as there is one; none if it is time to look again."""
        clock, asking = self._pool.settings.clock, self._asking
        until = asking.look_again_at(clock.now())
        await clock.wait(self._has_news, until)
        self._has_news.clear()
        ended = [task for task in self._tasks if task.done()]
        if self._tasks and not ended and clock.now() >= until:
            asking.grow()
        for task in ended:
            del self._tasks[task]
        return [_result(task) for task in ended]

    async def cancel(self) -> None:
        """Cancel all requests: their leases say nothing about their sessions."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _result(task: asyncio.Task[Page]) -> Page | GaveUp | NoSessionAvailable:
    try:
        return task.result()
    except (GaveUp, NoSessionAvailable) as error:
        return error


def _is_wanted() -> bool:
    """Whether this task itself was not cancelled."""
    task = asyncio.current_task()
    return task is not None and not task.cancelling()


NO_RULES = read_rules(b"")
