"""Taming: any page becomes one that is parsed in a bounded time, and keeps its elements."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser, LexborNode
from tests.core.verdicts import hostile

from proxysieve.judging.html_taming import (
    COUNTED_BYTES,
    DEEPEST,
    MOST_ATTRIBUTES,
    MOST_BYTES,
    MOST_FORMATS,
    MOST_TAGS,
    READ_BYTES,
    is_harmless,
    tame,
)


def parents(node: LexborNode) -> int:
    count = 0
    up = node.parent
    while up is not None:
        count, up = count + 1, up.parent
    return count


def elements(markup: bytes) -> Counter[tuple[str | None, str | None, str | None]]:
    """What a parser makes of *markup*: each element with its class and its parent."""
    nodes = LexborHTMLParser(markup).css("*")
    return Counter((one.tag, one.attributes.get("class"), one.parent.tag if one.parent else None) for one in nodes)


SHOP = """<!DOCTYPE html>
<html lang=en><head><meta charset=utf-8><title>A &lt;shop&gt; <b>x</b></title><link rel=icon href=/f.ico>
<style>p > a { color: red }</style><script>if (a < b && "</p>") document.write("<p class='no'>")</script></head>
<body class="a b" data-x='{"a": "<i>"}'><!-- <p class=no> -->
<nav><ul><li><a href=/a>One</a><li><a href=/b>Two</a></ul></nav>
<p>Unclosed <b>bold <i>both</i></b><p>Next one<div class=box title="a > b">In <span>a</span> box</div>
<table><tr><td>1<td>2<tr><td>3<p>para<td>4</table><table class=t><tbody><tr><th>h</th></tr></tbody></table>
<dl><dt>t<dd>d<dt>t2<dd>d2</dl><select><optgroup label=g><option>1<option selected>2</select>
<svg viewBox="0 0 1 1"><path d="M0 0"/><g><circle r=1 /></g><title>t</title></svg>
<form action=/s><input name=q><textarea name=t><p class=no></textarea><button>Go</button></form>
<iframe src=/x><p class=no></iframe><noscript><img src=/p.gif></noscript><h2>Wrong end</h3><article>after</article>
<em>a</em></p><a href="x"y>stray</a><img alt="it's" src=a.png/><br/><video controls></video></body></html>"""


def test_a_page_has_the_same_elements_before_and_after() -> None:
    """Also where ends are left out, tags stand in each other, and what looks like tags is none."""
    tamed = tame(SHOP.encode())

    assert elements(tamed.markup) == elements(SHOP.encode())
    assert not any(css_class == "no" for _, css_class, _ in elements(tamed.markup))
    assert tamed.is_whole


PARTS = st.sampled_from(
    [
        "<p>text", "<p>text</p>", "<div>", "</div>", "<ul><li>1<li>2</ul>", "<b>x</b>", "<a href=x>y</a>", "<br>",
        "<table><tr><td>1<td>2</table>", "<!-- <div> -->", "<script>'<div>'</script>", "<img src='a>b'>", "a < b",
        "<span class=c>", "</span>", "<h1>t</h1>", "<section>", "</section>", "<dl><dt>a<dd>b</dl>", "&lt;p&gt;",
    ]
)  # fmt: skip


@settings(deadline=None, max_examples=100)
@given(st.lists(PARTS, max_size=25).map("".join))
def test_usual_markup_has_the_same_elements_before_and_after(markup: str) -> None:
    """In any order, as far as a page of people goes: blocks may be left open, and inline elements not around them."""
    if re.search(r"<span[^>]*>(?:(?!</span>).)*<(?:p|div|ul|table|h1|section|dl)", markup):
        return

    assert elements(tame(markup.encode()).markup) == elements(markup.encode())


@settings(deadline=None, max_examples=80)
@given(st.lists(hostile.tags(), max_size=30).map("".join))
@example("<b id=1><div>" * 20 + "</b>" * 40)
@example("".join(f"<b id={number}>" for number in range(500)) + "<p>x" * 20)
@example('<a ="x b="y></a><div ="' * 10)
@example("<div><object></div>" * 20)
@example("<svg><p>" * 20 + "</p>" * 40)
@example('<div a="' + "<div>" * 20)
@example("<scriptx></script><div></script>" * 10)
@example("<table><tr><td><a><div>" * 10)
@example("<div>" * 10 + "</p>" * 10)
@example("<math><annotation-xml encoding=text/html><div>" * 10)
@example("<b/>" * 40 + "<svg>")
@example("<svg>" + "<input>" * 40)
def test_no_page_is_deep_or_grows_when_it_is_parsed(part: str) -> None:
    """What a parser takes time for: the depth at which it works, and what it opens anew."""
    tamed = tame(part.encode("utf-8", "surrogatepass") * 30)

    nodes = LexborHTMLParser(tamed.markup).css("*")
    # A table row or a cell may bring two with it that were not written.
    assert max(map(parents, nodes)) <= 3 * DEEPEST
    assert len(nodes) <= (1 + MOST_FORMATS) * (tamed.tag_count + 4)


@settings(deadline=None, max_examples=80)
@given(hostile.bodies())
@example(b"<!--" * 1_000)
@example(b"<!-" * 1_000)
@example(b"<a b='" * 1_000)
@example(b"<script>" * 1_000)
@example(b"<title></titl" * 1_000)
def test_whatever_is_tamed_is_tame(body: bytes) -> None:
    """It never raises, and what is tame stays as it is for whoever parses it."""
    tamed = tame(body)

    assert elements(tame(tamed.markup).markup).total() <= 2 * elements(tamed.markup).total()
    assert len(tamed.markup) <= 12 * len(body) + 100


def test_what_is_looked_at_has_limits() -> None:
    """In tags, in bytes, in attributes; scripts and comments count little."""
    many = tame(b"<p>" * (MOST_TAGS + 1_000))
    assert (many.tag_count, many.is_whole) == (MOST_TAGS, False)

    assert not tame(b"x" * (MOST_BYTES + 1)).is_whole
    assert tame(b"<script>" + b"x" * (MOST_BYTES + 1) + b"</script><h1>").is_whole
    assert tame(b"<!--" + b"x" * (MOST_BYTES + 1) + b"--><h1>").markup == b"<h1></h1>"
    assert not tame(b"<!--" + b"x" * READ_BYTES + b"--><h1>").is_whole

    tag = b"<p " + b" ".join(b"a%d" % number for number in range(1_000)) + b">"
    assert len(LexborHTMLParser(tame(tag).markup).css("p")[0].attributes) == MOST_ATTRIBUTES


@pytest.mark.parametrize(
    ("body", "harmless"),
    [
        pytest.param(SHOP.encode(), True, id="page"),
        pytest.param(b"<li><a href=/x>y</a>" * 100, True, id="list"),
        pytest.param(b"<b id=1><div>" * 200 + b"</b>" * 900, False, id="fonts around blocks"),
        pytest.param(b"<b>" * 300 + b"<p>x" * 900, False, id="fonts opened anew"),
        pytest.param(b"<div>" * 6_000, False, id="deep"),
        pytest.param(b"<p " + b"a " * 6_000, False, id="attributes"),
        pytest.param(b"x" * (COUNTED_BYTES + 1), False, id="large"),
    ],
)
def test_a_page_is_harmless_by_what_stands_in_it(body: bytes, *, harmless: bool) -> None:
    """However it is put together."""
    assert is_harmless(body) is harmless
