"""HTTP clients for Crawlee: one sends with the fingerprint of our sessions, one has any client's answers judged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypedDict, Unpack

from crawlee import HttpHeaders, Request
from crawlee._types import HttpMethod, HttpPayload
from crawlee.errors import ProxyError
from crawlee.http_clients import HttpClient, HttpCrawlingResult, HttpResponse
from crawlee.proxy_configuration import ProxyInfo
from crawlee.sessions import Session
from crawlee.statistics import Statistics

from proxysieve.adapters.crawlee_sessions import CrawleeProxyInfo, CrawleeSession, CrawleeSessionPool, session_of
from proxysieve.clients import protocol as built_in
from proxysieve.core.model import Answer, Exchange, Failure, in_lower_case
from proxysieve.core.verdicts.failures import failed_exchange
from proxysieve.pool.session_pool import SessionPool
from proxysieve.sessions.own_headers import merged

# Crawlee ends a navigation from outside when its time is over, which says nothing about the proxy. So a request ends
# by itself a little earlier.
SHARE_OF_TIME = 0.95


class RequestOptions(TypedDict, total=False):
    """What a client of Crawlee's is asked for, beside the address."""

    method: HttpMethod
    headers: HttpHeaders | dict[str, str] | None
    payload: HttpPayload | None
    session: Session | None
    proxy_info: ProxyInfo | None
    timeout: timedelta | None


class CrawleeResponse:
    """A response of the built-in client, as Crawlee reads it."""

    def __init__(self, response: built_in.Response) -> None:
        self._response = response

    @property
    def http_version(self) -> str:
        """Not known of the built-in client's."""
        return ""

    @property
    def status_code(self) -> int:
        return self._response.status

    @property
    def headers(self) -> HttpHeaders:
        return HttpHeaders(dict(self._response.headers))

    @property
    def redirect_count(self) -> int:
        """How many more requests redirects took; other clients of Crawlee's do not tell."""
        return self._response.redirect_count

    @property
    def hops(self) -> tuple[Answer, ...]:
        """The redirects themselves; likewise."""
        return self._response.hops

    @property
    def url(self) -> str:
        """Where redirects ended."""
        return self._response.url

    async def read(self) -> bytes:
        return self._response.body

    async def read_stream(self) -> AsyncIterator[bytes]:
        yield self._response.body


class FingerprintHttpClient(HttpClient):
    """Sends by the pool's own client, with the browser, the cookies and the connections of the session."""

    def __init__(self, pool: SessionPool) -> None:
        super().__init__()
        self._settings, self._headers = pool.settings, pool.headers

    async def crawl(
        self,
        request: Request,
        *,
        session: Session | None = None,
        proxy_info: ProxyInfo | None = None,
        statistics: Statistics[Any] | None = None,
        timeout: timedelta | None = None,
    ) -> HttpCrawlingResult:
        response = await self.send_request(
            request.url,
            method=request.method,
            headers=request.headers,
            payload=request.payload,
            session=session,
            proxy_info=proxy_info,
            timeout=timeout,
        )
        if statistics:
            statistics.register_status_code(response.status_code)
        request.loaded_url = response.url
        return HttpCrawlingResult(http_response=response)

    async def send_request(self, url: str, **asked: Unpack[RequestOptions]) -> CrawleeResponse:
        longest, timeout = self._settings.timeout_seconds, asked.get("timeout")
        request = built_in.Request(
            url=url,
            method=asked.get("method", "GET"),
            headers=merged(self._headers.at(url), asked.get("headers") or {}),
            content=asked.get("payload"),
            timeout_seconds=min(longest, timeout.total_seconds()) if timeout else longest,
            max_bytes=self._settings.max_bytes,
        )
        return CrawleeResponse(await self._settings.client.send(request, session_of(asked.get("session")).pool_session))

    @asynccontextmanager
    async def stream(self, url: str, **asked: Unpack[RequestOptions]) -> AsyncIterator[HttpResponse]:
        yield await self.send_request(url, **asked)

    async def cleanup(self) -> None:
        """Nothing: the connections are the sessions'."""


class CrawleeHttpClient(HttpClient):
    """Has the answers of another client judged by the pool, once a request.

    Other requests of a handler go through the same session, and are not judged. A request without a session, such as
    for ``robots.txt``, gets its own.

    Args:
        sessions: Where the sessions come from.
        inner: What sends; the pool's own client, if it is left out.
    """

    def __init__(self, sessions: CrawleeSessionPool, inner: HttpClient | None = None) -> None:
        super().__init__()
        self._sessions = sessions
        self._inner = inner or FingerprintHttpClient(sessions.pool)

    async def crawl(
        self,
        request: Request,
        *,
        session: Session | None = None,
        proxy_info: ProxyInfo | None = None,
        statistics: Statistics[Any] | None = None,
        timeout: timedelta | None = None,
    ) -> HttpCrawlingResult:
        own = _ready(session)
        async with _told(own, request.url, request.method):
            result = await self._inner.crawl(
                request, session=own, proxy_info=proxy_info, statistics=statistics, timeout=_shorter(timeout)
            )
        response = result.http_response
        own.settle(_exchange(request.url, request.method, response, await response.read(), request.loaded_url or ""))
        return result

    async def send_request(self, url: str, **asked: Unpack[RequestOptions]) -> HttpResponse:
        session, method = asked.get("session"), asked.get("method", "GET")
        if session is None:
            return await self._send_alone(url, method, asked)
        own = self._ready_for(session, url)
        async with _told(own, url, method):
            response = await self._inner.send_request(url, **_by(own, asked))
        if own.is_out:
            own.settle(_exchange(url, method, response, await response.read()))
        return response

    async def _send_alone(self, url: str, method: HttpMethod, asked: RequestOptions) -> HttpResponse:
        await self._sessions.open()
        async for attempt in self._sessions.pool.attempts(url, method=method):
            async with attempt as pool_session:
                session = CrawleeSession()
                session.stand_for(pool_session)
                through: RequestOptions = {**_by(session, asked), "proxy_info": CrawleeProxyInfo.of(session)}
                try:
                    response = await self._inner.send_request(url, **through)
                    exchange = _exchange(url, method, response, await response.read())
                except Exception as error:
                    failed = crawlee_failed(url, method, error)
                    if failed is None:
                        raise
                    exchange = failed
                attempt.report(exchange)
        return response

    @asynccontextmanager
    async def stream(self, url: str, **asked: Unpack[RequestOptions]) -> AsyncIterator[HttpResponse]:
        own, method = self._ready_for(asked.get("session"), url), asked.get("method", "GET")
        streamed = self._inner.stream(url, **_by(own, asked))
        async with _told(own, url, method):
            response = await streamed.__aenter__()
        try:
            own.settle(_exchange(url, method, response, None))
            yield response
        finally:
            await streamed.__aexit__(None, None, None)

    async def cleanup(self) -> None:
        await self._inner.cleanup()

    def _ready_for(self, session: Session | None, url: str) -> CrawleeSession:
        own = _ready(session)
        if not own.is_out:
            self._sessions.note_besides(own, url)
        return own


def _by(session: CrawleeSession, asked: RequestOptions) -> RequestOptions:
    """The same by *session*, and a little sooner."""
    return {**asked, "session": session, "timeout": _shorter(asked.get("timeout"))}


def _ready(session: Session | None) -> CrawleeSession:
    """*session*, which has got one of the pool's."""
    own = session_of(session)
    _ = own.pool_session
    return own


@asynccontextmanager
async def _told(session: CrawleeSession, url: str, method: str) -> AsyncIterator[None]:
    """Have *session* told of an error that is the client's."""
    try:
        yield
    except Exception as error:
        failed = crawlee_failed(url, method, error)
        if failed is not None:
            session.settle(failed)
        raise


def crawlee_failed(url: str, method: str, error: BaseException) -> Exchange | None:
    """The exchange that an *error* of Crawlee's clients ended; they wrap errors in two of their own."""
    for one in (error, error.__cause__):
        failed = None if one is None else failed_exchange(url, one, method=method)
        if failed is not None:
            return failed
    if isinstance(error, ProxyError):
        return Exchange(url=url, method=method, failure=Failure.PROXY_REFUSED)
    return Exchange(url=url, method=method, failure=Failure.TIMEOUT) if isinstance(error, TimeoutError) else None


def _exchange(url: str, method: str, response: HttpResponse, body: bytes | None, loaded_url: str = "") -> Exchange:
    return Exchange(
        url=url,
        method=method,
        final_url=loaded_url,
        status=response.status_code,
        headers=in_lower_case(response.headers),
        body=body,
        redirect_count=getattr(response, "redirect_count", 0),
        hops=getattr(response, "hops", ()),
    )


def _shorter(timeout: timedelta | None) -> timedelta | None:
    return timeout * SHARE_OF_TIME if timeout else None
