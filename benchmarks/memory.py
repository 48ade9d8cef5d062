"""How much memory a long job takes, and how soon a long job goes on.

Memory: ``proxysieve fetch`` as users run it, with short pages, so that 100,000 of them take a minute or two: 500
proxies, 75 % of them banned, 50 requests at a time. The peak is the system's figure for the process; what it took on
the way is looked at once a second. A job of a tenth of the size beside it shows what grows.

Resume: the long job again, for whose list ten more URLs have been found. From the start of the process to the first
request that the site sees of it, and to the end of the process; beside a new job of ten URLs with the same proxies,
which has nothing to resume.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import msgspec

from measure import (
    BLOCK_STYLES,
    LONGEST_SECONDS,
    Bench,
    Cell,
    Command,
    Spread,
    count_wrong,
    hits_since,
    resident_mb,
    usage_if_ended,
)
from proxysieve.testbed import TestbedProcess, World

WORLD = World(proxies=500, banned_share=0.75, block_styles=BLOCK_STYLES, page_bytes=200)
PAGE_COUNT = 100_000
NEW_COUNT = 10


class Full(msgspec.Struct, frozen=True, kw_only=True):
    """A job from its beginning to its end."""

    urls: int
    pages: int
    wrong_pages: int
    seconds: float
    peak_mb: float
    mb_over_time: list[float]


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """A job of which ten pages were left."""

    first_request_seconds: float
    end_seconds: float
    pages: int


def run_full(bed: TestbedProcess, directory: Path, count: int) -> Full:
    """Fetch *count* pages, watching the memory."""
    command = Command(directory, bed.page_urls(count), bed.proxy_lines)
    seen = []
    usage = None
    while usage is None and time.monotonic() - command.started_at < LONGEST_SECONDS:
        time.sleep(1.0)
        seen.append(resident_mb(command.process.pid))
        usage = usage_if_ended(command.process)
    seconds = time.monotonic() - command.started_at
    if usage is None:
        command.process.kill()
        raise TimeoutError(f"{count:,} pages took more than {LONGEST_SECONDS:.0f} s")
    report = command.report()
    return Full(
        urls=count,
        pages=report.pages,
        wrong_pages=count_wrong(command.out, bed),
        seconds=seconds,
        peak_mb=usage.peak_mb,
        mb_over_time=seen[:-1],
    )


def run_start(bed: TestbedProcess, directory: Path, urls: list[str]) -> Start:
    """Run a job of which little is left to do."""
    command = Command(directory, urls, bed.proxy_lines)
    report = command.report()
    ended_at = time.monotonic()
    first = hits_since(bed, command.started_at)[0]
    return Start(
        first_request_seconds=first.at - command.started_at,
        end_seconds=ended_at - command.started_at,
        pages=report.pages - report.resumed,
    )


def full_row(full: Full) -> dict[str, Cell]:
    """A job in the table."""
    return {
        "URLs": full.urls,
        "pages": full.pages,
        "wrong": full.wrong_pages,
        "seconds": round(full.seconds),
        "peak MB": round(full.peak_mb),
        "MB at 10 %": round(full.mb_over_time[len(full.mb_over_time) // 10]),
        "50 %": round(full.mb_over_time[len(full.mb_over_time) // 2]),
        "90 %": round(full.mb_over_time[len(full.mb_over_time) * 9 // 10]),
    }


def start_row(name: str, starts: list[Start]) -> dict[str, Cell]:
    """Several starts in the table."""
    return {
        "job": name,
        "pages": round(Spread.of(start.pages for start in starts).median),
        "s to first request": Spread.of(start.first_request_seconds for start in starts).text(2),
        "s to end": Spread.of(start.end_seconds for start in starts).text(2),
    }


def main() -> None:
    """Measure."""
    bench = Bench("memory", __doc__, rounds=5)
    options = bench.start()
    with TestbedProcess(WORLD) as bed, tempfile.TemporaryDirectory() as directory:
        long_job = Path(directory, "long")
        jobs = ((Path(directory, "short"), PAGE_COUNT // 10), (long_job, PAGE_COUNT - NEW_COUNT))
        fulls = [run_full(bed, place, count) for place, count in jobs]
        for full in fulls:
            bench.emit(part="memory", **msgspec.structs.asdict(full))
        bench.table("memory of a job, from beginning to end", [full_row(full) for full in fulls])
        resumed, new = f"{PAGE_COUNT:,} URLs, all but 10 done", "10 URLs, nothing done"
        starts: dict[str, list[Start]] = {resumed: [], new: []}
        for number in range(options.rounds):
            urls = bed.page_urls(PAGE_COUNT + number * NEW_COUNT)
            starts[resumed].append(run_start(bed, long_job, urls))
            starts[new].append(run_start(bed, Path(directory, f"new-{number}"), urls[:NEW_COUNT]))
        for name, done in starts.items():
            for start in done:
                bench.emit(part="resume", job=name, **msgspec.structs.asdict(start))
        bench.table("start of a job", [start_row(name, done) for name, done in starts.items()])


if __name__ == "__main__":
    main()
