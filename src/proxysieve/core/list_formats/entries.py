"""Turns named fields of tables, JSON and YAML into a proxy.

Publishers use different names for the same field. The names here come from lists of Geonode, ProxyScrape,
Proxifly, Webshare, PubProxy, GimmeProxy, monosans, proxy_pool, fate0, Clash, sing-box, and Playwright's settings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from proxysieve.core.list_formats.address import check_scheme, parse_proxy
from proxysieve.core.list_formats.columns import OTHER_SCHEMES, SCHEMES, WORDS, scheme_of
from proxysieve.core.model import Proxy
from proxysieve.core.urls.hosts import address_of
from proxysieve.errors import ConfigError

# The first ones win. Names are compared without anything but letters and digits.
HOSTS = ("ip", "host", "hostname", "server", "ipaddress", "proxyaddress", "addr", "address", "proxyip", "proxyhost")
PORTS = ("port", "proxyport", "serverport")
WHOLES = ("proxy", "proxyurl", "url", "uri", "ipport", "hostport", "proxyserver", "proxystring")
TYPES = ("protocol", "protocols", "scheme", "schema", "type", "types", "proxytype", "proto")
USERS = ("username", "user", "login", "proxyusername", "proxyuser", "authuser")
PASSWORDS = ("password", "pass", "passwd", "pwd", "proxypassword", "proxypass", "authpass")
# HideMyName has a field for each. "https" there means a proxy that is spoken to in HTTP, for HTTPS sites.
FLAGS = {
    "http": "http", "https": "http", "ssl": "http", "socks4": "socks4", "socks4a": "socks4a", "socks5": "socks5",
    "socks5h": "socks5h",
}  # fmt: skip
HOLDS = {
    **dict.fromkeys(("1", "true", "yes", "y", "on", "+"), True),
    **dict.fromkeys(("0", "false", "no", "n", "off", "-"), False),
}
# Fields that may contain the others.
NESTED = ("proxy", "proxyinfo", "auth", "credentials")
# Other known types, so they are no typing errors.
OTHER_TYPES = frozenset({
    *OTHER_SCHEMES, "anytls", "hysteria", "hysteria2", "juicity", "mieru", "naive", "shadowsocks", "shadowtls", "snell",
    "ssr", "tor", "tuic", "wireguard",
})  # fmt: skip
# In some lists, the type says how anonymous a proxy is, or who owns its address.
OTHER_KINDS = WORDS | {"datacenter", "dedicated", "isp", "mobile", "residential", "rotating", "shared", "static"}
ODD_LETTERS = re.compile("[^a-z0-9]")
EXPECTED = "expected a host and a port, or an address such as http://user:password@host:port"


class OtherTypeError(ConfigError):
    """A proxy of a type that is not supported.

    Attributes:
        type: The type if it is a known one; else empty.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(f"not a proxy, its type {f'{kind} ' if kind else ''}is none of {', '.join(SCHEMES)}")
        self.type = kind


def plain_name(name: str) -> str:
    """The *name* of a field, as the tables above write it."""
    return ODD_LETTERS.sub("", name.lower())


def is_entry(fields: Mapping[str, Any]) -> bool:
    """Whether *fields* name a host, so that they may be a proxy."""
    names = {plain_name(name) for name in fields}
    has_place = not names.isdisjoint(HOSTS) and not names.isdisjoint(PORTS)
    return has_place or not names.isdisjoint((*WHOLES, "server"))


def proxy_of(fields: Mapping[str, Any]) -> Proxy:
    """The proxy that *fields* describe.

    Raises:
        OtherTypeError: Its type is not supported.
        ConfigError: They name no proxy, or two. The message repeats none of them.
    """
    known = _known(fields)
    scheme = _scheme(known)
    user, password = _text(known, USERS, "user"), _text(known, PASSWORDS, "password")
    apart, whole = _apart(known), _whole(known, scheme)
    if whole and apart and (whole.host, whole.port) != apart:
        raise _refused("it names two addresses")
    if whole and (user or password):
        if (whole.username or whole.password) and (whole.username, whole.password) != (user, password):
            raise _refused("it names two logins")
        apart, scheme, whole = (whole.host, whole.port), whole.scheme, None
    if whole:
        return whole
    if not apart:
        raise _refused("it names no host and port that can be used")
    host, port = apart
    return Proxy(scheme=scheme or "http", host=host, port=port, username=user, password=password)


def _refused(why: str) -> ConfigError:
    return ConfigError(f"not a proxy, {why}: {EXPECTED}")


def _known(fields: Mapping[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for name, value in fields.items():
        plain = plain_name(name)
        if plain in NESTED and isinstance(value, Mapping):
            known |= {plain_name(inner): one for inner, one in value.items()}
        elif value not in (None, ""):
            known.setdefault(plain, value)
    return known


def _scheme(known: Mapping[str, Any]) -> str:
    """The scheme; empty if the fields do not say it."""
    words = [word for name in TYPES for word in _words(known.get(name))] or _flagged(known)
    words = [word for word in words if word.lower() not in OTHER_KINDS]
    scheme = scheme_of(words)
    if words and scheme not in SCHEMES:
        named = {word.lower() for word in words}
        raise OtherTypeError(next((kind for kind in sorted(OTHER_TYPES) if kind in named), ""))
    if str(known.get("tls")).lower() == "true":
        if scheme not in {"http", "https"}:
            raise OtherTypeError("")
        return "https"
    return scheme


def _flagged(known: Mapping[str, Any]) -> list[str]:
    """The types that have fields of their own with the value true."""
    said = {name: str(known[name]).lower() for name in FLAGS if name in known}
    if not any(name.startswith("socks") for name in said) or not HOLDS.keys() >= set(said.values()):
        return []
    return [FLAGS[name] for name, word in said.items() if HOLDS[word]] or ["?"]


def _words(value: object) -> Iterable[str]:
    """The words in *value*: one, a list, or names with true and false."""
    if isinstance(value, str):
        return value.split()
    if isinstance(value, Mapping):
        return [str(name) for name, holds in value.items() if holds]
    if isinstance(value, list):
        return [word for one in value for word in _words_of_one(one)]
    return [] if value is None else ["?"]


def _words_of_one(one: object) -> Iterable[str]:
    kind = one.get("type") if isinstance(one, Mapping) else one
    return kind.split() if isinstance(kind, str) else ["?"]


def _text(known: Mapping[str, Any], names: Iterable[str], what: str) -> str:
    value = next((known[name] for name in names if name in known), "")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _refused(f"its {what} is no text")
    return str(value)


def _apart(known: Mapping[str, Any]) -> tuple[str, int] | None:
    """Host and port, if they have fields of their own."""
    port = next((known[name] for name in PORTS if name in known), "")
    host = next((known[name] for name in HOSTS if isinstance(known.get(name), str)), "").strip()
    if isinstance(port, bool) or not isinstance(port, str | int) or len(str(port)) > len("65535"):
        return None
    in_brackets = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return address_of(f"{in_brackets}:{str(port).strip()}")


def _whole(known: Mapping[str, Any], scheme: str) -> Proxy | None:
    """The proxy whose whole address is in one field; None if no field has one."""
    for name in (*WHOLES, *HOSTS):
        text = known.get(name)
        if not isinstance(text, str) or ":" not in text:
            continue
        try:
            proxy = parse_proxy(text if "://" in text or not scheme else f"{scheme}://{text}")
        except ConfigError:
            # The field may also hold the address of a web page about the proxy.
            continue
        if scheme and {proxy.scheme, scheme} not in ({scheme}, {"http", "https"}, {"socks5", "socks5h"}):
            raise _refused("it names two types")
        check_scheme(proxy.scheme)
        return proxy
    return None
