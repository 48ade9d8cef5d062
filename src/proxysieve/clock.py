"""The only place that reads the time; and a clock for tests, whose time passes only when it is told."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from contextlib import suppress
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits. Times are Unix seconds."""

    def now(self) -> float:
        """The current time. It never goes back."""
        ...

    async def wait(self, event: asyncio.Event, until: float | None = None) -> None:
        """Return when *event* is set or at the time *until*, whichever comes first."""
        ...


class SystemClock:
    """Real time: the wall clock at the start of the process, moved on by a clock that nobody can set.

    If a wall clock were set back during a crawl, cooldowns would last for hours.
    """

    def __init__(self) -> None:
        self._offset = time.time() - elapsed()

    def now(self) -> float:
        return self._offset + elapsed()

    async def wait(self, event: asyncio.Event, until: float | None = None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(None if until is None else max(0.0, until - self.now())):
                await event.wait()


def elapsed() -> float:
    """Seconds since a fixed moment. On Linux they include the time that a laptop slept."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class VirtualClock:
    """Time that stands still until :meth:`advance` moves it on."""

    def __init__(self, start: float = 1_000_000.0) -> None:
        self._now = start
        self._alarms: list[tuple[float, int, asyncio.Event]] = []
        self._numbers = itertools.count()

    def now(self) -> float:
        return self._now

    async def wait(self, event: asyncio.Event, until: float | None = None) -> None:
        if until is None:
            await event.wait()
            return
        alarm = asyncio.Event()
        if until > self._now:
            heapq.heappush(self._alarms, (until, next(self._numbers), alarm))
        else:
            alarm.set()
        waits = [asyncio.create_task(one.wait()) for one in (event, alarm)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    async def advance(self, seconds: float) -> None:
        """Let *seconds* pass. It wakes waiting tasks in their order, each at its own time."""
        until = self._now + seconds
        await settle()
        while self._alarms and self._alarms[0][0] <= until:
            moment, _, alarm = heapq.heappop(self._alarms)
            self._now = max(self._now, moment)
            alarm.set()
            await settle()
        self._now = until
        await settle()


async def settle() -> None:
    """Let every task go on until it waits for time or for a socket."""
    # Tasks wake other tasks. The chains in this package have only a few links.
    for _ in range(50):
        await asyncio.sleep(0)
