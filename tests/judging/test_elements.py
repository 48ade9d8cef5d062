"""Selectors: they find what CSS says, and take a bounded time for it."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser, LexborNode

from proxysieve.errors import ConfigError
from proxysieve.judging import elements
from proxysieve.judging.elements import Selector
from proxysieve.judging.html_taming import MOST_TAGS, is_harmless

PAGE = (
    b"<html><body><main id=m><h1 class='title big'>T</h1>"
    b"text<p>1</p>text<p class=x>2</p><div><ul><li>a<li class=y>b</ul></div>"
    b"<p data-a='a > b, c'>3</p></main><footer><a href=/z>z</a></footer></body></html>"
)
FILLER = b"<script>" + b"x" * 100_000 + b"</script>"


def selectors() -> st.SearchStrategy[str]:
    """What is written in style sheets."""
    simple = st.sampled_from(
        [
            *("p", "h1", "li", "a", "*", "body", "main", "ul", ".x", ".y", ".none", "#m", "p.x", "h1.title", "section"),
            *("[href]", "[data-a='a > b, c']", "li:first-child", "p:nth-child(2n + 1)", "p:nth-of-type(2)", ":not(p)"),
            *("main:has(> h1)", ":is(ul, ol)", "p:not(.x, .y)", "div:has(li ~ .y)", "li:last-child", "p:only-child"),
        ]
    )
    combinators = st.sampled_from([" ", " > ", ">", " + ", "+", " ~ ", "~", "  "])
    steps = st.lists(st.tuples(combinators, simple), max_size=3)
    chain = st.builds(lambda first, rest: first + "".join(a + b for a, b in rest), simple, steps)
    return st.lists(chain, min_size=1, max_size=2).map(", ".join)


@settings(deadline=None, max_examples=150)
@given(selectors())
def test_a_selector_finds_what_the_parser_finds(selector: str) -> None:
    """On a page that is parsed as it is, and on one that is tamed."""
    # The parser looks at the nearest sibling alone where that is asked for what it is not.
    assume(not re.search(r"\)[^,]*~", selector))
    assert is_harmless(PAGE)
    assert not is_harmless(PAGE + FILLER)
    for page in (PAGE, PAGE + FILLER):
        is_there = LexborHTMLParser(page).css_first(selector) is not None
        assert (Selector(selector).problem(page) == "") is is_there


@pytest.mark.parametrize("selector", ["", "p >", "> p", "p,", "p::before", "a||b", ":unknown", "[", "\ud800", "p:has("])
def test_what_is_no_selector_is_refused(selector: str) -> None:
    """When it is given, not when the first page comes."""
    with pytest.raises(ConfigError, match="is no CSS selector"):
        Selector(selector)


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The selectors that the parser itself is asked for."""
    asked: list[str] = []

    class Parser(LexborHTMLParser):
        def css(self, query: str) -> list[LexborNode]:
            asked.append(query)
            return super().css(query)

        def css_first(self, query: str) -> LexborNode | None:  # type: ignore[override] # nothing else is asked
            asked.append(query)
            return super().css_first(query)

    monkeypatch.setattr(elements, "LexborHTMLParser", Parser)
    return asked


def test_the_parser_is_asked_for_one_part_at_a_time(searched: list[str]) -> None:
    """It would try all ways to put five divs into each other, which are more than anybody can count."""
    selector = Selector("section div div div div div, div ~ p ~ p ~ p > b + .x")
    searched.clear()

    assert selector.problem(b"<div>" * 120 + b"<p class=x></p>" * 300)
    assert set(searched) <= {"section", "div", "p", "b", ".x"}


@pytest.mark.parametrize(
    "selector",
    [
        "p:has(~ .x)",
        "p:nth-last-child(2)",
        "p:not(div ~ p)",
        "div:has(p:has(.x))",
        "p:last-of-type",
        "p:nth-child(2 of .x)",
    ],
)
def test_what_the_parser_would_search_for_too_long_is_not_looked_for(selector: str, searched: list[str]) -> None:
    """On a page of thousands of siblings; on a usual one it is."""
    wanted = Selector(selector)
    searched.clear()

    assert "too large to look for" in wanted.problem(b"<p></p>" * 9_000)
    assert searched == []
    wanted.problem(PAGE)
    assert searched == [selector]


def test_an_element_may_stand_as_far_down_as_tags_are_looked_at() -> None:
    """What is said names the limit, so that it is known why."""
    title = Selector("h1.title")

    assert title.problem(b"<p>" * (MOST_TAGS - 1) + b"<h1 class=title>") == ""
    assert f"missing in the first {MOST_TAGS:,} tags" in title.problem(b"<p>" * MOST_TAGS + b"<h1 class=title>")
    assert f"missing in the first {MOST_TAGS:,} tags" in title.problem(b"<div>" * 50_000)


def test_an_element_is_found_however_deep_it_stands() -> None:
    """Deeper ones are flattened, as in browsers, and not lost."""
    assert Selector("div span.price").problem(b"<div>" * 5_000 + b"<span class=price>1</span>") == ""
