"""An event loop in the background, on which callers without ``await`` have their work done."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, TypeVar

from proxysieve.errors import ProxySieveError

T = TypeVar("T")


class Loop:
    """An event loop in a thread of its own, from :meth:`open` to :meth:`close`."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._was_open = False
        # Work that is handed over while the loop comes to its end would never be done, and its caller wait for ever.
        self._handing_over = threading.Lock()

    def open(self) -> None:
        """Start the loop and its thread."""
        self._loop = asyncio.new_event_loop()
        self._was_open = True
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxysieve", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What *work* returns or raises, done on the loop while the caller waits."""
        with self._handing_over:
            if self._loop is None:
                work.close()
                any_more, within = (" any more", "within its") if self._was_open else ("", "in")
                raise ProxySieveError(f"the pool is not open{any_more}: use it {within} with")
            result = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return result.result()
        except BaseException:
            # It was Ctrl-C, perhaps, and then nobody waits for the work any more.
            result.cancel()
            raise

    def call(self, work: Callable[[], T]) -> T:
        """The same for what does not wait."""

        async def called() -> T:
            return work()

        return self.run(called())

    @contextmanager
    def entered(self, context: AbstractAsyncContextManager[T]) -> Iterator[T]:
        """What *context* gives, entered and left on the loop."""
        value = self.run(context.__aenter__())
        try:
            yield value
        except BaseException as error:
            if not self.run(context.__aexit__(type(error), error, error.__traceback__)):
                raise
        else:
            self.run(context.__aexit__(None, None, None))

    @property
    def is_open(self) -> bool:
        """Whether work can be handed over."""
        return self._loop is not None

    def close(self) -> None:
        """Stop the loop and its thread; threads that still wait for something are told that it was cancelled."""
        with self._handing_over:
            loop, self._loop = self._loop, None
        if loop is None or self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(cancel_others(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join()
        loop.close()


async def cancel_others() -> None:
    """End every other task of the running loop."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
