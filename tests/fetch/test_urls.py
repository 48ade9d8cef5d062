"""Lists into the URLs of a job."""

import gzip
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.damage import damaged

from proxysieve.core.list_formats.text import unseen
from proxysieve.core.robots.rules import path_of
from proxysieve.core.urls.parsing import as_sent
from proxysieve.errors import ConfigError
from proxysieve.fetch.file_names import file_name
from proxysieve.fetch.urls import USUAL, Reader, UrlList, check_url, read_url_files, read_urls
from proxysieve.site_of import site_of

SECRET = "topsecret"


def test_blank_lines_and_comments_are_skipped() -> None:
    """What remains is one URL a line, without the space around it."""
    lines = ["# pages", "", "  https://shop.example/1 ", "\n", "https://shop.example/2\n"]

    found = read_urls(lines, "urls.txt")

    assert found.urls == ["https://shop.example/1", "https://shop.example/2"]


def test_a_url_that_stands_twice_is_fetched_once_and_counted() -> None:
    """Duplicates keep the place of the first."""
    lines = ["https://a.example/", "https://b.example/", "https://a.example/", "https://a.example/"]

    found = read_urls(lines, "urls.txt")

    assert found.urls == ["https://a.example/", "https://b.example/"]
    assert found.duplicate_count == 2


def test_a_line_that_is_no_url_is_named_and_the_others_go_on() -> None:
    """The problem says file, line and what was expected."""
    lines = ["https://a.example/", "shop.example/1", "ftp://b.example/"]

    found = read_urls(lines, "urls.txt")

    assert found.urls == ["https://a.example/"]
    assert [problem.partition(":")[0] for problem in found.problems] == ["urls.txt, line 2", "urls.txt, line 3"]
    assert all("expected http" in problem for problem in found.problems)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        pytest.param([], "urls.txt has no URLs", id="nothing"),
        pytest.param(["# only", "", "# comments"], "urls.txt has no URLs", id="comments"),
        pytest.param(["not a url"], "urls.txt, line 1: not a URL", id="garbage"),
        pytest.param(["http://[::1"], "urls.txt, line 1: not a URL", id="half an address"),
    ],
)
def test_a_list_without_a_url_is_refused(lines: list[str], says: str) -> None:
    """There is nothing to do, and the message says why."""
    with pytest.raises(ConfigError, match=says):
        read_urls(lines, "urls.txt")


def test_several_files_make_one_list(tmp_path: Path) -> None:
    """What stands in two of them is fetched once, problems name their file, and an empty file is none."""
    names = [str(tmp_path / name) for name in ("a.txt", "b.txt", "c.txt")]
    for name, text in zip(names, ("https://a.example/1\r\nnonsense\n", "", "\ufeffhttps://a.example/1"), strict=True):
        Path(name).write_text(text, encoding="utf-8", newline="")

    found = read_url_files(names)

    assert found.urls == ["https://a.example/1"]
    assert found.duplicate_count == 1
    assert [problem.partition(":")[0] for problem in found.problems] == [f"{names[0]}, line 2"]


def test_files_without_a_single_url_are_an_error(tmp_path: Path) -> None:
    """It names all of them."""
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("# none\n")

    with pytest.raises(ConfigError, match=r"a.txt and .*b.txt has no URLs"):
        read_url_files([str(tmp_path / "a.txt"), str(tmp_path / "b.txt")])


def test_a_list_of_proxies_is_no_list_of_urls() -> None:
    """Whoever exchanged the two files is told so, and not that all pages failed."""
    with pytest.raises(ConfigError, match=r"are the two lists swapped\?") as caught:
        read_urls(["http://anna:topsecret@203.0.113.7:8000", "http://anna:topsecret@203.0.113.8:8000/"], "proxies.txt")

    assert "topsecret" not in str(caught.value)


GOOD = "https://shop.example/item/1"


@pytest.mark.parametrize(
    ("line", "url"),
    [
        (f"{GOOD} # important", GOOD),
        (f"{GOOD}\t# important", GOOD),
        (f"\t {GOOD}  #", GOOD),
        (f"{GOOD} #/a", GOOD),
        (f"{GOOD}#/a", f"{GOOD}#/a"),
        (f"{GOOD}?a=1#b # c", f"{GOOD}?a=1#b"),
        (f"{GOOD},", f"{GOOD},"),
        (f"{GOOD};v=1,2", f"{GOOD};v=1,2"),
        (f"{GOOD}?u=http://a.example/,https://b.example/", f"{GOOD}?u=http://a.example/,https://b.example/"),
        ("https://web.example/2031/https://a.example/", "https://web.example/2031/https://a.example/"),
        ("https://wiki.example/Title_(film)", "https://wiki.example/Title_(film)"),
        ("https://shop.example/a|b{c}^d`e'f\\g", "https://shop.example/a|b{c}^d`e'f\\g"),
        ("https://shop.example/é/食/❤️", "https://shop.example/é/食/❤️"),
        ("HTTPS://SHOP.example:8443/A", "HTTPS://SHOP.example:8443/A"),
        ("http://ann:p%40w@shop.example/", "http://ann:p%40w@shop.example/"),
        ("http://[2001:db8::1]:8080/", "http://[2001:db8::1]:8080/"),
        ("https://bücher.example/", "https://bücher.example/"),
        ("http://my_shop.example./", "http://my_shop.example./"),
        ("http://a[nn:p]w@shop.example/", "http://a[nn:p]w@shop.example/"),
        ("http://127.1/%C3%A4", "http://127.1/%C3%A4"),
        ("http://%C3%A4.example/", "http://%C3%A4.example/"),
    ],
)
def test_what_a_url_may_have_stays_its_own(line: str, url: str) -> None:
    """A fragment stands without a blank before it, a comment behind one."""
    assert read_urls([line], "urls.txt") == UrlList(urls=[url], duplicate_count=0, problems=[])


@settings(deadline=None)
@given(st.from_regex(USUAL, fullmatch=True))
def test_what_is_read_at_once_is_read_alike_piece_by_piece(url: str) -> None:
    """The usual form is a short cut: a comma, which leads past it, is as good a part of a path."""
    check_url(f"{url}/," if url.count("/") == len("//") else f"{url},")


LETTERS = st.text("ab1.-_%@:[]/?#é食ß\N{ACCOUNT OF}\u0301;=&'|{", max_size=20)


@settings(deadline=None, max_examples=500)
@given(st.one_of(LETTERS, st.text()).map("http://".__add__), st.sampled_from(["", "/", ".example/a?b", "@h/", ":80"]))
def test_what_is_taken_is_read_by_all_who_have_to_do_with_it(start: str, rest: str) -> None:
    """Its site, its file and its rules in robots.txt."""
    url = f"{start}{rest}"
    try:
        check_url(url)
    except ConfigError:
        return

    assert all((as_sent(url), site_of(url), file_name(url, ""), path_of(url)))


UNSEEN = {
    f"U+{ord(letter):04X}": letter
    for letter in "\x00\x0b\x1b\x7f\x85\u00a0\u00ad\u200b\u200e\u202e\u2028\u2066\ufeff\u3164"
}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        pytest.param(f"{GOOD} {GOOD}2", "something follows it after a blank", id="second-url"),
        pytest.param(f"{GOOD}\tSome title", "something follows it after a blank", id="tab"),
        pytest.param(f"{GOOD} 200", "something follows it after a blank", id="column"),
        pytest.param(f"{GOOD} title # comment", "something follows it after a blank", id="title-and-comment"),
        pytest.param(f"{GOOD},https://shop.example/2", "another URL follows it", id="comma"),
        pytest.param(f"{GOOD};HTTPS://shop.example/2", "another URL follows it", id="semicolon"),
        pytest.param(f'{GOOD},"Some"', "it has a quotation mark", id="quoted-column"),
        pytest.param(f'"{GOOD}"', "expected http", id="quoted"),
        pytest.param(f"'{GOOD}',", "expected http", id="list-of-python"),
        pytest.param(f"<{GOOD}>", "expected http", id="angle-brackets"),
        pytest.param(f"{GOOD}>", "it has a >", id="half-a-bracket"),
        pytest.param(f"[title]({GOOD})", "expected http", id="markdown"),
        pytest.param(f"- {GOOD}", "expected http", id="bullet"),
        pytest.param(f"1. {GOOD}", "expected http", id="numbered"),
        pytest.param(f"http:\t//shop.example/{SECRET}", "expected http", id="blank-in-the-scheme"),
        pytest.param("https://shop.example/" + "a" * 70_000, "longer than 65,536", id="endless"),
        pytest.param("http://a'b.example/", "its host is neither", id="host"),
        pytest.param("http://[1]/", "its host", id="ipv6"),
        pytest.param(f"http://ann%0a:{SECRET}@shop.example/", "its user or password cannot be sent", id="login"),
        *(
            pytest.param(line.format(letter), f"invisible letter ({name})", id=f"{name}-{place}")
            for name, letter in UNSEEN.items()
            for place, line in enumerate((f"{GOOD}{{}}2", f"{GOOD}{{}}", "https://shop{}.example/"))
        ),
    ],
)  # fmt: skip
def test_what_is_no_url_beyond_doubt_is_told_with_its_line(line: str, why: str) -> None:
    """And not asked for as another page."""
    found = read_urls([f"{GOOD}/first", line], "urls.txt")

    assert found.urls == [f"{GOOD}/first"]
    assert [problem.partition(": ")[0].partition(",")[0] for problem in found.problems] == ["urls.txt"]
    assert found.problems[0].startswith("urls.txt, line 2: not a URL")
    assert why in found.problems[0]
    assert found.problems[0].isprintable()
    assert len(found.problems[0]) < 300
    assert SECRET not in found.problems[0]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["url,title", f"{GOOD},Some"], "this is a table"),
        (["Top pages,Clicks,Impressions", f"{GOOD},3,4"], "this is a table"),
        (["# list", "Seite\tKlicks", f"{GOOD}\t3"], "this is a table"),
        (["# list", '"id";"URL"', f'1;"{GOOD}"'], "this is a table"),
        ([f"{GOOD},", f"{GOOD}2,"], "every line ends with a comma"),
        ([f"{GOOD},", f"{GOOD}2,", f"{GOOD}3"], "every line ends with a comma"),
    ],
)
def test_a_table_is_no_list(lines: list[str], says: str) -> None:
    """Its columns would be taken for parts of the paths."""
    with pytest.raises(ConfigError, match=f"the URLs in urls.txt cannot be read: {says}"):
        read_urls(lines, "urls.txt")


@pytest.mark.parametrize("first", ["url", "my pages", "// pages, all of them", f"{GOOD},1"])
def test_a_first_line_that_is_no_heading_keeps_no_url_out(first: str) -> None:
    """URLs may have commas."""
    found = read_urls([first, f"{GOOD},2"], "urls.txt")

    assert found.urls[-1] == f"{GOOD},2"


def test_problems_beyond_a_thousand_are_counted() -> None:
    """Nobody reads more, and a wrong file may have a million."""
    found = read_urls([GOOD, *("nonsense" for _ in range(5000))], "urls.txt")

    assert len(found.problems) == 1001
    assert found.problems[-1] == "urls.txt: 4,000 more lines are left out"


SITEMAP = (
    f"<urlset><url><loc> {GOOD}?a&amp;b </loc></url>\n<url><loc>/2</loc></url><url><loc>{GOOD} x</loc></url></urlset>"
)


@pytest.mark.parametrize("way", ["plain", "gzip", "utf-16"])
def test_a_sitemap_is_a_list(tmp_path: Path, way: str) -> None:
    """An address in it that is no URL is told with its line."""
    file = tmp_path / "sitemap.xml"
    content = SITEMAP.encode("utf-16" if way == "utf-16" else "utf-8")
    file.write_bytes(gzip.compress(content) if way == "gzip" else content)

    found = read_url_files([str(file)])

    assert found.urls == [f"{GOOD}?a&b"]
    assert [problem.partition(":")[0] for problem in found.problems] == [f"{file}, line 2", f"{file}, line 2"]


def test_a_sitemap_that_breaks_off_says_so(tmp_path: Path) -> None:
    """What was whole before is taken."""
    file = tmp_path / "sitemap.xml"
    file.write_text(SITEMAP[: SITEMAP.index("/2")])

    found = read_url_files([str(file)])

    assert found.urls == [f"{GOOD}?a&b"]
    assert "sitemap.xml, line 2: the XML breaks off or is damaged here" in found.problems[-1]


def test_an_index_of_sitemaps_says_what_to_download(tmp_path: Path) -> None:
    """Nothing is fetched by itself; beside other lists it is a problem, and alone an error."""
    index, urls = tmp_path / "index.xml", tmp_path / "urls.txt"
    entries = "".join(f"<sitemap><loc>https://shop.example/{number}.xml</loc></sitemap>" for number in range(5))
    index.write_text(f"<sitemapindex>{entries}</sitemapindex>")
    urls.write_text(GOOD)

    with pytest.raises(ConfigError, match=r"is an index of 5 sitemaps .* download them \(https://shop.example/0.xml, "):
        read_url_files([str(index)])
    assert read_url_files([str(index), str(urls)]).urls == [GOOD]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'["https://shop.example/1"]', "this is JSON"),
        (b"<!doctype html><a href='https://shop.example/1'>", "this is an HTML page"),
        (b"%PDF-1.7", "it is a PDF"),
        (b"<html:a/>", "it is XML but no sitemap"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    """With the file."""
    file = tmp_path / "urls"
    file.write_bytes(content)

    with pytest.raises(ConfigError, match=f"the URLs in .*urls cannot be read: {says}"):
        read_url_files([str(file)])


URLS = [f"https://shop.example/item/{number}?a=1#b" for number in range(5)]
ENDS = [" # x\n", "\r\n", "\n", "\n\n", "\n"]
WHOLE = [
    "# all\n" + "".join(map("".join, zip(URLS, ENDS, strict=True))),
    f"<urlset>{''.join(f'<url>{chr(10)}<loc>{url}</loc></url>' for url in URLS)}</urlset>",
]


@settings(deadline=None, max_examples=400)
@given(damaged(WHOLE, ["\n", "/", " ", "<", ">", "1"]))
def test_of_a_damaged_list_no_url_is_made_up(text: str) -> None:
    """Each that is read stood there whole, by itself, and has nothing in it that nobody sees."""
    reader = Reader()
    try:
        reader.read_text(text, "urls")
        found = reader.url_list()
    except ConfigError as error:
        assert str(error).isprintable()  # noqa: PT017 - it need not be raised
        return

    alone = {line.partition(" #")[0].partition("\t#")[0].strip(" \t") for line in re.split("[\n\r<>]", text)}
    assert set(found.urls) <= alone
    assert not [url for url in found.urls if unseen(url)]
    assert all(problem.isprintable() for problem in found.problems)
