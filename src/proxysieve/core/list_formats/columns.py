"""Reads a line of a table that has no header.

Lists of free proxies have tables: address, port, country, anonymity, scheme, and how long the proxy has worked.
Proxychains has another order, and a login after the port. A line is read as one of a table only if no part of it can
be a login.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from proxysieve.core.urls.hosts import address_of, is_ip

SCHEMES = ("http", "https", "socks5", "socks5h")
# Known, but not supported. Other words in this place may be a password.
OTHER_SCHEMES = {
    "socks4": "socks4 has no passwords and no names",
    "socks4a": "socks4a has no passwords",
    "socks": "socks is not said to be of version 5",
    **dict.fromkeys(("ftp", "ss", "ssh", "tcp", "trojan", "vless", "vmess", "ws", "wss"), ""),
}
# For a proxy with several schemes, the first of these is used.
PREFERRED = ("http", "socks5", "socks5h", "https")
# How anonymous a proxy is, and other words of lists.
WORDS = frozenset({
    "anonymous", "anm", "distorting", "elite", "hia", "high", "low", "medium", "noa", "none", "proxy", "transparent",
    "l1", "l2", "l3", "level1", "level2", "level3", "+", "-", "yes", "no", "n/a", "unknown",
})  # fmt: skip
COUNTRY = re.compile("[A-Z]{2}")
# 'US-N-S!': country, anonymity, whether it tunnels.
SPYS = re.compile(r"[A-Z]{2}-[NAH]!?(?:-S!?)?")
SEPARATOR = re.compile(r"[\s,;|]+")
SCHEME_WORDS = re.compile("[a-z0-9]+")
# The number of columns of a login.
LOGIN = 2
# host:port:country
COUNTRY_COLONS = 2


class Row(NamedTuple):
    """The contents of a line of a table.

    Attributes:
        address: ``host:port``.
        words: The words after the table's columns.
    """

    scheme: str
    address: str
    username: str = ""
    password: str = ""
    words: Sequence[str] = ()


def read_row(text: str, words: Sequence[str]) -> Row | None:
    """The contents of a line if it is one of a table; else None.

    Args:
        text: Its first word.
        words: The others.
    """
    if not _may_be_row(text, words):
        return None
    rest = list(words)
    options: list[str] = []
    while rest and "=" in rest[-1]:
        options.insert(0, rest.pop())
    return _typed(text, rest, options) or _remarked(text, rest, options)


def _may_be_row(text: str, words: Sequence[str]) -> bool:
    """A quick test whether a line has columns. Most lines have none, and a list may have a million."""
    if words and "=" not in words[0]:
        return True
    has_country = text.count(":") == COUNTRY_COLONS and "@" not in text and "/" not in text
    return has_country or "," in text or ";" in text or "|" in text


def scheme_of(words: Sequence[str]) -> str:
    """The best scheme that *words* name; empty if they name none."""
    named = {word for one in words for word in SCHEME_WORDS.findall(one.lower())}
    return next((scheme for scheme in (*PREFERRED, *OTHER_SCHEMES) if scheme in named), "")


def _typed(text: str, rest: Sequence[str], options: Sequence[str]) -> Row | None:
    """``type address port user password``, the order of proxychains."""
    if text.lower() not in {*SCHEMES, *OTHER_SCHEMES} or not rest:
        return None
    if len(rest) == 1 and _is_address(rest[0]):
        return Row(text.lower(), rest[0], words=options)
    address = ":".join(rest[:2])
    if len(rest) not in {LOGIN, 2 * LOGIN} or not _is_address(address):
        return None
    username, password = rest[2:] or ("", "")
    return Row(text.lower(), address, username, password, options)


def _remarked(text: str, rest: Sequence[str], options: Sequence[str]) -> Row | None:
    """An address and a port (in one column, in two, or with a colon), followed by remarks."""
    first, *columns = [column.strip("\"'") for column in SEPARATOR.split(" ".join((text, *rest)))]
    if is_ip(first) and columns:
        first, columns = f"{first}:{columns[0]}", columns[1:]
    elif not _is_address(first):
        first, _, remark = first.rpartition(":")
        columns.insert(0, remark)
        if not (COUNTRY.fullmatch(remark) or scheme_of([remark]) == remark):
            return None
    if not _is_address(first) or not _are_remarks(columns):
        return None
    return Row(scheme_of([column for column in columns if not COUNTRY.fullmatch(column)]), first, words=options)


def _is_address(text: str) -> bool:
    return address_of(text) is not None


def _are_remarks(columns: Sequence[str]) -> bool:
    """Whether none of *columns* can be a user or a password.

    A login has two columns. If one of two is a country or a scheme and the other is a remark, they are no login. More
    columns that begin so are none either.
    """
    is_sure = len(columns) < LOGIN or any(map(_is_sure, columns[:LOGIN]))
    return is_sure and all(map(_is_remark, columns if len(columns) <= LOGIN else columns[:1]))


def _is_sure(column: str) -> bool:
    is_scheme = column.lower() in SCHEMES or column.lower() in OTHER_SCHEMES
    return is_scheme or COUNTRY.fullmatch(column) is not None or SPYS.fullmatch(column) is not None


def _is_remark(column: str) -> bool:
    return _is_sure(column) or column.lower() in WORDS
