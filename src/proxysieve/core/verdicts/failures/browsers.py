"""What browsers that are driven say of the network, into failures; and what of it may be told."""

from __future__ import annotations

import re

from proxysieve.core.model import Failure
from proxysieve.core.verdicts.failures.exception_chain import names_of

# They have one class for most, with Chromium's name of what went wrong in the message:
# https://chromium.googlesource.com/chromium/src/+/main/net/base/net_error_list.h
PLAYWRIGHTS = "playwright._impl._errors.Error"
PLAYWRIGHTS_TIMEOUT = "playwright._impl._errors.TimeoutError"
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
    "ERR_INVALID_REDIRECT": Failure.MISLED,
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


def browser_failure(error: BaseException) -> Failure | None:
    """What a browser raised; None where it is another's, or where what its user wanted of the page went wrong."""
    names = names_of(error)
    if PLAYWRIGHTS_TIMEOUT in names or SELENIUMS_TIMEOUT in names:
        return Failure.TIMEOUT
    return _failure_in(str(error)) if PLAYWRIGHTS in names or SELENIUMS in names else None


def _failure_in(message: str) -> Failure | None:
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


def words_of(error: BaseException) -> str:
    """What a browser says went wrong, in a line, without logins and cookies; empty for others, who may say anything.

    Below its first line Playwright tells all that it did, with the headers that it sent.
    """
    if PLAYWRIGHTS not in names_of(error):
        return ""
    first_line = str(error).strip().partition("\n")[0].rstrip()
    line = SENT_SECRETS.sub(r"\1: ***", LOGINS.sub(r"\1***@", first_line))
    return line if len(line) <= MOST_LETTERS else f"{line[: MOST_LETTERS - 1]}\N{HORIZONTAL ELLIPSIS}"
