"""What a redirect leads to: the rules of browsers, by which the built-in client follows.

https://fetch.spec.whatwg.org/#http-redirect-fetch says how far, by which method and with what body; the Referrer Policy
(https://www.w3.org/TR/referrer-policy/) what is told of where one came from.
"""

from __future__ import annotations

import msgspec

from proxysieve.core.model import Failure
from proxysieve.core.urls.hosts import is_private
from proxysieve.core.urls.parsing import AROUND, joined, place_of
from proxysieve.errors import ConfigError

STATUSES = frozenset({301, 302, 303, 307, 308})
# As browsers do; a chain that is longer goes in circles. One that comes back to where it was need not: it may have set
# a cookie there.
MOST_HOPS = 20
# How many servers read a POST that they moved, and so all browsers do.
TURN_POSTS = frozenset({301, 302})
SEE_OTHER = 303


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a chain of redirects, as far as a redirect changes it; the first one too.

    Attributes:
        url: With its fragment, which is inherited, and without a login that the redirect names.
        has_body: Whether a body is sent with it; if not, the headers about a body (``Content-*``) are not sent either.
        referer: The header to send; empty for none.
    """

    url: str
    method: str = "GET"
    has_body: bool = False
    referer: str = ""


def follow(asked: Hop, first_url: str, status: int, location: str, count: int) -> Hop | Failure | None:
    """What comes after an answer.

    Args:
        asked: The request that it answers.
        first_url: What the page was asked for at; it can be asked for, as *asked* can.
        status: Of the answer.
        location: The first of its headers ``Location`` that is not blank, its bytes as latin-1; empty without one.
        count: How many redirects were followed before.

    Returns:
        The next request; None if the answer is no redirect; or why it cannot be followed. One to a
        :func:`private place <proxysieve.core.urls.hosts.is_private>` is not, unless the page's own is one: it would be
        the proxy's network, or this machine's.
    """
    if status not in STATUSES or not location.strip(AROUND):
        return None
    url = joined(asked.url, location)
    if not url:
        return Failure.MISLED
    place = place_of(url)
    if is_private(place.host) and not is_private(place_of(first_url).host):
        return Failure.PRIVATE
    if count >= MOST_HOPS:
        return Failure.REDIRECTS
    method = _method(asked.method, status)
    return Hop(
        url=url,
        method=method,
        has_body=asked.has_body and method == asked.method,
        referer=_referer(asked.referer, url),
    )


def _method(method: str, status: int) -> str:
    is_turned = (status in TURN_POSTS and method == "POST") or (status == SEE_OTHER and method not in {"GET", "HEAD"})
    return "GET" if is_turned else method


def _referer(referer: str, url: str) -> str:
    """What of *referer* is told to *url*: all of it at its own origin, else the origin, and nothing without its TLS."""
    if not referer:
        return ""
    try:
        source, place = place_of(referer), place_of(url)
    except ConfigError:
        # What browsers do not send, and nobody but its writer knows whom it is for.
        return ""
    if source.origin == place.origin:
        return referer
    return f"{source.origin}/" if (source.scheme, place.scheme) != ("https", "http") else ""
