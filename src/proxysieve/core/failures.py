"""A client's exception into the failure that it means, without importing any client.

Clients are told by the names of their exception classes, which are part of their public interfaces. curl_cffi has
few classes but libcurl's error codes, its messages and what it knows of the connection, which say how far a request
came: what goes wrong before TLS with the site began is the proxy's doing, and what is said within it is the site's.
"""

from __future__ import annotations

import enum
import re
from typing import Any

import msgspec

from proxysieve.core.model import Answer, Exchange, Failure

# libcurl's error codes: https://curl.se/libcurl/c/libcurl-errors.html
CURL_CODES = {
    1: Failure.GARBLED,  # an answer without a status line, or with one that nobody knows
    3: Failure.UNSENDABLE,
    5: Failure.PROXY_UNREACHABLE,
    6: Failure.UNRESOLVED,
    7: Failure.PROXY_UNREACHABLE,  # the only address that is connected to is the proxy's
    8: Failure.GARBLED,
    16: Failure.RESET,
    18: Failure.RESET,
    23: Failure.TOO_LARGE,  # our own callback refused to take more
    35: Failure.TLS,
    47: Failure.REDIRECTS,
    52: Failure.RESET,
    55: Failure.RESET,
    56: Failure.RESET,
    60: Failure.CERTIFICATE,
    61: Failure.GARBLED,
    92: Failure.RESET,
    97: Failure.PROXY_REFUSED,
}
CURL_TIMEOUT = 28
HTTP_OK = 200
CURL_URL_MALFORMAT = 3
# Of a URL that cannot be asked for, whose own it may be or that of a redirect.
CURL_URL_CODES = frozenset({1, CURL_URL_MALFORMAT})
# Of one that libcurl cannot parse. Of a login at the proxy that it cannot send, it has the same code and no words.
CURL_REJECTED = "URL rejected"
# What says more than the code that it comes with.
CURL_WORDS = {
    "CONNECT": Failure.PROXY_REFUSED,
    "curl: (23) .": Failure.GARBLED,  # without a word of our callback: more came than was compressed
    "Too large response headers": Failure.GARBLED,
    "chunk hex-length": Failure.GARBLED,
    "nghttp2": Failure.GARBLED,
}
# What is the proxy's if it comes before TLS with the site.
CURL_PROXYS = frozenset({Failure.RESET, Failure.GARBLED, Failure.TLS, Failure.CERTIFICATE})

# What the built-in client asks libcurl of a connection: https://curl.se/libcurl/c/curl_easy_getinfo.html
CURL_CONNECTCODE = 0x20_0000 + 22  # the status of the CONNECT
CURL_NUM_CONNECTS = 0x20_0000 + 26
CURL_APPCONNECT_TIME = 0x30_0000 + 33  # 0 until TLS with the site stands
# Not 0 from the beginning of a handshake to its good end.
CURL_SSL_VERIFYRESULT = 0x20_0000 + 13
CURL_PROXY_SSL_VERIFYRESULT = 0x20_0000 + 47

# By module and class, the most telling first; the bases of an exception are looked up after itself.
CLASSES = {
    "httpx.ProxyError": Failure.PROXY_REFUSED,
    "httpx.ConnectTimeout": Failure.PROXY_UNREACHABLE,
    "httpx.ConnectError": Failure.PROXY_UNREACHABLE,
    "httpx.TimeoutException": Failure.TIMEOUT,
    "httpx.TooManyRedirects": Failure.REDIRECTS,
    "httpx.DecodingError": Failure.GARBLED,
    "httpx.UnsupportedProtocol": Failure.UNSENDABLE,
    "httpx.LocalProtocolError": Failure.UNSENDABLE,
    "httpx.TransportError": Failure.RESET,
    "requests.exceptions.ProxyError": Failure.PROXY_REFUSED,
    "requests.exceptions.ConnectTimeout": Failure.PROXY_UNREACHABLE,
    "requests.exceptions.Timeout": Failure.TIMEOUT,
    "requests.exceptions.SSLError": Failure.TLS,
    "requests.exceptions.TooManyRedirects": Failure.REDIRECTS,
    "requests.exceptions.ConnectionError": Failure.RESET,
    "requests.exceptions.ChunkedEncodingError": Failure.RESET,
    "requests.exceptions.ContentDecodingError": Failure.GARBLED,
    "aiohttp.client_exceptions.ClientProxyConnectionError": Failure.PROXY_UNREACHABLE,
    "aiohttp.client_exceptions.ClientHttpProxyError": Failure.PROXY_REFUSED,
    "aiohttp.client_exceptions.ConnectionTimeoutError": Failure.PROXY_UNREACHABLE,
    "aiohttp.client_exceptions.ServerTimeoutError": Failure.TIMEOUT,
    "aiohttp.client_exceptions.ClientSSLError": Failure.TLS,
    "aiohttp.client_exceptions.ClientConnectorDNSError": Failure.PROXY_UNREACHABLE,
    "aiohttp.client_exceptions.ClientConnectionError": Failure.RESET,
    "aiohttp.client_exceptions.TooManyRedirects": Failure.REDIRECTS,
    "aiohttp.client_exceptions.ClientResponseError": Failure.GARBLED,
    "aiohttp.client_exceptions.ClientPayloadError": Failure.RESET,
    "playwright._impl._errors.TimeoutError": Failure.TIMEOUT,
    "impit.ProxyError": Failure.PROXY_REFUSED,
    "impit.ConnectTimeout": Failure.PROXY_UNREACHABLE,
    "impit.ConnectError": Failure.RESET,
    "impit.TimeoutException": Failure.TIMEOUT,
    "impit.TooManyRedirects": Failure.REDIRECTS,
    "impit.DecodingError": Failure.GARBLED,
    "impit.UnsupportedProtocol": Failure.UNSENDABLE,
    "impit.LocalProtocolError": Failure.UNSENDABLE,
    "impit.TransportError": Failure.RESET,
    "proxysieve.errors.SessionEnded": Failure.UNREADABLE,
}

# Browsers that are driven have one class for most, with Chromium's name of what went wrong in the message:
# https://chromium.googlesource.com/chromium/src/+/main/net/base/net_error_list.h
PLAYWRIGHTS = "playwright._impl._errors.Error"
SELENIUMS = "selenium.common.exceptions.WebDriverException"
# Of a page that takes too long; it is one of the others, too.
SELENIUMS_TIMEOUT = "selenium.common.exceptions.TimeoutException"
NET_ERROR = re.compile(r"net::(ERR_[A-Z0-9_]+)")
NET_ERRORS = {
    "ERR_PROXY_CONNECTION_FAILED": Failure.PROXY_UNREACHABLE,
    "ERR_MANDATORY_PROXY_CONFIGURATION_FAILED": Failure.PROXY_UNREACHABLE,
    "ERR_PROXY_CERTIFICATE_INVALID": Failure.PROXY_REFUSED,
    "ERR_PROXY_AUTH_UNSUPPORTED": Failure.PROXY_REFUSED,
    "ERR_PROXY_AUTH_REQUESTED": Failure.PROXY_REFUSED,
    "ERR_PROXY_AUTH_REQUESTED_WITH_NO_CONNECTION": Failure.PROXY_REFUSED,
    "ERR_TUNNEL_CONNECTION_FAILED": Failure.PROXY_REFUSED,
    "ERR_SOCKS_CONNECTION_FAILED": Failure.PROXY_REFUSED,
    "ERR_SOCKS_CONNECTION_HOST_UNREACHABLE": Failure.PROXY_REFUSED,
    "ERR_INVALID_AUTH_CREDENTIALS": Failure.PROXY_REFUSED,
    "ERR_UNEXPECTED_PROXY_AUTH": Failure.PROXY_REFUSED,
    # An error status without a body; the site's own have been told by the answer, so what is left is that of a CONNECT.
    "ERR_HTTP_RESPONSE_CODE_FAILURE": Failure.PROXY_REFUSED,
    "ERR_NAME_NOT_RESOLVED": Failure.UNRESOLVED,
    "ERR_NAME_RESOLUTION_FAILED": Failure.UNRESOLVED,
    "ERR_TIMED_OUT": Failure.TIMEOUT,
    "ERR_CONNECTION_TIMED_OUT": Failure.TIMEOUT,
    "ERR_FILE_TOO_BIG": Failure.TOO_LARGE,
    "ERR_TOO_MANY_REDIRECTS": Failure.REDIRECTS,
    "ERR_UNKNOWN_URL_SCHEME": Failure.MISLED,
    "ERR_UNSAFE_REDIRECT": Failure.MISLED,
    "ERR_DISALLOWED_URL_SCHEME": Failure.MISLED,
    "ERR_INVALID_URL": Failure.UNSENDABLE,
    "ERR_UNSAFE_PORT": Failure.UNSENDABLE,
    # The browser left it by itself: for another page, or because that one crashed.
    "ERR_ABORTED": Failure.UNREADABLE,
    "ERR_INSUFFICIENT_RESOURCES": Failure.UNREADABLE,
    "ERR_OUT_OF_MEMORY": Failure.UNREADABLE,
}
# What the others are told by, as they begin.
NET_FAMILIES = {
    "ERR_CERT_": Failure.CERTIFICATE,
    "ERR_SSL_": Failure.TLS,
    "ERR_BAD_SSL_": Failure.TLS,
    "ERR_ECH_": Failure.TLS,
    "ERR_CONNECTION_": Failure.RESET,
    "ERR_EMPTY_RESPONSE": Failure.RESET,
    "ERR_SOCKET_": Failure.RESET,
    "ERR_NETWORK_": Failure.RESET,
    "ERR_INTERNET_": Failure.RESET,
    "ERR_ADDRESS_": Failure.RESET,
    "ERR_INCOMPLETE_": Failure.RESET,
    "ERR_CONTENT_LENGTH_MISMATCH": Failure.RESET,
    "ERR_HTTP2_": Failure.RESET,
    "ERR_QUIC_": Failure.RESET,
    "ERR_": Failure.GARBLED,
}
# Firefox has other names for it.
FIREFOX_ERROR = re.compile(r"NS_ERROR_[A-Z0-9_]+")
FIREFOX_FAMILIES = {
    "NS_ERROR_PROXY_CONNECTION_REFUSED": Failure.PROXY_UNREACHABLE,
    "NS_ERROR_PROXY_": Failure.PROXY_REFUSED,
    "NS_ERROR_UNKNOWN_HOST": Failure.UNRESOLVED,
    "NS_ERROR_NET_TIMEOUT": Failure.TIMEOUT,
    "NS_ERROR_NET_": Failure.RESET,
}
# A page that is too much for a browser is no fault of the proxy's.
CRASHES = ("Page crashed", "page crashed", "Target crashed")
# Of a URL that others can read, such as one of five numbers for an address.
INVALID_URL = "Cannot navigate to invalid URL"
# What is not told of its words: whatever stands before an @, and headers that say who somebody is.
LOGINS = re.compile(r"(\w+://)?\S+@")
SENT_SECRETS = re.compile(r"\b((?:set-)?cookie|(?:proxy-)?authorization):.*", re.IGNORECASE)
MOST_LETTERS = 200


# These stand for anything on the way to the site; what they were raised from says how far it came.
VAGUE = frozenset({"httpx.ConnectError", "requests.exceptions.ProxyError"})
BENEATH = {
    "builtins.ConnectionRefusedError": Failure.PROXY_UNREACHABLE,
    "builtins.ConnectionResetError": Failure.RESET,
    "ssl.SSLError": Failure.TLS,
    "socket.gaierror": Failure.PROXY_UNREACHABLE,
    "urllib3.exceptions.ConnectTimeoutError": Failure.PROXY_UNREACHABLE,
}
# impit keeps what it was raised from in its message alone, as Rust prints it.
IMPIT_WORDS = {"tcp connect error": Failure.PROXY_UNREACHABLE, "InvalidData": Failure.TLS}
# Anything else in the midst of an answer; but also the base of an error that is the caller's own.
IMPIT_REST = "impit.HTTPError"


class SendFailed(Exception):  # noqa: N818 - it says what happened
    """There is no answer, as the built-in client says it, with all that it knows of why.

    Attributes:
        failure: What went wrong.
        redirect_count: How many more requests redirects had taken by then.
        hops: Those redirects.
        proxy_answer: What the proxy answered to a CONNECT that it refused.
    """

    def __init__(
        self, failure: Failure, words: str = "", *, hops: tuple[Answer, ...] = (), proxy_answer: Answer | None = None
    ) -> None:
        super().__init__(words or str(failure))
        self.failure = failure
        self.hops = hops
        self.redirect_count = len(hops)
        self.proxy_answer = proxy_answer


def failed_exchange(url: str, error: BaseException) -> Exchange | None:
    """The exchange that *error* ended; None when it is not a client's: then it is the caller's own."""
    failure = failure_of(error)
    if failure is None:
        return None
    if not isinstance(error, SendFailed):
        return Exchange(url=url, failure=failure)
    return Exchange(
        url=url,
        failure=failure,
        redirect_count=error.redirect_count,
        hops=error.hops,
        proxy_answer=error.proxy_answer,
    )


def failure_of(error: BaseException) -> Failure | None:
    """What *error* says about the request, or None when it is not a client's: then it is the caller's own."""
    if isinstance(error, SendFailed):
        return error.failure
    curl_error = _curl_error(error)
    if curl_error is not None:
        return _curl_failure(curl_error)
    names = _names(error)
    name = next((name for name in names if name in CLASSES), "")
    if SELENIUMS_TIMEOUT in names:
        return Failure.TIMEOUT
    if not name and (PLAYWRIGHTS in names or SELENIUMS in names):
        return _browser_failure(str(error))
    if name in VAGUE:
        return _beneath(error) or CLASSES[name]
    if name == "impit.ConnectError":
        return next((failure for words, failure in IMPIT_WORDS.items() if words in str(error)), CLASSES[name])
    if _names(error)[0] == IMPIT_REST:
        return Failure.RESET
    return CLASSES.get(name) or _plain_failure(error)


def words_of(error: BaseException) -> str:
    """What a browser says went wrong, in a line, without logins and cookies; empty for others, who may say anything.

    Below its first line Playwright tells all that it did, with the headers that it sent.
    """
    if PLAYWRIGHTS not in _names(error):
        return ""
    first_line = str(error).strip().partition("\n")[0].rstrip()
    line = SENT_SECRETS.sub(r"\1: ***", LOGINS.sub(r"\1***@", first_line))
    return line if len(line) <= MOST_LETTERS else f"{line[: MOST_LETTERS - 1]}\N{HORIZONTAL ELLIPSIS}"


def _plain_failure(error: BaseException) -> Failure | None:
    """Errors of the language itself are a client's only where they come out of it; else they are the caller's own."""
    modules = _modules(error)
    if isinstance(error, TimeoutError) and any(module.startswith("aiohttp.") for module in modules):
        return Failure.TIMEOUT
    if not (modules[-1:] and modules[-1].startswith("curl_cffi.")):
        return None
    # A first header that goes on from one before it makes it look up what is not there.
    stumbles = {UnicodeError: Failure.UNREADABLE, IndexError: Failure.GARBLED}
    return next((failure for kind, failure in stumbles.items() if isinstance(error, kind)), None)


def _browser_failure(message: str) -> Failure | None:
    """What a browser says; None where it is what its user wanted of the page that went wrong."""
    told = NET_ERROR.search(message)
    if told:
        family = next(family for beginning, family in NET_FAMILIES.items() if told[1].startswith(beginning))
        return NET_ERRORS.get(told[1], family)
    firefoxs = FIREFOX_ERROR.search(message)
    if firefoxs:
        return next((one for beginning, one in FIREFOX_FAMILIES.items() if firefoxs[0].startswith(beginning)), None)
    if INVALID_URL in message:
        return Failure.UNSENDABLE
    return Failure.UNREADABLE if any(crash in message for crash in CRASHES) else None


def _modules(error: BaseException) -> list[str]:
    """The modules that *error* came through, the one that raised it last."""
    modules = []
    trace = error.__traceback__
    while trace is not None:
        modules.append(str(trace.tb_frame.f_globals.get("__name__")))
        trace = trace.tb_next
    return modules


def _names(error: BaseException) -> list[str]:
    return [f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__]


def _beneath(error: BaseException) -> Failure | None:
    cause = error.__cause__ or error.__context__
    while cause is not None:
        known = next((BENEATH[name] for name in _names(cause) if name in BENEATH), None)
        if known is not None:
            return known
        cause = cause.__cause__ or cause.__context__
    return None


def _curl_error(error: BaseException) -> BaseException | None:
    """Libcurl's error in *error*, also where curl_cffi stumbled over the headers that came with it."""
    if "curl_cffi.curl.CurlError" in _names(error):
        return error
    is_its_own = any(module.startswith("curl_cffi.") for module in _modules(error)[-1:])
    return _curl_error(error.__context__) if is_its_own and error.__context__ is not None else None


class Stage(enum.Enum):
    """Who may have been speaking last."""

    ANYBODY = "the proxy or the site"
    PROXY = "the proxy, as the way to the site was not open yet"
    HANDSHAKE = "the site, or the proxy in its place"
    SITE = "the site, as nobody else can within its TLS"


def _curl_failure(error: BaseException) -> Failure | None:
    code = int(getattr(error, "code", 0))
    message, response = str(error), getattr(error, "response", None)
    stage = _stage(response)
    if code == CURL_TIMEOUT:
        # "Connection timed out" covers the way to the proxy, its CONNECT and TLS with the site.
        is_early = "Connection timed out" in message and stage in {Stage.ANYBODY, Stage.PROXY}
        return Failure.PROXY_UNREACHABLE if is_early else Failure.TIMEOUT
    if (
        code in CURL_URL_CODES
        and getattr(response, "redirect_count", False)
        and (code == CURL_URL_MALFORMAT or "redirect" in message)
    ):
        return Failure.MISLED
    if code == CURL_URL_MALFORMAT and not _is_of_the_url(message, response):
        return Failure.PROXY_REFUSED
    told = next((CURL_WORDS[words] for words in CURL_WORDS if words in message), None)
    failure = told or CURL_CODES.get(code, Failure.GARBLED)
    if stage is Stage.PROXY and failure in CURL_PROXYS:
        return Failure.PROXY_REFUSED
    if stage is Stage.SITE and failure is Failure.GARBLED:
        return Failure.SITE_GARBLED
    return failure


def _is_of_the_url(message: str, response: Any) -> bool:  # noqa: ANN401 - of a client that is not imported
    """Whether it is the request's own URL that libcurl refuses, and not the address of the proxy."""
    # A name that has no form in ASCII is refused without words, too.
    return CURL_REJECTED in message or response is None or not str(response.url).isascii()


def _stage(response: Any) -> Stage:  # noqa: ANN401 - of a client that is not imported
    infos = getattr(response, "infos", None) or {}
    if infos.get(CURL_PROXY_SSL_VERIFYRESULT):
        return Stage.PROXY
    if CURL_SSL_VERIFYRESULT not in infos:
        # Another's client, which has not asked.
        return Stage.HANDSHAKE if infos.get(CURL_CONNECTCODE) == HTTP_OK else Stage.ANYBODY
    if not str(response.url).startswith("https:"):
        return Stage.ANYBODY
    if infos[CURL_APPCONNECT_TIME] or not infos[CURL_NUM_CONNECTS]:
        return Stage.SITE
    return Stage.HANDSHAKE if infos[CURL_SSL_VERIFYRESULT] else Stage.PROXY


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a request of libcurl's came, as it tells when it is over.

    Attributes:
        is_https: Whether the site is asked by TLS.
        connect_status: What the proxy answered to the CONNECT; 0 where there was none.
        connects: How many connections were opened for it; 0 where a kept one was used.
        has_tls: Whether TLS with the site stood.
        verify: Not 0 from the beginning of the handshake with the site to its good end.
        proxy_verify: The same of the proxy.
    """

    is_https: bool
    connect_status: int = 0
    connects: int = 0
    has_tls: bool = False
    verify: int = 0
    proxy_verify: int = 0

    @property
    def stage(self) -> Stage:
        """Who may have been speaking last."""
        if self.proxy_verify:
            return Stage.PROXY
        if not self.is_https:
            return Stage.ANYBODY
        if self.has_tls or not self.connects:
            return Stage.SITE
        return Stage.HANDSHAKE if self.verify else Stage.PROXY


def curl_failure(code: int, message: str, progress: Progress) -> Failure:
    """What libcurl's error *code* means."""
    stage = progress.stage
    if code == CURL_TIMEOUT:
        is_early = "Connection timed out" in message and stage in {Stage.ANYBODY, Stage.PROXY}
        return Failure.PROXY_UNREACHABLE if is_early else Failure.TIMEOUT
    if code == CURL_URL_MALFORMAT and CURL_REJECTED not in message:
        return Failure.PROXY_REFUSED
    told = next((CURL_WORDS[words] for words in CURL_WORDS if words in message), None)
    failure = told or CURL_CODES.get(code, Failure.GARBLED)
    if stage is Stage.PROXY and failure in CURL_PROXYS:
        return Failure.PROXY_REFUSED
    if stage is Stage.SITE and failure is Failure.GARBLED:
        return Failure.SITE_GARBLED
    return failure
