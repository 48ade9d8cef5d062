"""URLs as they are sent, and where redirects lead from them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxysieve.core.urls.parsing import USUAL, Endpoint, as_sent, joined, place_of
from proxysieve.errors import ConfigError

SITE = "https://shop.example"


@pytest.mark.parametrize(
    "rest",
    [
        "/sig?expires=1&key=%7Eabc%73&sig=x%2Dy",
        "/k/%41%2D%5Fz",
        "/a%2Fb%2fc",
        "/p?q=1+2%2B3&e=%e9",
        "/%E4/%zz/%/%a",
        "/a|b[c]'d!$&()*+,;=:@~-._",
        "/?a|b[c]'d!$&()*+,;=:@~-._`{}^\\/?",
        "/?",
        "/??",
        "/a//b///c/",
        "/%2e%2ea/...",
        "/item;v=1.2/x",
    ],
)
def test_letters_and_escapes_stay_as_they_were_written(rest: str) -> None:
    """They may be part of a signature, or of a key."""
    assert as_sent(f"{SITE}{rest}") == f"{SITE}{rest}"


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        pytest.param("https://shop.example", f"{SITE}/", id="no-path"),
        pytest.param("https://shop.example?a", f"{SITE}/?a", id="a-query-alone"),
        pytest.param("HTTPS://SHOP.Example/A", f"{SITE}/A", id="capitals"),
        pytest.param("https://shop.example:443/", f"{SITE}/", id="own-port"),
        pytest.param("https://shop.example:0443/", f"{SITE}/", id="own-port-with-a-zero"),
        pytest.param("https://shop.example:/", f"{SITE}/", id="empty-port"),
        pytest.param("https://shop.example:80/", f"{SITE}:80/", id="the-other-schemes-port"),
        pytest.param("http://shop.example:80/", "http://shop.example/", id="http-port"),
        pytest.param("https://shop.example./", "https://shop.example./", id="final-dot"),
        pytest.param("https://bücher.example/", "https://xn--bcher-kva.example/", id="idn"),
        pytest.param("http://0x7f.1:8080/", "http://127.0.0.1:8080/", id="odd-ipv4"),
        pytest.param("http://[0::1]:80/", "http://[::1]/", id="ipv6"),
        pytest.param(f"{SITE}/a#b", f"{SITE}/a", id="fragment"),
        pytest.param(f"{SITE}/?a#b?c", f"{SITE}/?a", id="fragment-behind-a-query"),
        pytest.param(f"{SITE}/a b", f"{SITE}/a%20b", id="blank"),
        pytest.param(f"{SITE}/ä?ö=ü", f"{SITE}/%C3%A4?%C3%B6=%C3%BC", id="letters-of-other-alphabets"),
        pytest.param(f"{SITE}/é/食/❤️", f"{SITE}/%C3%A9/%E9%A3%9F/%E2%9D%A4%EF%B8%8F", id="more-of-them"),
        pytest.param(f"{SITE}/\x01\x7f\x85", f"{SITE}/%01%7F%C2%85", id="controls"),
        pytest.param(f"{SITE}/a\tb\nc?d\re", f"{SITE}/a%09b%0Ac?d%0De", id="ends-of-lines"),
        pytest.param(f'{SITE}/"<>`{{}}^', f"{SITE}/%22%3C%3E%60%7B%7D%5E", id="what-no-browser-sends-in-a-path"),
        pytest.param(f'{SITE}/?"<>', f"{SITE}/?%22%3C%3E", id="what-no-browser-sends-in-a-query"),
        pytest.param(f"{SITE}\\a\\b?c\\d", f"{SITE}/a/b?c\\d", id="backslashes"),
        pytest.param(f"{SITE}/a/../b/./c/", f"{SITE}/b/c/", id="dots"),
        pytest.param(f"{SITE}/../../a", f"{SITE}/a", id="beyond-the-root"),
        pytest.param(f"{SITE}/a/%2e%2E/b/.%2e/%2E", f"{SITE}/", id="escaped-dots"),
        pytest.param(f"{SITE}/a/..", f"{SITE}/", id="back-at-the-end"),
        pytest.param(f"{SITE}/a/.", f"{SITE}/a/", id="a-dot-at-the-end"),
        pytest.param(f"{SITE}/a//../b", f"{SITE}/a/b", id="back-over-nothing"),
        pytest.param(f"{SITE}/?a/../b", f"{SITE}/?a/../b", id="dots-in-a-query"),
        pytest.param("https://ann:p%40w@shop.example/", "https://ann:p%40w@shop.example/", id="login"),
        pytest.param("https://ann:p@w@shop.example/", "https://ann:p%40w@shop.example/", id="login-with-an-at"),
        pytest.param("https://ann:@shop.example/", "https://ann@shop.example/", id="no-password"),
        pytest.param("https://@shop.example/", f"{SITE}/", id="no-login"),
        pytest.param(f" {SITE}/a\n", f"{SITE}/a", id="blanks-around"),
    ],
)  # fmt: skip
def test_what_a_browser_changes_is_changed(url: str, sent: str) -> None:
    """As in the tests of the URL standard (web-platform-tests, url/resources), with the results of Chromium 156."""
    assert as_sent(url) == sent


@pytest.mark.parametrize(
    "url",
    [
        *("", "shop.example", "/a", "//shop.example/", "ftp://shop.example/", "javascript:alert(1)", "data:,x"),
        *("http:shop.example", "http:/shop.example", "http:///shop.example", "http:\\\\shop.example", "http://", "https://?a"),
        *("http://:80/", "http://shop.example:http/", "http://shop.example:99999/", "http://shop.example:0/"),
        *("http://shop.example:-1/", "http://shop.example:٨٠/", "http://[::1/", "http://[nonsense]/", "http://::1/"),
        *("http://exa mple.com/", "http://a..b/", "http://1.2.3.4.5/", "http://a\tb.example/", "http://\ud800.example/"),
        f"http://shop.example/{'食' * 8_000}",
        *("http://shop.example/\ud800", f"http://shop.example/{'a' * 70_000}", f"http://{'a' * 3_000}/"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_for_is_refused(url: str) -> None:
    """For each use of it, with the same words."""
    with pytest.raises(ConfigError, match="not a URL") as of_sending:
        as_sent(url)
    with pytest.raises(ConfigError, match="not a URL") as of_place:
        place_of(url)

    assert str(of_sending.value) == str(of_place.value)


@pytest.mark.parametrize(
    ("url", "place", "authority"),
    [
        ("HTTP://Shop.Example/a", Endpoint("http", "shop.example", 80), "shop.example"),
        ("https://shop.example.:443", Endpoint("https", "shop.example", 443), "shop.example"),
        ("https://ann:pw@shop.example:80", Endpoint("https", "shop.example", 80), "shop.example:80"),
        ("http://bücher.example:8080/", Endpoint("http", "xn--bcher-kva.example", 8080), "xn--bcher-kva.example:8080"),
        ("http://[::1]:8080", Endpoint("http", "::1", 8080), "[::1]:8080"),
        ("https://[::1]", Endpoint("https", "::1", 443), "[::1]"),
        ("http://127.1./", Endpoint("http", "127.0.0.1", 80), "127.0.0.1"),
    ],
)
def test_a_url_has_one_place(url: str, place: Endpoint, authority: str) -> None:
    """Whichever way its host is written, that is where it is asked for."""
    assert place_of(url) == place
    assert place.authority == authority
    assert place.origin == f"{place.scheme}://{authority}"


BASE = "https://shop.example/a/b?q=1#top"


@pytest.mark.parametrize(
    ("location", "url"),
    [
        pytest.param("/x", f"{SITE}/x#top", id="from-the-root"),
        pytest.param("x", f"{SITE}/a/x#top", id="beside"),
        pytest.param("../x", f"{SITE}/x#top", id="above"),
        pytest.param("./", f"{SITE}/a/#top", id="folder"),
        pytest.param("?p=2", f"{SITE}/a/b?p=2#top", id="query"),
        pytest.param("#end", f"{SITE}/a/b?q=1#end", id="fragment"),
        pytest.param("/x#", f"{SITE}/x#", id="empty-fragment-is-one"),
        pytest.param("//cdn.example/x", "https://cdn.example/x#top", id="another-host"),
        pytest.param("///cdn.example/x", "https://cdn.example/x#top", id="three-slashes"),
        pytest.param("\\\\cdn.example\\x", "https://cdn.example/x#top", id="backslashes"),
        pytest.param("/\\cdn.example", "https://cdn.example/#top", id="both-slashes"),
        pytest.param("http://cdn.example/x", "http://cdn.example/x#top", id="whole"),
        pytest.param("HTTP://CDN.example:80", "http://cdn.example/#top", id="in-capitals"),
        pytest.param("http:/x", "http://x/#top", id="one-slash-and-another-scheme"),
        pytest.param("https:/x", f"{SITE}/x#top", id="one-slash-and-the-same-scheme"),
        pytest.param("https:x", f"{SITE}/a/x#top", id="no-slash-and-the-same-scheme"),
        pytest.param("https:///cdn.example", "https://cdn.example/#top", id="whole-with-three-slashes"),
        pytest.param("https:\\\\cdn.example\\x", "https://cdn.example/x#top", id="whole-with-backslashes"),
        pytest.param("  /x\t ", f"{SITE}/x#top", id="blanks-around"),
        pytest.param("/x\t\r\ny", f"{SITE}/xy#top", id="ends-of-lines-within"),
        pytest.param("ht\ntps://cdn.example", "https://cdn.example/#top", id="ends-of-lines-in-the-scheme"),
        pytest.param("/a b", f"{SITE}/a%20b#top", id="blank-within"),
        pytest.param("/%7e%2F|'", f"{SITE}/%7e%2F|'#top", id="letters-stay"),
        pytest.param("/caf\u00c3\u00a9", f"{SITE}/caf%C3%A9#top", id="utf-8"),
        pytest.param("/caf\u00e9", f"{SITE}/caf%E9#top", id="no-utf-8"),
        pytest.param("/食", f"{SITE}/%E9%A3%9F#top", id="decoded-already"),
        pytest.param("//b\u00c3\u00bccher.example/", "https://xn--bcher-kva.example/#top", id="host-in-utf-8"),
        pytest.param("//ann:pw@cdn.example/", "https://cdn.example/#top", id="login-is-left-out"),
        pytest.param("https://ann:pw@shop.example/", f"{SITE}/#top", id="login-at-home-is-left-out"),
        pytest.param("shop.example/x", f"{SITE}/a/shop.example/x#top", id="no-scheme"),
        pytest.param("http://127.1/", "http://127.0.0.1/#top", id="odd-ipv4"),
    ],
)  # fmt: skip
def test_a_redirect_leads_where_browsers_go(location: str, url: str) -> None:
    """As in the tests of the URL standard, with the results of Chromium 156; the fragment goes on."""
    assert joined(BASE, location) == url


@pytest.mark.parametrize(
    "location",
    [
        *("", " \t", "file:///etc/passwd", "ftp://shop.example/", "data:,x", "javascript:alert(1)", "mailto:a@b"),
        *("intent://scan/#Intent;end", "about:blank", "shop.example:8080/x", "http://", "https://?", "http:///", "//"),
        *("http://[::bad/\1", "http://shop.example:99999/", "//a b/", "//a..b/", "http://%e4/", "//\ud800/", "/\ud800"),
        *(f"/{'a' * 70_000}", f"/{'é' * 30_000}", f"//{'a' * 3_000}/"),
    ],
)  # fmt: skip
def test_a_redirect_to_no_page_leads_nowhere(location: str) -> None:
    """Without an exception."""
    assert joined(BASE, location) == ""


def test_a_login_goes_on_at_its_own_origin_alone() -> None:
    """It is its user's word, for this place."""
    base = "https://ann:pw@shop.example/"

    assert joined(base, "/x") == "https://ann:pw@shop.example/x"
    assert joined(base, "https://eve:no@shop.example/x") == "https://ann:pw@shop.example/x"
    assert joined(base, "http://shop.example/") == "http://shop.example/"
    assert joined(base, "https://shop.example:8443/") == "https://shop.example:8443/"


@pytest.mark.parametrize("base", ["", "nonsense", "file:///a", "http://"])
def test_from_what_is_no_url_only_a_whole_one_leads_on(base: str) -> None:
    """Saved answers come with any text in its place."""
    assert joined(base, "/x") == joined(base, "//shop.example/") == joined(base, "#a") == ""
    assert joined(base, "http:/shop.example/x") == "http://shop.example/x"


LETTERS = st.text("/\\.?#%2eE:@[]a1ä食\u200d\u0301 \t\n'|{-", max_size=30)
TEXTS = st.one_of(
    st.text(max_size=40), LETTERS, LETTERS.map("http://a.example/".__add__), LETTERS.map("http://".__add__)
)


@settings(deadline=None)
@given(st.from_regex(USUAL, fullmatch=True), st.sampled_from("/?#"), st.text(st.characters(codec="ascii")))
def test_a_usual_url_is_read_at_once_with_the_same_result(start: str, mark: str, rest: str) -> None:
    """The short cut changes nothing: a scheme in capitals leads past it."""
    url = f"{start}{mark}{rest}"

    assert place_of(url) == place_of(url.replace("http", "HTTP", 1))


@settings(deadline=None, max_examples=500)
@given(TEXTS)
def test_what_is_sent_is_sent_alike_again(text: str) -> None:
    """Or refused: no text ends in another exception. What is sent has nothing in it that stands in no URL."""
    try:
        sent = as_sent(text)
    except ConfigError:
        return

    assert as_sent(sent) == sent
    assert place_of(sent) == place_of(text)
    assert sent.isascii()
    assert not set('"<> #\t\n\x7f') & set(sent)


@settings(deadline=None, max_examples=500)
@given(TEXTS, TEXTS)
def test_any_redirect_leads_to_a_page_or_nowhere(base: str, location: str) -> None:
    """What it leads to can be asked for, and leads to itself."""
    url = joined(base, location)

    if url:
        assert as_sent(url) == url.partition("#")[0]
        assert joined(url, "") == ""
        assert joined(url, url) == url
