"""Writes docs/reference/cli.md: what every command says of itself, and what may stand in a configuration file."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from proxysieve.cli import main
from proxysieve.cli.config import keys_of

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "cli.md"
WIDTH = 80
HEAD = """\
# Command line

Made from the commands by `make docs`; a test holds it to them.

Every command takes `--help`, and what prints for people prints JSON for machines with `--json`. Exit status 2 means
that the input is at fault: one sentence says what, and what to do.
"""
CONFIG = """\
## Options from a file

`--config proxysieve.toml` takes options from a file. What several commands take alike stands at the top, what belongs
to one command in the table of its name, by the names that the options have here, without the dashes before them. An
option that may be repeated takes a list. Paths start from the directory of the file, and the command line counts for
more. Whatever has no place is an error.

```toml
proxies = ["proxies.txt"]
store = "state"

[fetch]
urls = ["urls.txt"]
out = "pages.jsonl"
max-rate = 5
robots = true
```
"""


def render() -> str:
    """The page as it should be."""
    parts = [HEAD, _help(main, "proxysieve")]
    parts += [_help(command, f"proxysieve {name}") for name, command in main.commands.items()]
    return "\n".join([*parts, CONFIG, _places()])


def _help(command: click.Command, name: str) -> str:
    context = click.Context(command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH)
    context.help_option_names, context.show_default = ["-h", "--help"], True
    return f"## {name}\n\n```text\n{command.get_help(context)}\n```\n"


def _places() -> str:
    shared, own = keys_of(main)
    rows = [("top", ", ".join(f"`{key}`" for key in sorted(shared)))]
    rows += [(f"`[{name}]`", ", ".join(f"`{key}`" for key in keys)) for name, keys in own.items() if keys]
    return "\n".join(["| place | keys |", "| --- | --- |", *(f"| {place} | {keys} |" for place, keys in rows), ""])


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
    sys.stderr.write(f"{PAGE.name} is written\n")
