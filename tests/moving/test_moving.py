"""Sessions go from store to store, and come from other tools, with what belongs to them."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.moving.files import CHROME_70, classic, crawlee_js, crawlee_js_pool, encoded

from proxysieve.core.fingerprints.available import FINGERPRINTS, real_chromium
from proxysieve.core.fingerprints.user_agents import browser_of, platform_of
from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.core.model import Outcome
from proxysieve.core.policies.adaptive import Adaptive
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.records import ExitRecord, Record, SessionRecord, decode
from proxysieve.core.site.engine import Engine
from proxysieve.core.site.sessions import SESSION_SECONDS
from proxysieve.errors import ConfigError
from proxysieve.moving.export_sessions import TOO_OLD, UNLISTED, encode, encode_classic, pack
from proxysieve.moving.import_sessions import KNOWN, SINCE_REFUSED, TAKEN, TWICE, UNBORN, Admission, Arrival, bind_own
from proxysieve.moving.match_exits import AMBIGUOUS, EXITLESS, Bound, bind, choose_fingerprint
from proxysieve.moving.read_file import read_sessions
from proxysieve.moving.values import Export, FoundSessions, MovedSession, Reasons
from proxysieve.sessions.screens import BrowserWindow
from proxysieve.sessions.storage import BrowserRecord, CookieRecord
from proxysieve.site_of import site_of

SITE = "shop.example"
NOW = 1_800_000_000.0
PLAIN = [parse_proxy(f"http://user:topsecret@10.1.2.{host}:8000") for host in range(1, 5)]
PROVIDER = parse_proxy("http://user-session-{session}:topsecret@gate.example:8000")
OTHER_PROVIDER = parse_proxy("http://me-{session}:{session}:x@other.example:8000")
COOKIE = CookieRecord(
    name="visitor", value="v1", domain=SITE, domain_specified=False, domain_initial_dot=False, discard=True
)

BROWSER = BrowserRecord(
    window=BrowserWindow(screen_width=1920, screen_height=1080, width=1500, height=900, pixel_ratio=1.25),
    timezone="Europe/Berlin",
    origins=[{"origin": f"https://{SITE}", "localStorage": [{"name": "basket", "value": "full"}]}],
)


def session(name: str, proxy: int = 0, **changes: Any) -> SessionRecord:  # noqa: ANN401 - any field
    whose = {"exit_name": "", "fingerprint": FINGERPRINTS[0]}
    fields = {**whose, "opened_at": NOW - 60, "worked_at": NOW - 59, "draw_count": 1}
    return SessionRecord(name=name, proxy_key=PLAIN[proxy].key, **{**fields, **changes})


def record(kind: str, key: str, value: object) -> Record:
    return Record(SITE, kind, key, msgspec.json.encode(value))


def store(*sessions: SessionRecord, exit_: ExitRecord | None = None) -> list[Record]:
    """What a store keeps of *sessions*, with a cookie and data each."""
    known = exit_ or ExitRecord(ok_count=3, last=Outcome.OK, last_ok_at=NOW - 5, used_at=[NOW - 6, NOW - 5])
    return [
        one
        for each in sessions
        for one in (
            record("session", each.name, each),
            record("exit", each.exit_id, known),
            record("cookies", each.name, [COOKIE]),
            record("data", each.name, {"of": each.name}),
            record("browser", each.name, BROWSER),
        )
    ]


def exported(*sessions: SessionRecord) -> Export:
    return pack(SITE, Catalog([*PLAIN, PROVIDER]), store(*sessions), NOW).export


def admitted(export: Export, kept: list[Record], *, is_replacing: bool = False) -> Arrival:
    catalog = Catalog([*PLAIN, PROVIDER])
    bound = bind_own(export, catalog, FINGERPRINTS, Random(0))
    return Admission(SITE, catalog, kept, NOW, site_of=site_of, is_replacing=is_replacing).admit(bound)


def after(kept: list[Record], arrival: Arrival) -> dict[tuple[str, str], bytes]:
    """What the store keeps then."""
    all_of_it = {(one.kind, one.key): one.value for one in [*kept, *arrival.records]}
    return {place: value for place, value in all_of_it.items() if value is not None}


def as_records(kept: dict[tuple[str, str], bytes]) -> list[Record]:
    return [Record(SITE, kind, key, value) for (kind, key), value in kept.items()]


def bound(content: object, *proxies: Any) -> Bound:  # noqa: ANN401
    found = read_sessions(encoded(content), NOW)
    assert isinstance(found, FoundSessions)
    return bind(found, SITE, Catalog(proxies), FINGERPRINTS, Random(0), NOW)


SESSIONS = st.lists(
    st.builds(
        session,
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12),
        st.integers(0, 3),
        is_named=st.booleans(),
        lost=st.sampled_from(["", "blocked: a sign"]),
        opened_at=st.floats(NOW - 2 * SESSION_SECONDS, NOW),
        ok_count=st.integers(0, 10**6),
    ),
    max_size=6,
    unique_by=lambda one: one.name,
)


class TestOwnSessions:
    """From one store of ours into another."""

    @given(SESSIONS)
    def test_there_and_back_again(self, sessions: list[SessionRecord]) -> None:
        """An export of what was imported into an empty store is the same file, if no two sessions share an exit."""
        mine = {one.proxy_key: one for one in sessions if not one.is_named}
        whole = exported(*mine.values(), *(one for one in sessions if one.is_named))

        kept = after([], admitted(msgspec.json.decode(encode(whole), type=Export), []))
        again = pack(SITE, Catalog([*PLAIN, PROVIDER]), as_records(kept), NOW)

        assert encode(again.export) == encode(whole)
        assert not again.left_out

    def test_a_visitor_by_a_real_browser_stays_one(self) -> None:
        """With its window, its clock and its storage; an imitation of it would be another visitor."""
        real = real_chromium("Mozilla/5.0 Chrome/156.0.0.0 Safari/537.36", "en-US", ())
        arrival = admitted(exported(session("a", fingerprint=real)), [])
        kept = {one.kind: one.value or b"" for one in arrival.records}

        assert decode(kept["session"], SessionRecord).fingerprint == real
        assert decode(kept["browser"], BrowserRecord) == BROWSER
        assert not arrival.other_fingerprints

    def test_no_password_is_in_the_file(self) -> None:
        """The list that it is imported with has them."""
        content = encode(exported(session("a"), session("b", proxy=1)))

        assert b"topsecret" not in content
        assert b"http://10.1.2.1:8000" in content

    def test_what_cannot_be_used_elsewhere_stays(self) -> None:
        """Too old a session, unless it has a name of its own, and one whose proxy is not in the list."""
        old = session("old", opened_at=NOW - SESSION_SECONDS)
        kept = store(old, session("anna", 1, opened_at=1.0, is_named=True), session("gone", 2))

        packing = pack(SITE, Catalog(PLAIN[:2]), kept, NOW)

        assert [one.session.name for one in packing.export.sessions] == ["anna"]
        assert packing.left_out == {TOO_OLD: 1, UNLISTED: 1}

    @pytest.mark.parametrize("kind", ["session", "exit", "cookies", "data"])
    @pytest.mark.parametrize("damage", [b"[" * 100_000, b'"\xff"'])
    def test_a_damaged_record_is_told_as_such(self, kind: str, damage: bytes) -> None:
        """Whatever it holds, and whatever the decoder says of it."""
        records = [one if one.kind != kind else Record(SITE, kind, one.key, damage) for one in store(session("a"))]

        with pytest.raises(msgspec.DecodeError):
            pack(SITE, Catalog(PLAIN), records, NOW)

    def test_a_proxy_may_say_how_long_a_session_lasts(self) -> None:
        """A session that is older does not go."""
        brief = parse_proxy("http://user:topsecret@10.1.2.1:8000 ttl_seconds=30")

        packing = pack(SITE, Catalog([brief]), store(session("a", opened_at=NOW - 31)), NOW)

        assert packing.left_out == {TOO_OLD: 1}

    def test_who_works_is_used_at_once(self) -> None:
        """An engine that is loaded from what came picks it, and no other proxy is tried."""
        arrival = admitted(exported(session("a"), session("b", 1)), [])

        engine = Engine(SITE, Catalog(PLAIN), Adaptive(), records=arrival.records)

        assert engine.status(NOW).working == 2
        assert getattr(engine.choose(NOW, Random(0)), "opened", "wait") is None

    @pytest.mark.parametrize(
        ("coming", "known", "why"),
        [
            pytest.param(session("a"), session("a", 1), KNOWN, id="name"),
            pytest.param(session("a"), session("b"), TAKEN, id="exit"),
            pytest.param(session("a", opened_at=NOW + 999), None, UNBORN, id="clock"),
            pytest.param(session("a", opened_at=NOW - SESSION_SECONDS), None, TOO_OLD, id="age"),
        ],
    )
    def test_what_the_store_knows_is_kept(self, coming: SessionRecord, known: SessionRecord | None, why: str) -> None:
        """Whatever stands in the way is said, and nothing changes."""
        export = exported(msgspec.structs.replace(coming, opened_at=NOW))
        export.sessions[0].session.opened_at = coming.opened_at

        arrival = admitted(export, store(known) if known else [])

        assert (arrival.records, arrival.session_count, arrival.left_out) == ([], 0, {why: 1})

    def test_an_exit_that_was_refused_since_is_not_believed_in(self) -> None:
        """The store's own news of it is newer."""
        refused = ExitRecord(blocked_count=1, last=Outcome.BLOCKED, last_bad_at=NOW - 1)

        arrival = admitted(exported(session("a")), [record("exit", PLAIN[0].key, refused)])

        assert (arrival.records, arrival.left_out) == ([], {SINCE_REFUSED: 1})

    @pytest.mark.parametrize("known", [session("a", 1), session("b")], ids=["name", "exit"])
    def test_replacing_takes_those_of_the_file(self, known: SessionRecord) -> None:
        """And nothing of the other is left for them to find."""
        arrival = admitted(exported(session("a", ok_count=77)), store(known), is_replacing=True)

        kept = after(store(known), arrival)
        assert [key for kind, key in kept if kind == "session"] == ["a"]
        assert [key for kind, key in kept if kind == "cookies"] == ["a"]
        assert msgspec.json.decode(kept["session", "a"], type=SessionRecord).ok_count == 77
        assert msgspec.json.decode(kept["data", "a"]) == {"of": "a"}
        assert arrival.replaced_count == 1

    def test_cookies_of_an_older_session_of_the_name_are_not_found(self) -> None:
        """One that comes without cookies has none."""
        export = exported(session("a"))
        export.sessions[0].cookies = []

        kept = after(store(session("a")), admitted(export, store(session("a")), is_replacing=True))

        assert ("cookies", "a") not in kept

    def test_one_exit_is_one_visitor(self) -> None:
        """Of two sessions on a plain proxy in the file, the first comes."""
        export = exported(session("a", opened_at=NOW - 9), session("b", opened_at=NOW - 8))

        arrival = admitted(export, [], is_replacing=True)

        assert (arrival.session_count, arrival.left_out) == (1, {TWICE: 1})

    @pytest.mark.parametrize(
        "damaged", [session("a", exit_name="berlin"), msgspec.structs.replace(session("a"), proxy_key=PROVIDER.key)]
    )
    def test_an_exit_that_is_not_its_proxys_is_damage(self, damaged: SessionRecord) -> None:
        """A plain proxy has one exit without a name, so that it shows a site one visitor; a provider's have names."""
        export = Export(site=SITE, sessions=[MovedSession(session=damaged, exit=ExitRecord())])

        with pytest.raises(ConfigError, match="its exit is not its proxy's"):
            admitted(export, [])

    def test_named_sessions_come_at_any_age(self) -> None:
        """Beside whoever is there."""
        anna = session("anna", is_named=True, opened_at=1.0)

        arrival = admitted(exported(anna), store(session("b")))

        assert arrival.session_count == 1

    def test_looks_that_are_not_offered_any_more_are_the_nearest(self) -> None:
        """As a client could not send them."""
        old = msgspec.structs.replace(
            FINGERPRINTS[0], impersonate="chrome9", user_agent=FINGERPRINTS[0].user_agent.replace("151", "9")
        )

        arrival = admitted(exported(session("a", fingerprint=old)), [])

        kept = msgspec.json.decode(after([], arrival)["session", "a"], type=SessionRecord)
        assert kept.fingerprint == FINGERPRINTS[2]
        assert arrival.other_fingerprints == {"Chrome 9 on Windows -> chrome150": 1}


class TestOthersSessions:
    """Out of the files of other tools."""

    def test_a_name_is_that_at_the_only_provider(self) -> None:
        """Also beside plain proxies."""
        came = bound(classic("0.787"), *PLAIN, PROVIDER)

        (one,) = came.sessions
        assert (one.session.proxy_key, one.session.exit_name, one.session.name) == (PROVIDER.key, "0.787", "0.787")
        assert one.session.has_worked
        assert came.other_fingerprints == {"Chrome 70 on Windows -> chrome150": 1}

    @pytest.mark.parametrize(
        ("proxies", "why"), [(PLAIN, EXITLESS), ([PROVIDER, OTHER_PROVIDER], AMBIGUOUS)], ids=["plain", "two"]
    )
    def test_without_its_exit_no_session_comes(self, proxies: list[Any], why: str) -> None:
        """Its cookies would be shown from an address that they were not given to."""
        came = bound(classic("0.787"), *proxies)

        assert (came.sessions, came.left_out) == ([], {why: 1})

    @pytest.mark.parametrize(
        ("url", "place"),
        [
            ("http://user:topsecret@10.1.2.2:8000", (PLAIN[1].key, "")),
            ("http://10.1.2.2:8000", (PLAIN[1].key, "")),
            ("http://user-session-abc:topsecret@gate.example:8000", (PROVIDER.key, "abc")),
            ("http://me-xy:xy%3Ax@other.example:8000", (OTHER_PROVIDER.key, "xy")),
        ],
    )
    def test_a_proxy_that_the_file_names_is_found_in_the_list(self, url: str, place: tuple[str, str]) -> None:
        """With its name at a provider."""
        came = bound(
            crawlee_js_pool(crawlee_js("a", NOW, userData={"proxyUrl": url})), *PLAIN, PROVIDER, OTHER_PROVIDER
        )

        (one,) = came.sessions
        assert (one.session.proxy_key, one.session.exit_name) == place
        # The password was in it.
        assert one.data == {}

    @pytest.mark.parametrize(
        "url",
        ["http://10.9.9.9:1", "http://other:pw@10.1.2.2:8000", "nonsense", "http://me-x:y%3Ax@other.example:8000"],
    )
    def test_a_proxy_that_is_not_in_the_list_is_not_replaced(self, url: str) -> None:
        """By any other, also not the provider."""
        session = crawlee_js("a", NOW, userData={"proxyUrl": url})

        came = bound(crawlee_js_pool(session), *PLAIN, OTHER_PROVIDER)

        assert came.left_out == {UNLISTED: 1}

    def test_an_address_of_several_proxies_says_too_little(self) -> None:
        """Each has an exit of its own."""
        twins = [parse_proxy(f"http://user{number}:pw@10.1.2.3:1") for number in range(2)]

        came = bound(classic("a", proxyUrl="http://10.1.2.3:1"), *twins)

        assert came.left_out == {UNLISTED: 1}

    @pytest.mark.parametrize("name", ["two words", "naïve", "a\nb", "x" * 300])
    def test_an_odd_name_is_no_providers(self, name: str) -> None:
        """It would reach another exit, or none."""
        with pytest.raises(ConfigError, match="cannot be a session's name at a provider"):
            bound(classic(name), PROVIDER)

    def test_cookies_without_a_domain_are_the_sites(self) -> None:
        """With all that is below it; those of an address are that address's alone."""
        pool = {"sessions": [{**crawlee_js("a", NOW), "cookieJar": None, "cookies": [{"name": "n", "value": "v"}]}]}
        found = read_sessions(encoded(pool), NOW)
        assert isinstance(found, FoundSessions)

        domains = [
            bind(found, site, Catalog([PROVIDER]), FINGERPRINTS, Random(0), NOW).sessions[0].cookies[0].domain
            for site in (SITE, "127.0.0.1:8000", "localhost:1")
        ]

        assert domains == [".shop.example", "127.0.0.1", ".localhost"]

    def test_the_classics_own_form_comes_back(self) -> None:
        """What works is written by the names that a provider knows, and read again."""
        at_provider = session("anna", exit_name="k3j9x2ab", is_named=True)
        at_provider.proxy_key = PROVIDER.key
        export = exported(at_provider, session("b", 1), session("lost", 2, is_named=True, lost="blocked"))

        content = encode_classic(export)
        came = bound(msgspec.json.decode(content), *PLAIN, PROVIDER)

        assert b"topsecret" not in content
        places = {(one.session.proxy_key, one.session.exit_name) for one in came.sessions}
        assert places == {(PROVIDER.key, "k3j9x2ab"), (PLAIN[1].key, "")}
        assert came.other_fingerprints == Reasons()


class TestLooks:
    """Who a session can be here."""

    @pytest.mark.parametrize(
        ("user_agent", "impersonate"),
        [
            (FINGERPRINTS[3].user_agent, FINGERPRINTS[3].impersonate),
            (CHROME_70, "chrome150"),
            (CHROME_70.replace("/70.0", "/151.0"), "chrome151"),
            (f"{CHROME_70} Edge/16.16299", "chrome150"),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0", "firefox154"),
            (
                "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
                "safari270",
            ),
        ],
    )
    def test_the_nearest_of_the_family_is_taken(self, user_agent: str, impersonate: str) -> None:
        """By version, and of two of a version that on the same platform."""
        fingerprint, change = choose_fingerprint(user_agent, FINGERPRINTS, Random(0))

        assert fingerprint.impersonate == impersonate
        assert bool(change) == (fingerprint.user_agent != user_agent)
        same = [one for one in FINGERPRINTS if one.impersonate == impersonate]
        platforms = {platform_of(one.user_agent) for one in same}
        assert platform_of(user_agent) not in platforms or platform_of(fingerprint.user_agent) == platform_of(
            user_agent
        )

    @given(st.text())
    def test_anything_gets_looks(self, user_agent: str) -> None:
        """Whatever it says it is."""
        assert choose_fingerprint(user_agent, FINGERPRINTS, Random(0))[0] in FINGERPRINTS

    def test_phones_are_told_from_desks(self) -> None:
        """In what is said of the change."""
        assert str(browser_of(CHROME_70.replace("Safari", "Mobile Safari"))) == "Chrome 70 on Windows (mobile)"
