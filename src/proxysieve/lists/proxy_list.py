"""The proxies of all sources together, each once, and their changes while a pool is open.

Reading and comparing is done in threads of its own, as a list may have a million lines; what changed is taken over in
the event loop, piece by piece. Those who join come first, so that there is no moment without proxies.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from os import PathLike
from typing import NamedTuple

from proxysieve.clock import Clock
from proxysieve.core.list_formats.address import is_blank, parse_proxy
from proxysieve.core.list_formats.listing import Line, Listing
from proxysieve.core.list_formats.problems import MOST_PROBLEMS, Problems
from proxysieve.core.model import Proxy
from proxysieve.core.proxies.providers import fill_in
from proxysieve.errors import ConfigError
from proxysieve.lists.providers import usual_providers
from proxysieve.lists.sources import FixedLines, Source, StandardInput, source_at
from proxysieve.text_file import STANDARD_INPUT

# The number of a line or an entry.
NUMBER = re.compile(r", (?:line|entry) \d+:")

log = logging.getLogger("proxysieve")


class SourceContents(NamedTuple):
    """The contents of a source."""

    proxies: dict[str, Proxy]
    problems: list[str]


class Change(NamedTuple):
    """How a list changed.

    Attributes:
        left: The proxies that left, as they were.
        changed: The same proxies with other options, as they are now.
    """

    joined: list[Proxy]
    left: list[Proxy]
    changed: list[Proxy]

    def __str__(self) -> str:
        changed = f", {len(self.changed):,} have other options" if self.changed else ""
        return f"{len(self.joined):,} proxies joined, {len(self.left):,} left{changed}"


class ProxyList:
    """The proxies of several sources, for one pool.

    Args:
        sources: Each the path of a file with one proxy on each line, ``-`` for the standard input, or the http(s)
            address of such a list.
        lines: More proxies: lines as in a file, or values.

    Attributes:
        proxies: Each once, as the first source that has it says; empty until it was read.

    Raises:
        ConfigError: The standard input is named twice, or an address is not valid.
    """

    def __init__(self, *sources: str | PathLike[str], lines: Iterable[Line] = ()) -> None:
        if sources.count(STANDARD_INPUT) > 1:
            raise ConfigError("the standard input can be read only once: name it once")
        self._sources = [source_at(one) for one in sources]
        has_lines = not isinstance(lines, Sequence) or len(lines) > 0
        if has_lines or not sources:
            self._sources.append(FixedLines(lines))
        self._readings: dict[Source, SourceContents] = {}
        # What was reported about the lines of each source, and about the source itself.
        self._reported: dict[Source, Counter[str]] = {}
        self._last_warnings: dict[Source, str] = {}
        self.proxies: list[Proxy] = []

    @property
    def takes_standard_input(self) -> bool:
        """Whether one of the sources is the standard input."""
        return any(isinstance(source, StandardInput) for source in self._sources)

    @property
    def is_read(self) -> bool:
        """Whether :attr:`proxies` are known."""
        return bool(self._readings)

    def read(self) -> list[str]:
        """Read all sources. Returns what is wrong with the skipped lines. This may take a while: call it in a thread.

        Raises:
            ConfigError: A source cannot be read, or none has a usable proxy.
        """
        readings = {source: read_lines(source.read(), source.name) for source in self._sources}
        problems = [problem for reading in readings.values() for problem in reading.problems]
        proxies, conflicts = _merge(readings.items())
        if not proxies:
            names = " and ".join(dict.fromkeys(source.name for source in self._sources))
            raise ConfigError(problems[0] if problems else f"{names} has no proxies: expected one on each line")
        self._readings, self.proxies = readings, list(proxies.values())
        for source, reading in readings.items():
            self._reported[source] = Counter(map(_unnumbered, reading.problems))
        return problems + conflicts

    async def watch(self, clock: Clock, is_over: asyncio.Event, take: Callable[[Change], Awaitable[None]]) -> None:
        """Look at the sources now and then until *is_over*. *take* gets the changes, one after the other."""
        taking = asyncio.Lock()
        async with asyncio.TaskGroup() as group:
            for source in self._sources:
                if source.seconds:
                    group.create_task(self._watch(source, clock, is_over, take, taking))

    async def _watch(
        self,
        source: Source,
        clock: Clock,
        is_over: asyncio.Event,
        take: Callable[[Change], Awaitable[None]],
        taking: asyncio.Lock,
    ) -> None:
        while True:
            await clock.wait(is_over, clock.now() + source.seconds)
            if is_over.is_set():
                return
            try:
                reading = await self._look(source)
                if reading is not None:
                    async with taking:
                        await self._take(source, reading, take)
            except Exception as error:  # noqa: BLE001 - after an error of ours, a pool still has to read its list again
                self._warn(source, f"{source.name}: unexpected {type(error).__name__}; its proxies stay as they were")

    async def _take(self, source: Source, reading: SourceContents, take: Callable[[Change], Awaitable[None]]) -> None:
        change = await asyncio.to_thread(self._compare, source, reading)
        if any(change):
            await take(change)
            log.info("%s: %s; there are %d now", source.name, change, len(self.proxies))

    async def _look(self, source: Source) -> SourceContents | None:
        """The usable contents of *source*, if they may have changed. Each problem is reported once."""
        try:
            listing = await source.look()
        except ConfigError as error:
            self._warn(source, f"{error}; its proxies stay as they were")
            return None
        if listing is None:
            return None
        reading = await asyncio.to_thread(read_lines, listing, source.name)
        self._report_new(source, reading.problems)
        if not reading.proxies:
            self._warn(source, f"{source.name} has no proxies any more; they stay as they were")
            return None
        self._last_warnings.pop(source, None)
        return reading

    def _warn(self, source: Source, why: str) -> None:
        if self._last_warnings.get(source) != why:
            self._last_warnings[source] = why
            log.warning("%s", why)

    def _report_new(self, source: Source, problems: list[str]) -> None:
        """Report the problems that the last reading of *source* did not have."""
        told, now = self._reported[source], Counter[str]()
        for problem in problems:
            kind = _unnumbered(problem)
            now[kind] += 1
            if now[kind] > told[kind]:
                log.warning("%s", problem)
        self._reported[source] = now

    def _compare(self, source: Source, reading: SourceContents) -> Change:
        """Take *reading* as the new contents of *source*; returns what that changes."""
        self._readings[source] = reading
        now, _ = _merge(self._readings.items())
        before = {proxy.key: proxy for proxy in self.proxies}
        self.proxies = list(now.values())
        return Change(
            joined=[proxy for key, proxy in now.items() if key not in before],
            left=[proxy for key, proxy in before.items() if key not in now],
            changed=[proxy for key, proxy in now.items() if key in before and before[key].options != proxy.options],
        )

    def __repr__(self) -> str:
        return f"<ProxyList of {', '.join(source.name for source in self._sources)}>"


Proxies = str | PathLike[str] | Iterable[str | PathLike[str] | Proxy] | ProxyList


def list_proxies(proxies: Proxies) -> ProxyList:
    """*proxies* as a list to read.

    Args:
        proxies: A path, ``-`` or an http(s) address; or lines and values (a path among them must be a ``Path``); or a
            :class:`ProxyList`.
    """
    if isinstance(proxies, ProxyList):
        return proxies
    if isinstance(proxies, str | PathLike):
        return ProxyList(proxies)
    if not isinstance(proxies, Sequence):
        proxies = list(proxies)
    paths = [one for one in proxies if isinstance(one, PathLike)]
    return ProxyList(*paths, lines=[one for one in proxies if isinstance(one, str | Proxy)])


def read_proxies(proxies: Proxies) -> tuple[list[Proxy], list[str]]:
    """The proxies, each once, and what is wrong with the skipped lines.

    If a proxy is there twice, the first line counts. It is a problem only if the options differ.

    Raises:
        ConfigError: A source cannot be read, or there is no usable proxy.
    """
    listed = list_proxies(proxies)
    problems = [] if listed.is_read else listed.read()
    return listed.proxies, problems


def read_lines(listing: Listing, origin: str) -> SourceContents:
    """The proxies of a list from *origin*. Blank lines and comments (``#``) are skipped."""
    proxies: dict[str, Proxy] = {}
    problems = Problems(origin, listing.unit)
    for number, line in enumerate(listing.lines, start=1):
        # Most lines begin with a letter or a digit, and need no closer look.
        if isinstance(line, str) and not line[:1].isalnum() and is_blank(line):
            continue
        try:
            proxy = _proxy(line)
        except ConfigError as error:
            problems.add(number, str(error))
            continue
        first = proxies.setdefault(proxy.key, proxy)
        conflict = _conflict(first, proxy)
        if conflict:
            problems.add(number, conflict)
    return SourceContents(proxies, [*problems.told(), *([f"{origin}: {listing.note}"] if listing.note else [])])


def _proxy(line: Line) -> Proxy:
    if isinstance(line, ConfigError):
        raise line
    proxy = line if isinstance(line, Proxy) else parse_proxy(line)
    return fill_in(proxy, usual_providers()) if proxy.is_gateway else proxy


def _conflict(first: Proxy, proxy: Proxy) -> str:
    """What is wrong with a proxy that is there twice; empty if nothing is."""
    if first is proxy or first.options == proxy.options:
        return ""
    what = "at another cost" if first.cost != proxy.cost else "with other options"
    return f"the same proxy {what}, the first one counts"


def _merge(readings: Iterable[tuple[Source, SourceContents]]) -> tuple[dict[str, Proxy], list[str]]:
    """The proxies of all sources, the first source first, and the conflicts between sources."""
    merged: dict[str, Proxy] = {}
    conflicts: list[str] = []
    for source, reading in readings:
        if not merged:
            merged = dict(reading.proxies)
            continue
        for key, proxy in reading.proxies.items():
            conflict = _conflict(merged.setdefault(key, proxy), proxy)
            if conflict and len(conflicts) < MOST_PROBLEMS:
                conflicts.append(f"{source.name}: {proxy}: {conflict}")
    return merged, conflicts


def _unnumbered(problem: str) -> str:
    """*problem* without its line number, which other lines may change."""
    found = NUMBER.search(problem)
    return f"{problem[: found.start()]}{problem[found.end() :]}" if found else problem
