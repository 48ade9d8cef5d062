"""Bytes of a list into text."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zipfile
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxysieve.core.list_formats.text import MOST_UNPACKED_BYTES, kind_of, lines_of, text_of, unseen
from proxysieve.errors import ConfigError

LETTERS = st.characters(codec="utf-8", exclude_characters="\ufeff", exclude_categories=["Cc"])
TEXTS = st.text(LETTERS).map("a{}".format)
WAYS: dict[str, Callable[[str], bytes]] = {
    "utf-8": lambda text: text.encode(),
    "utf-8-mark": lambda text: text.encode("utf-8-sig"),
    "utf-16-le": lambda text: BOM_UTF16_LE + text.encode("utf-16-le"),
    "utf-16-be": lambda text: BOM_UTF16_BE + text.encode("utf-16-be"),
    "utf-32-le": lambda text: BOM_UTF32_LE + text.encode("utf-32-le"),
    "utf-32-be": lambda text: BOM_UTF32_BE + text.encode("utf-32-be"),
}


@settings(deadline=None)
@given(TEXTS, st.sampled_from(sorted(WAYS)), st.integers(0, 2))
def test_text_is_the_same_in_every_form_that_says_what_it_is(text: str, way: str, parts: int) -> None:
    """By its mark, and by that of gzip; several packed pieces in a row are one."""
    content = WAYS[way](text)
    if parts == 1:
        content = gzip.compress(content)
    elif parts:
        content = gzip.compress(content[:3]) + gzip.compress(content[3:]) + bytes(512)

    assert text_of(content) == text


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(zipped("urls.txt"), "a ZIP archive: unpack it", id="zip"),
        pytest.param(zipped("[Content_Types].xml", "xl/workbook.xml"), "an Excel file: save it as CSV", id="xlsx"),
        pytest.param(zipped("word/document.xml"), "a Word document", id="docx"),
        pytest.param(
            b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet",
            "a LibreOffice spreadsheet: save it as CSV",
            id="ods",
        ),
        pytest.param(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "an Office document", id="xls"),
        pytest.param(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF", id="pdf"),
        pytest.param(b"\x89PNG\r\n\x1a\n", "an image", id="png"),
        pytest.param(b"\xff\xd8\xff\xe0\x00\x10JFIF", "an image", id="jpeg"),
        pytest.param(b"SQLite format 3\x00", "an SQLite database: export", id="sqlite"),
        pytest.param(b"BZh91AY&SY", "packed by bzip2: unpack it", id="bzip2"),
        pytest.param(b"\x28\xb5\x2f\xfd\x04", "packed by zstd: unpack it", id="zstd"),
        pytest.param(gzip.compress(gzip.compress(b"a")), "packed by gzip twice: unpack it", id="gzip-twice"),
        pytest.param(gzip.compress(b"a" * 99)[:-9], "its compression breaks off", id="gzip-cut"),
        pytest.param(gzip.compress(b"a" * 99)[:8], "its compression breaks off", id="gzip-head"),
        pytest.param(gzip.compress(b"a" * 99)[:-8] + bytes(8), "its compression is damaged", id="gzip-sum"),
        pytest.param("http://a/\n".encode("utf-16-le"), "UTF-16 without a byte order mark", id="utf-16-unmarked"),
        pytest.param("http://a/\n".encode("utf-16-be"), "UTF-16 without a byte order mark", id="utf-16-be"),
        pytest.param(BOM_UTF16_LE + b"abc", "not UTF-16 text, though it begins as such", id="utf-16-odd"),
        pytest.param(b"\x7fELF\x02\x01\x01\x00\x00", "binary data and no text", id="program"),
        pytest.param(bytes(range(1, 32)) * 9, "binary data and no text", id="controls"),
        pytest.param(b"http://a/\xff", "not UTF-8 text: save it as UTF-8", id="latin-1"),
        pytest.param(
            gzip.compress(b"http://a/\n") + b"http://b/\n", "something that is not packed", id="gzip-and-text"
        ),
    ],
)
def test_what_is_no_text_is_named(content: bytes, says: str) -> None:
    """With what to do; nothing is guessed."""
    with pytest.raises(ConfigError) as caught:
        text_of(content)

    assert says in str(caught.value)


def test_xml_may_say_its_encoding() -> None:
    """It does so within itself."""
    content = '<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>'.encode("iso-8859-1")

    assert "é" in text_of(content)


def test_a_bomb_takes_no_more_memory_than_a_large_list() -> None:
    """What unpacks to a thousand times its size is none, and is given up at a limit."""
    bomb = gzip.compress(bytes(MOST_UNPACKED_BYTES + 1), compresslevel=1)
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError, match="it unpacks to more than 50 MB"):
            text_of(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 2.5 * MOST_UNPACKED_BYTES


def test_many_small_pieces_take_no_longer_than_one() -> None:
    """Of each piece what follows it would be copied, were they read as a whole."""
    piece = gzip.compress(b"a\n")

    assert text_of(piece * 20_000) == "a\n" * 20_000


PACKED = gzip.compress(b"http://a/\n" * 9)[:20]


@given(st.binary(max_size=400) | st.binary(max_size=200).map(PACKED.__add__))
def test_any_bytes_are_text_or_refused(content: bytes) -> None:
    """With nothing but a ConfigError."""
    with suppress(ConfigError):
        assert isinstance(text_of(content), str)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("<!DOCTYPE html>\n<p>", "an HTML page"),
        ("\n <HTML lang=en>", "an HTML page"),
        ("<!-- saved -->\n<html>", "an HTML page"),
        ('<?xml version="1.0"?>', "XML"),
        ("<!-- made by hand --><urlset>", "XML"),
        ("<!DOCTYPE urlset [", "XML"),
        ("<!DOCTYPE NETSCAPE-Bookmark-file-1>\n<META>", "an HTML page"),
        ('<a href="http://a/">', "an HTML page"),
        ("<br />\n<b>Warning</b>: in x.php", "an HTML page"),
        ("<urlset>", "XML"),
        ("<sm:urlset xmlns:sm='x'>", "XML"),
        ('[\n  "http://a/"]', "JSON"),
        ('{"urls": []}', "JSON"),
        ("[]", "JSON"),
        ("[2001:db8::1]:8080", ""),
        ("[ProxyList]", ""),
        ("[title](http://a/)", ""),
        ("{session}:pw@h:80", ""),
        ("<http://a/>", ""),
        ("http://a/", ""),
        ("", ""),
    ],
)
def test_what_else_a_text_may_be_is_known(text: str, kind: str) -> None:
    """By how it begins."""
    assert kind_of(text) == kind


@given(st.text(st.sampled_from("a\r\n\x0b\x0c\x1c\x85\u2028")))
def test_lines_are_counted_as_editors_count_them(text: str) -> None:
    """Python's own splitlines knows more ends of lines than they do."""
    assert lines_of(text) == [line.rstrip("\n") for line in io.StringIO(text, newline=None)]


@pytest.mark.parametrize(
    "letter", "\x00\t\n\x1b\x7f\x85\u00a0\u00ad\u034f\u200b\u200d\u200e\u202e\u2028\u2060\u2800\u3164\ufeff\ud800"
)
def test_letters_that_nobody_sees_are_found(letter: str) -> None:
    """Blanks of all kinds, controls, marks of direction, and half characters."""
    assert unseen(f"a{letter}b") == f"U+{ord(letter):04X}"


@pytest.mark.parametrize("text", ["", "a/b?c=d#e", "é", "食狮", "💩", "❤️"])
def test_all_others_are_let_through(text: str) -> None:
    """What is drawn is no trap."""
    assert unseen(text) == ""
