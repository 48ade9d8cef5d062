"""The one place that writes to the terminal: whatever strangers wrote is shown there, and nothing of it is obeyed.

Titles, headers, hosts, names of sessions and of files may have letters in them that move the cursor, turn a line
around or show nothing. Each stands for a REPLACEMENT CHARACTER here, and for an escape in JSON.
"""

from __future__ import annotations

import click
import msgspec

WIDTH = 80
# Keeps words together while lines are wrapped.
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


def printable(text: str) -> str:
    """*text* as one line of letters that are seen, as many as before."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one == NO_BREAK_SPACE else "\N{REPLACEMENT CHARACTER}" for one in text)


def printable_lines(text: str) -> str:
    """*text* likewise, in the lines that it has."""
    return "\n".join(map(printable, text.split("\n")))


def wrapped(text: str, *, first: str = "", rest: str = "") -> str:
    """*text*, printable, in lines of at most 80 columns: *first* before the first one, *rest* before the others."""
    lines = click.wrap_text(printable(text), WIDTH, initial_indent=printable(first), subsequent_indent=rest)
    return lines.replace(NO_BREAK_SPACE, " ")


def echo(line: str = "", *, err: bool = False) -> None:
    """Print one *line*, whatever is in it."""
    click.echo(printable(line), err=err)


def echo_lines(text: str, *, err: bool = False) -> None:
    """Print the lines of *text*, in which no stranger has begun one."""
    click.echo(printable_lines(text), err=err)


def complain(problem: object) -> None:
    """Print on the standard error what went wrong."""
    echo(f"proxysieve: {problem}", err=True)


def echo_json(value: object) -> None:
    """Print *value* as JSON, on one line."""
    click.echo(escaped(msgspec.json.encode(value).decode()))


def escaped(json: str) -> str:
    """The same *json* with ASCII for each letter that is not seen; none of those stands outside of its texts."""
    return "\n".join(line if line.isprintable() else "".join(map(_escaped, line)) for line in json.split("\n"))


def _escaped(letter: str) -> str:
    if letter.isprintable():
        return letter
    units = letter.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
