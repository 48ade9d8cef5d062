"""The list that a check saves: the lines of the proxies that work, as they stood in the lists that were checked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from io import StringIO
from pathlib import Path

from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.core.model import SESSION_PLACEHOLDER, Proxy
from proxysieve.errors import ConfigError
from proxysieve.lists.sources import PROXIES
from proxysieve.moving.session_files import write_privately
from proxysieve.text_file import read_text

# By its first line a list is known to be one that may be replaced.
HEADER = "# Proxies that worked, saved by proxysieve check; its next run may replace this list."


class GoodList:
    """A file for the lines of good proxies, for its owner alone to read.

    Args:
        path: Where it is to be. What is there already is replaced if a check has saved it.
        inputs: The files that the proxies come from; they are read now.
        lines: Lines that come from no file.

    Raises:
        ConfigError: It would replace one of the inputs, or something else that no check has saved; or there is no
            place for it.
    """

    def __init__(self, path: Path, inputs: Iterable[str], lines: Iterable[str] = ()) -> None:
        # Whoever keeps the list behind a link wants the link to stay.
        self.path = Path(os.path.realpath(path))
        files = [Path(one) for one in inputs if _is_file(one)]
        _check_place(path, self.path, files)
        self._lines = _lines_by_proxy([*(line for file in files for line in _read(file)), *lines])

    @property
    def is_new(self) -> bool:
        """Whether there is none yet."""
        return not self.path.exists()

    def save(self, proxies: Iterable[Proxy]) -> None:
        """Write the lines of *proxies*. The file is the old one or the new one at any moment.

        Raises:
            ConfigError: It cannot be written; what was there before is there still.
        """
        lines = [self._lines.get(proxy.key) or line_of(proxy) for proxy in proxies]
        text = "".join(line if line.endswith("\n") else f"{line}\n" for line in [HEADER, *lines])
        write_privately(self.path, text.encode())


def line_of(proxy: Proxy) -> str:
    """*proxy* as a line, with its credentials and options."""
    options = {
        "cost": f"{proxy.cost:.15g}" if proxy.cost != 1 else "",
        "name": proxy.name,
        "ttl_seconds": f"{proxy.ttl_seconds:.15g}" if proxy.ttl_seconds else "",
        "max_in_flight": str(proxy.max_in_flight or ""),
    }
    return " ".join([proxy.url(SESSION_PLACEHOLDER), *(f"{key}={value}" for key, value in options.items() if value)])


def _check_place(named: Path, path: Path, inputs: Iterable[Path]) -> None:
    if any(path.exists() and path.samefile(one) for one in inputs):
        raise ConfigError(f"--save {named} is one of the lists that are checked: those that fail now would be lost")
    if path.exists() and not _is_replaceable(path):
        raise ConfigError(
            f"--save {named} is there already, and no list that a check has saved: move it away, or choose another name"
        )
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ConfigError(f"--save {named} cannot be written: {path.parent} is no directory that can be written to")


def _is_replaceable(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            start = file.read(len(HEADER))
    except OSError:
        return False
    return start in {HEADER.encode(), b""}


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        # What comes from elsewhere may be called what no file can be.
        return False


def _read(path: Path) -> list[str]:
    return list(StringIO(read_text(path, PROXIES), newline=""))


def _lines_by_proxy(lines: Iterable[str]) -> Mapping[str, str]:
    """The first line of each proxy, by its key."""
    known: dict[str, str] = {}
    for line in lines:
        with suppress(ConfigError):
            known.setdefault(parse_proxy(line).key, line)
    return known
