"""Collects what is wrong with the lines of a list. It keeps as many problems as people read, and counts the others."""

from __future__ import annotations

# Nobody reads more, and they would fill a log.
MOST_PROBLEMS = 1_000
PLURALS = {"line": "lines", "entry": "entries", "cookie": "cookies"}


class Problems:
    """The problems of a list from *origin*. Its parts are lines, or another *unit*."""

    def __init__(self, origin: str, unit: str = "line") -> None:
        self._origin, self._unit = origin, unit
        self._kept: list[str] = []
        self._count = 0

    def add(self, number: int, why: str) -> None:
        """Note *why* the part with this *number* is left out."""
        self._count += 1
        if self._count <= MOST_PROBLEMS:
            self._kept.append(f"{self._origin}, {self._unit} {number}: {why}")

    def told(self) -> list[str]:
        """All problems, a sentence for each."""
        more = self._count - MOST_PROBLEMS
        return (
            [*self._kept, f"{self._origin}: {more:,} more {PLURALS[self._unit]} are left out"]
            if more > 0
            else self._kept
        )
