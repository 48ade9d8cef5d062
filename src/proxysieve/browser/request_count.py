"""Counts what the pages of a session ask of its site, as the cap is one on all that a site is asked for.

It is counted and not held up: only routes could hold it up, which no browser of people has. So the next page waits
until the count is made up for. The context counts, as no page hears the first answer of a window that it opens; and it
counts answers, as what was left out never gets one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from playwright.async_api import BrowserContext, Error, Page
from playwright.async_api import Response as PageResponse

from proxysieve.site_of import site_of, site_or_none

# What is asked for once, and then taken from the browser's cache.
CACHED = frozenset({"script", "stylesheet", "image", "media", "font", "manifest"})


class RequestCount:
    """What a page asks for while it loads, beside the request itself, of which a lease tells."""

    def __init__(self) -> None:
        self._count = -1

    def add(self) -> None:
        """One more."""
        self._count += 1

    def take(self, most: int | None = None) -> int:
        """How many there were since this was asked last, or *most* of them; they are the caller's to tell."""
        count = max(0, self._count if most is None else min(self._count, most))
        self._count -= count
        return count


class Counting:
    """What the pages of one session ask of its site, as the network sees it.

    While a page loads, the caller tells the count with its answer. At any other time requests are told at once: those
    of clicks and scripts, of windows that a page opens, and of pages that nobody loads.

    Args:
        tell: Is told how many requests more went to the site.
    """

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell = tell
        self._sites: set[str] = set()
        self._loads: dict[Page, RequestCount] = {}

    def attend(self, context: BrowserContext) -> None:
        """Count what the pages of *context* ask for from here on."""
        # A page would not tell of the document that a window began with.
        context.on("response", partial(self._count, set()))

    @contextmanager
    def loading(self, page: Page, url: str) -> Iterator[RequestCount]:
        """While *page* loads *url*, count apart. What the caller does not take is told in the end."""
        self._sites.add(site_of(url))
        count = self._loads[page] = RequestCount()
        try:
            yield count
        finally:
            del self._loads[page]
            if left := count.take():
                self._tell(left)

    def _count(self, cached: set[str], response: PageResponse) -> None:
        """Count what was asked for; what was left out, or lay in the cache, the site has not seen."""
        if not self._is_from_site(cached, response):
            return
        page = page_of(response)
        count = self._loads.get(page) if page is not None else None
        if count is not None:
            count.add()
        else:
            self._tell(1)

    def _is_from_site(self, cached: set[str], response: PageResponse) -> bool:
        url, kind = response.url, response.request.resource_type
        may_be_cached = kind in CACHED and "no-store" not in response.headers.get("cache-control", "")
        is_known = may_be_cached and url in cached
        if may_be_cached:
            cached.add(url)
        return not is_known and site_or_none(url) in self._sites


def page_of(response: PageResponse) -> Page | None:
    """The page that asked for *response*; None where there is none yet, as for the first document of a window."""
    with suppress(Error):
        return response.frame.page
    return None
