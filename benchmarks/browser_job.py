"""The main job through real Chromium, beside crawlee's PlaywrightCrawler, on the same pages and proxies.

The site checks every browser by a script, ties its cookies to the visitor, and bans most proxies; blocks come as 403, a
challenge, a captcha, or a page of the site that a script makes a captcha of. Each contestant runs in a process of its
own against a fresh site, four pages at a time. crawlee takes part twice: as it comes, and set up by somebody who knows
this site (browser_job_crawlee.py). Of ours nothing is set but how many pages are open at once.

  right, wrong   pages that were handed over, and show the text of the site's page or do not (a captcha, say)
  failed         pages that were not handed over
  loads          pages that the crawler began to load, by its own count
  wasted         loads that brought no right page, for each right page
  requests       what the site saw, what pages ask for beside themselves included
  blocked        which of it was refused; checked: answered by a check that lets browsers pass
  seconds        from the first request that the site saw to the last one; "over" where time ran out
  left           processes that outlive the crawler
  MB             of Python, Playwright's driver and all of Chromium at the peak, shared memory counted for each

With --memory: ours alone and longer, and what it takes as the pages come in. It takes a Chromium, and Linux, which
tells what processes take.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import msgspec

from family import PROC, Family, Memory
from measure import Bench, Cell, Command, SavedPage, Spread
from proxysieve.fetch.report import Report
from proxysieve.testbed import TestbedProcess, Truth, World
from proxysieve.testbed.bed import Bed
from rivals_task import Task

BANNED_SHARE = 0.7
PAGES_AT_ONCE = 4
TIMEOUT_SECONDS = 30.0
LOOK_SECONDS = 0.25
# For what a crawler that was interrupted still does, and for its browsers to end.
FAREWELL_SECONDS = 15.0
EMPTY_ROOM_SECONDS = 3.0
MEMORY_PAGES = 500
SAMPLE_PAGES = 25
# Before, caches fill and sessions come; after, nothing should grow.
WARM_UP_PAGES = 100
MOST_GROWTH = 0.05
# For `run`, which goes on with the others then.
CANNOT_BE_MEASURED = 2


class Contestant(NamedTuple):
    """Starts a crawler on a task, in a directory of its own; and tells how many page loads it began."""

    start: Callable[[Task, Path], subprocess.Popen[bytes]]
    count_loads: Callable[[Task, bytes], int]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One crawler in one world."""

    right_pages: int
    wrong_pages: int
    failed_pages: int
    loads: int
    requests: int
    blocked_requests: int
    checked_requests: int
    seconds: float
    is_over: bool
    left_processes: int
    peak: Memory

    @property
    def wasted_per_page(self) -> float:
        """Loads that brought no right page, for each that did; infinite where none did."""
        return (self.loads - self.right_pages) / self.right_pages if self.right_pages else float("inf")


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """A crawler from its start to its end."""

    told: bytes
    is_over: bool
    left_processes: int
    peak: Memory


def start_ours(task: Task, directory: Path) -> subprocess.Popen[bytes]:
    """``proxysieve fetch --browser``."""
    options = ("--browser", f"--concurrency={task.concurrency}", f"--timeout={task.timeout_seconds}", "--no-robots")
    return Command(directory, task.urls, task.proxies, *options).process


def count_our_loads(_: Task, told: bytes) -> int:
    """How many tries the job's own report has; none if it did not live to tell."""
    return msgspec.json.decode(told, type=Report).requests if told else 0


def crawlee(name: str) -> Contestant:
    """crawlee, in one of its ways."""

    def start(task: Task, directory: Path) -> subprocess.Popen[bytes]:
        file = directory / f"{name}.json"
        file.write_bytes(msgspec.json.encode(task))
        script = Path(__file__).with_name("browser_job_crawlee.py")
        return subprocess.Popen([sys.executable, script, file], stdout=subprocess.PIPE)

    return Contestant(start, lambda task, _: task.counted)


OURS = Contestant(start_ours, count_our_loads)
CONTESTANTS = {
    "proxysieve": OURS,
    "crawlee, set up": crawlee("set-up"),
    "crawlee, as it comes": crawlee("as-it-comes"),
}


def make_world(proxy_count: int, seed: int) -> World:
    """The world of this job."""
    return World(
        proxies=proxy_count,
        banned_share=BANNED_SHARE,
        block_styles=("hidden_captcha", "challenge", "forbidden", "captcha"),
        script_challenge=True,
        bound_cookies=True,
        seed=seed,
    )


def play(contestant: Contestant, world: World, page_count: int, longest_seconds: float) -> Run:
    """Have a crawler fetch so many pages, for so long at most."""
    with TestbedProcess(world) as bed, tempfile.TemporaryDirectory() as directory:
        task = make_task(bed, Path(directory), page_count)
        watched = watch(contestant.start(task, Path(directory)), longest_seconds, lambda _: None)
        truth = bed.truth()
        if not truth.hits:
            raise RuntimeError("the crawler asked for nothing; its standard error says why")
        right_pages, wrong_pages = count_pages(Path(task.out), bed)
        return Run(
            right_pages=right_pages,
            wrong_pages=wrong_pages,
            failed_pages=page_count - right_pages - wrong_pages,
            loads=contestant.count_loads(task, watched.told),
            requests=truth.hit_count,
            blocked_requests=truth.answer_counts.get("blocked", 0),
            checked_requests=truth.answer_counts.get("challenged", 0),
            seconds=seconds_of(truth),
            is_over=watched.is_over,
            left_processes=watched.left_processes,
            peak=watched.peak,
        )


def make_task(bed: Bed, directory: Path, page_count: int) -> Task:
    """The job."""
    return Task(
        urls=bed.page_urls(page_count),
        proxies=bed.proxy_lines,
        out=str(directory / "pages.jsonl"),
        concurrency=PAGES_AT_ONCE,
        timeout_seconds=TIMEOUT_SECONDS,
    )


def watch(process: subprocess.Popen[bytes], longest_seconds: float, on_look: Callable[[Memory], None]) -> Watched:
    """Let *process* end, or end it after so long; *on_look* is told its memory again and again."""
    family = Family(process.pid)
    peak = Memory()
    ends_at = time.monotonic() + longest_seconds
    is_over = False
    try:
        while process.poll() is None and time.monotonic() < ends_at + FAREWELL_SECONDS:
            if not is_over and time.monotonic() >= ends_at:
                is_over = True
                process.send_signal(signal.SIGINT)
            memory = family.look()
            peak = max(peak, memory, key=lambda one: one.total)
            on_look(memory)
            time.sleep(LOOK_SECONDS)
        process.kill()
        told, _ = process.communicate()
        return Watched(told=told, is_over=is_over, left_processes=count_left(family), peak=peak)
    finally:
        process.kill()
        family.end()


def count_left(family: Family) -> int:
    """How many processes are there once those that were about to end have ended."""
    ends_at = time.monotonic() + EMPTY_ROOM_SECONDS
    while (count := family.count()) and time.monotonic() < ends_at:
        time.sleep(LOOK_SECONDS)
    return count


def seconds_of(truth: Truth) -> float:
    """How long the site was asked."""
    return truth.hits[-1].at - truth.hits[0].at if truth.hits else 0.0


def count_pages(out: Path, bed: Bed) -> tuple[int, int]:
    """How many right pages were handed over, and how many wrong ones."""
    pages = saved_pages(out)
    right = {page.page_id for page in pages if shows_page(page.body, bed, page.page_id)}
    return len(right), len({page.page_id for page in pages} - right)


def saved_pages(out: Path) -> list[SavedPage]:
    """What was handed over so far."""
    # What follows the last end of a line was cut short.
    lines = out.read_bytes().split(b"\n")[:-1] if out.exists() else []
    return [msgspec.json.decode(line, type=SavedPage) for line in lines]


def shows_page(shown: str, bed: Bed, page_id: int) -> bool:
    """Whether *shown* has the site's text in it; a browser writes the same page in another way."""
    lines = bed.page_body(page_id).decode().splitlines()
    title = next(line for line in lines if "<title>" in line).partition("<title>")[2].partition("</title>")[0]
    price = next(line for line in lines if line.startswith(f"<p>Item {page_id},"))
    return f"<title>{title}</title>" in shown and price in shown


def row(name: str, runs: list[Run], ours: list[Run], longest_seconds: float) -> dict[str, Cell]:
    """What *runs* came to, in the table."""
    seconds = Spread.of(run.seconds for run in runs)
    is_over = any(run.is_over for run in runs)
    return {
        "crawler": name,
        "right": Spread.of(run.right_pages for run in runs).text(),
        "wrong": Spread.of(run.wrong_pages for run in runs).text(),
        "failed": Spread.of(run.failed_pages for run in runs).text(),
        "loads": Spread.of(run.loads for run in runs).text(),
        "wasted": Spread.of(run.wasted_per_page for run in runs).text(2),
        "requests": Spread.of(run.requests for run in runs).text(),
        "blocked": Spread.of(run.blocked_requests for run in runs).text(),
        "checked": Spread.of(run.checked_requests for run in runs).text(),
        "seconds": f"over {longest_seconds:.0f}" if is_over else seconds.text(),
        "of ours": round(seconds.median / Spread.of(run.seconds for run in ours).median, 2),
        "left": max(run.left_processes for run in runs),
        "MB": Spread.of(run.peak.total for run in runs).text(),
    }


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What ours takes when so many pages have come."""

    pages: int
    python_mb: float
    driver_mb: float
    browser_mb: float

    @property
    def total_mb(self) -> float:
        """All of it."""
        return self.python_mb + self.driver_mb + self.browser_mb


def sample_memory(world: World, page_count: int, longest_seconds: float) -> tuple[list[Sample], int]:
    """Ours alone, looked at each time that so many more pages are there; and how many pages came in all."""
    samples: list[Sample] = []
    with TestbedProcess(world) as bed, tempfile.TemporaryDirectory() as directory:
        task = make_task(bed, Path(directory), page_count)
        out = Path(task.out)

        def look(memory: Memory) -> None:
            count = out.read_bytes().count(b"\n") if out.exists() else 0
            # The last pages are written when the browser has ended already.
            if memory.browser and count >= SAMPLE_PAGES * (len(samples) + 1):
                samples.append(
                    Sample(pages=count, python_mb=memory.python, driver_mb=memory.driver, browser_mb=memory.browser)
                )

        watch(start_ours(task, Path(directory)), longest_seconds, look)
        return samples, count_pages(out, bed)[0]


def growth_of(samples: list[Sample], of: Callable[[Sample], float]) -> float:
    """By how much the second half takes more than the first, once it is warm."""
    warm = [of(sample) for sample in samples if sample.pages >= WARM_UP_PAGES]
    half = len(warm) // 2
    return mean(warm[half:]) / mean(warm[:half]) - 1 if half else 0.0


def print_memory(bench: Bench, world: World, page_count: int, longest_seconds: float) -> None:
    """Measure ours for long."""
    samples, right_count = sample_memory(world, page_count, longest_seconds)
    for sample in samples:
        bench.emit(part="memory", **msgspec.structs.asdict(sample))
    rows: list[dict[str, Cell]] = [
        {
            "pages": sample.pages,
            "Python MB": round(sample.python_mb),
            "driver MB": round(sample.driver_mb),
            "Chromium MB": round(sample.browser_mb),
            "all": round(sample.total_mb),
        }
        for sample in samples
    ]
    bench.table(f"memory over {page_count:,} pages, of which {right_count:,} came", rows)
    growth = growth_of(samples, lambda sample: sample.total_mb)
    parts = (
        f"Python {growth_of(samples, lambda sample: sample.python_mb):+.1%}",
        f"driver {growth_of(samples, lambda sample: sample.driver_mb):+.1%}",
        f"Chromium {growth_of(samples, lambda sample: sample.browser_mb):+.1%}",
    )
    judged = "flat" if growth <= MOST_GROWTH else "not flat"
    bench.note(f"from half to half, after {WARM_UP_PAGES} pages: {growth:+.1%}, {judged} ({', '.join(parts)})")


def what_is_missing() -> str:
    """Why nothing can be measured here; empty if it can."""
    if not PROC.exists():
        return "only Linux tells what processes take, in /proc"
    script = Path(__file__).parent.parent / "scripts" / "find_chromium.py"
    found = subprocess.run([sys.executable, script], check=False, stdout=subprocess.DEVNULL)
    return "there is no Chromium here" if found.returncode else ""


def main() -> None:
    """Measure."""
    bench = Bench("browser_job", __doc__, rounds=1)
    bench.parser.add_argument("--pages", type=int, help=f"how many (default: 200; {MEMORY_PAGES} with --memory)")
    bench.parser.add_argument("--proxies", type=int, default=30, help="how many (default: %(default)s)")
    bench.parser.add_argument("--seconds", type=float, default=300.0, help="for each run (default: %(default)s)")
    bench.parser.add_argument("--memory", action="store_true", help="ours alone, and what it takes over time")
    options = bench.start()
    if why := what_is_missing():
        bench.note(why)
        sys.exit(CANNOT_BE_MEASURED)
    if options.memory:
        world = make_world(options.proxies, seed=0)
        print_memory(bench, world, options.pages or MEMORY_PAGES, options.seconds)
        return
    page_count = options.pages or 200
    runs: dict[str, list[Run]] = {name: [] for name in CONTESTANTS}
    for seed in range(options.rounds):
        for name, done in runs.items():
            run = play(CONTESTANTS[name], make_world(options.proxies, seed), page_count, options.seconds)
            done.append(run)
            bench.emit(crawler=name, seed=seed, pages=page_count, **msgspec.structs.asdict(run))
    rows = [row(name, done, runs["proxysieve"], options.seconds) for name, done in runs.items()]
    bench.table(f"{page_count:,} pages, {options.proxies} proxies, {BANNED_SHARE:.0%} of them banned", rows)


if __name__ == "__main__":
    main()
