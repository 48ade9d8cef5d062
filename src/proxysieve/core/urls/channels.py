"""What a browser says of itself depends on who can overhear it, and on the version of HTTP."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from proxysieve.core.fingerprints.families import ACCEPT_ENCODING
from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.urls.hosts import is_loopback
from proxysieve.core.urls.parsing import place_of

# By TLS alone: a browser that can have HTTP/2 names the priority of a page, and Firefox that it takes trailers. libcurl
# sends a connection's header in HTTP/1.1 only, as browsers do.
OF_TLS = MappingProxyType(
    {
        "chrome": {"Connection": "keep-alive", "Priority": "u=0, i"},
        "firefox": {"Connection": "keep-alive", "TE": "trailers"},
        "safari": {"Connection": "keep-alive"},
    }
)
# What libcurl leaves out without TLS, of what a family sends otherwise.
NOT_WITHOUT_TLS = MappingProxyType({"safari": {"Priority"}})


class Channel(enum.Enum):
    """How a request goes to a site."""

    TLS = "nobody can overhear it"
    LOCAL = "without TLS, but within this machine"
    CLEAR = "anybody on the way can overhear it"


def channel_of(url: str) -> Channel:
    """By which way *url* is asked for, as browsers see it.

    Raises:
        ConfigError: It cannot be asked for.
    """
    if url.startswith("https:"):
        return Channel.TLS
    place = place_of(url)
    if place.scheme == "https":
        return Channel.TLS
    return Channel.LOCAL if is_loopback(place.host) else Channel.CLEAR


@lru_cache(maxsize=256)
def headers_over(fingerprint: Fingerprint, channel: Channel) -> Mapping[str, str]:
    """What *fingerprint* sends with a request for a page, in its order, without cookies.

    In the clear, hints and what is fetched are not told (https://www.w3.org/TR/fetch-metadata/, 2;
    https://wicg.github.io/client-hints-infrastructure/, 4), and bodies are packed as ever.
    """
    headers = {**fingerprint.headers, "Accept-Encoding": ACCEPT_ENCODING}
    if channel is Channel.TLS:
        headers |= OF_TLS.get(fingerprint.family, {})
    else:
        headers = {name: headers[name] for name in headers if name not in NOT_WITHOUT_TLS.get(fingerprint.family, ())}
    if channel is Channel.CLEAR:
        headers = {name: value for name, value in headers.items() if not name.lower().startswith("sec-")}
        headers["Accept-Encoding"] = "gzip, deflate"
    return MappingProxyType({name: headers[name] for name in fingerprint.header_order() if name in headers} | headers)
