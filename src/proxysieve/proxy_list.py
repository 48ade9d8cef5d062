"""Proxies from wherever a user has them: a file, lines of text, values."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from proxysieve.core.address import parse_proxy
from proxysieve.core.model import Proxy
from proxysieve.errors import ConfigError

Proxies = str | PathLike[str] | Iterable[str | Proxy]


def read_proxies(source: Proxies) -> tuple[list[Proxy], list[str]]:
    """The proxies of *source*, each once, and what is wrong with the lines that were left out.

    Of a proxy that stands there twice the first line counts; that is wrong only if the costs differ.

    Args:
        source: The path of a file with one a line (blank lines and comments, behind ``#``, are skipped), or lines
            or proxies.

    Raises:
        ConfigError: The file cannot be read, or there is not one usable proxy in *source*.
    """
    lines, origin = _lines(source)
    proxies: dict[str, Proxy] = {}
    problems = []
    for number, line in enumerate(lines, start=1):
        if isinstance(line, str) and (not line.strip() or line.lstrip().startswith("#")):
            continue
        try:
            proxy = line if isinstance(line, Proxy) else parse_proxy(line)
        except ConfigError as error:
            problems.append(f"{origin}, line {number}: {error}")
        else:
            first = proxies.setdefault(proxy.key, proxy)
            if first.cost != proxy.cost:
                problems.append(f"{origin}, line {number}: the same proxy at another cost, the first one counts")
    if not proxies:
        raise ConfigError(problems[0] if problems else f"{origin} has no proxies in it: expected one a line")
    return list(proxies.values()), problems


def _lines(source: Proxies) -> tuple[Iterable[str | Proxy], str]:
    if not isinstance(source, str | PathLike):
        return source, "the list of proxies"
    try:
        # Some editors put a mark before the first line.
        return Path(source).read_text(encoding="utf-8-sig").splitlines(), str(source)
    except OSError as error:
        raise ConfigError(f"the proxies in {source} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the proxies in {source} cannot be read: not UTF-8 text") from error
