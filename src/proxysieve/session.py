"""What a user holds while a request is under way: one visitor, with its proxy, its looks, its cookies, its clients."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from http.cookiejar import Cookie
from typing import Any, TypeVar

import msgspec

from proxysieve.belongings import BrowserRecord, dump_cookies, load_cookies
from proxysieve.core.model import Identity, Proxy
from proxysieve.core.records import SessionRecord, decode
from proxysieve.jar import Jar

log = logging.getLogger("proxysieve")

C = TypeVar("C")


class Session:
    """One visitor of one site. All that it consists of stays together for as long as it lives.

    Attributes:
        name: Unique at its site.
        proxy: Where its requests go through; prints without the password.
        exit: The name by which a gateway provider knows its exit; empty at a plain proxy.
        identity: What it looks like; :attr:`headers` are for clients that do not impersonate.
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
        self.identity: Identity = record.identity
        self.cookies = Jar(site)
        # What the site has set since counts for more.
        for cookie in (*given, *(load_cookies(cookies) if cookies else ())):
            self.cookies.set_cookie(cookie)
        self.data: dict[str, Any] = msgspec.json.decode(data) if data else {}
        self.browser: BrowserRecord = decode(browser, BrowserRecord) if browser else BrowserRecord()
        self.exit = record.exit
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
        return self.identity.headers

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


class Clients:
    """The clients of sessions; beyond *limit*, those that were not used for longest are closed.

    Sessions of synchronous users ask from threads of their own, hence the lock.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._clients: OrderedDict[tuple[Session, Hashable], Any] = OrderedDict()
        self._busy: dict[Session, int] = {}
        self._ended: set[Session] = set()
        self._closings: set[asyncio.Task[None]] = set()
        self._lock = threading.RLock()

    def get(self, session: Session, make: Callable[[Session], C]) -> C:
        """The client that *make* made for *session*, made now if there is none."""
        key = (session, make)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = make(session)
            self._clients.move_to_end(key)
            client: C = self._clients[key]
            return client

    def hold(self, session: Session) -> None:
        """Keep the clients of *session* open: a request is under way."""
        with self._lock:
            self._busy[session] = self._busy.get(session, 0) + 1

    def release(self, session: Session) -> None:
        """A request of *session* is over."""
        with self._lock:
            self._busy[session] -= 1
            if not self._busy[session]:
                del self._busy[session]
            self._tidy()

    def end(self, session: Session) -> None:
        """*session* ended: close its clients as soon as no request of it is under way."""
        with self._lock:
            self._ended.add(session)
            self._tidy()

    def _tidy(self) -> None:
        over = [session for session in self._ended if session not in self._busy]
        self._ended.difference_update(over)
        if over:
            self._drop([key for key in self._clients if key[0] in over])
        surplus = len(self._clients) - self._limit
        if surplus > 0:
            idle = [key for key, client in self._clients.items() if self._is_idle(key[0], client)]
            self._drop(idle[:surplus])

    def _is_idle(self, session: Session, client: object) -> bool:
        # A browser's page is used for as long as somebody looks at it, after its request as well.
        return session not in self._busy and not getattr(client, "is_busy", False)

    def _drop(self, keys: list[tuple[Session, Hashable]]) -> None:
        # In tasks of their own: a client takes its time, and curl_cffi's swallows the cancellation of who waits for it.
        for key in keys:
            closing = asyncio.get_running_loop().create_task(close_client(self._clients.pop(key)))
            self._closings.add(closing)
            closing.add_done_callback(self._closings.discard)

    async def close(self) -> None:
        """Close all of them."""
        with self._lock:
            self._drop(list(self._clients))
        if self._closings:
            await asyncio.wait(self._closings)


async def close_client(client: Any) -> None:  # noqa: ANN401 - any client at all
    """Close *client* in the way it offers, if it offers one."""
    close = getattr(client, "aclose", None) or getattr(client, "close", None)
    try:
        result = close() if close else None
        if inspect.isawaitable(result):
            await result
    except Exception as error:  # noqa: BLE001 - a client that fails to close must not end a crawl
        log.warning("a session's client could not be closed: %s", type(error).__name__)


def dump_belongings(session: Session) -> dict[str, bytes | None]:
    """What belongs to *session*, by kind, as records keep it; None for what is empty."""
    return {
        "cookies": dump_cookies(session.cookies) if len(session.cookies) else None,
        "data": msgspec.json.encode(session.data) if session.data else None,
        "browser": msgspec.json.encode(session.browser) if session.browser != BrowserRecord() else None,
    }
