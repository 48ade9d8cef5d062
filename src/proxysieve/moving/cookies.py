"""Cookies that move: as a session's jar keeps them, and as other tools store them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable

import msgspec

from proxysieve.core.cookies.encoding import to_wire
from proxysieve.core.cookies.header import CONTROLS, MOST_BYTES, SAME_SITES
from proxysieve.core.urls.hosts import ascii_name
from proxysieve.errors import ConfigError
from proxysieve.sessions.cookie_file import PORT, cookies_at
from proxysieve.sessions.storage import CookieRecord, cookie_of

ADDRESS = re.compile(r"[\d.]+|.*:.*")
OTHERS = "they belong to other sites"
TOO_LONG = f"they are longer than {MOST_BYTES:,} bytes, which no browser keeps"


def make_cookie(
    name: str,
    value: str,
    domain: str,
    *,
    is_host_only: bool,
    path: str,
    secure: bool,
    expires: float | None,
    http_only: bool = False,
    same_site: str | None = None,
) -> CookieRecord:
    """The cookie for *domain*, and for all domains below it unless it is *is_host_only*.

    Raises:
        ConfigError: No browser would keep it.
    """
    written = domain.lstrip(".").lower()
    host = ascii_name(written) or written
    cookie = CookieRecord(
        name=name,
        value=value,
        domain=host if is_host_only or not host else f".{host}",
        domain_specified=not is_host_only,
        domain_initial_dot=not is_host_only,
        path=path or "/",
        secure=secure,
        expires=None if expires is None else int(expires),
        discard=expires is None,
        http_only=http_only,
        same_site=SAME_SITES.get((same_site or "").lower(), ""),
    )
    check_cookie(cookie)
    return cookie


def settle(cookie: CookieRecord, site: str) -> CookieRecord:
    """*cookie*; if it names no domain, as one of *site*."""
    if cookie.domain:
        return cookie
    host = PORT.sub("", site)
    is_host_only = ADDRESS.fullmatch(host) is not None
    return msgspec.structs.replace(
        cookie,
        domain=host if is_host_only else f".{host}",
        domain_specified=not is_host_only,
        domain_initial_dot=not is_host_only,
    )


def sift(
    cookies: Iterable[CookieRecord], site: str, site_of: Callable[[str], str]
) -> tuple[list[CookieRecord], Counter[str]]:
    """Those of *cookies* that a session of *site* may keep, and how many it may not, by the reason."""
    kept, left_out = [], Counter[str]()
    for cookie in cookies:
        if not cookies_at(site, [cookie_of(cookie)], site_of):
            left_out[OTHERS] += 1
        elif _byte_count(cookie.name, cookie.value or "") > MOST_BYTES or _byte_count(cookie.path) > MOST_BYTES:
            left_out[TOO_LONG] += 1
        else:
            kept.append(cookie)
    return kept, left_out


def _byte_count(*texts: str) -> int:
    return sum(len(to_wire(text)) for text in texts)


def check_cookie(cookie: CookieRecord) -> None:
    """Refuse a cookie that is not valid.

    Raises:
        ConfigError: It would break the header that it is sent in. The message leaves out its value, which is secret.
    """
    pair = cookie.name + (cookie.value or "")
    if not pair or ";" in pair or CONTROLS.search(pair + cookie.domain + cookie.path):
        raise ConfigError(f"the cookie {cookie.name[:40]!r} is not valid: it would break the header that it is sent in")
