"""Cookies that a user has in a file."""

from __future__ import annotations

from http.cookiejar import Cookie, CookieJar
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxysieve import ConfigError, Request, SessionPool
from proxysieve.belongings import dump_cookies, load_cookies
from proxysieve.cookie_file import cookies_at, read_cookies
from proxysieve.sites import site_of
from proxysieve.testbed import Testbed, World

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

    assert list(map(told, read_cookies(path))) == [
        ("login", "secret", ".shop.example", "/", True, 4102444800),
        ("basket", "", "shop.example", "/basket", False, None),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no cookies in it"),
        ("# Netscape HTTP Cookie File\n", "has no cookies in it"),
        ("login=topsecret", "line 1: no cookie"),
        (LINES + "shop.example\tFALSE\t/\tFALSE\tsoon\tname\ttopsecret", "line 5: its expiry is no number"),
        ("shop.example\tFALSE\t/\tFALSE\t0\t\ttopsecret", "line 1: no cookie"),
        ("shop.example\tFALSE\t/\tFALSE\t0\tname\ttop;secret", "line 1: no cookie"),
        ("\tFALSE\t/\tFALSE\t0\tname\ttopsecret", "line 1: no cookie"),
        ("[", "no JSON that can be read"),
        ('{"login": "topsecret"}', "no list of cookies"),
        ('[{"name": "login", "value": "topsecret"}]', "cookie 1: no cookie"),
        ('["topsecret"]', "cookie 1: no cookie"),
        ('[{"name": "a", "value": "topsecret", "domain": "b", "expires": 1e999}]', "no JSON that can be read"),
        ("[]", "has no cookies in it"),
        ("[" * 100_000, "no JSON that can be read"),
        ('[{"name": "a", "value": "topsecret", "domain": "b", "expires": [1]}]', "cookie 1: its expiry is no number"),
        ('[{"name": "a", "value": "topsecret", "domain": "b", "path": "/\\r\\n"}]', "cookie 1: no cookie"),
        ('[{"name": "a", "value": "topsecret", "domain": "[b"}]', "cookie 1: no cookie"),
        ("http://shop.example/\tFALSE\t/\tFALSE\t0\ta\ttopsecret", "line 1: no cookie"),
    ],
)
def test_a_file_that_holds_something_else_is_told_without_repeating_it(tmp_path: Path, text: str, says: str) -> None:
    """The error names the file, the place and what was expected, and no cookie."""
    path = tmp_path / "cookies.txt"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        read_cookies(path)

    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "expected cookies.txt" in str(caught.value)
    assert "topsecret" not in str(caught.value)


@pytest.mark.parametrize("expiry", ["9e99", "253402300800"])
def test_a_cookie_for_ever_can_be_kept(tmp_path: Path, expiry: str) -> None:
    """A store has no room for later moments, and neither have dates."""
    path = tmp_path / "cookies.txt"
    path.write_text(f"shop.example\tFALSE\t/\tFALSE\t{expiry}\ta\tb\n")

    (cookie,) = read_cookies(path)

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
        cookies = read_cookies(path)
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
        cookies = read_cookies(path)
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
                        page = await pool._settings.client.send(Request(url=bed.page_url(1)), session)
                        jars.append({cookie.name: cookie.value for cookie in session.cookies})
                        attempt.check(page.status, page.headers, page.body)

    assert jars[0]["visitor"] == jars[1]["visitor"] != "wrong"
