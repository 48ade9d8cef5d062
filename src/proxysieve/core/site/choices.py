"""What the engine answers when a session is asked for. ``engine.py`` makes the answers; policies rank."""

from __future__ import annotations

from typing import NamedTuple

from proxysieve.core.events import Leased, SessionOpened


class Pick(NamedTuple):
    """Go ahead: apply *opened*, if there is one, and *leased*, and send the request."""

    opened: SessionOpened | None
    leased: Leased
    why: str


class Wait(NamedTuple):
    """Nothing now.

    Attributes:
        until: When to ask again, in Unix seconds, unless something changes before; None: when something does.
        why: In words.
        is_hopeless: Whether nothing but time can change it, so that a caller may want to give up.
    """

    until: float | None
    why: str
    is_hopeless: bool = False


class Lost(NamedTuple):
    """A session with a name of its own has lost its exit, for this reason."""

    why: str
