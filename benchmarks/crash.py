"""What a job loses when it is killed, again and again, and how fast it ends by Ctrl-C.

``proxysieve fetch`` with 3,000 pages and 500 proxies, 75 % of them banned, at a site that takes its time, is killed
by SIGKILL at a random moment from its start on and then run again, until it is complete; then another such job, until
there were 20 kills, for each format of the output. Counted are pages that the output lacks, that it has twice, or not
as the site holds them, by readers of that format which know nothing of proxysieve.

What was learned: the exits that the site answered well in this run, and those that the store knew to work when the
run began, are compared with those of the sessions in the store after the kill. ``lost`` are exits that were answered
at least a second before the kill, and yet are not in the store: more than what is promised. ``unsaved`` are all that
are not in it; for these, also how long before the kill the oldest of them was answered.

Ctrl-C: the same job, 50 of whose proxies hang, is sent SIGINT in its middle; until its process has ended.
"""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import msgspec

from measure import BLOCK_STYLES, Bench, Command, Spread, count_wrong, hits_since, saved_bodies
from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.core.records import SessionRecord
from proxysieve.stores.sqlite import DATABASE
from proxysieve.testbed import TestbedProcess, World

PAGE_COUNT = 3000
KILL_COUNT = 20
OUTPUTS = ("pages.jsonl", "pages.jsonl.gz", "pages.warc.gz", "pages/")
# From the start of a process on, of which it needs the first half second to come up.
LONGEST_LIFE_SECONDS = 3.0
LATENCY_SECONDS = 0.3
# The site notes a request when it arrives; its answer is with the client this much later.
ANSWER_SECONDS = LATENCY_SECONDS + 0.05
PROMISED_SECONDS = 1.0
INTERRUPT_AFTER_SECONDS = 3.0
WORLD = World(proxies=500, banned_share=0.75, block_styles=BLOCK_STYLES, latency_seconds=LATENCY_SECONDS)


class Kill(msgspec.Struct, frozen=True, kw_only=True):
    """One run that was killed, and what the store made of it.

    Attributes:
        first_request_seconds: From the start of the process; None if it was killed before.
        answered: The exits that were known to work, or answered well, before the kill.
        lost: Those of them that a second was time to save, and that are not in the store.
        unsaved: Those of them that are not in the store at all.
        unsaved_seconds: How long before the kill the first of the unsaved was answered.
    """

    life_seconds: float
    first_request_seconds: float | None
    answered: int
    lost: int
    unsaved: int
    unsaved_seconds: float


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """A job that was killed until it was complete."""

    out: str
    kills: int
    lost_pages: int
    double_pages: int
    wrong_pages: int
    fetched_again: int
    last_first_request_seconds: float | None


class Victim:
    """A job to be killed."""

    def __init__(self, bed: TestbedProcess, directory: Path, out: str = OUTPUTS[0]) -> None:
        self._bed = bed
        self._out = out
        self._directory = directory
        exits = (exit_.address for exit_ in bed.exits)
        self._exit_of = {parse_proxy(line).key: exit_ for line, exit_ in zip(bed.proxy_lines, exits, strict=True)}
        self._known: set[str] = set()

    def start(self) -> Command:
        """Run it, from where it stopped."""
        return Command(self._directory, self._bed.page_urls(PAGE_COUNT), self._bed.proxy_lines, out=self._out)

    def live(self, life_seconds: float) -> Kill | None:
        """Run it and kill it after so long; None if it was complete before."""
        command = self.start()
        with contextlib.suppress(subprocess.TimeoutExpired):
            command.process.communicate(timeout=life_seconds)
            return None
        command.process.kill()
        killed_at = time.monotonic()
        command.process.communicate()
        hits = hits_since(self._bed, command.started_at)
        answered_at = {hit.exit: hit.at + ANSWER_SECONDS for hit in reversed(hits) if hit.answer in {"ok", "robots"}}
        answered_at |= dict.fromkeys(self._known, 0.0)
        answered_at = {exit_: at for exit_, at in answered_at.items() if at <= killed_at}
        self._known = set(self.stored_exits())
        unsaved = [at for exit_, at in answered_at.items() if exit_ not in self._known]
        return Kill(
            life_seconds=killed_at - command.started_at,
            first_request_seconds=hits[0].at - command.started_at if hits else None,
            answered=len(answered_at),
            lost=sum(at <= killed_at - PROMISED_SECONDS for at in unsaved),
            unsaved=len(unsaved),
            unsaved_seconds=killed_at - min(unsaved, default=killed_at),
        )

    def finish(self, kills: int, started_at: float | None) -> Finished:
        """Look at what the complete job has written, of which the last run started at *started_at*."""
        out = self._directory / self._out
        times = Counter(url for url, _ in saved_bodies(out))
        hits = self._bed.truth().hits
        served = sum(hit.answer == "ok" for hit in hits)
        last = hits_since(self._bed, started_at) if started_at else []
        return Finished(
            out=self._out,
            kills=kills,
            lost_pages=len(set(self._bed.page_urls(PAGE_COUNT)) - times.keys()),
            double_pages=times.total() - len(times),
            wrong_pages=count_wrong(out, self._bed),
            fetched_again=served - len(times),
            last_first_request_seconds=last[0].at - started_at if started_at and last else None,
        )

    def stored_exits(self) -> Iterator[str]:
        """The exits of the sessions that the store knows to work."""
        database = self._directory / "store" / DATABASE
        if not database.exists():
            return
        with contextlib.closing(sqlite3.connect(database)) as connection:
            rows = connection.execute("SELECT value FROM records WHERE kind = 'session'").fetchall()
        for (value,) in rows:
            yield self._exit_of[msgspec.json.decode(value, type=SessionRecord).proxy_key]


def kill_until_complete(rng: Random, left: int, seed: int, out: str) -> tuple[list[Kill], Finished]:
    """Kill a job at random moments, at most *left* times, and let it end."""
    kills: list[Kill] = []
    with (
        TestbedProcess(msgspec.structs.replace(WORLD, seed=seed)) as bed,
        tempfile.TemporaryDirectory() as directory,
    ):
        victim = Victim(bed, Path(directory), out)
        while len(kills) < left:
            kill = victim.live(rng.uniform(0.0, LONGEST_LIFE_SECONDS))
            if kill is None:
                return kills, victim.finish(len(kills), None)
            kills.append(kill)
        command = victim.start()
        command.report()
        return kills, victim.finish(len(kills), command.started_at)


def interrupt(seed: int) -> tuple[float, int]:
    """Seconds until a job has ended by Ctrl-C, and its exit status."""
    world = msgspec.structs.replace(WORLD, hanging=50, seed=seed)
    with TestbedProcess(world) as bed, tempfile.TemporaryDirectory() as directory:
        command = Victim(bed, Path(directory)).start()
        time.sleep(INTERRUPT_AFTER_SECONDS)
        command.process.send_signal(signal.SIGINT)
        interrupted_at = time.monotonic()
        command.report()
        return time.monotonic() - interrupted_at, command.process.returncode


def main() -> None:
    """Measure."""
    bench = Bench("crash", __doc__, rounds=3)
    bench.parser.add_argument(
        "--kills", type=int, default=KILL_COUNT, help="how many of each format (default: %(default)s)"
    )
    bench.parser.add_argument("--seed", type=int, default=1, help="of the moments (default: %(default)s)")
    options = bench.start()
    rng = Random(options.seed)
    kills: list[Kill] = []
    jobs: list[Finished] = []
    for out in OUTPUTS:
        left = options.kills
        while left:
            more, job = kill_until_complete(rng, left, len(jobs), out)
            left -= len(more)
            kills += more
            jobs.append(job)
            for kill in more:
                bench.emit(part="kill", **msgspec.structs.asdict(kill))
            bench.emit(part="job", **msgspec.structs.asdict(job))
    report_jobs(bench, jobs)
    report_kills(bench, kills, jobs)
    ends = []
    for seed in range(options.rounds):
        seconds, status = interrupt(seed)
        ends.append(seconds)
        bench.emit(part="interrupt", seconds=seconds, exit_status=status)
    bench.note(f"\nCtrl-C, with 50 of the proxies hanging: {Spread.of(ends).text(2)} s until exit")


def report_jobs(bench: Bench, jobs: list[Finished]) -> None:
    """Print what became of the pages."""
    bench.table(
        f"jobs of {PAGE_COUNT:,} pages, killed until complete",
        [
            {
                "output": job.out,
                "kills": job.kills,
                "pages lost": job.lost_pages,
                "double": job.double_pages,
                "wrong": job.wrong_pages,
                "fetched again": job.fetched_again,
            }
            for job in jobs
        ],
    )


def report_kills(bench: Bench, kills: list[Kill], jobs: list[Finished]) -> None:
    """Print what became of the learning."""
    firsts = [
        *(kill.first_request_seconds for kill in kills),
        *(job.last_first_request_seconds for job in jobs),
    ]
    bench.table(
        f"what {len(kills)} kills cost: median (range)",
        [
            {"": name, "each kill": Spread.of(values).text(digits)}
            for name, values, digits in (
                ("seconds until the kill", [kill.life_seconds for kill in kills], 2),
                ("seconds until the first request", [first for first in firsts if first is not None], 2),
                ("exits known to work", [kill.answered for kill in kills], 0),
                ("lost, answered a second before", [kill.lost for kill in kills], 0),
                ("unsaved, answered at any time", [kill.unsaved for kill in kills], 0),
                ("seconds until the kill, of the oldest unsaved", [kill.unsaved_seconds for kill in kills], 2),
            )
        ],
    )


if __name__ == "__main__":
    main()
