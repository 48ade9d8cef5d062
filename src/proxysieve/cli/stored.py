"""What a store on the disk keeps, for commands that look into it or move what is in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.fingerprints.offered import FINGERPRINTS
from proxysieve.core.policies.adaptive import Adaptive
from proxysieve.core.proxies.catalog import Catalog, Unlisted
from proxysieve.core.records import Record, SessionRecord, decode
from proxysieve.core.site.engine import Engine
from proxysieve.errors import ConfigError, StoreError
from proxysieve.lists.proxy_list import Proxies, read_proxies
from proxysieve.site_of import former_names, site_of
from proxysieve.stores.sqlite import SqliteStore

# What a line has room for.
SITES_SHOWN = 5


def store_at(where: str) -> SqliteStore:
    """The store in the directory *where*.

    Raises:
        ConfigError: It is no store on the disk.
    """
    if where == "memory:" or "://" in where:
        raise ConfigError(f"cannot look into {where!r}: expected the directory of a store")
    return SqliteStore(where)


def site_names(site: str) -> list[str]:
    """What a store may call *site*, which may be a URL there; what it calls a new one comes last.

    Raises:
        ConfigError: It is no URL.
    """
    name = site_of(site if "://" in site else f"http://{site}")
    return list(dict.fromkeys([*(one for one in (site, *former_names(name)) if one != name), name]))


async def read_records(where: str, site: str) -> tuple[str, list[Record]]:
    """What the store at *where* keeps of *site*, which may be a URL there, and the name that it is kept by.

    Raises:
        ConfigError: It is no store on the disk, or nothing is known of the site.
        StoreError: There is none, or it cannot be read.
    """
    store = store_at(where)
    try:
        for name in site_names(site):
            records = await store.look(name)
            if records:
                return name, records
        known = await store.sites()
    finally:
        await store.close()
    raise unknown(site, known, where)


async def load_first(store: SqliteStore, names: list[str]) -> tuple[str, list[Record]]:
    """What *store* keeps of a site under the first of *names* that it knows, or else nothing under the last."""
    for name in names:
        kept = await store.load(name)
        if kept:
            return name, kept
    return names[-1], []


def unknown(site: str, known: Sequence[str], where: str) -> ConfigError:
    """That nothing is known of *site* in the store at *where*, but of those that are *known*."""
    shown = ", ".join(known[:SITES_SHOWN]) + (f" and {len(known) - SITES_SHOWN:,} more" * (len(known) > SITES_SHOWN))
    told = f"it knows of {shown}" if known else "it is empty"
    return ConfigError(f"nothing is known of {site!r} in the store {where}: {told}")


def load(site: str, catalog: Catalog, records: list[Record], where: str) -> Engine:
    """The engine that a run would begin with.

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
    """Those whose visitors are among *records*: a run that does not open their browser has none of them."""
    sessions = (decode(record.value, SessionRecord) for record in records if record.kind == "session")
    return {session.fingerprint for session in sessions if session.fingerprint.engine}


def damaged(site: str, where: str, error: msgspec.DecodeError) -> StoreError:
    """That a record of *site* cannot be read."""
    return StoreError(f"what the store {where} keeps of {site} is damaged: {error}")


def list_of(proxies: Proxies | None) -> Catalog | None:
    """The proxies of a job's list, if there is one."""
    return None if proxies is None else Catalog(read_proxies(proxies)[0])


def stand_ins(records: Iterable[Record], where: str) -> Catalog:
    """In place of a list: all proxies that *records* are about, of which the keys alone are known.

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
