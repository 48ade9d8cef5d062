"""What a robots.txt asks: as the standard says, as another parser reads it, and in bounded time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import product
from string import ascii_lowercase

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from protego import Protego

from proxysieve.core.robots.rules import READ_BYTES, USER_AGENT, Wildcard, read_rules

SITE = "https://shop.example"
OF_OURS = "User-agent: proxysieve\n"
OF_ALL = "User-agent: *\n"


def allows(text: str | bytes, path: str) -> bool:
    return read_rules(text if isinstance(text, bytes) else text.encode()).allow(SITE + path)


@pytest.mark.parametrize(
    ("rule", "path", "is_meant"),
    [
        # RFC 9309, 2.2.2 and 2.2.3
        ("/", "/anything", True),
        ("/fish", "/fish.html", True),
        ("/fish", "/Fish", False),
        ("/fish*", "/fishheads", True),
        ("/*.php", "/folder/a.php?x", True),
        ("/*.php$", "/folder/a.php?x", False),
        ("/*.php$", "/folder/a.php", True),
        ("/fish*.php", "/fishheads/catfish.php?x", True),
        ("/a$", "/a", True),
        ("/a$", "/ab", False),
        ("/a*a$", "/a", False),
        ("/a*b*c", "/a-c-b", False),
        ("*/private", "/x/private/y", True),
        ("/$", "/", True),
        ("/$", "/a", False),
        ("/a$b", "/a$bc", True),
        ("/foo/bar?baz=https%3A%2F%2Ffoo.bar", "/foo/bar?baz=https:%2F%2Ffoo.bar", True),
        ("/foo/bar/ツ", "/foo/bar/%E3%83%84", True),
        ("/foo/bar/%E3%83%84", "/foo/bar/ツ", True),
        ("/foo/bar/%62%61%7A", "/foo/bar/baz", True),
        ("/a%2fb", "/a%2Fb", True),
        ("/a%2Fb", "/a/b", False),
        ("/a%2Ab", "/a*b", True),
        ("/a%2Ab", "/axb", False),
        ("/a?", "/a?", True),
        ("/a", "/b#/a", False),
        ("fish", "/fish", False),
    ],
)
def test_a_rule_means_what_the_standard_says(rule: str, path: str, *, is_meant: bool) -> None:
    """Prefixes, stars, the end, and escapes in either spelling."""
    assert allows(f"{OF_ALL}Disallow: {rule}", path) is not is_meant


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        pytest.param("Disallow: /\nAllow: /a", True, id="the longest rule counts"),
        pytest.param("Allow: /a\nDisallow: /", True, id="wherever it stands"),
        pytest.param("Allow: /\nDisallow: /a", False, id="also to forbid"),
        pytest.param("Disallow: /a\nAllow: /a", True, id="of two alike the one that allows"),
        pytest.param("Disallow: /*\nAllow: /a", True, id="a star is as long as a letter, and then too"),
        pytest.param("Disallow: /a$\nAllow: /a", False, id="an end makes it longer"),
        pytest.param("Disallow:\n", True, id="an empty one asks nothing"),
        pytest.param("Disallow /a", False, id="a colon is forgotten"),
        pytest.param("  DISALLOW  :  /a  # a remark", False, id="blanks, capitals, remarks"),
        pytest.param("dissallow: /a", False, id="a slip"),
        pytest.param("Sitemap: https://shop.example/sitemap.xml\nDisallow: /a", False, id="what is no rule is none"),
    ],
)  # fmt: skip
def test_the_rules_of_a_group_are_weighed(text: str, *, allowed: bool) -> None:
    """RFC 9309, 2.2.2: the most specific match, and leniency where it can do no harm."""
    assert allows(OF_ALL + text, "/a") is allowed


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        pytest.param(f"{OF_OURS}Disallow: /a\n{OF_ALL}Allow: /", False, id="our own group counts"),
        pytest.param(f"{OF_ALL}Disallow: /\n{OF_OURS}Allow: /", True, id="and no other"),
        pytest.param(f"{OF_ALL}Disallow: /\n{OF_OURS}", True, id="if it is empty, too"),
        pytest.param("User-agent: PROXYSIEVE/1.0\nDisallow: /a", False, id="in any case, with any version"),
        pytest.param("User-agent: proxysieve-news\nDisallow: /a", True, id="a longer name is another's"),
        pytest.param("User-agent: proxy\nDisallow: /a", True, id="a shorter one, too"),
        pytest.param("User-agent: a\nUser-agent: *\nDisallow: /a", False, id="a group of several"),
        pytest.param("User-agent: a\nCrawl-delay: 1\nUser-agent: *\nDisallow: /a", False, id="delays end no group"),
        pytest.param(f"{OF_ALL}Disallow: /b\n{OF_ALL}Disallow: /a", False, id="two groups for the same are one"),
        pytest.param(f"{OF_OURS}Disallow: /b\nUser-agent: b\nDisallow: /a", True, id="another's group"),
        pytest.param("Disallow: /a", True, id="nobody's group"),
        pytest.param("", True, id="nothing"),
        pytest.param("<!doctype html><title>Not found</title><p>Disallow: /a</p>", True, id="a page"),
    ],
)
def test_the_group_for_us_is_found(text: str, *, allowed: bool) -> None:
    """RFC 9309, 2.2.1: our name, whatever its case, and else all robots."""
    assert allows(text, "/a") is allowed


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"User-agent: *\r\nDisallow: /a\r\n", id="CRLF"),
        pytest.param(b"User-agent: *\rDisallow: /a\r", id="CR"),
        pytest.param(b"\xef\xbb\xbfUser-agent: *\nDisallow: /a", id="a mark"),
        pytest.param("\ufeffUser-agent: *\nDisallow: /a".encode("utf-16-le"), id="UTF-16"),
        pytest.param("\ufeffUser-agent: *\nDisallow: /a".encode("utf-16-be"), id="the other UTF-16"),
        pytest.param(b"User-agent: *\nDisallow: /\xff\nDisallow: /a", id="what is no UTF-8"),
        pytest.param(b"User-agent: *\n\0\0\nDisallow: /a", id="NUL"),
        pytest.param("User-agent: *\nDisallow: /b\u2028c\nDisallow: /a".encode(), id="what is no end of a line"),
    ],
)
def test_a_file_is_read_however_it_is_written(body: bytes) -> None:
    """Its lines are found, and one that is broken spoils no other."""
    assert not allows(body, "/a")


def test_its_own_address_is_always_allowed() -> None:
    """RFC 9309, 2.2.2."""
    assert allows(f"{OF_ALL}Disallow: /", "/robots.txt")
    assert not allows(f"{OF_ALL}Disallow: /", "/robots.txt.old")


def test_a_folder_is_allowed_with_its_index() -> None:
    """That is what its own address shows."""
    text = f"{OF_ALL}Disallow: /\nAllow: /a/index.html"

    assert [allows(text, path) for path in ("/a/", "/a/index.html", "/a/b", "/")] == [True, True, False, False]


def test_half_a_rule_at_the_end_of_what_is_read_is_none() -> None:
    """It would ask for something else: the whole site, instead of a folder."""
    head = OF_ALL + "Disallow: /b\n"
    text = head + "#" * (READ_BYTES - len(head) - len("\nDisallow: /")) + "\nDisallow: /private\nDisallow: /c\n"

    assert [allows(text, path) for path in ("/a", "/b", "/private", "/c")] == [True, False, True, True]
    assert not allows(text[: READ_BYTES - 20] + "\nDisallow: /a", "/a")


PATHS = st.lists(
    st.sampled_from(["/", "a", "b", "ab", "*", "%61", "%2F", "ü", "?", "=", "-", "index.html"]), max_size=6
)
RULES = st.tuples(st.sampled_from(["Allow", "Disallow"]), PATHS.map("".join), st.sampled_from(["", "", "$"])).map(
    lambda parts: f"{parts[0]}: /{parts[1]}{parts[2]}"
)
AGENTS = st.sampled_from(["User-agent: *", "User-agent: proxysieve", "User-agent: ProxySieve", "User-agent: other"])
LINES = st.lists(AGENTS | RULES | RULES | st.sampled_from(["", "# a remark", "Sitemap: /a"]), max_size=14)


@given(LINES, st.lists(st.sampled_from(["/", "a", "b", "%41", "%2F", "ü", "?", "="]), max_size=6))
@example(["User-agent: *", "Disallow: /*a*", "Allow: /$"], [])
def test_it_is_read_as_scrapys_parser_reads_it(lines: list[str], path: list[str]) -> None:
    """Wherever the two agree on what is asked: names in whole, and no dollar within a path."""
    text, url = "\n".join(lines), f"{SITE}/{''.join(path)}"

    assert read_rules(text.encode()).allow(url) is Protego.parse(text).can_fetch(url, USER_AGENT)


@given(st.text("ab*", max_size=8), st.text("ab", max_size=10))
def test_a_wildcard_matches_what_it_does_by_trying_all(pattern: str, path: str) -> None:
    """To take the first place of each piece loses nothing."""

    def tried(rest: str, path: str) -> bool:
        if not rest:
            return not path
        if rest[0] == "*":
            return tried(rest[1:], path) or (bool(path) and tried(rest, path[1:]))
        return path[:1] == rest[0] and tried(rest[1:], path[1:])

    head, *pieces, end = f"{pattern}*".split("*") if "*" not in pattern else pattern.split("*")
    is_matched = Wildcard(1, "", head, pieces, end).matches(path)

    assert is_matched is tried(pattern if "*" in pattern else f"{pattern}*", path)


def filled(part: str) -> str:
    return part * (READ_BYTES // len(part.encode()) - 1)


def hostile() -> Iterator[tuple[str, str]]:
    """Files that are made to take long."""
    yield "rules", OF_ALL + "".join(f"Disallow: /{number}\n" for number in range(30_000))
    yield "groups", "".join(f"User-agent: {number}\nDisallow: /\n" for number in range(16_000))
    yield "agents of one group", "".join(f"User-agent: {number}\n" for number in range(20_000))
    yield (
        "agents, and rules for each",
        "".join(f"User-agent: {n}\n" for n in range(11_000)) + filled("Allow:/a\n")[:250_000],
    )
    yield "our name again and again", OF_OURS * 10_000 + filled("Allow:/a\n")[:250_000]
    yield "stars", f"{OF_ALL}Disallow: /{filled('*a')[:-40]}"
    yield "stars with an end", f"{OF_ALL}Disallow: /{filled('*a')[:-40]}b$"
    yield "rules with stars", OF_ALL + "".join(f"Allow:*{number}\n" for number in range(38_000))
    letters = "".join(map("Allow:*{0[0]}*{0[1]}*{0[2]}\n".format, product(ascii_lowercase, repeat=3)))
    yield "rules with many stars", OF_ALL + letters
    yield "rules of all lengths", OF_ALL + "".join(f"Disallow: /{'a' * length}\n" for length in range(980))
    yield "escapes", f"{OF_ALL}Disallow: /{filled('%41')[:-40]}"
    yield "escapes of bytes", f"{OF_ALL}Disallow: /{filled('%ff')[:-40]}"
    yield "percent signs", f"{OF_ALL}Disallow: /{filled('%')[:-40]}"
    yield "other letters", f"{OF_ALL}Disallow: /{filled('ü')[:-40]}"
    yield "lines of nothing", filled("\n")
    yield "a line of blanks", filled(" ")
    yield "colons", filled(" :\n")
    yield "words", filled("user agent a b\n")
    yield "NUL", filled("\0")
    yield "a page", filled('<div class="a">allow: more</div>\n')


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in hostile()])
def test_a_file_that_is_made_to_take_long_does_not(text: str) -> None:
    """It is read in a fraction of a second, and asked in milliseconds; what is quadratic takes minutes."""
    started_at = time.thread_time()
    rules = read_rules(text.encode())
    for path in ("a" * 100, "%41b?c=d", "zyx" * 30):
        rules.allow(f"{SITE}/{path}")

    assert time.thread_time() - started_at < 5


def test_the_longer_it_takes_to_ask_the_more_steps_it_has() -> None:
    """They grow with the rules that have stars, and with the address; others are looked up."""
    plain = read_rules((OF_ALL + "".join(f"Disallow: /{number}\n" for number in range(10_000))).encode())
    starred = read_rules((OF_ALL + "".join(f"Disallow: *{number}$\n" for number in range(10_000))).encode())
    short, long = f"{SITE}/a", f"{SITE}/{'a' * 10_000}"

    assert [*plain.steps(long)] == [*starred.steps(short)] == [True]
    assert [*starred.steps(long)] == [None] * 205 + [True]
    assert starred.allow(long)
    assert [*starred.steps(f"{SITE}/{'a' * 10_000}1234")][-1] is False
