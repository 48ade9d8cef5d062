"""``proxysieve check``: which proxies of a list work at one page, and what comes through the others."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import click
import msgspec

from proxysieve.check.check import Check, Checked, CheckOptions, CheckReport, Progress
from proxysieve.check.good_list import GoodList
from proxysieve.cli.config import config_option
from proxysieve.cli.fetch import INCOMPLETE, INTERRUPTED, raise_file_limit, run
from proxysieve.cli.job_report import line, show_steps
from proxysieve.cli.judge import named, shown_url
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
    timeout_option,
    warn,
)
from proxysieve.cli.printing import WIDTH, complain, echo, echo_json, echo_lines, printable, wrapped
from proxysieve.core.model import Outcome, Proxy
from proxysieve.errors import ConfigError
from proxysieve.lists.proxy_list import Proxies, read_proxies

# How many are shown of those that work, and of each other result. A list up to SHORT_LIST is shown whole.
GOOD_SHOWN, EXAMPLES_SHOWN, SHORT_LIST = 20, 3, 25
TITLES_SHOWN, TITLE_LENGTH = 3, 40
HEADINGS = {
    Outcome.OK: "works",
    Outcome.BLOCKED: "blocked",
    Outcome.THROTTLED: "throttled",
    Outcome.UNCLEAR: "unclear",
    Outcome.SITE_ERROR: "the site's own errors",
    Outcome.PROXY_ERROR: "dead",
}
INDENT = "  "


@command(short_help="Ask for one page through each proxy: which of them work?")
@click.argument("url")
@section("Input", proxies_options, header_option, cookie_file_option, config_option)
@section(
    "Output",
    option(
        "--save",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write the lines of the proxies that work, as they stand in the list, with passwords.",
    ),
    option("--all", "is_all", is_flag=True, help="Show every proxy, and not a few of many."),
    json_option,
    quiet_option,
)
@section(
    "Pace",
    setting_option(
        CheckOptions,
        "names",
        help="Session names to try of each gateway provider, a fresh one each: its exits differ.",
    ),
    timeout_option(CheckOptions),
    setting_option(CheckOptions, "concurrency", help="Requests under way at most."),
    rate_option,
)
@section("Good pages", expect_option, signs_option)
def check(
    url: str,
    proxies: Proxies,
    *,
    save: Path | None,
    is_all: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,  # noqa: ANN401 - named above
) -> None:
    """Ask for URL once through each proxy, and show which of them work there.

    A check judges answers as a job does, and then compares them: if others got the page, a bare 403 was a block.
    It keeps nothing, except the list that --save writes.

    It does not read robots.txt: it sends one request a proxy, for one page that you name, as curl does. It does not
    tell who runs a proxy, nor whether a proxy changes what goes through it without TLS.

    \b
    What it shows:
        works                    a good answer, a 404 included; the fastest first
        blocked, throttled       refused by the site: by what sign
        unclear                  no answer, or one that proves nothing
        the site's own errors    a 500 and the like
        dead                     the proxy itself failed

    \b
    Exit status: 0 at least one works, 1 none works, 2 the input is at fault,
    130 interrupted; what is known by then is shown.

    \b
    Example:
        proxysieve check https://shop.example/item/1 --proxies proxies.txt \\
            --save good.txt
    """
    usable, problems = read_proxies(proxies)
    good_list = GoodList(save, *_sources()) if save else None
    warn([*problems, *options["headers"].unused_at([url])])
    raise_file_limit()
    job = Check(CheckOptions(url=url, proxies=usable, **options))
    showing = None if quiet else show_steps(lambda: describe(job.progress()), "proxies")
    report = asyncio.run(run(job.run(), job.interrupt, showing))
    saved = save_working(good_list, job.working(), is_whole=not report.interrupted) if good_list else None
    if as_json:
        echo_json({"url": shown_url(url), **msgspec.structs.asdict(report), "saved": saved.proxy_count if saved else 0})
    elif quiet:
        _show_failing(report)
    else:
        show_check(report, is_all=is_all)
        if saved:
            line("saved", saved.story)
    if saved and saved.error:
        raise saved.error
    if report.interrupted:
        sys.exit(INTERRUPTED)
    if not report.works:
        sys.exit(INCOMPLETE)


def _sources() -> tuple[Sequence[str], Sequence[str]]:
    """The files and lines that the user named; --save copies from them."""
    named_by_user = click.get_current_context().params
    return named_by_user.get("proxies", ()), named_by_user.get("proxy", ())


def describe(now: Progress) -> tuple[int, int, str]:
    """How many are done, of how many, and the rest of the progress line."""
    rate = now.done / now.seconds if now.seconds else 0.0
    left = timedelta(seconds=round((now.total - now.done) / rate)) if rate else "?"
    return now.done, now.total, f"{rate:.1f}/s, {left} left, {now.good:,} good so far"


class Saved(NamedTuple):
    """The result of saving a list.

    Attributes:
        story: How many there are and where, or why there are none.
        error: What went wrong; the results are shown nevertheless.
    """

    story: str
    proxy_count: int = 0
    error: ConfigError | None = None


def save_working(good_list: GoodList, working: Sequence[Proxy], *, is_whole: bool) -> Saved:
    """Save *working*. A file that exists is replaced only if the check came to its end and found something."""
    name, is_new = good_list.path.name, good_list.is_new
    if not working or not (is_whole or is_new):
        why = "the check was interrupted" if working else "nothing works"
        return Saved(f"nothing, as {why}" + ("" if is_new else f"; {name} is as it was"))
    try:
        good_list.save(working)
    except ConfigError as error:
        return Saved("nothing", error=error)
    what = "1 proxy" if len(working) == 1 else f"{len(working):,} proxies"
    return Saved(f"{what} in {name}, with passwords", len(working))


def show_check(report: CheckReport, *, is_all: bool) -> None:
    """Print the results, the good ones first and the summary last."""
    is_all = is_all or len(report.results) <= SHORT_LIST
    for outcome, heading in HEADINGS.items():
        results = [one for one in report.results if one.verdict is outcome]
        if not results:
            continue
        echo(f"{heading}: {len(results):,}")
        if outcome is Outcome.OK:
            _show_rows(results, GOOD_SHOWN, is_all=is_all)
        else:
            _show_groups(results, is_all=is_all)
        echo()
    _show_summary(report)


def _show_groups(results: Sequence[Checked], *, is_all: bool) -> None:
    """Print the other results, the most frequent first, each with a few examples."""
    groups: defaultdict[str, list[Checked]] = defaultdict(list)
    for one in results:
        groups[_met(one)].append(one)
    for met, group in sorted(groups.items(), key=lambda item: -len(item[1])):
        text = f"{len(group):,} x {met}{_asked_to_wait(group)}"
        echo_lines(wrapped(text, first=INDENT, rest=INDENT * 2))
        _show_rows(group, EXAMPLES_SHOWN, is_all=is_all)


def _met(one: Checked) -> str:
    sign = f" ({one.sign})" if one.sign else ""
    return named(one.vendor, one.why) + sign


def _asked_to_wait(group: Sequence[Checked]) -> str:
    waits = [one.retry_after for one in group if one.retry_after is not None]
    if not waits:
        return ""
    least, most = round(min(waits)), round(max(waits))
    return f", asks to wait {least:,}{f'-{most:,}' if most > least else ''} s"


def _show_rows(results: Sequence[Checked], most: int, *, is_all: bool) -> None:
    # A line "and 1 more" would be as long as the one that it stands for.
    shown = results if is_all or len(results) == most + 1 else results[:most]
    for one in shown:
        echo(_row(one))
    if len(results) > len(shown):
        echo(f"{INDENT * 2}and {len(results) - len(shown):,} more (--all)")


def _row(one: Checked) -> str:
    came = f"{one.status:>4} {_size(one.bytes):>8}" if one.status else f"{'-':>4} {'':>8}"
    start = f"{INDENT}{one.seconds:7.2f} s {came}  "
    name = f" {one.name}" if one.name else ""
    return start + _cut(printable(one.proxy), WIDTH - len(start) - len(name)) + name


def _cut(text: str, length: int) -> str:
    """*text* without its middle if it is too long: the ends of an address tell more."""
    if len(text) <= length:
        return text
    end = (length - 1) * 2 // 3
    return f"{text[: length - 1 - end]}…{text[-end:]}"


def _size(count: int) -> str:
    return f"{count:,} B" if count < 1_000 else f"{count / 1_000:,.1f} KB"


def _show_failing(report: CheckReport) -> None:
    if not report.works:
        complain(f"none of {report.tried:,} works: {_others(report)}")


def _others(report: CheckReport) -> str:
    counts = (
        (report.blocked, "blocked"),
        (report.throttled, "throttled"),
        (report.unclear, "unclear"),
        (report.site_errors, "the site's own errors"),
        (report.proxy_errors, "dead"),
    )
    return ", ".join(f"{count:,} {what}" for count, what in counts if count)


def _show_summary(report: CheckReport) -> None:
    good = [one for one in report.results if one.verdict is Outcome.OK]
    half = f", half of them within {median(one.seconds for one in good):.2f} s" if len(good) > 1 else ""
    line("works", f"{report.works:,} of {report.tried:,}{half}")
    others = _others(report)
    if others:
        line("others", others)
    if good:
        titles = Counter(_title(one) for one in good)
        line("page" if len(titles) == 1 else "pages", ", ".join(_pages(titles)))
    for remark in report.remarks:
        line("note", remark)
    line("time", f"{report.seconds:.1f} s")
    if report.interrupted:
        line("interrupted", f"{report.exits - report.tried:,} were not tried to the end")


def _pages(titles: Counter[str]) -> Iterator[str]:
    """The titles of the good answers, so that a person sees whether it is the page."""
    for title, count in titles.most_common(TITLES_SHOWN):
        yield title if len(titles) == 1 else f"{count:,} x {title}"
    if len(titles) > TITLES_SHOWN:
        yield f"{len(titles) - TITLES_SHOWN:,} more"


def _title(one: Checked) -> str:
    if not one.title:
        return f"status {one.status} without a title"
    title = printable(one.title)
    cut = title if len(title) <= TITLE_LENGTH else f"{title[: TITLE_LENGTH - 1]}…"
    return f'"{cut}"' if one.status == 200 else f'"{cut}" (status {one.status})'
