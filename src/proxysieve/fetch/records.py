"""What an output says of a page, and of a URL that failed, whatever its format."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import msgspec

from proxysieve.attempts import Page
from proxysieve.core.model import Tried

# Set by the site for one session, and so no part of the page: whoever has them can act as that session.
SECRET_HEADERS = frozenset({"set-cookie", "set-cookie2"})

# A multiple of three, so that base64 needs no padding within; it is encoded in some 15 ms at most.
PIECE = 786_432


def page_line(page: Page) -> bytes:
    """A page with its body as a line of JSON: as text, or in base64 where it is not UTF-8.

    The body is written piece by piece. 50 MB of what JSON must escape take a second, and no other thread runs in it.
    """
    try:
        text, kind = page.body.decode(), b"body"
    except UnicodeDecodeError:
        size = len(page.body)
        pieces = [base64.b64encode(page.body[at : at + PIECE]) for at in range(0, size, PIECE)]
        kind = b"body_base64"
    else:
        pieces = [msgspec.json.encode(text[at : at + PIECE])[1:-1] for at in range(0, len(text), PIECE)]
    before = msgspec.json.encode(_asked_and_answered(page)).removesuffix(b"}")
    after = msgspec.json.encode(_how_it_was_had(page)).removeprefix(b"{")
    return b"".join([before, b',"%b":"' % kind, *pieces, b'",', after, b"\n"])


def index_record(page: Page, file: str) -> dict[str, Any]:
    """A page whose body is in a *file* of its own."""
    return _asked_and_answered(page) | {"file": file} | _how_it_was_had(page)


def failed_record(url: str, error: str, tries: Sequence[Tried], at: float) -> dict[str, Any]:
    """That *url* failed, with the story of it."""
    return {"url": url, "error": error, "failed_at": at, "attempts": tries}


def line(record: dict[str, Any]) -> bytes:
    """A record as a line of JSON."""
    return msgspec.json.encode(record) + b"\n"


def _asked_and_answered(page: Page) -> dict[str, Any]:
    headers: dict[str, str] = {}
    for name, value in page.headers:
        if name not in SECRET_HEADERS:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return {"url": page.url, "final_url": page.final_url, "status": page.status, "headers": headers}


def _how_it_was_had(page: Page) -> dict[str, Any]:
    return {
        "fetched_at": page.fetched_at,
        "attempts": page.attempts,
        "session": page.session,
        "proxy": page.proxy,
        "seconds": round(page.seconds, 6),
    }
