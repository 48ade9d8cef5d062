"""What holds of every verdict, whatever a site sends: pages of block pages' own marks, spoilt in many ways."""

from __future__ import annotations

import html
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxysieve.core.model import OK, Exchange, Outcome, content
from proxysieve.core.model.content import (
    ENTITY_LENGTH,
    SEARCHED_BYTES,
    SEEN_LENGTH,
    TAGS_SEEN,
    Content,
    visible_text,
)
from proxysieve.judging.sign_tables import IS_FAST, PIECE_BYTES, make_judge, scan_at_once, scan_one_by_one

JUDGE = make_judge()
TABLE = JUDGE._table
# There is no wheel of hyperscan for every machine; what there is must find what a plain search finds.
SCANS = [scan_one_by_one(TABLE), *([scan_at_once(TABLE)] if IS_FAST else [])]
TEXTS = sorted(text.text for text in TABLE.texts)
TITLES = sorted({title.rstrip("*") for sign in TABLE.signs for title in sign.title})
ADDRESSES = sorted({url.replace("*", "a.example") for sign in TABLE.signs for url in sign.url})
HEADERS = sorted(
    (name, value.replace("*", "x"))
    for sign in TABLE.signs
    for name, values in sign.header.items()
    for value in values or ("",)
)
PROSE = "What the vendors of bot protection do, and how they are compared. "

Change = Callable[[bytes, int], bytes]


def insert(scrap: bytes) -> Change:
    """Put *scrap* somewhere, also in the middle of a character."""

    def change(body: bytes, number: int) -> bytes:
        at = number % (len(body) + 1)
        return body[:at] + scrap + body[at:]

    return change


def encode(encoding: str) -> Change:
    """Write the page in another encoding, of which it says nothing."""
    return lambda body, _: body.decode("utf-8", "replace").encode(encoding, "replace")


CHANGES: dict[str, Change] = {
    "cut the end": lambda body, number: body[: number % (len(body) + 1)],
    "cut the start": lambda body, number: body[number % (len(body) + 1) :],
    "capitals": lambda body, _: body.upper(),
    "small letters": lambda body, _: body.lower(),
    "twice": lambda body, _: body + body,
    "backwards": lambda body, _: body[::-1],
    "turned round": lambda body, number: body[number % (len(body) + 1) :] + body[: number % (len(body) + 1)],
    "entities": lambda body, _: "".join(f"&#{ord(one)};" for one in body.decode("utf-8", "replace")[:600]).encode(),
    "escaped": lambda body, _: html.escape(body.decode("utf-8", "replace")).encode(),
    "long": lambda body, _: body + b" x" * 2_000,
    "padded": lambda body, _: b"<!--" + b" " * PIECE_BYTES + b"-->" + body,
    **{f"with {scrap!r}": insert(scrap) for scrap in (b"<", b">", b"<!--", b"&#", b"&#x110000;", b"\0", b"\xff\xfe")},
    **{
        f"with {scrap!r}": insert(scrap)
        for scrap in (b"<title>", b"</title", b"<script>", b"<meta charset=gbk>", b"\xc3")
    },
    **{f"in {name}": encode(name) for name in ("utf-16", "utf-16-be", "utf-32", "latin-1", "gbk", "shift_jis")},
}


def spoil(body: bytes, changes: list[tuple[str, int]]) -> bytes:
    """*body* after one change after the other."""
    for name, number in changes:
        body = CHANGES[name](body, number)
    return body


PAGES = st.builds(
    lambda start, title, texts: start + b"<title>" + title.encode() + b"</title>" + b" ".join(texts),
    st.sampled_from([b"", b"<html>", b"<!doctype html><html><body>", b"{", b"\xef\xbb\xbf"]),
    st.one_of(st.sampled_from(TITLES), st.text(max_size=30)),
    st.lists(st.one_of(st.sampled_from(TEXTS), st.binary(max_size=20)), max_size=6),
)
SPOILT = st.builds(
    spoil,
    PAGES,
    st.lists(st.tuples(st.sampled_from(sorted(CHANGES)), st.integers(0, 1 << 20)), max_size=4),
)
STRANGE = st.text(max_size=30)
NAMED = st.one_of(
    st.sampled_from(HEADERS),
    st.tuples(st.sampled_from([name for name, _ in HEADERS]), STRANGE),
    st.tuples(st.sampled_from(["retry-after", "www-authenticate", "proxy-authenticate", "server", ""]), STRANGE),
    st.tuples(st.just("content-type"), st.sampled_from(["image/png", "text/html; charset=gbk", "a/b;charset=utf-16"])),
    st.tuples(st.just("content-type"), STRANGE.map("text/html; charset=".__add__)),
    st.tuples(STRANGE, STRANGE),
)
URLS = st.one_of(
    st.sampled_from(ADDRESSES).map("https://".__add__),
    STRANGE,
    st.text(alphabet="htps:/[]%@?#.0", max_size=20).map("http://".__add__),
)
EXCHANGES = st.builds(
    Exchange,
    url=URLS,
    final_url=st.one_of(st.just(""), URLS),
    status=st.one_of(st.sampled_from([200, 202, 403, 429, 503]), st.integers(-1, 1_000)),
    headers=st.lists(NAMED, max_size=5).map(tuple),
    body=st.one_of(st.none(), SPOILT),
    at=st.floats(0, 1e10),
)


@settings(deadline=None, max_examples=300)
@given(EXCHANGES)
def test_a_verdict_is_whole(exchange: Exchange) -> None:
    """Whatever comes gets one; it names the sign that decided, and how sure it is."""
    verdict = JUDGE.judge(exchange)

    assert 0 <= verdict.confidence <= 1
    assert verdict.sign or verdict.outcome is Outcome.OK
    assert bool(verdict.sign) == bool(verdict.why)
    assert verdict.until == verdict.until < float("inf")


@settings(deadline=None, max_examples=300)
@given(EXCHANGES)
def test_who_sees_all_opinions_sees_first_the_one_that_decides(exchange: Exchange) -> None:
    """``see`` and ``judge`` are one."""
    opinions = JUDGE.see(exchange)

    assert (opinions or [OK])[0] == JUDGE.judge(exchange)


@settings(deadline=None, max_examples=300)
@given(SPOILT, st.integers(0, 8))
@example(b"x" * (PIECE_BYTES - 5) + b"_cf_chl_opt", 0)
@example(b"x" * (PIECE_BYTES * 2 - 1) + b"window.KPSDK={}", 3)
@example(b"", 0)
@example(b"abc", 1)
def test_every_search_finds_what_is_there(body: bytes, shift: int) -> None:
    """At whatever place, in whatever case, and across the pieces that one of them looks at."""
    shifted = b" " * shift + body
    lowered = shifted.lower()

    there = {number for number, text in enumerate(TABLE.texts) if text.text in (shifted if text.is_exact else lowered)}

    assert [set(scan(shifted)) for scan in SCANS] == [there] * len(SCANS)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(TEXTS), max_size=20), st.sampled_from(["", *TITLES]))
def test_who_writes_about_vendors_is_no_block_page(texts: list[bytes], title: str) -> None:
    """A good answer with 4,000 characters to be read, whatever stands among them and in its title."""
    prose = (PROSE * 100)[:SEEN_LENGTH].encode()
    body = f"<html><title>{title}</title><body><p>".encode() + prose + b"</p>" + b" ".join(texts)

    assert JUDGE.judge(Exchange(url="https://site.example/", status=200, body=body, at=1e9)) == OK


@settings(deadline=None, max_examples=30)
@given(SPOILT)
def test_what_is_searched_of_a_body_is_bounded(body: bytes) -> None:
    """However large it is, and whatever it is decoded from."""
    large = Content(body + b"\xb0\xa1" * SEARCHED_BYTES, "text/html; charset=gbk")

    assert len(large.searched) <= SEARCHED_BYTES
    assert len(large.title) < 1_000
    assert len(large.visible) <= 3 * SEEN_LENGTH


@pytest.mark.parametrize("tag", ["<>", "<b>", "<!---->", "<script></script>", "<svg/>"])
def test_no_more_than_so_many_tags_are_looked_at(tag: str) -> None:
    """What comes after them is not read, and they are not taken for a small page."""
    few, many = visible_text(tag * (TAGS_SEEN - 1) + "the end"), visible_text(tag * (TAGS_SEEN + 1) + "the end")

    assert few == "the end"
    assert "the end" not in many
    assert len(many) >= SEEN_LENGTH


@pytest.mark.parametrize("entity", ["&#60;", "&#1;", "&#", "&", "&lt;", "&#x1F600;"])
@pytest.mark.parametrize("between", ["", "<b>"])
def test_no_more_is_unescaped_than_is_looked_at(entity: str, between: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body of entities costs no more than one of letters, also where they stand for nothing."""
    sizes: list[int] = []

    def unescape(text: str) -> str:
        sizes.append(len(text))
        return html.unescape(text)

    monkeypatch.setattr(content, "unescape", unescape)

    visible_text((entity + between) * 100_000)

    assert sum(sizes) <= 2 * SEEN_LENGTH * ENTITY_LENGTH
