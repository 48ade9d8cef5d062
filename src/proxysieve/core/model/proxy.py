"""A proxy, by its address."""

from __future__ import annotations

import math
import re
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any
from urllib.parse import quote

import msgspec

from proxysieve.errors import ConfigError

SESSION_PLACEHOLDER = "{session}"
# Letters that need no quoting in a URL, and addresses that need no parser: a regular expression takes a fraction of the
# time, and a list may have a million lines.
SAFE = re.compile(r"[A-Za-z0-9_.~-]*")
OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"


PLAIN_IPV4 = re.compile(rf"((?:{OCTET}\.){{3}}){OCTET}")


# RFC 1929: a byte says how long user and password are.
MOST_SOCKS_BYTES = 255
# Longer ones would not fit a line of a report.
LONGEST_NAME = 64


class Proxy(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """An address that requests can go through; another user or password makes another proxy.

    Attributes:
        scheme: ``http``, ``https``, ``socks5`` or ``socks5h``.
        username: In clear. ``{session}`` in it, or in the password, makes the proxy a gateway, which gives every
            session name its own exit.
        cost: Of a request, in any unit that is the same for all proxies of a list. Neither it nor those that follow
            make another proxy.
        name: What it is called wherever it is shown, instead of by its address; printable, without blanks and ``@``.
        ttl_seconds: How long the exit of a session can be trusted to be the same; 0 for as long as a session lives.
        max_in_flight: How many requests it carries at once, over all sessions and sites of the process; 0 for no limit.
        idle_seconds: After how long without a request a gateway provider gives a session's exit to somebody else; 0 for
            never.
        numbers: The range of the session names that a gateway provider takes, where they are numbers.
        key: A hash of the address, by which stores know the proxy. Derived, never passed in.
        network: The /24 (IPv4) or /48 (IPv6) of the exit, such as ``203.0.113.0/24``; empty where it is unknown:
            for a host name, and for a gateway provider. Derived, too.
        is_gateway: Whether session names choose the exit. Derived, too.

    Raises:
        ConfigError: One of the options is out of its range, or the login has letters in it that no client sends, or
            more than it can send. The message has no part of it.
    """

    scheme: str
    host: str
    port: int
    username: str = ""
    password: str = ""
    cost: float = 1.0
    name: str = ""
    ttl_seconds: float = 0.0
    max_in_flight: int = 0
    idle_seconds: float = 0.0
    numbers: tuple[int, int] | None = None
    key: str = ""
    # Stored, as every choice reads them.
    network: str = ""
    is_gateway: bool = False

    def __post_init__(self) -> None:
        if self.cost != 1.0 or self.name or self.ttl_seconds or self.max_in_flight:
            self._check_options()
        login = self.username + self.password
        if not (login.isascii() and login.isprintable() and len(login) <= MOST_SOCKS_BYTES):
            self._check_login()
        whole = self.url(SESSION_PLACEHOLDER).encode()
        msgspec.structs.force_setattr(self, "key", blake2b(whole, digest_size=8).hexdigest())
        if SESSION_PLACEHOLDER in self.username or SESSION_PLACEHOLDER in self.password:
            msgspec.structs.force_setattr(self, "network", "")
            msgspec.structs.force_setattr(self, "is_gateway", True)  # noqa: FBT003 - not ours
        else:
            msgspec.structs.force_setattr(self, "network", _network_of(self.host))
            msgspec.structs.force_setattr(self, "is_gateway", False)  # noqa: FBT003 - likewise

    def _check_options(self) -> None:
        if not (math.isfinite(self.cost) and self.cost > 0):
            raise ConfigError(f"the cost of a proxy is {self.cost!r}: expected a positive finite number")
        if self.name and (len(self.name) > LONGEST_NAME or not self.name.isprintable() or {" ", "@"} & set(self.name)):
            raise ConfigError(
                f"the name of a proxy: expected up to {LONGEST_NAME} printable characters, no blank, no @"
            )
        if not (math.isfinite(self.ttl_seconds) and self.ttl_seconds >= 0):
            raise ConfigError(f"the ttl_seconds of a proxy are {self.ttl_seconds!r}: expected a positive finite number")
        if self.max_in_flight < 0:
            raise ConfigError(
                f"the max_in_flight of a proxy is {self.max_in_flight!r}: expected a whole number above 0"
            )

    def _check_login(self) -> None:
        for part in (self.username, self.password):
            # libcurl refuses the control characters among them, and blames the request for it.
            if not part.isprintable():
                why = "a control or invisible character is in its user or password once % is decoded: remove it"
                raise ConfigError(f"not a proxy, {why}")
            if self.scheme.startswith("socks") and len(part.encode()) > MOST_SOCKS_BYTES:
                why = f"its user or password is longer than SOCKS can send ({MOST_SOCKS_BYTES} bytes): shorten it"
                raise ConfigError(f"not a proxy, {why}")

    @property
    def options(self) -> tuple[float, str, float, int]:
        """What is said of it beside its address."""
        return self.cost, self.name, self.ttl_seconds, self.max_in_flight

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Proxy) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def login(self, session: str = "") -> tuple[str, str]:
        """User and password in clear, *session* filled in: for a client, never for a log."""
        return (
            self.username.replace(SESSION_PLACEHOLDER, session),
            self.password.replace(SESSION_PLACEHOLDER, session),
        )

    def url(self, session: str = "") -> str:
        """The address with its credentials, *session* filled in: for a client, never for a log."""
        if not self.username and not self.password:
            return f"{self.scheme}://{self.address}"
        user, password = _quoted(self.username, session), _quoted(self.password, session)
        return f"{self.scheme}://{user}:{password}@{self.address}"

    @property
    def address(self) -> str:
        """Host and port, as URLs have them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        if self.name:
            return self.name
        # A username without a password is an API key (Zyte), and as secret as one.
        shown = f"{self.username}:***@" if self.password else "***@" if self.username else ""
        return f"{self.scheme}://{shown}{self.address}"

    def __repr__(self) -> str:
        return f"<Proxy {self}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # msgspec's own would show the password wherever rich prints the value.
        return [("address", str(self))]


def _quoted(part: str, session: str) -> str:
    # A placeholder is not safe.
    return part if SAFE.fullmatch(part) else quote(part.replace(SESSION_PLACEHOLDER, session), safe="")


def _network_of(host: str) -> str:
    usual = PLAIN_IPV4.fullmatch(host)
    if usual:
        return f"{usual[1]}0/24"
    try:
        # A list may have a million lines, and to refuse a name as an address takes several times as long as this test.
        address = ip_address(host) if ":" in host or host[-1:].isdigit() else None
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return f"{IPv6Address(int(address) >> 80 << 80)}/48"
        # Otherwise the whole of IPv4, written in this way, would be one /48.
        address = address.ipv4_mapped
    return f"{IPv4Address(int(address) >> 8 << 8)}/24" if address else ""
