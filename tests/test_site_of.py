"""Which site a URL belongs to."""

from __future__ import annotations

from operator import itemgetter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxysieve.errors import ConfigError
from proxysieve.site_of import former_names, registrable, respelled, site_of, site_or_none


@pytest.mark.parametrize(
    ("url", "site"),
    [
        pytest.param("https://shop.example.com/item/1", "example.com", id="subdomain"),
        pytest.param("http://example.com", "example.com", id="bare"),
        pytest.param("https://example.com:8443/", "example.com", id="port-does-not-matter"),
        pytest.param("https://ann:pw@shop.example.com/", "example.com", id="credentials-do-not-matter"),
        pytest.param("HTTPS://WWW.EXAMPLE.COM/", "example.com", id="capitals"),
        pytest.param("http://example.com./", "example.com", id="dot-behind"),
        pytest.param("https://www.shop.co.uk/", "shop.co.uk", id="co-uk"),
        pytest.param("https://a.b.shop.com.au/", "shop.com.au", id="com-au"),
        pytest.param("https://ann.github.io/", "ann.github.io", id="github-io"),
        pytest.param("https://bob.github.io/", "bob.github.io", id="github-io-other-user"),
        pytest.param("https://x.ann.github.io/", "ann.github.io", id="github-io-below"),
        pytest.param("https://github.io/", "github.io", id="a-suffix-itself"),
        pytest.param("http://co.uk:81/", "co.uk:81", id="a-suffix-with-a-port"),
        pytest.param("https://shop.nosuchtld/", "shop.nosuchtld", id="unlisted-suffix"),
        pytest.param("http://1.2.3.4/", "1.2.3.4", id="ipv4"),
        pytest.param("http://1.2.3.4:8080/", "1.2.3.4:8080", id="ipv4-port"),
        pytest.param("http://127.0.0.1:8081/", "127.0.0.1:8081", id="ipv4-other-port"),
        pytest.param("http://localhost/", "localhost", id="localhost"),
        pytest.param("http://localhost:8080/", "localhost:8080", id="localhost-port"),
        pytest.param("http://[::1]/", "[::1]", id="ipv6"),
        pytest.param("http://[2001:DB8::1]:8080/", "[2001:db8::1]:8080", id="ipv6-port"),
        pytest.param("https://www.bücher.example/", "xn--bcher-kva.example", id="idn"),
        pytest.param("https://www.xn--bcher-kva.example/", "xn--bcher-kva.example", id="idn-in-ascii"),
        pytest.param("https://www.食狮.公司.cn/", "xn--85x722f.xn--55qx5d.cn", id="idn-suffix"),
        pytest.param("https://a.kawasaki.jp/", "a.kawasaki.jp", id="wildcard-suffix"),
        pytest.param("https://a.b.c.kawasaki.jp/", "b.c.kawasaki.jp", id="wildcard-suffix-below"),
        pytest.param("https://www.city.kawasaki.jp/", "city.kawasaki.jp", id="exception-to-a-wildcard"),
    ],
)
def test_a_url_belongs_to_its_registrable_domain(url: str, site: str) -> None:
    """All that one owner runs is one site; an address or a lone name is one with its port."""
    assert site_of(url) == site


@pytest.mark.parametrize(
    "urls",
    [
        ["Shop.example", "shop.example.", "SHOP.example:443", "www.shop.example", "shop\u3002example"],
        ["bücher.example", "BÜCHER.example", "xn--bcher-kva.example", "XN--BCHER-KVA.example.", "bu\u0308cher.example"],
        ["127.0.0.77", "127.0.0.77:443", "127.0.77", "0x7f00004d", "127.0.0.77."],
        ["127.0.0.77:8080", "127.77:8080", "127.0.0.77:08080"],
        ["localhost", "LOCALHOST:443", "localhost."],
        ["[2001:db8::1]", "[2001:DB8:0:0::1]:443"],
    ],
    ids=itemgetter(0),
)
def test_a_site_has_one_name_whichever_way_it_is_written(urls: list[str]) -> None:
    """And is found by that name as by a URL."""
    names = {site_of(f"https://{url}/") for url in urls}

    assert len(names) == 1
    assert {site_of(f"https://{name}/") for name in names} == {respelled(name) for name in names} == names


@pytest.mark.parametrize("host", ["127.0.0.77", "localhost", "[::1]"])
def test_the_port_of_the_scheme_is_no_part_of_a_site(host: str) -> None:
    """Of another scheme it is one."""
    assert site_of(f"http://{host}:80/") == site_of(f"https://{host}:443/") == site_of(f"http://{host}/") == host
    assert site_of(f"http://{host}:443/") == f"{host}:443"


@pytest.mark.parametrize(
    ("site", "names"),
    [
        ("shop.example", []),
        ("xn--bcher-kva.example", ["bücher.example"]),
        ("127.0.0.77", ["127.0.0.77:80", "127.0.0.77:443"]),
        ("127.0.0.77:8080", []),
        ("[::1]", ["::1", "::1:80", "::1:443"]),
        ("[::1]:8080", ["::1:8080"]),
        ("xn--a.example", []),
        ("what its user likes", ["what its user likes:80", "what its user likes:443"]),
    ],
)
def test_what_a_store_called_a_site_once_is_known(site: str, names: list[str]) -> None:
    """The names of versions that took alphabet and port as they stood in the URL."""
    assert former_names(site) == names


@pytest.mark.parametrize("name", ["what its user likes", "shop/de", "ann@shop.example", "", "::1", "a..b"])
def test_a_name_that_is_no_host_stays_as_it_is(name: str) -> None:
    """Sites may be called by a rule of their user's own."""
    assert respelled(name) == name


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("", id="empty"),
        pytest.param("shop.example", id="no-scheme"),
        pytest.param("/item/1", id="path"),
        pytest.param("//shop.example/", id="no-scheme-but-slashes"),
        pytest.param("ftp://shop.example/", id="ftp"),
        pytest.param("data:text/plain,x", id="data"),
        pytest.param("javascript:alert(1)", id="javascript"),
        pytest.param("http://", id="no-host"),
        pytest.param("http:///item", id="three-slashes"),
        pytest.param("http://:80/", id="port-only"),
        pytest.param("http://shop.example:http/", id="port-in-words"),
        pytest.param("http://shop.example:99999/", id="port-too-high"),
        pytest.param("http://[::1/", id="bracket-left-open"),
        pytest.param("http://[nonsense]/", id="no-ipv6"),
        pytest.param("http://exa mple.com/", id="blank-in-the-host"),
    ],
)
def test_what_is_no_url_of_the_web_is_refused(url: str) -> None:
    """The error shows what was handed in."""
    with pytest.raises(ConfigError, match="not a URL") as caught:
        site_of(url)

    assert repr(url) in str(caught.value)


@pytest.mark.parametrize(
    "url", ["data:,x", "blob:https://shop.example/1", "about:blank", "http://a!b/", "http://a..b/", ""]
)
def test_what_a_page_asks_for_may_be_of_no_site(url: str) -> None:
    """A browser's page asks for more than there are sites for."""
    assert site_or_none(url) == ""
    assert site_or_none("https://www.shop.example/a") == "shop.example"


@settings(deadline=None, max_examples=200)
@given(st.one_of(st.text(), st.text().map("http://".__add__), st.text("[]:/.%@a1 ").map("http://".__add__)))
def test_anything_has_a_site_or_is_refused(text: str) -> None:
    """No text ends in another exception, and no site is empty."""
    try:
        site = site_of(text)
    except ConfigError:
        return

    assert site


@pytest.mark.parametrize(
    "line",
    [
        "10.0.0.1;8080;ann;topsecret",
        "10.0.0.1,8080,ann,topsecret",
        "10.0.0.1|8080|topsecret",
        "socks5 10.0.0.1 1080 ann topsecret",
        "shop.example\tFALSE\t/\tFALSE\t0\tsid\ttopsecret",
        "PASSWORD=topsecret",
        "Cookie: sid=topsecret",
    ],
)
def test_a_line_of_another_list_is_not_repeated(line: str) -> None:
    """Whoever exchanges two lists has no password printed."""
    with pytest.raises(ConfigError) as caught:
        site_of(line)

    assert "topsecret" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "203.0.113.7:8000:anna:topsecret",
        "anna:topsecret@203.0.113.7:8000",
        "socks5://anna:topsecret@a:1",
        "http://a:1:b:topsecret/",
    ],
)
def test_a_proxy_that_was_taken_for_a_url_is_not_repeated(line: str) -> None:
    """Its password would stand in the error."""
    with pytest.raises(ConfigError, match="not a URL: ") as caught:
        site_of(line)

    assert "topsecret" not in str(caught.value)


def test_a_host_that_is_far_too_long_is_not_even_read() -> None:
    """To put its letters in order takes seconds, if they are marks on letters."""
    marks = "\u0315\u0300\u0323\u0345\u05b0" * 13_000

    with pytest.raises(ConfigError, match="its host has more than 2,048 letters"):
        site_of(f"https://a{marks}.example/")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("a.b.shop.example", "shop.example"),
        ("shop.co.uk", "shop.co.uk"),
        ("shop.example.", "shop.example"),
        ("co.uk", ""),
        ("github.io", ""),
        ("localhost", ""),
        ("127.0.0.1", ""),
        ("0.1", ""),
        ("[::1]", ""),
        ("..", ""),
        ("", ""),
    ],
)
def test_the_registrable_domain_of_a_host(host: str, expected: str) -> None:
    """None has one that is a public suffix, an address or half of one."""
    assert registrable(host) == expected
