"""Writes docs/reference/cli.md: the help of every command, and the keys of a configuration file."""

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

`make docs` writes this page from the commands.

Every command has `--help`. Most commands print JSON for machines with `--json`. Exit status 2 means that the input is
wrong: a sentence says what is wrong, and what to do.
"""
CONFIG = """\
## Options from a file

`--config proxysieve.toml` reads options from a file. Options of several commands are at its top, and options of one
command in the table with its name. They have the same names as here, without the dashes. An option that may be repeated
takes a list. Paths are relative to the directory of the file. The command line counts for more than the file. An
unknown option is an error.

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
