"""What the sites ask robots to leave alone (RFC 9309)."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from protego import Protego

from proxysieve.errors import GaveUp
from proxysieve.pool import SessionPool

# What a site can address us by in its robots.txt; it is free to speak of all robots instead.
USER_AGENT = "proxysieve"
# The most that a reader of robots.txt must be ready to read (RFC 9309, 2.5).
READ_CHARACTERS = 512_000


class Robots:
    """Tells whether a page may be fetched, reading each origin's robots.txt once, through the pool."""

    def __init__(self, pool: SessionPool) -> None:
        self._pool = pool
        self._rules: dict[str, asyncio.Task[Protego | None]] = {}

    async def allows(self, url: str) -> bool:
        """Whether *url* may be fetched. Where the rules cannot be read, nothing may (RFC 9309, 2.3.1.4).

        Raises:
            NoSessionAvailable: There was no session to read the rules with.
        """
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._rules:
            self._rules[origin] = asyncio.create_task(self._read(f"{origin}/robots.txt"))
        rules = await asyncio.shield(self._rules[origin])
        return rules is not None and rules.can_fetch(url, USER_AGENT)

    def close(self) -> None:
        """Stop reading rules that nobody waits for any more."""
        for task in self._rules.values():
            task.cancel()

    async def _read(self, url: str) -> Protego | None:
        try:
            page = await self._pool.get(url)
        except GaveUp:
            return None
        # No such file means that nothing is asked.
        text = page.text[:READ_CHARACTERS] if page.status < 400 else ""
        return Protego.parse(text)
