"""How many requests the main job wastes, and whether every page is there and right.

Each job runs against a site and 500 proxies in another process. A request is wasted when it brings no page. Every
page is compared with what the site holds, byte for byte, and the site itself counts how often it said no. A seed draws
both the world and the pool's chance.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import msgspec

from measure import BLOCK_STYLES, LONGEST_SECONDS, Bench, Cell, Spread, count_wrong
from proxysieve.fetch.job import Job, JobOptions
from proxysieve.fetch.urls import read_urls
from proxysieve.testbed import TestbedProcess, World

PAGE_COUNT = 3000
CONCURRENCY = 50
# A hanging proxy costs each of its requests this much; the default of 30 would measure little else.
TIMEOUT_SECONDS = 3.0
BANNED = World(proxies=500, banned_share=0.75, block_styles=BLOCK_STYLES)
WORLDS = {
    "75 % of the proxies banned": BANNED,
    "75 % banned, and 10 % dead (half refuse, half hang)": msgspec.structs.replace(BANNED, refusing=25, hanging=25),
    "75 % banned, behind a provider's gateway": msgspec.structs.replace(BANNED, provider_names=True),
    "no bans": msgspec.structs.replace(BANNED, banned_share=0.0),
}
RIVALS = ("round_robin", "uniform_random")


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One job."""

    pages: int
    wrong_pages: int
    wasted_a_page: float
    blocked_hits: int
    seconds: float


def play(world: World, policy: str, seed: int) -> Run:
    """Do the job in *world* as *seed* draws it."""
    world = msgspec.structs.replace(world, seed=seed)
    with TestbedProcess(world) as bed, tempfile.TemporaryDirectory() as directory:
        out = Path(directory, "pages.jsonl")
        options = JobOptions(
            urls=read_urls(bed.page_urls(PAGE_COUNT), "the testbed"),
            proxies=bed.proxy_lines,
            out=out,
            store=Path(directory, "store"),
            policy=policy,
            concurrency=CONCURRENCY,
            max_rate=0,
            timeout_seconds=TIMEOUT_SECONDS,
            seed=seed,
        )
        report = asyncio.run(asyncio.wait_for(Job(options).run(), LONGEST_SECONDS))
        return Run(
            pages=report.pages,
            wrong_pages=count_wrong(out, bed),
            wasted_a_page=report.wasted_per_page,
            blocked_hits=bed.truth().answer_counts.get("blocked", 0),
            seconds=report.seconds,
        )


def row(policy: str, runs: list[Run]) -> dict[str, Cell]:
    """What *runs* came to, in the table."""
    return {
        "policy": policy,
        "runs": len(runs),
        "pages": Spread.of(run.pages for run in runs).text(),
        "wrong": sum(run.wrong_pages for run in runs),
        "wasted a page": Spread.of(run.wasted_a_page for run in runs).text(3),
        "blocked hits": Spread.of(run.blocked_hits for run in runs).text(),
        "seconds": Spread.of(run.seconds for run in runs).text(1),
    }


def main() -> None:
    """Measure."""
    bench = Bench("waste", __doc__, rounds=5)
    bench.parser.add_argument("--rival-rounds", type=int, default=1, help="the same for the rivals, which are slow")
    options = bench.start()
    for title, world in WORLDS.items():
        runs: dict[str, list[Run]] = {policy: [] for policy in ("classic", *RIVALS)}
        for seed in range(options.rounds):
            for policy, done in runs.items():
                if policy not in RIVALS or seed < options.rival_rounds:
                    done.append(play(world, policy, seed))
                    bench.emit(world=title, policy=policy, seed=seed, **msgspec.structs.asdict(done[-1]))
        bench.table(f"{title}; {PAGE_COUNT:,} pages", [row(policy, done) for policy, done in runs.items() if done])


if __name__ == "__main__":
    main()
