"""Which site a URL belongs to: the scope of a block."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from publicsuffixlist import PublicSuffixList

from proxysieve.core.urls.hosts import letters_of
from proxysieve.core.urls.parsing import DEFAULT_PORTS, place_of
from proxysieve.errors import ConfigError

# These are never part of a host and a port.
NO_PLACE = re.compile(r"[/\\?#@]")


# A fetch asks for the site of its URL several times.
@lru_cache(maxsize=4096)
def site_of(url: str) -> str:
    """The registrable domain of *url*; if it has none, as an IP address has none, its host and port.

    The host is spelled as for a connection (:func:`~proxysieve.core.urls.parsing.place_of`): in lower case and ASCII,
    without a final dot and the scheme's own port. So all spellings of a URL give one site.

    Raises:
        ConfigError: The URL is not http or https with a host.
    """
    place = place_of(url)
    return registrable(place.host) or place.authority


def site_or_none(url: str) -> str:
    """The same for URLs that a page asks for; empty if the URL belongs to no site."""
    try:
        return site_of(url)
    except ConfigError:
        return ""


def respelled(site: str) -> str:
    """*site* in today's spelling if it is a host in another one; else unchanged."""
    try:
        return site if NO_PLACE.search(site) else place_of(f"http://{site}").authority
    except ConfigError:
        return site


def former_names(site: str) -> list[str]:
    """The names that stores of earlier versions may have for *site*: with other letters and with ports, as in URLs."""
    name = letters_of(site).replace("[", "").replace("]", "")
    is_with_port = ":" in site and not site.endswith("]")
    ports = [] if is_with_port or registrable(site) else DEFAULT_PORTS.values()
    return [one for one in (name, *(f"{name}:{port}" for port in ports)) if one != site]


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


# Cookies can bring any number of names.
@lru_cache(maxsize=4096)
def registrable(host: str) -> str:
    """The registrable domain of *host*; empty if it has none, as a public suffix or an IP address."""
    # The last label of an IP address is a number. No public suffix is one.
    is_name = not host.rpartition(".")[2].isdigit() and ":" not in host
    return (_suffixes().privatesuffix(host) or "") if is_name else ""
