"""``proxysieve sessions``: a table of the sites in a store, or of the sessions of one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from random import Random

import click
import msgspec

from proxysieve.cli.config import config_option
from proxysieve.cli.formatting import ago, count, moment, span, table
from proxysieve.cli.options import Count, command, json_option, kept_store_option, option, optional_proxies_options
from proxysieve.cli.printing import echo_json, echo_lines, printable, wrapped
from proxysieve.cli.store_access import list_of, load, opened, read_records, stand_ins
from proxysieve.clock import SystemClock
from proxysieve.core.fingerprints.available import ChangedFingerprints
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.records import Record
from proxysieve.core.site.engine import Engine
from proxysieve.core.story.telling import summarize, tell_sessions
from proxysieve.core.story.values import HELD_BACK, Permission, SessionStory, SiteSummary
from proxysieve.lists.proxy_list import Proxies

ROWS_SHOWN = 20
# The kinds of records that a summary needs: cookies and pages are not read.
SUMMARIZED = ("site", "session", "exit", "lore")


class SitesStory(msgspec.Struct, frozen=True, kw_only=True):
    """The sites of a store.

    Attributes:
        site_count: All of them, also those that are not shown.
    """

    at: float
    site_count: int
    sites: list[SiteSummary]


class SessionsStory(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions of a site, the best first.

    Attributes:
        session_count: All of them, also those that are not shown.
        updated: Of sessions whose browser is not shown any more, how many go on as a newer version, by browser.
        ended: How many of them end, or are lost if they have a name of their own.
    """

    site: str
    at: float
    session_count: int
    sessions: list[SessionStory]
    updated: dict[str, int] = {}
    ended: dict[str, int] = {}


@command(short_help="List the store's sites, or a site's sessions.")
@click.argument("site", default="", metavar="[SITE]")
@optional_proxies_options
@kept_store_option
@option("--limit", default=ROWS_SHOWN, type=Count(min=0), metavar="COUNT", help="Show so many; 0 for all.")
@json_option
@config_option
def sessions(site: str, proxies: Proxies | None, store: str, limit: int, *, as_json: bool) -> None:
    """List the store's sites, or a site's sessions.

    SITE is a name such as shop.example, or a URL there. Sites are shown with their sessions that work and their
    exits that do not, those used last first; sessions with the best first. A job may be running meanwhile: nothing
    is changed. The store knows proxies only by hashes; the job's list gives them their addresses, without the
    passwords.

    \b
    Example:
        proxysieve sessions
        proxysieve sessions shop.example --proxies proxies.txt
    """
    now = SystemClock().now()
    if site:
        told = asyncio.run(tell_site_sessions(store, site, proxies, now, limit))
        echo_json(told) if as_json else echo_lines(describe_sessions(told))
        return
    sites = asyncio.run(tell_sites(store, proxies, now, limit))
    echo_json(sites) if as_json else echo_lines(describe_sites(sites))


async def tell_sites(where: str, proxies: Proxies | None, now: float, most: int) -> SitesStory:
    """The sites of the store at *where*, those used last first; *most* of them, if that is not 0.

    Raises:
        ConfigError: It is no store that outlasts a process, or the list cannot be read.
        StoreError: There is none, or it cannot be read.
    """
    listed, by_site = list_of(proxies), attrgetter("site")
    async with opened(where) as store:
        kept = sorted(await store.load(kinds=SUMMARIZED), key=by_site)
    sites = [summarize(_engine(site, [*records], listed, where), now) for site, records in groupby(kept, key=by_site)]
    sites.sort(key=lambda one: (-(one.last_used_at or 0.0), one.site))
    return SitesStory(at=now, site_count=len(sites), sites=sites[: most or None])


async def tell_site_sessions(where: str, site: str, proxies: Proxies | None, now: float, most: int) -> SessionsStory:
    """The sessions that the store at *where* keeps of *site*, the best first; *most* of them, if that is not 0.

    Raises:
        ConfigError: It is no store that outlasts a process, it knows nothing of the site, or the list cannot be read.
        StoreError: There is none, or it cannot be read.
    """
    listed = list_of(proxies)
    name, records = await read_records(where, site)
    engine = _engine(name, records, listed, where)
    told = tell_sessions(engine, now, Random(0), most)
    return SessionsStory(
        site=name,
        at=now,
        session_count=len(engine.state.sessions),
        sessions=told,
        updated=dict(engine.changed_fingerprints.updated),
        ended=dict(engine.changed_fingerprints.ended),
    )


def _engine(site: str, records: list[Record], listed: Catalog | None, where: str) -> Engine:
    return load(site, stand_ins(records, where) if listed is None else listed, records, where)


def describe_sites(story: SitesStory) -> str:
    """The sites in a table of at most 80 columns."""
    heads = ("site", "working", "cooling down", "blocked", "dead", "last used", "requests")
    rows = [
        (
            one.site,
            f"{one.working_count:,}",
            f"{one.cooling_down_count:,}",
            f"{one.blocked_count:,}",
            f"{one.dead_count:,}",
            "never" if one.last_used_at is None else ago(one.last_used_at, story.at),
            f"{one.request_count:,}",
        )
        for one in story.sites
    ]
    heading = f"{count(story.site_count, 'site')}, as of {moment(story.at)}"
    return _page(heading, table(heads, rows, words=1), story.site_count - len(rows))


def describe_sessions(story: SessionsStory) -> str:
    """The sessions in a table, likewise."""
    heads = ("session", "proxy", "standing", "good", "age", "idle", "free", "limit")
    rows = [_row(one, story.at) for one in story.sessions]
    heading = f"{printable(story.site)}: {count(story.session_count, 'session')}, as of {moment(story.at)}"
    page = _page(heading, table(heads, rows, words=3), story.session_count - len(rows))
    changed = str(ChangedFingerprints(Counter(story.updated), Counter(story.ended)))
    if not changed:
        return page
    return f"{page}\n{wrapped(f'as the next job begins: {printable(changed)}')}"


def _page(heading: str, lines: Sequence[str], left_out: int) -> str:
    more = [f"and {left_out:,} more (--limit 0 shows all)"] * (left_out > 0)
    return "\n".join([heading, *(lines if len(lines) > 1 else []), *more])


def _row(story: SessionStory, now: float) -> tuple[str, ...]:
    exit_ = story.exit
    fullest = max(exit_.uses, key=lambda use: use.used_count / use.request_count, default=None)
    return (
        story.name,
        _address(story),
        "lost" if story.lost else exit_.standing,
        f"{story.ok_count:,}",
        span(max(0.0, now - story.opened_at)),
        "" if exit_.last_used_at is None else span(max(0.0, now - exit_.last_used_at)),
        _free(story.permission, now),
        f"{fullest.used_count:,}/{fullest.request_count:,}" if fullest else "",
    )


def _free(permission: Permission, now: float) -> str:
    """When the session may be used."""
    if permission.is_granted:
        return "now"
    if permission.why.endswith(HELD_BACK):
        return "ahead"
    return "no" if permission.until is None else f"in {span(permission.until - now)}"


def _address(story: SessionStory) -> str:
    """The address of its proxy without credentials, or its name in the list; the hash if neither is known."""
    scheme, _, authority = story.exit.proxy.rpartition("://")
    shown = "" if scheme in {"", "http"} else f"{scheme}://"
    return f"{shown}{authority.rpartition('@')[2]}" if authority else story.exit.proxy_key
