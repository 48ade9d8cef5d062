"""A session's cookies, which any client can fill and send."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from email.message import Message
from http.client import HTTPMessage
from http.cookiejar import Cookie, CookieJar
from typing import TYPE_CHECKING, Any
from urllib.request import Request

from proxysieve.clock import SystemClock
from proxysieve.core.cookies import cookie as core
from proxysieve.core.cookies.encoding import to_wire
from proxysieve.core.cookies.store import Cookies
from proxysieve.sessions.stdlib_cookies import (
    LOCALHOST,
    STDLIBS_LOCALHOST,
    HeaderText,
    from_stdlib,
    own_domain,
    says_nothing_new,
    to_stdlib,
)
from proxysieve.site_of import registrable

if TYPE_CHECKING:
    from http.client import HTTPResponse


class Jar(CookieJar):
    """A cookie jar as the standard library has it, which follows browsers' rules (:mod:`proxysieve.core.cookies`).

    These rules hold for whatever fills it. httpx, requests and curl_cffi copy it before they send, and choose by their
    own rules. It gives out copies: to change a cookie, set it. Threads may share it.

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

    def take(self, url: str, set_cookie_values: Iterable[str]) -> None:
        """Do what an answer of *url* says in the values of its ``Set-Cookie`` headers.

        A page in its own window may set all of its cookies, whoever led there (RFC 6265bis, 5.7).

        Args:
            url: Absolute, with a host in ASCII.
            set_cookie_values: A letter a byte (ISO 8859-1).
        """
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
            new = from_stdlib(cookie, self._site)
            if new.domain == LOCALHOST:
                self._localhost = cookie.domain or self._localhost
            old = self._kept.find(new.key)
            if old is None or not says_nothing_new(cookie, self._told(old)):
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
        domain = own_domain(domain)
        nameless = self._kept.find((domain, path, ""))
        # What is no UTF-8 is called by its bytes, and what has no name by its value.
        for wire in (to_wire(name), name):
            if found := self._kept.find((domain, path, wire)):
                return found
            if nameless and nameless.value == wire:
                return nameless
        raise KeyError(name)

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
                meant = [one for one in self._kept if one.domain == own_domain(domain) and path in {None, one.path}]
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
