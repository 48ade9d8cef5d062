"""``proxysieve forget``: delete one site from the store."""

from __future__ import annotations

import asyncio

import click
import msgspec

from proxysieve.cli.config import config_option
from proxysieve.cli.formatting import count
from proxysieve.cli.job_report import line
from proxysieve.cli.options import command, json_option, kept_store_option
from proxysieve.cli.printing import echo_json
from proxysieve.cli.store_access import known_sites, load_known, opened
from proxysieve.judging.samples import samples_of
from proxysieve.pool.session_pool import CLAIM_SECONDS
from proxysieve.stores import samples_directory


class ForgetReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was deleted."""

    site: str
    sessions: int
    with_cookies: int
    exits: int
    samples: int


@command(short_help="Delete one site from the store.")
@click.argument("site")
@kept_store_option
@json_option
@config_option
def forget(site: str, store: str, *, as_json: bool) -> None:
    """Delete one site from the store.

    All that is kept of SITE goes: its sessions with their cookies, and what was learned. The files are written
    anew, so that nothing of it stays in them. To forget all sites, remove the directory. What a job fetched stays
    where it is. The store must not be in use by a job.

    \b
    Example:
        proxysieve forget shop.example
    """
    report = asyncio.run(delete(site, store))
    if as_json:
        echo_json(report)
        return
    line("forgotten", f"{report.site} in {store}")
    line("", f"{count(report.sessions, 'session')}, {report.with_cookies:,} with cookies")
    line("", f"{count(report.exits, 'exit')}, {count(report.samples, 'sample')} of pages")


async def delete(site: str, where: str) -> ForgetReport:
    """Delete what the store at *where* keeps of *site*.

    Raises:
        ConfigError: Nothing is known of it.
        StoreError: There is no such store, or a job writes in it.
    """
    async with opened(where) as store:
        # Before the claim, which would make a store where there is none.
        known = await known_sites(store)
        fence = await store.claim("", CLAIM_SECONDS)
        name, kept = await load_known(store, site, where)
        samples = samples_of(samples_directory(store), name, [one for one in known if one != name])
        for sample in samples:
            sample.unlink(missing_ok=True)
        await store.forget(name, fence)
    kinds = [record.kind for record in kept]
    return ForgetReport(
        site=name,
        sessions=kinds.count("session"),
        with_cookies=kinds.count("cookies"),
        exits=kinds.count("exit"),
        samples=len(samples),
    )
