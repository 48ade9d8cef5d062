"""Lines of text into proxies."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxysieve.core.list_formats.address import EXPECTED, EXPECTED_OPTIONS, USUAL, is_blank, parse_proxy
from proxysieve.core.list_formats.columns import SCHEMES
from proxysieve.core.model import SESSION_PLACEHOLDER, Proxy
from proxysieve.errors import ConfigError

SECRET = "hunter2"
LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
# A name whose last label is a number would be an IPv4 address.
HOSTS = st.one_of(
    st.lists(LABELS, min_size=0, max_size=3).map(lambda labels: ".".join([*labels, "example"])),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)
# What no client sends is refused, whoever says it.
LETTERS = st.characters(codec="utf-8").filter(str.isprintable)
TEXTS = st.lists(st.one_of(st.text(LETTERS, max_size=8), st.just(SESSION_PLACEHOLDER)), max_size=3).map("".join)
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


V6 = "2001:db8::1"
IPV4 = "1.2.3.4"

GOOD = [
    ("1.2.3.4:8080", ("http", IPV4, 8080, "", "")),
    ("exit.example:80", ("http", "exit.example", 80, "", "")),
    ("squid:3128", ("http", "squid", 3128, "", "")),
    ("my_host.:80", ("http", "my_host.", 80, "", "")),
    ("1.2.3.4:08080", ("http", IPV4, 8080, "", "")),
    ("http://1.2.3.4:8080", ("http", IPV4, 8080, "", "")),
    ("https://1.2.3.4:443", ("https", IPV4, 443, "", "")),
    ("socks5://1.2.3.4:1080", ("socks5", IPV4, 1080, "", "")),
    ("socks5h://ann:pw@h:1080", ("socks5h", "h", 1080, "ann", "pw")),
    ("//1.2.3.4:8080", ("http", IPV4, 8080, "", "")),
    ("//ann:pw@1.2.3.4:8080", ("http", IPV4, 8080, "ann", "pw")),
    ("http://1.2.3.4:8080/", ("http", IPV4, 8080, "", "")),
    ("HTTP://EXIT.Example:80", ("http", "exit.example", 80, "", "")),
    ("SOCKS5://1.2.3.4:1080:ann:pw", ("socks5", IPV4, 1080, "ann", "pw")),
    # As URLs have them.
    ("ann:pw@1.2.3.4:8080", ("http", IPV4, 8080, "ann", "pw")),
    ("http://ann:pw@1.2.3.4:65535", ("http", IPV4, 65535, "ann", "pw")),
    ("http://key@h:80", ("http", "h", 80, "key", "")),
    ("http://key:@h:80", ("http", "h", 80, "key", "")),
    ("http://:pw@h:80", ("http", "h", 80, "", "pw")),
    ("http://a:b:c@h:80", ("http", "h", 80, "a", "b:c")),
    ("http://a@b:c@h:80", ("http", "h", 80, "a@b", "c")),
    ("http://a%40b:c%2Fd%3Ae@h:80", ("http", "h", 80, "a@b", "c/d:e")),
    ("ann:100%2525@h:80", ("http", "h", 80, "ann", "100%25")),
    ("http://a+b:c+d@h:80", ("http", "h", 80, "a+b", "c+d")),
    ("http://ü:ñ@h:80", ("http", "h", 80, "ü", "ñ")),
    ("http://u-{session}:p@h:80", ("http", "h", 80, "u-{session}", "p")),
    ("http://u:p_{session}@h:80", ("http", "h", 80, "u", "p_{session}")),
    ("ann:cost=9@h:80", ("http", "h", 80, "ann", "cost=9")),
    # With colons, as it stands there.
    ("1.2.3.4:8080:ann:pw", ("http", IPV4, 8080, "ann", "pw")),
    ("exit.example:8080:ann:pw", ("http", "exit.example", 8080, "ann", "pw")),
    ("socks5://1.2.3.4:1080:ann:pw", ("socks5", IPV4, 1080, "ann", "pw")),
    ("1.2.3.4:8080:ann:p%40w", ("http", IPV4, 8080, "ann", "p%40w")),
    ("1.2.3.4:8080:ann:p:w:x", ("http", IPV4, 8080, "ann", "p:w:x")),
    ("1.2.3.4:8080:ann:p@w", ("http", IPV4, 8080, "ann", "p@w")),
    ("1.2.3.4:8080:ann:p/w?x#y/", ("http", IPV4, 8080, "ann", "p/w?x#y/")),
    ("h:80:u:p://x", ("http", "h", 80, "u", "p://x")),
    ("1.2.3.4:8080:ann:12345", ("http", IPV4, 8080, "ann", "12345")),
    ("1.2.3.4:8080:john.doe:12345", ("http", IPV4, 8080, "john.doe", "12345")),
    ("exit.example:8080:ann:12345", ("http", "exit.example", 8080, "ann", "12345")),
    ("1.2.3.4:8080::", ("http", IPV4, 8080, "", "")),
    ("1.2.3.4:8080:key:", ("http", IPV4, 8080, "key", "")),
    ("1.2.3.4:8080::pw", ("http", IPV4, 8080, "", "pw")),
    ("gate.example:7000:u-{session}:p", ("http", "gate.example", 7000, "u-{session}", "p")),
    ("http:80:ann:pw", ("http", "http", 80, "ann", "pw")),
    ("ann:pw:1.2.3.4:8080", ("http", IPV4, 8080, "ann", "pw")),
    ("ann:pw:exit.example:8080", ("http", "exit.example", 8080, "ann", "pw")),
    ("ann:p:w:1.2.3.4:8080", ("http", IPV4, 8080, "ann", "p:w")),
    ("ann:p@w:exit.example:80", ("http", "exit.example", 80, "ann", "p@w")),
    ("ann:8080:1.2.3.4:8000", ("http", IPV4, 8000, "ann", "8080")),
    ("socks5://ann:pw:1.2.3.4:1080", ("socks5", IPV4, 1080, "ann", "pw")),
    ("u:p:localhost:80", ("http", "localhost", 80, "u", "p")),
    # IPv6 and names of all alphabets.
    ("[2001:DB8::1]:8080", ("http", V6, 8080, "", "")),
    ("[2001:db8::1]:8080:ann:p:w", ("http", V6, 8080, "ann", "p:w")),
    ("ann:pw:[2001:db8::1]:8080", ("http", V6, 8080, "ann", "pw")),
    ("ann:pw@[2001:db8::1]:8080", ("http", V6, 8080, "ann", "pw")),
    ("socks5://ann:pw@[2001:db8::1]:8080", ("socks5", V6, 8080, "ann", "pw")),
    ("socks5://[2001:db8::1]:8080:ann:pw", ("socks5", V6, 8080, "ann", "pw")),
    ("[fe80::1%eth0]:80", ("http", "fe80::1%eth0", 80, "", "")),
    ("BÜCHER.example:80", ("http", "xn--bcher-kva.example", 80, "", "")),
    ("ann:pw@bücher.example:80", ("http", "xn--bcher-kva.example", 80, "ann", "pw")),
    ("xn--bcher-kva.example:80", ("http", "xn--bcher-kva.example", 80, "", "")),
    ("Straße.example:80", ("http", "xn--strae-oqa.example", 80, "", "")),
    # What lists have around a proxy.
    ("  1.2.3.4:8080\r\n", ("http", IPV4, 8080, "", "")),
    ("\u00a01.2.3.4:80\u00a0", ("http", IPV4, 80, "", "")),
    ("\ufeff1.2.3.4:80", ("http", IPV4, 80, "", "")),
    ('"1.2.3.4:8080"', ("http", IPV4, 8080, "", "")),
    ("'1.2.3.4:8080:ann:pw',", ("http", IPV4, 8080, "ann", "pw")),
    ('"1.2.3.4:8080:ann:pw,"', ("http", IPV4, 8080, "ann", "pw,")),
    ("1.2.3.4:8080,", ("http", IPV4, 8080, "", "")),
    ("http://ann:pw@1.2.3.4:8080;", ("http", IPV4, 8080, "ann", "pw")),
    ("1.2.3.4:8080 # slow", ("http", IPV4, 8080, "", "")),
    ("1.2.3.4:8080\t# slow, ask bob@shop.example", ("http", IPV4, 8080, "", "")),
]


@pytest.mark.parametrize(("line", "expected"), GOOD, ids=[ascii(line) for line, _ in GOOD])
def test_all_usual_forms_are_read(line: str, expected: tuple[str, str, int, str, str]) -> None:
    """A line in any of the forms in which proxies are sold is read as what it means."""
    assert parts(parse_proxy(line)) == expected


BLANK = "a blank stands before an @: write a blank in a password as %20 (scheme://user:a%20b@host:port)"
BRACKETS = f"its brackets have no IPv6 address: {EXPECTED}"
BARE_IPV6 = "an IPv6 address needs brackets: write [2001:db8::1]:8080"
COLUMNS = "its columns are not separated by colons: write host:port:user:password"
COMMA = (
    "it ends with a comma or semicolon that may belong to the password: "
    "write it in quotes, or as user:password@host:port"
)
EMPTY = f"it is empty: {EXPECTED}"
FOLLOWS = f"something follows the port: {EXPECTED}"
HEADING = f"it looks like the header of a table: {EXPECTED}"
HOST = f"its host is neither a name nor an IP address: {EXPECTED}"
INVISIBLE = f"it has an invisible character: {EXPECTED}"
NO_HOST = f"it lacks a host: {EXPECTED}"
NO_PORT = f"it lacks a port: {EXPECTED}"
PORT = f"its port is not between 1 and 65535: {EXPECTED}"
PORT_IN_WORDS = f"its port is no number: {EXPECTED}"
SLASH = (
    "a /, ? or # is before the @: in user and password, write / as %2F, ? as %3F and # as %23 "
    "(scheme://user:a%2Fb@host:port)"
)
THREE = "it has three parts: write host:port:user:password, and host:port:user: without a password"
TWO_WAYS = (
    "it can be read in two ways: write it as scheme://user:password@host:port, "
    "with %3A for a colon and %40 for an @ in user and password"
)

UNSENDABLE = "a control or invisible character is in its user or password once % is decoded: remove it"
TOO_LONG = "its user or password is longer than SOCKS can send (255 bytes): shorten it"

BAD = [
    ("", EMPTY),
    ("   ", EMPTY),
    ("''", EMPTY),
    (",", EMPTY),
    (f"http://ann:{SECRET} @h:80", BLANK),
    (f"http://ann:{SECRET}\t@h:80", BLANK),
    (f"http://ann:{SECRET}\u00a0@h:80", BLANK),
    (f"http://ann:{SECRET} cost=3@h:80", BLANK),
    (f"http://ann:{SECRET}\x00@h:80", INVISIBLE),
    (f"http://ann:{SECRET}\u200b@h:80", INVISIBLE),
    (f"http://ann:{SECRET}\ud800@h:80", INVISIBLE),
    (f"http://ann:{SECRET}@h:80 http://h:81", f"something follows the address: {EXPECTED_OPTIONS}"),
    (
        f"http://ann:12 #{SECRET}@h:80",
        "what follows a blank and # may be the rest of it: write a blank in a password as %20",
    ),
    ("exit.example", NO_PORT),
    (f"http://ann:{SECRET}@exit.example", NO_PORT),
    (f"http://ann:{SECRET}@exit.example:", NO_PORT),
    (f"http://ann:{SECRET}@[::1]", NO_PORT),
    (f"http://ann:{SECRET}@exit.example:0", PORT),
    (f"http://ann:{SECRET}@exit.example:65536", PORT),
    (f"http://ann:{SECRET}@exit.example:{'9' * 5000}", PORT),
    (f"1.2.3.4:99999:ann:{SECRET}", PORT),
    (f"1.2.3.4:0:ann:{SECRET}", PORT),
    (f"ann:{SECRET}:1.2.3.4:99999", PORT),
    (f"http://ann:{SECRET}@h:-1", PORT_IN_WORDS),
    (f"http://ann:{SECRET}@h:http", PORT_IN_WORDS),
    ("h:\u0661", PORT_IN_WORDS),
    (f"http://ann:{SECRET}@:8080", NO_HOST),
    ("http://", NO_HOST),
    ("//", NO_HOST),
    ("300.1.2.3:80", HOST),
    ("1.2.3:80", HOST),
    ("010.1.2.3:80", HOST),
    ("0x7f000001:80", HOST),
    (f"300.1.2.3:80:ann:{SECRET}", HOST),
    (f"ann:{SECRET}@-exit:80", HOST),
    (f"{SECRET}!:80", HOST),
    (f"{'a' * 64}.example:80", HOST),
    (f"{'a.' * 150}example:80", HOST),
    (f"ann:{SECRET}@exit\u2100example:80", HOST),
    (f"http://ann:{SECRET}@[::1:80", BRACKETS),
    (f"http://ann:{SECRET}@::1]:80", BRACKETS),
    (f"http://ann:{SECRET}@[nonsense]:80", BRACKETS),
    (f"[1.2.3.4]:80:ann:{SECRET}", HOST),
    ("2001:db8::1:8080", BARE_IPV6),
    ("2001:80::1", BARE_IPV6),
    (f"ann:{SECRET}@2001:db8::1:8080", BARE_IPV6),
    (f"ftp://ann:{SECRET}@h:21", f"the scheme ftp is not supported: {EXPECTED}"),
    (
        f"SOCKS4://ann:{SECRET}@h:1080",
        f"the scheme socks4 is not supported (socks4 has no passwords and no names): {EXPECTED}",
    ),
    ("socks4a://h:1080", f"the scheme socks4a is not supported (socks4a has no passwords): {EXPECTED}"),
    ("socks://h:1080", f"the scheme socks is not supported (socks is not said to be of version 5): {EXPECTED}"),
    (f"{SECRET}://h:80", f"its scheme is unknown: {EXPECTED}"),
    (f"://ann:{SECRET}@h:80", f"it lacks the scheme before ://: {EXPECTED}"),
    (f"h:80/{SECRET}", FOLLOWS),
    (f"http://h:80?{SECRET}", FOLLOWS),
    (f"http://h:80#{SECRET}", FOLLOWS),
    (f"http://ann:{SECRET}@h:80/{SECRET}", FOLLOWS),
    (f"http://ann:1/{SECRET}@h:80", SLASH),
    (f"ann:{SECRET}#x@h:80", SLASH),
    (f"1.2.3.4:8080@ann:{SECRET}", "host and port are before the @: write user:password@host:port"),
    ("1.2.3.4:8080@ann:1234", "host and port are before the @: write user:password@host:port"),
    (
        f"http://a%ff:{SECRET}@h:80",
        "its user or password is not UTF-8 once it is percent-decoded: write % itself as %25",
    ),
    *(
        (line.format(letter=letter, SECRET=SECRET), UNSENDABLE)
        for letter in ("%00", "%01", "%0a", "%0D%0A", "%1b[31m", "%7f", "%C2%85", "%E2%80%8B", "%E2%80%AE", "%EF%BB%BF")
        for line in ("http://ann{letter}:{SECRET}@h:80", "ann:{SECRET}{letter}@h:80", "socks5://{letter}:{SECRET}@h:80")
    ),
    (f"socks5://{'a' * 256}:{SECRET}@h:80", TOO_LONG),
    (f"socks5h://ann:{SECRET * 50}@h:80", TOO_LONG),
    (f"h:80:{SECRET}", THREE),
    (f"ann:{SECRET}:h", THREE),
    (f"ann:{SECRET}:h:80", "its third part is a host without a dot: write host:port:user:password"),
    (f"ann:{SECRET}:x:y", f"neither its second part nor its last part is a port: {EXPECTED}"),
    ("proxy.example:8080:john.doe:12345", TWO_WAYS),
    ("1.2.3.4:80:5.6.7.8:90", TWO_WAYS),
    ("ann:80:proxy.example:8000", TWO_WAYS),
    ("ann:12:x@h:80", TWO_WAYS),
    ("http://ann:12:x@h:80", TWO_WAYS),
    (f"1.2.3.4:80:ann:{SECRET},", COMMA),
    (f"1.2.3.4:80:ann:{SECRET}; cost=2", COMMA),
    (f'"1.2.3.4:80:ann:{SECRET}', f"it begins with a quotation mark that is never closed: {EXPECTED}"),
    (f"1.2.3.4,8080,ann,{SECRET}", COLUMNS),
    (f"1.2.3.4;8080;ann;{SECRET}", COLUMNS),
    (f"1.2.3.4\t8080\tann\t{SECRET}", COLUMNS),
    ("ip:port:username:password", HEADING),
    ("IP,Port,User,Pass", HEADING),
    ("user:pass@host:port", HEADING),
    ("proxy", HEADING),
]


@pytest.mark.parametrize(("line", "why"), BAD, ids=[ascii(line[:60]) for line, _ in BAD])
def test_wrong_lines_are_refused_in_words(line: str, why: str) -> None:
    """What is no proxy gets an error that says what is wrong and what to write, and never repeats a password."""
    with pytest.raises(ConfigError) as caught:
        parse_proxy(line)

    assert str(caught.value) == f"not a proxy, {why}"
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("behind", "options"),
    [
        ("", (1.0, "", 0.0, 0)),
        (" cost=20", (20.0, "", 0.0, 0)),
        (" cost=0.25", (0.25, "", 0.0, 0)),
        ("\tcost=1e-3  ", (0.001, "", 0.0, 0)),
        (" cost=3,", (3.0, "", 0.0, 0)),
        (", cost=3", (3.0, "", 0.0, 0)),
        (" cost=2 # dear", (2.0, "", 0.0, 0)),
        (" name=berlin-1", (1.0, "berlin-1", 0.0, 0)),
        (" name=a=b", (1.0, "a=b", 0.0, 0)),
        (" name=Köln/2", (1.0, "Köln/2", 0.0, 0)),
        (" ttl_seconds=600", (1.0, "", 600.0, 0)),
        (" max_in_flight=50", (1.0, "", 0.0, 50)),
        (" max_in_flight=007", (1.0, "", 0.0, 7)),
        ("  max_in_flight=5\tttl_seconds=60 name=x cost=2", (2.0, "x", 60.0, 5)),
    ],
)
@pytest.mark.parametrize("address", ["http://ann:pw@exit.example:80", "exit.example:80", '"exit.example:80"'])
def test_options_may_follow(address: str, behind: str, options: tuple[float, str, float, int]) -> None:
    """In any order behind a blank; they make no other proxy."""
    proxy = parse_proxy(address + behind)

    assert proxy.options == options
    assert proxy == parse_proxy(address)


NO_NUMBER = "is no positive finite number: write host:port {0}=NUMBER"
NO_COUNT = "its max_in_flight is no whole number above 0: write host:port max_in_flight=NUMBER"
NO_NAME = "its name has not between 1 and 64 characters: write host:port name=NAME"


@pytest.mark.parametrize(
    ("behind", "why"),
    [
        *(
            (f"{key}={value}", f"its {key} {NO_NUMBER.format(key)}")
            for key in ("cost", "ttl_seconds")
            for value in ("", "0", "-1", "nan", "inf", "1e999", "1e-999", "0,5", "1_0", "\u0661", "10m", SECRET)
        ),
        *((f"max_in_flight={value}", NO_COUNT) for value in ("", "0", "-3", "1.5", "1e3", "\u0661", "9" * 10, SECRET)),
        ("name=", NO_NAME),
        (f"name={'n' * 65}", NO_NAME),
        ("cost = 5", f"something follows the address: {EXPECTED_OPTIONS}"),
        (f"cost=5 {SECRET}", f"something follows the address: {EXPECTED_OPTIONS}"),
        ("cost=5\tcost=5", f"its cost is given twice: {EXPECTED_OPTIONS}"),
        ("costs=5", f"an unknown key follows the address (is cost= meant?): {EXPECTED_OPTIONS}"),
        ("Cost=5", f"an unknown key follows the address (is cost= meant?): {EXPECTED_OPTIONS}"),
        ("max_inflight=5", f"an unknown key follows the address (is max_in_flight= meant?): {EXPECTED_OPTIONS}"),
        ("horse=5", f"an unknown key follows the address: {EXPECTED_OPTIONS}"),
        (f"{SECRET}=5", f"an unknown key follows the address: {EXPECTED_OPTIONS}"),
        ("=5", f"an unknown key follows the address: {EXPECTED_OPTIONS}"),
        ("name=a\x1b[31m", INVISIBLE),
        (f"name=a@{SECRET}", BLANK),
    ],
)
def test_what_else_follows_is_refused_in_words(behind: str, why: str) -> None:
    """The message says what was expected, and repeats neither the address nor what may be a secret."""
    with pytest.raises(ConfigError) as caught:
        parse_proxy(f"http://ann:{SECRET}@exit.example:80 {behind}")

    message = str(caught.value)
    assert message == f"not a proxy, {why}"
    assert not any(secret in message for secret in (SECRET, "ann", "exit.example", "horse"))
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(("line", "blank"), [("", True), (" # x", True), ("\ufeff# x", True), ("h:80 # x", False)])
def test_blank_lines_and_comments_are_known(line: str, *, blank: bool) -> None:
    """A mark at the beginning of a file does not make its first comment a proxy."""
    assert is_blank(line) is blank


@settings(deadline=None)
@given(st.from_regex(USUAL, fullmatch=True, alphabet=st.characters(codec="ascii")))
def test_what_is_read_at_once_is_read_alike_piece_by_piece(line: str) -> None:
    """The usual form is a short cut and no other meaning: what keeps it from being taken changes nothing."""
    try:
        piece_by_piece = parse_proxy(f"{line} cost=1")
    except ConfigError:
        piece_by_piece = None

    try:
        at_once = parse_proxy(line)
    except ConfigError:
        at_once = None

    assert at_once == piece_by_piece


@settings(deadline=None)
@given(PROXIES)
def test_a_proxy_survives_being_written_and_read(proxy: Proxy) -> None:
    """Parsing what was formatted gives the same proxy: any credentials, IPv6, gateways."""
    again = parse_proxy(proxy.url(SESSION_PLACEHOLDER))

    assert parts(again) == parts(proxy)
    assert again == proxy


@given(PROXIES, st.floats(min_value=0, exclude_min=True, allow_infinity=False))
def test_so_do_its_options(proxy: Proxy, number: float) -> None:
    """To the bit."""
    again = parse_proxy(f"{proxy.url(SESSION_PLACEHOLDER)} cost={number!r} ttl_seconds={number!r}")

    assert (again.key, again.cost, again.ttl_seconds) == (proxy.key, number, number)


@settings(deadline=None)
@given(PROXIES, st.from_regex("[a-z]{1,8}", fullmatch=True), st.from_regex("[!-~]{0,12}", fullmatch=True))
def test_colons_give_the_literal_text_or_an_error(proxy: Proxy, user: str, password: str) -> None:
    """However odd the password, it is never read as another one."""
    try:
        read = parse_proxy(f"{proxy.scheme}://{proxy.address}:{user}:{password}")
    except ConfigError:
        return

    assert parts(read) == (proxy.scheme, proxy.host, proxy.port, user, password)


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
