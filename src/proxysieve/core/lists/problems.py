"""What is wrong with the lines of a list: as many as anybody reads are kept, and the others are counted."""

from __future__ import annotations

# What nobody reads, and would fill a log.
MOST_PROBLEMS = 1_000
PLURALS = {"line": "lines", "entry": "entries", "cookie": "cookies"}


class Problems:
    """Gathers them, for a list that comes from *origin* and consists of lines, or of other *unit*s."""

    def __init__(self, origin: str, unit: str = "line") -> None:
        self._origin, self._unit = origin, unit
        self._kept: list[str] = []
        self._count = 0

    def add(self, number: int, why: str) -> None:
        """Note *why* something is left out, by its *number*."""
        self._count += 1
        if self._count <= MOST_PROBLEMS:
            self._kept.append(f"{self._origin}, {self._unit} {number}: {why}")

    def told(self) -> list[str]:
        """All of them, a sentence each."""
        more = self._count - MOST_PROBLEMS
        return (
            [*self._kept, f"{self._origin}: {more:,} more {PLURALS[self._unit]} are left out"]
            if more > 0
            else self._kept
        )
