"""``proxysieve demo``: the main job on a local site that bans, and what it costs without sessions."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

import msgspec

from proxysieve.cli.fetch import INTERRUPTED, raise_file_limit, run_job
from proxysieve.cli.job_report import LABEL_WIDTH, show_report
from proxysieve.cli.options import command
from proxysieve.cli.printing import echo, echo_lines
from proxysieve.fetch.job import Job, JobOptions
from proxysieve.fetch.report import Report
from proxysieve.fetch.urls import read_urls
from proxysieve.testbed import TestbedProcess, Truth, World

PAGE_COUNT = 300
WORLD = World(
    proxies=100,
    # Three refuse, two hang and three are slow; of the 95 that answer, 75 are banned.
    refusing=3,
    hanging=2,
    slow=3,
    slow_seconds=0.5,
    banned_share=75 / 95,
    block_styles=("forbidden", "throttled", "challenge", "captcha", "sorry"),
    latency_seconds=0.05,
)
CONCURRENCY = 20
TIMEOUT_SECONDS = 3.0


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """The run of one policy."""

    report: Report
    truth: Truth
    wrong_pages: int


@command(short_help="Watch the job here: a site that bans 75 of 100 proxies.")
def demo() -> None:
    """Watch the main job: a site that bans, 100 proxies of which 75 are banned, 300 pages.

    All of it is real and on this machine: a website, forward proxies, sockets. It does the same job with a random
    proxy for each request, to compare. Nothing leaves the machine, and there is no cap on the rate (--max-rate 0).

    \b
    Example:
        proxysieve demo
    """
    directory = Path(tempfile.mkdtemp(prefix="proxysieve-demo-"))
    echo_lines(
        f"A website on this machine bans 75 of {WORLD.proxies} proxies, and some are dead or slow.\n"
        f"Fetching {PAGE_COUNT} pages of it, with no cap on the rate, since the site is our own ...\n"
    )
    raise_file_limit()
    adaptive = play("adaptive", directory)
    show_report(adaptive.report, str(directory / "adaptive.jsonl"))
    echo_lines("\nThe same with a random proxy for every request ...\n")
    random = play("uniform_random", directory)
    compare({"sessions": adaptive, "random proxy": random})


def play(policy: str, directory: Path) -> Played:
    """Do the job with *policy* in a new world."""
    out = directory / f"{policy}.jsonl"
    with TestbedProcess(WORLD) as bed:
        if bed.announces_exits and policy == "adaptive":
            echo_lines(
                "This system has one loopback address, so the proxies tell the site by the PROXY protocol which\n"
                "address they would leave from, and the site believes them.\n"
            )
        options = JobOptions(
            urls=read_urls(bed.page_urls(PAGE_COUNT), "the demo"),
            proxies=bed.proxy_lines,
            out=out,
            store=directory / policy,
            policy=policy,
            concurrency=CONCURRENCY,
            max_rate=0,
            timeout_seconds=TIMEOUT_SECONDS,
        )
        report = asyncio.run(run_job(Job(options)))
        if report.interrupted:
            sys.exit(INTERRUPTED)
        pages = map(msgspec.json.decode, out.read_bytes().splitlines())
        wrong = sum(page["body"].encode() != bed.page_body(int(page["url"].rpartition("/")[2])) for page in pages)
        return Played(report=report, truth=bed.truth(), wrong_pages=wrong)


def compare(played: dict[str, Played]) -> None:
    """Print the figures of the runs side by side."""
    rows = {
        "": list(played),
        "pages": [f"{one.report.pages:,}" for one in played.values()],
        "wrong pages": [f"{one.wrong_pages:,}" for one in played.values()],
        "requests": [f"{one.report.requests:,}" for one in played.values()],
        "wasted a page": [f"{one.report.wasted_per_page:.2f}" for one in played.values()],
        "blocked": [f"{one.report.blocked:,}" for one in played.values()],
        "throttled": [f"{one.report.throttled:,}" for one in played.values()],
        "proxy errors": [f"{one.report.proxy_errors:,}" for one in played.values()],
        "seconds": [f"{one.report.seconds:.1f}" for one in played.values()],
    }
    for label, cells in rows.items():
        echo(f"{label:<{LABEL_WIDTH}}" + "".join(f"{cell:>14}" for cell in cells))
