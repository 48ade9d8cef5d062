"""One line of text into a proxy."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from proxysieve.core.model import Proxy
from proxysieve.errors import ConfigError

SCHEMES = ("http", "https", "socks5", "socks5h")
EXPECTED = (
    "expected scheme://user:password@host:port (http, https, socks5 or socks5h) or host:port, "
    "and behind it at most a blank and cost=NUMBER"
)
# An unknown key of this form is a slip of the pen; whatever else may be a piece of a password.
HARMLESS_KEY = re.compile(r"[a-z_]{1,20}")


def parse_proxy(line: str) -> Proxy:
    """The proxy that *line* names: ``scheme://user:password@host:port``, or ``host:port`` for http.

    What a request through it costs may follow, behind a blank: ``host:port cost=20``.

    Raises:
        ConfigError: The line is no proxy. The message does not repeat it, as it may hold a password.
    """
    text, _, behind = line.strip().partition(" ")
    # urlsplit drops line breaks and tabs silently, and with them the difference to what was meant. An @ behind
    # a blank is the end of credentials with a blank in them.
    if not text or not text.isprintable() or not behind.isprintable() or "@" in behind:
        raise ConfigError(f"not a proxy: {EXPECTED}")
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"not a proxy, its host or port cannot be read: {EXPECTED}") from None
    if parts.scheme not in SCHEMES:
        raise ConfigError(f"not a proxy, unknown scheme {parts.scheme!r}: {EXPECTED}")
    if not host or not port:
        raise ConfigError(f"not a proxy, it lacks a {'port' if host else 'host'}: {EXPECTED}")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ConfigError(f"not a proxy, something follows the port: {EXPECTED}")
    return Proxy(
        scheme=parts.scheme,
        host=host,
        port=port,
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        cost=_cost(behind.split()),
    )


def _cost(words: Iterable[str]) -> float:
    """The cost among the ``key=value`` *words* behind an address, 1 if there is none."""
    options: dict[str, str] = {}
    for word in words:
        key, is_option, value = word.partition("=")
        if not is_option:
            raise ConfigError(f"not a proxy, something follows the address: {EXPECTED}")
        if key != "cost":
            shown = f" {key!r}" if HARMLESS_KEY.fullmatch(key) else ""
            raise ConfigError(f"not a proxy, an unknown key{shown} follows the address: {EXPECTED}")
        if key in options:
            raise ConfigError(f"not a proxy, its {key} is given twice: {EXPECTED}")
        options[key] = value
    try:
        cost = float(options.get("cost", "1"))
    except ValueError:
        cost = math.nan
    if not (math.isfinite(cost) and cost > 0):
        raise ConfigError(f"not a proxy, its cost is no positive finite number: {EXPECTED}")
    return cost
