"""The texts of the site."""

from __future__ import annotations

import re

from proxysieve.testbed import World
from proxysieve.testbed.pages import Pages, block_page, sorry_page

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


def test_the_sorry_page_escapes_where_it_continues() -> None:
    """What a visitor sends does not become markup."""
    page = sorry_page('/page/7"><script>')

    assert b'id="captcha-form"' in page
    assert b"<script>" not in page
