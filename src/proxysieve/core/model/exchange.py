"""One request with its answer or failure."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from functools import cached_property

import msgspec

from proxysieve.core.model.content import Content


class Failure(enum.StrEnum):
    """Why there is no answer, by how far the request came."""

    PROXY_UNREACHABLE = "the proxy could not be reached"
    PROXY_REFUSED = "the proxy refused"
    UNRESOLVED = "the site's name could not be resolved"
    TIMEOUT = "timed out"
    RESET = "connection lost"
    TLS = "TLS failed"
    CERTIFICATE = "the certificate is not to be trusted"
    TOO_LARGE = "the body is larger than allowed"
    REDIRECTS = "too many redirects"
    MISLED = "redirected to what is no web page"
    PRIVATE = "redirected to a private address"
    GARBLED = "the answer cannot be read"
    SITE_GARBLED = "the site's answer cannot be read"
    UNREADABLE = "the client stumbled over the answer"
    UNSENDABLE = "the client cannot send it"


Headers = tuple[tuple[str, str], ...]


def in_lower_case(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> Headers:
    """*headers* with their names in lower case, as all code below expects them."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return tuple((name.lower(), value) for name, value in pairs)


def first_value(headers: Headers, name: str) -> str:
    """The first value of the header *name* (lower case), or an empty string."""
    return next((value for key, value in headers if key == name), "")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back before what was asked for: a redirect on the way, or a proxy's word on a CONNECT.

    Attributes:
        url: What was asked for; of a CONNECT the page's URL.
        reason: What stands behind the status in its line; empty in HTTP/2.
        headers: Names in lower case, in their order.
        body: Its first bytes, some 4 KB at most.
    """

    url: str
    status: int
    reason: str = ""
    headers: Headers = ()
    body: bytes = b""

    def header(self, name: str) -> str:
        """The first value of the header *name* (lower case), or an empty string."""
        return first_value(self.headers, name)


class Exchange(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One request with its answer or failure, reduced to what a verdict needs.

    Attributes:
        method: Of the request.
        final_url: Where redirects ended; empty when there were none.
        status: HTTP status, 0 when no answer came.
        headers: Names in lower case.
        body: Decoded of transfer and content encodings; None when it was not looked at.
        at: When the answer came, in Unix seconds.
        redirect_count: How many more requests redirects took.
        hops: The redirects themselves, first to last, where the client tells of them.
        proxy_answer: What the proxy answered to a CONNECT that it refused; then there is a failure.
    """

    url: str
    method: str = "GET"
    final_url: str = ""
    status: int = 0
    headers: Headers = ()
    body: bytes | None = None
    failure: Failure | None = None
    at: float = 0.0
    redirect_count: int = 0
    hops: tuple[Answer, ...] = ()
    proxy_answer: Answer | None = None

    @cached_property
    def content(self) -> Content:
        """The body as a judge reads it: decoded once for all who ask."""
        return Content(self.body or b"", self.header("content-type"))

    def header(self, name: str) -> str:
        """The first value of the header *name* (lower case), or an empty string."""
        return first_value(self.headers, name)
