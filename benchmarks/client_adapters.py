"""Four clients that imitate browsers, behind one face, each used as its documentation says.

Those other than curl_cffi are not among the project's dependencies; a side whose package is missing is left out.
"""

from __future__ import annotations

import datetime as dt
import importlib
import re
import typing
from collections.abc import Callable
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from proxysieve.clients.curl import CurlClient
from proxysieve.clients.protocol import Request
from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.core.records import SessionRecord
from proxysieve.sessions.clients import Clients
from proxysieve.sessions.session import Session
from proxysieve.sessions.storage import dump_cookies, load_cookies

MAX_REDIRECTS = 20
MAX_BYTES = 1_000_000


class TooLargeError(Exception):
    """A body went over the limit, and the rest of it was not read."""


class Page(NamedTuple):
    """An answer; None where the client does not tell."""

    status: int
    body: bytes
    url: str | None
    redirects: int | None


class Visitor(Protocol):
    """One session of a client."""

    async def get(self, url: str, timeout_seconds: float = 10.0) -> Page:
        """Fetch a page with at most :data:`MAX_BYTES`."""
        ...

    def cookies(self) -> Any:  # noqa: ANN401 - to be handed to a new visitor, in whatever form
        """All cookies, with all that they consist of; None if the client cannot tell."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...


class Options(NamedTuple):
    """What a visitor is made with."""

    proxy: str
    browser: str
    ca_path: str | None = None
    cookies: Any = None


class Adapter(NamedTuple):
    """A client.

    Attributes:
        package: Its name in the index.
        browser: A version of Chrome that each of them has, or the nearest.
        targets: What it can look like.
    """

    package: str
    browser: str
    open: Callable[[Options], Visitor]
    targets: Callable[[], list[str]]


class CurlVisitor:
    """The built-in client, as the pool uses it."""

    def __init__(self, options: Options) -> None:
        self._client = CurlClient(ca_path=options.ca_path)
        self._clients = Clients(1)
        proxy = parse_proxy(options.proxy)
        fingerprint = Fingerprint(impersonate=options.browser, user_agent="", accept_language="")
        record = SessionRecord(name="visitor", proxy_key=proxy.key, exit_name="", fingerprint=fingerprint, opened_at=0)
        self._session = Session(record, "localhost", proxy, self._clients, cookies=options.cookies)

    async def get(self, url: str, timeout_seconds: float = 10.0) -> Page:
        request = Request(url=url, timeout_seconds=timeout_seconds, max_bytes=MAX_BYTES)
        answer = await self._client.send(request, self._session)
        return Page(answer.status, answer.body, answer.url, answer.redirect_count)

    def cookies(self) -> Any:  # noqa: ANN401
        return dump_cookies(self._session.cookies)

    async def close(self) -> None:
        await self._clients.close()


class PrimpVisitor:
    """It has no jar to be read: only names and values by URL."""

    def __init__(self, options: Options) -> None:
        primp: Any = importlib.import_module("primp")
        self._client = primp.AsyncClient(
            impersonate=options.browser,
            impersonate_os="macos",
            proxy=options.proxy,
            ca_cert_file=options.ca_path,
            max_redirects=MAX_REDIRECTS,
        )

    async def get(self, url: str, timeout_seconds: float = 10.0) -> Page:
        answer = await self._client.get(url, timeout=timeout_seconds, stream=True)
        async with answer:
            body = await _read(answer.aiter_bytes())
            return Page(answer.status_code, body, answer.url, None)

    def cookies(self) -> Any:  # noqa: ANN401
        return None

    async def close(self) -> None:
        del self._client


class WreqVisitor:
    """It has a jar of its own kind."""

    def __init__(self, options: Options) -> None:
        self._wreq: Any = importlib.import_module("wreq")
        emulation: Any = importlib.import_module("wreq.emulation")
        redirect: Any = importlib.import_module("wreq.redirect")
        profile = getattr(emulation.Profile, options.browser)
        self._jar = self._wreq.Jar()
        for url, text in options.cookies or ():
            self._jar.add(text, url)
        self._client = self._wreq.Client(
            emulation=emulation.Emulation(profile, emulation.Platform.MacOS),
            proxies=[self._wreq.Proxy.all(options.proxy)],
            cookie_provider=self._jar,
            redirect=redirect.Policy.limited(MAX_REDIRECTS),
            **({"tls_verify": Path(options.ca_path)} if options.ca_path else {}),
        )

    async def get(self, url: str, timeout_seconds: float = 10.0) -> Page:
        answer = await self._client.get(url, timeout=dt.timedelta(seconds=timeout_seconds))
        async with answer, answer.stream() as pieces:
            body = await _read(pieces)
            return Page(answer.status.as_int(), body, str(answer.url), len(answer.history))

    def cookies(self) -> Any:  # noqa: ANN401
        return [
            (f"http://{cookie.domain or '127.0.0.1'}{cookie.path or '/'}", str(cookie))
            for cookie in self._jar.get_all()
        ]

    async def close(self) -> None:
        del self._client


class ImpitVisitor:
    """It takes no authority but the system's, so certificates are not checked here."""

    def __init__(self, options: Options) -> None:
        impit: Any = importlib.import_module("impit")
        self._jar = CookieJar()
        for cookie in load_cookies(options.cookies) if options.cookies else ():
            self._jar.set_cookie(cookie)
        self._client = impit.AsyncClient(
            browser=options.browser,
            proxy=options.proxy,
            cookie_jar=self._jar,
            follow_redirects=True,
            max_redirects=MAX_REDIRECTS,
            verify=options.ca_path is None,
        )

    async def get(self, url: str, timeout_seconds: float = 10.0) -> Page:
        async with self._client.stream("GET", url, timeout=timeout_seconds) as answer:
            body = await _read(answer.aiter_bytes())
            return Page(answer.status_code, body, str(answer.url), None)

    def cookies(self) -> Any:  # noqa: ANN401
        return dump_cookies(self._jar)

    async def close(self) -> None:
        del self._client


async def _read(pieces: Any) -> bytes:  # noqa: ANN401 - each client has an iterator of its own
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) > MAX_BYTES:
            raise TooLargeError
    return bytes(body)


def curl_targets() -> list[str]:
    """Those of curl_cffi, without its former names for them."""
    impersonate: Any = importlib.import_module("curl_cffi.requests.impersonate")
    names = typing.get_args(impersonate.BrowserTypeLiteral)
    return [name for name in names if re.search(r"\d", name) and not re.search(r"\d_\d", name)]


def primp_targets() -> list[str]:
    """Those of primp, which names them in its documentation only."""
    metadata: Any = importlib.import_module("importlib.metadata")
    text = str(metadata.metadata("primp").get_payload())
    rows = [line for line in text.splitlines() if line.startswith(("| Chrome", "| Safari", "| Firefox", "| Edge"))]
    return [name for line in rows for name in line.split("`")[1::2] if name[-1].isdigit()]


def wreq_targets() -> list[str]:
    """Those of wreq."""
    emulation: Any = importlib.import_module("wreq.emulation")
    return [name for name in dir(emulation.Profile) if name[0].isupper() and name[-1].isdigit()]


def impit_targets() -> list[str]:
    """Those of impit."""
    impit: Any = importlib.import_module("impit")
    return [name for name in typing.get_args(impit.Browser) if name[-1].isdigit()]


ADAPTERS = {
    adapter.package: adapter
    for adapter in (
        Adapter("curl_cffi", "chrome146", CurlVisitor, curl_targets),
        Adapter("primp", "chrome_146", PrimpVisitor, primp_targets),
        Adapter("wreq", "Chrome146", WreqVisitor, wreq_targets),
        Adapter("impit", "chrome142", ImpitVisitor, impit_targets),
    )
}
