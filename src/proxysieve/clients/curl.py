"""The built-in client: libcurl as curl_cffi builds it, whose TLS and HTTP/2 look like the browser of the identity.

It brings one answer at a time. Where a redirect leads, with which headers and cookies, and what a URL looks like on
the wire is decided by the core.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from proxysieve.clients.connections import Broken, Connections
from proxysieve.clients.handles import KEPT_OF_REDIRECT, Ask, Handles, Reading
from proxysieve.clients.protocol import Request, Response
from proxysieve.clients.reasons import Reasons
from proxysieve.core.failures import SendFailed, curl_failure
from proxysieve.core.model import Answer, Failure, Identity
from proxysieve.core.redirects import Hop, follow
from proxysieve.core.urls import as_sent, is_trustworthy
from proxysieve.errors import ConfigError
from proxysieve.jar import Jar
from proxysieve.own_headers import headers_for_hop
from proxysieve.session import Session


class CurlClient:
    """Sends by libcurl: the connections and the cookies of a session are its own.

    Args:
        ca_path: A file with certificates to trust in place of the usual ones, as for a site of one's own.
    """

    def __init__(self, *, ca_path: str | None = None) -> None:
        self._ca_path = ca_path
        self._handles = Handles()
        self._reasons = Reasons(ca_path)

    async def send(self, request: Request, session: Session) -> Response:
        walk = Walk(request, session.client(self._open), session.identity, session.cookies)
        try:
            return await walk.end()
        except SendFailed as failed:
            if failed.proxy_answer is not None:
                failed.proxy_answer = await self._reasons.complete(failed.proxy_answer, session)
            raise

    def _open(self, session: Session) -> Connections:
        return Connections(self._handles, session.identity.impersonate, session.proxy_url, self._ca_path)


async def send_directly(request: Request, identity: Identity) -> Response:
    """The answer to a request that goes through no proxy: the site sees this machine's own address.

    Raises:
        SendFailed: There is none.
    """
    connections = Connections(Handles(), identity.impersonate, "", None)
    try:
        return await Walk(request, connections, identity, Jar()).end()
    finally:
        await connections.aclose()


class Walk:
    """A request and where redirects lead from it, all as one visitor.

    Attributes:
        hops: The redirects so far.
    """

    def __init__(self, request: Request, connections: Connections, identity: Identity, cookies: Jar) -> None:
        self.hops: list[Answer] = []
        self._request = request
        self._connections = connections
        self._identity = identity
        self._cookies = cookies
        self._until = asyncio.get_running_loop().time() + request.timeout_seconds

    async def end(self) -> Response:
        """The answer where it ends.

        Raises:
            SendFailed: It ends without one.
        """
        request = self._request
        try:
            url = as_sent(request.url)
        except ConfigError as error:
            raise SendFailed(Failure.UNSENDABLE) from error
        hop = Hop(url=url, method=request.method.upper(), keeps_body=True, referer=_referer(request.headers))
        while True:
            reading = await self._ask(hop)
            headers = reading.headers()
            location = next(iter(reading.values(b"location")), "") if reading.is_redirect else ""
            following = follow(hop, request.url, reading.status, location, len(self.hops))
            if following is None:
                return Response(
                    url=hop.url,
                    status=reading.status,
                    headers=headers,
                    body=reading.body,
                    redirect_count=len(self.hops),
                    hops=tuple(self.hops),
                )
            body = reading.body[:KEPT_OF_REDIRECT]
            self.hops.append(Answer(url=hop.url, status=reading.status, headers=headers, body=body))
            if isinstance(following, Failure):
                raise self._failed(following)
            hop = following

    async def _ask(self, hop: Hop) -> Reading:
        request = self._request
        left = self._until - asyncio.get_running_loop().time()
        if left <= 0:
            raise self._failed(Failure.TIMEOUT)
        ask = Ask(
            hop.url,
            hop.method,
            self._headers(hop),
            self._cookies.header_for(hop.url, method=hop.method),
            request.content if hop.keeps_body else None,
            left,
            request.max_bytes,
            bool(self.hops),
        )
        try:
            reading = await self._connections.ask(ask, is_secure=is_trustworthy(hop.url))
        except Broken as broken:
            failure = curl_failure(broken.code, str(broken), broken.progress)
            raise self._failed(failure, self._proxys_answer(broken)) from broken
        set_cookies = reading.values(b"set-cookie")
        if set_cookies:
            self._cookies.take(hop.url, set_cookies)
        return reading

    def _headers(self, hop: Hop) -> Mapping[str, str]:
        """What is sent on top of the browser's own."""
        # A real browser's visitor looks like that browser, whose version need not be the imitated one's.
        shown = self._identity.headers if self._identity.engine else {}
        own = headers_for_hop(self._request.headers, self._request.url, hop.url) if self._request.headers else {}
        if not (shown or own or hop.referer):
            return {}
        named = {name.lower() for name in own}
        headers = {name: value for name, value in shown.items() if name.lower() not in named} | own
        headers = {name: value for name, value in headers.items() if name.lower() != "referer"}
        return headers | ({"Referer": hop.referer} if hop.referer else {})

    def _proxys_answer(self, broken: Broken) -> Answer | None:
        if not broken.progress.connect_status or broken.progress.has_tunnel:
            return None
        reading = broken.reading
        return Answer(url=self._request.url, status=reading.status, headers=reading.headers())

    def _failed(self, failure: Failure, proxy_answer: Answer | None = None) -> SendFailed:
        return SendFailed(failure, hops=tuple(self.hops), proxy_answer=proxy_answer)


def _referer(headers: Mapping[str, str]) -> str:
    return next((value for name, value in headers.items() if name.lower() == "referer"), "")
