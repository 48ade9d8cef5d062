"""Options that several commands have, each said once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from proxysieve.errors import ConfigError
from proxysieve.proxy_list import ProxyList

Command = TypeVar("Command", bound=Callable[..., Any])
PROBLEMS_SHOWN = 5

store_option = click.option(
    "--store", default=".proxysieve", metavar="DIRECTORY", help="Where the job keeps what it learns."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def proxies_options(command: Command) -> Command:
    """Give *command* the options ``--proxies`` and ``--proxy``, and hand both to it as one *proxies*, a list.

    What it gets can be read by :func:`~proxysieve.proxy_list.read_proxies`, and opened by a pool.
    """

    @click.option(
        "--proxies",
        multiple=True,
        metavar="SOURCE",
        help="File with one proxy a line, http(s) address of such a list, or - for the standard input; may be "
        "repeated.",
    )
    @click.option(
        "--proxy", multiple=True, metavar="PROXY", help="One proxy, as a line of such a file; may be repeated."
    )
    @wraps(command)
    def with_proxies(*args: Any, proxies: tuple[str, ...], proxy: tuple[str, ...], **options: Any) -> Any:  # noqa: ANN401 - whatever the command has
        if not proxies and not proxy:
            raise ConfigError("which proxies? Name a file with --proxies, or one with --proxy")
        return command(*args, proxies=ProxyList(*proxies, lines=proxy), **options)

    return with_proxies  # type: ignore[return-value] # click's options leave their mark on it


def warn(problems: list[str]) -> None:
    """Tell of the first lines that were left out, on the standard error."""
    for problem in problems[:PROBLEMS_SHOWN]:
        click.echo(f"left out: {problem}", err=True)
    if len(problems) > PROBLEMS_SHOWN:
        click.echo(f"left out: {len(problems) - PROBLEMS_SHOWN:,} more lines like these", err=True)
