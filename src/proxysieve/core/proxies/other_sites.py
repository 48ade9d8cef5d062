"""What sites tell each other of exits: who works at one is likelier to work at another behind the same vendor."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from proxysieve.core.proxies.random_set import RandomSet


class OtherSites:
    """At how many sites each exit works and is blocked; shared by all sites, like the catalog.

    Attributes:
        good: The exits that work at more sites than they are blocked at.
    """

    def __init__(self) -> None:
        self._balance: dict[str, int] = {}
        self.good: RandomSet[str] = RandomSet()

    def tell(self, exit_id: str, *, works: bool) -> None:
        """An exit was found to work at a site, or not to."""
        balance = self._balance.get(exit_id, 0) + (1 if works else -1)
        self._balance[exit_id] = balance
        if balance > 0:
            self.good.add(exit_id)
        else:
            self.good.discard(exit_id)

    def part(self, exit_ids: Iterable[str]) -> None:
        """These have left: nobody may draw them, but what is known of them is kept."""
        for exit_id in exit_ids:
            self.good.discard(exit_id)

    def welcome(self, exit_ids: Iterable[str]) -> None:
        """These have come, or come back."""
        for exit_id in exit_ids:
            if self._balance.get(exit_id, 0) > 0:
                self.good.add(exit_id)

    def is_bad(self, exit_id: str) -> bool:
        """Whether the exit is blocked at more sites than it works at."""
        return self._balance.get(exit_id, 0) < 0

    def draw_good(self, rng: Random) -> str:
        """An exit that works elsewhere, all equally likely; empty if there is none."""
        return self.good.draw(rng) if self.good else ""


class Agreement:
    """How often other sites were right about exits at one site.

    Attributes:
        ok: How many exits worked that work elsewhere.
        bad: How many did not.
    """

    # One site may tell much of another, or nothing: we begin with a half, with the weight of so many exits.
    WEIGHT = 2.0

    def __init__(self, claimed: float) -> None:
        self._claimed = claimed
        self.ok = self.bad = 0

    def chance(self, usual: float) -> float:
        """How likely an exit is to work that works elsewhere, where *usual* is how likely any is."""
        prior = (self._claimed + usual) / 2
        return (self.ok + self.WEIGHT * prior) / (self.ok + self.bad + self.WEIGHT)

    def count(self, *, works: bool) -> None:
        """Such an exit does, or does not, work here."""
        self.ok += works
        self.bad += not works
