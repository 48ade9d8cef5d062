"""Options from a file."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from proxysieve.cli import main
from proxysieve.cli.config import NOT_FOR_FILES, read_config
from proxysieve.cli.options import Option
from proxysieve.errors import ConfigError
from proxysieve.testbed import TestbedProcess, World


def read(directory: Path, text: str) -> dict[str, dict[str, object]]:
    path = directory / "proxysieve.toml"
    path.write_text(text, encoding="utf-8")
    return read_config(path, main)


def test_what_commands_share_stands_at_the_top_and_the_rest_in_tables(tmp_path: Path) -> None:
    """Each command gets its own and the shared ones that it has, by the names of its parameters."""
    found = read(
        tmp_path,
        'store = "memory:"\nproxy = "a.example:1"\nheader = ["X-A: 1"]\n'
        "[fetch]\nmax-rate = 5\nrobots = false\njson = true\n",
    )

    assert found["fetch"] == {
        "store": "memory:",
        "proxy": ["a.example:1"],
        "headers": ["X-A: 1"],
        "max_rate": 5,
        "robots": False,
        "as_json": True,
    }
    assert found["explain"] == {"store": "memory:", "proxy": ["a.example:1"]}
    assert found["judge"] == {}


def test_paths_start_from_the_directory_of_the_file(tmp_path: Path) -> None:
    """So that a job can be started from anywhere; what is no path stays as it is."""
    found = read(
        tmp_path,
        'proxies = ["proxies.txt", "-", "https://provider.example/list", "/etc/proxies"]\nstore = "state"\n'
        '[fetch]\nout = "out/pages.jsonl"\nURLS = "urls.txt"\n'.replace("URLS", "urls"),
    )

    assert found["fetch"] == {
        "proxies": [f"{tmp_path}/proxies.txt", "-", "https://provider.example/list", "/etc/proxies"],
        "store": f"{tmp_path}/state",
        "out": f"{tmp_path}/out/pages.jsonl",
        "urls": [f"{tmp_path}/urls.txt"],
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("attempts = 5", "'attempts' has no place at the top of the file: it belongs into [fetch]"),
        ("[fetch]\nstore = 'x'", "'store' has no place in [fetch]: it belongs to the top of the file"),
        ("[fetch]\nmax_rate = 5", "did you mean 'max-rate'?"),
        ("[fetsh]\nmax-rate = 5", "there is no command 'fetsh'; did you mean 'fetch'?"),
        ("stoer = 'x'", "did you mean 'store'?"),
        ("[fetch]\nconfig = 'other.toml'", "'config' has no place"),
        ("[fetch]\nconcurrency = 'many'", "'concurrency' is str, expected a number"),
        ("[fetch]\nconcurrency = true", "'concurrency' is bool, expected a number"),
        ("[fetch]\nrobots = 'no'", "'robots' is str, expected true or false"),
        ("[fetch]\nout = 5", "'out' is int, expected a text in quotes"),
        ("[fetch]\nout = ['a', 'b']", "'out' is list, expected a text in quotes"),
        ("proxies = [1]", "'proxies' is int, expected a text in quotes"),
        ("store = ", "is no TOML"),
        ("[judge]\nmax-rate = 1", "'max-rate' has no place in [judge]"),
    ],
)
def test_what_has_no_place_is_an_error_that_says_where_it_belongs(tmp_path: Path, text: str, says: str) -> None:
    """A slip of the pen never passes for a setting."""
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)

    assert says in str(caught.value)
    assert "proxysieve.toml" in str(caught.value)


def test_every_option_has_one_place() -> None:
    """Whatever a command takes may stand in a file: at the top if it is shared, else in the command's table."""
    kinds: dict[str, set[bool]] = {}
    for command in main.commands.values():
        for param in command.params:
            assert isinstance(param, Option | click.Argument), (command.name, param.name)
            if isinstance(param, Option) and param.name not in NOT_FOR_FILES:
                kinds.setdefault(f"{command.name} {param.name}", set()).add(param.is_shared)

    assert kinds
    assert all(len(one) == 1 for one in kinds.values())


def test_the_command_line_counts_for_more_than_the_file(tmp_path: Path) -> None:
    """A whole job from a file, and one option of it said otherwise."""
    with TestbedProcess(World(proxies=3)) as bed:
        (tmp_path / "urls.txt").write_text("\n".join(bed.page_urls(5)))
        (tmp_path / "more.txt").write_text("\n".join(bed.page_urls(8)))
        (tmp_path / "proxies.txt").write_text("\n".join(bed.proxy_lines))
        config = tmp_path / "proxysieve.toml"
        config.write_text(
            'proxies = "proxies.txt"\nstore = "memory:"\n'
            '[fetch]\nurls = ["urls.txt", "more.txt"]\nout = "pages.jsonl"\nmax-rate = 0\nquiet = true\n'
        )
        runner = CliRunner()

        by_file = runner.invoke(main, ["fetch", "--config", str(config)])
        other_sites = runner.invoke(main, ["fetch", "--config", str(config), "--out", str(tmp_path / "other.jsonl")])

    assert (by_file.exit_code, by_file.output) == (0, "")
    assert len((tmp_path / "pages.jsonl").read_bytes().splitlines()) == 8
    assert other_sites.exit_code == 0
    assert len((tmp_path / "other.jsonl").read_bytes().splitlines()) == 8


def test_a_file_that_is_not_there_is_told_in_a_sentence(tmp_path: Path) -> None:
    """Exit status 2, and no traceback."""
    done = CliRunner().invoke(main, ["fetch", "--config", str(tmp_path / "none.toml")])

    assert done.exit_code == 2
    assert "none.toml cannot be read: No such file" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_what_it_needs_to_complete(shell: str) -> None:
    """The script asks proxysieve itself, which knows its commands and options."""
    script = CliRunner().invoke(main, ["completion", shell])
    asked = CliRunner().invoke(
        main,
        [],
        prog_name="proxysieve",
        env={"_PROXYSIEVE_COMPLETE": "bash_complete", "COMP_WORDS": "proxysieve fetch --max-", "COMP_CWORD": "2"},
    )

    assert script.exit_code == 0
    assert "_PROXYSIEVE_COMPLETE" in script.output
    assert "--max-rate" in asked.output
