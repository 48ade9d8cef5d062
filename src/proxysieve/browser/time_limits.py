"""Waits for Playwright: never without an end, and nothing stays open that nobody waits for any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from playwright.async_api import Error
from playwright.async_api import TimeoutError as PageTimeout

T = TypeVar("T")

# What Playwright says where a page, its context, the browser or the driver is gone.
CLOSED = "Target page, context or browser has been closed"


@asynccontextmanager
async def in_time(seconds: float, what: str) -> AsyncIterator[None]:
    """Have *what* end within so many seconds; most of what Playwright is asked for has no limit of its own.

    Raises:
        playwright.async_api.TimeoutError: As where it has.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise PageTimeout(f"{what} took longer than {seconds:g} s") from error


@contextmanager
def while_it_closes() -> Iterator[None]:
    """Go on where a page or context is closed, as a browser closes all of them before it ends."""
    try:
        yield
    except Error as error:
        if CLOSED not in error.message:
            raise


async def bring(opening: Coroutine[Any, Any, T], close: Callable[[T], Awaitable[object]]) -> T:
    """What *opening* brings. If nobody waits for it any more when it comes, it is closed.

    Playwright goes on with what was begun, whoever is cancelled.
    """
    is_wanted = True

    async def end_it() -> T:
        thing = await opening
        if not is_wanted:
            await close(thing)
        return thing

    bringing = asyncio.create_task(end_it())
    try:
        return await asyncio.shield(bringing)
    except asyncio.CancelledError:
        is_wanted = False
        # Should it fail, there is nobody to be told.
        bringing.add_done_callback(lambda task: task.cancelled() or task.exception())
        if bringing.done() and not bringing.cancelled() and bringing.exception() is None:
            # It came in the same moment.
            await close(bringing.result())
        raise
