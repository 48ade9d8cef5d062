"""A session's cookies, which any client can fill and send."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from email.message import Message
from http.client import HTTPMessage
from http.cookiejar import Cookie, CookieJar
from typing import TYPE_CHECKING, Any, Self
from urllib.request import Request

from proxysieve.clock import SystemClock
from proxysieve.core.cookies import cookie as core
from proxysieve.core.cookies.encoding import is_utf_8, to_text, to_wire
from proxysieve.core.cookies.header import SAME_SITES
from proxysieve.core.cookies.store import Cookies
from proxysieve.core.hosts import is_bare_ipv6
from proxysieve.sites import registrable

if TYPE_CHECKING:
    from http.client import HTTPResponse

# What http.cookiejar has no fields of its own for, as its parser leaves them in the rest.
HTTP_ONLY, SAME_SITE = "HttpOnly", "SameSite"
# And as curl_cffi leaves it there.
CURLS_HTTP_ONLY = "http_only"
# Of what is no UTF-8, each letter is a byte.
LATIN_1 = "latin-1"
# http.cookiejar gives this host an ending.
LOCALHOST, STDLIBS_LOCALHOST = "localhost", "localhost.local"
PORT = re.compile(r":[0-9]+\Z")


class Jar(CookieJar):
    """A cookie jar as the standard library has it, which follows browsers' rules (:mod:`proxysieve.core.cookies`).

    Whatever fills it does so by these rules. Clients that copy it before they send, as httpx, requests and curl_cffi,
    choose among it by their own. What it gives out are copies: to change a cookie, set it. Threads may share it.

    Args:
        site: Whose cookies those are that name no domain.
        now: Tells the moment, in Unix seconds.
    """

    def __init__(self, site: str = "", *, now: Callable[[], float] | None = None) -> None:
        super().__init__()
        self._site = site
        self._now = now or SystemClock().now
        self._kept = Cookies(registrable)
        # As who filled it last calls it: others would not send its cookies.
        self._localhost = LOCALHOST

    @property
    def lock(self) -> AbstractContextManager[bool]:
        """Held while it changes: whoever changes it in several steps holds it, too."""
        lock: AbstractContextManager[bool] = self._cookies_lock  # type: ignore[attr-defined]
        return lock

    def take(self, url: str, set_cookie_values: Iterable[str], *, is_same_site: bool = True) -> None:
        """Do what an answer of *url* says in the values of its ``Set-Cookie`` headers.

        Args:
            url: Absolute, with a host in ASCII.
            set_cookie_values: A letter a byte (ISO 8859-1).
            is_same_site: Does not matter: a page in its own window may set all of its cookies (RFC 6265bis, 5.7).
        """
        del is_same_site
        with self.lock:
            self._kept.take(url, set_cookie_values, self._now())

    def header_for(self, url: str, *, method: str = "GET", is_same_site: bool = True) -> str:
        """The value of the ``Cookie`` header of a request of *url*, a letter a byte; empty for none.

        Args:
            url: Absolute, with a host in ASCII.
            method: Of the request.
            is_same_site: Whether no other site led there, by a link or a redirect.
        """
        with self.lock:
            found = self._kept.matching(url, self._now(), method=method, is_same_site=is_same_site)
        return "; ".join(one.pair for one in found)

    # As http.cookiejar has it

    def set_cookie(self, cookie: Cookie) -> None:
        """Keep *cookie*, unless no browser would.

        One that comes back as it was given out changes nothing: clients that copy cookies know less of them.
        """
        with self.lock:
            new = _from_stdlib(cookie, self._site)
            if new.domain == LOCALHOST:
                self._localhost = cookie.domain or self._localhost
            old = self._kept.find(new.key)
            if old is None or not _says_nothing_new(cookie, self._told(old)):
                self._kept.put(new, self._now())

    def extract_cookies(self, response: HTTPResponse, request: Request) -> None:
        """Keep the cookies that *response* sets."""
        headers: Message = response.info()
        values = [str(value) for value in headers.get_all("Set-Cookie", [])]
        # The standard library reads headers a letter a byte; httpx and others read text.
        is_wire = isinstance(headers, HTTPMessage)
        with self.lock:
            self._localhost = STDLIBS_LOCALHOST
            self.take(request.get_full_url(), values if is_wire else [to_wire(value) for value in values])

    def add_cookie_header(self, request: Request) -> None:
        """Add the cookies that belong to *request*, unless it brings its own."""
        header = self.header_for(request.get_full_url())
        if header and not request.has_header("Cookie"):
            request.add_unredirected_header("Cookie", HeaderText(header))

    def find(self, domain: str, path: str, name: str) -> Cookie | None:
        """The cookie that these three tell from others."""
        with self.lock, suppress(KeyError):
            return self._told(self._found(domain, path, name))
        return None

    def _told(self, cookie: core.Cookie) -> Cookie:
        return to_stdlib(cookie, self._localhost if cookie.domain == LOCALHOST else cookie.domain)

    def _found(self, domain: str, path: str, name: str) -> core.Cookie:
        domain = _own(domain)
        found = self._kept.find((domain, path, to_wire(name)))
        # One without a name is called what its value is.
        nameless = None if found else self._kept.find((domain, path, ""))
        if nameless and nameless.value == to_wire(name):
            found = nameless
        if found is None:
            raise KeyError(name)
        return found

    def clear(self, domain: str | None = None, path: str | None = None, name: str | None = None) -> None:
        """Remove all cookies; or those of *domain*, of *path* there, or the one that is called *name* there.

        Raises:
            KeyError: There is none.
            ValueError: A name is given without domain and path, or a path without domain.
        """
        with self.lock:
            if domain is None and path is None and name is None:
                self._kept = Cookies(registrable)
            elif domain is None or (path is None and name is not None):
                raise ValueError("a name is removed with its domain and path, and a path with its domain")
            elif path is None or name is None:
                meant = [one for one in self._kept if one.domain == _own(domain) and path in {None, one.path}]
                if sum(self._kept.remove(one.key) for one in meant) == 0:
                    raise KeyError(path or domain)
            else:
                self._kept.remove(self._found(domain, path, name).key)

    def clear_expired_cookies(self) -> None:
        """Remove what is over."""
        with self.lock:
            self._kept.remove_expired(self._now())

    def copy(self) -> Jar:
        """Another jar, with the same cookies."""
        jar = Jar(self._site, now=self._now)
        for cookie in self:
            jar.set_cookie(cookie)
        return jar

    def __copy__(self) -> Jar:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Jar:
        del memo
        return self.copy()

    def __iter__(self) -> Iterator[Cookie]:
        with self.lock:
            kept = list(self._kept)
        return map(self._told, kept)

    def __len__(self) -> int:
        return len(self._kept)

    def __repr__(self) -> str:
        # The standard library's shows the values, which are as good as passwords.
        return f"<Jar of {len(self)} cookies>"

    __str__ = __repr__


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


def _from_stdlib(cookie: Cookie, site: str) -> core.Cookie:
    encode = str if cookie.has_nonstandard_attr(LATIN_1) else to_wire
    name, value = ("", cookie.name) if cookie.value is None else (cookie.name, cookie.value)
    return core.Cookie(
        name=encode(name),
        value=encode(value),
        domain=_domain_of(cookie, site),
        path=cookie.path,
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
        return _own(cookie.domain)
    host = site if site.endswith("]") else PORT.sub("", site)
    return f".{host}"


def _own(domain: str) -> str:
    """*domain* as it is kept; curl's has no brackets around an address."""
    if domain == STDLIBS_LOCALHOST:
        return LOCALHOST
    return f"[{domain}]" if is_bare_ipv6(domain) else domain


def _says_nothing_new(cookie: Cookie, known: Cookie) -> bool:
    return (
        (cookie.value, bool(cookie.secure), cookie.expires) == (known.value, known.secure, known.expires)
        and is_http_only(cookie) <= is_http_only(known)
        and _same_site(cookie) in {"", _same_site(known)}
    )
