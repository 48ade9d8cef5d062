"""The original of the classic: Apify's ``pickSession`` of 2019, to the letter.

Chance alone decides between a stored session and a new one; a new one gets any exit, also one that is known or refused;
whatever is not an answer of success deletes a session, and success stores it, even again.
"""

from __future__ import annotations

from random import Random

from proxysieve.core.model import Outcome
from proxysieve.sim.rivals.rival import Go, Remembering
from proxysieve.sim.world import Answer, World

MAX_SESSIONS = 100


class Store:
    """The sessions that worked at one site, from which any can be drawn."""

    def __init__(self) -> None:
        self._sessions: list[int] = []
        self._places: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def draw(self, rng: Random) -> int:
        """Any of them."""
        return self._sessions[int(rng.random() * len(self._sessions))]

    def put(self, session: int) -> None:
        """Store *session*; twice does no harm."""
        if session not in self._places:
            self._places[session] = len(self._sessions)
            self._sessions.append(session)

    def delete(self, session: int) -> None:
        """Delete *session*; absent does no harm."""
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

    def start(self, site: int, now: float) -> Go:  # noqa: ARG002 - it knows no time
        store, rng = self._stores[site], self._rng
        if len(store) / MAX_SESSIONS > rng.random():
            session = store.draw(rng)
        else:
            session = len(self._exits)
            self._exits.append(self._addresses[int(rng.random() * len(self._addresses))])
        return Go(self._exits[session], session)

    def finish(self, site: int, ticket: int, answer: Answer, now: float) -> None:  # noqa: ARG002 - nor this
        if answer.outcome is Outcome.OK:
            self._stores[site].put(ticket)
        else:
            self._stores[site].delete(ticket)
