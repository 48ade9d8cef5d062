"""The sessions of scrapy-zyte-api: a queue of eight for each site, used in rotation.

A session begins with a request of its own, which brings no page. Eight failed beginnings in a row end the crawl. One
error discards a session and begins another. There is no delay between uses. Beginning a session takes one of the
crawl's slots.
"""

from __future__ import annotations

from collections import deque
from random import Random

from proxysieve.core.model import Outcome
from proxysieve.sim.rivals.rival import Go, Later, Remembering
from proxysieve.sim.world import SimAnswer, World

POOL_SIZE = 8
MAX_BAD_INITS = 8
WAIT_SECONDS = 1.0


class SessionQueue:
    """The sessions of one site, by their numbers."""

    def __init__(self) -> None:
        self.ready: deque[int] = deque()
        self.live: set[int] = set()
        self.beginning: set[int] = set()
        self.missing_count = POOL_SIZE
        self.bad_count = 0

    def next(self) -> int | None:
        """The next session. Discarded ones are skipped."""
        while self.ready:
            session = self.ready.popleft()
            if session in self.live:
                self.ready.append(session)
                return session
        return None

    def begun(self, session: int, *, is_good: bool) -> None:
        """The first request of *session* came back."""
        self.beginning.discard(session)
        if is_good:
            self.bad_count = 0
            self.live.add(session)
            self.ready.append(session)
        else:
            self.bad_count += 1
            self.missing_count += 1

    def discard(self, session: int) -> None:
        """Replace *session*, only once even if several of its requests fail."""
        if session in self.live:
            self.live.remove(session)
            self.missing_count += 1


class Zyte(Remembering):
    """Each session has an address of its own, drawn at random, as by its provider."""

    def __init__(self, world: World, rng: Random) -> None:
        self._addresses = world.exits.addresses
        self._rng = rng
        self._queues = [SessionQueue() for _ in world.sites]
        self._exits: list[int] = []

    def start(self, site: int, now: float) -> Go | Later:
        if any(queue.bad_count >= MAX_BAD_INITS for queue in self._queues):
            return Later(None)
        queue = self._queues[site]
        if queue.missing_count:
            queue.missing_count -= 1
            session = self._new()
            queue.beginning.add(session)
            return Go(self._exits[session], session, is_probe=True)
        turn = queue.next()
        return Later(now + WAIT_SECONDS) if turn is None else Go(self._exits[turn], turn)

    def finish(self, site: int, ticket: int, answer: SimAnswer, now: float) -> None:  # noqa: ARG002 - it ignores time
        queue, is_good = self._queues[site], answer.outcome is Outcome.OK
        if ticket in queue.beginning:
            queue.begun(ticket, is_good=is_good)
        elif not is_good:
            queue.discard(ticket)

    def _new(self) -> int:
        self._exits.append(self._addresses[int(self._rng.random() * len(self._addresses))])
        return len(self._exits) - 1
