"""Headers of the user's own."""

from __future__ import annotations

import pytest

from proxysieve import ConfigError, SessionPool
from proxysieve.own_headers import check_headers, parse_header
from proxysieve.testbed import Testbed, World


def test_a_header_is_a_name_and_a_value() -> None:
    """Space around them is none of theirs, and a value may have colons in it."""
    assert parse_header("X-Token:  a:b ") == ("X-Token", "a:b")
    assert parse_header("Accept-Language: de") == ("Accept-Language", "de")


@pytest.mark.parametrize("text", ["topsecret", ": topsecret", "two words: topsecret", "", "Émile: topsecret"])
def test_what_is_no_header_is_not_repeated(text: str) -> None:
    """It may be a secret."""
    with pytest.raises(ConfigError, match="expected 'Name: value'") as caught:
        parse_header(text)

    assert "topsecret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("User-Agent", "curl/8", "part of what a session looks like"),
        ("sec-ch-ua-platform", '"Linux"', "part of what a session looks like"),
        ("Cookie", "a=b", "--cookie-file"),
        ("Host", "other.example", "for the client to say"),
        ("Content-Length", "3", "for the client to say"),
        ("Proxy-Authorization", "Basic eDp5", "between the client and the proxy"),
        ("X-Two-Lines", "a\r\nX-Other: b", "printable ASCII"),
        ("X Y", "a", "made of other characters"),
    ],
)
def test_what_is_not_the_users_to_say_is_refused(name: str, value: str, says: str) -> None:
    """The error says whose it is, or where it is said instead, and repeats no value."""
    with pytest.raises(ConfigError, match=says) as caught:
        SessionPool(["a.example:1"], store="memory:", headers={name: value})

    assert value not in str(caught.value) or len(value) < 4


def test_the_users_own_headers_pass() -> None:
    """Whatever a session's browser would not contradict."""
    headers = {"Accept-Language": "de", "Authorization": "Bearer x", "X-Empty": ""}

    assert check_headers(headers) == headers


async def test_they_are_sent_with_every_request_and_an_own_one_counts_for_more() -> None:
    """Those of the pool come on top of the identity's, those of a request on top of the pool's; none is sent twice."""
    async with (
        Testbed(World(proxies=1, networks=1)) as bed,
        SessionPool(
            bed.proxy_lines, store="memory:", headers={"Accept-Language": "de", "X-Own": "pool"}, max_rate=0
        ) as pool,
    ):
        page = await pool.get(f"{bed.site_url}/echo", headers={"X-Own": "request"})

    sent = [(name.lower(), value) for name, value in page.json()["headers"]]
    assert [value for name, value in sent if name == "accept-language"] == ["de"]
    assert [value for name, value in sent if name == "x-own"] == ["request"]
