"""``proxysieve export`` and ``import``: sessions out of a store, and into another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import click
import msgspec

from proxysieve.cli.config import config_option
from proxysieve.cli.options import command, json_option, kept_store_option, option, proxies_options
from proxysieve.cli.printing import echo_json, echo_lines, escaped, printable
from proxysieve.cli.show import line
from proxysieve.cli.stored import damaged, load_first, read_records, site_names, store_at
from proxysieve.cli.words import count
from proxysieve.clock import SystemClock
from proxysieve.core.fingerprints.offered import FINGERPRINTS
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.errors import ConfigError
from proxysieve.lists.proxy_list import Proxies, read_proxies
from proxysieve.moving.arriving import Admission, Arrival, bind_own
from proxysieve.moving.binding import bind
from proxysieve.moving.departing import Packing, encode, encode_classic, pack
from proxysieve.moving.files import read_content, write_privately
from proxysieve.moving.moved import Export, FoundSessions
from proxysieve.moving.reading import read_sessions
from proxysieve.pool.session_pool import CLAIM_SECONDS
from proxysieve.site_of import respelled, site_of

LOOKS_SHOWN = 4
LONGEST_SITE = 1_000
FORMS: dict[str, Callable[[Export], bytes]] = {"proxysieve": encode, "classic": encode_classic}


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an import.

    Attributes:
        origin: Whose sessions they are.
        imported: How many came.
        with_cookies: How many of those have cookies.
        replaced: How many of the store's are no more.
        other_fingerprints: How many have another fingerprint here, by the change.
        left_out: How many did not come, by the reason.
        cookies_left_out: How many of their cookies did not, likewise.
        notes: What else is to be known of those that came.
    """

    site: str
    origin: str
    imported: int
    with_cookies: int
    replaced: int
    other_fingerprints: dict[str, int]
    left_out: dict[str, int]
    cookies_left_out: dict[str, int]
    notes: list[str]


@command(short_help="Write a site's sessions to a file.")
@click.argument("site")
@proxies_options
@kept_store_option
@option("--out", type=click.Path(), metavar="FILE", help="Write there, for nobody but you to read (mode 0600).")
@option(
    "--format",
    "form",
    type=click.Choice([*FORMS]),
    default="proxysieve",
    help="All that is known of each session; or names and user agents alone, as the algorithm of 2019 kept them.",
)
@config_option
def export(site: str, proxies: Proxies, store: str, out: str | None, form: str) -> None:
    """Write a site's sessions to a file.

    They are for another machine: with their cookies and user data, and with what happened to their exits. THE
    COOKIES IN IT ARE SECRETS: who has them is you, to the site. --out writes a file for nobody but you to read;
    what you do with the standard output is yours to see to. The proxies' passwords are not in it: it is imported
    with the same list. A job may be running meanwhile: nothing is changed.

    \b
    Example:
        proxysieve export shop.example --proxies proxies.txt --out shop.json
        proxysieve export shop.example --proxies proxies.txt --format classic
    """
    usable, _ = read_proxies(proxies)
    name, records = asyncio.run(read_records(store, site))
    try:
        packing = pack(name, Catalog(usable), records, SystemClock().now())
    except msgspec.DecodeError as error:
        raise damaged(name, store, error) from error
    content = FORMS[form](packing.export)
    if out:
        write_privately(Path(out), content)
    else:
        echo_lines(escaped(content.decode().rstrip()))
    echo_lines(_told_of_export(packing), err=True)


@command("import", short_help="Take sessions from a file into the store.")
@click.argument("file", type=click.Path(allow_dash=True), metavar="FILE")
@option("--site", metavar="SITE", help="Whose sessions they are; needed for those of other tools.")
@proxies_options
@kept_store_option
@option("--replace", is_flag=True, help="Let sessions that the store knows already go for those of the file.")
@json_option
@config_option
def import_(file: str, site: str | None, proxies: Proxies, store: str, *, replace: bool, as_json: bool) -> None:
    """Take sessions from a file into the store.

    FILE (- for the standard input) is what proxysieve export wrote, SESSIONS of the algorithm of 2019, or a session
    pool that Crawlee saved, for JavaScript or Python. A session needs its exit: the proxy that the file names, if
    it is in the list; else the only provider in the list with {session}, which is told the session's name. The
    others are left out, and so are those that are retired, older than 24 h, or known already. The store must not be
    in use by a job.

    \b
    Example:
        proxysieve import shop.json --proxies proxies.txt
        proxysieve import SESSIONS.json --site shop.example --proxies provider.txt
    """
    now = SystemClock().now()
    content, written_at = read_content(file, now)
    try:
        read = read_sessions(content, written_at)
    except ConfigError as error:
        raise ConfigError(f"the sessions in {file} cannot be read: {error}") from error
    catalog = Catalog(read_proxies(proxies)[0])
    report = asyncio.run(take_in(read, site, catalog, store, now, is_replacing=replace))
    if as_json:
        echo_json(report)
    else:
        show_import(report)


async def take_in(
    read: Export | FoundSessions, site: str | None, catalog: Catalog, where: str, now: float, *, is_replacing: bool
) -> ImportReport:
    """Save what may come of the sessions in *read*, all of it or nothing.

    Raises:
        ConfigError: It is not known of which site they are, or something about them is wrong.
        StoreError: A job writes in the store at *where*, or it cannot be used.
    """
    wanted = _site_of(read, site)
    store, rng = store_at(where), Random(0)
    try:
        fence = await store.claim("", CLAIM_SECONDS)
        name, kept = await load_first(store, wanted)
        if isinstance(read, FoundSessions):
            bound = bind(read, name, catalog, FINGERPRINTS, rng, now)
        else:
            bound = bind_own(read, catalog, FINGERPRINTS, rng)
        try:
            admission = Admission(name, catalog, kept, now, site_of=cookie_site(name), is_replacing=is_replacing)
            arrival = admission.admit(bound)
        except msgspec.DecodeError as error:
            raise damaged(name, where, error) from error
        await store.save(arrival.records, fence)
    finally:
        await store.close()
    return _report(name, read, arrival)


def _site_of(read: Export | FoundSessions, site: str | None) -> list[str]:
    """What the site of the sessions in *read* may be called."""
    if isinstance(read, Export):
        if not is_site(read.site):
            raise ConfigError(f"its sessions are those of {read.site[:40]!r}, which is no site")
        if site and read.site not in site_names(site):
            raise ConfigError(f"these are the sessions of {read.site!r}, not of {site!r}")
        return list(dict.fromkeys([read.site, respelled(read.site)]))
    if not site:
        raise ConfigError(f"of which site are they? {read.origin} does not say it in its file: name it with --site")
    return site_names(site)


def cookie_site(site: str) -> Callable[[str], str]:
    """Which site a cookie belongs to, by a URL; where *site* is called by its user's own rule, nobody else knows."""
    try:
        is_usual = site_names(site)[-1] == site
    except ConfigError:
        is_usual = False
    return site_of if is_usual else lambda _: site


def is_site(name: str) -> bool:
    """Whether a site may be called *name*: as a host, or as its user likes."""
    return 0 < len(name) <= LONGEST_SITE and name.isprintable()


def _report(site: str, read: Export | FoundSessions, arrival: Arrival) -> ImportReport:
    return ImportReport(
        site=site,
        origin=read.origin if isinstance(read, FoundSessions) else "proxysieve",
        imported=arrival.session_count,
        with_cookies=arrival.cookie_count,
        replaced=arrival.replaced_count,
        other_fingerprints=dict(arrival.other_fingerprints),
        left_out=dict(arrival.left_out),
        cookies_left_out=dict(arrival.cookies_left_out),
        notes=read.notes if isinstance(read, FoundSessions) and arrival.session_count else [],
    )


def show_import(report: ImportReport) -> None:
    """Print what came of an import."""
    replaced = f", {report.replaced:,} of the store's replaced" if report.replaced else ""
    line(
        "imported",
        f"{count(report.imported, 'session')} of {report.origin} into {report.site}, "
        f"{report.with_cookies:,} with cookies{replaced}",
    )
    for number, told in enumerate(_reasons(report.left_out)):
        line("" if number else "left out", told)
    for number, told in enumerate(_reasons(report.cookies_left_out)):
        line("" if number else "cookies", f"left out {told}")
    if report.other_fingerprints:
        changes = [f"{number:,} x {change}" for change, number in list(report.other_fingerprints.items())[:LOOKS_SHOWN]]
        more = " and others" * (len(report.other_fingerprints) > LOOKS_SHOWN)
        line(
            "other looks",
            f"{sum(report.other_fingerprints.values()):,} are not who they were, but the nearest that we can be: "
            f"{', '.join(changes)}{more}; a site that ties cookies to a browser will not know them",
        )
    for note in report.notes:
        line("note", note)


def _told_of_export(packing: Packing) -> str:
    sessions = packing.export.sessions
    with_cookies = sum(bool(one.cookies) for one in sessions)
    told = [f"{count(len(sessions), 'session')} of {printable(packing.export.site)}, {with_cookies:,} with cookies"]
    return "\n".join([*told, *(f"left out: {reason}" for reason in _reasons(packing.left_out))])


def _reasons(left_out: dict[str, int]) -> Iterator[str]:
    for reason, number in sorted(left_out.items(), key=lambda item: (-item[1], item[0])):
        yield f"{number:,}: {reason}"
