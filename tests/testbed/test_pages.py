"""The texts of the site."""

from __future__ import annotations

import json
import re

import pytest

from proxysieve.core.model import Exchange, Outcome, Scope
from proxysieve.judging.sign_tables import make_judge
from proxysieve.testbed import BlockStyle, World
from proxysieve.testbed.pages import Pages, block_page, maintenance_page, sorry_page

MARKS = ["captcha", "_cf_chl", "just a moment", "denied", "blocked", "forbidden", "sorry", "robot"]


def test_pages_follow_from_world_and_id() -> None:
    """Equal worlds have equal pages, and each id has a page of its own."""
    pages = Pages(World())

    assert pages.body(7) == Pages(World()).body(7)
    assert len({pages.body(page_id) for page_id in range(300)}) == 300
    assert pages.body(7) != Pages(World(seed=1)).body(7)


def test_pages_are_about_as_large_as_said() -> None:
    """Their mean is close, and none is far off."""
    pages = Pages(World(page_bytes=15_000))

    sizes = [len(pages.body(page_id)) for page_id in range(300)]

    assert abs(sum(sizes) / 300 - 15_000) < 500
    assert 13_000 < min(sizes) < max(sizes) < 17_000


def test_a_page_is_a_page() -> None:
    """It has a title with its id, links and paragraphs, and nothing that marks a block."""
    text = Pages(World()).body(7).decode()

    assert re.search(r"<title>.+ - item 7</title>", text)
    assert text.count('<a href="/page/') == 8
    assert text.count("<p>") > 10
    assert not [mark for mark in MARKS if mark in text.lower()]


def test_blocks_carry_the_marks_of_their_style() -> None:
    """Detectors know the challenge and the captcha by these."""
    assert b"<title>Just a moment...</title>" in block_page("challenge")
    assert b"_cf_chl_opt" in block_page("challenge")
    assert b'id="px-captcha"' in block_page("captcha")
    assert b"<title>Access to this page has been denied</title>" in block_page("captcha")
    assert block_page("empty") == b""


@pytest.mark.parametrize(
    ("style", "status", "sign", "scope"),
    [
        ("challenge", 503, "cloudflare-challenge", Scope.SESSION),
        ("captcha", 200, "human-captcha", Scope.SESSION),
        ("json", 403, "datadome-banned", Scope.EXIT),
        ("country", 403, "cloudfront-country", Scope.COUNTRY),
        ("network", 403, "cloudflare-asn", Scope.NETWORK),
    ],
)
def test_the_judge_knows_whose_block_it_is(style: BlockStyle, status: int, sign: str, scope: Scope) -> None:
    """By the marks that it bears, and not by its status alone."""
    verdict = make_judge().judge(Exchange(url="https://shop.example/page/1", status=status, body=block_page(style)))

    assert (verdict.outcome, verdict.sign, verdict.scope) == (Outcome.BLOCKED, sign, scope)


def test_no_sign_knows_the_unknown_block() -> None:
    """It is served as a page, and only its looks tell that it is none of the site's: it is small, and has a form."""
    body = block_page("unknown")

    opinions = make_judge().see(Exchange(url="https://shop.example/page/1", status=200, body=body))

    assert opinions == []
    assert len(body) < 500
    assert b"<form" in body
    assert b"<form" not in Pages(World()).body(7)


def test_an_outage_is_the_fault_of_the_site() -> None:
    """It says that it is under maintenance, and not how long."""
    verdict = make_judge().judge(Exchange(url="https://shop.example/page/1", status=503, body=maintenance_page()))

    assert (verdict.outcome, verdict.sign) == (Outcome.SITE_ERROR, "maintenance")


@pytest.mark.parametrize("page_bytes", [0, 500, 15_000])
def test_a_marked_page_is_a_false_alarm_of_the_judge(page_bytes: int) -> None:
    """It is the page with its name and links, however large pages are otherwise, and passes for a challenge."""
    pages = Pages(World(page_bytes=page_bytes))
    judge = make_judge()

    plain, marked = pages.body(7), pages.body(7, is_marked=True)

    assert marked.partition(b"</ul>")[0] == plain.partition(b"</ul>")[0]
    for body, sign in ((plain, ""), (marked, "cloudflare-challenge")):
        assert judge.judge(Exchange(url="https://shop.example/page/7", status=200, body=body)).sign == sign


def test_an_empty_page_is_empty_with_and_without_the_mark() -> None:
    """As everybody gets it."""
    pages = Pages(World(empty_share=1.0))

    assert pages.body(7) == pages.body(7, is_marked=True) == b""


def test_the_sorry_page_escapes_where_it_continues() -> None:
    """What a visitor sends does not become markup."""
    page = sorry_page('/page/7"><script>')

    assert b'id="captcha-form"' in page
    assert b"<script>" not in page


def rendered(page: bytes) -> bytes:
    """What the script of a hidden captcha leaves of *page* in a browser."""
    pieces = re.search(rb"innerHTML = (\[.+\])\.join", page)
    assert pieces
    return "".join(json.loads(pieces[1])).encode()


@pytest.mark.parametrize("page_bytes", [0, 15_000])
def test_a_hidden_captcha_is_a_page_until_its_script_has_run(page_bytes: int) -> None:
    """Nothing in its bytes is known to the judge, who knows what a browser makes of it."""
    pages = Pages(World(page_bytes=page_bytes))

    raw = pages.block("hidden_captcha", 7)

    assert raw.startswith(pages.body(7).removesuffix(b"</body>\n</html>\n"))
    assert make_judge().see(Exchange(url="https://shop.example/page/7", status=200, body=raw)) == []
    verdict = make_judge().judge(Exchange(url="https://shop.example/page/7", status=200, body=rendered(raw)))
    assert (verdict.outcome, verdict.sign) == (Outcome.BLOCKED, "human-captcha")


def test_a_hidden_captcha_shows_the_captcha() -> None:
    """The same as the style that does not hide it, and another page for each id before."""
    pages = Pages(World())

    assert rendered(pages.block("hidden_captcha", 7)) == block_page("captcha")
    assert pages.block("hidden_captcha", 7) != pages.block("hidden_captcha", 8)
