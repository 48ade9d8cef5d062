"""The URLs that are still to be fetched, in an order in which no site delays the others."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from itertools import islice


class UrlQueue:
    """The URLs of a job by site, in their order.

    Args:
        urls: The URLs to fetch.
        site_of: The site of a URL.
        concurrency: How many may be in progress at most.
    """

    def __init__(self, urls: Iterable[str], site_of: Callable[[str], str], concurrency: int) -> None:
        self._site_of = site_of
        self._concurrency = concurrency
        self._waiting: dict[str, deque[str]] = {}
        self._stalled: dict[str, deque[str]] = {}
        self._under_way: Counter[str] = Counter()
        for url in urls:
            self._waiting.setdefault(site_of(url), deque()).append(url)

    def take(self) -> str | None:
        """The next URL, of a site with the fewest URLs in progress; None if there is none."""
        # There is no need to look further: of one more site than URLs in progress, one has none.
        sites = islice(self._waiting, self._concurrency + 1)
        site = min(sites, key=self._under_way.__getitem__, default=None)
        if site is None:
            return None
        urls = self._waiting[site]
        url = urls.popleft()
        if not urls:
            del self._waiting[site]
        self._under_way[site] += 1
        return url

    def finish(self, url: str) -> None:
        """*url* is done."""
        self._under_way[self._site_of(url)] -= 1

    def put_off(self, url: str) -> None:
        """*url* is not in progress any more. It comes after the other URLs of its site."""
        self.finish(url)
        site = self._site_of(url)
        # Unless the site stalled meanwhile.
        home = self._stalled if site in self._stalled else self._waiting
        home.setdefault(site, deque()).append(url)

    def put_back(self, url: str) -> None:
        """*url* is not done, and its site stalls: it is left alone in this run."""
        self.finish(url)
        site = self._site_of(url)
        waiting = self._waiting.pop(site, deque())
        self._stalled.setdefault(site, waiting).appendleft(url)

    def take_up(self) -> bool:
        """Use the stalled sites again; returns whether there were any."""
        stalled, self._stalled = self._stalled, {}
        for site, urls in stalled.items():
            urls.extend(self._waiting.pop(site, ()))
            self._waiting[site] = urls
        return bool(stalled)

    def pending(self) -> dict[str, int]:
        """How many URLs are left, by site, without those in progress."""
        return {site: len(urls) for urls_of in (self._waiting, self._stalled) for site, urls in urls_of.items()}
