"""What real clients raise over real sockets, and what it is taken for."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager

import aiohttp
import httpx
import impit
import pytest
import requests
from curl_cffi import CurlError
from curl_cffi.requests import Session as CurlSession
from playwright.async_api import Error as BrowserError
from playwright.async_api import TimeoutError as BrowserTimeoutError
from tests.core.wires import (
    closed_unanswered,
    hung,
    listening,
    nobody,
    reset_unanswered,
    saying,
    socks_refusing,
    tunnel_then_hung,
    tunnel_then_no_tls,
    tunnel_then_reset,
)

from proxysieve.core.failures import failure_of, words_of
from proxysieve.core.failures.browsers import PLAYWRIGHTS
from proxysieve.core.failures.clients import BENEATH, CLASSES, VAGUE
from proxysieve.core.model import Failure

TIMEOUT_SECONDS = 0.2
# Never reached: the proxies here answer, or do not, by themselves.
TUNNELLED = "https://site.example/page"
PLAIN = "http://site.example/page"

Send = Callable[[str, str], object]


def by_httpx(proxy: str, url: str) -> object:
    with httpx.Client(proxy=proxy, verify=False, timeout=TIMEOUT_SECONDS, trust_env=False) as client:
        return client.get(url, follow_redirects=True)


def by_requests(proxy: str, url: str) -> object:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, proxies={"http": proxy, "https": proxy}, timeout=TIMEOUT_SECONDS, verify=False)


def by_aiohttp(proxy: str, url: str) -> object:
    async def send() -> bytes:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, proxy=proxy, ssl=False) as response,
        ):
            return await response.read()

    return asyncio.run(send())


def by_curl(proxy: str, url: str) -> object:
    with CurlSession(
        proxy=proxy,
        verify=False,
        timeout=TIMEOUT_SECONDS,
        trust_env=False,
    ) as session:
        return session.get(url)


def by_impit(proxy: str, url: str) -> object:
    client = impit.Client(proxy=proxy, verify=False, timeout=TIMEOUT_SECONDS, follow_redirects=True)
    return client.get(url).content


def status(line: str) -> AbstractContextManager[int]:
    return listening(saying(f"HTTP/1.1 {line}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()))


CUT_OFF = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
BAD_GZIP = saying(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc")
NO_HTTP = saying(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
CIRCLE = saying(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
NEEDS_CREDENTIALS = "407 Proxy Authentication Required\r\nProxy-Authenticate: Basic"


def rows() -> list[object]:
    """Each misbehaviour, with what is made of the errors of the clients, in their order."""
    clients = (by_httpx, by_requests, by_aiohttp, by_curl, by_impit)
    unreachable, refused, timeout = Failure.PROXY_UNREACHABLE, Failure.PROXY_REFUSED, Failure.TIMEOUT
    lost, tls, garbled, circles = Failure.RESET, Failure.TLS, Failure.GARBLED, Failure.REDIRECTS
    table: list[tuple[str, Callable[[], AbstractContextManager[int]], str, tuple[Failure, ...]]] = [
        ("nobody-there", nobody, TUNNELLED, (unreachable,) * 5),
        ("nobody-there-plain", nobody, PLAIN, (unreachable,) * 5),
        ("connect-407", lambda: status(NEEDS_CREDENTIALS), TUNNELLED, (refused,) * 5),
        ("connect-403", lambda: status("403 Forbidden"), TUNNELLED, (refused,) * 5),
        ("connect-502", lambda: status("502 Bad Gateway"), TUNNELLED, (refused,) * 5),
        # libcurl alone tells a CONNECT without an answer from a page without one.
        ("hung", lambda: listening(hung), TUNNELLED, (timeout, timeout, timeout, unreachable, timeout)),
        ("hung-plain", lambda: listening(hung), PLAIN, (timeout,) * 5),
        # httpx and libcurl call the handshake with the site a part of connecting.
        (
            "tunnel-hung",
            lambda: listening(tunnel_then_hung),
            TUNNELLED,
            (unreachable, timeout, timeout, unreachable, timeout),
        ),
        ("tunnel-reset", lambda: listening(tunnel_then_reset), TUNNELLED, (lost, lost, lost, tls, lost)),
        ("tunnel-without-tls", lambda: listening(tunnel_then_no_tls), TUNNELLED, (tls,) * 5),
        ("hung-up", lambda: listening(closed_unanswered), TUNNELLED, (lost, lost, lost, refused, lost)),
        ("hung-up-plain", lambda: listening(closed_unanswered), PLAIN, (lost,) * 5),
        ("reset", lambda: listening(reset_unanswered), TUNNELLED, (lost,) * 5),
        ("reset-plain", lambda: listening(reset_unanswered), PLAIN, (lost,) * 5),
        ("cut-off", lambda: listening(CUT_OFF), PLAIN, (lost,) * 5),
        ("bad-gzip", lambda: listening(BAD_GZIP), PLAIN, (garbled, garbled, lost, garbled, lost)),
        ("no-http", lambda: listening(NO_HTTP), PLAIN, (lost, lost, garbled, garbled, lost)),
        ("no-http-for-connect", lambda: listening(NO_HTTP), TUNNELLED, (lost, lost, garbled, refused, refused)),
        ("circle", lambda: listening(CIRCLE), PLAIN, (circles,) * 5),
    ]
    return [
        pytest.param(proxy, url, send, failure, id=f"{name}-{send.__name__}")
        for name, proxy, url, failures in table
        for send, failure in zip(clients, failures, strict=True)
    ]


@pytest.mark.parametrize(("proxy", "url", "send", "failure"), rows())
def test_a_client_s_error_means(
    proxy: Callable[[], AbstractContextManager[int]], url: str, send: Send, failure: Failure
) -> None:
    """What a client raises over a proxy that fails in a known way is taken for how far the request came."""
    with proxy() as port, pytest.raises(Exception) as caught:  # noqa: PT011 - which one is what is tried
        send(f"http://127.0.0.1:{port}", url)

    assert failure_of(caught.value) is failure


def test_a_socks_proxy_that_refuses_is_the_proxys_doing() -> None:
    """SOCKS has its own words for no."""
    with listening(socks_refusing) as port, pytest.raises(Exception) as caught:  # noqa: PT011 - likewise
        by_curl(f"socks5://127.0.0.1:{port}", "http://127.0.0.1:1/")

    assert failure_of(caught.value) is Failure.PROXY_REFUSED


@pytest.mark.parametrize(
    ("send", "failure"),
    [
        pytest.param(by_httpx, Failure.UNSENDABLE, id="httpx"),
        pytest.param(by_requests, None, id="requests"),
        pytest.param(by_aiohttp, None, id="aiohttp"),
        pytest.param(by_curl, Failure.UNSENDABLE, id="curl"),
    ],
)
def test_a_url_that_is_none_is_no_fault_of_the_proxy(send: Send, failure: Failure | None) -> None:
    """What cannot be sent is the caller's own, or the URL's."""
    with nobody() as port, pytest.raises(Exception) as caught:  # noqa: PT011 - likewise
        send(f"http://127.0.0.1:{port}", "http://")

    assert failure_of(caught.value) is failure


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ValueError("mine"), id="value-error"),
        pytest.param(KeyError("mine"), id="key-error"),
        pytest.param(OSError("disk full"), id="os-error"),
        pytest.param(ConnectionResetError("my database"), id="reset-elsewhere"),
        pytest.param(httpx.HTTPStatusError("500", request=None, response=None), id="raise-for-status"),  # type: ignore[arg-type]
        pytest.param(asyncio.CancelledError(), id="cancelled"),
        pytest.param(KeyboardInterrupt(), id="interrupted"),
    ],
)
def test_other_exceptions_are_the_callers_own(error: BaseException) -> None:
    """An exception of no known client says nothing of the proxy."""
    assert failure_of(error) is None


def test_an_error_while_a_clients_error_is_handled_is_the_callers_own() -> None:
    """A bug in the caller's own except clause stays one."""

    def fetch(port: int) -> None:
        try:
            by_curl(f"http://127.0.0.1:{port}", PLAIN)
        except CurlError:
            raise ValueError("mine")  # noqa: B904 - as callers do

    with nobody() as port, pytest.raises(ValueError, match="mine") as caught:
        fetch(port)

    assert failure_of(caught.value) is None


@pytest.mark.parametrize("name", sorted({*CLASSES, *VAGUE, *BENEATH, PLAYWRIGHTS}))
def test_every_class_exists_under_its_name(name: str) -> None:
    """Clients are told by the names of their exceptions, so a name that is gone would go unnoticed."""
    module, _, kind = name.rpartition(".")

    found = getattr(importlib.import_module(module), kind)

    assert issubclass(found, BaseException)
    assert f"{found.__module__}.{found.__qualname__}" == name


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("Page.goto: net::ERR_PROXY_CONNECTION_FAILED at http://site/", Failure.PROXY_UNREACHABLE),
        ("Page.goto: net::ERR_TUNNEL_CONNECTION_FAILED at https://site/", Failure.PROXY_REFUSED),
        ("Page.goto: net::ERR_CONNECTION_RESET at http://site/", Failure.RESET),
        ("Page.goto: net::ERR_ABORTED at http://site/", Failure.UNREADABLE),
        ("Page.goto: net::ERR_CONNECTION_TIMED_OUT at http://site/", Failure.TIMEOUT),
        ("Page.goto: net::ERR_CERT_AUTHORITY_INVALID at https://site/", Failure.CERTIFICATE),
        ("Page.goto: net::ERR_SOMETHING_NEW at https://site/", Failure.GARBLED),
        ("Page.goto: Page crashed", Failure.UNREADABLE),
        ("Page.wait_for_load_state: Navigation failed because page crashed!", Failure.UNREADABLE),
        ("Page.goto: Protocol error (Page.navigate): Cannot navigate to invalid URL", Failure.UNSENDABLE),
        ("Page.goto: NS_ERROR_PROXY_CONNECTION_REFUSED", Failure.PROXY_UNREACHABLE),
        ("Page.goto: NS_ERROR_PROXY_FORBIDDEN", Failure.PROXY_REFUSED),
        ("Page.click: strict mode violation", None),
    ],
)
def test_an_error_of_a_browser_means(text: str, failure: Failure | None) -> None:
    """What it says of the network; what it says of the page's use is the caller's own."""
    assert failure_of(BrowserError(text)) is failure


def test_a_browsers_timeout_is_one() -> None:
    """It has a class of its own."""
    assert failure_of(BrowserTimeoutError("Page.goto: Timeout 30000ms exceeded.")) is Failure.TIMEOUT


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "Page.goto: Cannot navigate to invalid URL\nCall log:\n  - cookie: a=b\n",
            "Page.goto: Cannot navigate to invalid URL",
        ),
        ("no way by http://anna:s3cret@proxy.example:1 at all", "no way by http://***@proxy.example:1 at all"),
        ("no way by anna:s3/cret@proxy.example:1", "no way by ***@proxy.example:1"),
        ("sent Cookie: sid=1; login=2", "sent Cookie: ***"),
        ("sent proxy-authorization: Basic YTpi", "sent proxy-authorization: ***"),
        ("", ""),
    ],
)
def test_a_browser_is_quoted_in_a_line(said: str, told: str) -> None:
    """The first of what it says; a call log has headers in it, and an address may have a login."""
    assert words_of(BrowserError(said)) == told


def test_a_browser_is_quoted_in_short() -> None:
    """What a page threw may be of any length."""
    assert len(words_of(BrowserError("word " * 1000))) == 200


def test_others_are_not_quoted() -> None:
    """Nobody knows where in their words a secret may stand."""
    assert words_of(RuntimeError("s3cret")) == ""
