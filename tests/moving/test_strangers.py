"""A file of sessions may be anybody's: what it says outright counts, what it cannot know is not believed."""

from __future__ import annotations

import asyncio
import copy
import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.moving.files import CHROME_70, classic, crawlee_4, crawlee_js, crawlee_js_pool, encoded

from proxysieve.cli import main
from proxysieve.clock import SystemClock
from proxysieve.core.fingerprints.available import FINGERPRINTS
from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.core.model import Outcome
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.records import MOST_COUNT, ExitRecord, Record, SessionRecord, decode
from proxysieve.errors import ConfigError
from proxysieve.moving import read_file, values
from proxysieve.moving.cookies import OTHERS, TOO_LONG, sift
from proxysieve.moving.crawlee import RETIRED, UNCHECKED
from proxysieve.moving.export_sessions import UNLISTED, encode
from proxysieve.moving.import_sessions import MANY_COOKIES, TOO_LARGE, UNBORN, Admission, Arrival, bind_own
from proxysieve.moving.match_exits import ENDED, Bound, bind
from proxysieve.moving.read_file import read_sessions
from proxysieve.moving.values import Export, FoundSessions, MovedSession
from proxysieve.sessions.storage import BrowserRecord, CookieRecord
from proxysieve.site_of import site_of
from proxysieve.stores.sqlite import SqliteStore

SITE = "shop.example"
NOW = 1_800_000_000.0
URLS = [f"http://user:p%40ss@10.1.2.{host}:8000" for host in range(1, 4)]
PLAIN = [parse_proxy(url) for url in URLS]
PROVIDER = parse_proxy("http://user-session-{session}:topsecret@gate.example:8000")


def found(*sessions: dict[str, Any]) -> FoundSessions:
    read = read_sessions(encoded(crawlee_js_pool(*sessions)), NOW)
    assert isinstance(read, FoundSessions)
    return read


def bound(*sessions: dict[str, Any], now: float = NOW) -> Bound:
    return bind(found(*sessions), SITE, Catalog([*PLAIN, PROVIDER]), FINGERPRINTS, Random(0), now)


def admitted(bound_: Bound, site: str = SITE) -> Arrival:
    catalog = Catalog([*PLAIN, PROVIDER])
    return Admission(site, catalog, [], NOW, site_of=site_of, is_replacing=False).admit(bound_)


class TestCrawlee4:
    """The newest form of a session pool."""

    def test_a_session_comes_on_its_own_proxy(self) -> None:
        """Which the file says, with its password; not on the provider that is in the list as well."""
        came = bound(crawlee_4("a", NOW, URLS[0]), crawlee_4("b", NOW, URLS[1]))

        assert [one.session.proxy_key for one in came.sessions] == [PLAIN[0].key, PLAIN[1].key]
        assert not came.left_out

    @pytest.mark.parametrize(
        "info",
        [
            {"url": None, "hostname": "10.1.2.1", "port": 8000, "username": "user", "password": "p@ss"},
            {"hostname": "10.1.2.1", "port": "8000", "username": "user", "password": "p@ss"},
            {"url": URLS[0]},
            {"url": "http://user-session-xy:topsecret@gate.example:8000"},
        ],
    )
    def test_a_proxy_may_be_said_in_parts(self, info: dict[str, object]) -> None:
        """Its password stands there as it is, and in a URL with percent signs."""
        (one,) = bound(crawlee_4("a", NOW, proxyInfo=info)).sessions

        assert one.session.proxy_key in {PLAIN[0].key, PROVIDER.key}

    def test_what_the_file_says_counts_for_more_than_user_data(self) -> None:
        """Where a user has put another proxy there, or one that is not in the list is said."""
        told = crawlee_4("a", NOW, URLS[0], userData={"proxyUrl": URLS[1]})
        unlisted = crawlee_4("b", NOW, "http://a:b@10.9.9.9:1", userData={"proxyUrl": URLS[1]})

        came = bound(told, unlisted)

        assert [one.session.proxy_key for one in came.sessions] == [PLAIN[0].key]
        assert came.left_out == {UNLISTED: 1}

    def test_user_data_may_have_what_a_handler_was_given(self) -> None:
        """The object of its proxy, in the forms before."""
        (one,) = bound(crawlee_js("a", NOW, userData={"proxyInfo": {"url": URLS[2]}, "x": 1})).sessions

        assert (one.session.proxy_key, one.data) == (PLAIN[2].key, {"x": 1})

    @pytest.mark.parametrize(
        ("scores", "is_left_out"),
        [
            ({"retired": True, "errorScore": 0}, True),
            ({"retired": True, "errorScore": 3, "usageCount": 51}, True),
            ({"retired": False, "errorScore": 3}, True),
            ({"retired": False, "errorScore": 1}, False),
            ({"retired": False, "errorScore": 3, "maxErrorScore": None}, False),
            ({"retired": None, "errorScore": 0}, False),
            ({"maxUsageCount": None, "errorScore": 0}, False),
        ],
    )
    def test_a_session_is_retired_where_it_is_said(self, scores: dict[str, object], *, is_left_out: bool) -> None:
        """Whatever its scores; and by its scores as before. Null stands for infinity."""
        read = found(crawlee_4("a", NOW, URLS[0], **{"usageCount": 20, **scores}))

        assert read.left_out == ({RETIRED: 1} if is_left_out else {})

    def test_a_count_that_no_record_can_hold_is_cut(self) -> None:
        """It would be saved, and the store could not be read again."""
        (session,) = found(crawlee_4("a", NOW, URLS[0], usageCount=1e300)).sessions

        assert session.ok_count == MOST_COUNT

    @pytest.mark.parametrize(
        ("fingerprint", "user_agent", "impersonate", "change"),
        [
            ({"browser": "chrome", "platform": "windows", "device": "desktop"}, "", "chrome151", "Chrome on Windows"),
            ({"browser": "edge"}, "", "chrome151", "Chrome"),
            ({"browser": "firefox", "platform": "android", "device": "mobile"}, "", "firefox154",
             "Firefox on Android (mobile)"),
            ({"browser": "safari", "platform": "ios"}, CHROME_70, "safari270", "Safari on iOS"),
            ({"browser": "chrome"}, CHROME_70, "chrome150", "Chrome 70 on Windows"),
            ({"browser": "chrome"}, FINGERPRINTS[1].user_agent, "chrome151", ""),
            ({"browser": "netscape", "platform": "\x1b[31m"}, CHROME_70, "chrome150", "Chrome 70 on Windows"),
            ({}, CHROME_70, "chrome150", "Chrome 70 on Windows"),
            (None, CHROME_70, "chrome150", "Chrome 70 on Windows"),
        ],
    )  # fmt: skip
    def test_a_fingerprint_says_which_browser_it_is(
        self, fingerprint: object, user_agent: str, impersonate: str, change: str
    ) -> None:
        """Of a user agent among the user data, the version is taken where the browser is the same."""
        came = bound(crawlee_4("a", NOW, URLS[0], fingerprint=fingerprint, userData={"userAgent": user_agent}))

        assert [one.session.fingerprint.impersonate for one in came.sessions] == [impersonate]
        assert [*came.other_fingerprints] == ([f"{change} -> {impersonate}"] if change else [])

    def test_a_session_ends_when_its_user_wanted_it_to(self) -> None:
        """The usual 50 minutes are a guess of Crawlee's; any other time is its user's."""
        chosen = crawlee_4("a", NOW - 700, URLS[0], expiresAt=moment(NOW - 100))
        usual = crawlee_4("b", NOW - 4_000, URLS[1])
        longer = crawlee_4("c", NOW - 4_000, URLS[2], expiresAt=moment(NOW + 9_000))

        came = bound(chosen, usual, longer)

        assert [one.session.name for one in came.sessions] == ["b", "c"]
        assert came.left_out == {ENDED: 1}

    def test_cookies_stay_hidden_from_scripts(self) -> None:
        """As their site has said, and when others' pages may send them."""
        session = crawlee_4("a", NOW, URLS[0])
        session["cookieJar"]["cookies"][0]["sameSite"] = "strict"

        (one,) = bound(session).sessions

        assert [(cookie.http_only, cookie.same_site) for cookie in one.cookies[:2]] == [(True, "Strict"), (False, "")]

    def test_proxies_that_read_along_are_told(self) -> None:
        """Here their certificates are checked."""
        session = crawlee_4("a", NOW, URLS[0])
        session["proxyInfo"]["ignoreTlsErrors"] = True

        assert found(session).notes == [UNCHECKED]

    def test_the_state_of_a_named_pool_is_unwrapped(self) -> None:
        """Crawlee 4 puts the pool's name behind it."""
        state = {"CRAWLEE_SESSION_POOL_STATE_3": crawlee_js_pool(crawlee_4("a", NOW, URLS[0]))}

        read = read_sessions(encoded(state), NOW)

        assert isinstance(read, FoundSessions)
        assert len(read.sessions) == 1


def moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def cookie(domain: str, value: str = "v", name: str = "n") -> CookieRecord:
    return CookieRecord(
        name=name, value=value, domain=domain, domain_specified=True, domain_initial_dot=True, discard=True
    )


def own(**changes: Any) -> MovedSession:  # noqa: ANN401 - any field
    session = SessionRecord(
        name="a",
        proxy_key=PLAIN[0].key,
        exit_name="",
        fingerprint=FINGERPRINTS[0],
        opened_at=NOW - 9,
        worked_at=NOW - 8,
        draw_count=1,
    )
    known = ExitRecord(ok_count=1, last=Outcome.OK, last_ok_at=NOW - 5, used_at=[NOW - 5])
    return msgspec.structs.replace(MovedSession(session=session, exit=known), **changes)


def admitted_own(one: MovedSession, site: str = SITE) -> Arrival:
    export = read_sessions(encode(Export(site=site, sessions=[one])), NOW)
    assert isinstance(export, Export)
    return admitted(bind_own(export, Catalog([*PLAIN, PROVIDER]), FINGERPRINTS, Random(0)), site)


def kept(arrival: Arrival, kind: str, type_: Any) -> Any:  # noqa: ANN401 - any record
    [value] = [one.value for one in arrival.records if one.kind == kind and one.value]
    return decode(value, type_)


class TestOwnForm:
    """What claims to be an export of ours."""

    def test_cookies_of_other_sites_are_left_out(self) -> None:
        """And counted, as those are that no browser keeps."""
        cookies = [
            cookie(".shop.example"), cookie("www.shop.example"), cookie(".bank.example"), cookie("shop.example.evil"),
            cookie("evil-shop.example"), cookie("10.0.0.1"), cookie(".example"), cookie(".shop.example", "x" * 4_096),
        ]  # fmt: skip

        arrival = admitted_own(own(cookies=cookies))

        assert [one.domain for one in kept(arrival, "cookies", list[CookieRecord])] == [
            ".shop.example",
            "www.shop.example",
        ]
        assert arrival.cookies_left_out == {OTHERS: 5, TOO_LONG: 1}

    @pytest.mark.parametrize(
        "domain",
        ["a@shop.example", "shop.example/", "shop.example:80", "shop.example#", "shop.example?x", "b\\@shop.example"],
    )
    def test_a_domain_that_is_no_hosts_is_no_sites(self, domain: str) -> None:
        """Though a URL with it may lead there; a browser would take none of the cookies among which it is."""
        kept, left_out = sift([cookie(domain), cookie(f".{domain}"), cookie(SITE)], SITE, site_of)

        assert kept == [cookie(SITE)]
        assert left_out == {OTHERS: 2}

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"cookies": [cookie(".shop.example", name=f"n{number}") for number in range(1_001)]}, MANY_COOKIES),
            ({"data": {"x": "y" * 10_000_001}}, TOO_LARGE),
            ({"browser": BrowserRecord(origins=[{"origin": "x" * 10_000_001}])}, TOO_LARGE),
            ({"exit": ExitRecord(last_ok_at=NOW + 999)}, UNBORN),
            ({"exit": ExitRecord(last_bad_at=NOW + 999)}, UNBORN),
            ({"exit": ExitRecord(used_at=[NOW, NOW + 999])}, UNBORN),
        ],
    )
    def test_what_a_store_is_not_made_for_is_left_out(self, change: dict[str, Any], why: str) -> None:
        """Nothing of it is saved."""
        arrival = admitted_own(own(**change))

        assert (arrival.records, arrival.left_out) == ([], {why: 1})

    def test_no_exit_rests_for_longer_than_a_day(self) -> None:
        """By nobody else's word."""
        arrival = admitted_own(own(exit=ExitRecord(last=Outcome.THROTTLED, cooldown_until=NOW + 1e9)))

        assert kept(arrival, "exit", ExitRecord).cooldown_until == NOW + 86_400

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("session.exit", "a b"),
            ("session.exit", "x" * 201),
            ("session.lost", "x" * 1_001),
            ("session.identity.user_agent", "Mozilla\r\nX-Header: 1"),
            ("session.identity.user_agent", "Mozilla \x1b[31m"),
            ("session.identity.accept_language", "é"),
            ("session.identity.client_hints", [["sec-ch-ua", "x" * 1_001]]),
            ("session.identity.client_hints", [["a", "b"]] * 21),
            ("exit.why", "x" * 1_001),
            ("exit.used_at", [1.0] * 1_001),
            ("browser.window", {"screen_width": -1, "screen_height": 1, "width": 1, "height": 1}),
            ("browser.window", {"screen_width": 1, "screen_height": 1, "width": 10**9, "height": 1}),
            ("browser.window", {"screen_width": 1, "screen_height": 1, "width": 1, "height": 1, "pixel_ratio": 0}),
            ("browser.timezone", "x" * 1_001),
            ("address", "x" * 1_001),
        ],
    )
    def test_what_cannot_be_true_is_refused(self, path: str, value: object) -> None:
        """It would reach a header, a browser or a table."""
        whole = json.loads(encode(Export(site=SITE, sessions=[own()])))
        *parents, last = path.split(".")
        inner = whole["sessions"][0]
        for key in parents:
            inner = inner.setdefault(key, {})
        inner[last] = value

        with pytest.raises(ConfigError, match="damaged"):
            read_sessions(encoded(whole), NOW)


class TestSizes:
    """What no file may cost."""

    @pytest.mark.parametrize(
        "make", [lambda: crawlee_js_pool(*[crawlee_js("a", NOW)] * 3), lambda: classic("a", "b", "c")]
    )
    def test_sessions_have_a_number(self, make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
        """In every form."""
        monkeypatch.setattr(values, "MOST_SESSIONS", 2)

        with pytest.raises(ConfigError, match="3 sessions: import at most 2 at once"):
            read_sessions(encoded(make()), NOW)

    @pytest.mark.parametrize("content", [b"[" + b"[]," * 200, b'{"a":' + b"{}" * 200, b"[" + b"1," * 200])
    def test_values_have_a_number(self, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        """As each takes many times as much memory as it has letters."""
        monkeypatch.setattr(read_file, "MOST_VALUES", 199)

        with pytest.raises(ConfigError, match="more than 199 values"):
            read_sessions(content, NOW)


VALUES = st.sampled_from(
    ["null", "true", "-1", "0", "1e300", "9" * 400, '"x"', '""', '"\\u001b[31m\\u202e"', '"9999-12-31T23:59:59Z"', "[]",
     "{}", '["x"]', '{"a": 1}', "[" * 60 + "]" * 60, '"' + "x" * 5_000 + '"', "4102444799", "-1e9"]
).map(json.loads)  # fmt: skip


def places(value: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401 - any JSON
    """All fields in *value*, each with what it is in."""
    found_: list[tuple[Any, Any]] = []
    if isinstance(value, dict | list):
        for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
            found_ += [(value, key), *places(inner)]
    return found_


def own_file(at: float) -> dict[str, Any]:
    session = own(cookies=[cookie(".shop.example"), cookie(".bank.example")], data={"x": [1]})
    session.session.opened_at, session.session.worked_at = at, at
    session.exit = ExitRecord(ok_count=2, last=Outcome.OK, last_ok_at=at, used_at=[at])
    whole: dict[str, Any] = json.loads(encode(Export(site=SITE, sessions=[session])))
    return whole


@st.composite
def changed(draw: st.DrawFn) -> dict[str, Any]:
    """A file of some form with fields dropped, doubled, of another value or type, or with another's in their place."""
    at = SystemClock().now() - 60
    value: dict[str, Any] = copy.deepcopy(
        draw(
            st.sampled_from(
                [own_file(at), crawlee_js_pool(crawlee_4("a", at, URLS[0]), crawlee_js("b", at)), classic("a", "b")]
            )
        )
    )
    for _ in range(draw(st.integers(1, 4))):
        fields = places(value)
        if not fields:
            break
        holder, key = draw(st.sampled_from(fields))
        match draw(st.sampled_from(["drop", "double", "change", "splice"])):
            case "drop":
                del holder[key]
            case "double":
                holder[key if isinstance(key, int) else f"{key}2"] = copy.deepcopy(holder[key])
            case "change":
                holder[key] = draw(VALUES)
            case "splice":
                other, name = draw(st.sampled_from(fields))
                holder[key] = copy.deepcopy(other[name]) if name in other or isinstance(other, list) else None
    return value


def texts(value: object) -> set[str]:
    """All that stands in *value* as text."""
    if isinstance(value, str):
        return {value}
    if isinstance(value, dict):
        return set().union(*(texts(one) for pair in value.items() for one in pair))
    return set().union(*map(texts, value)) if isinstance(value, list) else set()


def snapshot(store: Path) -> list[Record]:
    async def look() -> list[Record]:
        kept_ = SqliteStore(str(store))
        try:
            return [*await kept_.load()]
        finally:
            await kept_.close()

    return asyncio.run(look())


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(changed())
def test_whatever_a_file_says_the_store_is_sound(value: dict[str, Any]) -> None:
    """Nothing is in it then that was not in the file, nothing at all if it was refused; and it can be looked into."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "in.json").write_bytes(encoded(value))
        (place / "list.txt").write_text("\n".join([*URLS, "http://user-session-{session}:topsecret@gate.example:8000"]))
        options = ["--store", str(place / "store"), "--proxies", str(place / "list.txt")]

        done = CliRunner().invoke(main, ["import", str(place / "in.json"), "--site", SITE, *options, "--json"])

        assert done.exit_code in {0, 2}, done.exception
        assert len(done.stderr.splitlines()) == (done.exit_code == 2)
        records = snapshot(place / "store") if (place / "store").exists() else []
        if done.exit_code == 2:
            assert records == []
            return
        report = json.loads(done.stdout)
        said = texts(value)
        sessions = [decode(one.value, SessionRecord) for one in records if one.kind == "session"]
        assert len(sessions) == report["imported"]
        assert {one.name for one in sessions} <= said
        assert {one.site for one in records} <= {SITE}
        for one in records:
            if one.kind == "cookies":
                cookies = decode(one.value, list[CookieRecord])
                # A cookie without a value in the file is kept with an empty one.
                assert {each.value for each in cookies} <= said | {""}
                assert all(each.domain.strip(".").endswith(SITE) for each in cookies)
        for command in ("sessions", "explain"):
            looked = CliRunner().invoke(main, [command, SITE, *options])
            assert looked.exit_code in ({0} if records else {2}), looked.output
