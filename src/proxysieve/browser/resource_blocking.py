"""Leaves out pictures, films and fonts, which are large and say little, and tells how many bytes that saved.

What is not loaded cannot be weighed. So now and then a page is loaded whole. What is left out of the others is taken to
weigh as much, kind by kind.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Coroutine
from typing import Any

from playwright.async_api import CDPSession, Error, Page
from playwright.async_api import Request as PageRequest

from proxysieve.browser.holding import GoOn, hold_up
from proxysieve.browser.options import ResourceKind

# One page of so many is loaded whole.
WHOLE_ONE_OF = 50
# And so many of a site's first pages until something is weighed: robots.txt and blocks may be among them.
WHOLE_AT_FIRST = 5
# As Chromium calls them.
KINDS: dict[ResourceKind, str] = {"image": "Image", "media": "Media", "font": "Font"}


class LeftOut:
    """What was left out of pages, and what it is taken to weigh."""

    def __init__(self, kinds: Collection[ResourceKind]) -> None:
        self._kinds = frozenset(kinds)
        self._pages: Counter[str] = Counter()
        self._count: Counter[tuple[str, str]] = Counter()
        self._weighed: Counter[tuple[str, str]] = Counter()
        self._bytes: Counter[tuple[str, str]] = Counter()
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def count(self) -> int:
        """How many requests were not made."""
        return self._count.total()

    @property
    def saved_bytes(self) -> int:
        """What they would have weighed, as far as anything of their kind was loaded."""
        return round(sum(count * self._mean(site, kind) for (site, kind), count in self._count.items()))

    async def attend(self, page: Page, commands: CDPSession, site: str) -> None:
        """Leave out of *page*, before it goes to *site*, what is to be left out; or weigh it."""
        if not self._kinds:
            return
        self._pages[site] += 1
        if self._is_to_be_weighed(site):
            page.on("requestfinished", lambda request: self._start(self._weigh(site, request)))
            return

        def leave_out(paused: dict[str, Any]) -> GoOn:
            self._count[site, paused["resourceType"].lower()] += 1
            return "Fetch.failRequest", {"errorReason": "BlockedByClient"}

        patterns = [{"resourceType": KINDS[kind]} for kind in sorted(self._kinds)]
        await hold_up(page, *patterns, decide=leave_out, commands=commands)

    def _is_to_be_weighed(self, site: str) -> bool:
        is_weighed = any(self._weighed[site, kind] for kind in self._kinds)
        return self._pages[site] % WHOLE_ONE_OF == 0 if is_weighed else self._pages[site] <= WHOLE_AT_FIRST

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _weigh(self, site: str, request: PageRequest) -> None:
        kind = request.resource_type
        if kind not in self._kinds:
            return
        try:
            sizes = await request.sizes()
        except Error:
            return  # the page is gone
        self._weighed[site, kind] += 1
        self._bytes[site, kind] += sizes["responseBodySize"] + sizes["responseHeadersSize"]

    def _mean(self, site: str, kind: str) -> float:
        weighed = self._weighed[site, kind]
        if weighed:
            return self._bytes[site, kind] / weighed
        everywhere = sum(count for (_, one), count in self._weighed.items() if one == kind)
        total = sum(count for (_, one), count in self._bytes.items() if one == kind)
        return total / everywhere if everywhere else 0.0
