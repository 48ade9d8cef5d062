"""Playwright's driver, started where Ctrl-C does not reach it."""

from __future__ import annotations

import asyncio
import os
import shlex
import stat
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path

import playwright
from playwright.async_api import Playwright, async_playwright

# Starts Playwright's driver in a session of its own, so that Ctrl-C is for us alone to heed. By a shell, as the line
# that names an interpreter must be short and without blanks.
SHELL = "/bin/sh"
STARTER = """#!{shell}
exec {python} -IS -c 'import os, sys; os.setsid(); os.execv(sys.argv[1], sys.argv[1:])' {node} "$@"
"""
# By which Playwright is told of another node than its own.
VARIABLE = "PLAYWRIGHT_NODEJS_PATH"
# The variable is the process's, and more than one loop may start a driver.
STARTING = threading.Lock()
LOOK_AGAIN_SECONDS = 0.02


@asynccontextmanager
async def started_playwright() -> AsyncIterator[Playwright]:
    """Playwright, which ends with us, and not before."""
    manager: AbstractAsyncContextManager[Playwright] = async_playwright()
    starting = asyncio.create_task(start_apart(manager))
    try:
        started = await asyncio.shield(starting)
    except asyncio.CancelledError:
        # Half a driver cannot be ended.
        await asyncio.wait({starting})
        if not starting.cancelled() and starting.exception() is None:
            await manager.__aexit__(None, None, None)
        raise
    try:
        yield started
    finally:
        await manager.__aexit__(None, None, None)


async def start_apart(manager: AbstractAsyncContextManager[Playwright]) -> Playwright:
    """Start Playwright's driver in a session of its own, one at a time."""
    # To wait in a thread would hold up the loop's end, and leave the lock to nobody.
    while not STARTING.acquire(blocking=False):  # noqa: ASYNC110 - it is no loop's own
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
    try:
        with own_session():
            return await manager.__aenter__()
    finally:
        STARTING.release()


@contextmanager
def own_session() -> Iterator[None]:
    """Have Playwright's driver start out of reach of the terminal's signals, which would end it before its work."""
    given = os.environ.get(VARIABLE)
    node = given or str(Path(playwright.__file__).parent / "driver" / "node")
    with tempfile.TemporaryDirectory(prefix="proxysieve-") as folder:
        starter = Path(folder) / "node"
        starter.write_text(
            STARTER.format(shell=SHELL, python=shlex.quote(sys.executable), node=shlex.quote(node)), encoding="utf-8"
        )
        starter.chmod(stat.S_IRWXU)
        if not (os.access(starter, os.X_OK) and os.access(SHELL, os.X_OK)):
            # As where nothing in the folder for temporary files may be run; then Ctrl-C ends browsers in the middle.
            yield
            return
        os.environ[VARIABLE] = str(starter)
        try:
            yield
        finally:
            if given is None:
                del os.environ[VARIABLE]
            else:
                os.environ[VARIABLE] = given
