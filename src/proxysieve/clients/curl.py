"""The built-in client: libcurl as curl_cffi builds it, with the TLS and HTTP/2 of the fingerprint's browser.

It brings one answer at a time. The core decides where a redirect leads, with which headers and cookies, and how a URL
is written into a request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from proxysieve.clients.connect_refusals import Reasons
from proxysieve.clients.connections import Broken, Connections
from proxysieve.clients.curl_handles import KEPT_OF_REDIRECT, AnswerReader, Ask, Dress, Handles
from proxysieve.clients.protocol import Request, Response
from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.model import Answer, Failure
from proxysieve.core.urls.channels import channel_of
from proxysieve.core.urls.parsing import as_sent
from proxysieve.core.urls.redirects import Hop, follow
from proxysieve.core.verdicts.failures import SendFailed
from proxysieve.core.verdicts.failures.curl import curl_failure
from proxysieve.errors import ConfigError
from proxysieve.sessions.jar import Jar
from proxysieve.sessions.own_headers import headers_for_hop
from proxysieve.sessions.session import Session


class CurlClient:
    """Sends by libcurl. Each session has connections and cookies of its own.

    Args:
        ca_path: A file with certificates to trust in place of the usual ones, such as for your own site.
    """

    def __init__(self, *, ca_path: str | None = None) -> None:
        self._ca_path = ca_path
        self._handles = Handles()
        self._reasons = Reasons(ca_path)

    async def send(self, request: Request, session: Session) -> Response:
        walk = Walk(request, session.client(self._open), session.fingerprint, session.cookies, self._ca_path)
        try:
            return await walk.end()
        except SendFailed as failed:
            if failed.proxy_answer is not None:
                failed.proxy_answer = await self._reasons.complete(failed.proxy_answer, session)
            raise

    def _open(self, session: Session) -> Connections:
        return Connections(self._handles, session.proxy_url, session.name)


async def send_directly(request: Request, fingerprint: Fingerprint) -> Response:
    """The answer to a request that goes through no proxy: the site sees this machine's own address.

    Raises:
        SendFailed: There is none.
    """
    connections = Connections(Handles(), "")
    try:
        return await Walk(request, connections, fingerprint, Jar()).end()
    finally:
        await connections.aclose()


class Walk:
    """A request and its redirects, all of one session.

    Attributes:
        hops: The redirects so far.
    """

    def __init__(
        self,
        request: Request,
        connections: Connections,
        fingerprint: Fingerprint,
        cookies: Jar,
        ca_path: str | None = None,
    ) -> None:
        self.hops: list[Answer] = []
        self._request = request
        self._connections = connections
        self._fingerprint = fingerprint
        self._cookies = cookies
        self._ca_path = ca_path
        self._until = asyncio.get_running_loop().time() + request.timeout_seconds

    async def end(self) -> Response:
        """The answer where it ends.

        Raises:
            SendFailed: It ends without one.
        """
        request = self._request
        asked = Hop(
            url=request.url,
            method=request.method.upper(),
            has_body=request.content is not None,
            referer=_referer(request.headers),
        )
        while True:
            reading = await self._ask(asked)
            location = reading.location if reading.is_redirect else ""
            hop = follow(asked, request.url, reading.status, location, len(self.hops))
            if hop is None:
                return Response(
                    url=asked.url,
                    status=reading.status,
                    headers=reading.headers(),
                    body=reading.body,
                    redirect_count=len(self.hops),
                    hops=tuple(self.hops),
                )
            body = reading.body[:KEPT_OF_REDIRECT]
            self.hops.append(Answer(url=asked.url, status=reading.status, headers=reading.headers(), body=body))
            if isinstance(hop, Failure):
                raise self._failed(hop)
            asked = hop

    async def _ask(self, asked: Hop) -> AnswerReader:
        request = self._request
        try:
            url = as_sent(asked.url)
        except ConfigError as error:
            raise self._failed(Failure.UNSENDABLE) from error
        left = self._until - asyncio.get_running_loop().time()
        if left <= 0:
            raise self._failed(Failure.TIMEOUT)
        ask = Ask(
            url,
            asked.method,
            self._cookies.header_for(url, method=asked.method),
            request.content if asked.has_body else None,
            left,
            request.max_bytes,
            is_redirected=bool(self.hops),
        )
        dress = Dress(self._fingerprint, channel_of(url), self._own_headers(asked), self._ca_path)
        try:
            reading = await self._connections.ask(ask, dress)
        except Broken as broken:
            failure = curl_failure(broken.code, str(broken), broken.progress)
            raise self._failed(failure, _proxys_answer(asked.url, broken)) from broken
        set_cookies = reading.values(b"set-cookie")
        if set_cookies:
            self._cookies.take(url, set_cookies)
        return reading

    def _own_headers(self, asked: Hop) -> tuple[tuple[str, str], ...]:
        """The headers that are sent on top of the browser's own."""
        request = self._request
        if not (request.headers or asked.referer):
            return ()
        own = headers_for_hop(request.headers, request.url, asked.url)
        left_out = ("referer",) if asked.has_body or request.content is None else ("referer", "content-")
        kept = [(name, value) for name, value in own.items() if not name.lower().startswith(left_out)]
        return (*kept, *([("Referer", asked.referer)] if asked.referer else []))

    def _failed(self, failure: Failure, proxy_answer: Answer | None = None) -> SendFailed:
        return SendFailed(failure, hops=tuple(self.hops), proxy_answer=proxy_answer)


def _proxys_answer(url: str, broken: Broken) -> Answer | None:
    """What the proxy answered to the CONNECT, if the request failed there."""
    if broken.progress.connect_status // 100 in {0, 2}:
        return None
    reading = broken.reading
    return Answer(url=url, status=broken.progress.connect_status, reason=reading.reason, headers=reading.headers())


def _referer(headers: Mapping[str, str]) -> str:
    return next((value for name, value in headers.items() if name.lower() == "referer"), "")
