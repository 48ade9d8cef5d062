"""Our pool in the place of Crawlee's session pool and of its proxy configuration.

Crawlee takes a session before it says what for, and asks for its proxy afterwards, with the request. So what it takes
is empty, and becomes one of our sessions when the proxy is asked for. Crawlee reports most sessions, but not all: the
end of a request's task gives back a lease that nobody reported.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import OrderedDict
from datetime import timedelta
from typing import Any, Literal, Self, overload
from urllib.parse import unquote, urlsplit
from weakref import WeakValueDictionary

from crawlee import Request
from crawlee.errors import SessionError
from crawlee.proxy_configuration import ProxyConfiguration, ProxyInfo
from crawlee.sessions import Session, SessionCookies, SessionPool
from crawlee.sessions._models import SessionPoolModel

from proxysieve.core.model import Exchange, Outcome, Verdict
from proxysieve.core.site.retry import may_repeat
from proxysieve.errors import ConfigError, ProxySieveError
from proxysieve.pool import session_pool as ours
from proxysieve.pool.errors import NoSessionAvailable
from proxysieve.pool.site_queue import Lease
from proxysieve.sessions.session import Session as PoolSession

log = logging.getLogger("proxysieve")

# The pool says when a session ends.
ENDLESS: dict[str, Any] = {"max_age": timedelta(days=36_500), "max_usage_count": sys.maxsize}
# The crawler goes on with a good page, and with an error of the site's own, which every session would meet.
PASSABLE = frozenset({Outcome.OK, Outcome.SITE_ERROR})
# Reserved for what does not exist (RFC 2606), so that nothing is sent without a proxy where there is none.
NOWHERE = "http://no-session.invalid:1"
# More than come back to a crawler at once.
REQUESTS_KEPT = 2_000


class CrawleeSession(Session):
    """What a handler has as ``context.session``: one of the pool's sessions, for one request.

    Its id, cookies and user data are the session's own, and are kept across runs. Its scores are this request's: who
    works, who is blocked and for how long, the pool knows from the answers. To retire it ends the session.

    Args:
        wanted: The id of the only session that will do.
        settings: As Crawlee's own take them.
    """

    def __init__(self, *, wanted: str = "", **settings: Any) -> None:  # noqa: ANN401 - Crawlee's
        super().__init__(**ENDLESS | settings)
        self.wanted = wanted
        self._pool_session: PoolSession | None = None
        self._lease: Lease | None = None
        self._request: Request | None = None
        self._is_out = False
        self._verdict: Verdict | None = None
        self._refusal: ProxySieveError | None = None

    def bind(self, lease: Lease, request: Request) -> None:
        """Become the session of *lease*, for *request*."""
        self.stand_for(lease.session)
        self._lease, self._request, self._is_out = lease, request, True

    def stand_for(self, pool_session: PoolSession) -> None:
        """Become *pool_session*, for a request that somebody else reports."""
        self._pool_session = pool_session
        self._id, self._user_data = pool_session.name, pool_session.data
        self._cookies = SessionCookies(pool_session.cookies)

    def refuse(self, error: ProxySieveError, request: Request) -> None:
        """There is no session for *request*, and asking again would not bring one."""
        request.no_retry = True
        self._refusal = error

    @property
    def pool_session(self) -> PoolSession:
        """The pool's session.

        Raises:
            NoSessionAvailable: There is none for the request.
        """
        if self._refusal is not None:
            raise self._refusal
        if self._pool_session is None:
            raise ProxySieveError("this session has no proxy yet: give the crawler all of the options")
        return self._pool_session

    @property
    def request(self) -> Request:
        """What it is for."""
        if self._request is None:
            raise ProxySieveError("this session has no request")
        return self._request

    @property
    def is_out(self) -> bool:
        """Whether its request has not come to an end yet."""
        return self._is_out

    def settle(self, exchange: Exchange) -> None:
        """Say what came of the request.

        Raises:
            SessionError: Another session is needed. That costs the request a rotation only if this one had worked: what
                the search for good ones costs is the pool's business.
        """
        lease, request = self._lease, self.request
        if lease is None or not self._is_out:
            return
        self._is_out = False
        self._verdict = verdict = lease.report(exchange)
        if verdict.outcome in PASSABLE:
            return
        if not lease.had_worked:
            request.session_rotation_count = (request.session_rotation_count or 0) - 1
        if verdict.is_final or not may_repeat(exchange, verdict):
            request.no_retry = True
        raise SessionError(f"{verdict.outcome}: {verdict.why}")

    def end(self) -> None:
        """The crawler is done with the request; if it said nothing of an answer, neither does this."""
        if self._lease is None:
            return
        if self._is_out:
            self._is_out = False
            self._lease.drop()
        self._lease.keep()

    @property
    def was_blocked(self) -> bool:
        """Whether its answer was a block."""
        return self._verdict is not None and self._verdict.outcome is Outcome.BLOCKED

    def retire(self) -> None:
        super().retire()
        if self._lease is None or (self._verdict and self._verdict.outcome not in PASSABLE):
            # Crawlee retires whatever brought an error; what follows from that, the pool has decided.
            return
        if self._is_out:
            self._is_out = False
            self._lease.drop()
        self._lease.end_session()

    def is_blocked_status_code(
        self, *, status_code: int, ignore_http_error_status_codes: set[int] | None = None
    ) -> bool:
        if self._verdict is not None:
            # An answer that was judged and went on is none: a 403 that everybody gets is the page's own.
            return False
        return super().is_blocked_status_code(
            status_code=status_code, ignore_http_error_status_codes=ignore_http_error_status_codes
        )

    def __repr__(self) -> str:
        # Crawlee's own shows the cookies.
        return f"<CrawleeSession {self.id} via {self._pool_session.proxy if self._pool_session else 'nothing yet'}>"


class CrawleeSessionPool(SessionPool):
    """A session pool as Crawlee takes it, in front of ours.

    It opens ours if it is not open, and closes it then. What Crawlee's keeps itself is in our store.
    """

    def __init__(self, pool: ours.SessionPool) -> None:
        super().__init__(persistence_enabled=False)
        self.pool = pool
        self._lent: WeakValueDictionary[str, CrawleeSession] = WeakValueDictionary()
        self._is_opener = False
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        if self._active:
            raise RuntimeError(f"The {type(self).__name__} is already active.")
        await self.open()
        self._active = True
        return self

    async def open(self) -> None:
        """Open our pool unless it is open; what a ``robots.txt`` says, Crawlee asks before it runs."""
        async with self._opening:
            if not self.pool.is_open:
                await self.pool.__aenter__()
                self._is_opener = True

    async def __aexit__(self, *_: object) -> None:
        if not self._active:
            raise RuntimeError(f"The {type(self).__name__} is not active.")
        self._active = False
        if self._is_opener:
            self._is_opener = False
            await self.pool.close()

    @property
    def session_count(self) -> int:
        return self.usable_session_count

    @property
    def usable_session_count(self) -> int:
        return self.pool.working_count

    @property
    def retired_session_count(self) -> int:
        return 0

    @overload
    def get_state(self, *, as_dict: Literal[True]) -> dict[str, Any]: ...

    @overload
    def get_state(self, *, as_dict: Literal[False]) -> SessionPoolModel: ...

    def get_state(self, *, as_dict: bool = False) -> SessionPoolModel | dict[str, Any]:
        """The sessions that Crawlee holds just now."""
        self._check_active()
        lent = [session.get_state(as_dict=False) for session in self._lent.values()]
        model = SessionPoolModel.model_validate({"max_pool_size": self._max_pool_size, "sessions": lent})
        return model.model_dump() if as_dict else model

    def add_session(self, session: Session) -> None:
        """Refused: a session of our pool has a proxy, and only the pool knows which.

        Raises:
            ConfigError: Always.
        """
        self._check_active()
        raise ConfigError(f"session {session.id!r} cannot be added: sessions are opened by the pool, each on a proxy")

    async def get_session(self) -> CrawleeSession:
        self._check_active()
        return self._lend(CrawleeSession())

    async def get_session_by_id(self, session_id: str) -> CrawleeSession | None:
        self._check_active()
        if not self.pool.has_session(session_id):
            log.warning("there is no session %s any more", session_id)
            return None
        return self._lend(CrawleeSession(wanted=session_id))

    async def reset_store(self) -> None:
        """Nothing: Crawlee asks for it before it runs again, and what was learned of the sites still holds."""

    def lent(self, session_id: str | None) -> CrawleeSession | None:
        """The one that was taken by that id, before it became one of the pool's."""
        return self._lent.get(session_id) if session_id else None

    def note_besides(self, session: CrawleeSession, url: str) -> None:
        """*session* goes for *url* without having been leased for it; of what is its site's, the cap is to know."""
        if self.pool.site_of(url) == session.pool_session.site:
            session.pool_session.note_requests()

    def _lend(self, session: CrawleeSession) -> CrawleeSession:
        self._lent[session.id] = session
        return session

    def _check_active(self) -> None:
        if not self._active:
            raise RuntimeError(f"The {type(self).__name__} is not active. Use it within the async context.")

    def __repr__(self) -> str:
        return f"<CrawleeSessionPool of {self.pool!r}>"


class CrawleeProxyInfo(ProxyInfo):
    """A session's proxy, as Crawlee hands it on."""

    def __init__(self, session: CrawleeSession, url: str) -> None:
        parts = urlsplit(url)
        host = parts.hostname or ""
        super().__init__(
            url=url,
            # Browsers have no other word for it, and ask the proxy for names anyway.
            scheme="socks5" if parts.scheme == "socks5h" else parts.scheme,
            hostname=f"[{host}]" if ":" in host else host,
            port=parts.port or 0,
            username=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            session_id=session.id,
        )
        self.session = session

    @classmethod
    def of(cls, session: CrawleeSession) -> CrawleeProxyInfo:
        """The proxy of *session*."""
        return cls(session, session.pool_session.proxy_url)

    def __repr__(self) -> str:
        # Crawlee's own shows the password.
        return f"<CrawleeProxyInfo of {self.session}>"


class CrawleeProxyConfiguration(ProxyConfiguration):
    """A proxy configuration as Crawlee takes it: here a request and its session meet."""

    def __init__(self, sessions: CrawleeSessionPool) -> None:
        super().__init__(new_url_function=lambda *_: None)
        self._sessions = sessions
        # Through which exits each request was sent that came back; those that came back longest ago are forgotten.
        self._sent_through: OrderedDict[str, set[str]] = OrderedDict()

    async def new_proxy_info(
        self, session_id: str | None, request: Request | None, proxy_tier: int | None
    ) -> CrawleeProxyInfo:
        del proxy_tier
        session = self._sessions.lent(session_id)
        if session is None and request is not None and request.session_id:
            # The session that it is bound to is gone; Crawlee says so next.
            return CrawleeProxyInfo(CrawleeSession(), NOWHERE)
        if session is None or request is None:
            raise ConfigError("proxies are given to sessions of the pool alone: let use_session_pool be on")
        try:
            lease = await self._lease(session.wanted, request)
        except (NoSessionAvailable, ConfigError) as error:
            # Raised from here, it would end the whole run.
            session.refuse(error, request)
            return CrawleeProxyInfo(session, NOWHERE)
        session.bind(lease, request)
        _at_end_of_task(session)
        return CrawleeProxyInfo.of(session)

    async def _lease(self, wanted: str, request: Request) -> Lease:
        avoided = self._sent_through.setdefault(request.unique_key, set())
        self._sent_through.move_to_end(request.unique_key)
        if len(self._sent_through) > REQUESTS_KEPT:
            self._sent_through.popitem(last=False)
        lease = await self._sessions.pool.lease(request.url, prefer=wanted, avoided=avoided)
        avoided.add(lease.exit_id)
        if wanted and lease.session.name != wanted:
            lease.drop()
            why = f"session {wanted}, to which the request is bound, may not be used now"
            raise NoSessionAvailable(lease.session.site, why, retry_at=None)
        return lease


def _at_end_of_task(session: CrawleeSession) -> None:
    """Give the lease back however the request ends: Crawlee does not tell its sessions in all cases."""
    task = asyncio.current_task()
    if task is not None:
        task.add_done_callback(lambda _: session.end())


def session_of(session: Session | None) -> CrawleeSession:
    """*session*, if it is of our pool.

    Raises:
        ConfigError: It is another, or none.
    """
    if not isinstance(session, CrawleeSession):
        raise ConfigError("the crawler's session is not of the pool: give it all of the options")
    return session
