"""Responses in all forms that they are saved in, made here."""

from __future__ import annotations

import base64
import gzip
import io
import json
import quopri
import zipfile
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


def mhtml(
    body: bytes,
    coding: str = "quoted-printable",
    *,
    url: str = URL,
    root: str = "",
    start: str = "",
    before: bytes = b"",
) -> bytes:
    """A page with a frame and a picture, as Chrome saves it; *before* is a part before it."""
    packed = {"quoted-printable": quopri.encodestring, "base64": base64.encodebytes}.get(coding, bytes)(body)
    kind = root or 'multipart/related; type="text/html"; boundary="----=_Part"'
    head = (
        f"From: <Saved by Blink>\nSnapshot-Content-Location: {url}\nMIME-Version: 1.0\nContent-Type: {kind}{start}\n\n"
    )
    frame = mime_part(b"<html>a frame</html>", "text/html", "cid:frame-1@mhtml.blink")
    picture = mime_part(base64.encodebytes(bytes(99)), "image/png", "https://shop.example/a.png", "base64")
    page_part = mime_part(packed, "text/html; charset=utf-8", url, coding)
    parts = b"".join(b"------=_Part\n" + part for part in (*filter(None, [before]), page_part, frame, picture))
    return (head.encode() + parts + b"------=_Part--\n").replace(b"\n", b"\r\n")


def mime_part(content: bytes, kind: str, location: str, coding: str = "8bit") -> bytes:
    head = f"Content-Type: {kind}\nContent-ID: <{location[:9]}>\nContent-Transfer-Encoding: {coding}\n"
    return f"{head}Content-Location: {location}\n\n".encode() + content + b"\n"


# As curl 7.88 writes it where both of its outputs go to one file.
METER_HEAD = (
    b"  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n"
    b"                                 Dload  Upload   Total   Spent    Left  Speed\n"
)
METER = b"\r  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0"
LAST_METER = b"\r100 85922  100 85922    0     0  75.8M      0  0:00:01 --:--:--  0:00:01 81.9M\n"


def asked(method: str = "GET", target: str = "/item/1?q=secret-query", host: str = "shop.example") -> bytes:
    """What curl -v says of a question."""
    return (
        f"> {method} {target} HTTP/1.1\r\n> Host: {host}\r\n> Cookie: sid=secret-cookie\r\n> Accept: */*\r\n> \r\n"
    ).encode()


def answered(status: int, *headers: str, version: str = "1.1", reason: str = "Said") -> bytes:
    """And of an answer."""
    return "".join(f"< {line}\r\n" for line in (f"HTTP/{version} {status} {reason}", *headers, "")).encode()


def curl_v(*exchanges: bytes, body: bytes = b"", is_drawn: bool = True) -> bytes:
    """A transcript of *exchanges*; if it *is_drawn*, with the progress, and *body* around it."""
    half = len(body) // 2
    return b"".join(
        [
            METER_HEAD + METER if is_drawn else b"",
            b"*   Trying 127.0.0.1:443...\n* Connected to shop.example (127.0.0.1) port 443 (#0)\n",
            b"* SSL connection using TLSv1.3 / TLS_AES_256_GCM_SHA384\n} [5 bytes data]\n",
            *exchanges,
            b"{ [%d bytes data]\n" % len(body) if body else b"",
            body[:half] if is_drawn else b"",
            LAST_METER if is_drawn else b"",
            b"* Connection #0 to host shop.example left intact\n",
            body[half:] if is_drawn else body,
        ]
    )


def wget_s(*answers: tuple[int, str], body: bytes = b"", is_log: bool = False) -> bytes:
    """What wget -S writes, without -q if it *is_log*."""
    heads = [
        f"  HTTP/1.1 {status} Said\n  {header}\n  Content-Type: text/html\n".encode() for status, header in answers
    ]
    if not is_log:
        return b"".join(heads) + body
    asking = (
        f"--2026-01-02 03:04:05--  {URL}\nConnecting to shop.example... connected.\nawaiting response... \n".encode()
    )
    return b"".join(asking + head for head in heads) + b"Length: 99\n\n     0K ....." + body + b"...\n"


def httpie(*exchanges: bytes) -> bytes:
    question = b"GET /item/1 HTTP/1.1\r\nCookie: sid=secret-cookie\r\nHost: shop.example\r\n\r\n\n\n"
    return b"\n\n".join(question + one for one in exchanges)


def zipped(**files: bytes) -> bytes:
    """A zip file, with blanks of names written as they are."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return packed.getvalue()


def apart(status: int, name: object) -> dict[str, Any]:
    """An entry of a HAR file whose body lies in a file of its own, as Playwright does it."""
    made = entry(status, b"", _file=name, size=len(CHALLENGE))
    del made["response"]["content"]["text"]
    return made


FORMS = {
    "page.html": CHALLENGE,
    "page.http": raw(403, chunked(gzip.compress(CHALLENGE)), "Transfer-Encoding: chunked", "Content-Encoding: gzip"),
    "page.mhtml": mhtml(CHALLENGE),
    "page.txt": curl_v(asked(), answered(403, "server: x"), body=CHALLENGE),
    "page.wget": wget_s((302, "Location: /b"), (403, "Server: x"), body=CHALLENGE),
    "page.httpie": httpie(raw(403, CHALLENGE, "Content-Type: text/html")),
    "har.zip": zipped(**{"har.har": har(entry(200, GOOD), apart(403, "0123abcd.html")), "0123abcd.html": CHALLENGE}),
    "site.har": har(entry(200, GOOD), base64_entry(403, CHALLENGE)),
    "site.warc": warc((URL, raw(200, GOOD)), (URL, raw(403, CHALLENGE)), is_packed=False),
    "site.warc.gz": warc((URL, raw(200, GOOD)), (URL, raw(403, CHALLENGE))),
    "pages.jsonl": page(200, GOOD) + page(403, CHALLENGE),
}
