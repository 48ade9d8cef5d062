"""Real time, and time that passes only when told."""

from __future__ import annotations

import asyncio
import time

import pytest

from proxysieve.clock import Clock, SystemClock, VirtualClock


async def waited(clock: Clock, name: str, until: float | None, log: list[tuple[str, float]]) -> None:
    """Wait for nothing but the time, and write down when it came."""
    await clock.wait(asyncio.Event(), until)
    log.append((name, clock.now()))


class TestSystemClock:
    """The wall clock, which here never goes back."""

    def test_it_tells_the_time_of_day(self) -> None:
        """Moments are Unix seconds."""
        assert SystemClock().now() == pytest.approx(time.time(), abs=1)

    def test_it_does_not_follow_a_clock_that_is_set_back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Somebody who sets the time changes nothing for a clock that was started."""
        clock = SystemClock()
        before = clock.now()

        monkeypatch.setattr(time, "time", lambda: 0.0)

        assert clock.now() >= before

    async def test_a_wait_ends_at_its_moment(self) -> None:
        """Without the event it takes as long as it was told to."""
        clock = SystemClock()
        until = clock.now() + 0.02

        await clock.wait(asyncio.Event(), until)

        assert until <= clock.now() < until + 5

    @pytest.mark.parametrize("until", [None, 1e12])
    async def test_a_wait_ends_with_the_event(self, until: float | None) -> None:
        """What is awaited may come first, or be all that there is."""
        event = asyncio.Event()
        waiting = asyncio.create_task(SystemClock().wait(event, until))
        await asyncio.sleep(0)

        event.set()

        await asyncio.wait_for(waiting, 5)

    @pytest.mark.parametrize("until", [None, 0.0])
    async def test_what_has_happened_is_not_waited_for(self, until: float | None) -> None:
        """A set event or a moment that is over end the wait at once."""
        event = asyncio.Event()
        event.set()

        await asyncio.wait_for(SystemClock().wait(event, until), 5)
        await asyncio.wait_for(SystemClock().wait(asyncio.Event(), 0.0), 5)

    async def test_a_wait_can_be_cancelled(self) -> None:
        """Cancelling is not mistaken for the moment."""
        waiting = asyncio.create_task(SystemClock().wait(asyncio.Event(), 1e12))
        await asyncio.sleep(0)

        waiting.cancel()

        with pytest.raises(asyncio.CancelledError):
            await waiting


class TestVirtualClock:
    """Time that stands still until it is moved on."""

    async def test_it_stands_still(self) -> None:
        """Nothing but advancing moves it."""
        clock = VirtualClock(start=50.0)
        await asyncio.sleep(0)
        before = clock.now()

        await clock.advance(10)

        assert (before, clock.now()) == (50.0, 60.0)

    async def test_sleepers_wake_in_their_order_each_at_its_moment(self) -> None:
        """Who waits sees the time that was waited for, however far the clock is moved."""
        clock, log = VirtualClock(start=0.0), list[tuple[str, float]]()
        sleepers = [
            asyncio.create_task(waited(clock, name, until, log))
            for name, until in (("late", 30.0), ("early", 10.0), ("never", 100.0), ("also early", 10.0))
        ]

        await clock.advance(40)

        assert log == [("early", 10.0), ("also early", 10.0), ("late", 30.0)]
        assert clock.now() == 40
        await clock.advance(60)
        await asyncio.gather(*sleepers)
        assert log[-1] == ("never", 100.0)

    async def test_who_wakes_may_sleep_again(self) -> None:
        """A chain of waits within one step is played through."""
        clock, log = VirtualClock(start=0.0), list[float]()

        async def tick() -> None:
            for moment in (1.0, 2.0, 3.0):
                await clock.wait(asyncio.Event(), moment)
                log.append(clock.now())

        ticking = asyncio.create_task(tick())
        await clock.advance(10)
        await ticking

        assert log == [1.0, 2.0, 3.0]

    @pytest.mark.parametrize("until", [None, 500.0])
    async def test_a_wait_ends_with_the_event(self, until: float | None) -> None:
        """No time passes for it."""
        clock, event = VirtualClock(start=0.0), asyncio.Event()
        waiting = asyncio.create_task(clock.wait(event, until))
        await asyncio.sleep(0)

        event.set()
        await asyncio.wait_for(waiting, 5)

        assert clock.now() == 0

    async def test_a_moment_that_is_over_is_not_waited_for(self) -> None:
        """Neither is the present one."""
        clock = VirtualClock(start=100.0)

        for until in (99.0, 100.0):
            await asyncio.wait_for(clock.wait(asyncio.Event(), until), 5)

    async def test_a_wait_that_was_given_up_harms_nobody(self) -> None:
        """The moment of a cancelled sleeper passes like any other."""
        clock, log = VirtualClock(start=0.0), list[tuple[str, float]]()
        waiting = asyncio.create_task(waited(clock, "given up", 10.0, log))
        await asyncio.sleep(0)
        waiting.cancel()

        await clock.advance(20)

        assert log == []
        assert waiting.cancelled()
