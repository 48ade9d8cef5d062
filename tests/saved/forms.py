"""Responses in all forms that they are saved in, made here."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

URL = "https://shop.example/item/1?q=secret-query"
GOOD = b"<html><head><title>Shop</title></head><body>42 articles</body></html>"
# A mark of signs.toml, on a page of nothing else.
CHALLENGE = b"<html><head><title>Just a moment...</title></head><body><script>_cf_chl_opt={}</script></body></html>"


def raw(status: int, body: bytes, *headers: str, version: str = "1.1") -> bytes:
    """As ``curl -i`` leaves it."""
    return b"\r\n".join([f"HTTP/{version} {status} Said".encode(), *(line.encode() for line in headers), b"", body])


def chunked(body: bytes, size: int = 20) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def entry(status: int, body: bytes, *, url: str = URL, **content: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """An entry of a HAR file."""
    return {
        "startedDateTime": "2026-01-02T03:04:05.000Z",
        "time": 1500,
        "request": {"method": "GET", "url": url, "headers": [{"name": "Cookie", "value": "sid=secret-cookie"}]},
        "response": {
            "status": status,
            "headers": [{"name": "Content-Type", "value": "text/html; charset=windows-1251"}],
            "content": {"size": len(body), "mimeType": "text/html", "text": body.decode()} | content,
        },
    }


def har(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"log": {"version": "1.2", "entries": entries}}).encode()


def base64_entry(status: int, body: bytes) -> dict[str, Any]:
    return entry(status, b"", text=base64.b64encode(body).decode(), encoding="base64")


def warc(*responses: tuple[str, bytes], is_packed: bool = True) -> bytes:
    """An archive of responses and their requests."""
    records = [record("warcinfo", "", b"software: test\r\n")]
    for url, response in responses:
        records.append(record("request", url, b"GET / HTTP/1.1\r\nCookie: sid=secret-cookie\r\n\r\n"))
        records.append(record("response", url, response))
    return b"".join(gzip.compress(one, mtime=0) if is_packed else one for one in records)


def record(kind: str, url: str, block: bytes) -> bytes:
    """A record of an archive."""
    headers = (
        "WARC/1.0",
        f"WARC-Type: {kind}",
        "WARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-000000000000>",
        "WARC-Date: 2026-01-02T03:04:05Z",
        *([f"WARC-Target-URI: <{url}>"] if url else []),
        f"Content-Length: {len(block)}",
    )
    return "\r\n".join([*headers, "", ""]).encode() + block + b"\r\n\r\n"


def page(status: int, content: bytes, **others: Any) -> bytes:  # noqa: ANN401 - JSON
    """A line of pages.jsonl."""
    record = {
        "url": URL,
        "final_url": URL,
        "status": status,
        "headers": {"content-type": "text/html"},
        "body": content.decode(),
        "fetched_at": 1_700_000_000.5,
        "attempts": 1,
    }
    return json.dumps(record | others).encode() + b"\n"


FORMS = {
    "page.html": CHALLENGE,
    "page.http": raw(403, chunked(gzip.compress(CHALLENGE)), "Transfer-Encoding: chunked", "Content-Encoding: gzip"),
    "site.har": har(entry(200, GOOD), base64_entry(403, CHALLENGE)),
    "site.warc": warc((URL, raw(200, GOOD)), (URL, raw(403, CHALLENGE)), is_packed=False),
    "site.warc.gz": warc((URL, raw(200, GOOD)), (URL, raw(403, CHALLENGE))),
    "pages.jsonl": page(200, GOOD) + page(403, CHALLENGE),
}
