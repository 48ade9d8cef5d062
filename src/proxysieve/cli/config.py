"""``--config``: options from a file.

Options that mean the same for several commands stand at the top of it; the others stand in the table of their command.
So every option has one place, and anything else is an error.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from proxysieve.cli.options import Option, option
from proxysieve.errors import ConfigError
from proxysieve.text_file import STANDARD_INPUT

# Options that make no sense in a file.
NOT_FOR_FILES = frozenset({"config", "help", "version"})
KEEPS_NOTHING = "memory:"


def _use(ctx: click.Context, _: click.Parameter, path: str | None) -> str | None:
    """Make what the file at *path* says the defaults of the command."""
    if path:
        group = ctx.find_root().command
        assert isinstance(group, click.Group)  # noqa: S101 - every command is one of a group
        ctx.default_map = read_config(Path(path), group)[ctx.command.name or ""]
    return path


config_option = option(
    "--config",
    is_eager=True,
    expose_value=False,
    callback=_use,
    type=click.Path(),
    metavar="FILE",
    help="TOML file with options, such as proxysieve.toml; the command line counts for more.",
)


def read_config(path: Path, group: click.Group) -> dict[str, dict[str, Any]]:
    """What the file at *path* says for each command of *group*, by the names of its parameters.

    Relative paths in it start from its own directory.

    Raises:
        ConfigError: It cannot be read, or something in it has no place.
    """
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"{path} cannot be read: not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no TOML: {error}") from None
    tables = {name: said.pop(name) for name in list(said) if isinstance(said[name], dict)}
    unknown = next((name for name in tables if name not in group.commands), None)
    if unknown:
        raise ConfigError(f"{path}: there is no command {unknown!r}{_meant(unknown, group.commands)}")
    shared, own = keys_of(group)
    _check_places(path, said, tables, shared, own)
    return {
        name: _values(path, {key: said[key] for key in said.keys() & _options(command, is_shared=True).keys()}, shared)
        | _values(path, tables.get(name, {}), own[name])
        for name, command in group.commands.items()
    }


def keys_of(group: click.Group) -> tuple[dict[str, click.Parameter], dict[str, dict[str, click.Parameter]]]:
    """What may stand in a file, by its keys: at the top, and in the table of each command."""
    commands = group.commands
    shared = {key: one for command in commands.values() for key, one in _options(command, is_shared=True).items()}
    return shared, {name: _options(command, is_shared=False) for name, command in commands.items()}


def _options(command: click.Command, *, is_shared: bool) -> dict[str, click.Parameter]:
    """The options of *command* that may stand in a file, by their keys."""
    return {
        key: param
        for param in command.params
        if (key := _key(param)) not in NOT_FOR_FILES and getattr(param, "is_shared", False) is is_shared
    }


def _key(param: click.Parameter) -> str:
    longest = max(param.opts, key=len)
    return longest.lstrip("-")


def _check_places(
    path: Path,
    said: Mapping[str, Any],
    tables: Mapping[str, Mapping[str, Any]],
    shared: Mapping[str, click.Parameter],
    own: Mapping[str, Mapping[str, click.Parameter]],
) -> None:
    for key in said:
        if key not in shared:
            homes = [name for name, options in own.items() if key in options]
            hint = f": it belongs into {_listed(homes)}" if homes else _meant(key, shared)
            raise ConfigError(f"{path}: {key!r} has no place at the top of the file{hint}")
    for name, table in tables.items():
        for key in table:
            if key not in own[name]:
                hint = (
                    ": it belongs to the top of the file, before all tables"
                    if key in shared
                    else _meant(key, own[name])
                )
                raise ConfigError(f"{path}: {key!r} has no place in [{name}]{hint}")


def _listed(tables: Iterable[str]) -> str:
    return " or ".join(f"[{name}]" for name in tables)


def _meant(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word.replace("_", "-"), list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _values(path: Path, said: Mapping[str, Any], params: Mapping[str, click.Parameter]) -> dict[str, Any]:
    return {params[key].name or "": _value(path, key, value, params[key]) for key, value in said.items()}


def _value(path: Path, key: str, value: object, param: click.Parameter) -> object:
    """*value* as the command line would have it."""
    if param.multiple or param.nargs == -1:
        values = value if isinstance(value, list) else [value]
        return [_single(path, key, one, param) for one in values]
    return _single(path, key, value, param)


def _single(path: Path, key: str, value: object, param: click.Parameter) -> object:
    if isinstance(param, Option) and param.is_flag:
        wanted, is_good = "true or false", isinstance(value, bool)
    elif isinstance(param.type, click.types.IntParamType | click.types.FloatParamType):
        wanted, is_good = "a number", isinstance(value, int | float) and not isinstance(value, bool)
    else:
        wanted, is_good = "a text in quotes", isinstance(value, str)
    if not is_good:
        raise ConfigError(f"{path}: {key!r} is {type(value).__name__}, expected {wanted}")
    if isinstance(value, str) and isinstance(param.type, click.Path | click.File) and _is_path(value):
        # A slash at the end means a directory.
        return str(path.parent / value) + "/" * value.endswith("/")
    return value


def _is_path(value: str) -> bool:
    return value not in {"", STANDARD_INPUT, KEEPS_NOTHING} and "://" not in value
