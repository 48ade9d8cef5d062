"""Whether a long job stays as small as it was, while proxies die and come.

``proxysieve fetch`` as users run it, with 200,000 short pages. The proxies come from four farms of 50, each of them a
process of its own. Every so often a farm is killed, so that all of its proxies refuse at once; a while later its lines
leave the proxy file, and another farm comes up in its place, at other ports, whose lines join. The site bans exits that
ask more than 200 times in 5 s for 20 s, and fails one request in 200.

Once a second the job's resident memory and its open files are looked at. The memory of the second half, which is that
of the pages and not that of the moments, is compared with its own mean; so is that of its two halves with each other.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from measure import Bench, Cell, Command, count_wrong, open_files, resident_mb
from proxysieve.fetch.report import Report
from proxysieve.testbed import Limit, TestbedProcess, World

PAGE_COUNT = 200_000
FARM_COUNT = 4
FARM_PROXIES = 50
NETWORKS = 25
LIMIT = Limit(requests=200, window_seconds=5.0, ban_seconds=20.0)
SITE = World(
    proxies=1, networks=1, block_styles=("forbidden", "throttled", "challenge"), limit=LIMIT, flaky_share=0.005,
    page_bytes=1_000, hits_kept=0,
)  # fmt: skip
# How long all farms are well, how long the lines of a dead one stay in the file, and how often one looks.
WELL_SECONDS, STALE_SECONDS, LOOK_SECONDS = 12.0, 3.0, 1.0
LONGEST_SECONDS = 3600.0
FLAT_SHARE = 0.05


class PageTraits(NamedTuple):
    """The job at a moment."""

    seconds: float
    out_mb: float
    mb: float
    files: int


class Farm:
    """Proxies that end together."""

    def __init__(self, place: int) -> None:
        # Each has addresses of its own: those that come last in a world of this size.
        self._bed = TestbedProcess(World(proxies=FARM_PROXIES * (place + 1), networks=NETWORKS))
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(self._bed)
        self.place = place
        self.lines = self._bed.proxy_lines[-FARM_PROXIES:]

    def close(self) -> None:
        """Refuse everything from now on."""
        self._stack.close()


class Farms:
    """Farms that die and come, and the file that names the proxies that there are said to be."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._farms: deque[Farm] = deque()
        self._dead: Farm | None = None
        self._next_at = time.monotonic() + WELL_SECONDS
        self.death_count = 0
        for place in range(FARM_COUNT):
            self._farms.append(Farm(place))

    @property
    def lines(self) -> list[str]:
        """What the file says, or should."""
        dead = [self._dead] if self._dead else []
        return [line for farm in (*dead, *self._farms) for line in farm.lines]

    def go_on(self) -> None:
        """Have happen what is due."""
        if time.monotonic() < self._next_at:
            return
        if self._dead:
            self._farms.append(Farm(self._dead.place))
            self._dead = None
            self._write()
            self._next_at = time.monotonic() + WELL_SECONDS
            return
        self._dead = self._farms.popleft()
        self._dead.close()
        self.death_count += 1
        self._next_at = time.monotonic() + STALE_SECONDS

    def close(self) -> None:
        """End all of them."""
        for farm in self._farms:
            farm.close()

    def _write(self) -> None:
        aside = self._path.with_suffix(".new")
        aside.write_text("\n".join(self.lines) + "\n")
        aside.replace(self._path)


def soak(bed: TestbedProcess, directory: Path, page_count: int) -> tuple[list[PageTraits], Report, int]:
    """Run the job to its end; what was seen on the way, its report, and how many farms died."""
    directory.mkdir()
    farms = Farms(directory / "proxies.txt")
    looks: list[PageTraits] = []
    try:
        command = Command(directory, bed.page_urls(page_count), farms.lines)
        pid, path = command.process.pid, command.out
        while command.process.poll() is None and time.monotonic() - command.started_at < LONGEST_SECONDS:
            time.sleep(LOOK_SECONDS)
            farms.go_on()
            size = path.stat().st_size if path.exists() else 0
            looks.append(
                PageTraits(time.monotonic() - command.started_at, size / 1e6, resident_mb(pid), open_files(pid))
            )
        # Once all pages are written, the job closes what it has.
        at_work = [look for look in looks if look.mb and look.out_mb < looks[-1].out_mb]
        return at_work, command.report(), farms.death_count
    finally:
        farms.close()


def drift(values: Sequence[float]) -> float:
    """By what share *values* grow from their first half to their second."""
    middle = len(values) // 2
    return mean(values[middle:]) / mean(values[:middle]) - 1


def main() -> None:
    """Soak, and print what was seen."""
    bench = Bench("soak", __doc__)
    bench.parser.add_argument("--pages", type=int, default=PAGE_COUNT, help="how many (default: %(default)s)")
    options = bench.start()
    with tempfile.TemporaryDirectory(prefix="soak-") as directory, TestbedProcess(SITE) as bed:
        looks, report, deaths = soak(bed, Path(directory) / "job", options.pages)
        wrong = count_wrong(Path(directory) / "job" / "pages.jsonl", bed)
    first, second = looks[: len(looks) // 2], looks[len(looks) // 2 :]
    memory, files = [look.mb for look in second], [look.files for look in second]
    width = max(abs(value / mean(memory) - 1) for value in memory)
    rows: list[dict[str, Cell]] = [
        {
            "at s": round(look.seconds),
            "out MB": round(look.out_mb),
            "memory MB": round(look.mb),
            "open files": look.files,
        }
        for look in looks[:: max(1, len(looks) // 20)]
    ]
    bench.table(f"{options.pages:,} pages, {deaths} farms of {FARM_PROXIES} proxies died and came back", rows)
    bench.note(
        f"\n{report.pages:,} pages ({wrong} wrong, {report.failed} failed, {report.pending} pending), "
        f"{report.requests:,} requests, {report.seconds:,.0f} s\n"
        f"second half: memory within {width:.1%} of its mean of {mean(memory):.0f} MB, {drift(memory):+.1%} from half "
        f"to half; open files {min(files)}-{max(files)}, in the first half up to {max(one.files for one in first)}"
    )
    bench.emit(
        pages=report.pages, wrong=wrong, failed=report.failed, deaths=deaths, seconds=report.seconds, width=width,
        memory_drift=drift(memory), looks=looks,
    )  # fmt: skip
    if wrong or report.pages < options.pages or width > FLAT_SHARE:
        sys.exit(1)


if __name__ == "__main__":
    main()
