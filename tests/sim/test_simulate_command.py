"""``proxysieve simulate`` as a person and a machine see it."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from tests.sim.test_player import KEPT_NAMES

from proxysieve import ConfigError
from proxysieve.cli.simulate import simulate

WORLD = "name = 'mine'\nsays = 'a world of my own'\npages = 30\nconcurrency = 5\n[exits]\ncount = 20\n"


@pytest.fixture
def world(tmp_path: Path) -> str:
    """The path of a small scenario."""
    path = tmp_path / "mine.toml"
    path.write_text(WORLD)
    return str(path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(simulate, list(arguments))


def test_a_scenario_is_a_table_that_fits_the_screen(world: str) -> None:
    """With a line for each policy, in the order that was asked for."""
    done = run(world, "--policy", "oracle", "--policy", "classic", "--seeds", "2")

    lines = done.output.splitlines()
    assert done.exit_code == 0
    assert lines[0] == "mine: a world of my own"
    assert lines[1].split() == ["policy", "pages", "wasted", "cost", "seconds", "blocked", "burned", "banned", "peak"]
    assert [line.split()[0] for line in lines[2:4]] == ["oracle", "classic"]
    assert all(len(line) <= 80 for line in lines)


def test_the_last_of_several_runs_has_a_line_of_its_own(world: str) -> None:
    """Under that of all together."""
    Path(world).write_text(WORLD + "[runs]\ncount = 2\npause_seconds = 60\n")

    lines = run(world, "--policy", "oracle").output.splitlines()

    assert lines[2].split()[:2] == ["oracle", "60"]
    assert lines[3].strip().startswith("in the last run")
    assert " 30 " in lines[3]


def test_what_was_given_up_is_shown_as_more_than_20(world: str) -> None:
    """As the figure itself says nothing then."""
    Path(world).write_text(WORLD + "[bans]\nexit_share = 1.0\n")

    assert ">20" in run(world, "--policy", "random").output


def test_machines_get_one_object_a_line(world: str) -> None:
    """With the names that are promised."""
    done = run(world, "--policy", "oracle", "--policy", "classic", "--seeds", "2", "--json")

    played = [json.loads(line) for line in done.output.splitlines()]
    assert [list(one) for one in played] == [KEPT_NAMES] * 4
    assert [(one["policy"], one["seed"]) for one in played] == [
        ("oracle", 1), ("oracle", 2), ("classic", 1), ("classic", 2),
    ]  # fmt: skip
    assert {one["scenario"] for one in played} == {"mine"}


def test_the_comparison_is_drawn(world: str, tmp_path: Path) -> None:
    """Beside the tables."""
    path = tmp_path / "plot.svg"

    done = run(world, "--policy", "oracle", "--plot", str(path))

    assert done.exit_code == 0
    assert path.read_text().startswith("<svg")
    assert "mine" in path.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["nowhere"], "no scenario 'nowhere'", id="unknown scenario"),
        pytest.param(["nowhere.toml"], "cannot read nowhere.toml", id="missing file"),
        pytest.param(["clean", "--policy", "nobody"], "unknown policy 'nobody'", id="unknown policy"),
        pytest.param(["clean", "--plot", "no/where.svg"], "there is no directory no", id="no place to draw"),
    ],
)
def test_wrong_input_is_an_error_of_one_sentence(arguments: list[str], message: str) -> None:
    """Which the command line shows without a traceback."""
    error = run(*arguments).exception

    assert isinstance(error, ConfigError)
    assert message in str(error)
    assert "\n" not in str(error)


def test_the_help_has_an_example_and_fits_the_screen() -> None:
    """In lines of at most 80 columns."""
    done = CliRunner().invoke(simulate, ["--help"], terminal_width=80)

    assert "Example:" in done.output
    assert all(len(line) <= 80 for line in done.output.splitlines())
    assert isinstance(simulate, click.Command)
