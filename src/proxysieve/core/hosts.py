"""Hosts and ports as clients take them."""

from __future__ import annotations

import re
from ipaddress import IPv6Address

from proxysieve.core.model import PLAIN_IPV4

LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
NAME = re.compile(rf"(?:{LABEL}\.)*(?:{LABEL})\.?")
LONGEST_HOST = 253
# A name that ends so is an IPv4 address, or none.
NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\.?")
# Old and new IDNA make other names of these: ß, ς and what joins or parts letters.
TWO_NAMES = frozenset("ßẞς\u200c\u200d")
IPV6 = re.compile(r"\[([0-9A-Fa-f:.]+)(%[A-Za-z0-9._~-]+)?\]")
ADDRESS = re.compile(r"(\[[^\[\]]*\]|[^:@/?#\[\]]*):([0-9]+)")
MOST_PORTS = 65_535


def address_of(text: str) -> tuple[str, int] | None:
    """Host and port, if *text* is ``host:port``."""
    found = ADDRESS.fullmatch(text)
    if found is None or len(found[2]) > len(str(MOST_PORTS)):
        return None
    host, port = _host(found[1]), int(found[2])
    return (host, port) if host and 0 < port <= MOST_PORTS else None


def _host(text: str) -> str:
    """The host as clients take it; empty if *text* is none."""
    if PLAIN_IPV4.fullmatch(text):
        return text
    if text.startswith("["):
        return ipv6_of(text)
    name = text.lower()
    if not name.isascii():
        name = _ascii_name(name)
    if len(name) > LONGEST_HOST or not NAME.fullmatch(name) or NUMBER.fullmatch(name.rpartition(".")[2] or name):
        return ""
    return name


def ipv6_of(text: str) -> str:
    """The address in the brackets that *text* is; empty if it is none."""
    found = IPV6.fullmatch(text)
    try:
        return f"{found[1].lower()}{found[2] or ''}" if found and IPv6Address(found[1]) is not None else ""
    except ValueError:
        return ""


def _ascii_name(name: str) -> str:
    if TWO_NAMES & set(name) or len(name) > LONGEST_HOST:
        return ""
    try:
        return name.encode("idna").decode()
    except UnicodeError:
        return ""


def is_ip(text: str) -> bool:
    """Whether *text* is an address, with brackets if it is of IPv6."""
    return bool(PLAIN_IPV4.fullmatch(text) or ipv6_of(text))


def is_bare_ipv6(text: str) -> bool:
    """Whether *text* is an IPv6 address without its brackets, with or without a port."""
    return bool(ipv6_of(f"[{text}]") or ipv6_of(f"[{text.rpartition(':')[0]}]"))
