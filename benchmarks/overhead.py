"""What the pool, the output and the store cost on top of the client.

The same 3,000 pages of 15 KB through the same proxies, none of them banned, 50 at a time, by

  bare     one curl_cffi session a proxy, in turn, reading the body: no pool, no output. Once with as many proxies as
           the pool came to use in the round before, as the site counted them, and once with as many as max_sessions.
  pool     ``SessionPool.get`` with the policy classic, whose max_sessions says how many exits there are; nothing kept
  memory   the whole job with its output and journal, and a store that forgets
  sqlite   the whole job with the default store

Every run has a fresh site, and opens all of its connections within the time that is measured. The first round is not
counted. The processor time is that of the client's process, and that of the site with its proxies beside it.
"""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle
from pathlib import Path

import msgspec
from curl_cffi import CurlHttpVersion, CurlOpt
from curl_cffi.requests import AsyncSession, Response

from measure import LONGEST_SECONDS, Bench, Cell, Spread
from proxysieve import SessionPool
from proxysieve.core.address import parse_proxy
from proxysieve.core.identity import IDENTITIES
from proxysieve.fetch.job import Job, JobOptions
from proxysieve.fetch.urls import read_urls
from proxysieve.testbed import TestbedProcess, World

WORLD = World(proxies=500)
PAGE_COUNT = 3000
CONCURRENCY = 50
# The one that settles on a number of exits which is known beforehand.
POLICY = "classic"
MAX_SESSIONS = 100

Fetch = Callable[[str], Awaitable[object]]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One side in one round."""

    pages_a_second: float
    processor_seconds: float
    site_processor_seconds: float
    exits: int


class Overhead:
    """The sides, each to be run again and again."""

    def __init__(self) -> None:
        # How many the classic settles on; the first round finds out, and is not counted.
        self._pool_exits = MAX_SESSIONS
        self.sides: dict[str, Callable[[TestbedProcess, Path], Coroutine[None, None, None]]] = {
            "sqlite": lambda bed, directory: fetch_by_job(bed, directory, str(directory / "store")),
            "bare": lambda bed, _: fetch_bare(bed, self._pool_exits),
            "memory": lambda bed, directory: fetch_by_job(bed, directory, "memory:"),
            "pool": lambda bed, _: fetch_by_pool(bed),
            "bare, max_sessions": lambda bed, _: fetch_bare(bed, MAX_SESSIONS),
        }

    def run(self, name: str) -> Run:
        """Run the side called *name* against a fresh site."""
        site_seconds = children_seconds()
        with TestbedProcess(WORLD) as bed, tempfile.TemporaryDirectory() as directory:
            processor_seconds, started_at = time.process_time(), time.monotonic()
            asyncio.run(asyncio.wait_for(self.sides[name](bed, Path(directory)), LONGEST_SECONDS))
            seconds = time.monotonic() - started_at
            processor_seconds = time.process_time() - processor_seconds
            truth = bed.truth()
        assert truth.answer_counts["ok"] == PAGE_COUNT, truth.answer_counts  # noqa: S101 - else it is no measurement
        exits = len({hit.exit for hit in truth.hits})
        if name == "sqlite":
            self._pool_exits = exits
        return Run(
            pages_a_second=PAGE_COUNT / seconds,
            processor_seconds=processor_seconds,
            site_processor_seconds=children_seconds() - site_seconds,
            exits=exits,
        )


async def fetch_bare(bed: TestbedProcess, count: int) -> None:
    """Fetch with one client for each of *count* proxies, in turn."""
    async with open_clients(bed, count) as clients:
        turns = cycle(clients)

        async def fetch(url: str) -> None:
            response = await next(turns).get(url, timeout=30.0, http_version=CurlHttpVersion.V2TLS)
            assert response.status_code == 200 and response.content  # noqa: PT018, S101 - as above

        await fetch_all(bed, fetch)


@asynccontextmanager
async def open_clients(bed: TestbedProcess, count: int) -> AsyncIterator[list[AsyncSession[Response]]]:
    """Clients as the pool's own makes them, with its browsers dealt out in turn."""
    async with AsyncExitStack() as stack:
        identities = cycle(IDENTITIES)
        yield [
            await stack.enter_async_context(
                AsyncSession(
                    impersonate=next(identities).impersonate,
                    proxy=parse_proxy(line).url(),
                    trust_env=False,
                    curl_options={CurlOpt.NOPROXY: ""},
                )
            )
            for line in bed.proxy_lines[:count]
        ]


async def fetch_by_pool(bed: TestbedProcess) -> None:
    """Fetch with the pool, and keep nothing."""
    async with SessionPool(
        bed.proxy_lines, store="memory:", policy=POLICY, max_sessions=MAX_SESSIONS, max_rate=0
    ) as pool:
        await fetch_all(bed, pool.get)


async def fetch_by_job(bed: TestbedProcess, directory: Path, store: str) -> None:
    """Fetch by the whole job."""
    options = JobOptions(
        urls=read_urls(bed.page_urls(PAGE_COUNT), "the testbed"),
        proxies=bed.proxy_lines,
        out=directory / "pages.jsonl",
        store=store,
        policy=POLICY,
        max_sessions=MAX_SESSIONS,
        concurrency=CONCURRENCY,
        max_rate=0,
    )
    await Job(options).run()


async def fetch_all(bed: TestbedProcess, fetch: Fetch) -> None:
    """Call *fetch* with every page, as many at a time as the job has."""

    async def work(urls: Iterator[str]) -> None:
        for url in urls:
            await fetch(url)

    urls = iter(bed.page_urls(PAGE_COUNT))
    async with asyncio.TaskGroup() as workers:
        for _ in range(CONCURRENCY):
            workers.create_task(work(urls))


def children_seconds() -> float:
    """The processor time of all processes that we started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def row(name: str, runs: list[Run], bare: list[Run]) -> dict[str, Cell]:
    """What *runs* came to, beside the *bare* ones of the same rounds."""
    ratios = [run.pages_a_second / other.pages_a_second for run, other in zip(runs, bare, strict=True)]
    return {
        "side": name,
        "pages a second": Spread.of(run.pages_a_second for run in runs).text(),
        "of bare": Spread.of(ratios).text(2),
        "CPU s": Spread.of(run.processor_seconds for run in runs).text(2),
        "site's": Spread.of(run.site_processor_seconds for run in runs).median,
        "exits": round(Spread.of(run.exits for run in runs).median),
    }


def main() -> None:
    """Measure."""
    bench = Bench("overhead", __doc__, rounds=7)
    options = bench.start()
    overhead = Overhead()
    runs: dict[str, list[Run]] = {name: [] for name in overhead.sides}
    for number in range(options.rounds + 1):
        for name, done in runs.items():
            run = overhead.run(name)
            if number:
                done.append(run)
                bench.emit(side=name, round=number, **msgspec.structs.asdict(run))
    bench.table(
        f"{PAGE_COUNT:,} pages of 15 KB, {CONCURRENCY} at a time; ratios within a round",
        [row(name, done, runs["bare"]) for name, done in runs.items()],
    )
    for name, other in (("sqlite", "memory"), ("memory", "pool"), ("pool", "bare")):
        pairs = zip(runs[name], runs[other], strict=True)
        spread = Spread.of(100 * (run.processor_seconds / beside.processor_seconds - 1) for run, beside in pairs)
        slower = Spread.of(
            100 * (beside.pages_a_second / run.pages_a_second - 1)
            for run, beside in zip(runs[name], runs[other], strict=True)
        )
        bench.note(f"{name} takes {slower.text(1)} % longer than {other}, and {spread.text(1)} % more CPU")


if __name__ == "__main__":
    main()
