"""A store that lasts as long as the process."""

from __future__ import annotations

from collections.abc import Collection

from proxysieve.core.records import Record
from proxysieve.errors import StoreError


class MemoryStore:
    """Keeps records in a dictionary."""

    def __init__(self) -> None:
        self._sites: dict[str, dict[tuple[str, str], Record]] = {}
        self._fence = 0

    async def claim(self, key: str, ttl_seconds: float) -> int:  # noqa: ARG002 - nobody else can be there
        self._fence += 1
        return self._fence

    async def load(self, site: str | None = None, kinds: Collection[str] = ()) -> list[Record]:
        sites = self._sites.values() if site is None else [self._sites.get(site, {})]
        return [record for kept in sites for record in kept.values() if not kinds or record.kind in kinds]

    async def save(self, records: list[Record], fence: int) -> None:
        self._check_fence(fence)
        for record in records:
            kept = self._sites.setdefault(record.site, {})
            if record.value is None:
                kept.pop((record.kind, record.key), None)
            else:
                kept[record.kind, record.key] = record

    async def forget(self, site: str, fence: int) -> None:
        self._check_fence(fence)
        self._sites.pop(site, None)

    async def close(self) -> None:
        self._sites = {}

    def _check_fence(self, fence: int) -> None:
        if fence != self._fence:
            raise StoreError("another process claimed the store meanwhile; nothing was changed")

    def __repr__(self) -> str:
        return f"<MemoryStore of {len(self._sites)} sites>"
