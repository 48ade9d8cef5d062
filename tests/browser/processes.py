"""The processes that a browser consists of: found by a mark in their surroundings, killed, and awaited."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from uuid import uuid4

import msgspec

from proxysieve.browser.options import BrowserOptions

MARK = "PROXYSIEVE_TEST_MARK"
# Far more than it takes; whoever waits for so long waits in vain.
PATIENCE_SECONDS = 30.0


def new_mark() -> dict[str, str]:
    """What a process is started with to be found again, with all that it starts."""
    return {MARK: uuid4().hex}


def marked(options: BrowserOptions, mark: dict[str, str]) -> BrowserOptions:
    """*options* for browsers that are found by *mark*."""
    return msgspec.structs.replace(options, launch={"env": mark})


def family(mark: dict[str, str]) -> set[int]:
    """The processes with *mark*, and their descendants, which may hide it."""
    [value] = mark.values()
    parents = dict(_parents())
    found = {pid for pid in parents if value.encode() in _read(pid, "environ")}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def browsers(mark: dict[str, str]) -> set[int]:
    """Of the family of *mark* those that command the others of a browser."""
    return {pid for pid in family(mark) if is_browser(_read(pid, "cmdline"))}


def is_browser(command: bytes) -> bool:
    return b"--remote-debugging-pipe" in command and b"--type=" not in command


def children() -> set[int]:
    """Those that this process has started, and nobody else."""
    return {pid for pid, parent in _parents() if parent == os.getpid()}


def send(pids: set[int], what: signal.Signals) -> None:
    """Send a signal to each of *pids* that is still there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, what)


async def until(condition: Callable[[], bool]) -> None:
    """Come back as soon as *condition* holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - processes and servers set no events
            await asyncio.sleep(0.01)


@asynccontextmanager
async def all_ending(pids: set[int]) -> AsyncIterator[None]:
    """By the end of the block, or soon after it, none of *pids* is left."""
    with ExitStack() as files:
        endings = [_ending(pid, files) for pid in pids]
        yield
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*endings)


def _ending(pid: int, files: ExitStack) -> asyncio.Future[None]:
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    try:
        file = os.pidfd_open(pid)
    except ProcessLookupError:
        ended.set_result(None)
        return ended
    files.callback(os.close, file)
    loop = asyncio.get_running_loop()
    loop.add_reader(file, _set, ended)
    files.callback(loop.remove_reader, file)
    return ended


def _set(ended: asyncio.Future[None]) -> None:
    if not ended.done():
        ended.set_result(None)


def _parents() -> Iterator[tuple[int, int]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (stat := _read(int(folder.name), "stat")):
            # The name before the last bracket may hold anything.
            yield int(folder.name), int(stat.rpartition(b")")[2].split()[1])


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""  # it is gone, or another's
