"""The original of the classic policy: Apify's ``pickSession`` of 2019, without changes.

Only chance decides between a stored session and a new one. A new one gets any exit, also one that is in use or was
refused. Success stores a session, even twice; any other answer deletes it.
"""

from __future__ import annotations

from random import Random

from proxysieve.core.model import Outcome
from proxysieve.sim.rivals.rival import Go, Remembering
from proxysieve.sim.world import SimAnswer, World

MAX_SESSIONS = 100


class Store:
    """The sessions that worked at one site. Any of them can be drawn."""

    def __init__(self) -> None:
        self._sessions: list[int] = []
        self._places: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def draw(self, rng: Random) -> int:
        """Any session."""
        return self._sessions[int(rng.random() * len(self._sessions))]

    def put(self, session: int) -> None:
        """Store *session*; storing it twice is harmless."""
        if session not in self._places:
            self._places[session] = len(self._sessions)
            self._sessions.append(session)

    def delete(self, session: int) -> None:
        """Delete *session*, if it is there."""
        place = self._places.pop(session, None)
        if place is None:
            return
        last = self._sessions.pop()
        if last != session:
            self._sessions[place] = last
            self._places[last] = place


class Apify2019(Remembering):
    """Uses one of n stored sessions with the chance n/100, else a new one on any address."""

    def __init__(self, world: World, rng: Random) -> None:
        self._addresses = world.exits.addresses
        self._rng = rng
        self._stores = [Store() for _ in world.sites]
        self._exits: list[int] = []

    def start(self, site: int, now: float) -> Go:  # noqa: ARG002 - it ignores time
        store, rng = self._stores[site], self._rng
        if len(store) / MAX_SESSIONS > rng.random():
            session = store.draw(rng)
        else:
            session = len(self._exits)
            self._exits.append(self._addresses[int(rng.random() * len(self._addresses))])
        return Go(self._exits[session], session)

    def finish(self, site: int, ticket: int, answer: SimAnswer, now: float) -> None:  # noqa: ARG002 - likewise
        if answer.outcome is Outcome.OK:
            self._stores[site].put(ticket)
        else:
            self._stores[site].delete(ticket)
