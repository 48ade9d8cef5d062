"""Lines of text into proxies."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxysieve.core.address import SCHEMES, parse_proxy
from proxysieve.core.model import SESSION_PLACEHOLDER, Proxy
from proxysieve.errors import ConfigError

SECRET = "hunter2"
LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
HOSTS = st.one_of(
    st.lists(LABELS, min_size=1, max_size=4).map(".".join),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)
TEXTS = st.lists(st.one_of(st.text(max_size=8), st.just(SESSION_PLACEHOLDER)), max_size=3).map("".join)
PROXIES = st.builds(
    Proxy,
    scheme=st.sampled_from(SCHEMES),
    host=HOSTS,
    port=st.integers(1, 65_535),
    username=TEXTS,
    password=TEXTS,
)


def parts(proxy: Proxy) -> tuple[str, str, int, str, str]:
    return proxy.scheme, proxy.host, proxy.port, proxy.username, proxy.password


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("1.2.3.4:8080", ("http", "1.2.3.4", 8080, "", ""), id="host-and-port"),
        pytest.param("exit.example:80", ("http", "exit.example", 80, "", ""), id="name-and-port"),
        pytest.param("ann:pw@1.2.3.4:8080", ("http", "1.2.3.4", 8080, "ann", "pw"), id="no-scheme"),
        pytest.param("http://1.2.3.4:8080", ("http", "1.2.3.4", 8080, "", ""), id="http"),
        pytest.param("https://1.2.3.4:443", ("https", "1.2.3.4", 443, "", ""), id="https"),
        pytest.param("socks5://1.2.3.4:1080", ("socks5", "1.2.3.4", 1080, "", ""), id="socks5"),
        pytest.param("socks5h://a:b@h:1080", ("socks5h", "h", 1080, "a", "b"), id="socks5h"),
        pytest.param("HTTP://EXIT.Example:80", ("http", "exit.example", 80, "", ""), id="capitals"),
        pytest.param("  1.2.3.4:8080\r\n", ("http", "1.2.3.4", 8080, "", ""), id="blanks-around"),
        pytest.param("http://1.2.3.4:8080/", ("http", "1.2.3.4", 8080, "", ""), id="slash-behind"),
        pytest.param("http://key:@h:80", ("http", "h", 80, "key", ""), id="user-and-colon"),
        pytest.param("http://key@h:80", ("http", "h", 80, "key", ""), id="user-only"),
        pytest.param("http://:pw@h:80", ("http", "h", 80, "", "pw"), id="password-only"),
        pytest.param("http://a:b:c@h:80", ("http", "h", 80, "a", "b:c"), id="colon-in-the-password"),
        pytest.param("http://a@b:c@h:80", ("http", "h", 80, "a@b", "c"), id="at-in-the-user"),
        pytest.param("http://a%40b:c%2Fd@h:80", ("http", "h", 80, "a@b", "c/d"), id="quoted"),
        pytest.param("http://a+b:c+d@h:80", ("http", "h", 80, "a+b", "c+d"), id="plus-is-a-plus"),
        pytest.param("http://ü:ñ@h:80", ("http", "h", 80, "ü", "ñ"), id="not-ascii"),
        pytest.param("http://[2001:DB8::1]:80", ("http", "2001:db8::1", 80, "", ""), id="ipv6"),
        pytest.param("a:b@[::1]:80", ("http", "::1", 80, "a", "b"), id="ipv6-no-scheme"),
        pytest.param("http://u-{session}:p@h:80", ("http", "h", 80, "u-{session}", "p"), id="gateway"),
        pytest.param("http://u:p_{session}@h:80", ("http", "h", 80, "u", "p_{session}"), id="gateway-by-password"),
    ],
)
def test_all_usual_forms_are_read(line: str, expected: tuple[str, str, int, str, str]) -> None:
    """A line in any of the forms in which proxies are sold is read as what it means."""
    assert parts(parse_proxy(line)) == expected


@pytest.mark.parametrize(
    ("line", "why"),
    [
        pytest.param("", "expected", id="empty"),
        pytest.param("   ", "expected", id="blank"),
        pytest.param(f"http://ann:{SECRET}@h:80 http://h:81", "expected", id="two-on-a-line"),
        pytest.param(f"http://ann:{SECRET} @h:80", "expected", id="blank-inside"),
        pytest.param(f"http://ann:{SECRET}\t@h:80", "expected", id="tab-inside"),
        pytest.param(f"http://ann:{SECRET}\u00a0@h:80", "expected", id="hard-blank-inside"),
        pytest.param(f"http://ann:{SECRET}\x00@h:80", "expected", id="null-inside"),
        pytest.param(f"http://ann:{SECRET}\ud800@h:80", "expected", id="half-a-character"),
        pytest.param(f"\ufeffhttp://ann:{SECRET}@h:80", "expected", id="byte-order-mark"),
        pytest.param("exit.example", "lacks a port", id="no-port"),
        pytest.param(f"http://ann:{SECRET}@exit.example", "lacks a port", id="no-port-after-credentials"),
        pytest.param(f"http://ann:{SECRET}@exit.example:0", "lacks a port", id="port-0"),
        pytest.param(f"http://ann:{SECRET}@exit.example:", "lacks a port", id="colon-but-no-port"),
        pytest.param(f"http://ann:{SECRET}@:8080", "lacks a host", id="no-host"),
        pytest.param("http://", "lacks a host", id="scheme-only"),
        pytest.param(f"http://ann:{SECRET}@h:65536", "cannot be read", id="port-too-high"),
        pytest.param(f"http://ann:{SECRET}@h:-1", "cannot be read", id="port-below-0"),
        pytest.param(f"http://ann:{SECRET}@h:http", "cannot be read", id="port-in-words"),
        pytest.param(f"1.2.3.4:8080:ann:{SECRET}", "cannot be read", id="host-port-user-password"),
        pytest.param(f"http://ann:{SECRET}@[::1:80", "cannot be read", id="bracket-left-open"),
        pytest.param(f"http://ann:{SECRET}@::1]:80", "cannot be read", id="bracket-never-opened"),
        pytest.param(f"http://ann:{SECRET}@[nonsense]:80", "cannot be read", id="no-ipv6-in-brackets"),
        pytest.param(f"http://ann:{SECRET}@exit\u2100example:80", "cannot be read", id="host-that-unfolds-to-a-slash"),
        pytest.param(f"ftp://ann:{SECRET}@h:21", "unknown scheme 'ftp'", id="ftp"),
        pytest.param(f"socks4://ann:{SECRET}@h:1080", "unknown scheme 'socks4'", id="socks4"),
        pytest.param(f"://ann:{SECRET}@h:80", "unknown scheme ''", id="empty-scheme"),
        pytest.param(f"http://h:80/path?{SECRET}", "follows the port", id="path"),
        pytest.param(f"http://h:80?{SECRET}", "follows the port", id="query"),
        pytest.param(f"http://h:80#{SECRET}", "follows the port", id="fragment"),
        pytest.param(f"http://ann:1/{SECRET}@h:80", "follows the port", id="slash-in-the-password"),
        pytest.param(f"http://ann:1#{SECRET}@h:80", "follows the port", id="hash-in-the-password"),
    ],
)
def test_wrong_lines_are_refused_in_words(line: str, why: str) -> None:
    """What is no proxy gets an error that says what was expected, and never repeats a password."""
    with pytest.raises(ConfigError) as caught:
        parse_proxy(line)

    message = str(caught.value)
    assert why in message
    assert "host:port" in message
    assert SECRET not in message
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("line", "cost"),
    [
        pytest.param("h:80", 1.0, id="none"),
        pytest.param("h:80 cost=20", 20.0, id="whole"),
        pytest.param("h:80 cost=0.25", 0.25, id="fraction"),
        pytest.param("h:80 cost=1e-3", 0.001, id="exponent"),
        pytest.param("  h:80   cost=3  \r\n", 3.0, id="blanks-around"),
        pytest.param("http://ann:cost=9@h:80", 1.0, id="cost-in-the-password"),
        pytest.param("http://u-{session}:p@h:80 cost=20", 20.0, id="gateway"),
    ],
)
def test_what_it_costs_may_follow(line: str, cost: float) -> None:
    """A cost behind the address is read, and makes no other proxy."""
    proxy = parse_proxy(line)

    assert proxy.cost == cost
    assert proxy == parse_proxy(line.split(maxsplit=1)[0])


@pytest.mark.parametrize(
    ("behind", "why"),
    [
        pytest.param("cost=", "no positive finite number", id="no-value"),
        pytest.param("cost=0", "no positive finite number", id="nothing"),
        pytest.param("cost=-1", "no positive finite number", id="negative"),
        pytest.param("cost=nan", "no positive finite number", id="nan"),
        pytest.param("cost=inf", "no positive finite number", id="infinite"),
        pytest.param("cost=1e999", "no positive finite number", id="too-large"),
        pytest.param("cost=1e-999", "no positive finite number", id="too-small"),
        pytest.param("cost=0,5", "no positive finite number", id="decimal-comma"),
        pytest.param(f"cost={SECRET}", "no positive finite number", id="words"),
        pytest.param("cost = 5", "something follows", id="blanks-inside"),
        pytest.param("cost=5 cost=5", "its cost is given twice", id="doubled"),
        pytest.param("cost=5 costs=5", "unknown key 'costs'", id="unknown"),
        pytest.param(f"{SECRET}=5", "an unknown key follows", id="unknown-with-digits"),
        pytest.param("Cost=5", "an unknown key follows", id="unknown-with-capitals"),
        pytest.param("=5", "an unknown key follows", id="no-key"),
        pytest.param(f"{'a' * 21}=5", "an unknown key follows", id="unknown-and-long"),
        pytest.param("cost=5 # dear", "something follows", id="comment"),
        pytest.param(f"cost=5 {SECRET}", "something follows", id="word"),
        pytest.param("cost=5\tcost=5", "not a proxy", id="tab"),
    ],
)
def test_what_else_follows_is_refused_in_words(behind: str, why: str) -> None:
    """The message says what was expected, and repeats neither the address nor what may be a secret."""
    with pytest.raises(ConfigError) as caught:
        parse_proxy(f"http://ann:{SECRET}@exit.example:80 {behind}")

    message = str(caught.value)
    assert why in message
    assert "cost=NUMBER" in message
    assert not any(secret in message for secret in (SECRET, "ann", "exit.example", "a" * 21))
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("line", ["http://ann:12 hunter=3@h:80", "http://ann:12 hunter=3 x@h:80", "ann:12 cost=3@h:80"])
def test_credentials_with_a_blank_are_no_options(line: str) -> None:
    """However much a piece of the password looks like one."""
    with pytest.raises(ConfigError) as caught:
        parse_proxy(line)

    assert str(caught.value).startswith("not a proxy: expected")
    assert "hunter" not in str(caught.value)


@settings(deadline=None)
@given(PROXIES)
def test_a_proxy_survives_being_written_and_read(proxy: Proxy) -> None:
    """Parsing what was formatted gives the same proxy: any credentials, IPv6, gateways."""
    again = parse_proxy(proxy.url(SESSION_PLACEHOLDER))

    assert parts(again) == parts(proxy)
    assert again == proxy


@given(PROXIES, st.floats(min_value=0, exclude_min=True, allow_infinity=False))
def test_so_does_its_cost(proxy: Proxy, cost: float) -> None:
    """To the bit."""
    again = parse_proxy(f"{proxy.url(SESSION_PLACEHOLDER)} cost={cost!r}")

    assert (again.key, again.cost) == (proxy.key, cost)


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.text(st.characters()), st.text(alphabet="http:/@[]%.19#?{session}\\ \t\x00ü\ud800cost=")))
@example("http://[")
@example("[::1")
@example("http://a@[v1.x]:1")
@example("\ud800:1")
@example("http://\ud800:x@h:1")
@example("h:1 \ud800=1")
@example("h:1 cost=\u0661")
def test_any_text_is_a_proxy_or_a_config_error(text: str) -> None:
    """Nothing that a file may hold ends in another exception; what is read can be written and read again."""
    try:
        proxy = parse_proxy(text)
    except ConfigError:
        return

    assert parse_proxy(proxy.url(SESSION_PLACEHOLDER)) == proxy
