"""Where cookies go: hosts, paths, TLS, prefixes, and from other sites.

The cases are those that browsers share (web-platform-tests, ``cookies/``: attributes, domain, path, prefix, secure,
samesite), in values of our own.
"""

from __future__ import annotations

import pytest
from tests.core.cookies.kept import after, header, sent

HOST, SHOP, OTHER, BELOW = "www.shop.example", "shop.example", "m.shop.example", "a.www.shop.example"


def at(host: str) -> str:
    return f"https://{host}/"


@pytest.mark.parametrize(
    ("said", "hosts"),
    [
        pytest.param("", {HOST}, id="none"),
        pytest.param("Domain", {HOST}, id="nothing"),
        pytest.param("Domain=", {HOST}, id="empty"),
        pytest.param(f"Domain={HOST}", {HOST, BELOW}, id="the-host"),
        pytest.param(f"Domain=.{HOST}", {HOST, BELOW}, id="a-dot-before"),
        pytest.param(f"Domain=  .{HOST}  ", {HOST, BELOW}, id="blanks-around"),
        pytest.param(f"Domain={SHOP}", {SHOP, HOST, OTHER, BELOW}, id="the-one-above"),
        pytest.param("domain=wWw.ShOp.Example", {HOST, BELOW}, id="capital-letters"),
        pytest.param(f"Domain={SHOP}; Domain=", {SHOP, HOST, OTHER, BELOW}, id="an-empty-one-counts-for-nothing"),
        pytest.param(f"Domain={OTHER}; Domain={HOST}", {HOST, BELOW}, id="the-last-counts"),
        pytest.param(f"Domain={HOST}; Domain={OTHER}", set(), id="the-last-counts-if-it-is-another's"),
        pytest.param(f"Domain={OTHER}; Domain=", set(), id="the-last-that-says-something"),
        pytest.param(f"Domain={OTHER}", set(), id="a-neighbour"),
        pytest.param(f"Domain={BELOW}", set(), id="one-below"),
        pytest.param("Domain=other.example", set(), id="another-site"),
        pytest.param("Domain=hop.example", set(), id="half-a-name"),
        pytest.param("Domain=example", set(), id="a-public-suffix"),
        pytest.param("Domain=.example", set(), id="a-public-suffix-with-a-dot"),
        pytest.param(f"Domain=..{HOST}", set(), id="two-dots-before"),
        pytest.param(f"Domain=. {HOST}", set(), id="a-blank-behind-the-dot"),
        pytest.param("Domain=www..shop.example", set(), id="two-dots-within"),
        pytest.param(f"Domain={HOST}.", set(), id="a-dot-behind"),
        pytest.param(f'Domain="{HOST}"', set(), id="quotes"),
        pytest.param(f"Domain={HOST}:443", set(), id="a-port"),
        pytest.param("Domain=*.shop.example", set(), id="a-star"),
        pytest.param("Domain=%77ww.shop.example", set(), id="escaped"),
        pytest.param("Domain=www.sh\xf6p.example", set(), id="bytes"),
        pytest.param("Domain=" + "x" * 1_025, {HOST}, id="too-long-to-be-read"),
    ],
)
def test_which_hosts_get_a_cookie(said: str, hosts: set[str]) -> None:
    """The host itself, or one above it and all below that; for nobody else's, and for no public suffix."""
    cookies = after(f"a=1; {said}", at=at(HOST))

    assert {host for host in (HOST, SHOP, OTHER, BELOW, "other.example") if header(cookies, at(host))} == hosts


@pytest.mark.parametrize(
    ("host", "domain", "hosts"),
    [
        ("127.0.0.1", "127.0.0.1", {"127.0.0.1"}),
        ("127.0.0.1", ".127.0.0.1", {"127.0.0.1"}),
        ("127.0.0.1", "0.0.1", set()),
        ("127.0.0.1", ".1", set()),
        ("[::1]", "[::1]", {"[::1]"}),
        ("[::1]", "", {"[::1]"}),
        ("[::1]", "1]", set()),
        ("localhost", "localhost", {"localhost"}),
        ("localhost", ".localhost", {"localhost"}),
        ("co.uk", "co.uk", {"co.uk"}),
        ("shop.co.uk", "co.uk", set()),
        ("shop.co.uk", "shop.co.uk", {"shop.co.uk", "a.shop.co.uk"}),
        ("me.github.io", "github.io", set()),
        ("intranet", "", {"intranet"}),
        ("xn--shp-fna.example", "xn--shp-fna.example", {"xn--shp-fna.example", "a.xn--shp-fna.example"}),
        ("shop.example.", "shop.example.", {"shop.example.", "a.shop.example."}),
        ("shop.example.", "shop.example", set()),
    ],
)
def test_addresses_and_public_suffixes_have_cookies_of_their_own(host: str, domain: str, hosts: set[str]) -> None:
    """If they name themselves; there is nothing below them."""
    cookies = after(f"a=1; Domain={domain}", at=at(host))

    assert {one for one in (host, f"a.{host}") if header(cookies, at(one))} == hosts


def test_one_host_has_a_cookie_of_its_own_beside_the_one_for_all() -> None:
    """They differ by nothing but who they are for (RFC 6265bis, 5.7)."""
    assert sent("a=1; Domain=www.shop.example", "a=2") == "a=1; a=2"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", "/cookies/attributes"),
        ("Path", "/cookies/attributes"),
        ("Path=", "/cookies/attributes"),
        ("Path=page.html", "/cookies/attributes"),
        ('Path="/"', "/cookies/attributes"),
        ("Path=/", "/"),
        ("path   =   /  ", "/"),
        ("Path=/x; Path=/", "/"),
        ("Path=/; Path=/x", "/x"),
        ("Path=/x; Path=", "/cookies/attributes"),
        ("Path=/a b", "/a b"),
        ("Path=/x?y#z", "/x?y#z"),
        ("Path=/caf\xe9; Path=/", "/"),
        ("Path=/" + "x" * 1_024, "/cookies/attributes"),
        ("Path=/; Path=/caf\xe9", None),
    ],
)
def test_the_path_of_a_cookie(said: str, expected: str | None) -> None:
    """The last that is named, or the folder of the page; none that no URL has."""
    assert [cookie.path for cookie in after(f"a=1; {said}")] == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("", "/"),
        ("/", "/"),
        ("/a", "/"),
        ("/a/", "/a"),
        ("/a/b", "/a"),
        ("/a/b/", "/a/b"),
        ("/a//b", "/a/"),
        ("?x=/a/b", "/"),
        ("/a?x=/b/c", "/"),
        ("#/a/b", "/"),
        ("/a%2Fb/c", "/a%2Fb"),
        (":443/a/b?x", "/a"),
        ("/café 1/b", "/caf%C3%A9%201"),
    ],
)
def test_the_folder_of_a_page(url: str, folder: str) -> None:
    """All before the last slash, and not that one (RFC 6265bis, 5.1.4)."""
    [cookie] = after("a=1", at=f"https://shop.example{url}")

    assert cookie.path == folder


@pytest.mark.parametrize(
    ("path", "url", "is_sent"),
    [
        ("/", "", True),
        ("/", "/a/b", True),
        ("/a", "/a", True),
        ("/a", "/a/", True),
        ("/a", "/a/b", True),
        ("/a", "/a?b", True),
        ("/a", "/ab", False),
        ("/a", "/a.py", False),
        ("/a/", "/a/b", True),
        ("/a/", "/a", False),
        ("/a/b", "/a", False),
        ("/A", "/a", False),
        ("/a b", "/a%20b", False),
        ("/a%20b", "/a%20b/c", True),
        ("/%61", "/a", False),
    ],
)
def test_a_path_is_matched_by_whole_folders(path: str, url: str, *, is_sent: bool) -> None:
    """Letter by letter, as the URL has it."""
    cookies = after(f"a=1; Path={path}", at="https://shop.example/")

    assert header(cookies, f"https://shop.example{url}") == ("a=1" if is_sent else "")


@pytest.mark.parametrize(
    ("host", "is_secure"),
    [
        ("shop.example", False),
        ("127.0.0.1", True),
        ("127.9.8.7", True),
        ("localhost", True),
        ("a.localhost", True),
        ("[::1]", True),
        ("128.0.0.1", False),
        ("127.shop.example", False),
        ("notlocalhost", False),
    ],
)
def test_secure_cookies_need_tls_or_this_machine(host: str, *, is_secure: bool) -> None:
    """Both to be set and to be sent; so in Chrome and Firefox."""
    set_by_tls = after("a=1; Secure", at=f"https://{host}/")
    set_without = after("a=1; Secure", "b=1", at=f"http://{host}/")

    assert header(set_by_tls, f"https://{host}/") == "a=1"
    assert header(set_by_tls, f"http://{host}/") == ("a=1" if is_secure else "")
    assert header(set_without, f"https://{host}/") == ("a=1; b=1" if is_secure else "b=1")


@pytest.mark.parametrize(
    ("said", "url", "expected"),
    [
        ("a=2", "http://www.shop.example/", "a=1"),
        ("a=; Max-Age=0", "http://www.shop.example/", "a=1"),
        ("a=2; Path=/", "http://www.shop.example/", "a=1"),
        ("a=2; Domain=shop.example", "http://www.shop.example/", "a=1"),
        ("a=2; Path=/cookies/x", "http://www.shop.example/", "a=1"),
        ("a=2; Path=/", "https://www.shop.example/", "a=2"),
        ("b=2", "http://www.shop.example/", "a=1; b=2"),
        ("a=2", "http://m.shop.example/", "a=1"),
    ],
)
def test_a_page_without_tls_leaves_secure_cookies_alone(said: str, url: str, expected: str) -> None:
    """Neither changed nor hidden by others of the same name (RFC 6265bis, 5.7)."""
    cookies = after("a=1; Secure; Path=/", at="https://www.shop.example/")

    cookies.take(url, [said], 0)

    assert header(cookies, "https://www.shop.example/cookies/x") == expected


@pytest.mark.parametrize("case", [str, str.upper, str.lower])
@pytest.mark.parametrize(
    ("said", "url", "is_kept"),
    [
        ("__Secure-a=1; Secure", "https://shop.example/", True),
        ("__Secure-a=1; Secure; Domain=shop.example", "https://shop.example/", True),
        ("__Secure-a=1", "https://shop.example/", False),
        ("__Secure-a=1; Secure", "http://shop.example/", False),
        ("__Secure-a=1; Secure", "http://127.0.0.1/", True),
        ("__Host-a=1; Secure; Path=/", "https://shop.example/", True),
        ("__Host-a=1; Secure; Path=/", "http://shop.example/", False),
        ("__Host-a=1; Secure", "https://shop.example/", False),
        ("__Host-a=1; Secure; Path=", "https://shop.example/", False),
        ("__Host-a=1; Secure; Path=/x", "https://shop.example/x/", False),
        ("__Host-a=1; Path=/", "https://shop.example/", False),
        ("__Host-a=1; Secure; Path=/; Domain=shop.example", "https://shop.example/", False),
        ("__Host-a=1; Secure; Path=/; Domain=", "https://shop.example/", True),
        ("__Http-a=1; Secure; HttpOnly", "https://shop.example/", True),
        ("__Http-a=1; Secure", "https://shop.example/", False),
        ("__Host-Http-a=1; Secure; HttpOnly; Path=/", "https://shop.example/", True),
        ("__Host-Http-a=1; Secure; Path=/", "https://shop.example/", False),
        ("__SecureX=1", "https://shop.example/", True),
        ("x__Host-a=1", "https://shop.example/", True),
        ("=__Secure-a=1; Secure", "https://shop.example/", False),
        ("__Host-a; Secure; Path=/", "https://shop.example/", False),
    ],
)
def test_a_prefix_of_a_name_is_a_promise(said: str, url: str, case: type[str], *, is_kept: bool) -> None:
    """That the cookie was set in a certain way; in any letters, and none without a name looks like one."""
    assert len(after(case(said), at=url)) == is_kept


@pytest.mark.parametrize(
    ("said", "method", "is_sent"),
    [
        ("SameSite=Strict", "GET", False),
        ("SameSite=Lax", "GET", True),
        ("SameSite=Lax", "head", True),
        ("SameSite=Lax", "POST", False),
        ("", "GET", True),
        ("", "POST", False),
        ("SameSite=None; Secure", "POST", True),
        ("SameSite=None; Secure", "GET", True),
    ],
)
def test_what_goes_along_from_another_site(said: str, method: str, *, is_sent: bool) -> None:
    """By a link or a redirect: not what is ``Strict``, and by methods that change something, only what is ``None``."""
    cookies = after(f"a=1; {said}")

    assert header(cookies, method=method, is_same_site=False) == ("a=1" if is_sent else "")
    assert header(cookies, method=method) == "a=1"


def test_a_cookie_for_all_sites_must_be_secure() -> None:
    """``SameSite=None`` without ``Secure`` costs the cookie, in Chrome."""
    assert sent("a=1; SameSite=None") == ""


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/",
        "shop.example",
        "ftp://shop.example/",
        "https://",
        "https:///a",
        "https://a:b/",
        "https://[::1/",
        "http:a",
        "https://a b/",
        "https://shöp.example/",
        "https://a\n/",
    ],
)
def test_what_is_no_url_has_no_cookies(url: str) -> None:
    """And sets none."""
    cookies = after("a=1", at=url)

    assert len(cookies) == 0
    assert header(cookies, url) == ""


def test_a_login_in_a_url_is_no_host() -> None:
    """Nor is the port a part of what cookies belong to (RFC 6265bis, 8.5)."""
    assert sent("a=1", at="HTTPS://shop.example:x@Other.Example:8443/", to="https://other.example/") == "a=1"
