"""``proxysieve fetch``: the main job on the user's own input."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import sys
from typing import Any

import click
import msgspec

from proxysieve.cli.browsing import PAGES_AT_ONCE, Browsing, browser_options, make_browser, take_browsing
from proxysieve.cli.config import config_option
from proxysieve.cli.options import (
    Count,
    Number,
    command,
    concurrency_option,
    cookie_file_option,
    expect_option,
    header_option,
    json_option,
    option,
    proxies_options,
    quiet_option,
    rate_option,
    section,
    signs_option,
    store_option,
    timeout_option,
    warn,
)
from proxysieve.cli.printing import echo_json
from proxysieve.cli.show import show_failings, show_hint, show_progress, show_report
from proxysieve.errors import ConfigError
from proxysieve.fetch.job import Job, JobOptions
from proxysieve.fetch.report import Report
from proxysieve.fetch.urls import read_url_files
from proxysieve.lists.proxy_list import ProxyList
from proxysieve.pool.session_pool import POLICIES
from proxysieve.text_file import STANDARD_INPUT

INCOMPLETE = 1
# What shells expect of a program that was ended by Ctrl-C.
INTERRUPTED = 130
# macOS gives a process 256 open files unless it asks for more, and takes no wish for endlessly many.
MOST_FILES = 10_240
REQUESTS_AT_ONCE = 50


@command(short_help="Fetch pages through proxies, each exactly once.")
@click.argument("urls", nargs=-1, required=True, type=click.Path(allow_dash=True))
@section(
    "Input",
    proxies_options,
    header_option,
    cookie_file_option,
    config_option,
)
@section(
    "Output",
    option(
        "--out",
        required=True,
        type=click.Path(),
        metavar="NAME",
        help="Where the pages go: NAME.jsonl or NAME.jsonl.gz, a line a page; NAME.warc.gz, for archives; or NAME/, a "
        "directory with a file for each.",
    ),
    option("--retry-failed", is_flag=True, help="Take up again what failed in an earlier run."),
    store_option,
    json_option,
    quiet_option,
)
@section(
    "Pace",
    concurrency_option(None, f"Requests under way at most: {REQUESTS_AT_ONCE}, or {PAGES_AT_ONCE} with --browser."),
    rate_option,
    option(
        "--robots/--no-robots",
        default=True,
        help="Whether to obey robots.txt, for the URLs of the list; where redirects lead is not looked up.",
    ),
)
@section(
    "Good pages",
    expect_option,
    signs_option,
    option(
        "--likeness/--no-likeness",
        default=True,
        help="Whether to doubt, and ask for again, a page that looks like no good page of its site, or is the same as "
        "at another address.",
    ),
)
@browser_options
@section(
    "Patience",
    option(
        "--attempts",
        default=5,
        type=Count(min=1),
        metavar="COUNT",
        help="How often a page may fail on sessions that had worked: twice as often where it was throttled. By the "
        "site's own error it may fail three times at most.",
    ),
    timeout_option(30.0),
    option(
        "--deadline",
        default=600.0,
        type=Number(min=0),
        metavar="SECONDS",
        help="Seconds after which a page is not tried again; 0 for no such limit.",
    ),
    option(
        "--max-wait",
        default=30.0,
        type=Number(min=0),
        metavar="SECONDS",
        help="Seconds to wait for something to be due where nothing works.",
    ),
)
@section(
    "Picking sessions",
    option(
        "--policy",
        default="adaptive",
        type=click.Choice(sorted(POLICIES)),
        metavar="NAME",
        help="adaptive, which learns what the site bears; classic, round_robin or uniform_random.",
    ),
    option(
        "--thrift",
        default=1.0,
        type=Number(min=0, min_open=True),
        metavar="FACTOR",
        help="For adaptive: 2 tries half as many new proxies at once, which spares some and takes longer.",
    ),
    option(
        "--max-sessions",
        default=100,
        type=Count(min=1),
        metavar="COUNT",
        help="For classic: how many working sessions to aim at. Lower uses the working ones sooner and more, higher "
        "keeps looking.",
    ),
)
def fetch(urls: tuple[str, ...], proxies: ProxyList, *, as_json: bool, quiet: bool, **options: Any) -> None:  # noqa: ANN401 - named above
    """Fetch URLS (files with one a line, sitemaps, or - for the standard input) through proxies.

    The same command goes on where it stopped, whatever stopped it: every page stands in the output exactly once.
    What failed goes to NAME.failed.jsonl, or NAME/failed.jsonl, with the story of its attempts.

    \b
    Proxies, one a line:
        http://user:password@host:port     also https, socks5, socks5h
        host:port                          http without credentials
        host:port:user:password            as it stands, nothing percent-encoded;
                                           also user:password:host:port
        http://user-session-{session}:password@gateway:port
                                           {session} where a provider wants a name
                                           for each session's exit
    Behind a blank:
        cost=20            what a request costs, if not 1
        name=berlin-1      what to call it, instead of by its address
        ttl_seconds=600    for how long a session keeps its exit
        max_in_flight=50   requests at once through it, over all sites

    \b
    Files and web addresses are read again while the job runs
    (docs/reference/proxies.md).

    \b
    Exit status: 0 every URL has its page or is skipped for robots.txt,
    1 some failed or are pending, 2 the input is at fault, 130 interrupted.

    \b
    Example:
        proxysieve fetch urls.txt --proxies proxies.txt --out pages.jsonl
        proxysieve fetch urls.txt --proxies proxies.txt --out pages/ --browser
    """
    if proxies.takes_standard_input and STANDARD_INPUT in urls:
        raise ConfigError("the standard input cannot be both the URLs and the proxies: put one of them into a file")
    if any("://" in name for name in urls):
        raise ConfigError("URLS are files, and one of them is an address: put addresses into a file, or pipe them to -")
    url_list = read_url_files(urls)
    warn([*url_list.problems, *proxies.read(), *options["headers"].unused_at(url_list.urls)])
    raise_file_limit()
    browsing = take_browsing(options)
    options["concurrency"] = options["concurrency"] or (PAGES_AT_ONCE if browsing.browser else REQUESTS_AT_ONCE)
    job_options = JobOptions(urls=url_list, proxies=proxies, **options)
    if browsing.browser:
        report = asyncio.run(browse(browsing, job_options, show=not quiet))
    else:
        report = asyncio.run(run(Job(job_options), show=not quiet))
    if as_json:
        echo_json(report)
    elif quiet:
        show_failings(report)
    else:
        show_report(report, options["out"])
        if options["policy"] == "classic":
            show_hint(report, options["max_sessions"])
    if report.interrupted:
        sys.exit(INTERRUPTED)
    if not report.is_complete:
        sys.exit(INCOMPLETE)


async def browse(browsing: Browsing, options: JobOptions, *, show: bool) -> Report:
    """Run the job that *options* make up, by a browser."""
    async with make_browser(browsing, options.concurrency) as client:
        return await run(Job(msgspec.structs.replace(options, client=client)), show=show)


async def run(job: Job, *, show: bool) -> Report:
    """Run *job* to its end or to the first Ctrl-C, showing its progress if it is to be *show*n."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, job.interrupt)
    progress = asyncio.create_task(show_progress(job)) if show else None
    try:
        return await job.run()
    finally:
        if progress:
            progress.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await progress


def raise_file_limit() -> None:
    """Let the process open as many files as the system allows it: every session has connections of its own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
