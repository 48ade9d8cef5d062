"""The command as a person and a machine meet it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.judging.saved.forms import CHALLENGE, FORMS, GOOD, URL, answered, asked, curl_v, entry, har, page, raw

from proxysieve.cli import main
from proxysieve.cli.judge import shown_url

CF = ("cloudflare-challenge", "Cloudflare", "session")
OWN = """\
off = ["cloudflare-challenge", "cloudflare-title"]

[[sign]]
name = "shop-moment"
vendor = "Shop"
why = "page to wait on"
scope = "network"
title = ["just a moment..."]
source = "seen"
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the files of a test are, and its command runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def judge(*arguments: str, given: bytes = b"") -> Result:
    return CliRunner().invoke(main, ["judge", *arguments], input=given)


def put(name: str, content: bytes) -> str:
    Path(name).write_bytes(content)
    return name


def objects(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


class TestMachines:
    """One JSON object a line."""

    def test_an_object_has_the_verdict_and_the_sign_that_decided(self) -> None:
        """And all else that was seen; null is what is not known."""
        result = judge(put("page.html", CHALLENGE), "--status", "403", "--json")

        [told] = objects(result)
        assert told == {
            "file": "page.html",
            "url": None,
            "status": 403,
            "verdict": "blocked",
            "vendor": "Cloudflare",
            "sign": "cloudflare-challenge",
            "scope": "session",
            "confidence": told["confidence"],
            "why": "challenge page",
            "final": False,
            "until": None,
            "note": None,
            "seen": told["seen"],
        }
        assert told["confidence"] > 0.9
        assert [seen["sign"] for seen in told["seen"]][::2] == ["cloudflare-challenge", "status-403"]
        assert told["seen"][0].keys() == {"verdict", "vendor", "sign", "confidence", "why"}
        assert result.exit_code == 1

    def test_a_good_answer_is_ok_by_nothing(self) -> None:
        """No sign, no vendor, no scope."""
        [told] = objects(judge(put("page.html", GOOD), "--json"))

        assert [told[key] for key in ("verdict", "vendor", "sign", "scope", "seen")] == ["ok", None, None, None, []]

    @pytest.mark.parametrize("name", FORMS)
    def test_every_format_is_judged(self, name: str) -> None:
        """The last response of each is a challenge; where there are several, each has its URL."""
        *_, last = objects(judge(put(name, FORMS[name]), "--json"))

        assert (last["file"], last["sign"], last["vendor"], last["scope"]) == (name, *CF)
        is_silent = name in {"page.html", "page.http", "page.wget", "page.httpie"}
        assert last["url"] == (None if is_silent else "https://shop.example/item/1?q=…")

    def test_several_files_come_in_their_order(self) -> None:
        """Those of directories too."""
        Path("pages").mkdir()
        for name in ("b.html", "a.html", "pages/d.html", "pages/c.html"):
            put(name, GOOD)

        told = objects(judge("b.html", "pages", "a.html", "--json"))

        assert [one["file"] for one in told] == ["b.html", "pages/c.html", "pages/d.html", "a.html"]


class TestUnread:
    """What is good as far as it was seen."""

    @pytest.mark.parametrize(
        "content",
        [
            raw(200, b"", "Content-Type: text/html"),
            raw(200, b"\x0b\x02\x80\0\x01" * 9, "Content-Encoding: br"),
            har(entry(200, b"", text=None, size=500)),
            page(200, b"", body=None, file="gone.html"),
            curl_v(asked(), answered(200)),
        ],
    )
    def test_it_is_no_good_answer(self, content: bytes) -> None:
        """It has a word of its own, a note that says what to do, and the exit status of what is not good."""
        result = judge(put("a", content), "--json")

        [told] = objects(result)
        assert (told["verdict"], told["seen"], told["confidence"]) == ("unread", [], 0.0)
        assert ":" in told["note"]
        assert result.exit_code == 1

    def test_what_its_status_says_counts_all_the_same(self) -> None:
        """And the note stands beside it."""
        [told] = objects(judge(put("a", raw(429, b"", "Retry-After: 5")), "--json"))

        assert told["verdict"] == "throttled"
        assert "not saved" in told["note"]

    def test_persons_are_told_as_well(self) -> None:
        """In the line, in the note, and in the sum."""
        put("good.html", GOOD)
        put("head", raw(200, b"", "A: b"))

        output = judge("good.html", "head").output

        assert "unread       head   not all of it was seen" in output
        assert "note: its body was not saved" in output
        assert "1 ok, 1 unread" in output


class TestPersons:
    """Lines of 80 columns."""

    def test_a_short_verdict_takes_a_line(self) -> None:
        """The outcome, the file, and why."""
        put("empty.html", b"")
        put("page.html", GOOD)
        put("busy", raw(429, b"", "Retry-After: 120", "Date: Fri, 02 Jan 2026 03:04:05 GMT"))

        *lines, counts = judge("empty.html", "page.html", "busy").output.splitlines()

        assert lines[:2] == [
            "unclear      empty.html   status 200 with an empty body (empty-body, 50 % sure)",
            "ok           page.html   nothing speaks against it",
        ]
        assert lines[2:4][0].startswith("throttled    busy")
        assert " ".join(lines[2:]).count("asks to wait until 2026-01-0") == 1
        assert counts == "3 responses: 1 unclear, 1 ok, 1 throttled"

    def test_a_longer_one_takes_more(self) -> None:
        """With what else was seen under it."""
        output = judge(put("page.html", CHALLENGE), "--status", "403").output

        first, *lines = output.splitlines()
        assert first == "blocked      page.html"
        assert "Cloudflare challenge page (cloudflare-challenge, aims at the" in lines[0]
        assert "also seen: " in output
        assert "status 403 (status-403)" in " ".join(output.split())
        assert max(map(len, output.splitlines())) <= 80

    def test_a_file_of_many_is_named_once(self) -> None:
        """Its responses go by their URLs, and none of those is wider than a line."""
        long = entry(200, GOOD, url="https://shop.example/" + "x" * 100)

        lines = judge(put("a.har", har(entry(200, GOOD), long))).output.splitlines()

        assert lines[0] == "a.har"
        assert lines[1] == "ok           https://shop.example/item/1?q=…   nothing speaks against it"
        assert lines[2].endswith("x…")
        assert max(map(len, lines)) == 80

    def test_what_a_file_says_is_no_command_for_the_terminal(self) -> None:
        """Control characters of names and addresses are not printed."""
        put("\x1b[31mred.har", har(entry(200, GOOD, url="https://shop.example/\x1b]0;title\x07\u202e")))

        output = judge("\x1b[31mred.har").output

        assert not set(output) & set("\x1b\x07\u202e")

    def test_a_name_of_any_bytes_can_be_judged(self, place: Path) -> None:
        """As file systems take them."""
        path = os.fsencode(place) + b"/\xff.html"
        Path(os.fsdecode(path)).write_bytes(GOOD)

        assert judge(".").exit_code == 0
        assert judge(".", "--json").exit_code == 0

    def test_a_note_says_what_was_not_judged(self) -> None:
        """As of a body that cannot be decoded."""
        output = judge(put("a", raw(200, b"\x0b\x02\x80\0\x01" * 9, "Content-Encoding: br"))).output

        assert "note: its body cannot be decoded (br)" in output

    def test_the_help_is_readable(self) -> None:
        """And has an example, in lines of at most 80 columns."""
        output = judge("--help").output

        assert "Example:" in output
        assert max(map(len, output.splitlines())) <= 80


class TestOptions:
    """What is known beside the file."""

    @pytest.mark.parametrize(
        ("body", "arguments", "verdict"),
        [
            (GOOD, ["--status", "404"], "ok"),
            (GOOD, ["--status", "999"], "blocked"),
            (GOOD, ["--header", "CF-Mitigated: challenge"], "blocked"),
            (GOOD, ["--header", "Server: x", "--header", "cf-mitigated:challenge"], "blocked"),
            (GOOD, ["--status", "502", "--url", "http://shop.example/"], "unclear"),
            (GOOD, ["--status", "502", "--url", "https://shop.example/"], "site_error"),
            (b"", ["--url", "https://shop.example/robots.txt"], "ok"),
            (GOOD, ["--expect", "42 articles"], "ok"),
            (GOOD, ["--expect", "43 articles"], "unclear"),
            (GOOD, ["--expect", "css:title"], "ok"),
        ],
    )
    def test_they_make_the_verdict(self, body: bytes, arguments: list[str], verdict: str) -> None:
        """As they would over the wire."""
        result = judge(put("page.html", body), *arguments, "--json")

        assert objects(result)[0]["verdict"] == verdict
        assert result.exit_code == (verdict != "ok")

    def test_a_response_has_its_own_status(self) -> None:
        """What it says counts, not what is said beside it."""
        assert objects(judge(put("a", raw(200, GOOD)), "--status", "403", "--json"))[0]["verdict"] == "ok"

    def test_signs_of_ones_own_come_first_and_switch_others_off(self) -> None:
        """By files like signs.toml."""
        put("own.toml", OWN.encode())

        [told] = objects(judge(put("page.html", CHALLENGE), "--signs", "own.toml", "--json"))

        assert (told["sign"], told["vendor"], told["scope"]) == ("shop-moment", "Shop", "network")
        assert "cloudflare-title" not in {seen["sign"] for seen in told["seen"]}

    def test_the_signs_are_listed(self) -> None:
        """For people in 80 columns, for machines one object a line; with one's own, without those that are off."""
        put("own.toml", OWN.encode())

        lines = judge("--list-signs", "--signs", "own.toml").output.splitlines()
        listed = objects(judge("--list-signs", "--signs", "own.toml", "--json"))

        assert lines[0].split() == ["shop-moment", "Shop", "blocked", "network"]
        assert max(map(len, lines)) <= 80
        assert [line.split()[0] for line in lines] == [one["name"] for one in listed]
        assert "cloudflare-challenge" not in {one["name"] for one in listed}
        assert listed[0].keys() >= {"name", "vendor", "verdict", "scope"}

    def test_the_standard_input_is_a_file(self) -> None:
        """Called ``-``."""
        [told] = objects(judge("-", "--json", given=FORMS["page.http"]))

        assert (told["file"], told["status"], told["sign"]) == ("-", 403, CF[0])


BAD: dict[str, tuple[list[str], str]] = {
    "nothing": ([], "nothing to judge"),
    "missing": (["no.html"], "proxysieve: no.html: there is no such file"),
    "status-low": (["page.html", "--status", "99"], "'--status'"),
    "status-high": (["page.html", "--status", "1000"], "'--status'"),
    "header": (["page.html", "--header", "secret"], "expected 'Name: value'"),
    "url": (["page.html", "--url", "shop.example"], "expected http://"),
    "url-that-is-none": (["page.html", "--url", "https://[secret"], "expected http://"),
    "selector": (["page.html", "--expect", "css:["], "is no CSS selector"),
    "signs": (["page.html", "--signs", "no.toml"], "the signs in no.toml cannot be read"),
    "signs-off": (["page.html", "--signs", "off.toml"], "--list-signs"),
    "empty-warc": (["empty.warc"], "empty.warc: no WARC file"),
    "broken-har": (["broken.har"], "broken.har: no whole HAR file"),
    "directory": (["empty"], "empty: a directory without files"),
    "binary": (["image.png"], "image.png: a picture (PNG)"),
}


@pytest.mark.parametrize(("arguments", "told"), BAD.values(), ids=BAD)
def test_bad_input_is_said_in_one_sentence(arguments: list[str], told: str) -> None:
    """With exit status 2, and without what may be secret."""
    put("page.html", GOOD)
    put("empty.warc", b"")
    put("broken.har", FORMS["site.har"][:-5])
    put("image.png", b"\x89PNG\r\n\x1a\n" + bytes(9))
    put("off.toml", b'off = ["no-such-sign"]')
    Path("empty").mkdir()

    result = judge(*arguments)

    assert result.exit_code == 2
    assert told in result.stderr
    assert "secret" not in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_one_bad_file_keeps_from_no_other() -> None:
    """All others are judged, and the exit status still tells of it."""
    result = judge(put("a.html", CHALLENGE), "no.html", put("b.html", GOOD))

    assert result.exit_code == 2
    assert "no.html" in result.stderr
    assert "2 responses: 1 blocked, 1 ok" in result.stdout


class TestSecrets:
    """Nobody's cookies or tokens are printed."""

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("https://user:pass@shop.example:8443/a?token=x&b&c=#frag", "https://shop.example:8443/a?token=…&…&c=…"),
            ("https://shop.example/a;jsessionid=1/b", "https://shop.example/a;…/b"),
            ("https://shop.example", "https://shop.example"),
            ("data:text/html,secret", "data:…"),
            ("/only/a/path", ""),
            ("https://[secret", ""),
            ("", ""),
        ],
    )
    def test_urls_are_shown_without_their_values(self, url: str, shown: str) -> None:
        """Names of values stay, as they tell pages apart."""
        assert shown_url(url) == shown

    @pytest.mark.parametrize("name", FORMS)
    @pytest.mark.parametrize("kind", [[], ["--json"]], ids=["person", "machine"])
    def test_none_of_a_file_is_printed(self, name: str, kind: list[str]) -> None:
        """Neither its cookies nor its queries."""
        content = FORMS[name].replace(b"HTTP/1.1 403 Said", b"HTTP/1.1 403 Said\r\nSet-Cookie: sid=secret-cookie")

        result = judge(put(name, content), *kind, "--url", "https://user:secret-pass@shop.example/?x=secret-value")

        assert "secret" not in result.output


class Handler(BaseHTTPRequestHandler):
    """A site that sends one page to another, which is a challenge."""

    protocol_version = "HTTP/1.1"
    heard: list[str]

    def do_GET(self) -> None:
        is_first = self.path.startswith("/first")
        self.heard.append(self.headers["User-Agent"])
        self.send_response(302 if is_first else 403)
        if is_first:
            self.send_header("Location", "/second")
        body = b"" if is_first else CHALLENGE
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[tuple[str, list[str]]]:
    """Its address, and the user agents that came."""
    heard: list[str] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Hearing", (Handler,), {"heard": heard})) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}", heard
        server.shutdown()
        thread.join()


class TestUrls:
    """A page that is fetched for it."""

    def test_a_url_is_fetched_as_a_browser_would_and_not_by_a_proxy(
        self, site: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also where the environment names one; and whose address is seen is said."""
        address, heard = site
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        monkeypatch.setenv("all_proxy", "http://127.0.0.1:1")

        result = judge(f"http://user:secret@{address}/first?token=secret", "--json")

        [told] = objects(result)
        assert (told["file"], told["url"]) == (f"http://{address}/first?token=…",) * 2
        assert (told["status"], told["sign"]) == (403, CF[0])
        assert len(heard) == 2
        assert all(agent.startswith("Mozilla/5.0") for agent in heard)
        assert "this machine's own address" in result.stderr
        assert "secret" not in result.output

    def test_a_url_that_cannot_be_fetched_is_bad_input(self) -> None:
        """There is no response to judge."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            result = judge(f"http://127.0.0.1:{taken.getsockname()[1]}/?token=secret")

        assert result.exit_code == 2
        assert "the site could not be reached" in result.stderr
        assert "secret" not in result.output


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(url=st.text(max_size=30) | st.text(alphabet="ab:/?&=@[];#%", max_size=30), status=st.integers(100, 999))
def test_whatever_a_har_says_it_is_judged(url: str, status: int) -> None:
    """Addresses of any kind among it."""
    result = judge(put("a.har", har(entry(status, GOOD, url=f"https://{url}"), entry(status, b"", url=url))))

    assert result.exit_code in {0, 1}, result.output
    assert click.unstyle(result.output) == result.output


def test_a_moment_that_never_comes_is_none() -> None:
    """It could not be printed."""
    far = page(429, GOOD, fetched_at=1e300, headers={"retry-after": "9" * 400})

    assert judge(put("pages.jsonl", far)).exit_code == 1


def test_what_was_asked_for_is_told_apart_from_where_it_ended() -> None:
    """The query of either is not printed."""
    sorry = raw(302, b"", "Location: https://www.google.com/sorry/index?continue=secret") + raw(429, b"x")

    result = judge(put("a", sorry), "--url", URL, "--json")

    assert objects(result)[0]["url"] == "https://shop.example/item/1?q=…"
    assert objects(result)[0]["vendor"] == "Google"
    assert "secret" not in result.output
