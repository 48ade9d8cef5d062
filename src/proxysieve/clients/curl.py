"""The built-in client, curl_cffi, whose TLS and HTTP/2 look like the browser that the user agent names."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from io import BytesIO

from curl_cffi import AsyncCurl, Curl, CurlECode, CurlError, CurlHttpVersion, CurlInfo, CurlOpt
from curl_cffi.curl import CURL_WRITEFUNC_ERROR
from curl_cffi.requests import AsyncSession
from curl_cffi.requests import Response as CurlResponse

from proxysieve.clients.protocol import Request, Response
from proxysieve.core.facts import MAX_IN_FLIGHT
from proxysieve.core.families import ACCEPT_ENCODING
from proxysieve.core.model import Identity
from proxysieve.session import Session

# As browsers do; a chain that is longer goes in circles.
MAX_REDIRECTS = 20
# Libcurl would follow a redirect to FTP too, for which it opens connections of its own.
REDIRECTED_TO = "http,https"
# How far a request came, which tells the failures of the proxy from those of the site.
INFOS = (
    CurlInfo.HTTP_CONNECTCODE,
    CurlInfo.NUM_CONNECTS,
    CurlInfo.APPCONNECT_TIME,
    CurlInfo.SSL_VERIFYRESULT,
    CurlInfo.PROXY_SSL_VERIFYRESULT,
)
HEAD_END = re.compile(rb"\n\r?\n")
# Of a decoded body. Libcurl reads 160 KB from a connection before it turns to the next one: pages get ten times as
# large when they are unpacked, and bombs a thousand times.
MOST_AT_ONCE = 16_777_216
# Among what is told of a response beside INFOS.
IS_CUT = "is cut"

# Below what is no directory, nothing can be.
NO_SOCKET = "/dev/null/none"

# How often each client asks libcurl whether it forgot something: it has timers and sockets to tell us by itself.
SAFEGUARD_SECONDS = 1.0
CURL_SOCKET_TIMEOUT = -1


class Body:
    """Takes a body piece by piece, up to a limit; and no more of it at once than takes some 40 ms to unpack."""

    def __init__(self, max_bytes: int) -> None:
        self._pieces: list[bytes] = []
        self._left = max_bytes
        self._at_once = 0

    def take(self, piece: bytes) -> int:
        """Libcurl's write callback: how many bytes were taken, or that no more are wanted."""
        if not self._at_once:
            # All that libcurl has read by now comes before anything else has its turn.
            asyncio.get_running_loop().call_soon(self._breathe)
        self._left -= len(piece)
        self._at_once += len(piece)
        if self._left < 0 or self._at_once > MOST_AT_ONCE:
            return CURL_WRITEFUNC_ERROR
        self._pieces.append(piece)
        return len(piece)

    def _breathe(self) -> None:
        self._at_once = 0

    def __bytes__(self) -> bytes:
        return b"".join(self._pieces)


class CalmCurl(AsyncCurl):
    """Lets its session rest: curl_cffi's own looks after it ten times a second, which takes 7 % of a core with 500."""

    async def _force_timeout(self) -> None:
        while self._curlm:
            self.socket_action(CURL_SOCKET_TIMEOUT, 0)
            await asyncio.sleep(SAFEGUARD_SECONDS)


class Connections(AsyncSession[CurlResponse]):
    """The connections of a session, which take no answer for whole that broke off within its headers.

    Libcurl takes the headers that it has for all there are. If they have not said yet how long the body is, that makes
    a 404 of a connection that was cut.

    Of libcurl's handles, of which each request that is out takes one, none is kept: one takes 130 KB for as long as it
    lives, and 10 microseconds to make. The connections are not theirs, and stay open.
    """

    @property
    def acurl(self) -> AsyncCurl:
        if self._acurl is None:
            self._acurl = CalmCurl(loop=self.loop)
        return self._acurl

    def push_curl(self, curl: Curl | None) -> None:
        if curl is not None:
            curl.close()
        super().push_curl(None)

    def _parse_response(
        self,
        curl: Curl,
        buffer: BytesIO,
        header_buffer: BytesIO,
        default_encoding: str | Callable[[bytes], str],
        discard_cookies: bool,  # noqa: FBT001 - as curl_cffi has it
    ) -> CurlResponse:
        parse = super()._parse_response
        try:
            response = parse(curl, buffer, header_buffer, default_encoding, discard_cookies)
        except UnicodeDecodeError:
            # A cookie that is no text costs those after it, and not the page.
            response = parse(curl, buffer, header_buffer, default_encoding, discard_cookies=True)
        response.infos[IS_CUT] = not HEAD_END.search(header_buffer.getvalue().rpartition(b"\nHTTP/")[2])
        return response


class CurlClient:
    """Sends by libcurl, one connection pool and one cookie jar a session.

    Args:
        ca_path: A file with certificates to trust in place of the usual ones, as for a site of one's own.
    """

    def __init__(self, *, ca_path: str | None = None) -> None:
        self._ca_path = ca_path

    async def send(self, request: Request, session: Session) -> Response:
        return await _ask(session.client(self._open), request)

    def _open(self, session: Session) -> Connections:
        trusted = {CurlOpt.CAINFO: self._ca_path, CurlOpt.PROXY_CAINFO: self._ca_path} if self._ca_path else {}
        return Connections(
            impersonate=session.identity.impersonate,
            headers=_headers(session.identity),
            cookies=session.cookies,
            trust_env=False,
            curl_options={
                # As an argument of its own it would bring a warning with each request, if it is an HTTPS proxy.
                CurlOpt.PROXY: session.proxy_url,
                # NO_PROXY in the environment would make libcurl pass the proxy by, and show who we are.
                CurlOpt.NOPROXY: "",
                CurlOpt.REDIR_PROTOCOLS_STR: REDIRECTED_TO,
                CurlOpt.SSL_SESSIONID_CACHE: _resumes_tls(session.identity),
                **_order(session.identity),
                **trusted,
            },
            curl_infos=list(INFOS),
            max_clients=MAX_IN_FLIGHT,
            max_redirects=MAX_REDIRECTS,
        )


def _resumes_tls(identity: Identity) -> bool:
    """Whether a new connection may go on with the TLS session of an earlier one.

    libcurl does it as Chrome does. Safari does not do it, and Firefox leaves out another extension then, so that
    their ClientHello would be one that no browser sends.
    """
    return identity.impersonate.startswith("chrome")


def _headers(identity: Identity) -> dict[str, str | None]:
    """What libcurl is told to send.

    Its targets were recorded from links, or from a page that was loaded anew, and write names small in HTTP/1.1, too.
    """
    return {**identity.headers, "Accept-Encoding": ACCEPT_ENCODING, "Cache-Control": None}


def _order(identity: Identity) -> dict[CurlOpt, str]:
    """In which order headers are sent; libcurl would send cookies first or last, which not all browsers do."""
    return {CurlOpt.HTTPHEADER_ORDER: ",".join(identity.header_order())}


def is_askable(url: str) -> bool:
    """Whether libcurl can make a request of *url*. None is sent."""
    curl = Curl()
    try:
        curl.setopt(CurlOpt.URL, url.encode())
        curl.setopt(CurlOpt.NOPROXY, "*")
        # Once all of the URL is understood, it comes to a socket that is not there.
        curl.setopt(CurlOpt.UNIX_SOCKET_PATH, NO_SOCKET)
        curl.perform()
    except CurlError as error:
        return error.code == CurlECode.COULDNT_CONNECT
    finally:
        curl.close()
    return True


async def send_directly(request: Request, identity: Identity) -> Response:
    """The answer to a request that goes through no proxy: the site sees this machine's own address.

    Raises:
        Exception: As of :class:`Client`.
    """
    client = Connections(
        impersonate=identity.impersonate,
        headers=_headers(identity),
        trust_env=False,
        # Without a proxy of its own, libcurl would take one from the environment.
        curl_options={CurlOpt.NOPROXY: "*", CurlOpt.REDIR_PROTOCOLS_STR: REDIRECTED_TO, **_order(identity)},
        max_redirects=MAX_REDIRECTS,
    )
    async with client:
        return await _ask(client, request)


async def _ask(client: Connections, request: Request) -> Response:
    body = Body(request.max_bytes)
    response = await client.request(
        request.method,  # type: ignore[arg-type] # any method goes
        request.url,
        headers=request.headers,
        data=request.content,
        timeout=request.timeout_seconds,
        content_callback=body.take,
        # Without TLS, libcurl would offer an upgrade to HTTP/2 that no browser offers; with it, HTTP/2 as they do.
        http_version=CurlHttpVersion.V2TLS,
    )
    if response.infos[IS_CUT]:
        raise CurlError("the connection was cut within the headers", CurlECode.PARTIAL_FILE)
    headers = tuple((name.lower(), value or "") for name, value in response.headers.multi_items())
    return Response(
        url=response.url,
        status=response.status_code,
        headers=headers,
        body=bytes(body),
        redirect_count=response.redirect_count,
    )
