"""A store that lasts as long as the process."""

from __future__ import annotations

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

    async def load(self, site: str) -> list[Record]:
        return list(self._sites.get(site, {}).values())

    async def save(self, records: list[Record], fence: int) -> None:
        if fence != self._fence:
            raise StoreError("the store was claimed by somebody else meanwhile; nothing was saved")
        for record in records:
            kept = self._sites.setdefault(record.site, {})
            if record.value is None:
                kept.pop((record.kind, record.key), None)
            else:
                kept[record.kind, record.key] = record

    async def close(self) -> None:
        self._sites = {}

    def __repr__(self) -> str:
        return f"<MemoryStore of {len(self._sites)} sites>"
