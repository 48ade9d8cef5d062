"""Bodies that lie beside the file that tells of them, or in a zip file with it."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path
from typing import Any

import pytest
from tests.judging.saved.forms import (
    CHALLENGE,
    GOOD,
    URL,
    answered,
    apart,
    asked,
    chunked,
    curl_v,
    entry,
    har,
    httpie,
    page,
    raw,
    warc,
    wget_s,
    zipped,
)

from proxysieve import ConfigError
from proxysieve.judging.saved import Saved, body_files, read_saved, reader
from proxysieve.judging.saved import warc as warc_module
from proxysieve.judging.saved import zipped as zipped_module

SECRET = b"secret of another directory"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory beside which lies a secret."""
    (tmp_path / "secret").write_bytes(SECRET)
    inside = tmp_path / "in"
    inside.mkdir()
    (inside / "below").mkdir()
    (inside / "below" / "a.html").write_bytes(CHALLENGE)
    (inside / "a.html").write_bytes(CHALLENGE)
    return inside


def read(place: Path, content: bytes, name: str = "site.har") -> list[Saved]:
    path = place / name
    path.write_bytes(content)
    return list(read_saved(str(path)))


class TestBeside:
    """In files."""

    @pytest.mark.parametrize("name", ["a.html", "below/a.html", "./a.html", "below/../a.html"])
    def test_a_body_is_read_from_beside_the_file(self, place: Path, name: str) -> None:
        """Or from below it."""
        [one] = read(place, har(apart(403, name)))

        assert (one.exchange.body, one.is_whole) == (CHALLENGE, True)

    @pytest.mark.parametrize("name", ["../secret", "../../../../../../etc/passwd", "/etc/passwd", "link", "below/link"])
    def test_nothing_is_read_from_anywhere_else(self, place: Path, name: str) -> None:
        """Neither by dots, nor from the root, nor by a link: whoever made the file wants to know what is there."""
        (place / "link").symlink_to("../secret")
        (place / "below" / "link").symlink_to(place.parent / "secret")

        with pytest.raises(ConfigError, match="elsewhere"):
            read(place, har(apart(200, name)))

    def test_nor_by_a_link_in_the_output_of_a_job(self, place: Path) -> None:
        """Its index names files, too."""
        (place / "link").symlink_to("../secret")

        with pytest.raises(ConfigError, match="elsewhere"):
            read(place, page(200, b"", body=None, file="link"), "index.jsonl")

    @pytest.mark.parametrize("name", ["gone.html", "x\0", "x" * 5_000, "below", "pipe", "circle"])
    def test_what_is_no_file_is_a_body_that_is_gone(self, place: Path, name: str) -> None:
        """Nothing is waited for."""
        os.mkfifo(place / "pipe")
        (place / "circle").symlink_to("circle")

        [one] = read(place, har(apart(200, name)))

        assert (one.exchange.body, one.is_whole) == (None, False)
        assert "is gone" in one.note

    def test_the_standard_input_lies_nowhere(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """So nothing is beside it."""
        monkeypatch.chdir(place)
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(har(apart(200, "a.html")))))

        [one] = read_saved("-")

        assert one.exchange.body is None

    def test_all_of_them_have_a_limit(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As each entry may name the same large one."""
        monkeypatch.setattr(body_files, "MOST_TOTAL_BYTES", 10 * len(CHALLENGE))

        with pytest.raises(ConfigError, match="have more than"):
            read(place, har(*[apart(200, "a.html")] * 11))


class TestZipped:
    """In a zip file."""

    def test_a_har_is_found_in_it(self, place: Path) -> None:
        """Whatever it is called, and its bodies by their names."""
        packed = zipped(**{"x/My.HAR": har(entry(200, GOOD), apart(403, "b.html"), apart(200, "../secret")),
                           "b.html": CHALLENGE})  # fmt: skip

        first, second, third = read(place, packed, "download")

        assert (first.exchange.body, second.exchange.body) == (GOOD, CHALLENGE)
        assert (third.exchange.body, third.is_whole) == (None, False)

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (zipped(**{"word/document.xml": b"<w/>"}), "no HAR file"),
            (zipped(), "no HAR file"),
            (zipped(**{"a.har": b"{}", "b.har": b"{}"}), "several HAR files"),
            (zipped(**{"a.har": b"[]"}), "no whole HAR"),
            (zipped(**{"a.har": har()}), "without any answer"),
            (zipped(**{"a.har": har()})[:-9], "damaged"),
            (b"PK\x03\x04 nothing of the kind", "damaged"),
            (zipped(**{"a.har": har(entry(200, GOOD))}).replace(b"\x08\x00", b"\x63\x00"), "damaged"),
        ],
    )
    def test_another_zip_file_is_refused(self, place: Path, content: bytes, told: str) -> None:
        """And it is said what it is."""
        with pytest.raises(ConfigError, match=told):
            read(place, content)

    def test_what_unpacks_to_very_much_has_limits(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The file itself, each body and all of them, whatever is said of their sizes."""
        monkeypatch.setattr(zipped_module, "MOST_TOTAL_BYTES", 1_000_000)
        for name in ("zipped", "har"):
            monkeypatch.setattr(f"proxysieve.judging.saved.{name}.MOST_BYTES", 500_000)
        bomb = b" " * 900_000

        with pytest.raises(ConfigError, match="export fewer"):
            read(place, zipped(**{"a.har": har(entry(200, GOOD)) + bomb}))
        with pytest.raises(ConfigError, match="unpacks to more than"):
            read(place, zipped(**{"a.har": har(apart(200, "b"), apart(200, "b")), "b": bomb}))

    def test_a_list_of_files_without_end_is_not_read(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It would be held as a whole."""
        monkeypatch.setattr(zipped_module, "MOST_LIST_BYTES", 1_000)

        with pytest.raises(ConfigError, match="too many files"):
            read(place, zipped(**{f"{number}.html": b"" for number in range(99)}))

    def test_what_is_encrypted_is_refused(self, place: Path) -> None:
        """Nobody has its password."""
        packed = bytearray(zipped(**{"a.har": har(entry(200, GOOD))}))
        for sign, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            packed[packed.index(sign) + at] |= 1

        with pytest.raises(ConfigError, match="damaged, or packed in an unknown way"):
            read(place, bytes(packed))


HAR_BODIES = {
    "missing": ({"text": None, "size": 500}, False),
    "missing-of-unknown-size": ({"text": None, "size": -1}, False),
    "empty-of-some-size": ({"text": "", "size": 500}, False),
    "empty": ({"text": "", "size": 0}, True),
    "cut": ({"text": "<p>", "size": 500}, False),
    "damaged": ({"text": "a", "encoding": "base64", "size": 1}, False),
    "a-page-said-to-be-base64": ({"encoding": "base64", "size": None}, False),
    "of-an-unknown-encoding": ({"text": "PGh0bWw+", "encoding": "gzip+base64", "size": None}, False),
    "in-lines": ({"text": "PGh0\r\nbWw+", "encoding": "Base64", "size": None}, True),
    "there": ({}, True),
    "of-no-size": ({"size": None}, True),
    "of-an-absurd-size": ({"size": 1e300}, False),
}


@pytest.mark.parametrize(("content", "is_whole"), HAR_BODIES.values(), ids=HAR_BODIES)
def test_a_body_is_whole_where_a_har_has_all_of_it(place: Path, content: dict[str, Any], *, is_whole: bool) -> None:
    """By what it says of its size."""
    [one] = read(place, har(entry(200, GOOD, **content)))

    assert one.is_whole is is_whole
    assert bool(one.note) is not is_whole


def test_an_answer_to_head_has_no_body_to_be_seen(place: Path) -> None:
    """Though its size is nought."""
    asked = entry(200, b"")
    asked["request"]["method"] = "HEAD"

    [one] = read(place, har(asked))

    assert not one.is_whole


@pytest.mark.parametrize("before", [b'{"comment": "x", "log": {"version"', b'\xef\xbb\xbf\n{"a":1,"log":{"creator"'])
def test_a_har_may_begin_with_something_else(place: Path, before: bytes) -> None:
    """As programs write it."""
    content = har(entry(200, GOOD)).replace(b'{"log": {"version"', before)
    if b"creator" in before:
        content = content.replace(b'"1.2"', b"{}")

    [one] = read(place, content, "nameless")

    assert one.exchange.body == GOOD


class TestLimits:
    """What unpacks, or goes on, without end."""

    def test_a_gzip_bomb_is_not_unpacked(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """By how many times its size it becomes; what is small may be as empty as it likes."""
        bomb = gzip.compress(b" " * 3_000_000)
        assert read(place, bomb, "small")

        monkeypatch.setattr(reader, "HARMLESS_BYTES", 1_000_000)
        with pytest.raises(ConfigError, match="unpacks to more than"):
            read(place, bomb, "large")

    @pytest.mark.parametrize("is_packed", [True, False])
    @pytest.mark.parametrize(
        "head", [b"WARC/1.0\r\nA: " + b"x" * 3_000_000, b"WARC/1.0\r\n" + b"A: b\r\n" * 500_000, b"WARC/1.0" * 500_000]
    )
    def test_the_head_of_a_record_ends(self, place: Path, head: bytes, *, is_packed: bool) -> None:
        """Neither a line nor the lines together go on for ever; warcio alone would read them to their end."""
        content = warc((URL, raw(200, GOOD)), is_packed=False) + head
        answers = read_saved(str(place / "a.warc"))
        (place / "a.warc").write_bytes(gzip.compress(content) if is_packed else content)

        assert next(answers).exchange.body == GOOD
        with pytest.raises(ConfigError, match="damaged, cut short or no WARC file"):
            next(answers)
        assert len(head) > warc_module.MOST_HEAD_BYTES

    @pytest.mark.parametrize("length", [b"999999999999999999999", b"-5", b"9e9", b"", b"0", b"\xff"])
    def test_a_record_of_an_absurd_length_ends_with_its_file(self, place: Path, length: bytes) -> None:
        """And an answer of which less is there than that is not whole."""
        content = warc((URL, raw(200, GOOD)), is_packed=False)
        right = b"Content-Length: %d" % len(raw(200, GOOD))
        assert right in content

        try:
            found = read(place, content.replace(right, b"Content-Length: " + length), "a.warc")
        except ConfigError:
            return
        assert all(not one.is_whole or one.exchange.body for one in found)

    def test_a_line_of_pages_has_a_limit(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is longer than any page was never written by a job."""
        monkeypatch.setattr("proxysieve.judging.saved.pages.MOST_LINE_BYTES", 1_000)

        with pytest.raises(ConfigError, match="line 2 is longer than a page can be"):
            read(place, page(200, GOOD) + page(200, GOOD * 50), "a.jsonl")

    @pytest.mark.parametrize("form", [curl_v(asked(), answered(200)), wget_s((200, "A: b")), httpie(raw(200, b""))])
    def test_a_transcript_has_a_limit(self, place: Path, form: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is looked through line by line."""
        monkeypatch.setattr("proxysieve.judging.saved.raw_http.MOST_PRINTED_BYTES", 5_000)

        assert read(place, form + b"x" * 4_000, "a")
        with pytest.raises(ConfigError, match="a transcript of more than"):
            read(place, form + b"x" * 5_000, "a")

    def test_chunks_have_a_number(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What has more of them is read as far as that."""
        monkeypatch.setattr("proxysieve.judging.saved.decoding.MOST_CHUNKS", 10)

        [one] = read(place, raw(200, chunked(GOOD, 1), "Transfer-Encoding: chunked"), "a")

        assert (one.exchange.body, one.is_whole) == (GOOD[:10], False)

    def test_headers_have_a_limit(self, place: Path) -> None:
        """Megabytes of them are not kept."""
        [one] = read(place, b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 900_000 + b"\r\nbody", "a")

        assert (one.exchange.body, one.is_whole) == (None, False)
        assert len(one.exchange.headers) < 200_000
