"""What the player asks of whoever picks exits: our engine, a rival, a bound."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple, Protocol

from proxysieve.sim.world import Answer, World


class Go(NamedTuple):
    """Send the request.

    Attributes:
        exit: Through which exit.
        ticket: Whatever the rival wants to be told with the answer.
        is_probe: Whether it is a request of the rival's own, which brings no page.
    """

    exit: int
    ticket: int
    is_probe: bool = False


class Later(NamedTuple):
    """Nothing now.

    Attributes:
        until: When to ask again, unless an answer comes before; None: when one does.
    """

    until: float | None


class Rival(Protocol):
    """Picks an exit for each request, and learns from the answers."""

    def expect(self, site: int, waiting: int) -> None:
        """So many pages of *site* wait to be asked for now."""
        ...

    def start(self, site: int, now: float) -> Go | Later:
        """What to do for a page of *site* that is wanted at *now*."""
        ...

    def finish(self, site: int, ticket: int, answer: Answer, now: float) -> None:
        """The request of *ticket* was answered at *now*."""
        ...

    def rest(self) -> None:
        """A run is over, and another follows: what is to be known then must be put away."""
        ...


class Remembering:
    """A rival whose memory is its own from run to run, and that takes one page after the other."""

    def expect(self, site: int, waiting: int) -> None:
        """It does not matter how many wait."""

    def rest(self) -> None:
        """Nothing has to be put away."""


# All that a rival may know of the world, by custom: the list of addresses. The bounds know more.
Recruit = Callable[[World, Random], Rival]
