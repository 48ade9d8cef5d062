"""How the adaptive policy does in the imagined worlds, beside the rivals and the bounds.

Two groups of worlds: those that the policy was made with, and those that are only for checking (OURS). Each figure is
the mean over the seeds. The best rival is the one that wastes least of those that got all pages in every seed.

  wasted    requests that brought no page, by pages: adaptive, the bounds informed and oracle, the best rival
  seconds   simulated, of adaptive; and how many times those of informed
  burned    exits that a limit or a quota has banned: adaptive's and the best rival's
  minute    requests of the busiest exit in its busiest minute: adaptive's and those of informed
  cost      of all requests by pages, where exits differ in it: adaptive's, that of informed, and the best rival's

The goals: to waste at most 1.5 times what informed wastes beyond the oracle, or to be within 0.015 of the oracle; and
to take at most 1.1 times as long as informed. All is played in virtual time, so the figures are the same anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from measure import Bench, Cell
from proxysieve.sim import Figures, Scenario, contest, shipped_scenarios
from proxysieve.sim.figures import Means, means
from proxysieve.sim.plot import plot_dots

OURS = (
    *("big", "ends-soon", "heavy-others", "hourly", "late-tight", "net-and-exit", "odd-minute", "shared-provider"),
    *("slow", "small-pool", "throttled", "tightens-soon", "two-limits", "unclear-outage"),
)
"""The worlds that the policy was not made with; the others that come with proxysieve are those it was made with."""

RIVALS = (
    *("classic", "crawlee_100", "crawlee", "crawlee_until_failure", "crawlee_python", "rotating_proxies", "zyte"),
    *("stygian", "resin", "random", "in_turn"),
)
PLAYERS = ("adaptive", *RIVALS, "informed", "oracle")
# The goals.
BEYOND_ORACLE = 1.5
NEAR_ORACLE = 0.015
OF_INFORMED_SECONDS = 1.1


class Side(NamedTuple):
    """One player in one world."""

    name: str
    mean: Means
    has_all: bool


class Row(NamedTuple):
    """One world."""

    name: str
    adaptive: Side
    informed: Side
    oracle: Side
    best_rival: Side | None
    costs_differ: bool

    @property
    def wastes_little(self) -> bool:
        """Whether the goal for waste is reached."""
        wasted, informed, oracle = (side.mean.wasted_per_page for side in (self.adaptive, self.informed, self.oracle))
        return wasted - oracle <= max(BEYOND_ORACLE * (informed - oracle), NEAR_ORACLE)

    @property
    def times_informed(self) -> float:
        """How many times the seconds of informed the adaptive takes."""
        return self.adaptive.mean.seconds / self.informed.mean.seconds

    @property
    def is_fast(self) -> bool:
        """Whether the goal for time is reached."""
        return self.times_informed <= OF_INFORMED_SECONDS


def rows_of(worlds: dict[str, Scenario], plays: Iterable[Figures]) -> list[Row]:
    """A row for each of *worlds* that the adaptive and both bounds have played."""
    played: dict[tuple[str, str], list[Figures]] = {}
    for figures in plays:
        played.setdefault((figures.scenario, figures.policy), []).append(figures)
    rows = []
    for name, world in worlds.items():
        wanted = world.pages * world.runs.count
        sides = {
            player: Side(player, means(done), all(one.pages >= wanted for one in done))
            for player in PLAYERS
            if (done := played.get((world.name, player)))
        }
        rivals = [sides[rival] for rival in RIVALS if rival in sides and sides[rival].has_all]
        if {"adaptive", "informed", "oracle"} <= sides.keys():
            rows.append(
                Row(
                    name=name,
                    adaptive=sides["adaptive"],
                    informed=sides["informed"],
                    oracle=sides["oracle"],
                    best_rival=min(rivals, key=lambda side: side.mean.wasted_per_page, default=None),
                    costs_differ=len({group.cost for group in world.exits}) > 1,
                )
            )
    return rows


def waste_cells(row: Row) -> dict[str, Cell]:
    """The world in the table of waste."""
    rival = row.best_rival
    return {
        "world": row.name,
        "adaptive": f"{row.adaptive.mean.wasted_per_page:.3f}",
        "informed": f"{row.informed.mean.wasted_per_page:.3f}",
        "oracle": f"{row.oracle.mean.wasted_per_page:.3f}",
        "best rival": f"{rival.mean.wasted_per_page:.3f} {rival.name}" if rival else "none",
    }


def other_cells(row: Row) -> dict[str, Cell]:
    """The world in the table of everything else."""
    adaptive, informed = row.adaptive.mean, row.informed.mean
    rival = row.best_rival.mean if row.best_rival else None
    costs = [f"{mean.cost_per_page:.2f}" if mean else "-" for mean in (adaptive, informed, rival)]
    return {
        "world": row.name,
        "seconds": f"{adaptive.seconds:,.0f}",
        "of informed's": f"{row.times_informed:.2f}",
        "burned": f"{adaptive.burned:,.0f} / {f'{rival.burned:,.0f}' if rival else '-'}",
        "minute": f"{adaptive.peak_per_minute:.0f} / {informed.peak_per_minute:.0f}",
        "cost": " / ".join(costs) if row.costs_differ else None,
    }


def totals(rows: Sequence[Row]) -> str:
    """In how many of the worlds the goals are reached, and in which they are not."""
    missed_waste = [row.name for row in rows if not row.wastes_little]
    missed_time = [row.name for row in rows if not row.is_fast]
    incomplete = [row.name for row in rows if not row.adaptive.has_all]
    parts = [
        _reached("waste", len(rows), missed_waste),
        _reached("time", len(rows), missed_time),
        _reached("every page", len(rows), incomplete),
    ]
    return "; ".join(parts)


def _reached(goal: str, count: int, missed: Sequence[str]) -> str:
    but = f" (not in {', '.join(missed)})" if missed else ""
    return f"{goal}: {count - len(missed)} of {count}{but}"


def markdown(rows: Sequence[Row]) -> str:
    """All cells of *rows* as one table."""
    cells = [waste_cells(row) | other_cells(row) for row in rows]
    shown = [["" if cell is None else str(cell) for cell in line.values()] for line in cells]
    lines = [list(cells[0]), ["---"] * len(cells[0]), *shown]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)


def dots(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """The waste in the picture: world, then who."""
    waste = {}
    for row in rows:
        named = {"best rival": row.best_rival, "informed": row.informed, "oracle": row.oracle, "adaptive": row.adaptive}
        waste[row.name] = {who: side.mean.wasted_per_page for who, side in named.items() if side}
    return waste


def read(paths: Iterable[Path]) -> Iterator[Figures]:
    """Figures already played; of a play that is there twice, the last ones count."""
    plays: dict[tuple[str, str, int], Figures] = {}
    for path in paths:
        for line in path.read_bytes().splitlines():
            figures = msgspec.json.decode(line, type=Figures)
            plays[figures.scenario, figures.policy, figures.seed] = figures
    yield from plays.values()


def main() -> None:
    """Play, or read, and show."""
    bench = Bench("worlds", __doc__, rounds=10, counted="seeds")
    bench.parser.add_argument(
        "--figures", type=Path, nargs="+", metavar="FILE.jsonl", help="do not play; read what simulate --json gave"
    )
    bench.parser.add_argument("--markdown", action="store_true", help="one table a group for the documentation")
    bench.parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw the waste of the first group")
    options = bench.start()
    shipped = shipped_scenarios()
    groups = {
        "the worlds that the policy was made with": {n: world for n, world in shipped.items() if n not in OURS},
        "the worlds that are for checking": {name: shipped[name] for name in OURS},
    }
    known = list(read(options.figures)) if options.figures else None
    for number, (title, worlds) in enumerate(groups.items()):
        plays = known if known is not None else contest(list(worlds.values()), PLAYERS, range(1, options.seeds + 1))
        rows = rows_of(worlds, _emitted(bench, plays))
        if not rows:
            bench.note(f"\n{title}: nobody has played")
            continue
        if options.markdown:
            bench.note(f"\n{title}\n\n{markdown(rows)}\n")
        else:
            bench.table(f"{title}: wasted requests a page", [waste_cells(row) for row in rows])
            bench.table(f"{title}: time, exits, cost", [other_cells(row) for row in rows])
        bench.note(totals(rows))
        if options.plot and number == 0:
            options.plot.write_text(plot_dots(dots(rows)), encoding="utf-8")


def _emitted(bench: Bench, plays: Iterable[Figures]) -> Iterator[Figures]:
    for figures in plays:
        bench.emit(**figures.as_json())
        yield figures


if __name__ == "__main__":
    main()
