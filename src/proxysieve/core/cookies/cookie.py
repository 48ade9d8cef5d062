"""A cookie that is kept, and who may set it."""

from __future__ import annotations

from dataclasses import dataclass

from proxysieve.core.cookies.header import CONTROLS, MOST_BYTES, SetCookie, is_pair
from proxysieve.core.cookies.scope import CookiePlace, Registrable, allowed_domain, default_path

# RFC 6265bis, 5.5.
LONGEST_LIFE_SECONDS = 400 * 86_400
# What a name that begins so promises (RFC 6265bis, 4.1.3; those of HTTP are Chrome's).
SECURE, HOST, HTTP = "secure", "host", "http"
PREFIXES = {
    "__secure-": {SECURE},
    "__host-http-": {SECURE, HOST, HTTP},
    "__host-": {SECURE, HOST},
    "__http-": {SECURE, HTTP},
}
# Methods that change nothing, by which a page of another site may lead here (RFC 9110, 9.2.1).
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

# Domain, path and name, by which browsers tell cookies apart.
Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """A cookie as it is kept.

    Attributes:
        name: May be empty.
        domain: The host that it is for; with a dot before it, for all hosts below as well.
        expires: Unix seconds; None if that is with the browser's session.
        same_site: ``Strict``, ``Lax`` or ``None``; empty if nothing was said, which is as ``Lax``.
    """

    name: str
    value: str
    domain: str
    path: str = "/"
    expires: int | None = None
    secure: bool = False
    http_only: bool = False
    same_site: str = ""

    @property
    def key(self) -> Key:
        """By what it is told from others."""
        return self.domain, self.path, self.name

    @property
    def pair(self) -> str:
        """As it stands in a ``Cookie`` header."""
        return f"{self.name}={self.value}" if self.name else self.value

    def is_expired(self, now: float) -> bool:
        """Whether it is over at *now*."""
        return self.expires is not None and self.expires <= now

    def goes_across(self, method: str) -> bool:
        """Whether it goes along where another site's page leads here by *method* (RFC 6265bis, 5.8.3)."""
        return self.same_site == "None" or (self.same_site != "Strict" and method.upper() in SAFE_METHODS)

    def __repr__(self) -> str:
        # Its value is as good as a password.
        return f"<Cookie {self.name!r} of {self.domain}{self.path}>"


def cookie_from(said: SetCookie, place: CookiePlace, now: float, registrable: Registrable) -> Cookie | None:
    """The cookie that *place* sets by what it *said* at *now*, in Unix seconds; None if browsers refuse it."""
    domain = allowed_domain(said.domain, place.host, registrable)
    path = said.path if said.path.startswith("/") else default_path(place.path)
    if domain is None or not _is_plain(path) or (said.secure and not place.is_secure):
        return None
    # So Chrome (https://chromestatus.com/feature/5633521622188032).
    if said.same_site == "None" and not said.secure:
        return None
    cookie = Cookie(
        name=said.name,
        value=said.value,
        domain=domain,
        path=path,
        expires=_expiry(said, now),
        secure=said.secure,
        http_only=said.http_only,
        same_site=said.same_site,
    )
    # For a prefix, the path must have been named, and not only be what it would be without.
    return cookie if _keeps_promise(cookie, has_root_path=said.path == "/") else None


def _expiry(said: SetCookie, now: float) -> int | None:
    latest = int(now) + LONGEST_LIFE_SECONDS
    if said.max_age is not None:
        return min(int(now) + said.max_age, latest) if said.max_age > 0 else 0
    return None if said.expires is None else min(said.expires, latest)


def is_keepable(cookie: Cookie) -> bool:
    """Whether a browser could have *cookie*, whoever it came from."""
    return (
        is_pair(cookie.name, cookie.value)
        and bool(cookie.domain.removeprefix("."))
        and _is_plain(cookie.domain)
        and _is_plain(cookie.path)
        and cookie.path.startswith("/")
        and _keeps_promise(cookie, has_root_path=cookie.path == "/")
    )


def _is_plain(text: str) -> bool:
    # A URL's path, and with it the one of a cookie that names none, may have any length.
    return len(text) <= MOST_BYTES and text.isascii() and not CONTROLS.search(text)


def _keeps_promise(cookie: Cookie, *, has_root_path: bool) -> bool:
    if not cookie.name:
        # On its way back it would look like one that has the name.
        return not cookie.value.lower().startswith(tuple(PREFIXES))
    name = cookie.name.lower()
    promised = next((promised for prefix, promised in PREFIXES.items() if name.startswith(prefix)), set())
    return (
        (SECURE not in promised or cookie.secure)
        and (HOST not in promised or (has_root_path and not cookie.domain.startswith(".")))
        and (HTTP not in promised or cookie.http_only)
    )
