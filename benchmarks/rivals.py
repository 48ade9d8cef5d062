"""The main job beside other packages, on the same pages and proxies.

Each client runs in a process of its own against a fresh site and its proxies, which count: what was asked, and whom
overuse got banned. What a client saved is compared with the site's own pages, byte for byte. Every request that brought
no right page is wasted: blocks, redirects, errors of a proxy, and connections to proxies that hang. How crawlee and
Scrapy with scrapy-rotating-proxies are set up stands in rivals_crawlee.py, rivals_scrapy.py and rivals_task.py.

  right, wrong   pages that were saved, and are the site's or are not (a captcha, say)
  wasted         requests for each right page
  burned         exits that overuse got banned
  seconds        from the first request that the site saw to the last one; "over" where time ran out
  CPU s, MB      of the client's process with its start, the memory at its peak
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec

from measure import BLOCK_STYLES, Bench, Cell, Command, SavedPage, Usage, usage_if_ended
from proxysieve.core.policies import POLICIES
from proxysieve.testbed import Limit, TestbedProcess, Truth, World
from rivals_task import Task

CONCURRENCY = 50
# A hanging proxy costs each of its requests this much.
TIMEOUT_SECONDS = 3.0
OURS = ("adaptive", "classic")
LOOK_SECONDS = 0.05


class Setting(NamedTuple):
    """A world, and how many times the pages are to be fetched there that are elsewhere."""

    world: World
    times: int = 1


SETTINGS = {
    "no bans": Setting(World(proxies=500)),
    # None refuses connections, for nobody could count those.
    "75 % banned; 10 % broken, half of which hang and half of which answer 502": Setting(
        World(proxies=500, banned_share=0.75, hanging=25, failing=25, block_styles=BLOCK_STYLES)
    ),
    "70 % of the /24s banned": Setting(
        World(proxies=500, networks=50, banned_network_share=0.7, block_styles=BLOCK_STYLES)
    ),
    # More pages than the exits have room for in their first ten seconds.
    "40 exits, more than 30 in 10 s is a ban of 60 s, blocked requests count": Setting(
        World(proxies=40, limit=Limit(blocked_count=True), block_styles=BLOCK_STYLES), times=3
    ),
}

Start = Callable[[Task, Path], subprocess.Popen[bytes]]
"""Starts a client on a task, in a directory of its own."""


def ours(policy: str) -> Start:
    """``proxysieve fetch`` with *policy*, and all else as it comes but for what the others do not have."""

    def start(task: Task, directory: Path) -> subprocess.Popen[bytes]:
        options = (f"--policy={policy}", f"--concurrency={task.concurrency}", f"--timeout={task.timeout_seconds}")
        return Command(directory, task.urls, task.proxies, "--no-robots", *options).process

    return start


def script(name: str) -> Start:
    """Another package, by a script beside this one."""

    def start(task: Task, directory: Path) -> subprocess.Popen[bytes]:
        file = directory / "task.json"
        file.write_bytes(msgspec.json.encode(task))
        return subprocess.Popen([sys.executable, Path(__file__).with_name(name), file])

    return start


CLIENTS = {
    **{f"proxysieve, {policy}": ours(policy) for policy in OURS if policy in POLICIES},
    "crawlee": script("rivals_crawlee.py"),
    "Scrapy, rotating-proxies": script("rivals_scrapy.py"),
}


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One client in one world."""

    right_pages: int
    wrong_pages: int
    requests: int
    burned_exits: int
    seconds: float
    is_over: bool
    cpu_seconds: float
    peak_mb: float

    @property
    def wasted_per_page(self) -> float:
        """Requests that brought no right page, for each that did; infinite where none did."""
        return (self.requests - self.right_pages) / self.right_pages if self.right_pages else float("inf")


def play(start: Start, world: World, page_count: int, longest_seconds: float) -> Run:
    """Have a client fetch so many pages, for so long at most."""
    with TestbedProcess(world) as bed, tempfile.TemporaryDirectory() as directory:
        out = Path(directory, "pages.jsonl")
        task = Task(
            urls=bed.page_urls(page_count),
            proxies=bed.proxy_lines,
            out=str(out),
            concurrency=CONCURRENCY,
            timeout_seconds=TIMEOUT_SECONDS,
        )
        is_over, usage = watch(start(task, Path(directory)), longest_seconds)
        truth = bed.truth()
        right_pages, wrong_pages = count_pages(out, bed)
        return Run(
            right_pages=right_pages,
            wrong_pages=wrong_pages,
            requests=count_requests(bed, truth),
            burned_exits=len(truth.burned_exits),
            seconds=truth.hits[-1].at - truth.hits[0].at if truth.hits else 0.0,
            is_over=is_over,
            cpu_seconds=usage.cpu_seconds,
            peak_mb=usage.peak_mb,
        )


def watch(process: subprocess.Popen[bytes], longest_seconds: float) -> tuple[bool, Usage]:
    """Let *process* end, or end it after so long; whether that was necessary, and what it used."""
    ends_at = time.monotonic() + longest_seconds
    is_over = False
    while (usage := usage_if_ended(process)) is None:
        if not is_over and time.monotonic() >= ends_at:
            is_over = True
            process.kill()
        time.sleep(LOOK_SECONDS)
    return is_over, usage


def count_requests(bed: TestbedProcess, truth: Truth) -> int:
    """How many requests the servers saw: the site, proxies that answered themselves, and those that hang."""
    gateways = zip(bed.exits, bed.places.gateways, strict=True)
    hung = sum(truth.connection_count.get(name, 0) for exit_, name in gateways if exit_.kind == "hanging")
    return truth.hit_count + sum(truth.proxy_answers.values()) + hung


def count_pages(out: Path, bed: TestbedProcess) -> tuple[int, int]:
    """How many right pages and how many wrong ones were saved."""
    # What follows the last end of a line was cut short.
    lines = out.read_bytes().split(b"\n")[:-1] if out.exists() else []
    pages = [msgspec.json.decode(line, type=SavedPage) for line in lines]
    right_count = len({page.page_id for page in pages if page.body.encode() == bed.page_body(page.page_id)})
    return right_count, len(pages) - right_count


def row(client: str, runs: list[Run], longest_seconds: float) -> dict[str, Cell]:
    """What *runs* came to, in the table: medians."""
    is_over = any(run.is_over for run in runs)
    return {
        "client": client,
        "right": _middle(run.right_pages for run in runs),
        "wrong": _middle(run.wrong_pages for run in runs),
        "wasted": _middle((run.wasted_per_page for run in runs), 2),
        "burned": _middle(run.burned_exits for run in runs),
        "seconds": f"over {longest_seconds:.0f}" if is_over else _middle((run.seconds for run in runs), 1),
        "CPU s": _middle((run.cpu_seconds for run in runs), 1),
        "MB": _middle(run.peak_mb for run in runs),
    }


def _middle(values: Iterable[float], digits: int = 0) -> str:
    return f"{median(values):,.{digits}f}"


def main() -> None:
    """Measure."""
    bench = Bench("rivals", __doc__, rounds=1)
    bench.parser.add_argument("--pages", type=int, default=1000, help="how many (default: %(default)s)")
    bench.parser.add_argument("--seconds", type=float, default=60.0, help="for each run (default: %(default)s)")
    options = bench.start()
    for title, (world, times) in SETTINGS.items():
        page_count = times * options.pages
        runs: dict[str, list[Run]] = {client: [] for client in CLIENTS}
        for seed in range(options.rounds):
            for client, done in runs.items():
                seeded = msgspec.structs.replace(world, seed=seed)
                done.append(play(CLIENTS[client], seeded, page_count, options.seconds))
                figures = msgspec.structs.asdict(done[-1])
                bench.emit(world=title, client=client, seed=seed, pages=page_count, **figures)
        bench.table(
            f"{title};\n{page_count:,} pages", [row(client, done, options.seconds) for client, done in runs.items()]
        )


if __name__ == "__main__":
    main()
