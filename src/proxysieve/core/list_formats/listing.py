"""Turns the text of a list of proxies, in any known form, into lines.

Beside one proxy on each line, these are read if they are unmistakable: JSON, also one object on each line; a table
with a header; the configurations of Clash and of proxychains.
"""

from __future__ import annotations

import base64
import binascii
import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from proxysieve.core.list_formats.clash import read_clash
from proxysieve.core.list_formats.columns import OTHER_SCHEMES, SCHEMES
from proxysieve.core.list_formats.entries import HOSTS, PORTS, WHOLES, OtherTypeError, is_entry, plain_name, proxy_of
from proxysieve.core.list_formats.text import kind_of, lines_of
from proxysieve.core.model import Proxy
from proxysieve.errors import ConfigError

# A line, a proxy, or the reason why something is no proxy.
Line = str | Proxy | ConfigError

EXPECTED = "expected one proxy on each line, or JSON, CSV with a header, or Clash's YAML"
# Some 100,000 entries. Text that is read as a whole needs several times its size in memory.
MOST_CHARACTERS = 30_000_000
# How deep the list may be nested in other objects.
MOST_LEVELS = 4
CONTAINERS = ("proxies", "data", "results", "items", "list", "proxylist", "proxyurls", "outbounds", "rows", "result")
PROXYCHAINS = "[proxylist]"
DELIMITERS = "\t,;|"
# Links to servers of other kinds are packed like this.
SUBSCRIPTION = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}\s*")
LINKS = re.compile(rb"[a-z0-9]{2,12}://")


class Listing(NamedTuple):
    """The contents of a list.

    Attributes:
        lines: In their order; empty where there is no proxy.
        unit: The word for one of them.
        other_types: How many entries of each unsupported type were left out; known after the lines were read.
    """

    lines: Iterable[Line]
    unit: str = "line"
    other_types: Mapping[str, int] = {}

    @property
    def note(self) -> str:
        """What was left out, in words."""
        counted = ", ".join(f"{count:,} of type {kind or 'unknown'}" for kind, count in self.other_types.items())
        return f"left out: {counted}; supported are {', '.join(SCHEMES)}" if counted else ""


def read_listing(text: str) -> Listing:
    """The lines of *text*.

    Raises:
        ConfigError: It is no list; the message says what it is.
    """
    start = text[:1_000].lstrip()[:1]
    if start in {"[", "{"} and (listing := _json(text)) is not None:
        return listing
    kind = kind_of(text) if start == "<" else ""
    if kind:
        raise ConfigError(f"this is {kind}: {EXPECTED}")
    lines = lines_of(text)
    clash = read_clash(lines) if "proxies" in text else None
    if clash is not None:
        _check_size(text, "YAML")
        return _entries(clash)
    head = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    delimiter = _delimiter(head)
    if delimiter:
        return _table(lines, head, delimiter)
    if SUBSCRIPTION.match(head) and _is_subscription(head):
        raise ConfigError(f"this is a subscription in base64, with links to servers of other kinds: {EXPECTED}")
    if "[" in text:
        lines = _behind_heading(lines)
    return Listing(lines)


def _check_size(text: str, what: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise ConfigError(f"it is {what} of more than {MOST_CHARACTERS // 1_000_000} MB: give one proxy on each line")


# JSON.


def _json(text: str) -> Listing | None:
    """The list in a JSON text; None if the text is no JSON."""
    is_json = kind_of(text) == "JSON"
    if is_json:
        _check_size(text, "JSON")
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return _json_lines(lines_of(text)) if is_json else None
    entries = _listed(found)
    if entries is None:
        hint = "expected a list of objects with a host and a port"
        raise ConfigError(f"this is JSON without a list of proxies: {hint}")
    return _entries(entries)


def _json_lines(lines: Sequence[str]) -> Listing:
    head = next(line for line in lines if line.strip())
    try:
        msgspec.json.decode(head)
    except (msgspec.DecodeError, RecursionError):
        raise ConfigError("this is JSON that is damaged or breaks off: give it whole") from None
    return _entries(map(_json_line, lines), "line")


def _json_line(line: str) -> object:
    try:
        return msgspec.json.decode(line) if line.strip() else ""
    except (msgspec.DecodeError, RecursionError):
        return ConfigError("not a proxy, its JSON is damaged")


def _listed(found: object, levels: int = MOST_LEVELS) -> Iterable[object] | None:
    """The entries of the list, wherever it is in *found*; None if there is none."""
    if isinstance(found, list):
        return found
    if not isinstance(found, Mapping) or not levels:
        return None
    names = {plain_name(name): name for name in found}
    inside = [found[names[name]] for name in CONTAINERS if name in names]
    lists = (_listed(one, levels - 1) for one in inside)
    listed = next((one for one in lists if one is not None), None)
    if listed is not None:
        return listed
    return [found] if is_entry(found) else _by_scheme(found) or _by_address(found)


def _by_scheme(found: Mapping[str, Any]) -> list[object] | None:
    """The entries of an object with one list for each scheme."""
    if not found or not all(name.lower() in (*SCHEMES, *OTHER_SCHEMES) for name in found):
        return None
    return [
        f"{name}://{one}" if isinstance(one, str) and "://" not in one else one
        for name, some in found.items()
        for one in (some if isinstance(some, list) else [some])
    ]


def _by_address(found: Mapping[str, Any]) -> list[object] | None:
    """The entries of an object whose names are addresses."""
    return list(found) if found and all(re.search(r":[0-9]{1,5}\b", name) for name in found) else None


# Everything with named fields.


def _entries(entries: Iterable[object], unit: str = "entry") -> Listing:
    types = Counter[str]()
    # One by one: a list may have millions of bad entries, and each error keeps what it came from in memory.
    return Listing((_line(entry, types) for entry in entries), unit, types)


def _line(entry: object, types: Counter[str]) -> Line:
    if isinstance(entry, str | ConfigError):
        return entry
    if not isinstance(entry, Mapping):
        return ConfigError("not a proxy, it is neither an object nor a text")
    try:
        return proxy_of(entry)
    except OtherTypeError as error:
        types[error.type] += 1
        return ""
    except ConfigError as error:
        return error


# Tables.


def _delimiter(head: str) -> str:
    """The separator of the columns if *head* is a header that names the address; else empty."""
    return next((one for one in DELIMITERS if one in head and _is_heading(_cells(head, one))), "")


def _is_heading(names: Sequence[str]) -> bool:
    plain = [plain_name(name) for name in names]
    has_place = not set(HOSTS).isdisjoint(plain) and not set(PORTS).isdisjoint(plain)
    return has_place or not set(WHOLES).isdisjoint(plain)


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, strict=True))]
    except (csv.Error, StopIteration):
        return []


def _table(lines: Sequence[str], head: str, delimiter: str) -> Listing:
    names = _cells(head, delimiter)
    return _entries((_row(line, head, names, delimiter) for line in lines), "line")


def _row(line: str, head: str, names: Sequence[str], delimiter: str) -> object:
    if line == head or not line.strip() or line.startswith("#"):
        return ""
    cells = _cells(line, delimiter)
    if len(cells) != len(names):
        hint = "put values that contain the separator in quotes"
        return ConfigError(f"not a proxy, it has not as many columns as the header: {hint}")
    return dict(zip(names, cells, strict=True))


# Others.


def _behind_heading(lines: list[str]) -> list[str]:
    """The list in proxychains' configuration: what follows its section head."""
    at = next((at for at, line in enumerate(lines) if line.strip().lower() == PROXYCHAINS), -1)
    return [""] * (at + 1) + lines[at + 1 :] if at >= 0 else lines


def _is_subscription(head: str) -> bool:
    start = head.strip()[:64]
    try:
        return LINKS.match(base64.b64decode(start[: len(start) // 4 * 4], altchars=b"-_")) is not None
    except (binascii.Error, ValueError):
        return False
