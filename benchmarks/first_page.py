"""How long until the first page comes out of a list of free proxies, with robots.txt and without.

5,000 proxies on addresses of their own, of which half refuse connections, 45 in a hundred accept them and never answer,
and 5 in a hundred work. The job is given 200 pages, 50 requests at once and the usual time-out of 30 s, and is ended
once the first page is there. A seed draws the list's order and the pool's chance; both ways take turns.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from pathlib import Path

from measure import Bench, Cell, Spread
from proxysieve.cli.fetch import raise_file_limit
from proxysieve.fetch.job import Job, JobOptions
from proxysieve.fetch.urls import read_urls
from proxysieve.testbed import TestbedProcess, World

WORLD = World(proxies=5_000, refusing=2_500, hanging=2_250, networks=100, credentials=False)
PAGE_COUNT = 200
# A job that has no page by then is taken for one that never has.
LONGEST_SECONDS = 180.0
LOOK_SECONDS = 0.005
WAYS = {"robots.txt": True, "--no-robots": False}


class First:
    """How the first page of one job came: after so many seconds, and so many requests."""

    def __init__(self, seconds: float, requests: int) -> None:
        self.seconds = seconds
        self.requests = requests


async def first_page(bed: TestbedProcess, seed: int, directory: Path, *, robots: bool) -> First:
    """Run a job until its first page."""
    proxies = list(bed.proxy_lines)
    random.Random(seed).shuffle(proxies)
    job = Job(
        JobOptions(
            urls=read_urls(bed.page_urls(PAGE_COUNT), "the testbed"),
            proxies=proxies,
            out=directory / "pages.jsonl",
            store="memory:",
            max_rate=0,
            robots=robots,
            seed=seed,
        )
    )
    running = asyncio.create_task(job.run())
    while not running.done() and not job.progress().finished and job.progress().seconds < LONGEST_SECONDS:
        await asyncio.wait([running], timeout=LOOK_SECONDS)
    first = First(job.progress().seconds, job.report().requests)
    job.interrupt()
    job.interrupt()
    await running
    return first


def play(bed: TestbedProcess, seed: int, *, robots: bool) -> First:
    """One job in a directory of its own."""
    with tempfile.TemporaryDirectory() as directory:
        return asyncio.run(first_page(bed, seed, Path(directory), robots=robots))


def main() -> None:
    """Measure."""
    bench = Bench("first_page", __doc__, rounds=5, counted="seeds")
    options = bench.start()
    raise_file_limit()
    found: dict[str, list[First]] = {way: [] for way in WAYS}
    with TestbedProcess(WORLD) as bed:
        for seed in range(options.seeds):
            for way, robots in WAYS.items():
                first = play(bed, seed, robots=robots)
                found[way].append(first)
                bench.emit(way=way, seed=seed, seconds=first.seconds, requests=first.requests)
    rows: list[dict[str, Cell]] = [
        {
            "way": way,
            "seeds": len(firsts),
            "seconds": Spread.of(first.seconds for first in firsts).text(2),
            "requests": Spread.of(first.requests for first in firsts).text(),
        }
        for way, firsts in found.items()
    ]
    bench.table(f"the first page through {WORLD.proxies:,} proxies of which {WORLD.proxies // 20} work", rows)


if __name__ == "__main__":
    main()
