"""Which site a URL belongs to: the scope in which a ban holds."""

from __future__ import annotations

from functools import cache, lru_cache
from urllib.parse import urlsplit

from publicsuffixlist import PublicSuffixList

from proxysieve.errors import ConfigError


# A URL's site is asked for a handful of times while it is fetched.
@lru_cache(maxsize=4096)
def site_of(url: str) -> str:
    """The registrable domain of *url*; where there is none, as for an address, its host and port.

    Raises:
        ConfigError: The URL is not one of http or https with a host.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"not a URL: {url!r}: {error}") from None
    if parts.scheme not in {"http", "https"} or not host or " " in host:
        raise ConfigError(f"not a URL: {url!r}: expected http://… or https://…")
    domain = _registrable(host)
    if domain:
        return domain
    return f"{host}:{port}" if port else host


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


@cache
def _registrable(host: str) -> str:
    # The last label of an address is a number, which no public suffix is.
    is_name = not host.rpartition(".")[2].isdigit() and ":" not in host
    return (_suffixes().privatesuffix(host) or "") if is_name else ""
