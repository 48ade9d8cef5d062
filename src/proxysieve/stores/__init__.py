"""KEEPS records and claims, by four methods."""

from __future__ import annotations

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
        """The right to write under *key* for a while, as a fencing number: higher than any given before."""
        ...

    async def load(self, site: str) -> list[Record]:
        """All that is kept of *site*."""
        ...

    async def save(self, records: list[Record], fence: int) -> None:
        """Keep *records*, all or none of them; refused when a higher number than *fence* was given since."""
        ...

    async def close(self) -> None:
        """Let go of everything; what was saved stays."""
        ...


def open_store(where: str | PathLike[str]) -> Store:
    """The store at *where*: a directory (SQLite, made if missing) or ``memory:``.

    Raises:
        ConfigError: There is no such kind of store.
    """
    place = fspath(where)
    if place == "memory:":
        return MemoryStore()
    if "://" in place:
        raise ConfigError(f"no such kind of store: {place!r}: expected the path of a directory, or 'memory:'")
    return SqliteStore(place)


def samples_directory(store: Store) -> Path | None:
    """Where pages may be put beside what *store* keeps; None if it is not on a disk."""
    return store.directory / "samples" if isinstance(store, SqliteStore) else None
