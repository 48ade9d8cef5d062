"""Requests that wait for a lease: in which order, and how long."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple


class Waiters:
    """Requests that wait for any session, or for one that has a name.

    Attributes:
        hopeless_since: Since when only time can help them; None while something else may.
    """

    def __init__(self) -> None:
        # Each is set once its request is at the head.
        self._places: deque[asyncio.Event] = deque()
        self.hopeless_since: float | None = None

    @property
    def count(self) -> int:
        """How many they are, the one at the head included."""
        return len(self._places)

    def enter(self) -> asyncio.Event:
        """A place at the end, to be left again."""
        place = asyncio.Event()
        self._places.append(place)
        self._call_head()
        return place

    def leave(self, place: asyncio.Event) -> None:
        """The request at *place* has its lease, or waits no more."""
        self._places.remove(place)
        self._call_head()

    def _call_head(self) -> None:
        if self._places:
            self._places[0].set()


class Patience(NamedTuple):
    """How long a request waits for a lease.

    Attributes:
        asked_at: Since when, in Unix seconds.
        max_wait_seconds: How long while nothing but time can help.
        until: When it ends, whatever is waited for.
    """

    asked_at: float
    max_wait_seconds: float
    until: float | None

    def ends_before(self, at: float | None) -> bool:
        """Whether it has ended at *at*."""
        return at is not None and self.until is not None and at >= self.until

    def first(self, due_at: float | None) -> float | None:
        """What comes first: its end, or *due_at*."""
        return min((at for at in (due_at, self.until) if at is not None), default=None)
