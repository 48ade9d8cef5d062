"""What a store keeps, for the commands that read, move or forget it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import msgspec

from proxysieve.core.fingerprints.available import FINGERPRINTS
from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.policies.adaptive import Adaptive
from proxysieve.core.proxies.catalog import Catalog, Unlisted
from proxysieve.core.records import Record, SessionRecord, decode
from proxysieve.core.site.engine import Engine
from proxysieve.errors import ConfigError, StoreError
from proxysieve.lists.proxy_list import Proxies, read_proxies
from proxysieve.site_of import former_names, site_of
from proxysieve.stores import Store, open_store

# More have no room in a line.
SITES_SHOWN = 5


@asynccontextmanager
async def opened(where: str) -> AsyncIterator[Store]:
    """The store at *where*, closed afterwards.

    Raises:
        ConfigError: It is no store that outlasts a process.
    """
    if where == "memory:":
        raise ConfigError(f"cannot look into {where!r}: expected the directory of a store")
    store = open_store(where)
    try:
        yield store
    finally:
        await store.close()


def site_names(site: str) -> list[str]:
    """The names that a store may have for *site*, which may be a URL there. The last is the name of a new one.

    Raises:
        ConfigError: It is no URL.
    """
    name = site_of(site if "://" in site else f"http://{site}")
    return list(dict.fromkeys([*(one for one in (site, *former_names(name)) if one != name), name]))


async def read_records(where: str, site: str) -> tuple[str, list[Record]]:
    """The name that the store at *where* has for *site*, which may be a URL there, and what it keeps of it.

    Raises:
        ConfigError: It is no store that outlasts a process, or nothing is known of the site.
        StoreError: There is none, or it cannot be read.
    """
    async with opened(where) as store:
        return await load_known(store, site, where)


async def load_known(store: Store, site: str, where: str) -> tuple[str, list[Record]]:
    """The same from *store*, which is open.

    Raises:
        ConfigError: Nothing is known of the site.
    """
    name, kept = await load_first(store, site_names(site))
    if kept:
        return name, kept
    known = await known_sites(store)
    more = f" and {len(known) - SITES_SHOWN:,} more" * (len(known) > SITES_SHOWN)
    told = f"it knows of {', '.join(known[:SITES_SHOWN])}{more}" if known else "it is empty"
    raise ConfigError(f"nothing is known of {site!r} in the store {where}: {told}")


async def load_first(store: Store, names: list[str]) -> tuple[str, list[Record]]:
    """The first of *names* that *store* knows, and what it keeps of that site; else the last, and nothing."""
    for name in names:
        kept = await store.load(name)
        if kept:
            return name, kept
    return names[-1], []


async def known_sites(store: Store) -> list[str]:
    """The names of the sites that *store* knows, in their order."""
    return sorted({record.site for record in await store.load()})


def load(site: str, catalog: Catalog, records: list[Record], where: str) -> Engine:
    """The engine with which a run would begin.

    Raises:
        StoreError: A record is damaged.
    """
    try:
        return Engine(
            site, catalog, Adaptive(), fingerprints=(*FINGERPRINTS, *_real_browsers(records)), records=records
        )
    except msgspec.DecodeError as error:
        raise damaged(site, where, error) from error


def _real_browsers(records: Iterable[Record]) -> set[Fingerprint]:
    """The fingerprints among *records* that are offered only to a run that opens their browser."""
    sessions = (decode(record.value, SessionRecord) for record in records if record.kind == "session")
    return {session.fingerprint for session in sessions if session.fingerprint.engine}


def damaged(site: str, where: str, error: msgspec.DecodeError) -> StoreError:
    """The error that a record of *site* cannot be read."""
    return StoreError(f"what the store {where} keeps of {site} is damaged: {error}")


def list_of(proxies: Proxies | None) -> Catalog | None:
    """The proxies of a job's list, if there is one."""
    return None if proxies is None else Catalog(read_proxies(proxies)[0])


def stand_ins(records: Iterable[Record], where: str) -> Catalog:
    """The proxies in *records*, instead of a list. Only their keys are known.

    Raises:
        StoreError: A record is damaged.
    """
    exits = dict.fromkeys(_exit_id(record, where) for record in records if record.kind in {"exit", "session"})
    providers = {exit_id.partition("/")[0] for exit_id in exits if "/" in exit_id}
    keys = dict.fromkeys(exit_id.partition("/")[0] for exit_id in exits)
    return Catalog(Unlisted(key=key, is_gateway=key in providers) for key in keys)


def _exit_id(record: Record, where: str) -> str:
    if record.kind == "exit":
        return record.key
    try:
        return msgspec.json.decode(record.value or b"", type=SessionRecord).exit_id
    except msgspec.DecodeError as error:
        raise damaged(record.site, where, error) from error
