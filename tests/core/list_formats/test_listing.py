"""Lists of proxies in the forms in which they are published."""

from __future__ import annotations

import base64
import json
import re
import string
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.damage import damaged

from proxysieve.core.list_formats.listing import read_listing
from proxysieve.core.model import Proxy
from proxysieve.errors import ConfigError
from proxysieve.lists.proxy_list import SourceContents, read_lines

BOTH = [("http", "10.0.0.1", 8001, "", ""), ("socks5", "10.0.0.2", 8002, "ann", "topsecret2")]
PLAIN = [("http", "10.0.0.1", 8001, "", ""), ("http", "10.0.0.2", 8002, "", "")]


def parts(proxy: Proxy) -> tuple[str, str, int, str, str]:
    return proxy.scheme, proxy.host, proxy.port, proxy.username, proxy.password


def read(text: str) -> SourceContents:
    return read_lines(read_listing(text), "list")


def entries(*fields: str) -> list[dict[str, object]]:
    """Two proxies in JSON, with their type, host, port, user and password under the names *fields*."""
    return [dict(zip(fields, (kind, *rest), strict=False)) for kind, *rest in BOTH]


JSONS: dict[str, object] = {
    "geonode": {"data": entries("protocols", "ip", "port", "username", "password"), "total": 2, "page": 1},
    "list-of-types": [
        {"ip": "10.0.0.1", "port": "8001", "protocols": ["https", "http"]},
        {
            "ip": "10.0.0.2",
            "port": "8002",
            "protocols": ["socks5", "socks4"],
            "username": "ann",
            "password": "topsecret2",
        },
    ],
    "monosans": entries("protocol", "host", "port", "username", "password"),
    "webshare": {
        "count": 2,
        "next": None,
        "results": entries("protocol", "proxy_address", "port", "username", "password"),
    },
    "capitals": entries("Type", "IP", "Port", "User", "Pass"),
    "login": entries("scheme", "addr", "port", "login", "passwd"),
    "sing-box": {"outbounds": entries("type", "server", "server_port", "username", "password")},
    "proxyscrape": {
        "proxies": [
            {"proxy": "http://10.0.0.1:8001", "protocol": "http", "ip": "10.0.0.1", "port": 8001, "ssl": True},
            {"proxy": "socks5://ann:topsecret2@10.0.0.2:8002", "protocol": "socks5", "ip": "10.0.0.2", "port": 8002},
        ]
    },
    "pubproxy": {
        "data": [
            {"ipPort": "10.0.0.1:8001", "type": "http", "proxy_level": "elite"},
            {"ipPort": "10.0.0.2:8002", "type": "socks5", "user": "ann", "password": "topsecret2"},
        ]
    },
    "playwright": [
        {"server": "http://10.0.0.1:8001"},
        {"server": "socks5://10.0.0.2:8002", "username": "ann", "password": "topsecret2"},
    ],
    "nested": {
        "data": {"list": [{"proxyInfo": one} for one in entries("protocol", "hostname", "port", "user", "password")]}
    },
    "url": [{"url": "http://10.0.0.1:8001"}, {"url": "socks5://ann:topsecret2@10.0.0.2:8002", "https": False}],
    "texts": ["10.0.0.1:8001", "socks5://ann:topsecret2@10.0.0.2:8002"],
    "crawlee": {"proxyUrls": ["http://10.0.0.1:8001", "socks5://ann:topsecret2@10.0.0.2:8002"]},
    "by-type": {"http": ["10.0.0.1:8001"], "socks5": ["ann:topsecret2@10.0.0.2:8002"]},
    "by-address": {"10.0.0.1:8001": {"country": "US"}, "socks5://ann:topsecret2@10.0.0.2:8002": 1},
}
LINES = "\n".join(json.dumps(one) for one in entries("type", "host", "port", "username", "password"))
TEXTS = {
    **{f"json-{name}": json.dumps(value, indent=1) for name, value in JSONS.items()},
    "json-lines": f"{LINES}\n",
    "csv": "type,host,port,user,pass\nhttp,10.0.0.1,8001,,\nsocks5,10.0.0.2,8002,ann,topsecret2\n",
    "csv-quoted": '"IP Address";"Port";"Login";"Password";"Protocol"\n"10.0.0.1";"8001";"";"";"HTTP"\n'
    '"10.0.0.2";"8002";"ann";"topsecret2";"SOCKS5"\n',
    "csv-whole": "country,proxy\nUS,http://10.0.0.1:8001\nDE,socks5://ann:topsecret2@10.0.0.2:8002\n",
    "tsv": "# bought in May\nhost\tport\tusername\tpassword\tprotocol\n10.0.0.1\t8001\t\t\thttp\n\n"
    "10.0.0.2\t8002\tann\ttopsecret2\tsocks5\n",
    "proxychains": "# strict\nstrict_chain\nproxy_dns\ntcp_read_time_out 15000\n[ProxyList]\n# mine\n"
    "http 10.0.0.1 8001\nsocks5\t10.0.0.2\t8002\tann\ttopsecret2\n",
    "proxychains-lines": "http 10.0.0.1 8001\nsocks5 10.0.0.2 8002 ann topsecret2\n",
    "clash-flow": "port: 7890\nproxies:\n  - {name: 'a, b', type: http, server: 10.0.0.1, port: 8001} # slow\n"
    '  - {"name":"b","type":"socks5","server":"10.0.0.2","port":8002,"username":"ann","password":"topsecret2"}\n'
    "proxy-groups:\n  - {name: all, type: select, proxies: [a, b]}\n",
    "clash-block": 'proxies:\n- name: "\\U0001F1FA one"\n  type: http\n  # slow\n  server: 10.0.0.1\n  port: 8001\n'
    "  headers:\n    X: [1, 2]\n- name: two\n  type: socks5\n  server: '10.0.0.2'\n  port: 8002 # here\n"
    '  username: ann\n  password: "topsecret2"\n  udp: true\nrules:\n  - MATCH,all\n',
    "clash-lines": "proxies: [{name: a, type: http, server: 10.0.0.1, port: 8001},\n"
    "  {name: b, type: socks5, server: 10.0.0.2, port: 8002, username: ann,\n"
    "   password: 'topsecret2', ws: {a: [b]}}]\n",
    "yaml-texts": "proxies:\n  - http://10.0.0.1:8001\n  - 'socks5://ann:topsecret2@10.0.0.2:8002'\n",
}  # fmt: skip


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_all_forms_name_the_same_proxies(text: str, end: str) -> None:
    """With their types and logins; nothing is left out."""
    found = read(text.replace("\n", end))

    assert [parts(proxy) for proxy in found.proxies.values()] == BOTH
    assert found.problems == []


TABLES = {
    "colon-country": "10.0.0.1:8001:US\n10.0.0.2:8002:DE\n",
    "colon-type": "10.0.0.1:8001:http\n10.0.0.2:8002:http\n",
    "tabs": "10.0.0.1\t8001\tUS\tUnited States\telite proxy\tno\tyes\t1 minute ago\n10.0.0.2\t8002\tDE\thttp\n",
    "blanks": "10.0.0.1   8001  US  elite\n10.0.0.2   8002\n",
    "commas": '10.0.0.1,8001,US,http\n"10.0.0.2","8002","DE"\n',
    "bars": "10.0.0.1|8001|HTTP|US\n10.0.0.2 | 8002 | HTTP | DE\n",
    "behind-the-port": "10.0.0.1:8001 US-N-S! +\n10.0.0.2:8002 DE elite\n",
    "options": "10.0.0.1:8001:US cost=1\n10.0.0.2 8002 DE max_in_flight=5 # slow\n",
}


@pytest.mark.parametrize("text", TABLES.values(), ids=TABLES)
def test_rows_of_tables_need_no_heading(text: str) -> None:
    """Where nothing in them can be a login."""
    found = read(text)

    assert [parts(proxy) for proxy in found.proxies.values()] == PLAIN
    assert found.problems == []


@pytest.mark.parametrize(
    "line",
    [
        "10.0.0.1:8001:us",
        "10.0.0.1:8001:ANN",
        "10.0.0.1 8001 ann topsecret2",
        "10.0.0.1,8001,ann,topsecret2",
        "10.0.0.1 8001 proxy high",
        "10.0.0.1 8001 US topsecret2",
        "10.0.0.1 8001 ann US http",
        "10.0.0.1:8001:ann:topsecret2 US",
        "ann:topsecret2@10.0.0.1:8001 US",
        "http 10.0.0.1 8001 topsecret2",
        "http 10.0.0.1 8001 ann topsecret2 US",
        "socks4 10.0.0.1 1080",
        "10.0.0.1 1080 socks4",
        "US 10.0.0.1 8001",
    ],
)
def test_a_row_that_may_have_a_login_is_refused(line: str) -> None:
    """A country is two capitals, and what else stands behind a port may be a user or a password."""
    found = read(f"10.9.9.9:1\n{line}\n")

    assert [proxy.host for proxy in found.proxies.values()] == ["10.9.9.9"]
    assert found.problems[0].startswith("list, line 2: not a proxy, ")
    assert "topsecret" not in found.problems[0]


def test_a_login_that_looks_like_a_country_is_still_one() -> None:
    """In a form that has a place for it."""
    assert [parts(proxy) for proxy in read("10.0.0.1:8001:US:DE\n10.0.0.2:8002:US:\n").proxies.values()] == [
        ("http", "10.0.0.1", 8001, "US", "DE"),
        ("http", "10.0.0.2", 8002, "US", ""),
    ]


KINDS = ["ss", "ss", "vmess", "socks4", "nobody-knows", "http"]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([{"type": kind, "ip": "10.0.0.9", "port": 1, "password": "topsecret"} for kind in KINDS]),
        "type,ip,port,password\n" + "".join(f"{kind},10.0.0.9,1,topsecret\n" for kind in KINDS),
        "proxies:\n"
        + "".join(f"- {{type: {kind}, server: 10.0.0.9, port: 1, password: topsecret}}\n" for kind in KINDS),
    ],
    ids=["json", "csv", "clash"],
)
def test_types_that_nobody_speaks_are_counted(text: str) -> None:
    """They are left out in one sentence, as such a list may have thousands."""
    found = read(text)

    counted = "2 of type ss, 1 of type vmess, 1 of type socks4, 1 of type unknown"
    assert [proxy.password for proxy in found.proxies.values()] == ["topsecret"]
    assert found.problems == [f"list: left out: {counted}; supported are http, https, socks5, socks5h"]


FLAGGED = [
    ({"http": "1", "ssl": "0", "socks4": "0", "socks5": "0"}, ["http"]),
    ({"http": "0", "ssl": "1", "socks4": "0", "socks5": "0"}, ["http"]),
    ({"http": "0", "ssl": "0", "socks4": "1", "socks5": "1"}, ["socks5"]),
    ({"http": False, "socks5": True}, ["socks5"]),
    ({"http": "0", "ssl": "0", "socks4": "1", "socks5": "0"}, []),
    ({"http": 0, "socks5": 0}, []),
    # The field says something else, and nothing of the type.
    ({"http": "10.0.0.1:80", "socks5": "10.0.0.1:1080"}, ["http"]),
    ({"https": "no"}, ["http"]),
    ({"protocols": [{"type": "socks5", "port": 80, "tls": False}]}, ["socks5"]),
    ({"protocols": [{"type": "socks4", "port": 80}]}, []),
]


@pytest.mark.parametrize(("fields", "schemes"), FLAGGED)
def test_a_type_may_be_said_by_a_field_for_each(fields: dict[str, object], schemes: list[str]) -> None:
    """A proxy of SOCKS is not asked over HTTP."""
    found = read(json.dumps([{"ip": "10.0.0.1", "port": 80, **fields}]))

    assert [proxy.scheme for proxy in found.proxies.values()] == schemes


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"ip": "10.0.0.1"}, "it names no host and port"),
        ({"ip": "10.0.0.1", "port": 0}, "it names no host and port"),
        ({"ip": "10.0.0.1", "port": True}, "it names no host and port"),
        ({"ip": "10.0.0.1", "port": 80.5}, "it names no host and port"),
        ({"ip": "300.0.0.1", "port": 80}, "it names no host and port"),
        ({"ip": ["10.0.0.1"], "port": 80}, "it names no host and port"),
        ({"ip": "10.0.0.1", "port": 10**400}, "it names no host and port"),
        ({"ip": "10.0.0.1", "port": 80, "user": {"topsecret": 1}}, "its user is no text"),
        ({"ip": "10.0.0.1", "port": 80, "user": "a", "password": "topsecret\n"}, "a control or invisible character"),
        ({"ip": "10.0.0.1", "port": 80, "proxy": "http://10.0.0.2:80"}, "it names two addresses"),
        ({"proxy": "http://a:topsecret@10.0.0.2:80", "user": "b"}, "it names two logins"),
        ({"proxy": "socks5://10.0.0.2:80", "protocol": "http"}, "it names two types"),
        (5, "it is neither an object nor a text"),
        (["10.0.0.1", 80], "it is neither an object nor a text"),
        ("10.0.0.1", "it lacks a port"),
    ],
)
def test_an_odd_entry_is_told_by_its_number(entry: object, why: str) -> None:
    """The others go on, and no password is repeated."""
    found = read(json.dumps(["10.9.9.9:1", entry, {"ip": "::1", "port": "8001"}]))

    assert [proxy.address for proxy in found.proxies.values()] == ["10.9.9.9:1", "[::1]:8001"]
    assert found.problems[0].startswith(f"list, entry 2: not a proxy, {why}")
    assert "topsecret" not in found.problems[0]


@pytest.mark.parametrize(
    "value",
    ["*a", "&a b", "!!str 1", "0123", "1e5", "12.50", "|", "[a]", "{a: b}", '"\\x41"', "a\n    b"],
)  # fmt: skip
def test_yaml_that_can_mean_something_else_is_no_password(value: str) -> None:
    """Aliases, tags, numbers that would be shown otherwise, and texts of several lines."""
    found = read(f"proxies:\n- type: http\n  server: 10.0.0.1\n  port: 80\n  password: {value}\n- 10.0.0.2:80\n")

    assert [proxy.host for proxy in found.proxies.values()] == ["10.0.0.2"]
    assert found.problems[0].startswith("list, entry 1: not a proxy, its password is no text")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<html><body>Login</body></html>", "this is an HTML page"),
        ("<?xml version='1.0'?><proxies/>", "this is XML"),
        ('{"error": "no such key"}', "this is JSON without a list of proxies"),
        ('[{"ip": "10.0.0.1", "port": 80}, {"ip": "10', "this is JSON that is damaged or breaks off"),
        ("[" * 100_000, "this is JSON that is damaged or breaks off"),
        (base64.b64encode(b"ss://abc@1.2.3.4:80\nvmess://abc\n").decode(), "this is a subscription in base64"),
    ],
)
def test_what_is_no_list_is_named(text: str, says: str) -> None:
    """As a whole, and not by its first line."""
    with pytest.raises(ConfigError, match=re.escape(says)):
        read_listing(text)


@pytest.mark.parametrize("text", ["[]", '{"data": []}', "proxies: []\n", "proxies:\n-\n", "ip,port\n", "[ProxyList]\n"])
def test_lists_without_an_entry_have_none(text: str) -> None:
    """Which is for others to say."""
    assert read(text).proxies == {}


def test_an_address_in_brackets_is_no_json() -> None:
    """Nor a name of a session in braces."""
    found = read("[2001:db8::1]:8080\n{session}:pw@gate.example:80\n")

    assert [proxy.host for proxy in found.proxies.values()] == ["2001:db8::1", "gate.example"]


# Any of the forms, with something done to it that happens to files.

COUNT = 6


def many(form: str) -> str:
    """A list of proxies whose hosts, ports, users and passwords all have the same number."""
    every = range(1, COUNT + 1)
    fields = [
        {"protocol": "http", "ip": f"10.0.0.{n}", "port": 8000 + n, "username": f"USER{n}", "password": f"QXZJKV{n}{n}"}
        for n in every
    ]
    rows = [[str(value) for value in one.values()] for one in fields]
    if form == "json":
        return json.dumps(fields, indent=1)
    if form == "json-lines":
        return "".join(f"{json.dumps(one)}\n" for one in fields)
    if form == "csv":
        return "".join(f"{','.join(row)}\n" for row in [list(fields[0]), *rows])
    if form == "clash-flow":
        return "proxies:\n" + "".join(
            f"  - {{type: http, server: {ip}, port: {port}, username: {user}, password: {word}}}\n"
            for _, ip, port, user, word in rows
        )
    if form == "clash-block":
        return "proxies:\n" + "".join(
            f"- type: http\n  server: {ip}\n  port: {port}\n  username: {user}\n  password: {word}\n"
            for _, ip, port, user, word in rows
        )
    if form == "proxychains":
        return "[ProxyList]\n" + "".join(f"{' '.join(row)}\n" for row in rows)
    return "".join(f"{ip}:{port}:{user}:{word}\n" for _, ip, port, user, word in rows)


BLOCKS = {"json", "clash-block"}
FORMS = ["json", "json-lines", "csv", "clash-flow", "clash-block", "proxychains", "lines"]


def read_or_refused(text: str) -> SourceContents:
    """What *text* lists; nothing, and why, if it is refused."""
    try:
        return read(text)
    except ConfigError as error:
        return SourceContents({}, [str(error)])


@settings(deadline=None, max_examples=600)
@given(damaged([many(form) for form in FORMS], ["\n", ",", " ", ":", '"', "{", "}"]))
def test_of_a_damaged_list_nothing_is_read_that_was_not_written(text: str) -> None:
    """Host, port, user and password each stood there, and no message repeats a password."""
    found = read_or_refused(text)

    for proxy in found.proxies.values():
        assert proxy.host.casefold() in text.casefold()
        assert all(part in text for part in (str(proxy.port), proxy.username, proxy.password))
    assert not [problem for problem in found.problems if "QXZ" in problem]


@settings(deadline=None)
@given(st.sampled_from(FORMS), st.data())
def test_no_password_goes_to_another_host(form: str, data: st.DataObject) -> None:
    """Whatever lines are lost, doubled or change places: whoever is read has the login that stood beside it."""
    lines = many(form).splitlines(keepends=True)
    places = st.integers(0, len(lines) - 1)
    if form in BLOCKS:
        # Only their order says to whom lines belong, so that one at most is lost or doubled.
        lines[data.draw(places)] *= data.draw(st.sampled_from([0, 2]))
    else:
        lines = [lines[at] for at in data.draw(st.lists(places, max_size=2 * len(lines)))]

    found = read_or_refused("".join(lines))

    for proxy in found.proxies.values():
        number = proxy.host.rpartition(".")[2]
        logins = {(f"USER{number}", f"QXZJKV{number}{number}")}
        if form in BLOCKS:
            logins |= {("", f"QXZJKV{number}{number}"), (f"USER{number}", "")}
        assert proxy.port == 8000 + int(number)
        assert (proxy.username, proxy.password) in logins


NAMES = st.sampled_from(["ip", "port", "proxy", "data", "http", "user", "pass", "type", "tls", "10.0.0.1:80", "list"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("10.0.0.1:80"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
)


@settings(deadline=None)
@given(st.text(st.sampled_from(f"{string.printable}é\u200b")) | VALUES.map(json.dumps))
def test_any_text_is_a_list_or_refused(text: str) -> None:
    """With nothing but a ConfigError."""
    assert read_or_refused(text) is not None


YAML = st.sampled_from(
    ["- ", "-", "  ", "    ", "\n", "\n", "\n  ", "type: http", "server: 10.0.0.1", "port: 80", "password: QXZ", "{",
     "}", "[", "]", ",", ":", ": ", '"', "'", "\\", "#", " #", "&a", "*a", "<<: *a", "|", "proxies:"]
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(YAML).map("".join))
def test_any_yaml_is_a_list_or_refused(text: str) -> None:
    """Likewise."""
    found = read_or_refused(f"proxies:\n- {text}")

    assert all(parts(proxy)[:3] == ("http", "10.0.0.1", 80) for proxy in found.proxies.values())
    assert not [problem for problem in found.problems if "QXZ" in problem]


@pytest.mark.parametrize("piece", ['"\\" ', "a ", "''", "a:b#", '\\"'])
@pytest.mark.parametrize("start", ["", '"', "'"])
def test_a_text_that_is_never_closed_takes_no_memory(start: str, piece: str) -> None:
    """Each step that could be taken back would be remembered: a list of 12 MB took 3 GB."""
    text = f"proxies: [{start}{piece * 100_000}"
    tracemalloc.start()

    read_or_refused(text)

    assert tracemalloc.get_traced_memory()[1] < 30 * len(text)
    tracemalloc.stop()


@pytest.mark.parametrize(
    "text",
    [
        "proxies:\n- {" + "a: {" * 200_000,
        "proxies:\n" + "- " * 200_000,
        "proxies:\n- a: " + '"\\' * 200_000,
        "proxies:\n- a" + " " * 400_000 + "b",
        "proxies:\n- {a" + " b" * 200_000,
        "proxies: [" + "{a: b}, " * 20_000,
        "ip,port\n" + '"' * 400_000,
        "1.2.3.4:80:" + "a" * 400_000,
        "1.2.3.4 " * 100_000,
        '[{"ip":' * 100_000,
        "A" * 400_000,
        "[ProxyList]\n" + "http 1.2.3.4 80\n" * 50_000,
    ],
    ids=range(12),
)
def test_endless_lists_take_no_endless_time(text: str) -> None:
    """What grows with the square of its size would take hours here."""
    assert all(len(problem) < 300 for problem in read_or_refused(text).problems)
