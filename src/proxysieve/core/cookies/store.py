"""All cookies of one session, within browsers' limits.

They are kept apart by site, so that the requests of one site do not get slower with the cookies of others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from proxysieve.core.cookies.cookie import Cookie, Key, cookie_from, is_keepable
from proxysieve.core.cookies.header import parse_set_cookie
from proxysieve.core.cookies.scope import Registrable, cookie_place, domain_matches, path_matches

# Of a site, and what is left of them where there are more (Chromium, net/cookies/cookie_monster.h).
MOST_OF_SITE, LEFT_OF_SITE = 180, 150
# In all. Chrome lets there be a tenth more for a while.
MOST_COOKIES, LEFT_COOKIES = 3_000, 2_700
# Those used last are always kept, so that a cookie that was set now can be sent.
SAFE_COUNT = 50


@dataclass(slots=True)
class Kept:
    """A cookie with when it came and was used last, in a count of such moments."""

    cookie: Cookie
    came: int
    used: int


class Cookies:
    """The cookies of one session.

    Args:
        registrable: Tells the registrable domain of a host; empty for a public suffix, an address or half of one.
    """

    def __init__(self, registrable: Registrable) -> None:
        self._registrable = registrable
        self._sites: dict[str, dict[Key, Kept]] = {}
        self._count = 0
        self._moment = 0

    def take(self, url: str, headers: Iterable[str], now: float) -> None:
        """Do what the ``Set-Cookie`` *headers* of an answer of *url* say at *now*, in Unix seconds.

        Whether another site's page led there does not matter: a page in a window of its own may set all of its
        cookies (RFC 6265bis, 5.7).
        """
        place = cookie_place(url)
        if place is None:
            return
        for header in headers:
            said = parse_set_cookie(header)
            cookie = cookie_from(said, place, now, self._registrable) if said else None
            if cookie and (place.is_secure or not self._shadows_secure(cookie)):
                self._keep(cookie, now)

    def put(self, cookie: Cookie, now: float) -> bool:
        """Keep *cookie*, which does not come from a header; whether it is one that browsers keep."""
        is_kept = is_keepable(cookie)
        if is_kept:
            self._keep(replace(cookie, domain=self._settled(cookie.domain)), now)
        return is_kept

    def matching(self, url: str, now: float, *, method: str = "GET", is_same_site: bool = True) -> list[Cookie]:
        """The cookies that a request of *url* carries, in their order: long paths first, then those that came first.

        Args:
            url: Absolute, with a host in ASCII.
            now: Unix seconds.
            method: Of the request.
            is_same_site: Whether no other site led there, by a link or a redirect.
        """
        place = cookie_place(url) if self._sites else None
        if place is None:
            return []
        site = self._sites.get(self._site_of(place.host), {})
        self._drop([one for one in site.values() if one.cookie.is_expired(now)])
        found = [
            one
            for one in site.values()
            if domain_matches(place.host, one.cookie.domain)
            and path_matches(place.path, one.cookie.path)
            and (place.is_secure or not one.cookie.secure)
            and (is_same_site or one.cookie.goes_across(method))
        ]
        found.sort(key=lambda one: (-len(one.cookie.path), one.came))
        for one in found:
            one.used = self._next()
        return [one.cookie for one in found]

    def find(self, key: Key) -> Cookie | None:
        """The cookie with that *key*."""
        one = self._at(key)
        return one.cookie if one else None

    def remove(self, key: Key) -> bool:
        """Remove the cookie with that *key*; whether there was one."""
        one = self._at(key)
        self._drop([one] if one else [])
        return one is not None

    def remove_expired(self, now: float) -> None:
        """Remove what is over at *now*."""
        self._drop([one for one in self._all() if one.cookie.is_expired(now)])

    def __iter__(self) -> Iterator[Cookie]:
        """All of them, in the order in which they came."""
        return iter([one.cookie for one in sorted(self._all(), key=lambda one: one.came)])

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"<{self._count} cookies>"

    def _at(self, key: Key) -> Kept | None:
        domain, path, name = key
        return self._sites.get(self._site_of(domain), {}).get((self._settled(domain), path, name))

    def _settled(self, domain: str) -> str:
        """*domain* as a header would have set it: nothing is below an address or a public suffix."""
        return domain if self._registrable(domain.removeprefix(".")) else domain.removeprefix(".")

    def _site_of(self, domain: str) -> str:
        host = domain.removeprefix(".")
        return self._registrable(host) or host

    def _shadows_secure(self, cookie: Cookie) -> bool:
        """Whether *cookie*, which came without TLS, would be taken for one with ``Secure`` (RFC 6265bis, 5.7)."""
        host = cookie.domain.removeprefix(".")
        return any(
            one.cookie.secure
            and one.cookie.name == cookie.name
            and (domain_matches(host, f".{_host(one)}") or domain_matches(_host(one), f".{host}"))
            and path_matches(cookie.path, one.cookie.path)
            for one in self._sites.get(self._site_of(host), {}).values()
        )

    def _keep(self, cookie: Cookie, now: float) -> None:
        if cookie.is_expired(now):
            self.remove(cookie.key)
            return
        name = self._site_of(cookie.domain)
        site = self._sites.setdefault(name, {})
        old = site.get(cookie.key)
        moment = self._next()
        # Who comes again keeps its place in the order.
        site[cookie.key] = Kept(cookie, old.came if old else moment, moment)
        self._count += old is None
        if len(site) > MOST_OF_SITE:
            self._make_room(list(site.values()), MOST_OF_SITE, LEFT_OF_SITE, now)
        if self._count > MOST_COOKIES:
            self._make_room(list(self._all()), MOST_COOKIES, LEFT_COOKIES, now)

    def _make_room(self, kept: list[Kept], most: int, left: int, now: float) -> None:
        """Remove what is over and, if it is still too much, what was unused for longest; ``Secure`` ones last."""
        expired = [one for one in kept if one.cookie.is_expired(now)]
        self._drop(expired)
        living = [one for one in kept if not one.cookie.is_expired(now)]
        if len(living) > most:
            living.sort(key=lambda one: one.used)
            by_worth = sorted(living[:-SAFE_COUNT], key=lambda one: one.cookie.secure)
            self._drop(by_worth[: len(living) - left])

    def _drop(self, kept: list[Kept]) -> None:
        for one in kept:
            name = self._site_of(one.cookie.domain)
            del self._sites[name][one.cookie.key]
            self._count -= 1
            if not self._sites[name]:
                del self._sites[name]

    def _all(self) -> Iterator[Kept]:
        return (one for site in self._sites.values() for one in site.values())

    def _next(self) -> int:
        self._moment += 1
        return self._moment


def _host(one: Kept) -> str:
    return one.cookie.domain.removeprefix(".")
