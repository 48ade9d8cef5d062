"""Which site a URL belongs to: the scope in which a ban holds."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from urllib.parse import urlsplit

from publicsuffixlist import PublicSuffixList

from proxysieve.errors import ConfigError

# Names of hosts have 253 letters; a user and a password may come before it. To normalise some of 64 KB takes seconds.
LONGEST_AUTHORITY = 2_048
# A port takes one; a line of a proxy list takes three.
MANY_COLONS = 3
MOST_SHOWN = 100
A_SCHEME = re.compile(r"https?://|data:", re.IGNORECASE)
OF_LISTS = re.compile(r"[\s,;|=]")


# A URL's site is asked for a handful of times while it is fetched.
@lru_cache(maxsize=4096)
def site_of(url: str) -> str:
    """The registrable domain of *url*; where there is none, as for an address, its host and port.

    Raises:
        ConfigError: The URL is not one of http or https with a host.
    """
    if len(url.partition("://")[2].partition("/")[0]) > LONGEST_AUTHORITY:
        raise ConfigError(f"not a URL: its host has more than {LONGEST_AUTHORITY:,} letters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"{_not_a_url(url)}: its host or port cannot be read") from None
    if parts.scheme not in {"http", "https"} or not host or " " in host:
        raise ConfigError(f"{_not_a_url(url)}: expected http://… or https://…")
    domain = registrable(host)
    if domain:
        return domain
    return f"{host}:{port}" if port else host


def _not_a_url(text: str) -> str:
    # Whoever mistakes one list for the other shows us proxies with their passwords.
    # Tables of those, cookies and settings have blanks, separators or an = in their lines.
    is_harmless = (
        "@" not in text
        and (A_SCHEME.match(text) or not OF_LISTS.search(text))
        and ("[" in text or text.count(":") < MANY_COLONS)
    )
    shown = text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 1]}\N{HORIZONTAL ELLIPSIS}"
    return f"not a URL: {shown!r}" if is_harmless else "not a URL"


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


# Cookies bring any number of names.
@lru_cache(maxsize=4096)
def registrable(host: str) -> str:
    """The registrable domain of *host*; empty where there is none, as of a public suffix, an address or half of one."""
    # The last label of an address is a number, which no public suffix is.
    is_name = not host.rpartition(".")[2].isdigit() and ":" not in host
    return (_suffixes().privatesuffix(host) or "") if is_name else ""
