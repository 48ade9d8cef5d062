"""A line of a table, without the heading that would say what its columns are.

Lists of free proxies stand in tables: an address and a port, then the country, how much of its user a proxy tells, what
it speaks, and for how long it has worked. Proxychains has another order, and a login behind the port. A line is read as
one of a table where nothing in it can be a login that it does not look like.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from proxysieve.core.urls.hosts import address_of, is_ip

SCHEMES = ("http", "https", "socks5", "socks5h")
# Those that lists have and nobody here speaks. Another word in this place may be a password.
OTHER_SCHEMES = {
    "socks4": "socks4 has no passwords and no names",
    "socks4a": "socks4a has no passwords",
    "socks": "socks is not said to be of version 5",
    **dict.fromkeys(("ftp", "ss", "ssh", "tcp", "trojan", "vless", "vmess", "ws", "wss"), ""),
}
# A proxy that speaks several is asked in the first of these.
PREFERRED = ("http", "socks5", "socks5h", "https")
# How much a proxy tells of who uses it, and other words of lists.
WORDS = frozenset({
    "anonymous", "anm", "distorting", "elite", "hia", "high", "low", "medium", "noa", "none", "proxy", "transparent",
    "l1", "l2", "l3", "level1", "level2", "level3", "+", "-", "yes", "no", "n/a", "unknown",
})  # fmt: skip
COUNTRY = re.compile("[A-Z]{2}")
# 'US-N-S!': country, anonymity, whether it tunnels.
SPYS = re.compile(r"[A-Z]{2}-[NAH]!?(?:-S!?)?")
SEPARATOR = re.compile(r"[\s,;|]+")
SCHEME_WORDS = re.compile("[a-z0-9]+")
# So many columns a login has.
LOGIN = 2
# host:port:country
COUNTRY_COLONS = 2


class Row(NamedTuple):
    """What a line of a table says.

    Attributes:
        address: ``host:port``.
        words: Those that follow, which are none of the table's.
    """

    scheme: str
    address: str
    username: str = ""
    password: str = ""
    words: Sequence[str] = ()


def read_row(text: str, words: Sequence[str]) -> Row | None:
    """What a line says if it is one of a table, else None.

    Args:
        text: Its first word.
        words: All others.
    """
    if not _may_be_row(text, words):
        return None
    rest = list(words)
    options: list[str] = []
    while rest and "=" in rest[-1]:
        options.insert(0, rest.pop())
    return _typed(text, rest, options) or _remarked(text, rest, options)


def _may_be_row(text: str, words: Sequence[str]) -> bool:
    """Whether a line has columns at all, as most have none, and a list may have a million."""
    if words and "=" not in words[0]:
        return True
    has_country = text.count(":") == COUNTRY_COLONS and "@" not in text and "/" not in text
    return has_country or "," in text or ";" in text or "|" in text


def scheme_of(words: Sequence[str]) -> str:
    """The scheme that *words* name, the best if there are several; empty if they name none."""
    named = {word for one in words for word in SCHEME_WORDS.findall(one.lower())}
    return next((scheme for scheme in (*PREFERRED, *OTHER_SCHEMES) if scheme in named), "")


def _typed(text: str, rest: Sequence[str], options: Sequence[str]) -> Row | None:
    """``type address port user password``, as proxychains has them."""
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
    """An address and its port, in one column or in two or with a colon to the next, and what is remarked of them."""
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

    A login has two columns. Two of which one is a country or a scheme, and the other a word of the kind, are none; nor
    are more that begin so.
    """
    is_sure = len(columns) < LOGIN or any(map(_is_sure, columns[:LOGIN]))
    return is_sure and all(map(_is_remark, columns if len(columns) <= LOGIN else columns[:1]))


def _is_sure(column: str) -> bool:
    is_scheme = column.lower() in SCHEMES or column.lower() in OTHER_SCHEMES
    return is_scheme or COUNTRY.fullmatch(column) is not None or SPYS.fullmatch(column) is not None


def _is_remark(column: str) -> bool:
    return _is_sure(column) or column.lower() in WORDS
