"""Pages that a browser saved in one file."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from tests.judging.saved.forms import CHALLENGE, GOOD, URL, mhtml, mime_part

from proxysieve import ConfigError
from proxysieve.judging.saved import Defaults, Saved, read_saved

FRAME = mime_part(CHALLENGE, "text/html", "https://ads.example/frame")
STYLE = mime_part(b"p { color: red }", "text/css", "https://shop.example/a.css")
ROOT = 'multipart/related; type="text/html"; boundary="----=_Part"'


def only(place: Path, content: bytes, known: Defaults | None = None) -> Saved:
    path = place / "page.mhtml"
    path.write_bytes(content)
    [one] = read_saved(str(path), known)
    return one


@pytest.mark.parametrize("coding", ["quoted-printable", "base64", "8bit", "binary", "QUOTED-PRINTABLE", "7bit", ""])
@pytest.mark.parametrize("ends", [b"\r\n", b"\n"], ids=["windows", "unix"])
def test_the_page_is_decoded(tmp_path: Path, coding: str, ends: bytes) -> None:
    """In whatever coding it stands there, with its address and its type."""
    page = "<p>請稍等 é</p>".encode() * 30
    kept = mhtml(page, coding.lower() or "8bit").replace(b"Content-Transfer-Encoding: 8bit\r\n", b"" if not coding else b"Content-Transfer-Encoding: 8bit\r\n")  # fmt: skip # noqa: E501

    one = only(tmp_path, kept.replace(b"\r\n", ends))

    assert one.exchange.body == page
    assert (one.exchange.url, one.exchange.status, one.is_whole, one.note) == (URL, 200, True, "")
    assert one.exchange.header("content-type") == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("content", "page"),
    [
        pytest.param(mhtml(GOOD, before=FRAME), GOOD, id="by-its-address"),
        pytest.param(mhtml(GOOD, before=STYLE, url="").replace(b"Snapshot-", b"X-"), GOOD, id="by-its-type"),
        pytest.param(
            mhtml(GOOD, before=FRAME, start='; start="<https://>"').replace(b"Snapshot-Content", b"X"),
            CHALLENGE,
            id="by-its-id",
        ),
        pytest.param(mhtml(GOOD, root='Multipart/Related; boundary="----=_Part"', before=STYLE), GOOD, id="by-html"),
        pytest.param(mhtml(GOOD, root='multipart/mixed;\n\tboundary="----=_Part"'), GOOD, id="folded"),
        pytest.param(b"\xef\xbb\xbf\r\n" + mhtml(GOOD), GOOD, id="marked"),
        pytest.param(
            mhtml(GOOD, root='multipart/related; boundary="outer"').replace(
                b"\r\n\r\n", b'\r\n\r\n--outer\r\nContent-Type: multipart/alternative; boundary="----=_Part"\r\n\r\n', 1
            ) + b"--outer--\r\n",
            GOOD,
            id="parts-in-parts",
        ),
        pytest.param(
            b"From: <Saved by Microsoft>\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\nPHA+eDwvcD4=\r\n",
            b"<p>x</p>",
            id="without-parts",
        ),
    ],
)  # fmt: skip
def test_the_page_is_told_from_its_frames(tmp_path: Path, content: bytes, page: bytes) -> None:
    """By its address, by what the file says that it starts with, by its type; and else it is the first."""
    assert only(tmp_path, content).exchange.body == page


def test_what_is_known_beside_it_is_taken(tmp_path: Path) -> None:
    """The file does not say with which status it came."""
    exchange = only(tmp_path, mhtml(GOOD), Defaults(status=403, headers=(("server", "x"),))).exchange

    assert (exchange.status, exchange.header("server")) == (403, "x")


@pytest.mark.parametrize("coding", ["quoted-printable", "base64", "8bit"])
def test_a_page_that_breaks_off_is_not_whole(tmp_path: Path, coding: str) -> None:
    """What is there of it is read; where nothing is, there is no body."""
    whole = mhtml(GOOD * 9, coding)
    body_at = whole.index(URL.encode(), 200)

    for size in range(body_at, len(whole) // 2, 7):
        one = only(tmp_path, whole[:size])
        assert not one.is_whole
        assert one.note
        assert (GOOD * 9).startswith((one.exchange.body or b"")[:-3])


@pytest.mark.parametrize(
    "content",
    [
        mhtml(GOOD).partition(b"------=_Part")[0],
        mhtml(GOOD, root="multipart/related"),
        mhtml(GOOD, root='multipart/related; boundary="other"'),
    ],
)
def test_a_file_without_its_page_is_refused(tmp_path: Path, content: bytes) -> None:
    """In one sentence."""
    with pytest.raises(ConfigError, match="MHTML file without a page"):
        only(tmp_path, content)


def test_what_stands_behind_a_damage_was_not_seen(tmp_path: Path) -> None:
    """One letter that says that base64 ends here hides the rest of the page."""
    page = b64encode(GOOD)
    head = b"MIME-Version: 1.0\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\n"

    one = only(tmp_path, head + page[:22] + b"==" + page[24:])

    assert GOOD.startswith(one.exchange.body or b"")
    assert not one.is_whole
    assert "damaged" in one.note


def test_an_empty_page_was_not_seen(tmp_path: Path) -> None:
    """No browser saves one."""
    one = only(tmp_path, mhtml(b"\n"))

    assert (one.exchange.body, one.is_whole) == (None, False)
    assert "empty" in one.note


def test_parts_without_end_cost_a_little(tmp_path: Path) -> None:
    """Each boundary is looked at once, however many there are, and however deep they are in each other."""
    many = mhtml(GOOD).replace(b"------=_Part\r\n", b"------=_Part\r\n" * 200_000, 1)
    deep = b"".join(
        b'MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="b%d"\r\n\r\n--b%d\r\n' % (number, number)
        for number in range(20_000)
    )

    assert only(tmp_path, many).exchange.body is not None
    with pytest.raises(ConfigError, match="without a page"):
        only(tmp_path, deep)
