"""What clients for HTTP raise, told by the names of their classes, into failures."""

from __future__ import annotations

from proxysieve.core.failures.chain import beneath, modules_of, names_of
from proxysieve.core.model import Failure

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


def client_failure(error: BaseException) -> Failure | None:
    """What a client raised; None where it is another's."""
    names = names_of(error)
    name = next((name for name in names if name in CLASSES), "")
    if name in VAGUE:
        return _beneath(error) or CLASSES[name]
    if name == "impit.ConnectError":
        return next((failure for words, failure in IMPIT_WORDS.items() if words in str(error)), CLASSES[name])
    if names[0] == IMPIT_REST:
        return Failure.RESET
    return CLASSES.get(name) or _plain_failure(error)


def _plain_failure(error: BaseException) -> Failure | None:
    """Errors of the language itself are a client's only where they come out of it; else they are the caller's own."""
    is_aiohttps = any(module.startswith("aiohttp.") for module in modules_of(error))
    return Failure.TIMEOUT if isinstance(error, TimeoutError) and is_aiohttps else None


def _beneath(error: BaseException) -> Failure | None:
    names = (name for cause in beneath(error) for name in names_of(cause))
    return next((BENEATH[name] for name in names if name in BENEATH), None)
