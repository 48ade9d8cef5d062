"""How a job appears to a person: its progress and its report."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from proxysieve.cli.printing import complain, echo, echo_lines, printable, wrapped
from proxysieve.core.model import Outcome
from proxysieve.fetch.job import Job, Progress
from proxysieve.fetch.output_files import lay_out
from proxysieve.fetch.report import Report, Stalled

TERMINAL_SECONDS = 0.2
PLAIN_SECONDS = 10.0
# Further reasons are summed up, to keep the report readable.
REASONS_SHOWN = 4
# About the cost of looking for more working sessions when few are left to find.
HINT_WASTED_PER_PAGE = 0.5
LABEL_WIDTH = 14

Steps = tuple[int, int, str]


async def show_progress(job: Job) -> None:
    """Show the progress of *job* on the standard error, until cancelled."""
    await show_steps(lambda: _steps(job.progress()), "pages")


def _steps(now: Progress) -> Steps:
    return now.done, now.total, describe(now)


async def show_steps(look: Callable[[], Steps], what: str) -> None:
    """Show the progress of something on the standard error, until cancelled.

    Args:
        look: Tells how many are done, of how many, and what else there is to say.
        what: The word for them.
    """
    if sys.stderr.isatty():
        await _draw(look)
    while True:
        await asyncio.sleep(PLAIN_SECONDS)
        done, total, text = look()
        echo(f"{done:,} of {total:,} {what}; {text}", err=True)


async def _draw(look: Callable[[], Steps]) -> None:
    columns = (BarColumn(bar_width=20), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        while True:
            done, total, text = look()
            bar.update(task, total=total, completed=done, description=printable(text))
            await asyncio.sleep(TERMINAL_SECONDS)


def describe(now: Progress) -> str:
    """Rate, time left, waste and working sessions, in less than half a line; and what delays pages."""
    rate = now.finished / now.seconds if now.seconds else 0.0
    left = timedelta(seconds=round((now.total - now.done) / rate)) if rate else "?"
    text = f"{rate:.1f}/s, {left} left, {now.wasted_per_page:.2f} wasted/page, {now.working} working"
    return f"{text}; {now.news}" if now.news else text


def show_report(report: Report, out: str) -> None:
    """Print the result of a job."""
    fetched = report.pages + report.failed - report.resumed
    rate = fetched / report.seconds if report.seconds else 0.0
    line("pages", f"{report.pages:,} of {report.urls:,} in {out}{_of_which(report)}")
    if not fetched and not report.requests:
        line("", "nothing was left to do" if report.is_complete else "nothing was done")
    else:
        line("requests", f"{report.requests:,}: {_wasted(report)}")
        line("time", f"{report.seconds:.1f} s, {rate:.1f} pages a second")
        line(
            "sessions",
            f"{report.sessions_working} working, {report.sessions_cooling_down} cooling down, "
            f"{report.sessions_blocked} blocked"
            + (f", {report.sessions_held} held" if report.sessions_held else "")
            + (f", {report.sessions_unclear} unclear" if report.sessions_unclear else ""),
        )
        line("proxies", f"{report.proxies_dead} dead")
        if report.left_out:
            saved = f": about {_size(report.saved_bytes)} saved" if report.saved_bytes else ""
            line("left out", f"{report.left_out:,} images, media and fonts{saved}")
        for label, outcome in (
            ("blocked", Outcome.BLOCKED),
            ("throttled", Outcome.THROTTLED),
            ("proxy errors", Outcome.PROXY_ERROR),
            ("site errors", Outcome.SITE_ERROR),
            ("unclear", Outcome.UNCLEAR),
        ):
            show_reasons(label, outcome, report)
    if report.failed:
        line("failed", f"{report.failed:,} in {lay_out(out).failed}, with the reasons; --retry-failed tries them again")
    for suspicion in report.suspicions:
        line("suspicious", f"{suspicion}; if it is a good page, switch the sign off (--signs)")
    for stalled in report.stalled:
        why, outlook = describe_stalled(stalled)
        line("stopped", why)
        line("", outlook)
    if report.interrupted:
        line("interrupted", f"{report.pending:,} pages are pending; the same command continues from here")


def _size(byte_count: int) -> str:
    return f"{byte_count / 1e6:,.1f} MB" if byte_count >= 1e6 else f"{byte_count / 1e3:,.0f} kB"


def show_hint(report: Report, max_sessions: int) -> None:
    """Print a hint if the classic policy goes on looking for sessions that it can hardly find."""
    working = report.sessions_working
    if 0 < working < max_sessions and report.wasted_per_page >= HINT_WASTED_PER_PAGE:
        line("hint", f"--max-sessions {working} would use those that work, instead of looking for more")


def show_reasons(label: str, outcome: Outcome, report: Report) -> None:
    """Print how often *outcome* came, and why; nothing if it never came."""
    reasons = [(why, count) for met, why, count in report.reasons if met is outcome]
    total = sum(count for _, count in reasons)
    parts = [f"{count:,} x {why}" for why, count in reasons[:REASONS_SHOWN]]
    rest = total - sum(count for _, count in reasons[:REASONS_SHOWN])
    if rest:
        parts.append(f"{rest:,} for other reasons")
    if parts:
        line(label, ", ".join(parts) if len(parts) == 1 else f"{total:,}: {', '.join(parts)}")


def show_failings(report: Report) -> None:
    """Say on the standard error what keeps a job from being complete; nothing if it is complete."""
    for stalled in report.stalled:
        complain("; ".join(describe_stalled(stalled)))
    if report.failed:
        complain(f"{report.failed:,} of {report.urls:,} URLs failed")


def describe_stalled(stalled: Stalled) -> tuple[str, str]:
    """Why a site was given up for now, and what is left to do there."""
    due = "it is not known when that will change"
    if stalled.retry_at is not None:
        moment = datetime.fromtimestamp(stalled.retry_at, UTC).astimezone()
        due = f"the next is due at {moment:%Y-%m-%d %H:%M:%S}"
    pending = "1 URL is" if stalled.pending == 1 else f"{stalled.pending:,} URLs are"
    return f"nothing works at {stalled.site}: {stalled.why}", f"{due}; {pending} pending, the same command continues"


def line(label: str, text: str) -> None:
    """Print *text* after *label*, wrapped."""
    echo_lines(wrapped(text, first=f"{label:<{LABEL_WIDTH}}", rest=" " * LABEL_WIDTH))


def _wasted(report: Report) -> str:
    if report.pages:
        return f"{report.wasted_per_page:.2f} wasted a page"
    return f"{report.wasted_per_page:,.0f} wasted, and no page"


def _of_which(report: Report) -> str:
    parts = []
    if report.resumed:
        parts.append(f"{report.resumed:,} from earlier")
    if report.failed:
        parts.append(f"{report.failed:,} failed")
    if report.skipped:
        parts.append(f"{report.skipped:,} skipped for robots.txt")
    if report.duplicates:
        parts.append(f"{report.duplicates:,} duplicates")
    return f" ({', '.join(parts)})" if parts else ""
