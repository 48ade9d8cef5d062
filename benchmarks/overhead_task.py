"""What `overhead.py` asks of a process of its own, and what that process measures of itself.

The whole job stands in another file than the bare loops, as it must run in an older version of the project too: it
imports no more of it than that has.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path

import msgspec

import proxysieve

LONGEST_SECONDS = 300.0

Fetch = Callable[[str], Awaitable[object]]
Side = Callable[["Task"], Coroutine[None, None, None]]


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """Pages to be fetched.

    Attributes:
        side: The name of what fetches them.
        ca_path: The certificate to trust, if the site has one.
        directory: For what a job keeps.
        sessions: With how many proxies a bare loop goes, the first ones.
    """

    side: str
    urls: list[str]
    proxies: list[str]
    ca_path: str | None
    directory: str
    concurrency: int
    sessions: int

    async def fetch_all(self, fetch: Fetch) -> None:
        """Call *fetch* with every page, as many at a time as the job has."""

        async def work(urls: Iterator[str]) -> None:
            for url in urls:
                await fetch(url)

        urls = iter(self.urls)
        async with asyncio.TaskGroup() as workers:
            for _ in range(self.concurrency):
                workers.create_task(work(urls))


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What it took, from the first page to the last connection closed.

    Attributes:
        source: The folder of the package that ran.
    """

    seconds: float
    processor_seconds: float
    source: str


def perform(sides: dict[str, Side]) -> None:
    """Run the side that standard input asks for, and write to standard output what it took."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    processor_seconds, started_at = time.process_time(), time.monotonic()
    asyncio.run(asyncio.wait_for(sides[task.side](task), LONGEST_SECONDS))
    spent = Spent(
        seconds=time.monotonic() - started_at,
        processor_seconds=time.process_time() - processor_seconds,
        source=str(Path(proxysieve.__file__).parent),
    )
    sys.stdout.buffer.write(msgspec.json.encode(spent))


def delegate(task: Task, script: Path, python: Path, environment: dict[str, str]) -> Spent:
    """Have another process run *script* on *task*."""
    done = subprocess.run(
        [python, script],
        input=msgspec.json.encode(task),
        stdout=subprocess.PIPE,
        check=True,
        env=environment,
        timeout=2 * LONGEST_SECONDS,
    )
    return msgspec.json.decode(done.stdout, type=Spent)
