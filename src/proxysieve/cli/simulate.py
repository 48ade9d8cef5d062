"""``proxysieve simulate``: compares policies in imagined worlds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import click

from proxysieve.cli.config import config_option
from proxysieve.cli.options import Count, command, option
from proxysieve.cli.printing import echo, echo_json, echo_lines, wrapped
from proxysieve.errors import ConfigError
from proxysieve.sim import Figures, RunFigures, Scenario, contest, load_scenario, shipped_scenarios
from proxysieve.sim.figures import means
from proxysieve.sim.player import MOST_WASTED_PER_PAGE
from proxysieve.sim.plot import plot

DEFAULT_POLICIES = ("adaptive", "classic", "crawlee_100", "rotating_proxies", "informed", "oracle")
HEADER = (
    f"{'policy':<22}{'pages':>7}{'wasted':>8}{'cost':>7}{'seconds':>9}{'blocked':>8}"
    f"{'burned':>7}{'banned':>7}{'peak':>5}"
)


@command(short_help="Play policies in imagined worlds, in virtual time.")
@click.argument("scenarios", nargs=-1, metavar="[SCENARIO.toml]...")
@option(
    "--policy",
    "policies",
    multiple=True,
    metavar="NAME",
    help="A policy to play; may be repeated. Default: the usual six.",
)
@option("--seeds", type=Count(min=1), default=1, metavar="COUNT", help="How many worlds of each scenario.")
@option("--json", "as_json", is_flag=True, help="Print one JSON object for each play, instead of tables.")
@option("--plot", "plot_path", metavar="FILE.svg", type=click.Path(path_type=Path), help="Draw the comparison.")
@config_option
def simulate(
    scenarios: tuple[str, ...], policies: tuple[str, ...], seeds: int, *, as_json: bool, plot_path: Path | None
) -> None:
    """Play policies in imagined worlds, in virtual time.

    A SCENARIO is a file, or the name of one that comes with proxysieve (mostly-banned). Without any, all of those are
    played. Each line of a table has the means over the seeds: pages, wasted requests a page, cost a page, simulated
    seconds, refusals, exits burned by overuse, the share of requests that went to exits which were banned already,
    and the busiest exit's requests in its busiest minute.

    \b
    Example:
        proxysieve simulate mostly-banned --policy adaptive --policy oracle
    """
    worlds = [load_scenario(name) for name in scenarios] or list(shipped_scenarios().values())
    players = list(dict.fromkeys(policies)) or list(DEFAULT_POLICIES)
    if plot_path and not plot_path.parent.is_dir():
        raise ConfigError(f"cannot draw {plot_path}: there is no directory {plot_path.parent}")
    plays = contest(worlds, players, range(1, seeds + 1))
    if as_json:
        plays = _echoed(plays)
    waste: dict[str, dict[str, float]] = {}
    for world in worlds:
        rows = {player: list(islice(plays, seeds)) for player in players}
        waste[world.name] = {player: means(figures).wasted_per_page for player, figures in rows.items()}
        if not as_json:
            _show(world, rows)
    if plot_path:
        _write(plot_path, plot(waste))


def _echoed(plays: Iterator[Figures]) -> Iterator[Figures]:
    """*plays*, each printed when it is done."""
    for figures in plays:
        echo_json(figures.as_json())
        yield figures


def _show(world: Scenario, rows: dict[str, list[Figures]]) -> None:
    echo_lines(wrapped(f"{world.name}: {world.says}"))
    echo(HEADER)
    for player, figures in rows.items():
        echo(_row(player, figures))
        last = [one.last for one in figures if isinstance(one.last, RunFigures)]
        if last:
            echo(_row("  in the last run", last))
    echo()


def _row(label: str, figures: Sequence[RunFigures]) -> str:
    mean = means(figures)
    # A play ends when this much is wasted, so a higher figure only tells how few pages there were.
    is_over = mean.wasted_per_page >= MOST_WASTED_PER_PAGE
    wasted = f">{MOST_WASTED_PER_PAGE}" if is_over else f"{mean.wasted_per_page:.3f}"
    return (
        f"{label:<22}{mean.pages:>7,.0f}{wasted:>8}{mean.cost_per_page:>7.2f}{mean.seconds:>9,.1f}{mean.blocked:>8,.0f}"
        f"{mean.burned:>7,.0f}{mean.on_banned_share:>7.1%}{mean.peak_per_minute:>5.0f}"
    )


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot draw {path}: {error.strerror}") from error
