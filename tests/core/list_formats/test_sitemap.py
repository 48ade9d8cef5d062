"""Sitemaps into the addresses that they name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxysieve.core.list_formats.sitemap import LONGEST_TEXT, MOST_LEVELS, read_sitemap
from proxysieve.errors import ConfigError

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
PLAIN = (
    f'{HEAD}<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
    "<url><loc>http://a.example/1?a=1&amp;b=2</loc></url>\n"
    "<url><loc>\n  http://a.example/2\n</loc><lastmod>2031-01-01</lastmod></url>\n"
    "</urlset>\n"
)


def pages(text: str) -> list[str]:
    return [url.strip() for _, url in read_sitemap(text).pages]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(PLAIN, id="plain"),
        pytest.param(PLAIN.replace("\n", ""), id="one-line"),
        pytest.param("\n\n" + PLAIN, id="blank-lines-before"),
        pytest.param(PLAIN.replace(' xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"', ""), id="no-namespace"),
        pytest.param(PLAIN.replace("<", "<s:").replace("<s:/", "</s:").replace("<s:?", "<?"), id="prefixed"),
        pytest.param(
            PLAIN.replace("http://a.example/1?a=1&amp;b=2", "<![CDATA[http://a.example/1?a=1&b=2]]>"), id="cdata"
        ),
        pytest.param(PLAIN.replace("a=1&amp;b", "a=1&#38;b"), id="number"),
        pytest.param(
            PLAIN.replace("</lastmod>", "</lastmod><image:image><image:loc>http://cdn/1.png</image:loc></image:image>"),
            id="images",
        ),
        pytest.param(
            PLAIN.replace("<url>", "<url><xhtml:link rel='alternate' href='http://a.example/de'/>"), id="languages"
        ),
        pytest.param(
            "<rss version='2.0'><channel><link>http://a.example/</link>"
            "<item><link>http://a.example/1?a=1&amp;b=2</link></item><item><link>http://a.example/2</link></item>"
            "</channel></rss>",
            id="rss",
        ),
        pytest.param(
            "<feed xmlns='http://www.w3.org/2005/Atom'><link href='http://a.example/'/>"
            "<entry><link href='http://a.example/1?a=1&amp;b=2'/><link rel='edit' href='http://a.example/e'/></entry>"
            "<entry><link rel='alternate' href='http://a.example/2'/></entry></feed>",
            id="atom",
        ),
    ],
)
def test_all_forms_name_the_same_pages(text: str) -> None:
    """Whatever namespace, entities and other elements stand around them."""
    assert pages(text) == ["http://a.example/1?a=1&b=2", "http://a.example/2"]


def test_pages_have_their_lines() -> None:
    """Those at which they end."""
    assert [line for line, _ in read_sitemap(PLAIN).pages] == [3, 6]


def test_an_index_names_sitemaps_and_no_pages() -> None:
    """They are to be downloaded first."""
    text = "<sitemapindex><sitemap><loc>http://a.example/1.xml</loc></sitemap></sitemapindex>"

    assert read_sitemap(text) == ([], ["http://a.example/1.xml"], "")


@settings(deadline=None)
@given(st.integers(len(HEAD) + 70, len(PLAIN) - 12))
def test_a_cut_sitemap_has_its_whole_pages_and_says_where_it_ends(at: int) -> None:
    """An address that is cut itself is none of them."""
    found = read_sitemap(PLAIN[:at])

    assert [url.strip() for _, url in found.pages] == pages(PLAIN)[: PLAIN[:at].count("</loc>")]
    assert found.fault.startswith(f"line {PLAIN[:at].count(chr(10)) + 1}: the XML breaks off")


BOMB = "<!DOCTYPE a [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]><urlset><url><loc>&b;</loc></url></urlset>"
OUTSIDE = "<!DOCTYPE a [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><urlset><url><loc>&a;</loc></url></urlset>"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(BOMB, "with a document type", id="bomb"),
        pytest.param(OUTSIDE, "with a document type", id="outside"),
        pytest.param("<a>" * (MOST_LEVELS + 1), "nested deeper", id="deep"),
        pytest.param("<config/>", "is XML but no sitemap: expected <urlset>", id="other"),
        pytest.param("<urls", "is XML but no sitemap", id="cut-at-once"),
    ],
)
def test_other_xml_is_refused(text: str, says: str) -> None:
    """No entity is replaced, and no file is opened."""
    with pytest.raises(ConfigError, match=says):
        read_sitemap(text)


@pytest.mark.parametrize(
    "inside",
    [
        "http://a.example/<b/>1",
        "<b>http://a.example/1</b>",
        "http://a.example/<!-- -->1<b/>",
        "x" * LONGEST_TEXT + "yz",
    ],
    ids=["within", "around", "behind", "long"],
)
def test_no_address_is_made_of_pieces(inside: str) -> None:
    """What stands around another element is not joined, and what is endless not kept."""
    found = pages(f"<urlset><url><loc>{inside}</loc></url><url><loc>http://a.example/2</loc></url></urlset>")

    assert found[-1] == "http://a.example/2"
    assert len(found[0]) <= LONGEST_TEXT
    assert "example" not in found[0]


PIECES = st.sampled_from(
    ["<urlset>", "</urlset>", "<url>", "</url>", "<loc>", "</loc>", "<feed>", "<entry>", "<link href='x'/>", "<!--",
     "-->", "<![CDATA[", "]]>", "&amp;", "&x;", "<?x?>", "a", "\ud800", "\x01", "<", ">"]
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(PIECES).map("".join))
def test_any_text_is_a_sitemap_or_refused(text: str) -> None:
    """With nothing but a ConfigError; an address is a piece of what stands there."""
    try:
        found = read_sitemap(f"<urlset>{text}")
    except ConfigError:
        return

    assert all(url.replace("&", "&amp;") in text for _, url in found.pages)
