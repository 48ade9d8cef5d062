"""What is wrong with the lines of a list: as many as anybody reads are kept, and the others are counted."""

from __future__ import annotations

# What nobody reads, and would fill a log.
MOST_PROBLEMS = 1_000


class Problems:
    """Gathers them, for a list that comes from *origin*."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self._kept: list[str] = []
        self._count = 0

    def add(self, number: int, why: str, unit: str = "line") -> None:
        """Note *why* something is left out, by its *number*."""
        self._count += 1
        if self._count <= MOST_PROBLEMS:
            self._kept.append(f"{self.origin}, {unit} {number}: {why}")

    def told(self, unit: str = "line") -> list[str]:
        """All of them, a sentence each."""
        more = self._count - MOST_PROBLEMS
        return [*self._kept, f"{self.origin}: {more:,} more {_plural(unit)} are left out"] if more > 0 else self._kept


def _plural(unit: str) -> str:
    return f"{unit[:-1]}ies" if unit.endswith("y") else f"{unit}s"
