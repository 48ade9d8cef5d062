"""What clients in Python raise, and libraries for SOCKS in them, told by the names of their classes, into failures."""

from __future__ import annotations

from proxysieve.core.model import Failure
from proxysieve.core.verdicts.failures.exception_chain import beneath, frames_of, names_of

# httpx2 is httpx by another name.
HTTPX = {
    "ProxyError": Failure.PROXY_REFUSED,
    "ConnectTimeout": Failure.PROXY_UNREACHABLE,
    "ConnectError": Failure.PROXY_UNREACHABLE,
    "TimeoutException": Failure.TIMEOUT,
    "TooManyRedirects": Failure.REDIRECTS,
    "DecodingError": Failure.GARBLED,
    "UnsupportedProtocol": Failure.UNSENDABLE,
    "InvalidURL": Failure.UNSENDABLE,
    "LocalProtocolError": Failure.UNSENDABLE,
    "RemoteProtocolError": Failure.RESET,
    "TransportError": Failure.RESET,
}
# By module and class, the most telling first; the bases of an exception are looked up after itself.
CLASSES = {
    **{f"{package}.{name}": failure for package in ("httpx", "httpx2") for name, failure in HTTPX.items()},
    "requests.exceptions.ProxyError": Failure.PROXY_REFUSED,
    "requests.exceptions.ConnectTimeout": Failure.PROXY_UNREACHABLE,
    "requests.exceptions.Timeout": Failure.TIMEOUT,
    "requests.exceptions.SSLError": Failure.TLS,
    "requests.exceptions.TooManyRedirects": Failure.REDIRECTS,
    "requests.exceptions.ConnectionError": Failure.RESET,
    "requests.exceptions.ChunkedEncodingError": Failure.RESET,
    "requests.exceptions.ContentDecodingError": Failure.GARBLED,
    "requests.exceptions.InvalidURL": Failure.UNSENDABLE,
    "requests.exceptions.InvalidSchema": Failure.UNSENDABLE,
    "requests.exceptions.MissingSchema": Failure.UNSENDABLE,
    "aiohttp.client_exceptions.ClientProxyConnectionError": Failure.PROXY_UNREACHABLE,
    "aiohttp.client_exceptions.ClientHttpProxyError": Failure.PROXY_REFUSED,
    "aiohttp.client_exceptions.ConnectionTimeoutError": Failure.PROXY_UNREACHABLE,
    "aiohttp.client_exceptions.ServerTimeoutError": Failure.TIMEOUT,
    "aiohttp.client_exceptions.ClientConnectorCertificateError": Failure.CERTIFICATE,
    "aiohttp.client_exceptions.ClientSSLError": Failure.TLS,
    "aiohttp.client_exceptions.ClientConnectorDNSError": Failure.PROXY_UNREACHABLE,
    "aiohttp.client_exceptions.ClientConnectionError": Failure.RESET,
    "aiohttp.client_exceptions.TooManyRedirects": Failure.REDIRECTS,
    "aiohttp.client_exceptions.ClientPayloadError": Failure.RESET,
    "aiohttp.client_exceptions.InvalidUrlRedirectClientError": Failure.MISLED,
    "aiohttp.client_exceptions.NonHttpUrlRedirectClientError": Failure.MISLED,
    "aiohttp.client_exceptions.NonHttpUrlClientError": Failure.UNSENDABLE,
    "aiohttp.client_exceptions.InvalidURL": Failure.UNSENDABLE,
    # What goes wrong while SOCKS is spoken is the proxy's.
    "socksio.exceptions.SOCKSError": Failure.PROXY_REFUSED,
    "socks.ProxyConnectionError": Failure.PROXY_UNREACHABLE,
    "socks.ProxyError": Failure.PROXY_REFUSED,
    **{
        f"{package}._errors.{name}": failure
        for package in ("python_socks", "aiohttp_socks")
        for name, failure in {
            "ProxyConnectionError": Failure.PROXY_UNREACHABLE,
            "ProxyTimeoutError": Failure.PROXY_UNREACHABLE,
            "ProxyError": Failure.PROXY_REFUSED,
        }.items()
    },
    "python_socks._errors.IncompleteReadError": Failure.PROXY_REFUSED,
    "proxysieve.errors.SessionEnded": Failure.UNREADABLE,
}
# These stand for several things; what they were raised from says which.
VAGUE = frozenset(
    {
        "httpx.ConnectError",
        "httpx.RemoteProtocolError",
        "httpx2.ConnectError",
        "httpx2.RemoteProtocolError",
        "requests.exceptions.ProxyError",
        "requests.exceptions.SSLError",
        "requests.exceptions.ConnectionError",
        "requests.exceptions.ChunkedEncodingError",
        "aiohttp.client_exceptions.ClientPayloadError",
    }
)
# The most telling first, wherever it stands.
BENEATH = {
    "socks.ProxyConnectionError": Failure.PROXY_UNREACHABLE,
    "socks.ProxyError": Failure.PROXY_REFUSED,
    "builtins.ConnectionRefusedError": Failure.PROXY_UNREACHABLE,
    "builtins.ConnectionResetError": Failure.RESET,
    "ssl.SSLCertVerificationError": Failure.CERTIFICATE,
    "ssl.SSLError": Failure.TLS,
    "socket.gaierror": Failure.PROXY_UNREACHABLE,
    "urllib3.exceptions.InvalidChunkLength": Failure.GARBLED,
    "http.client.IncompleteRead": Failure.RESET,
    "http.client.HTTPException": Failure.GARBLED,
    "h11._util.RemoteProtocolError": Failure.GARBLED,
    "httpx.InvalidURL": Failure.MISLED,
    "httpx2.InvalidURL": Failure.MISLED,
    "aiohttp.http_exceptions.ContentEncodingError": Failure.GARBLED,
    "urllib3.exceptions.ConnectTimeoutError": Failure.PROXY_UNREACHABLE,
}
# h11 has one class for an answer that cannot be read and for one that ends too early.
CUT_SHORT = "peer closed connection"

# aiohttp's for what it cannot read, and for a status that its user wants raised.
BAD_ANSWER = "aiohttp.client_exceptions.ClientResponseError"
UNREAD = "aiohttp.http_exceptions.HttpProcessingError"

# Of the language itself, and a client's where they come out of one; others of its kind may be of the client's use.
PLAIN = {
    "builtins.TimeoutError": Failure.TIMEOUT,
    "builtins.ConnectionRefusedError": Failure.PROXY_UNREACHABLE,
    "builtins.ConnectionError": Failure.RESET,
    "builtins.EOFError": Failure.RESET,
    "socket.gaierror": Failure.PROXY_UNREACHABLE,
}
PACKAGES = frozenset(
    {
        *("httpx", "httpcore", "httpx2", "httpcore2", "requests", "urllib3", "aiohttp"),
        *("aiohttp_socks", "python_socks", "socks", "socksio"),
    }
)
# What is called by them.
BENEATH_PACKAGES = frozenset({"asyncio", "socket", "ssl", "http", "anyio", "uvloop", "async_timeout"})
# What asks a proxy for a tunnel, and what begins TLS in it.
TUNNELLING = frozenset(
    {"urllib3.connection._tunnel", "http.client._tunnel", "aiohttp.connector._create_proxy_connection"}
)
IN_THE_TUNNEL = "aiohttp.connector._start_tls_connection"
# What is the proxy's where no tunnel stands yet.
PROXYS = frozenset({Failure.RESET, Failure.GARBLED})
# Where a client makes a URL of what a redirect says.
REDIRECTING = frozenset(
    {
        "requests.sessions.resolve_redirects",
        "httpx._client._build_redirect_request",
        "httpx2._client._build_redirect_request",
    }
)


def client_failure(error: BaseException) -> Failure | None:
    """What a client raised, or what went through it from beneath; None where it is another's."""
    failure = _by_class(error)
    frames = _functions(error)
    if (failure is Failure.UNSENDABLE or isinstance(error, ValueError)) and frames & REDIRECTING:
        return Failure.MISLED
    if failure in PROXYS:
        for cause in beneath(error):
            frames |= _functions(cause)
        return Failure.PROXY_REFUSED if frames & TUNNELLING and IN_THE_TUNNEL not in frames else failure
    return failure


def _by_class(error: BaseException) -> Failure | None:
    names = names_of(error)
    name = next((name for name in names if name in CLASSES), "")
    if name in VAGUE:
        return Failure.RESET if CUT_SHORT in str(error) else _beneath(error) or CLASSES[name]
    if name:
        return CLASSES[name]
    if BAD_ANSWER in names:
        return _bad_answer(error)
    return next((PLAIN[name] for name in names if name in PLAIN), None) if _is_from_within(error) else None


def _beneath(error: BaseException) -> Failure | None:
    names = {name for cause in beneath(error) for name in names_of(cause)}
    return next((BENEATH[name] for name in BENEATH if name in names), None)


def _bad_answer(error: BaseException) -> Failure | None:
    if not any(UNREAD in names_of(cause) for cause in beneath(error)):
        return None
    is_proxys = getattr(getattr(error, "request_info", None), "method", "") == "CONNECT"
    return Failure.PROXY_REFUSED if is_proxys else Failure.GARBLED


def _functions(error: BaseException) -> set[str]:
    return {f"{module}.{function}" for module, function in frames_of(error)}


def _is_from_within(error: BaseException) -> bool:
    """Whether *error* comes out of a client, and not out of what a client called for its user."""
    packages = [module.partition(".")[0] for module, _ in frames_of(error)]
    while packages and packages[-1] in BENEATH_PACKAGES:
        packages.pop()
    return bool(packages) and packages[-1] in PACKAGES
