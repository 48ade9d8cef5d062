"""What the pool, the output and the store cost on top of the client, and the client on top of others.

The same 3,000 pages of 15 KB through the same 500 proxies, none of them banned, 50 at a time, over HTTP and over HTTPS,
with the default policy, by

  job       the whole job, with its output, its journal and the default store
  job, memory:  the same with a store that forgets
  pool      ``SessionPool.get``; nothing kept
  client    the built-in client alone: ``CurlClient.send`` with one session a proxy, in turn. No pool, no output
  curl_cffi     one of curl_cffi's sessions a proxy, in turn, with the same browsers
  aiohttp   one of aiohttp's sessions a proxy, in turn: no browser, and HTTP/1.1 in TLS, too
  beside    the whole job as another version of the project does it, of the checkout that ``--beside`` names, by the
            Python in its ``.venv`` if it has one

The last three but one go through as many proxies as the job came to use in the round before, as the site counted them.

Every run is a process of its own with a fresh site, and opens all of its connections within the time that is measured.
Sides take turns, every other round from the last to the first; the first round is not counted. The processor time is
that of the side's process without its start, and that of the site with its proxies beside it.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from measure import Bench, Cell, Spread
from overhead_task import Spent, Task, delegate
from proxysieve.testbed import TestbedProcess, World

WORLDS = {"http": World(proxies=500), "https": World(proxies=500, https=True)}
PAGE_COUNT = 3000
CONCURRENCY = 50
# What the loops go with until the job has run.
FIRST_SESSIONS = 100
HERE = Path(__file__).parent
SCRIPTS = {
    "job": "overhead_job.py",
    "job, memory:": "overhead_job.py",
    "pool": "overhead_job.py",
    "client": "overhead_bare.py",
    "curl_cffi": "overhead_bare.py",
    "aiohttp": "overhead_bare.py",
}
BESIDE = "beside"
# The job has no option for it; curl_cffi takes one of these.
TRUSTED_BY = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One side in one round."""

    pages_a_second: float
    processor_seconds: float
    site_processor_seconds: float
    exits: int


class Overhead:
    """The sides, each to be run again and again.

    Args:
        beside: The checkout of another version.
    """

    def __init__(self, page_count: int, beside: Path | None) -> None:
        self.sides = [*SCRIPTS, *([BESIDE] if beside else [])]
        self._page_count = page_count
        self._beside = beside
        self._sessions = dict.fromkeys(WORLDS, FIRST_SESSIONS)

    def run(self, scheme: str, side: str) -> Run:
        """Run *side* against a fresh site."""
        with TestbedProcess(WORLDS[scheme]) as bed, tempfile.TemporaryDirectory() as directory:
            task = Task(
                side="job" if side == BESIDE else side,
                urls=bed.page_urls(self._page_count),
                proxies=bed.proxy_lines,
                ca_path=str(bed.ca_path) if bed.ca_path else None,
                directory=directory,
                concurrency=CONCURRENCY,
                sessions=self._sessions[scheme],
            )
            spent = self._spend(side, task)
            truth = bed.truth()
            before = children_seconds()
        assert truth.answer_counts["ok"] == self._page_count, truth.answer_counts  # noqa: S101 - no measurement else
        exits = len({hit.exit for hit in truth.hits})
        if side == "job":
            self._sessions[scheme] = exits
        return Run(
            pages_a_second=self._page_count / spent.seconds,
            processor_seconds=spent.processor_seconds,
            site_processor_seconds=children_seconds() - before,
            exits=exits,
        )

    def _spend(self, side: str, task: Task) -> Spent:
        python, root = Path(sys.executable), HERE.parent
        if side == BESIDE and self._beside:
            root = self._beside
            own = root / ".venv/bin/python"
            python = own if own.exists() else python
        trusted = dict.fromkeys(TRUSTED_BY, task.ca_path) if task.ca_path else {}
        environment = {**os.environ, "PYTHONPATH": str(root / "src"), **trusted}
        spent = delegate(task, HERE / SCRIPTS[task.side], python, environment)
        if not Path(spent.source).is_relative_to(root.resolve()):
            raise RuntimeError(f"{side} ran the package in {spent.source}, not the one in {root}")
        return spent


def children_seconds() -> float:
    """The processor time of all processes that we started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def row(side: str, runs: Sequence[Run], bare: Sequence[Run], page_count: int) -> dict[str, Cell]:
    """What *runs* came to, beside the *bare* ones of the same rounds."""
    ratios = [run.pages_a_second / other.pages_a_second for run, other in zip(runs, bare, strict=True)]
    return {
        "side": side,
        "pages a second": Spread.of(run.pages_a_second for run in runs).text(),
        "of client": Spread.of(ratios).text(2),
        "CPU s": Spread.of(run.processor_seconds for run in runs).text(2),
        "CPU ms a page": Spread.of(1000 * run.processor_seconds / page_count for run in runs).text(2),
        "site's CPU s": Spread.of(run.site_processor_seconds for run in runs).median,
        "exits": round(Spread.of(run.exits for run in runs).median),
    }


def processor_ratio(runs: Sequence[Run], others: Sequence[Run]) -> Spread:
    """How much processor time *runs* took of that of *others*, round by round."""
    return Spread.of(run.processor_seconds / other.processor_seconds for run, other in zip(runs, others, strict=True))


def main() -> None:
    """Measure."""
    bench = Bench("overhead", __doc__, rounds=7)
    bench.parser.add_argument("--pages", type=int, default=PAGE_COUNT, help="how many (default: %(default)s)")
    bench.parser.add_argument("--beside", type=Path, metavar="PATH", help="a checkout of another version")
    options = bench.start()
    overhead = Overhead(options.pages, options.beside)
    turns = [(scheme, side) for scheme in WORLDS for side in overhead.sides]
    runs: dict[tuple[str, str], list[Run]] = {turn: [] for turn in turns}
    for number in range(options.rounds + 1):
        for scheme, side in turns if number % 2 else reversed(turns):
            run = overhead.run(scheme, side)
            if number:
                runs[scheme, side].append(run)
                bench.emit(scheme=scheme, side=side, round=number, **msgspec.structs.asdict(run))
    for scheme in WORLDS:
        done = {side: runs[scheme, side] for side in overhead.sides}
        bench.table(
            f"{options.pages:,} pages of 15 KB over {scheme}, {CONCURRENCY} at a time: median (lowest-highest) of "
            f"{options.rounds} rounds, ratios within a round",
            [row(side, those, done["client"], options.pages) for side, those in done.items()],
        )
        pairs = [("job", "job, memory:"), ("job, memory:", "pool"), ("pool", "client"), ("client", "aiohttp")]
        for side, other in [*pairs, *([("job", BESIDE)] if options.beside else [])]:
            bench.note(f"processor time, {side} / {other}: {processor_ratio(done[side], done[other]).text(2)}")


if __name__ == "__main__":
    main()
