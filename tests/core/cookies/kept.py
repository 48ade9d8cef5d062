"""A store of cookies for tests: what is sent after what was set."""

from __future__ import annotations

from proxysieve.core.cookies.store import Cookies
from proxysieve.site_of import registrable

# Monday, 30 November 2026, 00:00:00 GMT.
NOW = 1_796_000_000.0 - 1_796_000_000.0 % 86_400
PAGE = "https://www.shop.example/cookies/attributes/page.html"


def after(*headers: str, at: str = PAGE, now: float = NOW) -> Cookies:
    """The store after an answer with these ``Set-Cookie`` headers."""
    cookies = Cookies(registrable)
    cookies.take(at, headers, now)
    return cookies


def header(
    cookies: Cookies, to: str = PAGE, *, now: float = NOW, method: str = "GET", is_same_site: bool = True
) -> str:
    """The ``Cookie`` header of a request."""
    return "; ".join(one.pair for one in cookies.matching(to, now, method=method, is_same_site=is_same_site))


def sent(*headers: str, at: str = PAGE, to: str = "", now: float = NOW) -> str:
    """What a request sends back of these headers, to the same page if not *to* another."""
    return header(after(*headers, at=at), to or at, now=now)
