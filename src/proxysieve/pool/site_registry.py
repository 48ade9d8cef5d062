"""The queues of all sites: each is opened when it is needed, and closed when nothing happens at its site."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from proxysieve.core.records import Record
from proxysieve.core.site.status import SiteStatus
from proxysieve.errors import StoreError
from proxysieve.pool.site_queue import SiteQueue
from proxysieve.site_of import former_names
from proxysieve.stores import Store

# Beyond this, sites at which nothing happens are kept in the store alone; an open one costs about 8 KB.
OPEN_SITES = 1_000


class SiteRegistry(Mapping[str, SiteQueue]):
    """The queues that are open, by their sites.

    Args:
        store: Keeps what they learn.
        make: Makes the queue of a site from what the store kept of it.
    """

    def __init__(self, store: Store, make: Callable[[str, Sequence[Record]], SiteQueue]) -> None:
        self._store = store
        self._make = make
        self._site_registry: dict[str, SiteQueue] = {}
        self._left: dict[str, SiteStatus] = {}
        self._moved: list[Record] = []
        self._loading = asyncio.Lock()
        self._saving = asyncio.Lock()
        self._is_draining = False

    def __getitem__(self, site: str) -> SiteQueue:
        return self._site_registry[site]

    def __iter__(self) -> Iterator[str]:
        return iter(self._site_registry)

    def __len__(self) -> int:
        return len(self._site_registry)

    async def at(self, site: str) -> SiteQueue:
        """The queue of *site*.

        Raises:
            StoreError: The records of the site cannot be read.
        """
        site_queue = self._site_registry.get(site)
        if site_queue is None:
            async with self._loading:
                site_queue = self._site_registry.get(site) or await self._open(site)
        return site_queue

    async def _open(self, site: str) -> SiteQueue:
        records: list[Record] = await self._store.load(site) or await self._renamed(site)
        try:
            site_queue = self._make(site, records)
        except msgspec.DecodeError as error:
            raise StoreError(
                f"what {self._store!r} keeps of {site} is damaged ({error}): move the store away, or name another"
            ) from error
        if self._is_draining:
            site_queue.drain()
        self._site_registry[site] = site_queue
        return site_queue

    async def _renamed(self, site: str) -> list[Record]:
        """What the store keeps of *site* under the name of an earlier version. The next save renames it."""
        for name in former_names(site):
            former = await self._store.load(name)
            if former:
                records = [msgspec.structs.replace(one, site=site) for one in former]
                self._moved += [*records, *(msgspec.structs.replace(one, value=None) for one in former)]
                return records
        return []

    async def save(self, fence: int) -> None:
        """Save what was learned, under the claim with this *fence*.

        Raises:
            StoreError: It cannot be saved. It stays in memory until the next save.
        """
        async with self._saving:
            changes = [record for site_queue in self._site_registry.values() for record in site_queue.take_changes()]
            moved, self._moved = self._moved, []
            if not changes and not moved:
                return
            try:
                # The changes come last, as they are newer.
                await self._store.save([*moved, *changes], fence)
            except BaseException:
                self._moved = moved + self._moved
                for record in changes:
                    self._site_registry[record.site].keep_changed(record)
                raise

    def leave_idle(self) -> None:
        """Close queues of sites at which nothing happens, while too many are open."""
        surplus = len(self._site_registry) - OPEN_SITES
        # During a save, a queue with unsaved changes seems to have none.
        if surplus > 0 and not self._saving.locked():
            idle = [site for site, site_queue in self._site_registry.items() if site_queue.is_idle]
            for site in idle[:surplus]:
                site_queue = self._site_registry.pop(site)
                self._left[site] = site_queue.status()
                site_queue.close()

    def wake(self) -> None:
        """Have all requests that wait ask again."""
        for site_queue in self._site_registry.values():
            site_queue.wake()

    def drain(self) -> None:
        """Grant no more leases anywhere."""
        self._is_draining = True
        for site_queue in self._site_registry.values():
            site_queue.drain()

    def statuses(self) -> dict[str, SiteStatus]:
        """How many sessions and exits have each standing, at each site that was used."""
        return self._left | {site: site_queue.status() for site, site_queue in self._site_registry.items()}

    @property
    def working_count(self) -> int:
        """How many sessions work, over all sites that were used."""
        left = sum(standing.working for site, standing in self._left.items() if site not in self._site_registry)
        return left + sum(site_queue.engine.state.working.session_count for site_queue in self._site_registry.values())
