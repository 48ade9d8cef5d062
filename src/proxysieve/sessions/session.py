"""What a user holds while a request is under way: one visitor, with its proxy, its looks, its cookies, its clients."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from http.cookiejar import Cookie
from typing import Any, TypeVar

import msgspec

from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.model import Proxy
from proxysieve.core.records import SessionRecord, decode
from proxysieve.sessions.clients import Clients
from proxysieve.sessions.jar import Jar
from proxysieve.sessions.storage import BrowserRecord, dump_cookies, load_cookies

log = logging.getLogger("proxysieve")

C = TypeVar("C")


class Session:
    """One visitor of one site. All that it consists of stays together for as long as it lives.

    Attributes:
        name: Unique at its site.
        proxy: Where its requests go through; prints without the password.
        exit: The name by which a gateway provider knows its exit; empty at a plain proxy.
        fingerprint: Its browser; :attr:`headers` are for clients that do not impersonate.
        cookies: Its own, kept across restarts, by browsers' rules. Hand them to the client, which fills them.
        data: The user's own JSON-like values, kept likewise.
        browser: What it has beside its cookies where it is a visitor by a real browser; kept, too.

    Args:
        given: Cookies that it starts with.
        on_asked: Is told how many requests more went to the site.
    """

    def __init__(
        self,
        record: SessionRecord,
        site: str,
        proxy: Proxy,
        clients: Clients,
        *,
        cookies: bytes | None = None,
        data: bytes | None = None,
        browser: bytes | None = None,
        given: Iterable[Cookie] = (),
        on_asked: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.site = site
        self.name = record.name
        self.proxy: Proxy = proxy
        self.fingerprint: Fingerprint = record.fingerprint
        self.cookies = Jar(site)
        # What the site has set since counts for more.
        for cookie in (*given, *(load_cookies(cookies) if cookies else ())):
            self.cookies.set_cookie(cookie)
        self.data: dict[str, Any] = msgspec.json.decode(data) if data else {}
        self.browser: BrowserRecord = decode(browser, BrowserRecord) if browser else BrowserRecord()
        self.exit = record.exit_name
        self._clients = clients
        self._on_asked = on_asked

    @property
    def proxy_url(self) -> str:
        """The proxy with credentials and session name filled in: for a client, never for a log."""
        return self.proxy.url(self.exit)

    @property
    def proxy_login(self) -> tuple[str, str]:
        """User and password at the proxy, session name filled in: for a client, never for a log."""
        return self.proxy.login(self.exit)

    @property
    def headers(self) -> dict[str, str]:
        """What a client should send to look like this visitor."""
        return self.fingerprint.headers

    def client(self, make: Callable[[Session], C]) -> C:
        """The session's own client, made by ``make(session)`` at its first use and closed with the session.

        Its tunnels are this session's alone. Pass the same function every time; a client that has not been used
        for long may be closed and made again.
        """
        return self._clients.get(self, make)

    def note_requests(self, count: int = 1) -> None:
        """Its client sent the site so many requests more than leases and answers tell of: they count against its cap.

        For clients that go on sending after their answer, such as a browser; on the pool's event loop.
        """
        self._on_asked(count)

    def __repr__(self) -> str:
        return f"<Session {self.name} at {self.site} via {self.proxy}>"


def dump_storage(session: Session) -> dict[str, bytes | None]:
    """What belongs to *session*, by kind, as records keep it; None for what is empty."""
    return {
        "cookies": dump_cookies(session.cookies) if len(session.cookies) else None,
        "data": msgspec.json.encode(session.data) if session.data else None,
        "browser": msgspec.json.encode(session.browser) if session.browser != BrowserRecord() else None,
    }
