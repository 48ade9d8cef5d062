"""Options that several commands have, and how help shows them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial, wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from proxysieve.cli.printing import echo, printable_lines
from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.errors import ConfigError
from proxysieve.lists.proxy_list import ProxyList
from proxysieve.pool.settings import RequestSettings, Settings, defaults, limits
from proxysieve.sessions.own_headers import OwnHeaders, parse_header

Function = TypeVar("Function", bound=Callable[..., Any])
PROBLEMS_SHOWN = 5
GENERAL = "Options"


class Option(click.Option):
    """An option that knows its place.

    Attributes:
        section: The section of the help.
        is_shared: Whether it means the same for all its commands. Then it stands at the top of a configuration file,
            and not in the table of a command.
    """

    def __init__(self, *args: Any, is_shared: bool = False, **settings: Any) -> None:  # noqa: ANN401 - click's
        super().__init__(*args, **settings)
        self.section = GENERAL
        self.is_shared = is_shared


class Number(click.FloatRange):
    """A number within a range; "nan" and "inf" are none."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401 - click's
        """*value* as a number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is not in the range {self._describe_range()}.", param, ctx)
        return number


class Count(click.IntRange):
    """A whole number within a range."""

    name = "whole number"


class Command(click.Command):
    """A command whose help has its options in sections."""

    def get_help(self, ctx: click.Context) -> str:
        """The help; its defaults may come from a configuration file."""
        return printable_lines(super().get_help(ctx))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, section by section."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record:
                sections.setdefault(getattr(param, "section", GENERAL), []).append(record)
        general = sections.pop(GENERAL, [])
        for title, records in (*sections.items(), (GENERAL, general)):
            with formatter.section(title):
                formatter.write_dl(records)


option = partial(click.option, cls=Option)
command = partial(click.command, cls=Command)


def section(title: str, *options: Callable[[Any], Any]) -> Callable[[Function], Function]:
    """Give a command *options*, which stand under *title* in its help."""

    def decorate(function: Function) -> Function:
        before = len(_params_of(function))
        for one in reversed(options):
            function = one(function)
        for param in _params_of(function)[before:]:
            if isinstance(param, Option):
                param.section = title
        return function

    return decorate


def _params_of(function: Callable[..., Any]) -> list[click.Parameter]:
    params: list[click.Parameter] = getattr(function, "__click_params__", [])
    return params


def setting_option(owner: type[RequestSettings], name: str, **more: Any) -> Callable[[Function], Function]:  # noqa: ANN401 - click's
    """The option for the setting *name* of *owner*, with the default and the limit that it has there."""
    flag, default = name.removesuffix("_seconds").replace("_", "-"), defaults(owner)[name]
    limit = limits(owner).get(name)
    if limit:
        kind: Any = Count if isinstance(default, int) else Number
        more.setdefault("type", kind(min=limit.ge if limit.gt is None else limit.gt, min_open=limit.gt is not None))
        more.setdefault("metavar", "SECONDS" if name.endswith("_seconds") else "COUNT")
    return option(f"--{flag}/--no-{flag}" if default is True else f"--{flag}", name, **{"default": default} | more)


_store_option = partial(setting_option, Settings, "store", is_shared=True, type=click.Path(), metavar="DIRECTORY")
store_option = _store_option(help="Where what is learned is kept; memory: keeps nothing.")
kept_store_option = _store_option(help="Where a job keeps what it learns.")
quiet_option = option("--quiet", is_flag=True, help="Print nothing but errors, and what --json asks for.")
json_option = option("--json", "as_json", is_flag=True, help="Print one JSON object.")
rate_option = setting_option(
    RequestSettings, "max_rate", metavar="RATE", help="Requests a second to a site, over all sessions; 0 for no cap."
)
timeout_option = partial(setting_option, name="timeout_seconds", help="Seconds for one try.")
expect_option = option(
    "--expect",
    is_shared=True,
    default="",
    show_default=False,
    metavar="WHAT",
    help="What a good page has: a text, css:SELECTOR, json:KEY or bytes:COUNT.",
)
signs_option = option(
    "--signs",
    is_shared=True,
    multiple=True,
    type=click.Path(),
    metavar="FILE",
    help="Signs of your own, or which ones to switch off; may be repeated (docs/reference/judge.md).",
)
cookie_file_option = option(
    "--cookie-file",
    "cookies",
    is_shared=True,
    default="",
    show_default=False,
    type=click.Path(),
    callback=lambda _, __, path: path or (),
    metavar="FILE",
    help="Cookies that every session starts with: cookies.txt, or JSON.",
)


def _read_headers(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> OwnHeaders:
    return OwnHeaders(map(parse_header, texts))


header_option = option(
    "--header",
    "headers",
    is_shared=True,
    multiple=True,
    # Help would show secrets from a configuration file.
    show_default=False,
    callback=_read_headers,
    metavar="'[SITE=]NAME: VALUE'",
    help="For the sites of the URLs, or for SITE alone, on top of what a session's browser sends; may be repeated. "
    "What carries a secret, as Authorization does, needs SITE= where the URLs are of several sites.",
)


def _with_proxies(function: Function, *, is_needed: bool) -> Function:
    """Give *function* the options ``--proxies`` and ``--proxy``; it gets both as one :class:`ProxyList`."""

    @option(
        "--proxies",
        is_shared=True,
        multiple=True,
        type=click.Path(),
        metavar="SOURCE",
        help="File with one proxy a line, http(s) address of such a list, or - for the standard input; may be "
        "repeated.",
    )
    @option(
        "--proxy",
        is_shared=True,
        multiple=True,
        metavar="PROXY",
        help="One proxy, as a line of such a file; may be repeated.",
    )
    @wraps(function)
    def with_proxies(
        *args: Any,  # noqa: ANN401 - whatever the command has
        proxies: tuple[str, ...],
        proxy: tuple[str, ...],
        **options: Any,  # noqa: ANN401 - likewise
    ) -> Any:  # noqa: ANN401 - likewise
        is_given = bool(proxies or proxy)
        if is_needed and not is_given:
            raise ConfigError("which proxies? Name a file with --proxies, or one with --proxy")
        _check_kinds(proxies, proxy)
        return function(*args, proxies=ProxyList(*proxies, lines=proxy) if is_given else None, **options)

    return with_proxies  # type: ignore[return-value] # click adds to it


proxies_options = partial(_with_proxies, is_needed=True)
# For a command that needs no proxies; without them it gets None.
optional_proxies_options = partial(_with_proxies, is_needed=False)


def _check_kinds(sources: Sequence[str], lines: Sequence[str]) -> None:
    """Raise if a list was given as a proxy, or a proxy as a list."""
    if any(map(_is_one_proxy, sources)):
        raise ConfigError("--proxies names a list, and this is one proxy: give it with --proxy")
    for line in lines:
        if Path(line).is_file():
            raise ConfigError(f"--proxy is one proxy, and {line} is a file: give it with --proxies")


def _is_one_proxy(source: str) -> bool:
    if Path(source).exists():
        return False
    try:
        parse_proxy(source)
    except ConfigError:
        return False
    return True


def warn(problems: list[str]) -> None:
    """Print the first problems to the standard error."""
    for problem in problems[:PROBLEMS_SHOWN]:
        echo(f"left out: {problem}", err=True)
    if len(problems) > PROBLEMS_SHOWN:
        echo(f"left out: {len(problems) - PROBLEMS_SHOWN:,} more lines like these", err=True)
