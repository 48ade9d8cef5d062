"""The jar that a session has: what clients make of it, against a real server that they reach through a real proxy."""

from __future__ import annotations

import copy
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import Cookie, CookieJar
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import httpx2
import pytest
import requests
from crawlee.sessions import SessionCookies
from curl_cffi import requests as curl_requests

from proxysieve.core.cookies.store import LEFT_OF_SITE, MOST_OF_SITE
from proxysieve.sessions.jar import Jar
from proxysieve.sessions.storage import CookieRecord, cookie_of, dump_cookies, load_cookies

URL = "http://www.shop.example/a/page"
NOW = 1_796_000_000.0


class Origin(ThreadingHTTPServer):
    """A proxy that is every site: it sets what it is told to, and remembers what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.sets: list[bytes] = []
        self.seen: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Origin

    def do_GET(self) -> None:
        # The standard library reads headers a letter a byte.
        self.server.seen.append((self.headers["Cookie"] or "").encode("latin-1"))
        sets = b"".join(b"Set-Cookie: " + one + b"\r\n" for one in self.server.sets)
        self.wfile.write(b"HTTP/1.0 200 OK\r\n" + sets + b"Content-Length: 2\r\n\r\nok")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def by_httpx(jar: Jar, proxy: str, urls: list[str]) -> None:
    with httpx.Client(cookies=jar, proxy=proxy, trust_env=False) as client:
        for url in urls:
            client.get(url)


def by_httpx2(jar: Jar, proxy: str, urls: list[str]) -> None:
    with httpx2.Client(cookies=jar, proxy=proxy, trust_env=False) as client:
        for url in urls:
            client.get(url)


def by_requests(jar: Jar, proxy: str, urls: list[str]) -> None:
    with requests.Session() as client:
        client.trust_env = False
        client.cookies = jar  # type: ignore[assignment]
        client.proxies = {"http": proxy}
        for url in urls:
            client.get(url)


def by_curl_cffi(jar: Jar, proxy: str, urls: list[str]) -> None:
    with curl_requests.Session(cookies=jar, proxy=proxy, trust_env=False) as client:
        for url in urls:
            client.get(url)


def by_urllib(jar: Jar, proxy: str, urls: list[str]) -> None:
    through = urllib.request.ProxyHandler({"http": proxy})
    client = urllib.request.build_opener(through, urllib.request.HTTPCookieProcessor(jar))
    for url in urls:
        client.open(url).close()


Client = Callable[[Jar, str, list[str]], None]
CLIENTS = [by_httpx, by_httpx2, by_requests, by_curl_cffi, by_urllib]
EACH = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__.removeprefix("by_"))


@EACH
def test_a_client_fills_the_jar_and_sends_what_is_in_it(client: Client, origin: Origin) -> None:
    """What it had before, and what the site set; what is deleted is gone, and what no browser takes never came."""
    jar = Jar("shop.example", now=lambda: NOW)
    jar.take(URL, ["before=0; Path=/", "gone=1; Path=/", "elsewhere=1; Path=/b"])
    origin.sets = [b"a=1", b"b=2; Domain=shop.example; Path=/", b"c=3, 4; Path=/", b"gone=; Path=/; Max-Age=0"]
    origin.sets += [b"__Secure-d=1", b"e=1; Domain=other.example", b"f=1; Secure"]

    client(jar, origin.url, [URL, URL])

    assert set(origin.seen[0].split(b"; ")) == {b"before=0", b"gone=1"}
    assert set(origin.seen[1].split(b"; ")) == {b"before=0", b"a=1", b"b=2", b"c=3, 4"}
    assert {(one.name, one.value, one.domain, one.path) for one in jar} == {
        ("before", "0", "www.shop.example", "/"),
        ("elsewhere", "1", "www.shop.example", "/b"),
        ("a", "1", "www.shop.example", "/a"),
        ("b", "2", ".shop.example", "/"),
        ("c", "3, 4", "www.shop.example", "/"),
    }


# httpx raises where a cookie is not ASCII, whatever jar it has.
@pytest.mark.parametrize("client", [by_httpx2, by_requests, by_curl_cffi, by_urllib])
@pytest.mark.parametrize("value", ["caf\xe9", "\N{CJK UNIFIED IDEOGRAPH-65E5}", "\N{SNOWMAN}"])
def test_utf_8_comes_back_byte_for_byte(client: Client, origin: Origin, value: str) -> None:
    """However the client reads and writes headers, and whoever it was set by."""
    jar = Jar("shop.example")
    jar.take(URL, [f"ours={value}".encode().decode("latin-1")])
    origin.sets = [f"theirs={value}".encode()]

    client(jar, origin.url, [URL, URL])

    ours, theirs = f"ours={value}".encode(), f"theirs={value}".encode()
    assert [set(one.split(b"; ")) for one in origin.seen] == [{ours}, {ours, theirs}]
    assert {one.value for one in jar} == {value}
    assert jar.header_for(URL).encode("latin-1") == ours + b"; " + theirs


def test_other_bytes_come_back_too(origin: Origin) -> None:
    """Where the client has a way to say them."""
    jar = Jar("shop.example")
    origin.sets = [b"a=caf\xe9"]

    by_requests(jar, origin.url, [URL, URL])

    assert origin.seen[1] == b"a=caf\xe9"
    assert jar.header_for(URL) == "a=caf\xe9"


@EACH
def test_localhost_has_cookies(client: Client, origin: Origin) -> None:
    """Though the standard library calls it otherwise; and after a restart."""
    jar, again = Jar("localhost"), Jar("localhost")
    origin.sets = [b"a=1"]

    client(jar, origin.url, ["http://localhost/"] * 2)
    for one in load_cookies(dump_cookies(jar)):
        again.set_cookie(one)
    client(again, origin.url, ["http://localhost/"])

    assert origin.seen == [b"", b"a=1", b"a=1"]
    assert jar.header_for("http://localhost/") == again.header_for("http://localhost/") == "a=1"


def test_crawlee_takes_it_as_its_own() -> None:
    """For its sessions' cookies, by all of its ways."""
    jar = Jar("shop.example", now=lambda: NOW)
    cookies = SessionCookies(jar)

    cookies.extract_cookies_from_headers(URL, ["a=caf\xe9", "b=1; Max-Age=0"])
    cookies.extract_cookies_from_headers(URL, ["c=1; Domain=shop.example; SameSite=Strict"])
    cookies.set("d", "4", domain=".shop.example", http_only=True)
    cookies.set("e", "5")

    assert cookies.get_cookie_string(URL) == "a=caf\xe9; c=1; d=4; e=5"
    assert jar.header_for(URL) == "a=caf\xc3\xa9; c=1; d=4; e=5"
    assert [(one["name"], one["http_only"], one.get("same_site")) for one in cookies.get_cookies_as_dicts()] == [
        ("a", False, None),
        ("c", False, "Strict"),
        ("d", True, None),
        ("e", False, None),
    ]


def test_a_session_that_copies_the_jar_back_changes_nothing() -> None:
    """Clients know less of cookies than it does: who may see them, and in which order they came."""
    jar = Jar("shop.example")
    jar.take(URL, ["a=1; HttpOnly; SameSite=Strict", "b=caf\xe9"])
    before = list(map(repr, jar))

    for one in list(jar):
        jar.set_cookie(cookie(one.name, one.value or "", one.domain, path=one.path))

    assert list(map(repr, jar)) == before


def cookie(name: str, value: str, domain: str = "www.shop.example", **changes: object) -> Cookie:
    has_dot = domain.startswith(".")
    fields: dict[str, object] = {"domain_specified": has_dot, "domain_initial_dot": has_dot, "discard": True}
    return cookie_of(CookieRecord(name=name, value=value, domain=domain, **fields | changes))  # type: ignore[arg-type]


def test_it_is_a_cookie_jar() -> None:
    """With all that the standard library's has."""
    jar = Jar("shop.example", now=lambda: NOW)
    assert isinstance(jar, CookieJar)
    assert len(jar) == 0

    jar.set_cookie(cookie("a", "1"))
    jar.set_cookie(cookie("a", "2"))
    jar.set_cookie(cookie("b", "1", path="/x"))
    jar.set_cookie(cookie("c", "1", ".shop.example"))
    jar.set_cookie(cookie("d", "1", expires=int(NOW) + 60, discard=False))
    jar.take(URL, ["nameless"])
    assert [one.name for one in jar] == ["a", "b", "c", "d", "nameless"]
    assert [one.value for one in jar] == ["2", "1", "1", "1", None]

    jar.clear("www.shop.example", "/", "a")
    jar.clear("www.shop.example", "/a", "nameless")
    jar.clear("www.shop.example", "/x")
    assert [one.name for one in jar] == ["c", "d"]
    for missing in (("www.shop.example", "/", "a"), ("www.shop.example", "/x"), ("other.example",)):
        with pytest.raises(KeyError):
            jar.clear(*missing)
    for unclear in ((None, "/"), (None, None, "a"), ("shop.example", None, "a")):
        with pytest.raises(ValueError, match="domain"):
            jar.clear(*unclear)

    jar.clear_session_cookies()
    assert [one.name for one in jar] == ["d"]
    jar.clear()
    assert not list(jar)


@pytest.mark.parametrize(
    "said", ["a=1", "nameless", "\xff=1", "\xff", "caf\xc3\xa9=1", "caf\xc3\xa9", "a=\xff", "\xc3\xa9=\xff"]
)
def test_any_cookie_is_found_by_what_it_is_called(said: str) -> None:
    """So that whoever walks through the jar can remove what stands there."""
    jar = Jar("shop.example")
    jar.take(URL, [said])

    [one] = jar
    assert repr(jar.find(one.domain, one.path, one.name)) == repr(one)
    jar.clear_session_cookies()

    assert len(jar) == 0


def test_what_has_expired_is_removed() -> None:
    """When a client asks for it."""
    now = NOW
    jar = Jar("shop.example", now=lambda: now)
    jar.take(URL, ["a=1; Max-Age=60", "b=1"])

    now += 61
    jar.clear_expired_cookies()

    assert [one.name for one in jar] == ["b"]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, Jar.copy])
def test_a_copy_has_cookies_of_its_own(copied: Callable[[Jar], Jar]) -> None:
    """As requests copies jars: emptying one leaves the other as it is."""
    jar = Jar("shop.example")
    jar.take(URL, ["a=1", "b=caf\xe9; HttpOnly"])

    other = copied(jar)
    assert other.header_for(URL) == "a=1; b=caf\xe9"
    other.clear()

    assert jar.header_for(URL) == "a=1; b=caf\xe9"


def test_a_cookie_without_a_domain_is_the_sites() -> None:
    """As clients' users set them by hand."""
    for site, url, expected in [
        ("shop.example", "http://www.shop.example/", "a=1"),
        ("shop.example", "http://other.example/", ""),
        ("127.0.0.1:8080", "http://127.0.0.1:8080/", "a=1"),
        ("[::1]:8080", "http://[::1]/", "a=1"),
        ("[::1]", "http://[::1]/", "a=1"),
        ("localhost:80", "http://localhost/", "a=1"),
    ]:
        jar = Jar(site)
        jar.set_cookie(cookie("a", "1", ""))

        assert jar.header_for(url) == expected


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(cookie("a", "x" * 4_096), id="large"),
        pytest.param(cookie("__Secure-a", "1"), id="prefix"),
        pytest.param(cookie("a", "\x01"), id="control"),
        pytest.param(cookie("a", "1\r\nX: y"), id="line-end"),
        pytest.param(cookie("a", "1", path="nowhere"), id="no-path"),
        pytest.param(cookie("a", "1", expires=-5), id="negative"),
        pytest.param(cookie("a", "1", expires=1), id="expired"),
        pytest.param(cookie("", ""), id="empty"),
    ],
)
def test_what_no_browser_keeps_is_not_kept(one: Cookie) -> None:
    """Whoever sets it."""
    jar = Jar("shop.example")

    jar.set_cookie(one)

    assert len(jar) == 0


def test_its_cookies_are_saved_and_loaded() -> None:
    """As they are: bytes, order, flags, and those without a name."""
    jar = Jar("shop.example", now=lambda: NOW)
    jar.take(
        "https://www.shop.example/",
        ["z=1", "caf\xe9=\xff", "a=\xe6\x97\xa5; Secure; HttpOnly; SameSite=None", "nameless"],
    )
    jar.take("https://www.shop.example/", ["__Host-b=1; Secure; Path=/; Max-Age=60", "c=1; Domain=shop.example"])
    jar.take("https://www.shop.example/x;y/page", ["d=1"])

    again = Jar("shop.example", now=lambda: NOW)
    for one in load_cookies(dump_cookies(jar)):
        again.set_cookie(one)

    assert list(map(repr, again)) == list(map(repr, jar)) != []
    assert dump_cookies(again) == dump_cookies(jar)
    assert again.header_for("https://www.shop.example/") == jar.header_for("https://www.shop.example/")


def test_of_too_many_saved_ones_the_oldest_are_dropped() -> None:
    """As a browser would have dropped them when they came."""
    jar = CookieJar()
    for number in range(MOST_OF_SITE + 1):
        jar.set_cookie(cookie(f"n{number}", "1"))

    loaded = Jar("shop.example")
    for one in load_cookies(dump_cookies(jar)):
        loaded.set_cookie(one)

    assert [one.name for one in loaded] == [f"n{number}" for number in range(MOST_OF_SITE + 1)][-LEFT_OF_SITE:]


def test_it_shows_no_cookie() -> None:
    """Values are as good as passwords."""
    jar = Jar("shop.example")
    jar.take(URL, ["a=secret"])

    assert "secret" not in f"{jar}{jar!r}"


@contextmanager
def at_once(count: int, work: Callable[[int], None]) -> Iterator[None]:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()


def test_threads_may_share_it() -> None:
    """As those of synchronous callers do: nothing is lost, and nobody's look at it is disturbed."""
    jar = Jar("shop.example")
    failures: list[Exception] = []

    def fill(number: int) -> None:
        try:
            for one in range(40):
                jar.take(URL, [f"t{number}-{one}=1", f"gone{number}=1", f"gone{number}=; Max-Age=0"])
                assert jar.header_for(URL)
                assert len(list(jar)) > 0
        except Exception as error:  # noqa: BLE001 - a thread's own would only be printed
            failures.append(error)

    with at_once(4, fill):
        pass

    assert failures == []
    assert len(jar) == len(list(jar)) == 160
