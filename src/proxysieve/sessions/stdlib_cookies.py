"""Cookies as the standard library has them, and what is kept of them."""

from __future__ import annotations

import re
from http.cookiejar import Cookie
from typing import Self

from proxysieve.core.cookies import cookie as core
from proxysieve.core.cookies.encoding import is_utf_8, to_text, to_wire
from proxysieve.core.cookies.header import SAME_SITES
from proxysieve.core.urls.hosts import is_bare_ipv6

# What http.cookiejar has no fields of its own for, as its parser leaves them in the rest.
HTTP_ONLY, SAME_SITE = "HttpOnly", "SameSite"
# And as curl_cffi leaves it there.
CURLS_HTTP_ONLY = "http_only"
# Of what is no UTF-8, each letter is a byte.
LATIN_1 = "latin-1"
# http.cookiejar gives this host an ending.
LOCALHOST, STDLIBS_LOCALHOST = "localhost", "localhost.local"
PORT = re.compile(r":[0-9]+\Z")


class HeaderText(str):
    """The text of a header that is always sent as the bytes that it had.

    httpx2 would refuse what is not ASCII, and urllib what is not ISO 8859-1, in the middle of a request.
    """

    __slots__ = ("_wire",)

    def __new__(cls, wire: str) -> Self:
        text = super().__new__(cls, "; ".join(map(to_text, wire.split("; "))))
        text._wire = wire
        return text

    _wire: str

    def encode(self, encoding: str = "latin-1", errors: str = "strict") -> bytes:
        del encoding, errors
        return self._wire.encode("latin-1")


class TextCookie(Cookie):
    """A cookie whose name and value are text.

    Clients send text as UTF-8. requests alone sends a letter a byte, and it alone copies cookies.
    """

    def __copy__(self) -> Cookie:
        copied = Cookie.__new__(Cookie)
        vars(copied).update(vars(self))
        copied._rest = {**self._rest, LATIN_1: ""}  # type: ignore[attr-defined] # noqa: SLF001 - it has no other way
        if not self.has_nonstandard_attr(LATIN_1):
            copied.name = to_wire(self.name)
            copied.value = None if self.value is None else to_wire(self.value)
        return copied


def is_http_only(cookie: Cookie) -> bool:
    """Whether no script may see *cookie*, whoever put it into its jar."""
    return cookie.has_nonstandard_attr(HTTP_ONLY) or cookie.get_nonstandard_attr(CURLS_HTTP_ONLY) == str(True)


def to_stdlib(cookie: core.Cookie, domain: str) -> Cookie:
    """*cookie* of *domain* as :mod:`http.cookiejar` has it: its name and value in text, if they are UTF-8."""
    is_text = is_utf_8(cookie.name) and is_utf_8(cookie.value)
    name, value = (to_text(cookie.name), to_text(cookie.value)) if is_text else (cookie.name, cookie.value)
    is_for_all = cookie.domain.startswith(".")
    rest = {
        **({HTTP_ONLY: ""} if cookie.http_only else {}),
        **({SAME_SITE: cookie.same_site} if cookie.same_site else {}),
        **({} if is_text else {LATIN_1: ""}),
    }
    return TextCookie(
        version=0,
        # So it has those without a name, which are a value alone.
        name=name or value,
        value=value if name else None,
        port=None,
        port_specified=False,
        domain=domain,
        domain_specified=is_for_all,
        domain_initial_dot=is_for_all,
        path=cookie.path,
        path_specified=True,
        secure=cookie.secure,
        expires=cookie.expires,
        discard=cookie.expires is None,
        comment=None,
        comment_url=None,
        rest=rest,
    )


def from_stdlib(cookie: Cookie, site: str) -> core.Cookie:
    """What is kept of *cookie*; if it names no domain, as one of *site*."""
    encode = str if cookie.has_nonstandard_attr(LATIN_1) else to_wire
    name, value = ("", cookie.name) if cookie.value is None else (cookie.name, cookie.value)
    return core.Cookie(
        name=encode(str(name)),
        value=encode(str(value)),
        domain=_domain_of(cookie, site),
        path=cookie.path or "/",
        expires=cookie.expires,
        secure=bool(cookie.secure),
        http_only=is_http_only(cookie),
        same_site=_same_site(cookie),
    )


def _same_site(cookie: Cookie) -> str:
    said = cookie.get_nonstandard_attr(SAME_SITE)
    return SAME_SITES.get(said.lower(), "") if isinstance(said, str) else ""


def _domain_of(cookie: Cookie, site: str) -> str:
    if cookie.domain:
        return own_domain(cookie.domain)
    host = site if site.endswith("]") else PORT.sub("", site)
    return f".{host}"


def own_domain(domain: str) -> str:
    """*domain* as it is kept; curl's has no brackets around an address."""
    if domain == STDLIBS_LOCALHOST:
        return LOCALHOST
    return f"[{domain}]" if is_bare_ipv6(domain) else domain


def says_nothing_new(cookie: Cookie, known: Cookie) -> bool:
    """Whether *cookie* is the *known* one as a client gives it back, which may know less of it."""
    return (
        (cookie.value, bool(cookie.secure), cookie.expires) == (known.value, known.secure, known.expires)
        and is_http_only(cookie) <= is_http_only(known)
        and _same_site(cookie) in {"", _same_site(known)}
    )
