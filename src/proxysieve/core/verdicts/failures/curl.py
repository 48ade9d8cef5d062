"""libcurl's errors, and those of curl_cffi around it, into failures.

libcurl has error codes, messages, and what it knows of the connection, which says how far a request came: what goes
wrong before TLS with the site began is the proxy's doing, and what is said within it is the site's.
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from proxysieve.core.model import Failure
from proxysieve.core.verdicts.failures.exception_chain import frames_of, names_of

# https://curl.se/libcurl/c/libcurl-errors.html
CODES = {
    1: Failure.GARBLED,  # an answer without a status line, or with one that nobody knows
    3: Failure.UNSENDABLE,
    5: Failure.PROXY_UNREACHABLE,
    6: Failure.UNRESOLVED,
    7: Failure.PROXY_UNREACHABLE,  # the only address that is connected to is the proxy's
    8: Failure.GARBLED,
    16: Failure.RESET,
    18: Failure.RESET,
    23: Failure.GARBLED,  # more came than was compressed, or nothing that was
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
TIMED_OUT = 28
UNSUPPORTED_PROTOCOL = 1
URL_MALFORMAT = 3
# Of a URL that cannot be asked for, whose own it may be or that of a redirect.
URL_CODES = frozenset({UNSUPPORTED_PROTOCOL, URL_MALFORMAT})
# Of one that libcurl cannot parse. Of a login at the proxy that it cannot send, it has the same code and other words.
REJECTED = "URL rejected"
# "Connection timed out" covers the way to the proxy, its CONNECT and TLS with the site; later it says "Operation".
WHILE_CONNECTING = "Connection timed out"
# What says more than the code that it comes with.
WORDS = {
    "CONNECT": Failure.PROXY_REFUSED,
    "Invalid response header": Failure.PROXY_REFUSED,  # to a CONNECT; a site's headers are refused in other words
    "client returned ERROR": Failure.TOO_LARGE,  # the callback refused to take more
    "Too large response headers": Failure.GARBLED,
    "chunk hex-length": Failure.GARBLED,
    "nghttp2": Failure.GARBLED,
}
# What is the proxy's if it comes before TLS with the site.
PROXYS = frozenset({Failure.RESET, Failure.GARBLED, Failure.TLS, Failure.CERTIFICATE})

# How far it came, as a session of curl_cffi tells it that was asked for all of it (curl_infos).
CONNECTCODE = 0x20_0000 + 22
NUM_CONNECTS = 0x20_0000 + 26
APPCONNECT_TIME = 0x30_0000 + 33
SSL_VERIFYRESULT = 0x20_0000 + 13
PROXY_SSL_VERIFYRESULT = 0x20_0000 + 47
INFOS = (CONNECTCODE, NUM_CONNECTS, APPCONNECT_TIME, SSL_VERIFYRESULT, PROXY_SSL_VERIFYRESULT)

CURL_ERROR = "curl_cffi.curl.CurlError"
# Of a URL that curl_cffi itself cannot read, before libcurl has a say.
INVALID_URL = "curl_cffi.requests.exceptions.InvalidURL"
# What curl_cffi 0.17 says where it cannot even ask what became of a request.
NOT_TOLD = "Failed to getinfo"
# Of a URL that cannot be taken apart, by what curl_cffi asks to.
URL_PARSER = "urllib.parse"
CFFIS_USE = "curl_cffi.requests.utils"
# Where a first header goes on from one before it, or a URL is no text, curl_cffi looks up what is not there.
STUMBLES = {UnicodeError: Failure.UNREADABLE, IndexError: Failure.GARBLED}


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a request came: https://curl.se/libcurl/c/curl_easy_getinfo.html.

    Attributes:
        is_https: Whether the site is asked by TLS. Without, nothing tells what it says from what the proxy says.
        connect_status: What the proxy answered to the CONNECT (``HTTP_CONNECTCODE``); 0 where it was not asked, or
            said nothing yet.
        connects: How many connections were opened (``NUM_CONNECTS``); none where one was used again.
        has_tls: Whether TLS with the site stands (``APPCONNECT_TIME`` is not 0).
        verify: Of TLS with the site (``SSL_VERIFYRESULT``): not 0 from the beginning of a handshake to its good end.
        proxy_verify: The same with the proxy (``PROXY_SSL_VERIFYRESULT``).
    """

    is_https: bool
    connect_status: int
    connects: int
    has_tls: bool
    verify: int
    proxy_verify: int


class Stage(enum.Enum):
    """Who may have been speaking last."""

    ANYBODY = "the proxy or the site"
    PROXY = "the proxy, as the way to the site was not open yet"
    HANDSHAKE = "the site, or the proxy in its place"
    SITE = "the site, as nobody else can within its TLS"


def curl_failure(code: int, message: str, progress: Progress | None) -> Failure:
    """What libcurl's error means, of a request by which libcurl followed no redirects.

    Args:
        code: Of the error: https://curl.se/libcurl/c/libcurl-errors.html.
        message: What libcurl says of it.
        progress: How far the request came, where that is known.
    """
    stage = Stage.ANYBODY if progress is None else _stage(progress)
    # Any 2xx opens a tunnel: https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6
    if progress is not None and progress.connect_status // 100 not in {0, 2}:
        return Failure.PROXY_REFUSED
    if code == TIMED_OUT:
        is_early = WHILE_CONNECTING in message and stage is not Stage.HANDSHAKE
        return Failure.PROXY_UNREACHABLE if is_early else Failure.TIMEOUT
    if code == URL_MALFORMAT and progress is not None and REJECTED not in message:
        return Failure.PROXY_REFUSED
    told = next((WORDS[words] for words in WORDS if words in message), None)
    failure = told or CODES.get(code, Failure.GARBLED)
    if stage is Stage.PROXY and failure in PROXYS:
        return Failure.PROXY_REFUSED
    if stage is Stage.SITE and failure is Failure.GARBLED:
        return Failure.SITE_GARBLED
    return failure


def cffi_failure(error: BaseException) -> Failure | None:
    """What curl_cffi raised; None where it is of another's making, or says nothing of the way to the site."""
    told = _told_by_libcurl(error)
    if told is not None:
        return _session_failure(told)
    frames = [module for module, _ in frames_of(error)]
    if isinstance(error, ValueError) and frames[-1:] == [URL_PARSER] and CFFIS_USE in frames:
        return Failure.UNSENDABLE
    kinds = STUMBLES if _is_cffis(error) else {}
    return next((failure for kind, failure in kinds.items() if isinstance(error, kind)), None)


def _told_by_libcurl(error: BaseException) -> BaseException | None:
    """Libcurl's error in *error*, also where curl_cffi stumbled over what came with it."""
    is_curls = CURL_ERROR in names_of(error)
    if is_curls and not str(error).startswith(NOT_TOLD):
        return error
    if error.__context__ is not None and _is_cffis(error):
        return _told_by_libcurl(error.__context__)
    return error if is_curls else None


def _is_cffis(error: BaseException) -> bool:
    return any(module.startswith("curl_cffi.") for module, _ in frames_of(error)[-1:])


def _session_failure(error: BaseException) -> Failure | None:
    """Of a session of curl_cffi, by which libcurl follows redirects."""
    code, message, response = int(getattr(error, "code", 0)), str(error), getattr(error, "response", None)
    if not code:
        # No word of libcurl's: of a session that was closed, of a status that its user wants raised.
        return Failure.UNSENDABLE if INVALID_URL in names_of(error) else None
    was_redirected = code in URL_CODES and getattr(response, "redirect_count", False)
    if was_redirected and (code == URL_MALFORMAT or "redirect" in message):
        return Failure.MISLED
    if code == URL_MALFORMAT and response is not None and REJECTED not in message:
        # A name that has no form in ASCII is refused in the words of a login that cannot be sent.
        return Failure.PROXY_REFUSED if str(response.url).isascii() else Failure.UNSENDABLE
    return curl_failure(code, message, _progress(response))


def _progress(response: Any) -> Progress | None:  # noqa: ANN401 - of a client that is not imported
    infos = getattr(response, "infos", None) or {}
    if not infos.keys() >= set(INFOS):
        return None
    return Progress(
        is_https=str(response.url).startswith("https:"),
        connect_status=infos[CONNECTCODE],
        connects=infos[NUM_CONNECTS],
        has_tls=infos[APPCONNECT_TIME] > 0,
        verify=infos[SSL_VERIFYRESULT],
        proxy_verify=infos[PROXY_SSL_VERIFYRESULT],
    )


def _stage(progress: Progress) -> Stage:
    if progress.proxy_verify:
        return Stage.PROXY
    if not progress.is_https:
        return Stage.ANYBODY
    if progress.has_tls or not progress.connects:
        return Stage.SITE
    return Stage.HANDSHAKE if progress.verify else Stage.PROXY
