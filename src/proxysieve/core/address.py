"""One line of text into a proxy."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from proxysieve.core.model import Proxy
from proxysieve.errors import ConfigError

SCHEMES = ("http", "https", "socks5", "socks5h")
EXPECTED = "expected scheme://user:password@host:port (http, https, socks5 or socks5h) or host:port"


def parse_proxy(line: str) -> Proxy:
    """The proxy that *line* names: ``scheme://user:password@host:port``, or ``host:port`` for http.

    Raises:
        ConfigError: The line is no proxy. The message does not repeat it, as it may hold a password.
    """
    text = line.strip()
    # urlsplit drops line breaks and tabs silently, and with them the difference to what was meant.
    if not text.isprintable() or not text or " " in text:
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
    )
