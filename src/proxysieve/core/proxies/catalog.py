"""The proxies that there are: configuration, shared by all sites, kept by none of them.

A site looks proxies up here instead of holding them. So a proxy costs nothing at sites that never used it, even with a
thousand sites or a million proxies. While a pool is open, each engine is told who left and who came (``part``,
``welcome``): sessions that cannot be used must not count as working.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from random import Random

from proxysieve.core.model import Proxy

# A gateway provider has names without end; this many of them stand for it.
NAMES_AT_A_GATEWAY = 100

# A cost, and a network at it; or a gateway provider, by its key.
GroupKey = tuple[float, str]


def group_key(proxy: Proxy) -> GroupKey:
    """The group that *proxy* belongs to: exits that are likely to be banned together."""
    return proxy.cost, proxy.key if proxy.is_gateway else proxy.network


class Unlisted(Proxy, frozen=True, kw_only=True, eq=False):
    """A proxy of which nothing but the key is known, as a store has it. Nothing can be sent through it."""

    scheme: str = ""
    host: str = ""
    port: int = 0

    def __post_init__(self) -> None:
        """Nothing is derived."""

    def __str__(self) -> str:
        return ""


class Catalog:
    """A changing set of proxies that can be drawn from at random, all operations in constant time.

    Sites look proxies up here instead of holding them, so a proxy that a site never used costs nothing there.

    Attributes:
        gateway_count: How many of them are gateway providers.
        limited_count: How many may carry only so many requests at once.
        groups: The proxies of each group, by their keys.
        sizes: How many there are of each cost, of gateway providers (True) and others (False).
        version: Grows with every change, or once with those of :meth:`change`.
    """

    def __init__(self, proxies: Iterable[Proxy] = ()) -> None:
        self._proxies: list[Proxy] = []
        self._index: dict[str, int] = {}
        self.gateway_count = self.limited_count = 0
        self.groups: dict[GroupKey, dict[str, Proxy]] = {}
        self.sizes: dict[float, Counter[bool]] = {}
        self.version = 0
        self._is_changing = False
        for proxy in proxies:
            self.add(proxy)

    @contextmanager
    def change(self) -> Iterator[None]:
        """Count what is done meanwhile as one change, as those who keep groups then read all of them."""
        self._is_changing = True
        try:
            yield
        finally:
            self._is_changing = False
            self.version += 1

    def add(self, proxy: Proxy) -> bool:
        """Add *proxy*; whether it was new."""
        if proxy.key in self._index:
            return False
        self._index[proxy.key] = len(self._proxies)
        self._proxies.append(proxy)
        self._join_group(proxy)
        return True

    def replace(self, proxy: Proxy) -> bool:
        """Have *proxy* in place of the one with its key, whose options may be others; whether there was one."""
        place = self._index.get(proxy.key)
        if place is None:
            return False
        self._leave_group(self._proxies[place])
        self._proxies[place] = proxy
        self._join_group(proxy)
        return True

    def remove(self, key: str) -> bool:
        """Remove the proxy known by *key*; whether it was there. The last one takes its place in the order."""
        place = self._index.pop(key, None)
        if place is None:
            return False
        self._leave_group(self._proxies[place])
        last = self._proxies.pop()
        if last.key != key:
            self._proxies[place] = last
            self._index[last.key] = place
        return True

    def _join_group(self, proxy: Proxy) -> None:
        self.gateway_count += proxy.is_gateway
        self.limited_count += proxy.max_in_flight > 0
        self.version += not self._is_changing
        self.sizes.setdefault(proxy.cost, Counter())[proxy.is_gateway] += 1
        self.groups.setdefault(group_key(proxy), {})[proxy.key] = proxy

    def _leave_group(self, proxy: Proxy) -> None:
        self.gateway_count -= proxy.is_gateway
        self.limited_count -= proxy.max_in_flight > 0
        self.version += not self._is_changing
        self.sizes[proxy.cost][proxy.is_gateway] -= 1
        if not self.sizes[proxy.cost].total():
            del self.sizes[proxy.cost]
        group = group_key(proxy)
        del self.groups[group][proxy.key]
        if not self.groups[group]:
            del self.groups[group]

    def get(self, key: str) -> Proxy | None:
        """The proxy known by *key*."""
        place = self._index.get(key)
        return None if place is None else self._proxies[place]

    def draw(self, rng: Random) -> Proxy:
        """Any proxy, all equally likely; the catalog must not be empty."""
        return self._proxies[int(rng.random() * len(self._proxies))]

    def after(self, key: str) -> Iterator[Proxy]:
        """All proxies once around, from the one behind *key* on; from the first if that is unknown."""
        start = self._index.get(key, -1) + 1
        for place in range(start, start + len(self._proxies)):
            yield self._proxies[place % len(self._proxies)]

    def __contains__(self, key: object) -> bool:
        return key in self._index

    def __iter__(self) -> Iterator[Proxy]:
        return iter(self._proxies)

    def __len__(self) -> int:
        return len(self._proxies)

    def __repr__(self) -> str:
        return f"<Catalog of {len(self)} proxies>"
