"""Responses in whatever form they were saved."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import threading
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.judging.saved.forms import (
    CHALLENGE,
    FORMS,
    GOOD,
    URL,
    chunked,
    entry,
    har,
    page,
    raw,
    warc,
)

from proxysieve import ConfigError
from proxysieve.judging.saved import Defaults, Saved, files_of, read_saved
from proxysieve.judging.saved import response as limits

AT = 1_767_323_045.0  # 2026-01-02 03:04:05 in UTC
CODED = ("Transfer-Encoding: chunked", "Content-Encoding: gzip")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("saved")


def read(place: Path, name: str, content: bytes, known: Defaults | None = None) -> list[Saved]:
    path = place / name
    path.write_bytes(content)
    return list(read_saved(str(path), known))


def only(place: Path, content: bytes, known: Defaults | None = None, name: str = "file") -> Saved:
    [one] = read(place, name, content, known)
    return one


class TestFormats:
    """Told apart by what is in a file, and by its name only where that says nothing."""

    @pytest.mark.parametrize("name", FORMS)
    @pytest.mark.parametrize("is_named", [True, False], ids=["named", "nameless"])
    def test_every_format_is_known_by_its_content(self, place: Path, name: str, *, is_named: bool) -> None:
        """Under whatever name; the last response of each is the challenge."""
        responses = read(place, name if is_named else "nameless", FORMS[name])

        assert responses[-1].exchange.body == CHALLENGE
        assert len(responses) == (1 if name.startswith("page.") else 2)

    @pytest.mark.parametrize("name", [name for name in FORMS if not name.endswith(".gz")])
    def test_gzip_around_a_file_is_taken_off(self, place: Path, name: str) -> None:
        """Whatever the format."""
        responses = read(place, f"{name}.gz", gzip.compress(FORMS[name]))

        assert responses[-1].exchange.body == CHALLENGE

    @pytest.mark.parametrize(
        "content",
        [
            b'{"items": [1, 2]}',
            b'{"log": []}',
            b'{"url": "https://shop.example/", "status": 200, "body": "x"}',
            b"[]",
            b"",
            b"HTTP/1.1 is a protocol",
            b"WARC files",
            "Grüße".encode("utf-16"),
            "こんにちは".encode("iso-2022-jp"),
        ],
    )
    def test_all_else_that_is_text_is_a_body(self, place: Path, content: bytes) -> None:
        """JSON that merely resembles a format, too."""
        assert only(place, content).exchange.body == content

    def test_the_standard_input_is_told_apart_likewise(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Though it can be read but once."""
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(FORMS["site.warc.gz"])))

        assert [one.exchange.status for one in read_saved("-")] == [200, 403]

    def test_a_pipe_is_read_like_a_file(self, place: Path) -> None:
        """As shells give for ``<(…)``."""
        path = place / "pipe"
        os.mkfifo(path)
        writer = threading.Thread(target=path.write_bytes, args=[FORMS["page.http"]])
        writer.start()

        [one] = read_saved(str(path))
        writer.join()

        assert one.exchange.body == CHALLENGE


class TestBodies:
    """A body alone."""

    def test_what_is_given_is_taken_for_its_own(self, place: Path) -> None:
        """Status, headers and URL."""
        known = Defaults(status=403, headers=(("server", "cloudflare"),), url=URL)

        exchange = only(place, CHALLENGE, known).exchange

        assert (exchange.status, exchange.header("server"), exchange.url) == (403, "cloudflare", URL)

    def test_a_date_header_says_when_it_came(self, place: Path) -> None:
        """Else the file's own time does."""
        dated = only(place, GOOD, Defaults(headers=(("date", "Fri, 02 Jan 2026 03:04:05 GMT"),)), "dated")
        undated = only(place, GOOD, name="undated")

        assert dated.exchange.at == AT
        assert undated.exchange.at == (place / "undated").stat().st_mtime

    def test_a_body_of_a_named_type_may_be_binary(self, place: Path) -> None:
        """Whoever names it knows what it is."""
        image = b"\x89PNG\r\n\x1a\n" + bytes(100)

        with pytest.raises(ConfigError, match="a picture"):
            only(place, image)
        assert only(place, image, Defaults(headers=(("content-type", "image/png"),))).exchange.body == image

    def test_what_is_too_long_is_cut(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """And that is said."""
        for module in ("response", "body", "decoding"):
            monkeypatch.setattr(f"proxysieve.judging.saved.{module}.MOST_BODY_BYTES", 1_000)
        assert limits.MOST_BODY_BYTES == 1_000
        long = b"x" * 3_000

        for content in (long, raw(200, long), raw(200, gzip.compress(long), "content-encoding: gzip"), page(200, long)):
            one = only(place, content)
            assert one.exchange.body == long[:1_000]
            assert "only the first" in one.note


class TestRawHttp:
    """What came over the wire."""

    @pytest.mark.parametrize(
        "content",
        [
            pytest.param(raw(403, CHALLENGE), id="plain"),
            pytest.param(raw(403, CHALLENGE, version="2"), id="http-2"),
            pytest.param(raw(403, CHALLENGE).replace(b"\r\n", b"\n"), id="bare-newlines"),
            pytest.param(raw(403, CHALLENGE, "X: y", "Z: w").replace(b" Said", b""), id="without-a-reason"),
            pytest.param(raw(403, chunked(CHALLENGE), "Transfer-Encoding: chunked"), id="chunked"),
            pytest.param(raw(403, CHALLENGE, "Transfer-Encoding: chunked"), id="chunked-no-more"),
            pytest.param(raw(403, gzip.compress(CHALLENGE), "Content-Encoding: gzip"), id="gzip"),
            pytest.param(raw(403, zlib.compress(CHALLENGE), "Content-Encoding: deflate"), id="deflate"),
            pytest.param(
                raw(403, zlib.compress(CHALLENGE)[2:-4], "Content-Encoding: deflate"), id="deflate-without-its-mark"
            ),
            pytest.param(raw(403, CHALLENGE, "Content-Encoding: gzip"), id="gzip-no-more"),
            pytest.param(raw(403, CHALLENGE, "Content-Encoding: br"), id="br-no-more"),
            pytest.param(raw(403, chunked(gzip.compress(CHALLENGE)), *CODED), id="chunked-gzip"),
            pytest.param(raw(200, b"", "X: y") + raw(403, CHALLENGE), id="behind-a-connect"),
            pytest.param(raw(200, b"") + raw(403, CHALLENGE), id="behind-a-connect-without-headers"),
            pytest.param(raw(100, b"") + raw(403, CHALLENGE), id="behind-a-100"),
            pytest.param(raw(407, b"", "Content-Length: 5") + raw(403, CHALLENGE), id="behind-a-407"),
        ],
    )
    def test_the_last_response_counts_decoded(self, place: Path, content: bytes) -> None:
        """Also where curl has decoded what the headers still speak of."""
        one = only(place, content)

        assert (one.exchange.status, one.exchange.body, one.note) == (403, CHALLENGE, "")

    def test_redirects_are_followed_by_their_addresses(self, place: Path) -> None:
        """So that a sorry page is known by where it stands."""
        moved = raw(302, b"", "Location: /a") + raw(301, b"", "Location: https://www.google.com/sorry/index?x=1")

        exchange = only(place, moved + raw(200, GOOD), Defaults(url=URL)).exchange

        assert exchange.url == URL
        assert exchange.final_url == "https://www.google.com/sorry/index?x=1"
        assert exchange.redirect_count == 2

    def test_a_redirect_that_nobody_followed_ends_where_it_points(self, place: Path) -> None:
        """That is all that is known of it."""
        exchange = only(place, raw(302, b"", "location: /blocked?url=Lw=="), Defaults(url=URL)).exchange

        assert exchange.final_url == "https://shop.example/blocked?url=Lw=="

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (raw(403, b"\x0b\x02\x80\x00\x01" * 20, "Content-Encoding: br"), "br"),
            (raw(403, b"\x28\xb5\x2f\xfd\x00\x01" * 20, "Content-Encoding: zstd"), "zstd"),
            (raw(403, b"\x1f\x8b\x00\x01\x02" * 20, "Content-Encoding: gzip"), "gzip"),
            (b"HTTP/1.1 403 Forbidden\r\nserver: cloudfl", "breaks off"),
        ],
    )
    def test_a_body_that_cannot_be_had_is_no_empty_one(self, place: Path, content: bytes, told: str) -> None:
        """Judged without it, and that is said."""
        one = only(place, content)

        assert (one.exchange.status, one.exchange.body) == (403, None)
        assert told in one.note

    def test_of_a_body_that_breaks_off_the_beginning_is_read(self, place: Path) -> None:
        """As of a connection that was lost."""
        noise = bytes(range(33, 127)) * 50
        for content in (chunked(noise)[:100], gzip.compress(noise)[:60], chunked(gzip.compress(noise))[:70]):
            one = only(place, raw(200, content, *CODED))
            assert one.exchange.body
            assert noise.startswith(one.exchange.body)


class TestHar:
    """What browsers export."""

    def test_each_answer_has_its_own_url_and_moment(self, place: Path) -> None:
        """The moment at which its entry was over."""
        first, second = read(place, "site.har", FORMS["site.har"])

        assert (first.exchange.url, first.exchange.at, first.is_one_of_many) == (URL, AT + 1.5, True)
        assert second.exchange.body == CHALLENGE

    def test_text_is_unicode_whatever_its_header_says(self, place: Path) -> None:
        """As the browser has decoded it."""
        one = only(place, har(entry(200, "Доступ запрещён".encode())))

        assert one.exchange.body == "Доступ запрещён".encode()
        assert one.exchange.header("content-type") == "text/html; charset=utf-8"

    def test_entries_without_an_answer_are_left_out(self, place: Path) -> None:
        """They were cancelled, or failed."""
        content = har(entry(0, b""), entry(-1, b""), entry(200, GOOD))

        assert only(place, content).exchange.status == 200

    @pytest.mark.parametrize(
        ("saved_entry", "told"),
        [
            (entry(200, b"", text=None, size=500), "not saved"),
            (entry(200, b"", text=None, size=0), "not saved"),
            (entry(200, b"", text="a", encoding="base64"), "damaged"),
        ],
    )
    def test_a_body_that_was_not_saved_is_no_empty_one(
        self, place: Path, saved_entry: dict[str, object], told: str
    ) -> None:
        """Judged without it, and that is said."""
        one = only(place, har(saved_entry))

        assert one.exchange.body is None
        assert told in one.note

    def test_a_mark_before_the_text_does_no_harm(self, place: Path) -> None:
        """Some programs on Windows write it."""
        assert read(place, "bom.har", b"\xef\xbb\xbf" + FORMS["site.har"])


class TestWarc:
    """What archives keep."""

    def test_each_response_has_its_own_url_and_moment(self, place: Path) -> None:
        """Of requests and other records nothing is read."""
        first, _ = read(place, "site.warc.gz", FORMS["site.warc.gz"])

        assert (first.exchange.url, first.exchange.at, first.is_one_of_many) == (URL, AT, True)

    def test_names_that_were_looked_up_are_no_responses(self, place: Path) -> None:
        """Though some crawlers keep them as such."""
        content = warc(
            ("dns:shop.example", b"20260102030405\nshop.example. 300 IN A 192.0.2.1\n"), (URL, raw(200, GOOD))
        )

        assert only(place, content).exchange.url == URL

    def test_of_an_archive_that_breaks_off_the_last_one_is_marked(self, place: Path) -> None:
        """What is there of it is judged."""
        *_, last = read(place, "cut.warc", FORMS["site.warc"][:-30])

        assert "not saved to its end" in last.note

    def test_nothing_that_it_reads_is_printed(self, place: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """Warcio prints lines that it does not understand, cookies for instance."""
        damaged = FORMS["site.warc"].replace(b"Content-Length: ", b"Content-Length: 1")
        damaged = damaged.replace(b"HTTP/1.1 200 Said", b"HTTP/1.1 200 Said\r\nSet-Cookie: sid=secret-cookie")

        with pytest.raises(ConfigError) as caught:
            read(place, "damaged.warc", damaged.replace(b"Content-Length: 1", b"Content-Length: ", 1))

        assert "secret" not in str(caught.value) + "".join(capfd.readouterr())


class TestPages:
    """What fetch writes."""

    def test_a_page_is_read_as_it_was_fetched(self, place: Path) -> None:
        """With where redirects ended."""
        ended = "https://shop.example/b"
        one = only(place, page(200, b"", body=None, body_base64="/w==", final_url=ended))

        assert one.exchange.body == b"\xff"
        assert (one.exchange.final_url, one.exchange.at) == (ended, 1_700_000_000.5)

    def test_a_last_line_that_is_being_written_is_none(self, place: Path) -> None:
        """A job may be running."""
        assert len(read(place, "pages.jsonl", page(200, GOOD) + page(200, GOOD)[:50])) == 1


class TestDirectories:
    """All files of a directory."""

    def test_they_come_in_order_with_those_below(self, tmp_path: Path) -> None:
        """Hidden ones are left out."""
        for name in ("b.html", "a.html", "c/d.html", ".hidden", ".git/e.html"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(GOOD)

        found = [str(Path(name).relative_to(tmp_path)) for name in files_of(str(tmp_path))]

        assert found == ["a.html", "b.html", "c/d.html"]

    def test_the_output_of_a_job_stands_for_its_index(self, tmp_path: Path) -> None:
        """It knows what stands in the other files, and with which status they came."""
        record = page(404, b"", body=None, file="shop-1.html")
        job = {"index.jsonl": record, "shop-1.html": GOOD, "failed.jsonl": b"", "journal": b"", "notes.txt": b"mine"}
        (tmp_path / "shop").mkdir()
        for name, content in job.items():
            (tmp_path / "shop" / name).write_bytes(content)
        (tmp_path / "other.html").write_bytes(GOOD)

        found = files_of(str(tmp_path))

        assert found == [str(tmp_path / "other.html"), str(tmp_path / "shop" / "index.jsonl")]
        [one] = read_saved(found[1])
        assert (one.exchange.status, one.exchange.body) == (404, GOOD)

    def test_a_page_whose_file_is_gone_is_judged_by_the_rest(self, tmp_path: Path) -> None:
        """And that is said."""
        one = only(tmp_path, page(200, b"", body=None, file="gone.html"))

        assert one.exchange.body is None
        assert "is gone" in one.note

    @pytest.mark.parametrize("file", ["../secret", "/etc/passwd", "a/b", "..", "x\0"])
    def test_an_index_leads_nowhere_else(self, tmp_path: Path, file: str) -> None:
        """Whoever made it, it is no way to read another file."""
        (tmp_path / "secret").write_bytes(b"secret")
        (tmp_path / "in").mkdir()

        with pytest.raises(ConfigError):
            read(tmp_path / "in", "index.jsonl", page(200, b"", body=None, file=file))


BAD = {
    "missing": ("no.html", None, "there is no such file"),
    "not-gzip": ("a.gz", b"\x1f\x8b nothing", "compression is damaged"),
    "gzip-cut-short": ("a.html.gz", gzip.compress(GOOD)[:-12], "compression is damaged"),
    "image": ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(9), "a picture (PNG)"),
    "mitmproxy": ("flows", b"81:9:websocket;0:~8:response;60:6:reason;2:OK,", "a file of mitmproxy"),
    "coloured": ("a", b"\x1b[34mHTTP\x1b[39m/\x1b[34m1.1\x1b[39m 403\n\n" + GOOD, "with terminal colours"),
    "binary": ("a", bytes(range(32)) * 9, "neither text nor"),
    "har-broken": ("a.har", FORMS["site.har"][:-9], "no whole HAR"),
    "har-broken-nameless": ("a", FORMS["site.har"][:-9], "no whole HAR"),
    "har-of-something-else": ("a.har", b"[]", "no whole HAR"),
    "har-without-entries": ("a.har", har(), "without any answer"),
    "har-bad-entry": ("a.har", har(entry(200, GOOD), {}), "entry 2"),
    "warc-empty": ("a.warc", b"", "no WARC file"),
    "warc-gz-empty": ("a.warc.gz", b"", "no WARC file"),
    "warc-of-something-else": ("a.warc", b"<html>", "no WARC file"),
    "warc-without-responses": ("a.warc.gz", warc(), "no WARC file with HTTP responses"),
    "warc-cut-short": ("a.warc.gz", FORMS["site.warc.gz"][:-40], "compression is damaged"),
    "jsonl-empty": ("a.jsonl", b"", "it has no pages"),
    "jsonl-of-failures": ("a.jsonl", json.dumps({"url": URL, "error": "x"}).encode() + b"\n", "line 1 is no page"),
    "jsonl-damaged": ("a.jsonl", page(200, GOOD) + b"{\n" + page(200, GOOD), "line 2 is no page"),
    "jsonl-status": ("a.jsonl", page(7, GOOD), "line 1 is no page"),
}


@pytest.mark.parametrize(("name", "content", "told"), BAD.values(), ids=BAD)
def test_what_cannot_be_read_is_said_in_one_sentence(
    tmp_path: Path, name: str, content: bytes | None, told: str
) -> None:
    """With the file's name, what is wrong, and what to do."""
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        list(read_saved(str(tmp_path / name)))

    assert told in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_a_directory_without_files_is_an_error(tmp_path: Path) -> None:
    """As nothing would be judged."""
    (tmp_path / "below").mkdir()

    with pytest.raises(ConfigError, match="a directory without files"):
        files_of(str(tmp_path))


def test_a_pipe_in_a_directory_is_left_out(tmp_path: Path) -> None:
    """Nobody may ever write to it; a file that cannot be read is told, and a pipe that is named is waited for."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "page.html").write_bytes(GOOD)
    (tmp_path / "gone.html").symlink_to(tmp_path / "nothing")

    assert files_of(str(tmp_path)) == [str(tmp_path / "gone.html"), str(tmp_path / "page.html")]
    assert files_of(str(tmp_path / "pipe")) == [str(tmp_path / "pipe")]


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """A file of some format with pieces cut out, put in, or written over."""
    name, content = draw(st.sampled_from(sorted(FORMS.items())))
    if draw(st.booleans()):
        # Damage below the compression is reached by the same without.
        content = content[: draw(st.integers(0, len(content)))]
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(content)))
        piece = draw(st.binary(max_size=8) | st.sampled_from([b"\r\n\r\n", b'"', b"-1", b"[", b"9" * 30, b"\\ud800"]))
        content = content[:at] + piece + content[at + draw(st.integers(0, 8)) :]
    return name, content


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged() | st.tuples(st.sampled_from(sorted(FORMS)), st.binary(max_size=200)))
def test_whatever_a_file_holds_nothing_but_a_config_error_comes_of_it(place: Path, file: tuple[str, bytes]) -> None:
    """And what is read of it can be judged: a status, an address that can be taken apart."""
    name, content = file
    try:
        responses = read(place, name, content)
    except ConfigError:
        return

    assert responses
    assert all(100 <= one.exchange.status <= 999 for one in responses)
