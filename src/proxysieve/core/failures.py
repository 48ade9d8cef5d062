"""A client's exception into the failure that it means, without importing any client.

Clients are told by the names of their exception classes, which are part of their public interfaces. curl_cffi has
few classes but libcurl's error codes and the status of the CONNECT, which say how far a request came.
"""

from __future__ import annotations

from proxysieve.core.model import Failure

# libcurl's error codes: https://curl.se/libcurl/c/libcurl-errors.html
CURL_CODES = {
    1: Failure.GARBLED,  # among others an answer without a status line
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
    60: Failure.TLS,
    61: Failure.GARBLED,
    92: Failure.RESET,
    97: Failure.PROXY_REFUSED,
}
CURL_TIMEOUT = 28

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


def failure_of(error: BaseException) -> Failure | None:
    """What *error* says about the request, or None when it is not a client's: then it is the caller's own."""
    curl_error = _curl_error(error)
    if curl_error is not None:
        return _curl_failure(curl_error)
    name = next((name for name in _names(error) if name in CLASSES), "")
    if name in VAGUE:
        return _beneath(error) or CLASSES[name]
    return CLASSES.get(name) or _plain_failure(error)


def _plain_failure(error: BaseException) -> Failure | None:
    """Errors of the language itself are a client's only where they come out of it; else they are the caller's own."""
    modules = _modules(error)
    if isinstance(error, TimeoutError) and any(module.startswith("aiohttp.") for module in modules):
        return Failure.TIMEOUT
    if isinstance(error, UnicodeError) and modules[-1:] and modules[-1].startswith("curl_cffi."):
        return Failure.UNREADABLE
    return None


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


def _curl_failure(error: BaseException) -> Failure | None:
    code = int(getattr(error, "code", 0))
    message = str(error)
    if "CONNECT" in message:
        return Failure.PROXY_REFUSED
    if code == CURL_TIMEOUT:
        # "Connection timed out" covers the way to the proxy, its CONNECT and TLS with the site.
        is_early = "Connection timed out" in message and not _tunnel_stood(error)
        return Failure.PROXY_UNREACHABLE if is_early else Failure.TIMEOUT
    return CURL_CODES.get(code, Failure.GARBLED)


def _tunnel_stood(error: BaseException) -> bool:
    # Asked for by the built-in client only; CURLINFO_HTTP_CONNECTCODE is the status that the proxy gave.
    infos = getattr(getattr(error, "response", None), "infos", None) or {}
    return any(value == 200 for value in infos.values())
