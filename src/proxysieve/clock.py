"""The one place that reads the time, and a clock for tests whose time passes only when told."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from contextlib import suppress
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits. Moments are Unix seconds."""

    def now(self) -> float:
        """The current moment; it never goes back."""
        ...

    async def wait(self, event: asyncio.Event, until: float | None = None) -> None:
        """Return when *event* is set, or at the moment *until*, whichever comes first."""
        ...


class SystemClock:
    """Real time: the wall clock as it was when the process started, moved on by one that nobody can set.

    A wall clock that is set back in the middle of a crawl would make rests last for hours.
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
    """Seconds since some moment, those in which a laptop slept included where the system counts them (Linux)."""
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
        """Let *seconds* pass, waking those who wait in their order, each at its own moment."""
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
    """Let every task go on until it waits for something that only time or a socket can bring."""
    # Tasks that were woken wake others; chains in this package are a handful of links long.
    for _ in range(50):
        await asyncio.sleep(0)
