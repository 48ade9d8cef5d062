"""What belongs to a session but is stored apart from its record, as it may be large and changes on its own.

Cookies are kept apart from a browser's other storage: clients share them, whatever a session is sent with.
"""

from __future__ import annotations

from http.cookiejar import Cookie, CookieJar
from typing import Annotated, Any

import msgspec

from proxysieve.core.records import decode
from proxysieve.sessions.screens import BrowserWindow
from proxysieve.sessions.stdlib_cookies import HTTP_ONLY, LATIN_1, SAME_SITE, is_http_only

OWN_KINDS = ("cookies", "data", "browser")
# What clients put where http.cookiejar has no more than a question for it.
Flag = bool | int | str | None


class CookieRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What http.cookiejar wants to know of a cookie, without what no browser has kept for twenty years.

    Attributes:
        http_only: Whether scripts must not see it.
        same_site: When other sites' pages may send it: ``Strict``, ``Lax`` or ``None``; empty if nothing was said.
        latin_1: Whether its name and value are no UTF-8, so that each letter is a byte.
    """

    version: Annotated[int, msgspec.Meta(ge=0, le=2**31)] | None = 0
    name: str
    value: str | None
    domain: str
    domain_specified: Flag
    domain_initial_dot: Flag
    path: str = "/"
    path_specified: Flag = True
    secure: Flag = False
    expires: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    discard: Flag
    http_only: bool = False
    same_site: str = ""
    latin_1: bool = False


COOKIE_FIELDS = CookieRecord.__struct_fields__
PLAIN_FIELDS = tuple(name for name in COOKIE_FIELDS if name not in {"http_only", "same_site", "latin_1"})


class BrowserRecord(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a session in a real browser has beside its cookies.

    Attributes:
        window: The screen and the window that it has; None until it has a page.
        timezone: Where its clock is, such as ``Europe/Berlin``; empty for where this machine's is.
        origins: What sites keep in it (localStorage, IndexedDB), as Playwright's storage state has it.
    """

    window: BrowserWindow | None = None
    timezone: str = ""
    origins: list[dict[str, Any]] = []

    def __repr__(self) -> str:
        # What sites keep may hold login tokens.
        return (
            f"BrowserRecord(window={self.window!r}, timezone={self.timezone!r}, origins of {len(self.origins)} sites)"
        )


def check_storage(kind: str, saved: bytes) -> None:
    """Read a record of one of the :data:`OWN_KINDS`, to know that it can be read.

    Raises:
        msgspec.DecodeError: The record is damaged.
    """
    match kind:
        case "cookies":
            load_cookies(saved)
        case "browser":
            decode(saved, BrowserRecord)
        case _:
            decode(saved, dict[str, Any])


def dump_cookies(jar: CookieJar) -> bytes:
    """The cookies of *jar* as a record keeps them."""
    return msgspec.json.encode([_record_of(cookie) for cookie in jar])


def _record_of(cookie: Cookie) -> CookieRecord:
    same_site = cookie.get_nonstandard_attr(SAME_SITE)
    return CookieRecord(
        **{name: getattr(cookie, name) for name in PLAIN_FIELDS},
        http_only=is_http_only(cookie),
        same_site=same_site if isinstance(same_site, str) else "",
        latin_1=cookie.has_nonstandard_attr(LATIN_1),
    )


def load_cookies(saved: bytes) -> list[Cookie]:
    """The cookies that :func:`dump_cookies` saved, in the order in which they came.

    Raises:
        msgspec.DecodeError: The record is damaged.
    """
    return [cookie_of(kept) for kept in decode(saved, list[CookieRecord])]


def cookie_of(kept: CookieRecord) -> Cookie:
    """The cookie that is *kept*."""
    fields = {name: getattr(kept, name) for name in PLAIN_FIELDS}
    rest = {
        **({HTTP_ONLY: ""} if kept.http_only else {}),
        **({SAME_SITE: kept.same_site} if kept.same_site else {}),
        **({LATIN_1: ""} if kept.latin_1 else {}),
    }
    return Cookie(**fields, port=None, port_specified=False, comment=None, comment_url=None, rest=rest)
