"""How many requests each proxy carries just now, over all sites: what providers' plans limit.

The sum over all sites counts, so it is shared like the catalog. A request that must wait for it waits without an end,
and the pool wakes it: the answer that makes room may come at another site.
"""

from __future__ import annotations

from collections.abc import Iterator

from proxysieve.core.model import Proxy


class Loads:
    """The requests that are out, by the key of their proxy; shared by all sites, like the catalog."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def begin(self, key: str) -> None:
        """A request goes out."""
        self._counts[key] = self._counts.get(key, 0) + 1

    def end(self, key: str) -> None:
        """It is over."""
        still = self._counts[key] - 1
        if still:
            self._counts[key] = still
        else:
            del self._counts[key]

    def of(self, key: str) -> int:
        """How many are out."""
        return self._counts.get(key, 0)

    def is_full(self, proxy: Proxy) -> bool:
        """Whether *proxy* carries all that it may."""
        return 0 < proxy.max_in_flight <= self._counts.get(proxy.key, 0)

    def __iter__(self) -> Iterator[str]:
        return iter(self._counts)
