"""Keeps a Chromium running: one that crashed, hangs or has grown old is replaced, and the work goes on."""

from __future__ import annotations

import asyncio
import logging

from playwright.async_api import BrowserType

from proxysieve.browser.chromium import Chromium, start
from proxysieve.browser.options import BrowserOptions
from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.errors import ConfigError, ProxySieveError

log = logging.getLogger("proxysieve")

# When another start is tried of a browser that is to take over.
RESTART_SECONDS = (1.0, 5.0)


class Running:
    """The Chromium that new contexts are opened in, and older ones as long as contexts are open in them."""

    def __init__(self, kind: BrowserType, options: BrowserOptions) -> None:
        self._kind = kind
        self._options = options
        self._current: Chromium | None = None
        self._old: set[Chromium] = set()
        self._starting = asyncio.Lock()
        self._user_agent = ""
        self._is_closed = False

    @property
    def fingerprint(self) -> Fingerprint:
        """The fingerprints that sessions can have."""
        if self._current is None:
            raise ProxySieveError("the browser is not open: use it in async with")
        return self._current.fingerprint

    async def take(self) -> Chromium:
        """A Chromium for one more context, to be given back; started now if there is none.

        Raises:
            ConfigError: It does not start.
        """
        async with self._starting:
            if self._is_closed:
                raise ProxySieveError("the browser is closed")
            current = self._current
            if current is not None and not current.is_alive:
                log.warning("the browser ended by itself; another one is started")
            if current is None or not current.is_alive or self.is_old(current):
                await self._replace()
            assert self._current is not None, "a Chromium was started"  # noqa: S101
            self._current.context_count += 1
            return self._current

    def is_old(self, chromium: Chromium) -> bool:
        """Whether *chromium* should have no more contexts."""
        return chromium in self._old or chromium.page_count >= self._options.pages_a_browser

    async def give_back(self, chromium: Chromium) -> None:
        """A context of *chromium* is closed."""
        chromium.context_count -= 1
        if chromium in self._old and not chromium.context_count:
            self._old.discard(chromium)
            await chromium.close()

    async def close(self) -> None:
        """End all of them."""
        self._is_closed = True
        async with self._starting:
            remaining = [*self._old, *([self._current] if self._current else [])]
            self._old.clear()
            for chromium in remaining:
                await chromium.close()

    async def _start(self) -> Chromium:
        for seconds in RESTART_SECONDS:
            try:
                return await start(self._kind, self._options, self._user_agent)
            except ConfigError as error:
                if self._current is None:
                    raise
                # One has run before, so this machine may only have too much to do.
                log.warning("%s; it is tried again in %g s", error, seconds)
            await asyncio.sleep(seconds)
        return await start(self._kind, self._options, self._user_agent)

    async def _replace(self) -> None:
        new = await self._start()
        self._user_agent = new.fingerprint.user_agent
        old, self._current = self._current, new
        if old is None:
            return
        if old.context_count and old.is_alive:
            self._old.add(old)
        else:
            await old.close()
