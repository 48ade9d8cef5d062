"""``proxysieve judge``: the verdicts on saved responses, and their signs."""

from __future__ import annotations

import asyncio
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

import click
import msgspec

from proxysieve.cli.config import config_option
from proxysieve.cli.formatting import share
from proxysieve.cli.options import Count, command, expect_option, option, signs_option
from proxysieve.cli.printing import NO_BREAK_SPACE, WIDTH, complain, echo, echo_json, echo_lines, printable, wrapped
from proxysieve.clients.curl import send_directly
from proxysieve.clients.protocol import Request
from proxysieve.clock import SystemClock
from proxysieve.core.fingerprints.available import FINGERPRINTS
from proxysieve.core.model import OK, Failure, Outcome, Scope, Verdict
from proxysieve.core.verdicts.failures import failed_exchange
from proxysieve.core.verdicts.judge import PROXY_FAILURES, SignFunction
from proxysieve.core.verdicts.signs import Sign
from proxysieve.errors import ConfigError
from proxysieve.judging.expect import expects
from proxysieve.judging.saved import Defaults, Saved, files_of, read_saved
from proxysieve.judging.saved.response import lowered
from proxysieve.judging.sign_tables import list_signs, make_judge

NOT_OK, BAD_INPUT = 1, 2
# Not an outcome of a request: what was read shows no block, but not everything was read.
UNREAD = "unread"
URL_STARTS = ("http://", "https://")
OUTCOME_WIDTH = 13
MARGIN = " " * OUTCOME_WIDTH
GAP = "   "
# A line has room for these; the JSON has all.
ALSO_SHOWN = 3
AIMS = {
    Scope.EXIT: "aims at the exit",
    Scope.NETWORK: "aims at the network",
    Scope.COUNTRY: "aims at the country",
    Scope.SESSION: "aims at the session",
    Scope.PROXY: "aims at the whole proxy",
    Scope.RESOURCE: "aims at the page",
}
# Reasons that begin so do not continue a vendor's name.
CLAUSES = ("the ", "its ", "sent ", "needs ", "answered ", "too ")
# After a semicolon in a path, there may be session names, too.
PATH_VALUES = re.compile(r";[^/]*")


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One opinion."""

    verdict: Outcome
    vendor: str | None
    sign: str | None
    confidence: float
    why: str | None


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one response.

    Attributes:
        file: As the caller named it; a URL without its secrets.
        url: The URL of the request, without secrets.
        verdict: The outcome; ``unread`` instead of ``ok`` if the answer was not seen completely.
        until: Unix seconds until which the site asked to wait.
        note: What could not be read, and what to do.
        seen: All opinions. The first one decided.
    """

    file: str
    url: str | None
    status: int
    verdict: str
    vendor: str | None
    sign: str | None
    scope: Scope | None
    confidence: float
    why: str | None
    final: bool
    until: float | None
    note: str | None
    seen: list[Seen]


class ListedSign(msgspec.Struct, frozen=True, kw_only=True):
    """A sign of a table."""

    name: str
    vendor: str | None
    verdict: Outcome
    scope: Scope | None
    confidence: float
    why: str
    source: str


def read_headers(_: click.Context, __: click.Parameter, lines: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Headers as on the wire. The message does not repeat a wrong one, which may be a cookie."""
    pairs = [line.partition(":") for line in lines]
    if not all(colon and name.strip() for name, colon, _ in pairs):
        raise click.BadParameter("expected 'Name: value'")
    return lowered((name, value) for name, _, value in pairs)


def read_url(_: click.Context, __: click.Parameter, url: str) -> str:
    """A URL that can be parsed."""
    if url and not shown_url(url).startswith(URL_STARTS):
        raise click.BadParameter("expected http://… or https://…")
    return url


@command(short_help="Tell whether saved responses are blocks, and by which sign.")
@click.argument("files", nargs=-1, metavar="FILE|URL...")
@option(
    "--status",
    default=200,
    type=Count(100, 999),
    metavar="STATUS",
    help="HTTP status, for bodies that are saved without one.",
)
@option(
    "--header",
    "headers",
    multiple=True,
    metavar="'NAME: VALUE'",
    callback=read_headers,
    help="A header, for bodies that are saved without headers; may be repeated.",
)
@option(
    "--url",
    default="",
    show_default=False,
    metavar="URL",
    callback=read_url,
    help="The URL of the request, for files that do not say it.",
)
@expect_option
@signs_option
@option("--list-signs", "is_list", is_flag=True, help="Print the signs in the order of use, and judge nothing.")
@option("--json", "as_json", is_flag=True, help="Print one JSON object on each line.")
@config_option
def judge(
    files: tuple[str, ...],
    *,
    status: int,
    headers: tuple[tuple[str, str], ...],
    url: str,
    expect: str,
    signs: tuple[str, ...],
    is_list: bool,
    as_json: bool,
) -> None:
    """Tell whether saved responses are blocks, and by which sign.

    \b
    The content of a FILE tells what it is:
        a body                   HTML, JSON, any text
        a response               with status line and headers: curl -i,
                                 wget --save-headers, HTTPie
        a transcript             curl -v, wget -S: the last answer
        a page in one file       MHTML, which Chrome and Edge save
        a HAR file               exported by browsers, each answer; also in
                                 a zip file, as Playwright packs it
        a WARC file              plain or gzipped, each response
        pages.jsonl, or .gz      written by proxysieve fetch, each page
        a directory              all files in it and below; or each page,
                                 if proxysieve fetch wrote it
        -                        the standard input

    A URL is fetched now, without a proxy: its site sees this machine's own address.
    URLs are printed without user names, passwords and the values of queries.

    \b
    An answer that was not seen completely is never "ok": it is "unread" if
    what was seen shows no block. A note says what to do.

    \b
    Exit status: 0 all are good answers, 1 some are not, or are unread,
    2 the input is wrong.

    \b
    Example:
        proxysieve judge page.html --status 403
        curl -si https://shop.example/item/1 | proxysieve judge -
    """
    if is_list:
        _show_signs(list_signs(signs), as_json=as_json)
        return
    if not files:
        raise click.UsageError("nothing to judge: give a file, a directory, a URL, or - for the standard input")
    table, last_signs = make_judge(signs), _expectations(expect)
    defaults = Defaults(status=status, headers=headers, url=url)
    responses = Responses(files, defaults)
    shown = VerdictPrinter()
    for response in responses:
        opinions = table.see(response.exchange, *last_signs)
        shown.show(response, judged(response, opinions), as_json=as_json)
    if not as_json:
        shown.show_counts()
    if responses.has_problems:
        sys.exit(BAD_INPUT)
    if shown.counts.keys() - {Outcome.OK.value}:
        sys.exit(NOT_OK)


def judged(response: Saved, opinions: Sequence[Verdict]) -> Judged:
    """The result of *opinions*, without any secret of the response."""
    verdict = opinions[0] if opinions else OK
    is_unread = verdict.outcome is Outcome.OK and not response.is_whole
    return Judged(
        file=response.file,
        url=shown_url(response.exchange.url) or None,
        status=response.exchange.status,
        verdict=UNREAD if is_unread else verdict.outcome.value,
        vendor=verdict.vendor or None,
        sign=verdict.sign or None,
        scope=verdict.scope,
        confidence=0.0 if is_unread else verdict.confidence,
        why=verdict.why or None,
        final=verdict.is_final,
        until=verdict.until or None,
        note=response.note or None,
        seen=[_seen(opinion) for opinion in dict.fromkeys(opinions)],
    )


def shown_url(url: str) -> str:
    """*url* without possible secrets: user and password, the values of its query, its fragment."""
    try:
        parts = urlsplit(url.encode("utf-8", "replace").decode())
    except ValueError:
        return ""
    if f"{parts.scheme}://" not in URL_STARTS:
        return f"{parts.scheme}:…" if parts.scheme else ""
    # Without a name, it is a value.
    pairs = [pair.partition("=") for pair in parts.query.split("&") if pair]
    query = "&".join(f"{name}=…" if equals else "…" for name, equals, _ in pairs)
    host, path = parts.netloc.rpartition("@")[2], PATH_VALUES.sub(";…", parts.path)
    return f"{parts.scheme}://{host}{path}" + (f"?{query}" if query else "")


def _expectations(expect: str) -> list[SignFunction]:
    return [expects(expect)] if expect else []


def _seen(opinion: Verdict) -> Seen:
    return Seen(
        verdict=opinion.outcome,
        vendor=opinion.vendor or None,
        sign=opinion.sign or None,
        confidence=opinion.confidence,
        why=opinion.why or None,
    )


# Where responses come from.


class Responses:
    """The responses of files and URLs, one after the other. A problem with one is reported, and the others are read.

    Args:
        names: Files, directories and URLs.
        defaults: What is known about their responses.

    Attributes:
        has_problems: Whether a problem was reported so far.
    """

    def __init__(self, names: Sequence[str], defaults: Defaults) -> None:
        self._names = names
        self._defaults = defaults
        self.has_problems = False

    def __iter__(self) -> Iterator[Saved]:
        for name in self._names:
            try:
                sources = [name] if _is_url(name) else files_of(name)
            except ConfigError as error:
                self._tell(error)
                continue
            for source in sources:
                yield from self._read(source)

    def _read(self, source: str) -> Iterator[Saved]:
        try:
            if _is_url(source):
                yield fetch_now(source)
            else:
                yield from read_saved(source, self._defaults)
        except ConfigError as error:
            self._tell(error)

    def _tell(self, error: ConfigError) -> None:
        self.has_problems = True
        complain(error)


def fetch_now(url: str) -> Saved:
    """The response to *url*, requested from this machine's own address; or the redirects that ended in none.

    Raises:
        ConfigError: There was no answer.
    """
    shown = shown_url(url)
    echo(f"{shown} is fetched without a proxy: its site sees this machine's own address", err=True)
    try:
        response = asyncio.run(send_directly(Request(url=url), FINGERPRINTS[0]))
    except Exception as error:
        failed = failed_exchange(url, error, at=SystemClock().now())
        if failed is None:
            raise
        if failed.hops and failed.failure not in PROXY_FAILURES:
            # They were answers, and may say why there was no other.
            return Saved(file=shown, exchange=failed)
        # No proxy can be to blame.
        why = "the site could not be reached" if failed.failure is Failure.PROXY_UNREACHABLE else str(failed.failure)
        # The client's own message contains the whole URL.
        raise ConfigError(f"{shown}: {why}: save the response where there is one, and give that file") from None
    return Saved(file=shown, exchange=response.exchange(url, at=SystemClock().now()))


def _is_url(name: str) -> bool:
    return name.lower().startswith(URL_STARTS)


# In words.


class VerdictPrinter:
    """What was printed so far.

    Attributes:
        counts: How many responses had each outcome.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._file = ""

    def show(self, response: Saved, judged: Judged, *, as_json: bool) -> None:
        """Print the verdict on a response. For a file with many, its name is printed once."""
        self.counts[judged.verdict] += 1
        if as_json:
            echo_json(judged)
            return
        if response.is_one_of_many and judged.file != self._file:
            echo(judged.file)
        self._file = judged.file if response.is_one_of_many else ""
        label = _shortened(judged.url or "without a URL") if response.is_one_of_many else judged.file
        echo_lines(describe(judged, label))

    def show_counts(self) -> None:
        """Print how many there were of each kind, if there were several."""
        count = self.counts.total()
        if count > 1:
            kinds = ", ".join(f"{number:,} {outcome}" for outcome, number in self.counts.most_common())
            echo_lines(wrapped(f"{count:,} responses: {kinds}"))


def describe(judged: Judged, label: str) -> str:
    """The verdict on a response, in lines of at most 80 columns unless *label* is longer.

    Args:
        judged: The response.
        label: What to call it.
    """
    name, sentence = printable(label), _sentence(judged)
    first = f"{judged.verdict:<{OUTCOME_WIDTH}}{name}"
    one_line = f"{first}{GAP}{sentence}".replace(NO_BREAK_SPACE, " ")
    # A good answer needs no more than its long name.
    apart = [first, _indented(sentence)] if judged.seen else [first]
    lines = [one_line] if len(one_line) <= WIDTH else apart
    others = [one for one in judged.seen[1:] if one.sign != judged.sign]
    if others:
        told = ", ".join(_opinion(one, judged.verdict) for one in others[:ALSO_SHOWN])
        more = f" and {len(others) - ALSO_SHOWN:,} more" if len(others) > ALSO_SHOWN else ""
        lines.append(_indented(f"also seen: {told}{more}"))
    if judged.note:
        lines.append(_indented(f"note: {judged.note}"))
    return "\n".join(lines)


def _sentence(judged: Judged) -> str:
    if not judged.seen:
        return "not all of it was seen" if judged.verdict == UNREAD else "nothing speaks against it"
    details = [judged.sign] if judged.sign else []
    if judged.scope:
        details.append(AIMS[judged.scope])
    if judged.final:
        details.append("no other try would help")
    if judged.until:
        details.append(f"asks to wait until {_moment(judged.until)}")
    details.append(f"{share(judged.confidence)} sure".replace(" ", NO_BREAK_SPACE))
    return f"{named(judged.vendor, judged.why)} ({', '.join(details)})"


def _opinion(seen: Seen, decided: str) -> str:
    kind = "" if seen.verdict == decided else f"{seen.verdict}: "
    return f"{kind}{named(seen.vendor, seen.why)}" + (f" ({seen.sign})" if seen.sign else "")


def named(vendor: str | None, why: str | None) -> str:
    """The reason of a sign, with the vendor whose block it is."""
    between = ": " if (why or "").startswith(CLAUSES) else " "
    return between.join(part for part in (vendor, why) if part)


def _indented(text: str) -> str:
    return wrapped(text, first=MARGIN, rest=MARGIN)


def _shortened(url: str) -> str:
    room = WIDTH - OUTCOME_WIDTH
    return url if len(url) <= room else f"{url[: room - 1]}…"


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def _show_signs(signs: Sequence[Sign], *, as_json: bool) -> None:
    if as_json:
        for sign in signs:
            echo_json(_listed(sign))
        return
    name_width = max(len(sign.name) for sign in signs) + 2
    vendor_width = max(len(sign.vendor) for sign in signs) + 2
    for sign in signs:
        row = f"{sign.name:<{name_width}}{sign.vendor:<{vendor_width}}{sign.verdict:<{OUTCOME_WIDTH}}{sign.scope or ''}"
        echo(row.rstrip())


def _listed(sign: Sign) -> ListedSign:
    return ListedSign(
        name=sign.name,
        vendor=sign.vendor or None,
        verdict=sign.verdict,
        scope=sign.scope,
        confidence=sign.confidence,
        why=sign.why,
        source=sign.source,
    )
