"""What the sites ask robots to leave alone (RFC 9309)."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from proxysieve.core.model import Outcome, Tried
from proxysieve.core.rules import Rules, read_rules
from proxysieve.errors import GaveUp, NoSessionAvailable
from proxysieve.pool import SessionPool
from proxysieve.sites import site_of

# A refusal may be meant for the exit, or it may be how a server says that there is no such file. So many exits are
# asked before the second is believed: where three in four are banned, all of them are once in 5,000 times.
REFUSALS_BELIEVED = 30
REFUSALS = range(400, 429)
# Where few work, many are tried until one of them does. The pool knows when that is hopeless, but not while other
# origins of the site go on working.
MOST_TRIES = 990


class Robots:
    """Tells whether a page may be fetched, reading each origin's robots.txt once a run, through the pool."""

    def __init__(self, pool: SessionPool) -> None:
        self._pool = pool
        self._rules: dict[str, asyncio.Task[Rules]] = {}

    async def allows(self, url: str) -> bool:
        """Whether *url* may be fetched.

        Raises:
            NoSessionAvailable: The rules cannot be read, so nothing may be fetched now (RFC 9309, 2.3.1.4).
        """
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._rules:
            self._rules[origin] = asyncio.create_task(self._read(f"{origin}/robots.txt"))
        reading = self._rules[origin]
        try:
            rules = await asyncio.shield(reading)
        except NoSessionAvailable as error:
            if error.is_overdue and self._rules.get(origin) is reading:
                # Nothing was asked yet, so whoever comes next may.
                del self._rules[origin]
            raise
        return rules.allow(url)

    def close(self) -> None:
        """Stop reading rules that nobody waits for any more."""
        for task in self._rules.values():
            task.cancel()

    async def _read(self, url: str) -> Rules:
        try_count = refusal_count = 0
        while True:
            try:
                page = await self._pool.get(url, max_tries=REFUSALS_BELIEVED)
            except GaveUp as error:
                refused = sum(map(_is_refusal, error.attempts))
                try_count, refusal_count = try_count + len(error.attempts), refusal_count + refused
                if refusal_count >= REFUSALS_BELIEVED or refused == len(error.attempts):
                    return NO_RULES
                if try_count >= MOST_TRIES or len(error.attempts) < REFUSALS_BELIEVED:
                    why = f"its robots.txt cannot be read ({error.attempts[-1].why}); --no-robots goes on without"
                    raise NoSessionAvailable(site_of(url), why, retry_at=None) from error
            else:
                # No such file means that nothing is asked.
                return read_rules(page.body) if page.status < 400 else NO_RULES


def _is_refusal(tried: Tried) -> bool:
    return tried.status in REFUSALS and tried.verdict is not Outcome.PROXY_ERROR


NO_RULES = read_rules(b"")
