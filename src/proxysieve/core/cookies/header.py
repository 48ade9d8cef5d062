"""A ``Set-Cookie`` header into what it says (RFC 6265bis, 5.6), in time that grows with its length alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

from proxysieve.core.cookies.dates import cookie_date

# A tab is none of those by which a whole header is refused.
CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# Of name and value together, and of the value of an attribute (RFC 6265bis, 5.6).
MOST_BYTES = 4_096
MOST_ATTRIBUTE_BYTES = 1_024
BLANKS = " \t"
SECONDS = re.compile(r"-?[0-9]+")
SAME_SITES = {"strict": "Strict", "lax": "Lax", "none": "None"}


@dataclass(slots=True, kw_only=True)
class SetCookie:
    """What a header says of a cookie, wherever it came from.

    Attributes:
        domain: In small letters, without the dot before it; empty if it names none.
        path: As it stands there; empty if it names none.
        max_age: Seconds; None if it does not say so.
        expires: Unix seconds, likewise.
        same_site: ``Strict``, ``Lax`` or ``None``; empty if it says nothing that is known.
    """

    name: str
    value: str
    domain: str = ""
    path: str = ""
    max_age: int | None = None
    expires: int | None = None
    secure: bool = False
    http_only: bool = False
    same_site: str = ""


def parse_set_cookie(header: str) -> SetCookie | None:
    """What the value of a ``Set-Cookie`` header says; None if browsers ignore it."""
    if CONTROLS.search(header):
        return None
    pair, *attributes = header.split(";")
    name, equals, value = pair.partition("=")
    if not equals:
        # A cookie without a name.
        name, value = "", pair
    cookie = SetCookie(name=name.strip(BLANKS), value=value.strip(BLANKS))
    if not is_pair(cookie.name, cookie.value):
        return None
    for attribute in attributes:
        key, _, value = attribute.partition("=")
        value = value.strip(BLANKS)
        if len(value) <= MOST_ATTRIBUTE_BYTES:
            _note(cookie, key.strip(BLANKS).lower(), value)
    return cookie


def is_pair(name: str, value: str) -> bool:
    """Whether *name* and *value* may be a cookie's: something, sendable, and not too long."""
    both = name + value
    return 0 < len(both) <= MOST_BYTES and not CONTROLS.search(both) and ";" not in both and "=" not in name


def _note(cookie: SetCookie, key: str, value: str) -> None:
    """Take an attribute over; of several that can be read, the last counts."""
    match key:
        case "domain":
            # Empty ones count for nothing (web-platform-tests, cookies/attributes/domain).
            cookie.domain = value.removeprefix(".").lower() if value else cookie.domain
        case "path":
            cookie.path = value
        case "max-age":
            cookie.max_age = int(value) if SECONDS.fullmatch(value) else cookie.max_age
        case "expires":
            moment = cookie_date(value)
            cookie.expires = cookie.expires if moment is None else moment
        case "secure":
            cookie.secure = True
        case "httponly":
            cookie.http_only = True
        case "samesite":
            cookie.same_site = SAME_SITES.get(value.lower(), "")
        case _:
            pass
