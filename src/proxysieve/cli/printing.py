"""The only place that writes to the terminal. It shows strangers' text, but no control character in it works.

Titles, headers, hosts and names may contain letters that move the cursor, reverse a line or show nothing. Here each
becomes a REPLACEMENT CHARACTER, and an escape in JSON.
"""

from __future__ import annotations

import click
import msgspec

WIDTH = 80
# Keeps words together when lines are wrapped.
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


def printable(text: str) -> str:
    """*text* as one line of visible letters, with the same length."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one == NO_BREAK_SPACE else "\N{REPLACEMENT CHARACTER}" for one in text)


def printable_lines(text: str) -> str:
    """*text* likewise, with its line breaks."""
    return "\n".join(map(printable, text.split("\n")))


def wrapped(text: str, *, first: str = "", rest: str = "") -> str:
    """*text*, printable, in lines of at most 80 columns: *first* before the first one, *rest* before the others."""
    lines = click.wrap_text(printable(text), WIDTH, initial_indent=printable(first), subsequent_indent=rest)
    return lines.replace(NO_BREAK_SPACE, " ")


def echo(line: str = "", *, err: bool = False) -> None:
    """Print one *line*, whatever it contains."""
    click.echo(printable(line), err=err)


def echo_lines(text: str, *, err: bool = False) -> None:
    """Print the lines of *text*; no stranger's text may have begun one."""
    click.echo(printable_lines(text), err=err)


def complain(problem: object) -> None:
    """Print a problem on the standard error."""
    echo(f"proxysieve: {problem}", err=True)


def echo_json(value: object) -> None:
    """Print *value* as JSON, on one line."""
    click.echo(escaped(msgspec.json.encode(value).decode()))


def escaped(json: str) -> str:
    """The same *json* with ASCII for each invisible letter. All of those are within its texts."""
    return "\n".join(line if line.isprintable() else "".join(map(_escaped, line)) for line in json.split("\n"))


def _escaped(letter: str) -> str:
    if letter.isprintable():
        return letter
    units = letter.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
