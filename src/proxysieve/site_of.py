"""Which site a URL belongs to: the scope in which a ban holds."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from publicsuffixlist import PublicSuffixList

from proxysieve.core.urls.hosts import letters_of
from proxysieve.core.urls.parsing import DEFAULT_PORTS, place_of
from proxysieve.errors import ConfigError

# What stands in no name of a host and its port.
NO_PLACE = re.compile(r"[/\\?#@]")


# A URL's site is asked for a handful of times while it is fetched.
@lru_cache(maxsize=4096)
def site_of(url: str) -> str:
    """The registrable domain of *url*; where there is none, as for an address, its host and port.

    It is the host's name as it is connected to (:func:`~proxysieve.core.urls.parsing.place_of`), so that
    however a URL spells it, there is one site: in lower case and ASCII, without a final dot and the scheme's own port.

    Raises:
        ConfigError: The URL is not one of http or https with a host.
    """
    place = place_of(url)
    return registrable(place.host) or place.authority


def site_or_none(url: str) -> str:
    """The same for what a page asks for, which may be anything; empty if it can be asked for at no site."""
    try:
        return site_of(url)
    except ConfigError:
        return ""


def respelled(site: str) -> str:
    """*site* by the name that it has today, where it is that of a host in another spelling; else as it is."""
    try:
        return site if NO_PLACE.search(site) else place_of(f"http://{site}").authority
    except ConfigError:
        return site


def former_names(site: str) -> list[str]:
    """What stores of an earlier version may call *site*: they kept the alphabet and the ports that URLs had."""
    name = letters_of(site).replace("[", "").replace("]", "")
    is_with_port = ":" in site and not site.endswith("]")
    ports = [] if is_with_port or registrable(site) else DEFAULT_PORTS.values()
    return [one for one in (name, *(f"{name}:{port}" for port in ports)) if one != site]


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
