"""KEEPS records and claims, by five methods."""

from __future__ import annotations

from collections.abc import Collection
from os import PathLike, fspath
from pathlib import Path
from typing import Protocol

from proxysieve.core.records import Record
from proxysieve.errors import ConfigError
from proxysieve.stores.memory import MemoryStore
from proxysieve.stores.sqlite import SqliteStore


class Store(Protocol):
    """Keeps what is known of sites. It never judges.

    A store raises :class:`~proxysieve.errors.StoreError` and nothing else.
    """

    async def claim(self, key: str, ttl_seconds: float) -> int:
        """Get the right to write under *key* for a while: a fencing number that is higher than all before."""
        ...

    async def load(self, site: str | None = None, kinds: Collection[str] = ()) -> list[Record]:
        """Read what is kept of *site*, or of all sites; only records of these *kinds*, if there are any.

        It needs no claim, changes nothing, and works while another process writes.
        """
        ...

    async def save(self, records: list[Record], fence: int) -> None:
        """Keep all of *records*, or none if there was a later claim than *fence*."""
        ...

    async def forget(self, site: str, fence: int) -> None:
        """Delete all that is kept of *site*, so that nothing of it can be found again; *fence* as for a save."""
        ...

    async def close(self) -> None:
        """Let go of everything. What was saved on a disk stays."""
        ...


def open_store(where: str | PathLike[str] | Store) -> Store:
    """The store at *where*: a directory (SQLite makes it if it is missing), ``memory:``, or a store itself.

    Raises:
        ConfigError: There is no such kind of store.
    """
    if not isinstance(where, str | PathLike):
        return where
    place = fspath(where)
    if place == "memory:":
        return MemoryStore()
    if "://" in place:
        raise ConfigError(f"no such kind of store: {place!r}: expected the path of a directory, or 'memory:'")
    return SqliteStore(place)


def samples_directory(store: Store) -> Path | None:
    """The directory for pages beside what *store* keeps; None if it is not on a disk."""
    return store.directory / "samples" if isinstance(store, SqliteStore) else None
