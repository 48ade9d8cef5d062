"""The three ways to send that `client_choice.py` tries, behind one face."""

from __future__ import annotations

import asyncio
import datetime as dt
import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from curl_cffi import AsyncCurl, Curl, CurlError, CurlHttpVersion, CurlInfo, CurlOpt
from curl_cffi.curl import CURL_WRITEFUNC_ERROR
from curl_cffi.requests import AsyncSession, Response
from curl_cffi.requests.exceptions import RequestException

MAX_BYTES = 1_000_000
# Wreq's, for all that comes before the request; libcurl tells how far it came without one.
CONNECT_TIME_OUT = dt.timedelta(seconds=0.8)
CURLS_NAMES = {"chrome": "chrome150", "firefox": "firefox147"}
WREQS_NAMES = {"chrome": "Chrome150", "firefox": "Firefox147"}
# How far a request came: connected, the status of the CONNECT, TLS, the first byte.
STAGES = (CurlInfo.CONNECT_TIME, CurlInfo.HTTP_CONNECTCODE, CurlInfo.APPCONNECT_TIME, CurlInfo.STARTTRANSFER_TIME)
CHROMES_ORDER = (
    "Host,Connection,sec-ch-ua,sec-ch-ua-mobile,sec-ch-ua-platform,Upgrade-Insecure-Requests,User-Agent,Accept,"
    "Sec-Fetch-Site,Sec-Fetch-Mode,Sec-Fetch-User,Sec-Fetch-Dest,Referer,Accept-Encoding,Accept-Language,Cookie,Priority"
)


class TooLargeError(Exception):
    """A body went over the limit, and the rest of it was not read."""


class Page(NamedTuple):
    """An answer."""

    status: int
    body: bytes


class Told(NamedTuple):
    """What a failure tells.

    Attributes:
        kind: What tells it from others, without addresses and times.
        connect: What the proxy answered to the CONNECT, as far as that is told.
    """

    kind: str
    connect: str = ""


class Visitor(Protocol):
    """One session of a client, which follows no redirects and keeps no cookies."""

    def __init__(self, proxy: str, ca_path: Path, browser: str = "chrome") -> None: ...

    async def get(self, url: str, *, seconds: float = 5.0, headers: Mapping[str, str] = {}) -> Page:
        """Fetch a page with at most :data:`MAX_BYTES`."""
        ...

    def told(self, error: BaseException) -> Told:
        """What the last failure, *error*, tells."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...


class Body:
    """Takes a body up to the limit."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size = 0

    def take(self, piece: bytes) -> int:
        """Libcurl's write callback."""
        self.size += len(piece)
        if self.size > MAX_BYTES:
            return CURL_WRITEFUNC_ERROR
        self.pieces.append(piece)
        return len(piece)


class Handles:
    """curl_cffi's `Curl`, driven by an `AsyncCurl` a session."""

    package = "curl_cffi"

    def __init__(self, proxy: str, ca_path: Path, browser: str = "chrome") -> None:
        self._proxy, self._ca_path, self._browser = proxy, str(ca_path), browser
        self._multi: AsyncCurl | None = None
        self._infos: list[Any] = []
        self._connect: list[bytes] = []

    async def get(self, url: str, *, seconds: float = 5.0, headers: Mapping[str, str] = {}) -> Page:
        self._multi = self._multi or AsyncCurl()
        curl, body, self._connect = Curl(), Body(), []
        curl.impersonate(CURLS_NAMES[self._browser])
        for option, value in self._options(url, seconds, headers).items():
            curl.setopt(option, value)
        curl.setopt(CurlOpt.WRITEFUNCTION, body.take)
        curl.setopt(CurlOpt.HEADERFUNCTION, self._take_header)
        try:
            await self._multi.add_handle(curl)
            return Page(int(curl.getinfo(CurlInfo.RESPONSE_CODE)), b"".join(body.pieces))  # type: ignore[arg-type]
        except CurlError as error:
            self._infos = [curl.getinfo(info) for info in STAGES]
            raise TooLargeError if body.size > MAX_BYTES else error from error
        except asyncio.CancelledError:
            self._multi.remove_handle(curl)
            raise
        finally:
            curl.close()

    def _options(self, url: str, seconds: float, headers: Mapping[str, str]) -> dict[CurlOpt, Any]:
        return {
            CurlOpt.URL: url.encode(),
            CurlOpt.PATH_AS_IS: 1,
            CurlOpt.PROXY: self._proxy,
            CurlOpt.NOPROXY: "",
            CurlOpt.CAINFO: self._ca_path,
            CurlOpt.PROXY_CAINFO: self._ca_path,
            CurlOpt.HTTP_VERSION: CurlHttpVersion.V2TLS,
            CurlOpt.TIMEOUT_MS: int(1000 * seconds),
            **ordered(self._browser),
            CurlOpt.HTTPHEADER: [f"{name}: {value}".encode() for name, value in headers.items()],
        }

    def _take_header(self, line: bytes) -> int:
        self._connect.append(line.strip())
        return len(line)

    def told(self, error: BaseException) -> Told:
        return told_by_curl(error, self._infos, self._connect)

    async def close(self) -> None:
        if self._multi:
            await self._multi.close()  # type: ignore[no-untyped-call]


class Sessions:
    """curl_cffi's `AsyncSession`."""

    package = "curl_cffi"

    def __init__(self, proxy: str, ca_path: Path, browser: str = "chrome") -> None:
        self._session = AsyncSession[Response](
            impersonate=CURLS_NAMES[browser],
            trust_env=False,
            allow_redirects=False,
            discard_cookies=True,
            curl_infos=list(STAGES),
            curl_options={
                CurlOpt.PROXY: proxy,
                CurlOpt.NOPROXY: "",
                CurlOpt.PATH_AS_IS: 1,
                CurlOpt.CAINFO: str(ca_path),
                CurlOpt.PROXY_CAINFO: str(ca_path),
                **ordered(browser),
            },
        )

    async def get(self, url: str, *, seconds: float = 5.0, headers: Mapping[str, str] = {}) -> Page:
        body = Body()
        try:
            answer = await self._session.get(
                url,
                headers=dict(headers),
                timeout=seconds,
                content_callback=body.take,
                http_version=CurlHttpVersion.V2TLS,
                quote=False,
            )
        except RequestException as error:
            raise TooLargeError if body.size > MAX_BYTES else error from error
        return Page(answer.status_code, b"".join(body.pieces))

    def told(self, error: BaseException) -> Told:
        response: Any = getattr(error, "response", None)
        infos = getattr(response, "infos", None) or {}
        headers = response.headers.multi_items() if response else []
        lines = [f"{name}: {value}".encode() for name, value in headers]
        return told_by_curl(error, [infos.get(info) for info in STAGES], lines)

    async def close(self) -> None:
        await self._session.close()


class Wreq:
    """wreq's `Client`."""

    package = "wreq"

    def __init__(self, proxy: str, ca_path: Path, browser: str = "chrome") -> None:
        wreq: Any = importlib.import_module("wreq")
        emulation: Any = importlib.import_module("wreq.emulation")
        redirect: Any = importlib.import_module("wreq.redirect")
        header: Any = importlib.import_module("wreq.header")
        self._client = wreq.Client(
            emulation=emulation.Emulation(getattr(emulation.Profile, WREQS_NAMES[browser]), emulation.Platform.MacOS),
            proxies=[wreq.Proxy.all(proxy)],
            redirect=redirect.Policy.none(),
            tls_verify=ca_path,
            connect_timeout=CONNECT_TIME_OUT,
        )
        self._order = {"orig_headers": header.OrigHeaderMap(CHROMES_ORDER.split(","))} if browser == "chrome" else {}

    async def get(self, url: str, *, seconds: float = 5.0, headers: Mapping[str, str] = {}) -> Page:
        body = bytearray()
        timeout = dt.timedelta(seconds=seconds)
        answer = await self._client.get(url, timeout=timeout, headers=dict(headers), **self._order)
        async with answer, answer.stream() as pieces:
            async for piece in pieces:
                body += piece
                if len(body) > MAX_BYTES:
                    # Leaving the block may read on to the end; this is to give the connection up, and does mostly.
                    await answer.close()
                    raise TooLargeError
        return Page(answer.status.as_int(), bytes(body))

    def told(self, error: BaseException) -> Told:
        text = f"{type(error).__name__} {error}"
        kind = re.sub(r"https?://\S+|127[.\d]+(:\d+)?|port \d+|id: \d+", "", text)
        return Told(kind, " ".join(re.findall(r"\b[45]\d\d\b", kind)))

    async def close(self) -> None:
        self._client.close()


def ordered(browser: str) -> dict[CurlOpt, Any]:
    """The option that puts cookies and headers of one's own where Chrome has them."""
    return {CurlOpt.HTTPHEADER_ORDER: CHROMES_ORDER} if browser == "chrome" else {}


def told_by_curl(error: BaseException, infos: list[Any], connect: list[bytes]) -> Told:
    """What libcurl's code tells, with how far it came by its *infos*."""
    connected, status, encrypted, begun = infos or (0, 0, 0, 0)
    stage = ", ".join(
        word
        for word, is_so in (
            ("connected", connected),
            ("tunnel", status == 200),
            ("TLS", encrypted),
            ("answer", begun),
        )
        if is_so
    )
    lines = b" | ".join([b"%d" % (status or 0), *connect]).decode("latin-1")
    return Told(f"{getattr(error, 'code', type(error).__name__)} {stage}", lines)


CLIENTS: dict[str, type[Handles | Sessions | Wreq]] = {
    "curl_cffi, handles": Handles,
    "curl_cffi, sessions": Sessions,
    "wreq": Wreq,
}
