"""Which addresses are banned when: exits and networks banned from the start, and limits over sliding windows.

A window keeps the times of the requests that count, one more than the limit allows, because older ones decide nothing.
A request too many brings or renews a ban, or is throttled. A ban ends when its time has passed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from proxysieve.testbed.world import Limit, network_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """The site's decision about one request.

    Attributes:
        answer: Whether the request is served.
        wait_seconds: How long it would be refused from now on; infinite for a permanent ban.
    """

    answer: Literal["ok", "blocked", "throttled"]
    wait_seconds: float = 0.0


SERVED = Ruling(answer="ok")
BANNED_FOR_GOOD = Ruling(answer="blocked", wait_seconds=math.inf)


class Bans:
    """The addresses that the site bans."""

    def __init__(self, *, limit: Limit | None = None, banned: Collection[str] = ()) -> None:
        self._limit = limit
        self._banned = frozenset(banned)
        self._windows: dict[str, deque[float]] = {}
        self._banned_until: dict[str, float] = {}

    def judge(self, address: str, now: float) -> Ruling:
        """Count a request from *address* and decide about it."""
        if address in self._banned:
            return BANNED_FOR_GOOD
        if self._limit is None:
            return SERVED
        window = self._window(address, self._limit, now)
        if self._limit.style == "throttle":
            return _throttle(window, self._limit, now)
        return self._ban(self._key(address), window, self._limit, now)

    def is_banned(self, address: str, now: float) -> bool:
        """Whether *address* would be refused at *now* for a ban."""
        return address in self._banned or now < self._banned_until.get(self._key(address), -math.inf)

    def was_burned(self, address: str) -> bool:
        """Whether the limit has ever brought a ban on *address*."""
        return self._key(address) in self._banned_until

    def _key(self, address: str) -> str:
        by_network = self._limit is not None and self._limit.scope == "network"
        return network_of(address) if by_network else address

    def _window(self, address: str, limit: Limit, now: float) -> deque[float]:
        window = self._windows.setdefault(self._key(address), deque(maxlen=limit.requests + 1))
        while window and now - window[0] >= limit.window_seconds:
            window.popleft()
        return window

    def _ban(self, key: str, window: deque[float], limit: Limit, now: float) -> Ruling:
        is_banned = now < self._banned_until.get(key, -math.inf)
        if not is_banned or limit.blocked_count:
            window.append(now)
            if len(window) > limit.requests:
                self._banned_until[key] = now + limit.ban_seconds
                is_banned = True
        if not is_banned:
            return SERVED
        return Ruling(answer="blocked", wait_seconds=self._banned_until[key] - now)


def _throttle(window: deque[float], limit: Limit, now: float) -> Ruling:
    is_full = len(window) >= limit.requests
    if not is_full or limit.blocked_count:
        window.append(now)
    if not is_full:
        return SERVED
    return Ruling(answer="throttled", wait_seconds=window[-limit.requests] + limit.window_seconds - now)
