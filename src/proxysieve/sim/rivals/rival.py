"""What the player expects of anything that picks exits: our engine, a rival, a bound."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple, Protocol

from proxysieve.sim.world import SimAnswer, World


class Go(NamedTuple):
    """Send the request.

    Attributes:
        exit: Through which exit.
        ticket: Comes back with the answer.
        is_probe: Whether it is the rival's own request, which brings no page.
    """

    exit: int
    ticket: int
    is_probe: bool = False


class Later(NamedTuple):
    """Send nothing now.

    Attributes:
        until: When to ask again unless an answer comes before; None to wait for an answer.
    """

    until: float | None


class Rival(Protocol):
    """Picks an exit for each request, and learns from the answers."""

    def expect(self, site: int, waiting: int) -> None:
        """So many pages of *site* wait to be requested now."""
        ...

    def start(self, site: int, now: float) -> Go | Later:
        """What to do at *now* for a page of *site*."""
        ...

    def finish(self, site: int, ticket: int, answer: SimAnswer, now: float) -> None:
        """The request of *ticket* was answered at *now*."""
        ...

    def rest(self) -> None:
        """A run is over, and another follows. What has to last must be saved."""
        ...


class Remembering:
    """A rival that keeps its memory from run to run, and takes one page after the other."""

    def expect(self, site: int, waiting: int) -> None:
        """It does not matter how many wait."""

    def rest(self) -> None:
        """Nothing has to be saved."""


# By custom, a rival knows only the list of addresses of the world. The bounds know more.
Recruit = Callable[[World, Random], Rival]
