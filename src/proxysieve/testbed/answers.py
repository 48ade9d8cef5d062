"""The site's answers on the paths that test a client. Each depends only on the request."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import parse_qs

import msgspec

from proxysieve.testbed.fingerprint import SeenFingerprint
from proxysieve.testbed.pages import missing_page, sorry_page
from proxysieve.testbed.truth import HitAnswer
from proxysieve.testbed.wire import BURST_BYTES, Headers, Request, Response

HTML: Headers = (("Content-Type", "text/html; charset=utf-8"),)
JSON: Headers = (("Content-Type", "application/json"),)
_BYTES: Headers = (("Content-Type", "application/octet-stream"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteAnswer:
    """The site's answer to a request.

    Attributes:
        kind: Its name in the truth.
        response: What is sent.
        wait_seconds: How long the site takes for it.
        is_reset: Whether a TCP reset is sent instead.
    """

    kind: HitAnswer
    response: Response
    wait_seconds: float = 0.0
    is_reset: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request, and what the site knows about it.

    Attributes:
        request: As it arrived.
        exit: The address that it came from.
        page: The first part of its path.
        rest: The other parts of its path.
        query: What follows the question mark.
        fingerprint: What it showed of the client.
    """

    request: Request
    exit: str
    page: str
    rest: str
    query: str
    fingerprint: SeenFingerprint

    @property
    def rest_number(self) -> int | None:
        """The rest of the path as a number, or None."""
        return _whole_number(self.rest)

    def text(self, name: str) -> str:
        """Return a text of the query, or an empty one."""
        return parse_qs(self.query).get(name, [""])[0]

    def number(self, name: str, default: int) -> int:
        """Return a number of the query."""
        number = _whole_number(self.text(name))
        return default if number is None else number

    def seconds(self, name: str) -> float:
        """Return a time of the query, or 0."""
        try:
            seconds = float(self.text(name))
        except ValueError:
            return 0.0
        return seconds if 0 <= seconds < math.inf else 0.0


def visit_of(request: Request, address: str, fingerprint: SeenFingerprint) -> Visit:
    """Return *request* with its target split. The target may have the site's name, as in requests to proxies."""
    target = request.target
    if not target.startswith("/"):
        target = "/" + target.partition("://")[2].partition("/")[2]
    path, _, query = target.partition("?")
    page, _, rest = path[1:].partition("/")
    return Visit(request=request, exit=address, page=page, rest=rest, query=query, fingerprint=fingerprint)


def redirect_to(location: str) -> SiteAnswer:
    """Send the client elsewhere."""
    return SiteAnswer(kind="ok", response=Response(status=302, headers=(("Location", location), *HTML)))


def nothing(visit: Visit) -> SiteAnswer:
    """Answer with a real 404."""
    return SiteAnswer(
        kind="missing", response=Response(status=404, headers=HTML, body=missing_page(visit.request.target))
    )


def _sorry(visit: Visit) -> SiteAnswer:
    return SiteAnswer(
        kind="sorry", response=Response(status=429, headers=HTML, body=sorry_page(visit.text("continue")))
    )


def _echo(visit: Visit) -> SiteAnswer:
    seen = {
        "method": visit.request.method,
        "target": visit.request.target,
        "headers": visit.request.headers,
        "body": visit.request.body.decode("latin-1"),
        "address": visit.exit,
    }
    return _ok(JSON, json.dumps(seen).encode())


def _fingerprint(visit: Visit) -> SiteAnswer:
    return _ok(JSON, msgspec.json.encode(visit.fingerprint))


def _redirect(visit: Visit) -> SiteAnswer:
    page_id = visit.rest_number
    if page_id is None:
        return nothing(visit)
    left = visit.number("left", page_id)
    return redirect_to(f"/redirect/{page_id}?left={left - 1}" if left > 1 else f"/page/{page_id}")


def _away(visit: Visit) -> SiteAnswer:
    # A header cannot hold it, so there is no redirect to it.
    location = visit.text("to")
    return redirect_to(location) if location.isascii() and location.isprintable() else nothing(visit)


def _big(visit: Visit) -> SiteAnswer:
    size = visit.number("bytes", 1_000_000)
    length = () if visit.number("chunked", 0) else (("Content-Length", str(size)),)
    return SiteAnswer(kind="ok", response=Response(headers=(*length, *_BYTES), pieces=_pieces(size)))


def _pieces(size: int) -> Iterator[bytes]:
    piece = b"0123456789abcdef" * (BURST_BYTES // 16)
    for _ in range(size // BURST_BYTES):
        yield piece
    if size % BURST_BYTES:
        yield piece[: size % BURST_BYTES]


def _reset(_: Visit) -> SiteAnswer:
    return SiteAnswer(kind="error", response=Response(), is_reset=True)


def _cookie(visit: Visit) -> SiteAnswer:
    received = json.dumps({"received": visit.request.header("cookie") or None})
    return _ok((("Set-Cookie", "flavour=vanilla; Path=/"), *JSON), received.encode())


def _status(visit: Visit) -> SiteAnswer:
    status = visit.rest_number
    if status is None or not 200 <= status <= 599:
        return nothing(visit)
    kind: HitAnswer = "missing" if status == 404 else "error" if status >= 500 else "ok"
    body = b"" if status in {204, 304} else f"This is status {status}.\n".encode()
    return SiteAnswer(kind=kind, response=Response(status=status, headers=HTML, body=body))


def _latin1(_: Visit) -> SiteAnswer:
    text = "<!DOCTYPE html>\n<title>Café</title>\n<p>Crème brûlée, très bon marché.</p>\n"
    return _ok((("Content-Type", "text/html; charset=ISO-8859-1"),), text.encode("latin-1"))


def _ok(headers: Headers, body: bytes) -> SiteAnswer:
    return SiteAnswer(kind="ok", response=Response(headers=headers, body=body))


def _whole_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else None


TEST_ANSWERS: Mapping[str, Callable[[Visit], SiteAnswer]] = MappingProxyType(
    {
        "sorry": _sorry,
        "echo": _echo,
        "fingerprint": _fingerprint,
        "redirect": _redirect,
        "away": _away,
        "big": _big,
        "reset": _reset,
        "cookie": _cookie,
        "status": _status,
        "latin1": _latin1,
    }
)
"""Answers by the first part of the path."""
