"""What tools print of an exchange is read by its headers, wherever the body is."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.judging.saved.forms import (
    CHALLENGE,
    GOOD,
    LAST_METER,
    METER,
    METER_HEAD,
    answered,
    asked,
    curl_v,
    httpie,
    raw,
    wget_s,
)

from proxysieve import ConfigError
from proxysieve.core.model import Failure
from proxysieve.judging.saved import Saved, read_saved

LONG = b"".join(b"<p>line %d of the page</p>\n" % number for number in range(3_000))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("transcripts")


def only(place: Path, content: bytes) -> Saved:
    path = place / "answer.txt"
    path.write_bytes(content)
    [one] = read_saved(str(path))
    return one


REDIRECT = answered(302, "location: /b", "content-length: 5") + b"* Ignoring the response-body\n{ [5 bytes data]\n"
AGAIN = b"* Issue another request to this URL: 'https://shop.example/b'\n"
TUNNEL = asked("CONNECT", "shop.example:443") + answered(200, reason="Connection established")
PAGES = {
    "drawn": curl_v(asked(), answered(403), body=CHALLENGE),
    "silent": curl_v(asked(), answered(403), body=CHALLENGE, is_drawn=False),
    "http-2": curl_v(asked(), answered(403, version="2", reason=""), body=CHALLENGE),
    "redirected": curl_v(asked(), REDIRECT, AGAIN, asked(), answered(403), body=CHALLENGE),
    "tunnelled": curl_v(TUNNEL, asked(), answered(403), body=CHALLENGE),
    "tunnelled-without-questions": curl_v(
        answered(200, reason="Connection established"), answered(403), body=CHALLENGE
    ),
    "asked-again-with-a-login": curl_v(
        asked("CONNECT"), answered(407), asked("CONNECT"), answered(200), asked(), answered(403), body=CHALLENGE
    ),
    "interim": curl_v(asked("POST"), answered(100), answered(403), body=CHALLENGE),
    "with-headers-twice": curl_v(asked(), REDIRECT, AGAIN, asked(), answered(403))
    + raw(302, b"", "location: /b")
    + raw(403, CHALLENGE),
    "windows": curl_v(asked(), answered(403), body=CHALLENGE).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
    "windows-twice": curl_v(asked(), answered(403), body=CHALLENGE).replace(b"\n", b"\r\n"),
    "without-ends-of-lines": curl_v(asked(), answered(403), body=CHALLENGE, is_drawn=False).replace(b"\r\n", b"\n"),
    "answers-alone": answered(403) + CHALLENGE,
    "trimmed": b"\n".join(line.rstrip() for line in (answered(403) + CHALLENGE).splitlines()),
    "with-the-command": b"$ curl -v https://shop.example/\n" + curl_v(asked(), answered(403), body=CHALLENGE),
    "marked": b"\xef\xbb\xbf" + curl_v(asked(), answered(403), body=CHALLENGE),
    "powershell": curl_v(asked(), answered(403), body=CHALLENGE, is_drawn=False).decode().encode("utf-16"),
    "big-endian": b"\xfe\xff" + raw(403, CHALLENGE).decode().encode("utf-16-be"),
    "curl-i-with-progress": METER_HEAD + METER + LAST_METER + raw(403, CHALLENGE),
    "wget": wget_s((302, "Location: /b"), (403, "Server: x"), body=CHALLENGE),
    "httpie": httpie(raw(403, CHALLENGE)),
    "httpie-redirected": httpie(raw(302, b"", "Location: /b"), raw(403, CHALLENGE)),
    "blank-lines-before": b"\r\n\n" + raw(403, CHALLENGE),
}


@pytest.mark.parametrize("content", PAGES.values(), ids=PAGES)
def test_the_last_answer_is_the_page(place: Path, content: bytes) -> None:
    """With its status, and its body without what the tool has written into it."""
    one = only(place, content)

    assert (one.exchange.status, one.exchange.failure, one.is_whole) == (403, None, True)
    assert (one.exchange.body or b"").strip(b"\r\n") == CHALLENGE


@pytest.mark.parametrize(
    ("content", "url", "final_url"),
    [
        (PAGES["redirected"], "https://shop.example/item/1?q=secret-query", "https://shop.example/b"),
        (PAGES["tunnelled"], "https://shop.example/item/1?q=secret-query", ""),
        (curl_v(asked(target="http://a.example/x"), answered(403)), "http://a.example/x", ""),
        (asked() + answered(403), "http://shop.example/item/1?q=secret-query", ""),
        (answered(403) + CHALLENGE, "", ""),
        (wget_s((403, "A: b"), is_log=True), "https://shop.example/item/1?q=secret-query", ""),
    ],
)
def test_what_was_asked_for_is_read_with_it(place: Path, content: bytes, url: str, final_url: str) -> None:
    """Of a proxy's tunnel the page, and not its host."""
    exchange = only(place, content).exchange

    assert (exchange.url, exchange.final_url) == (url, final_url)


SHOWN_INSTEAD = b"\n\n+%s+\n| NOTE: binary data not shown in terminal |\n+%s+" % (b"-" * 41, b"-" * 41)
UNSEEN = {
    "body-elsewhere": curl_v(asked(), answered(200, "content-length: 900")),
    "body-elsewhere-of-unknown-length": curl_v(asked(), answered(200), b"{ [900 bytes data]\n"),
    "body-elsewhere-and-its-status": curl_v(asked(), answered(200), b"{ [900 bytes data]\n") + b"200",
    "no-page-at-all": curl_v(asked(), answered(404)),
    "head": curl_v(asked("HEAD"), answered(200)),
    "head-with-headers": curl_v(asked("HEAD"), answered(200)) + raw(200, b""),
    "curl-capital-i": raw(200, b"", "Content-Type: text/html"),
    "curl-capital-i-with-progress": METER_HEAD + METER + METER + b"\n" + raw(200, b"", "Content-Type: text/html"),
    "not-modified": raw(304, b"", "ETag: x"),
    "not-followed": raw(302, b"", "Location: /b"),
    "timed-out-behind-a-redirect": curl_v(asked(), REDIRECT, AGAIN, asked()) + b"curl: (28) Operation timed out\n",
    "broken-off": curl_v(asked(), answered(200), body=GOOD) + b"curl: (18) transfer closed with 9 bytes remaining\n",
    "cut": raw(200, GOOD[:20], "Content-Length: 900"),
    "cut-in-the-headers": curl_v(asked())[:-1] + b"\n< HTTP/1.1 200 OK\r\n< a: b",
    "wget-log": wget_s((200, "A: b"), body=GOOD, is_log=True),
    "wget-without-a-body": wget_s((200, "A: b")),
    "httpie-headers": httpie(raw(200, b"", "A: b")),
    "no-text-in-httpie": httpie(raw(200, SHOWN_INSTEAD, "Content-Type: image/png")),
    "no-text-in-curl": raw(200, b'Warning: Binary output can mess up your terminal. Use "--output -" to tell\n'),
    "answers-without-end": raw(200, b"") * 1_001,
}


def test_headers_may_be_bold(place: Path) -> None:
    """As curl shows them where somebody looks, and `script` keeps them."""
    answer = raw(403, b"<p>", "\x1b[1mcf-mitigated\x1b[0m: challenge", "\x1b[1mserver\x1b[0m: cloudflare")

    assert only(place, answer).exchange.headers[:2] == (("cf-mitigated", "challenge"), ("server", "cloudflare"))


@pytest.mark.parametrize("content", UNSEEN.values(), ids=UNSEEN)
def test_an_answer_whose_body_was_not_seen_is_not_whole(place: Path, content: bytes) -> None:
    """And what to do about it is said."""
    one = only(place, content)

    assert not one.is_whole
    assert ":" in one.note


@pytest.mark.parametrize("content", [raw(204, b"", "A: b"), raw(200, b"", "Content-Length: 0"), raw(404, b"x")])
def test_an_answer_that_has_no_more_is_whole(place: Path, content: bytes) -> None:
    """As HTTP has it."""
    assert only(place, content).is_whole


def test_what_a_proxy_says_to_a_tunnel_is_no_page(place: Path) -> None:
    """It refused, and the site was never asked."""
    refused = curl_v(asked("CONNECT"), answered(403)) + b"curl: (56) CONNECT tunnel failed, response 403\n"

    one = only(place, refused)

    assert (one.exchange.status, one.exchange.failure, one.is_whole) == (403, Failure.PROXY_REFUSED, False)


NO_ANSWERS = {
    "refused": curl_v() + b"curl: (7) Failed to connect to 127.0.0.1 port 443\n",
    "refused-silently": b"curl: (7) Failed to connect to 127.0.0.1 port 443\n",
    "never-answered": curl_v(asked()) + b"curl: (52) Empty reply from server\n",
    "tunnel-and-no-more": curl_v(TUNNEL) + b"curl: (35) OpenSSL SSL_connect: reset\n",
    "unresolved": b"* Could not resolve host: shop.example\n* Closing connection 0\n",
    "wget": b"--2026-01-02 03:04:05--  https://shop.example/\nConnecting to shop.example... failed: refused.\n",
    "httpie": b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n",
    "trace": METER_HEAD + METER + b"== Info:   Trying 127.0.0.1:443...\n=> Send header, 84 bytes (0x54)\n",
}


@pytest.mark.parametrize("content", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_a_transcript_without_an_answer_is_refused(place: Path, content: bytes) -> None:
    """There is nothing to judge in it."""
    with pytest.raises(ConfigError, match=r"has no answer|curl --trace") as caught:
        only(place, content)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"* a list\n* of things\n",
        b"<p>\n* Connected to\n< HTTP/1.1 429 Too Many\n",
        b"> quoted\n> text\n",
        b"GET your shoes here\nHTTP/1.1 is a protocol\n",
        b"--2026-- a diary\n",
        b"To: the readers of MIME-Version: 1.0\n\ntext",
    ],
)
def test_a_text_that_resembles_one_is_a_body(place: Path, content: bytes) -> None:
    """All of it."""
    assert only(place, content).exchange.body == content


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.integers(0, len(LONG)), max_size=12), has_length=st.booleans())
def test_what_curl_writes_into_a_page_is_taken_out_of_it(place: Path, places: list[int], *, has_length: bool) -> None:
    """Wherever its buffer was full by then: no letter of the page is changed, and of ends of lines those at a seam."""
    noise = [b"{ [16384 bytes data]\n", METER, METER + METER, LAST_METER, LAST_METER + b"* Closing connection 0\n"]
    body, last = b"", 0
    for number, at in enumerate(sorted(places)):
        body += LONG[last:at] + noise[number % len(noise)]
        last = at
    length = [f"content-length: {len(LONG)}"] if has_length else []

    one = only(place, curl_v(asked(), answered(200, *length)) + body + LONG[last:])

    assert (one.exchange.body or b"").replace(b"\n", b"") == LONG.replace(b"\n", b"")


class Site(BaseHTTPRequestHandler):
    """Sends one page to another."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        is_first = self.path == "/first"
        body = b"moved" if is_first else LONG
        self.send_response(302 if is_first else 503)
        self.send_header("Location" if is_first else "X-Other", "/second")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/first"
        server.shutdown()
        thread.join()


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
@pytest.mark.parametrize("options", [["-vL"], ["-svL"], ["-viL"], ["-vL", "--limit-rate", "100k"]], ids=" ".join)
def test_the_curl_that_is_here_is_understood(place: Path, site: str, options: list[str]) -> None:
    """Whatever its version, with both of its outputs in one file."""
    path = place / "real.txt"
    with path.open("wb") as out:
        subprocess.run(["curl", *options, site], stdout=out, stderr=subprocess.STDOUT, check=True, timeout=60)

    [one] = read_saved(str(path))

    assert (one.exchange.status, one.exchange.body, one.exchange.url) == (503, LONG, site)
    assert one.exchange.final_url == site.replace("first", "second")
