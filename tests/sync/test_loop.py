"""A loop in the background, and callers that wait for it."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from concurrent.futures import Future

import pytest

from proxysieve.sync.loop import Loop


@pytest.mark.skipif(sys.platform == "win32", reason="signals cannot be sent to a thread")
def test_work_whose_caller_is_interrupted_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """By Ctrl-C, as nobody waits for it any more."""
    is_waiting = threading.Event()
    is_cancelled = threading.Event()

    result = Future.result

    def wait(future: Future[None]) -> None:
        is_waiting.set()
        return result(future)

    async def work() -> None:
        await asyncio.to_thread(is_waiting.wait, 30.0)
        try:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            await asyncio.Event().wait()
        finally:
            is_cancelled.set()

    monkeypatch.setattr(Future, "result", wait)
    loop = Loop()
    loop.open()
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.run(work())
        monkeypatch.undo()
        assert is_cancelled.wait(timeout=30.0)
    finally:
        loop.close()
