"""Cookies that a user has in a file."""

from __future__ import annotations

import json
from http.cookiejar import Cookie, CookieJar
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.damage import damaged

from proxysieve import ConfigError, Request, SessionPool
from proxysieve.sessions.cookie_file import cookies_at, parse_cookies, read_cookies
from proxysieve.sessions.storage import dump_cookies, load_cookies
from proxysieve.site_of import site_of
from proxysieve.testbed import Testbed, World

NOW = 1_800_000_000.0
LINES = (
    "# Netscape HTTP Cookie File\n"
    "\n"
    ".shop.example\tTRUE\t/\tTRUE\t4102444800\tlogin\tsecret\n"
    "#HttpOnly_shop.example\tFALSE\t/basket\tFALSE\t0\tbasket\t\n"
)
FROM_EXTENSION = [
    {"domain": ".shop.example", "name": "login", "value": "secret", "path": "/", "secure": True}
    | {"expirationDate": 4102444800.5, "hostOnly": False, "sameSite": "lax"},
    {"domain": "shop.example", "name": "basket", "value": "", "path": "/basket", "session": True},
]
FROM_BROWSER = {
    "cookies": [
        {
            "name": "login",
            "value": "secret",
            "domain": ".shop.example",
            "path": "/",
            "expires": 4102444800,
            "secure": True,
        },
        {"name": "basket", "value": "", "domain": "shop.example", "path": "/basket", "expires": -1},
    ],
    "origins": [],
}


def told(cookie: Cookie) -> tuple[str, str | None, str, str, bool, int | None]:
    return cookie.name, cookie.value, cookie.domain, cookie.path, cookie.secure, cookie.expires


@pytest.mark.parametrize(
    ("said", "is_http_only", "same_site"),
    [
        ({}, False, ""),
        ({"httpOnly": True, "sameSite": "Strict"}, True, "Strict"),
        ({"httpOnly": False, "sameSite": "lax"}, False, "Lax"),
        ({"isHttpOnly": 1, "sameSite": "no_restriction"}, True, "None"),
        ({"sameSite": "None"}, False, "None"),
        ({"sameSite": None}, False, ""),
        ({"sameSite": "unspecified"}, False, ""),
        ({"sameSite": 1}, False, ""),
    ],
)
def test_who_may_see_and_send_a_cookie_is_read(said: dict[str, object], *, is_http_only: bool, same_site: str) -> None:
    """As the browser had it that the file is of."""
    text = json.dumps([{"name": "a", "value": "1", "domain": "shop.example"} | said])

    [cookie], _ = parse_cookies(text, "it")

    assert cookie.has_nonstandard_attr("HttpOnly") == is_http_only
    assert cookie.get_nonstandard_attr("SameSite", "") == same_site


def test_lines_say_who_may_see_a_cookie() -> None:
    """As curl writes them."""
    cookies, _ = parse_cookies(LINES, "it")

    assert [one.has_nonstandard_attr("HttpOnly") for one in cookies] == [False, True]


@pytest.mark.parametrize(
    "text",
    [
        LINES,
        LINES.replace("\n", "\r\n"),
        "\ufeff" + LINES,
        LINES.replace(".shop.example\tTRUE", "shop.example\tTRUE"),
        msgspec.json.encode(FROM_EXTENSION).decode(),
        msgspec.json.encode(FROM_BROWSER).decode(),
    ],
    ids=["cookies.txt", "crlf", "mark", "no-dot", "extension", "storage-state"],
)
def test_what_browsers_and_tools_write_is_read_alike(tmp_path: Path, text: str) -> None:
    """Name, value, domain, path and expiry come out the same, whatever the form."""
    path = tmp_path / "cookies"
    path.write_text(text, encoding="utf-8", newline="")

    assert list(map(told, read_cookies(path, NOW))) == [
        ("login", "secret", ".shop.example", "/", True, 4102444800),
        ("basket", "", "shop.example", "/basket", False, None),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no cookies in it"),
        ("# Netscape HTTP Cookie File\n", "has no cookies in it"),
        ("login=topsecret", "line 1: no cookie, it has not 7 fields"),
        ("a.example FALSE / FALSE 0 name topsecret", "line 1: no cookie, blanks stand between its fields"),
        ("shop.example\tFALSE\t/\tFALSE\tsoon\tname\ttopsecret", "line 1: no cookie, its expiry is neither"),
        ("shop.example\tFALSE\t/\tFALSE\t0\t\ttopsecret", "line 1: no cookie, it has no name"),
        ("shop.example\tFALSE\t/\tFALSE\t0\tname\ttop;secret", "line 1: no cookie, it has letters in it that cannot"),
        ("\tFALSE\t/\tFALSE\t0\tname\ttopsecret", "line 1: no cookie, its domain is no host's"),
        ("<!doctype html><p>topsecret", "cannot be read: this is an HTML page"),
        ("[", "no JSON that can be read"),
        ('{"login": "topsecret"}', "no list of cookies"),
        ('[{"name": "login", "value": "topsecret"}]', "cookie 1: no cookie, it has no domain"),
        ('["topsecret"]', "cookie 1: no cookie, it is no object"),
        ('[{"name": "a", "value": "topsecret", "domain": "b", "expires": 1e999}]', "no JSON that can be read"),
        ("[]", "has no cookies in it"),
        ("[" * 100_000, "no JSON that can be read"),
        ('[{"name": "a", "value": "topsecret", "domain": "b", "expires": [1]}]', "cookie 1: no cookie, its expiry is"),
        (
            '[{"name": "a", "value": "topsecret", "domain": "b", "path": "/\\r\\n"}]',
            "cookie 1: no cookie, it has letters",
        ),
        ('[{"name": "a", "value": "topsecret", "domain": "[b"}]', "cookie 1: no cookie, its domain is no host's"),
        ('[{"name": "a", "value": null, "domain": "b"}]', "cookie 1: no cookie, it has no value"),
        ("http://shop.example/\tFALSE\t/\tFALSE\t0\ta\ttopsecret", "line 1: no cookie, its domain is no host's"),
        (
            f"a.example\tFALSE\t/\tFALSE\t0\ta\ttopsecret{'x' * 5000}",
            "line 1: no cookie, it is longer than 4,096",
        ),
    ],
)
def test_a_file_that_holds_something_else_is_told_without_repeating_it(tmp_path: Path, text: str, says: str) -> None:
    """The error names the file, the place and what was expected, and no cookie."""
    path = tmp_path / "cookies.txt"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        read_cookies(path, NOW)

    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "expected cookies.txt" in str(caught.value)
    assert "topsecret" not in str(caught.value)


ODD_LINES = [
    "www.other.example\tFALSE\t/\tFALSE\t0\t\ttopsecret",
    "www.other.example\tFALSE\t/\tFALSE\t0\ttopsecret",
    "www.other.example FALSE / FALSE 0 name topsecret",
    "www.other.example\tFALSE\t/\tFALSE\tsoon\tname\ttopsecret",
    "topsecret",
]
ODD_OBJECTS: list[object] = [
    "topsecret",
    None,
    5,
    {"name": "topsecret"},
    {"name": "a", "value": 5, "domain": "b"},
    [],
    {},
]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        *(pytest.param(f"{LINES}{line}\n", "line 5", id=f"line-{number}") for number, line in enumerate(ODD_LINES)),
        *(
            pytest.param(json.dumps([*FROM_EXTENSION, one]), "cookie 3", id=f"object-{number}")
            for number, one in enumerate(ODD_OBJECTS)
        ),
    ],
)
def test_an_odd_cookie_is_left_out_and_said_by_its_number(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, place: str
) -> None:
    """The others are read, and nothing of it is repeated."""
    path = tmp_path / "cookies"
    path.write_text(text)

    cookies = read_cookies(path, NOW)

    assert [cookie.name for cookie in cookies] == ["login", "basket"]
    assert [record.getMessage().partition(": no cookie, ")[0] for record in caplog.records] == [
        f"left out: {path}, {place}"
    ]
    assert "topsecret" not in caplog.text


def test_many_odd_cookies_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Five of them are said by their number."""
    path = tmp_path / "cookies"
    path.write_text(LINES + "topsecret\n" * 500)

    read_cookies(path, NOW)

    assert len(caplog.records) == 6
    assert caplog.records[-1].getMessage() == "left out: 495 more cookies like these"


def written(*cookies: tuple[str, int]) -> str:
    return "".join(f".{host}\tTRUE\t/\tFALSE\t{expires}\tname{at}\tv\n" for at, (host, expires) in enumerate(cookies))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            written(("a.example", 1_000_000_000), ("b.example", 999)),
            "all its cookies have expired, the last on 2001-09",
        ),
        (written(("a.example", 999), ("b.example", 0)), "all its cookies of a.example have expired"),
        (written(("a.example", 999), ("a.example", 0)), ""),
        (written(("a.example", 0), ("b.example", 1_900_000_000)), ""),
        (
            written(*((f"{n}.example", 9) for n in range(9)), ("b.example", 0)),
            "3.example, 4.example and 4 more have",
        ),
    ],
    ids=["all", "all-of-a-host", "some-of-a-host", "none", "many-hosts"],
)
def test_cookies_that_are_all_expired_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, says: str
) -> None:
    """Of the whole file, or of a host; they are none to be sent, and the site would take one for a stranger."""
    path = tmp_path / "cookies.txt"
    path.write_text(text)

    read_cookies(path, NOW)

    assert says in caplog.text
    assert bool(says) == bool(caplog.records)


AT = 1_924_992_000


@pytest.mark.parametrize(
    ("expiry", "at"),
    [
        *((value, None) for value in (0, -1, "0", "-1", "", "Session", "session", None)),
        *((value, AT) for value in (AT, AT + 0.5, str(AT), f"{AT}.75", AT * 1000, str(AT * 1000), 1.924992e9)),
        *((value, AT) for value in ("2031-01-01T00:00:00.000Z", "2031-01-01", "2031-01-01 01:00:00+01:00")),
        *((value, AT) for value in ("Wed, 01 Jan 2031 00:00:00 GMT", "Wed, 01-Jan-2031 00:00:00 GMT")),
        *((value, 1) for value in ("1601-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT")),
        *((value, 253_402_300_799) for value in ("9e99", 253_402_300_800, 10**60, "9999-12-31T23:59:59Z")),
    ],
)
def test_expiries_of_all_forms_are_read(expiry: object, at: int | None) -> None:
    """Seconds, milliseconds, dates, and what stands for the end of a browser's session."""
    objects = [{"name": "a", "value": "b", "domain": "c.example", key: expiry} for key in ("expires", "expiry")]
    texts = [json.dumps(objects)]
    if expiry is not None:
        texts.append(f"c.example\tFALSE\t/\tFALSE\t{expiry}\ta\tb\n")

    read = [cookie.expires for text in texts for cookie in parse_cookies(text, "cookies")[0]]

    assert read == [at] * (1 + len(texts))


@pytest.mark.parametrize(
    "one",
    [
        pytest.param({"domain": ".c.example", "hostOnly": False, "session": True, "storeId": "0"}, id="EditThisCookie"),
        pytest.param({"domain": ".c.example", "hostOnly": False, "sameSite": None}, id="Cookie-Editor"),
        pytest.param({"domain": ".c.example", "expires": -1, "httpOnly": False, "sameSite": "Lax"}, id="Playwright"),
        pytest.param({"domain": ".c.example", "expires": -1, "size": 2, "session": True}, id="Puppeteer"),
        pytest.param({"domain": ".c.example", "httpOnly": False, "secure": False}, id="Selenium"),
        pytest.param({"url": "https://c.example/page", "domain": None}, id="by-url"),
        pytest.param({"host": ".c.example", "isSecure": 0, "expiry": None}, id="database-of-Firefox"),
        pytest.param({"domain": " c.example "}, id="blanks"),
        pytest.param({"domain": "c.example:8080"}, id="port"),
    ],
)
def test_what_tools_write_is_read(one: dict[str, object]) -> None:
    """Each has fields of its own."""
    cookies, problems = parse_cookies(json.dumps([{"name": "a", "value": "b", "path": "/", **one}]), "cookies")

    assert [told(cookie) for cookie in cookies] == [("a", "b", cookies[0].domain, "/", False, None)]
    assert cookies[0].domain.removeprefix(".") == "c.example"
    assert problems == []


@pytest.mark.parametrize(
    ("domain", "site"),
    [
        ("B\u00fccher.example", "xn--bcher-kva.example"),
        ("www.xn--bcher-kva.example.", "xn--bcher-kva.example"),
        ("127.0.0.1", "127.0.0.1:8080"),
        ("[0:0::1]:8080", "[::1]:8080"),
        ("LOCALHOST", "localhost"),
    ],
)
def test_a_cookie_is_its_sites_however_its_domain_is_spelled(domain: str, site: str) -> None:
    """By the name that is connected to, which is what a client compares it with."""
    cookies, _ = parse_cookies(f"# cookies\n{domain}\tFALSE\t/\tFALSE\t0\ta\tb\n", "cookies")

    assert cookies_at(site, cookies, site_of) == cookies
    assert cookies_at("other.example", cookies, site_of) == []
    assert all(cookie.domain.isascii() for cookie in cookies)


@pytest.mark.parametrize("domain", ["c.example", "c.example:8080", " c.example", ".c.example"])
def test_a_domain_is_its_host(domain: str) -> None:
    """wget writes the port behind it, and to ports cookies are not tied."""
    cookies, problems = parse_cookies(f"{domain}\tTRUE\t/\tFALSE\t0\ta\tb\n", "cookies")

    assert [cookie.domain for cookie in cookies] == [".c.example"]
    assert problems == []


@pytest.mark.parametrize("secure", [{"secure": True}, {"secure": 1}, {"secure": "true"}, {"isSecure": 1}])
def test_a_cookie_for_https_stays_one(secure: dict[str, object]) -> None:
    """However it is said: it must not be sent in the clear."""
    [cookie], _ = parse_cookies(json.dumps([{"name": "a", "value": "b", "domain": "c.example", **secure}]), "cookies")

    assert cookie.secure


WHOLE = [
    "# Netscape\n" + "".join(f".{n}.example\tTRUE\t/\tFALSE\t190000000{n}\tname{n}\tQXZJ{n}\n" for n in range(5)),
    json.dumps(
        [{"name": f"name{n}", "value": f"QXZJ{n}", "domain": f"{n}.example", "expires": AT} for n in range(5)], indent=1
    ),
]


@settings(deadline=None, max_examples=300)
@given(damaged(WHOLE, ["\n", "\t", " ", '"', ",", "\t/"]))
def test_of_a_damaged_file_no_cookie_is_made_up(text: str) -> None:
    """Name, value and host of each stood there, and no message repeats a value."""
    try:
        cookies, problems = parse_cookies(text, "cookies")
    except ConfigError as error:
        cookies, problems = [], [str(error)]

    for cookie in cookies:
        assert all(part in text for part in (cookie.name, cookie.value or ""))
        # Upper and lower case are the same there.
        assert cookie.domain.removeprefix(".") in text.lower()
    assert not [problem for problem in problems if "QXZ" in problem]


@pytest.mark.parametrize("expiry", ["9e99", "253402300800"])
def test_a_cookie_for_ever_can_be_kept(tmp_path: Path, expiry: str) -> None:
    """A store has no room for later moments, and neither have dates."""
    path = tmp_path / "cookies.txt"
    path.write_text(f"shop.example\tFALSE\t/\tFALSE\t{expiry}\ta\tb\n")

    (cookie,) = read_cookies(path, NOW)

    jar = CookieJar()
    jar.set_cookie(cookie)
    assert [one.expires for one in load_cookies(dump_cookies(jar))] == [253_402_300_799]


JSON_COOKIES = st.lists(
    st.dictionaries(
        st.sampled_from(["name", "value", "domain", "path", "expires", "expirationDate", "secure", "hostOnly"]),
        st.text(max_size=8) | st.integers() | st.floats() | st.none() | st.lists(st.integers(), max_size=1),
    )
)


@given(JSON_COOKIES)
@example([{"name": "a", "value": "b", "domain": "\N{ACCOUNT OF}.example"}])
def test_whatever_json_has_in_it_is_kept_or_told(
    tmp_path_factory: pytest.TempPathFactory, content: list[dict[str, object]]
) -> None:
    """What is read can be asked for by site, and kept in a store."""
    path = tmp_path_factory.mktemp("any") / "cookies.json"
    path.write_bytes(msgspec.json.encode(content))
    jar = CookieJar()

    try:
        cookies = read_cookies(path, NOW)
    except ConfigError:
        return
    for cookie in cookies_at("shop.example", cookies, site_of):
        jar.set_cookie(cookie)
    dump_cookies(jar)


@given(st.binary(max_size=300))
def test_whatever_is_in_a_file_is_read_or_told(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Nothing but cookies or a ConfigError comes out of any bytes."""
    path = tmp_path_factory.mktemp("any") / "cookies.txt"
    path.write_bytes(content)

    try:
        cookies = read_cookies(path, NOW)
    except ConfigError:
        return

    assert cookies


async def test_every_session_starts_with_the_cookies_of_its_site(tmp_path: Path) -> None:
    """Those of another site are left out, and what the site has set since counts for more."""
    world = World(proxies=2, networks=1, bound_cookies=True)
    async with Testbed(world) as bed:
        path = tmp_path / "cookies.txt"
        path.write_text(
            "127.0.0.1\tFALSE\t/\tFALSE\t0\tlogin\tsecret\n.other.example\tTRUE\t/\tFALSE\t0\talien\tsecret\n"
        )
        async with SessionPool(bed.proxy_lines, store=tmp_path / "state", cookies=path, max_rate=0) as pool:
            page = await pool.get(f"{bed.site_url}/echo")
            sent = dict(page.json()["headers"])
            again = dict((await pool.get(f"{bed.site_url}/echo")).json()["headers"])

    cookie = next(value for name, value in sent.items() if name.lower() == "cookie")
    later = next(value for name, value in again.items() if name.lower() == "cookie")
    assert cookie == "login=secret"
    assert "login=secret" in later
    assert "alien" not in later


async def test_what_a_site_set_outlives_the_file(tmp_path: Path) -> None:
    """After a restart a session has its own cookie and not the one that it started with."""
    async with Testbed(World(proxies=1, networks=1, bound_cookies=True)) as bed:
        store, jars = tmp_path / "state", []
        for value in ("", "wrong"):
            path = tmp_path / "cookies.txt"
            path.write_text(f"127.0.0.1\tFALSE\t/\tFALSE\t0\t{'visitor' if value else 'other'}\t{value}\n")
            async with SessionPool(bed.proxy_lines, store=store, cookies=path, max_rate=0) as pool:
                async for attempt in pool.attempts(bed.page_url(1)):
                    async with attempt as session:
                        page = await pool.settings.client.send(Request(url=bed.page_url(1)), session)
                        jars.append({cookie.name: cookie.value for cookie in session.cookies})
                        attempt.check(page.status, page.headers, page.body)

    assert jars[0]["visitor"] == jars[1]["visitor"] != "wrong"
