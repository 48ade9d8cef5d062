"""What a client is to the pool: one method that sends a request as a session."""

from __future__ import annotations

import re
from typing import Protocol

import msgspec

from proxysieve.core.model import Answer, Exchange, Headers
from proxysieve.errors import ConfigError
from proxysieve.sessions.own_headers import NAME
from proxysieve.sessions.session import Session

# Bytes of an unpacked body. Libcurl reads 160 KB from a connection before it reads another: pages get ten times as
# large when they are unpacked, and bombs a thousand times.
MOST_AT_ONCE = 16_777_216
# These end a header or the request; half a surrogate pair cannot be encoded.
BREAKS = re.compile(r"[\r\n\0\ud800-\udfff]")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask for.

    Attributes:
        headers: On top of the fingerprint's own. They are for *url*;
            :func:`~proxysieve.sessions.own_headers.headers_for_hop` says where else they may go.
        timeout_seconds: For all of it, redirects included.
        max_bytes: How large the decoded body may be.
        expect: What a good page has, as of ``Sender.get``, for clients that can wait for it.

    Raises:
        ConfigError: The method or a header would be something else on the wire.
    """

    url: str
    method: str = "GET"
    headers: dict[str, str] = {}
    content: bytes | None = None
    timeout_seconds: float = 30.0
    max_bytes: int = 50_000_000
    expect: str = ""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.method):
            raise ConfigError("the method of a request is none")
        for name, value in self.headers.items():
            if not NAME.fullmatch(name):
                raise ConfigError("the name of a header is made of other characters than they are")
            if BREAKS.search(value):
                raise ConfigError(f"the value of the header {name} cannot be sent")

    def __repr__(self) -> str:
        # The values may be secrets.
        return f"<Request {self.method} {self.url} with {', '.join(self.headers) or 'no headers'}>"


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What came back.

    Attributes:
        url: Where redirects ended.
        headers: Names in lower case, in their order.
        body: Decoded of transfer and content encodings.
        redirect_count: How many more requests redirects took.
        hops: The redirects themselves, first to last, where the client tells of them.
    """

    url: str
    status: int
    headers: Headers
    body: bytes
    redirect_count: int = 0
    hops: tuple[Answer, ...] = ()

    def exchange(self, url: str, *, method: str = "GET", at: float = 0.0) -> Exchange:
        """The exchange with the request for *url*, whose answer came at *at* (Unix seconds)."""
        return Exchange(
            url=url,
            method=method,
            final_url=self.url,
            status=self.status,
            headers=self.headers,
            body=self.body,
            at=at,
            redirect_count=self.redirect_count,
            hops=self.hops,
        )


class Client(Protocol):
    """Sends a request as a session. It translates and never judges.

    One that cannot look like every browser has an attribute ``fingerprints``: those that it can have.
    """

    async def send(self, request: Request, session: Session) -> Response:
        """The answer, whatever its status, with redirects followed as the same session.

        Raises:
            SessionEnded: The session ended meanwhile, for another reason than this request.
            Exception: The client's own, if :func:`~proxysieve.core.verdicts.failures.failure_of` knows it.
        """
        ...
