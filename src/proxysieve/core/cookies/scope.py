"""Where cookies come from and go to: hosts, paths, and whether nobody listens on the way."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from proxysieve.core.urls.hosts import is_loopback

# Tells the registrable domain of a host; empty where there is none, as of a public suffix, an address or half of one.
Registrable = Callable[[str], str]

HOST = r"\[[0-9a-f:.]+\]|[0-9a-z_.-]+"
URL = re.compile(rf"(https?)://(?:[^/?#]*@)?({HOST})(?::[0-9]*)?(?![^/?#])([^?#]*)", re.IGNORECASE)
PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True, slots=True)
class CookiePlace:
    """Where a request goes, as far as cookies ask.

    Attributes:
        host: In small letters.
        path: As in the URL, without the query; it begins with a slash.
        is_secure: Whether cookies with ``Secure`` come and go: by HTTPS, or on this machine, as in Chrome and Firefox
            (Chromium, net/cookies/cookie_util.cc, ``ProvisionalAccessScheme``).
    """

    host: str
    path: str
    is_secure: bool


def cookie_place(url: str) -> CookiePlace | None:
    """Where a request of *url* goes; None if it is none of http or https with a host."""
    found = URL.match(url)
    if found is None:
        return None
    host = found[2].lower()
    is_secure = len(found[1]) > len("http") or is_loopback(host)
    return CookiePlace(host, quote(found[3], safe=PRINTABLE, errors="replace") or "/", is_secure)


def default_path(path: str) -> str:
    """The path of a cookie that names none, from the *path* of its URL (RFC 6265bis, 5.1.4)."""
    return path[: path.rfind("/")] or "/"


def path_matches(path: str, cookie_path: str) -> bool:
    """Whether a cookie of *cookie_path* goes to *path* (RFC 6265bis, 5.1.4)."""
    if not path.startswith(cookie_path):
        return False
    return len(path) == len(cookie_path) or cookie_path.endswith("/") or path[len(cookie_path)] == "/"


def domain_matches(host: str, domain: str) -> bool:
    """Whether a cookie of *domain* goes to *host*: with a dot before it, to all hosts below as well."""
    return host == domain or (domain.startswith(".") and (host == domain[1:] or host.endswith(domain)))


def allowed_domain(domain: str, host: str, registrable: Registrable) -> str | None:
    """The domain of a cookie for which *host* asks by *domain*, with a dot before it if it is for all hosts below.

    None if the host may not set it. Nobody may set cookies for a public suffix or by halves of an address; who has
    such a name itself gets one for itself alone (RFC 6265bis, 5.7).
    """
    if not domain:
        return host
    if domain == host and not registrable(host):
        return host
    is_allowed = domain_matches(host, f".{domain}") and registrable(domain)
    return f".{domain}" if is_allowed else None
