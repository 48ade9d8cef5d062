"""``proxysieve fetch``: the main job."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import click
import msgspec

from proxysieve.cli.browser_options import PAGES_AT_ONCE, Browsing, browser_options, make_browser, take_browsing
from proxysieve.cli.config import config_option
from proxysieve.cli.job_report import show_failings, show_hint, show_progress, show_report
from proxysieve.cli.options import (
    command,
    cookie_file_option,
    expect_option,
    header_option,
    json_option,
    option,
    proxies_options,
    quiet_option,
    rate_option,
    section,
    setting_option,
    signs_option,
    store_option,
    timeout_option,
    warn,
)
from proxysieve.cli.printing import echo_json
from proxysieve.core.policies import POLICIES
from proxysieve.errors import ConfigError
from proxysieve.fetch.job import Job, JobOptions
from proxysieve.fetch.report import Report
from proxysieve.fetch.urls import read_url_files
from proxysieve.lists.proxy_list import ProxyList
from proxysieve.pool.settings import defaults
from proxysieve.text_file import STANDARD_INPUT

INCOMPLETE = 1
# The exit status that shells expect after Ctrl-C.
INTERRUPTED = 130
R = TypeVar("R")
# macOS allows 256 open files unless a process asks for more, and refuses an unlimited number.
MOST_FILES = 10_240
REQUESTS_AT_ONCE = defaults(JobOptions)["concurrency"]


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
    setting_option(
        JobOptions,
        "concurrency",
        default=None,
        help=f"Requests under way at most: {REQUESTS_AT_ONCE}, or {PAGES_AT_ONCE} with --browser.",
    ),
    rate_option,
    setting_option(
        JobOptions,
        "robots",
        help="Whether to obey robots.txt for the URLs of the list; it is not read for the targets of redirects.",
    ),
)
@section(
    "Good pages",
    expect_option,
    signs_option,
    setting_option(
        JobOptions,
        "looks",
        help="Whether to doubt, and ask for again, a page that looks like no good page of its site, or is the same as "
        "at another address.",
    ),
)
@browser_options
@section(
    "Patience",
    setting_option(
        JobOptions,
        "attempts",
        help="How often a page may fail on sessions that had worked: twice as often where it was throttled. By the "
        "site's own error it may fail three times at most.",
    ),
    timeout_option(JobOptions),
    setting_option(
        JobOptions, "deadline_seconds", help="Seconds after which a page is not tried again; 0 for no such limit."
    ),
    setting_option(JobOptions, "max_wait_seconds", help="Seconds to wait for something to be due where nothing works."),
)
@section(
    "Picking sessions",
    setting_option(
        JobOptions,
        "policy",
        type=click.Choice(sorted(POLICIES)),
        metavar="NAME",
        help="adaptive, which learns what the site bears; classic, round_robin or uniform_random.",
    ),
    setting_option(
        JobOptions,
        "thrift",
        metavar="FACTOR",
        help="For adaptive: 2 tries half as many new proxies at once, which spares some and takes longer.",
    ),
    setting_option(
        JobOptions,
        "max_sessions",
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
    After a space:
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
    report = asyncio.run(_fetch(browsing, job_options, show=not quiet))
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


async def _fetch(browsing: Browsing, options: JobOptions, *, show: bool) -> Report:
    if not browsing.browser:
        return await run_job(Job(options), show=show)
    async with make_browser(browsing, options.concurrency) as client:
        return await run_job(Job(msgspec.structs.replace(options, client=client)), show=show)


async def run_job(job: Job, *, show: bool = True) -> Report:
    """Run *job*, and show its progress."""
    return await run(job.run(), job.interrupt, show_progress(job) if show else None)


async def run(
    work: Coroutine[Any, Any, R], interrupt: Callable[[], None], showing: Coroutine[Any, Any, None] | None
) -> R:
    """Do *work* to its end, with *showing* beside it; Ctrl-C calls *interrupt*."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    progress = asyncio.create_task(showing) if showing else None
    try:
        return await work
    finally:
        if progress:
            progress.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await progress


def raise_file_limit() -> None:
    """Let the process open as many files as the system allows: each session has its own connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
