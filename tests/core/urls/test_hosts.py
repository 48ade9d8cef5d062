"""Hosts in one spelling each."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxysieve.core.urls.hosts import LONGEST_HOST, is_private, url_host

# As in the tests of the URL standard (web-platform-tests, url/resources/urltestdata.json and toascii.json), with the
# results of Chromium 156.
SPELLINGS = [
    pytest.param("shop.example", "shop.example", id="as-it-is"),
    pytest.param("SHOP.Example", "shop.example", id="capitals"),
    pytest.param("shop.example.", "shop.example.", id="final-dot"),
    pytest.param("my_shop.example", "my_shop.example", id="underscore"),
    pytest.param("-a-.example", "-a-.example", id="hyphens-around"),
    pytest.param("r3---sn-4g5e6nsz.example", "r3---sn-4g5e6nsz.example", id="hyphens-in-third-place"),
    pytest.param("localhost", "localhost", id="one-label"),
    pytest.param("bücher.example", "xn--bcher-kva.example", id="letters"),
    pytest.param("BÜCHER.example", "xn--bcher-kva.example", id="capital-letters"),
    pytest.param("bu\u0308cher.example", "xn--bcher-kva.example", id="letters-in-two-parts"),
    pytest.param("xn--bcher-kva.example", "xn--bcher-kva.example", id="punycode"),
    pytest.param("XN--BCHER-KVA.example", "xn--bcher-kva.example", id="punycode-in-capitals"),
    pytest.param("www\u3002xn--bcher-kva\uff0eexample", "www.xn--bcher-kva.example", id="other-dots"),
    pytest.param("faß.example", "xn--fa-hia.example", id="sharp-s-is-kept"),
    pytest.param("βόλος.example", "xn--nxasmm1c.example", id="final-sigma-is-kept"),
    pytest.param("日本語。\uff4a\uff50", "xn--wgv71a119e.jp", id="wide-letters"),
    pytest.param("\uff21\uff22\uff23.example", "abc.example", id="wide-ascii"),
    pytest.param("a\u00adb.example", "ab.example", id="soft-hyphen"),
    pytest.param("❤.example", "xn--qei.example", id="a-picture"),
    pytest.param("א1.example", "xn--1-zhc.example", id="right-to-left"),
    pytest.param("%C3%A4.example", "xn--4ca.example", id="escaped-utf-8"),
    pytest.param("%73hop.example", "shop.example", id="escaped-ascii"),
    pytest.param("xn--a.example", "xn--a.example", id="what-only-looks-like-punycode"),
    pytest.param("1.2.3.4", "1.2.3.4", id="ipv4"),
    pytest.param("1.2.3.4.", "1.2.3.4", id="ipv4-final-dot"),
    pytest.param("127.1", "127.0.0.1", id="ipv4-two-numbers"),
    pytest.param("2130706433", "127.0.0.1", id="ipv4-one-number"),
    pytest.param("4294967295", "255.255.255.255", id="ipv4-highest-number"),
    pytest.param("0x7f.0.0.1", "127.0.0.1", id="ipv4-hexadecimal"),
    pytest.param("0X7F000001", "127.0.0.1", id="ipv4-hexadecimal-in-one"),
    pytest.param("0300.0250.1", "192.168.0.1", id="ipv4-octal"),
    pytest.param("0x", "0.0.0.0", id="ipv4-nothing-hexadecimal"),
    pytest.param("\uff11\uff12\uff17.\uff11", "127.0.0.1", id="ipv4-wide-digits"),
    pytest.param("1e2", "1e2", id="no-number"),
    pytest.param("[::1]", "[::1]", id="ipv6"),
    pytest.param("[2001:DB8:0:0:0:0:0:1]", "[2001:db8::1]", id="ipv6-compressed"),
    pytest.param("[1:0:0:2:0:0:0:3]", "[1:0:0:2::3]", id="ipv6-longest-run"),
    pytest.param("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", id="ipv6-mapped"),
    pytest.param("[1::2:3:4.5.6.7]", "[1::2:3:405:607]", id="ipv6-ends-in-ipv4"),
]


@pytest.mark.parametrize(("text", "host"), SPELLINGS)
def test_a_host_is_spelled_as_browsers_do(text: str, host: str) -> None:
    """Whichever way it is written, it is one host."""
    assert url_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "a..b", "example..", ".example", "a b", "a\tb", "a/b", "a:b", "a@b", "a<b", "a|b", "a%b", "a%7Cb"),
        *("a'b.example", "a*b.example", "a%00b", "%e4.example", "%ff.example", f"{'a' * 64}.example", "a" * 254),
        *("1.2.3.4.5", "256.1.1.1", "4294967296", "09", "x.0x", "a.1", "1.2.3.256", "0xg.1", "1..2"),
        *("[::g]", "[1]", "[]", "[::1", "::1", "[::1%25eth0]", "[::1%eth0]", "[1:2:3:4:5:6:7:8:9]", "[::01.2.3.4]"),
        *("1א.example", "a\u200cb.example", "a\u200db.example", "\u0301a.example", "a\ufffdb.example", "a\ud800b"),
        *("xn--a\u3002example", "xn--bcher\u3002\u0301a", "\u00ad", "\u2488com"),
    ],
)  # fmt: skip
def test_what_no_dns_can_be_asked_for_is_no_host(text: str) -> None:
    """Nor what two readers would read in two ways."""
    assert url_host(text) == ""


def test_a_name_may_be_as_long_as_dns_has_them() -> None:
    """RFC 1035, 2.3.4; a final dot is not counted, and marks on letters are not put in order without end."""
    longest = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])

    assert len(longest) == LONGEST_HOST
    assert url_host(longest) == longest
    assert url_host(f"{longest}.") == f"{longest}."
    assert url_host(f"a{longest}") == ""
    assert url_host("a" + "\u0315\u0300\u0323\u0345\u05b0" * 13_000) == ""


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.text(max_size=80), st.text("[]:.%@a1x0-ß食\u200dא", max_size=20)))
def test_any_text_is_spelled_once_and_for_all(text: str) -> None:
    """What is spelled is not spelled in another way again."""
    host = url_host(text)

    assert url_host(host) == host
    assert host.isascii()


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST", "localhost.", "shop.localhost", "printer.local", "metadata.google.internal"),
        *("router.home.arpa", "127.0.0.1", "127.255.0.9", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0"),
        *("0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
        *("192.0.0.170", "100.127.255.255", "198.18.0.1", "198.19.255.255", "224.0.0.1", "240.0.0.1"),
        *("239.255.255.250", "255.255.255.255"),
        *("::", "::1", "[::1]", "fe80::1", "febf::1", "fec0::1", "fc00::1", "fd12:3456::1", "ff02::1", "100::1"),
        *("::ffff:127.0.0.1", "[::ffff:10.0.0.1]", "::ffff:7f00:1", "::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::1"),
        *("2002:7f00:1::", "2002:c0a8:101::1", "\uff11\uff12\uff17.1", "loc\u00adalhost"),
    ],
)  # fmt: skip
def test_places_that_are_not_everybodys_are_known(host: str) -> None:
    """In whichever spelling: what reads addresses in fewer forms than the client lets the others pass."""
    assert is_private(host)


@pytest.mark.parametrize(
    "host",
    [
        *("shop.example", "localhost.example", "notlocalhost", "local.example", "internal.example", "localhost.com."),
        *("1.1.1.1", "8.8.8.8", "172.15.255.255", "172.32.0.1", "192.167.1.1", "100.63.0.1", "100.128.0.1"),
        *("126.255.255.255", "128.0.0.1", "198.17.0.1", "198.20.0.1", "203.0.113.7", "223.255.255.255", "169.253.0.1"),
        *("2606:4700::1111", "[2001:db8::1]", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1", "fb00::1"),
        *("", "no host", "[::g]"),
    ],
)  # fmt: skip
def test_public_places_are_everybodys(host: str) -> None:
    """Also those beside a private network."""
    assert not is_private(host)
