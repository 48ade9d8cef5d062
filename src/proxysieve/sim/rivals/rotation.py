"""Rotation without a memory: any address, or one after the other, whatever happened before."""

from __future__ import annotations

from random import Random

from proxysieve.sim.rivals.rival import Go, Remembering
from proxysieve.sim.world import SimAnswer, World


class AnyAddress(Remembering):
    """Any address for every request: proxy.py, and most home-made rotation."""

    def __init__(self, world: World, rng: Random) -> None:
        self._addresses = world.exits.addresses
        self._rng = rng

    def start(self, site: int, now: float) -> Go:  # noqa: ARG002 - neither matters to it
        place = int(self._rng.random() * len(self._addresses))
        return Go(self._addresses[place], place)

    def finish(self, site: int, ticket: int, answer: SimAnswer, now: float) -> None:
        """Learn nothing."""


class InTurn(AnyAddress):
    """One address after the other."""

    def __init__(self, world: World, rng: Random) -> None:
        super().__init__(world, rng)
        self._next = 0

    def start(self, site: int, now: float) -> Go:  # noqa: ARG002 - neither matters to it
        place = self._next
        self._next = (place + 1) % len(self._addresses)
        return Go(self._addresses[place], place)
