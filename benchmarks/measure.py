"""What the benchmarks share: medians with their ranges, tables, and jobs in processes of their own."""

from __future__ import annotations

import argparse
import contextlib
import gzip
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple, Self

import msgspec
from warcio.archiveiterator import ArchiveIterator  # type: ignore[import-untyped]

from proxysieve.fetch.report import Report
from proxysieve.testbed import Hit, TestbedProcess
from proxysieve.testbed.world import BlockStyle

BLOCK_STYLES: tuple[BlockStyle, ...] = ("forbidden", "throttled", "challenge", "captcha", "sorry")
# A job that hangs must not hold up the others.
LONGEST_SECONDS = 300.0
Cell = str | int | float | None


class Spread(NamedTuple):
    """What several rounds came to."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """The median and the range of *values*, of which there must be one."""
        known = list(values)
        return cls(median(known), min(known), max(known))

    def text(self, digits: int = 0) -> str:
        """For a table."""
        middle, low, high = (f"{value:,.{digits}f}" for value in self)
        return middle if low == high else f"{middle} ({low}-{high})"


class Bench:
    """The options that every benchmark has, and where its figures go; without *rounds* where one is as good as many."""

    def __init__(self, name: str, about: str | None, *, rounds: int = 0, counted: str = "rounds") -> None:
        self.name = name
        self.parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
        if rounds:
            self.parser.add_argument(f"--{counted}", type=int, default=rounds, help="how many (default: %(default)s)")
        self.parser.add_argument(
            "--json", action="store_true", help="one JSON object a line, and the tables to the standard error"
        )
        self._options = argparse.Namespace()

    def start(self) -> argparse.Namespace:
        """The options as given."""
        self._options = self.parser.parse_args()
        return self._options

    def table(self, title: str, rows: Sequence[dict[str, Cell]]) -> None:
        """Print *rows* as a table, the names of the first one being the heads."""
        out = sys.stderr if self._options.json else sys.stdout
        lines = [list(rows[0]), *([_shown(cell) for cell in row.values()] for row in rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        print(f"\n{title}", file=out)
        for first, *others in lines:
            cells = [first.ljust(widths[0]), *map(str.rjust, others, widths[1:])]
            print("  ".join(cells).rstrip(), file=out)
        out.flush()

    def note(self, text: str) -> None:
        """Print a remark under a table."""
        print(text, file=sys.stderr if self._options.json else sys.stdout, flush=True)

    def emit(self, **figures: object) -> None:
        """Print *figures* for machines, if asked to."""
        if self._options.json:
            print(msgspec.json.encode({"benchmark": self.name, **figures}).decode(), flush=True)


class Command:
    """``proxysieve fetch`` as users run it, under way."""

    def __init__(
        self,
        directory: Path,
        urls: Sequence[str],
        proxies: Sequence[str],
        *options: str,
        out: str = "pages.jsonl",
    ) -> None:
        self.out = directory / out
        self.store = directory / "store"
        directory.mkdir(exist_ok=True)
        (directory / "urls.txt").write_text("\n".join(urls))
        (directory / "proxies.txt").write_text("\n".join(proxies))
        files = [f"--proxies={directory / 'proxies.txt'}", f"--out={directory}/{out}", f"--store={self.store}"]
        program = Path(sys.executable).with_name("proxysieve")
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            [program, "fetch", directory / "urls.txt", *files, "--max-rate=0", "--json", "--quiet", *options],
            stdout=subprocess.PIPE,
        )

    def report(self) -> Report:
        """What the job came to, when it has come to it."""
        try:
            answer, _ = self.process.communicate(timeout=LONGEST_SECONDS)
        finally:
            self.process.kill()
        return msgspec.json.decode(answer, type=Report)


class Usage(NamedTuple):
    """What a process used from its start to its end."""

    cpu_seconds: float
    peak_mb: float


def usage_if_ended(process: subprocess.Popen[bytes]) -> Usage | None:
    """What *process* used, if it has ended."""
    pid, status, usage = os.wait4(process.pid, os.WNOHANG)
    if not pid:
        return None
    # Only the system knows it, and tells it once; Popen would wait for the process in vain.
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if os.uname().sysname == "Darwin" else 1024
    return Usage(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e6)


def resident_mb(pid: int) -> float:
    """The memory that a process has now."""
    answer = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], check=False, capture_output=True)  # noqa: S607
    return int(answer.stdout or b"0") * 1024 / 1e6


def open_files(pid: int) -> int:
    """How many files and sockets a process has open now."""
    directory = Path(f"/proc/{pid}/fd")
    if directory.exists():
        with contextlib.suppress(OSError):
            return len(list(directory.iterdir()))
        return 0
    answer = subprocess.run(["lsof", "-p", str(pid)], check=False, capture_output=True)  # noqa: S607
    return answer.stdout.count(b"\n")


def hits_since(bed: TestbedProcess, moment: float) -> list[Hit]:
    """What the site has seen since *moment*; its clock is the monotonic one, as ours."""
    return [hit for hit in bed.truth().hits if hit.at >= moment]


def count_wrong(out: Path, bed: TestbedProcess) -> int:
    """How many pages in the output *out* differ in a byte from what the site holds."""
    return sum(body != bed.page_body(_page_id(url)) for url, body in saved_bodies(out))


def saved_bodies(out: Path) -> Iterator[tuple[str, bytes]]:
    """The URL and the body of each page in the output *out*, by readers that know nothing of who wrote it."""
    if out.is_dir():
        with (out / "index.jsonl").open("rb") as lines:
            for record in map(msgspec.json.decode, lines):
                yield record["url"], (out / record["file"]).read_bytes()
    elif ".warc" in out.suffixes:
        with out.open("rb") as file:
            for record in ArchiveIterator(file, check_digests="raise"):
                if record.rec_type == "response":
                    yield record.rec_headers.get_header("WARC-Target-URI"), record.content_stream().read()
    else:
        with gzip.open(out) if out.suffix == ".gz" else out.open("rb") as lines:
            for page in map(msgspec.json.Decoder(SavedPage).decode, lines):
                yield page.url, page.body.encode()


class SavedPage(msgspec.Struct):
    """A page in the output of a job."""

    url: str
    body: str = ""

    @property
    def page_id(self) -> int:
        """The site's number of it."""
        return _page_id(self.url)


def _page_id(url: str) -> int:
    return int(url.rpartition("/")[2])


def _shown(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case str():
            return cell
        case int():
            return f"{cell:,}"
        case float():
            return f"{cell:.3f}" if cell < 1 else f"{cell:.2f}" if cell < 100 else f"{cell:,.0f}"
