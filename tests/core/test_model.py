"""The values that cross borders: how proxies are told apart and shown, and what identities send."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from proxysieve.core.fingerprints.available import FINGERPRINTS
from proxysieve.core.model import Exchange, Proxy
from proxysieve.errors import ConfigError

BASE = Proxy(scheme="http", host="exit.example", port=8080, username="ann", password="secret")
# What no client sends is refused, whoever says it.
LETTERS = st.characters(codec="utf-8").filter(str.isprintable)
PASSWORDS = st.text(LETTERS, min_size=1, max_size=20)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"scheme": "socks5"}, id="scheme"),
        pytest.param({"host": "other.example"}, id="host"),
        pytest.param({"port": 8081}, id="port"),
        pytest.param({"username": "bob"}, id="user"),
        pytest.param({"password": "other"}, id="password"),
        pytest.param({"username": "", "password": ""}, id="no-credentials"),
        pytest.param({"username": "secret", "password": "ann"}, id="swapped"),
        pytest.param({"username": "ann:secret", "password": ""}, id="run-together"),
        pytest.param({"username": "ann-{session}"}, id="gateway"),
    ],
)
def test_every_part_makes_another_proxy(change: dict[str, str | int]) -> None:
    """Two proxies that differ in anything are two, and stores know them by two keys."""
    other = msgspec.structs.replace(BASE, **change)

    assert other.key != BASE.key
    assert other != BASE


def test_the_key_depends_on_nothing_but_the_address() -> None:
    """The key is the same in every process, and cannot be passed in."""
    same = Proxy(scheme="http", host="exit.example", port=8080, username="ann", password="secret", key="forged")

    assert same == BASE
    assert hash(same) == hash(BASE)
    assert same.key == BASE.key == "1f74b50ae9a6484e"


def test_the_cost_makes_no_other_proxy() -> None:
    """A proxy whose price changes stays the one that stores know."""
    dear = msgspec.structs.replace(BASE, cost=20.0)

    assert (BASE.cost, dear.cost) == (1.0, 20.0)
    assert dear == BASE
    assert hash(dear) == hash(BASE)
    assert (dear.url(), str(dear)) == (BASE.url(), str(BASE))


def test_a_name_stands_for_the_address_wherever_a_proxy_is_shown() -> None:
    """It makes no other proxy, and the address stays what clients get."""
    named = msgspec.structs.replace(BASE, name="berlin-1", ttl_seconds=60.0, max_in_flight=3)

    assert (str(named), repr(named)) == ("berlin-1", "<Proxy berlin-1>")
    assert (named, named.url()) == (BASE, BASE.url())
    assert named.options == (1.0, "berlin-1", 60.0, 3)


@pytest.mark.parametrize(
    "option",
    [
        {"name": "two words"},
        {"name": "a@b"},
        {"name": "a\n"},
        {"name": "n" * 65},
        {"ttl_seconds": -1.0},
        {"ttl_seconds": float("nan")},
        {"ttl_seconds": float("inf")},
        {"max_in_flight": -1},
    ],
    ids=str,
)
def test_options_out_of_range_are_refused(option: dict[str, str | float]) -> None:
    """By a message that says what was expected."""
    with pytest.raises(ConfigError, match="expected"):
        msgspec.structs.replace(BASE, **option)


@pytest.mark.parametrize("cost", [0.0, -1.0, float("nan"), float("inf")])
def test_a_cost_is_a_positive_finite_number(cost: float) -> None:
    """Nothing else can be weighed against another one."""
    with pytest.raises(ConfigError, match="expected a positive finite number"):
        msgspec.structs.replace(BASE, cost=cost)


@pytest.mark.parametrize(
    ("host", "network"),
    [
        pytest.param("10.1.2.3", "10.1.2.0/24", id="ipv4"),
        pytest.param("10.1.2.255", "10.1.2.0/24", id="ipv4-last"),
        pytest.param("::ffff:10.1.2.3", "10.1.2.0/24", id="ipv4-in-ipv6"),
        pytest.param("2001:db8:1:2::3", "2001:db8:1::/48", id="ipv6"),
        pytest.param("2001:0DB8:0001:ffff::", "2001:db8:1::/48", id="ipv6-written-otherwise"),
        pytest.param("fe80::1%eth0", "fe80::/48", id="ipv6-with-a-zone"),
        pytest.param("exit.example", "", id="name"),
        pytest.param("10.1.2", "", id="no-address"),
        pytest.param("010.1.2.3", "", id="leading-zero"),
    ],
)
def test_the_network_is_the_neighbourhood_of_the_exit(host: str, network: str) -> None:
    """An address has its /24 or /48, however it is written; that of a name is unknown. It cannot be passed in."""
    proxy = msgspec.structs.replace(BASE, host=host, network="forged")

    assert proxy.network == network


def test_a_provider_has_no_network() -> None:
    """Its own address says nothing about its exits."""
    assert Proxy(scheme="http", host="10.1.2.3", port=80, username="ann-{session}").network == ""


def test_whether_it_is_a_gateway_is_derived() -> None:
    """It follows the credentials, and cannot be passed in."""
    gateway = msgspec.structs.replace(BASE, username="ann-{session}")

    assert gateway.is_gateway
    assert not msgspec.structs.replace(gateway, username="ann").is_gateway
    assert not msgspec.structs.replace(BASE, is_gateway=True).is_gateway


@settings(deadline=None)
@given(username=st.text(LETTERS, max_size=10), first=PASSWORDS, second=PASSWORDS)
def test_no_text_form_depends_on_the_password(username: str, first: str, second: str) -> None:
    """Whatever the password is, proxies look the same in logs, debuggers and tracebacks."""
    proxies = [
        Proxy(scheme="http", host="exit.example", port=8080, username=username, password=password)
        for password in (first, second)
    ]

    shown = [(str(proxy), repr(proxy), f"{proxy}", pretty_repr(proxy)) for proxy in proxies]

    assert shown[0] == shown[1]


@pytest.mark.parametrize(
    ("username", "password", "shown"),
    [
        pytest.param("", "", "http://exit.example:8080", id="none"),
        pytest.param("ann", "secret", "http://ann:***@exit.example:8080", id="both"),
        pytest.param("api-key", "", "http://***@exit.example:8080", id="key-in-place-of-a-user"),
        pytest.param("", "secret", "http://:***@exit.example:8080", id="password-only"),
    ],
)
def test_a_proxy_is_shown_without_its_secret(username: str, password: str, shown: str) -> None:
    """The password is never shown, nor a username that stands alone, as that is an API key."""
    proxy = Proxy(scheme="http", host="exit.example", port=8080, username=username, password=password)

    assert str(proxy) == shown
    assert repr(proxy) == f"<Proxy {shown}>"


@pytest.mark.parametrize(
    ("username", "password", "is_gateway", "url"),
    [
        pytest.param("ann", "pw", False, "http://ann:pw@[2001:db8::1]:80", id="plain"),
        pytest.param("ann-{session}", "pw", True, "http://ann-s%2F1:pw@[2001:db8::1]:80", id="in-the-user"),
        pytest.param("ann", "pw_{session}", True, "http://ann:pw_s%2F1@[2001:db8::1]:80", id="in-the-password"),
        pytest.param("", "", False, "http://[2001:db8::1]:80", id="no-credentials"),
        pytest.param("a:b@c", "p/w?#", False, "http://a%3Ab%40c:p%2Fw%3F%23@[2001:db8::1]:80", id="quoted"),
    ],
)
def test_the_url_is_complete(username: str, password: str, is_gateway: bool, url: str) -> None:  # noqa: FBT001
    """Clients get credentials, session name and brackets, all quoted as URLs want it."""
    proxy = Proxy(scheme="http", host="2001:db8::1", port=80, username=username, password=password)

    assert proxy.is_gateway is is_gateway
    assert proxy.url("s/1") == url


def test_a_header_is_found_by_its_first_value() -> None:
    """Of several headers with one name the first is meant; an absent one is empty."""
    exchange = Exchange(url="http://shop.example", headers=(("a", "1"), ("b", "2"), ("a", "3")))

    assert exchange.header("a") == "1"
    assert exchange.header("c") == ""


def test_an_identity_sends_its_hints_first() -> None:
    """With its user agent and its languages, each in its place."""
    chrome = FINGERPRINTS[0]

    assert (
        chrome.headers.items()
        >= {
            **dict(chrome.client_hints),
            "User-Agent": chrome.user_agent,
            "Accept-Language": chrome.accept_language,
        }.items()
    )
    assert list(chrome.headers)[:3] == ["sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform"]
