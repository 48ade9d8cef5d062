"""The store of cookies: order, limits, and what it costs.

The orders are those that browsers share (web-platform-tests, ``cookies/ordering``), in values of our own.
"""

from __future__ import annotations

import cProfile
import gc
import pstats
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.cookies.kept import NOW, PAGE, after, header, sent
from tests.core.cookies.test_set_cookie import HEADERS

from proxysieve.core.cookies.cookie import Cookie
from proxysieve.core.cookies.encoding import to_text, to_wire
from proxysieve.core.cookies.store import LEFT_OF_SITE, MOST_COOKIES, MOST_OF_SITE, SAFE_COUNT, Cookies
from proxysieve.site_of import registrable


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param(
            ["a=1", "b=1; path=/cookies", "c=1; path=/", "d=1; path=/cooking", "e=1; domain=shop.example; path=/"],
            "a=1; b=1; c=1; e=1",
            id="long-paths-first",
        ),
        pytest.param(
            ["z=1; path=/cookies", "b=1; path=/cookies/attributes", "a=1; path=/cookies"],
            "b=1; z=1; a=1",
            id="then-who-came-first",
        ),
        pytest.param(["a=1; domain=shop.example", "b=1"], "a=1; b=1", id="whatever-the-domain"),
        pytest.param(["a=1", "b=1", "a=2"], "a=2; b=1", id="who-comes-again-keeps-its-place"),
        pytest.param(["a=1", "b=1", "a=; max-age=0", "a=2"], "b=1; a=2", id="unless-it-was-gone"),
        pytest.param(["name=1; path=/", "n=1; path=/", "na=1; path=/"], "name=1; n=1; na=1", id="whatever-the-name"),
    ],
)
def test_the_order_of_cookies(headers: list[str], expected: str) -> None:
    """Long paths first, then those that came first (RFC 6265bis, 5.8.3)."""
    assert sent(*headers) == expected


def test_a_site_has_180_cookies_at_most() -> None:
    """One more, and those that were not used for longest go, as many as Chrome lets go."""
    cookies = after(*[f"n{number}=1; Path=/" for number in range(MOST_OF_SITE)])
    assert len(cookies) == MOST_OF_SITE

    cookies.take(PAGE, ["one-more=1; Path=/"], NOW)

    names = [one.name for one in cookies]
    assert len(names) == LEFT_OF_SITE
    assert names[0] == f"n{MOST_OF_SITE + 1 - LEFT_OF_SITE}"
    assert names[-1] == "one-more"


def test_hosts_of_one_site_share_its_limit() -> None:
    """So that a site gets no more by names that it makes up."""
    cookies = Cookies(registrable)

    for number in range(MOST_OF_SITE + 1):
        cookies.take(f"https://h{number}.shop.example/", ["a=1"], NOW)

    assert len(cookies) == LEFT_OF_SITE


def test_what_was_used_lately_is_kept() -> None:
    """By being sent."""
    cookies = after("first=1; Path=/first", *[f"n{number}=1; Path=/x" for number in range(MOST_OF_SITE - 1)])
    header(cookies, "https://www.shop.example/first")

    cookies.take(PAGE, ["one-more=1; Path=/"], NOW)

    assert "first" in {one.name for one in cookies}


def test_what_has_expired_goes_first() -> None:
    """And if that is enough, nothing else does."""
    cookies = after("last=1; Max-Age=60", *[f"n{number}=1" for number in range(MOST_OF_SITE - 1)])

    cookies.take(PAGE, ["one-more=1"], NOW + 61)

    names = {one.name for one in cookies}
    assert len(names) == MOST_OF_SITE
    assert "last" not in names


def test_secure_cookies_are_kept_longest() -> None:
    """A page without TLS cannot push them out; but what it sets now is there at once."""
    cookies = after(*[f"s{number}=1; Secure; Path=/" for number in range(100)])

    cookies.take("http://www.shop.example/", [f"n{number}=1; Path=/" for number in range(500)], NOW)

    names = [one.name for one in cookies]
    assert sum(name.startswith("s") for name in names) == 100
    assert names[-SAFE_COUNT:] == [f"n{number}" for number in range(500 - SAFE_COUNT, 500)]


def test_there_are_3000_in_all() -> None:
    """Of all sites together."""
    cookies = Cookies(registrable)

    for number in range(MOST_COOKIES + 1):
        cookies.take(f"https://shop{number}.example/", ["a=1"], NOW)
        assert len(cookies) <= MOST_COOKIES

    assert header(cookies, "https://shop0.example/") == ""
    assert header(cookies, f"https://shop{MOST_COOKIES}.example/") == "a=1"


def calls(work: Callable[[], object]) -> int:
    """How many calls of functions *work* takes."""
    profile = cProfile.Profile()
    # Who listens to the collector is called as well.
    gc.disable()
    try:
        profile.runcall(work)
    finally:
        gc.enable()
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]


def test_a_request_costs_what_its_own_site_has() -> None:
    """However many cookies there are of others."""
    own = [f"n{number}=1; Path=/" for number in range(20)]
    alone, among_others = after(*own), after(*own)
    for number in range(2_900):
        among_others.take(f"https://shop{number}.test/", ["a=1"], NOW)

    def send_and_take(cookies: Cookies) -> None:
        header(cookies)
        cookies.take(PAGE, ["n1=2; Path=/", "new=1", "new=; Max-Age=0"], NOW)

    # What was looked up of a host is remembered.
    for cookies in (among_others, alone):
        send_and_take(cookies)

    assert calls(lambda: send_and_take(among_others)) == calls(lambda: send_and_take(alone))


def test_a_site_that_sets_cookies_for_ever_costs_the_same_for_ever() -> None:
    """130 answers with 50 new cookies each: the last of them take no more work than those before."""
    cookies = Cookies(registrable)

    def answer(number: int) -> None:
        header(cookies)
        cookies.take(PAGE, [f"n{number}-{one}=1; Path=/" for one in range(50)], NOW)

    work = [calls(lambda number=number: answer(number)) for number in range(130)]  # type: ignore[misc]

    # Each cookie is read by some thirty calls, each that is kept is looked at by some ten when it is sent or goes.
    assert max(work) < 50 * 60 + 4 * MOST_OF_SITE * 20
    assert max(work[65:]) <= max(work[:65])


GOOD = Cookie(name="a", value="1", domain="www.shop.example")


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "", "value": ""},
        {"name": "a=b"},
        {"name": "a;b"},
        {"value": "1;2"},
        {"value": "1\r\nX: y"},
        {"value": "x" * 4_096},
        {"domain": ""},
        {"domain": "."},
        {"domain": "www.sh\xf6p.example"},
        {"path": ""},
        {"path": "page"},
        {"path": "/caf\xe9"},
        {"path": "/" + "x" * 4_096},
        {"path": "/\r\nX: y"},
        {"name": "__Secure-a"},
        {"name": "__Host-a", "secure": True, "path": "/x"},
        {"name": "", "value": "__Host-a=1"},
    ],
)
def test_what_no_browser_has_is_not_put_in(changes: dict[str, object]) -> None:
    """Whoever it comes from: it would break the header, or never be sent."""
    cookies = Cookies(registrable)

    assert cookies.put(GOOD, NOW)
    assert not cookies.put(replace(GOOD, **changes), NOW)  # type: ignore[arg-type]
    assert list(cookies) == [GOOD]


@pytest.mark.parametrize(
    ("domain", "kept"), [(".127.0.0.1", "127.0.0.1"), (".com", "com"), (".a.example", ".a.example")]
)
def test_nothing_is_below_an_address_or_a_public_suffix(domain: str, kept: str) -> None:
    """So Chromium keeps such cookies for the one host alone."""
    cookies = Cookies(registrable)

    assert cookies.put(replace(GOOD, domain=domain), NOW)

    assert [one.domain for one in cookies] == [kept]
    assert cookies.remove((domain, "/", "a"))
    assert not cookies.remove((domain, "/", "a"))


def test_no_value_is_shown() -> None:
    """It is as good as a password."""
    cookies = after("a=secret")

    assert "secret" not in repr(cookies)
    assert "secret" not in repr(list(cookies))


URLS = st.builds(
    "{}://{}{}".format,
    st.sampled_from(["http", "https"]),
    st.sampled_from(["shop.example", "www.shop.example", "127.0.0.1", "other.test"]) | st.text(max_size=10),
    st.sampled_from(["", "/", "/a/b"]) | st.text(max_size=10),
)


@given(st.lists(st.tuples(URLS, st.lists(HEADERS, max_size=20), st.floats(0, 1e10)), max_size=20))
def test_whatever_comes_the_limits_hold(answers: list[tuple[str, list[str], float]]) -> None:
    """Nothing raises, and what is sent can be sent."""
    cookies = Cookies(registrable)

    for url, headers, now in answers:
        cookies.take(url, headers, now)
        assert not set(header(cookies, url, now=now)) & {"\r", "\n", "\0"}

    kept = list(cookies)
    assert len(kept) == len(cookies) == len({one.key for one in kept})
    assert all(cookies.find(one.key) == one for one in kept)
    again = Cookies(registrable)
    assert all(again.put(one, 0.0) for one in kept)
    assert list(again) == [one for one in kept if not one.is_expired(0.0)]


@given(st.text())
def test_text_comes_back_from_the_wire(text: str) -> None:
    """As what it was, unless it is no text at all."""
    assert to_text(to_wire(text)) == text.encode("utf-8", "replace").decode()


@given(st.text(st.characters(max_codepoint=255)))
def test_no_bytes_are_refused(wire: str) -> None:
    """What is no UTF-8 is told a letter a byte."""
    assert to_wire(to_text(wire)) == wire or to_text(wire) == wire
