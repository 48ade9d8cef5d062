"""Files of sessions are read, whosever they are, or refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from crawlee.sessions import Session, SessionPool
from hypothesis import given
from hypothesis import strategies as st
from tests.moving.files import (
    CHROME_70,
    classic,
    crawlee_js,
    crawlee_js_pool,
    crawlee_python_pool,
    encoded,
    used,
)

from proxysieve.core.fingerprints.available import FINGERPRINTS
from proxysieve.core.records import ExitRecord, SessionRecord
from proxysieve.errors import ConfigError
from proxysieve.moving.crawlee import RETIRED, UNPROVEN
from proxysieve.moving.export_sessions import encode
from proxysieve.moving.read_file import read_sessions
from proxysieve.moving.values import LAST_AT, Export, FoundSessions, MovedSession
from proxysieve.sessions.storage import COOKIE_FIELDS, CookieRecord

NOW = 1_800_000_000.0
OWN = Export(
    site="shop.example",
    sessions=[
        MovedSession(
            session=SessionRecord(
                name="k3j9x2ab",
                proxy_key="0011223344556677",
                exit_name="",
                fingerprint=FINGERPRINTS[0],
                opened_at=NOW,
                draw_count=1,
            ),
            exit=ExitRecord(ok_count=3, used_at=[NOW, NOW + 1]),
            cookies=[
                CookieRecord(
                    name="a",
                    value="1",
                    domain=".shop.example",
                    domain_specified=True,
                    domain_initial_dot=True,
                    discard=True,
                )
            ],
            data={"visits": 3},
        )
    ],
)


def found(content: object) -> FoundSessions:
    read = read_sessions(encoded(content), NOW)
    assert isinstance(read, FoundSessions)
    return read


def changed(path: str, value: object) -> bytes:
    """Our own file with another value at *path*, which has dots."""
    whole: Any = json.loads(encode(OWN))
    *parents, last = path.split(".")
    inner = whole
    for key in parents:
        inner = inner[int(key)] if isinstance(inner, list) else inner[key]
    inner[last] = value
    return encoded(whole)


class TestOwn:
    """What proxysieve export writes."""

    def test_what_was_written_is_read(self) -> None:
        """All of it."""
        assert read_sessions(encode(OWN), NOW) == OWN

    def test_a_byte_order_mark_is_no_harm(self) -> None:
        """Some editors put one there."""
        assert read_sessions(b"\xef\xbb\xbf" + encode(OWN), NOW) == OWN

    @pytest.mark.parametrize(
        ("path", "value", "says"),
        [
            ("version", 2, "written by a newer proxysieve"),
            ("version", "one", "damaged"),
            ("sessions.0.cookies.0.expires", 10**30, "damaged"),
            ("sessions.0.cookies.0.version", 10**15, "damaged"),
            ("site", 5, "damaged"),
            ("sessions", None, "damaged"),
            ("sessions.0.session.name", "", "1 to 1,000 letters"),
            ("sessions.0.session.name", "x" * 2000, "1 to 1,000 letters"),
            ("sessions.0.session.proxy", "a/b", "damaged"),
            ("sessions.0.session.opened_at", -1, "damaged"),
            ("sessions.0.session.opened_at", 1e300, "damaged"),
            ("sessions.0.session.draw_count", 10**9, "damaged"),
            ("sessions.0.session.identity", "chrome", "damaged"),
            ("sessions.0.exit.ok_count", -1, "damaged"),
            ("sessions.0.exit.last", "great", "damaged"),
            ("sessions.0.exit.used_at", [NOW, 1.0], "damaged"),
            ("sessions.0.exit.rests_until", 1e11, "damaged"),
            ("sessions.0.cookies", [{"name": "a"}], "damaged"),
            ("sessions.0.cookies.0.value", "a\r\nX-Header: b", "is not valid"),
            ("sessions.0.cookies.0.value", 5, "damaged"),
            ("sessions.0.cookies.0.path", "/\r\nX-Header: b", "is not valid"),
            ("sessions.0.cookies.0.port", "80", "damaged"),
            ("sessions.0.data", [1], "damaged"),
        ],
    )
    def test_what_cannot_be_true_is_refused(self, path: str, value: object, says: str) -> None:
        """In one sentence, without a cookie's value."""
        with pytest.raises(ConfigError, match=says) as caught:
            read_sessions(changed(path, value), NOW)

        assert "X-Header" not in str(caught.value)


class TestClassic:
    """The object of 2019."""

    @pytest.mark.parametrize("wrapped", [lambda one: one, lambda one: {"SESSIONS": one}, lambda one: {"key": "SESSIONS", "value": one}])  # fmt: skip # noqa: E501
    def test_its_sessions_are_read(self, wrapped: Any) -> None:  # noqa: ANN401
        """Also where a key-value store has wrapped it."""
        read = found(wrapped(classic("0.787", "0.478", seen=[1])))

        assert [(one.name, one.user_agent, one.opened_at) for one in read.sessions] == [
            ("0.787", CHROME_70, NOW),
            ("0.478", CHROME_70, NOW),
        ]
        assert read.sessions[0].data == {"seen": [1]}

    def test_a_session_called_as_the_object_is_no_wrapping(self) -> None:
        """It has a name and a user agent itself."""
        assert [one.name for one in found(classic("SESSIONS")).sessions] == ["SESSIONS"]

    @pytest.mark.parametrize("change", [{"name": "other"}, {"userAgent": 5}, {"proxyUrl": 5}])
    def test_a_damaged_one_is_refused(self, change: dict[str, object]) -> None:
        """Its name is its key."""
        with pytest.raises(ConfigError, match="is damaged"):
            found({"a": {"name": "a", "userAgent": CHROME_70, **change}})


class TestCrawlee:
    """The pools of Crawlee."""

    def test_a_pool_for_javascript_is_read(self) -> None:
        """Names, cookies, user data, and how often it worked at least."""
        (one,) = found(crawlee_js_pool(crawlee_js("session_a", NOW))).sessions

        assert (one.name, one.opened_at, one.used_at, one.data) == ("session_a", NOW, NOW, {"tier": 1})
        # With 3 failures of 7, four good answers would have left a score of 1.
        assert one.ok_count == 5
        assert [(c.name, c.domain, c.secure, c.expires, c.discard) for c in one.cookies] == [
            ("visitor", "shop.example", False, None, True),
            ("shared", ".shop.example", True, None, True),
            ("dated", ".shop.example", False, 2_000_000_000, False),
            ("lasting", "shop.example", False, int(NOW) + 100, False),
        ]

    def test_a_real_pool_for_python_is_read(self, tmp_path: Path) -> None:
        """As Crawlee itself has written it."""

        def use(pool: SessionPool) -> None:
            session = used("mine", user_data={"userAgent": CHROME_70, "proxyUrl": "http://a:b@h:1", "x": 1})
            session.cookies.set("a", "1", domain=".shop.example", secure=True, expires=2_000_000_000)
            session.cookies.set("b", "2", domain="shop.example")
            session.cookies.set("c", "3")
            blocked = used("blocked")
            blocked.retire()
            for one in (session, blocked, Session(id="bad", usage_count=1, error_score=1)):
                pool.add_session(one)

        read = read_sessions(crawlee_python_pool(tmp_path, use), NOW)

        assert isinstance(read, FoundSessions)
        (one,) = read.sessions
        assert (one.name, one.user_agent, one.proxy_url, one.ok_count) == ("mine", CHROME_70, "http://a:b@h:1", 2)
        assert one.data == {"userAgent": CHROME_70, "x": 1}
        assert {(c.name, c.domain, c.secure, c.expires) for c in one.cookies} == {
            ("a", ".shop.example", True, 2_000_000_000),
            ("b", "shop.example", False, None),
            ("c", "", False, None),
        }
        # The pool opened one of its own, which was never used.
        assert read.left_out == {RETIRED: 1, UNPROVEN: 2}

    def test_user_agents_may_stand_among_headers(self) -> None:
        """Where the guide of Crawlee puts them."""
        session = crawlee_js("a", NOW, userData={"headers": {"User-Agent": CHROME_70}})

        assert found(crawlee_js_pool(session)).sessions[0].user_agent == CHROME_70

    @pytest.mark.parametrize(
        ("expiry", "expires_at"),
        [
            ({"expires": "9999-12-31T23:59:59.000Z"}, LAST_AT),
            ({"expires": "1969-12-31T23:59:59.000Z"}, 0),
            ({"maxAge": 9_999_999_999, "creation": "2033-05-18T03:33:20.000Z"}, LAST_AT),
        ],
    )
    def test_a_cookie_may_expire_whenever_its_site_says(self, expiry: dict[str, object], expires_at: float) -> None:
        """The year 9999 is how many sites say never, and is no damage."""
        jar = {"cookies": [{"key": "a", "value": "b", "domain": "shop.example", **expiry}]}

        (one,) = found(crawlee_js_pool(crawlee_js("a", NOW, cookieJar=jar))).sessions

        assert [cookie.expires for cookie in one.cookies] == [expires_at]

    def test_a_cookie_that_ends_with_an_automated_browser_outlives_it(self) -> None:
        """Such browsers say -1, and sessions go on."""
        session = crawlee_js("a", NOW, cookies=[{"name": "a", "value": "b", "expires": -1}])
        del session["cookieJar"]

        (one,) = found(crawlee_js_pool(session)).sessions

        assert [(cookie.expires, cookie.discard) for cookie in one.cookies] == [(None, True)]

    @pytest.mark.parametrize(
        "change",
        [
            {"id": ""},
            {"id": 5},
            {"createdAt": "yesterday"},
            {"createdAt": "9999-12-31T23:59:59Z"},
            {"createdAt": "0001-01-01T00:00:00"},
            {"cookieJar": {"cookies": [{"key": "a", "value": "b\n"}]}},
            {"cookieJar": {"cookies": [{"key": "a", "value": "b", "expires": "soon"}]}},
            {"cookieJar": {"cookies": ["a=b"]}},
            {"usageCount": "often"},
        ],
    )
    def test_a_damaged_one_is_refused(self, change: dict[str, object]) -> None:
        """In one sentence."""
        with pytest.raises(ConfigError) as caught:
            found(crawlee_js_pool(crawlee_js("a", NOW, **change)))

        assert "\n" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PATHS = [
    "version", "site", "sessions", *(f"sessions.0.session.{key}" for key in SessionRecord.__struct_fields__),
    *(f"sessions.0.exit.{key}" for key in ExitRecord.__struct_fields__),
    *(f"sessions.0.cookies.0.{key}" for key in COOKIE_FIELDS), "sessions.0.data", "sessions.0.address",
]  # fmt: skip


class TestAnything:
    """Whatever is in a file, it is read or refused."""

    @pytest.mark.parametrize(
        "content",
        [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'"\\ud800"', b"{}", b"[]", b"5", b'{"a": {}}', b'{"format": "x"}'],
    )
    def test_what_is_no_file_of_sessions_is_refused(self, content: bytes) -> None:
        """It says what was expected."""
        with pytest.raises(ConfigError, match="expected what proxysieve export writes"):
            read_sessions(content, NOW)

    @given(st.binary(max_size=200))
    def test_bytes(self, content: bytes) -> None:
        """No other error than one sentence."""
        self.refuse_or_read(content)

    @given(JSON, st.sampled_from(["", "sessions", "SESSIONS", "value"]))
    def test_json(self, value: object, key: str) -> None:
        """Likewise."""
        self.refuse_or_read(encoded({key: value} if key else value))

    @given(st.sampled_from(PATHS), JSON)
    def test_our_own_form_with_a_change(self, path: str, value: object) -> None:
        """Likewise."""
        self.refuse_or_read(changed(path, value))

    @given(st.sampled_from([*crawlee_js("a", NOW), "cookies", "lastUsedAt"]), JSON)
    def test_crawlees_form_with_a_change(self, key: str, value: object) -> None:
        """Likewise."""
        self.refuse_or_read(encoded(crawlee_js_pool({**crawlee_js("a", NOW), key: value})))

    @given(st.sampled_from(["key", "value", "expires", "maxAge", "domain", "path", "hostOnly", "creation"]), JSON)
    def test_a_jar_with_a_change(self, key: str, value: object) -> None:
        """Likewise."""
        session = crawlee_js("a", NOW)
        session["cookieJar"]["cookies"][0][key] = value
        self.refuse_or_read(encoded(crawlee_js_pool(session)))

    @staticmethod
    def refuse_or_read(content: bytes) -> None:
        told = ""
        try:
            read_sessions(content, NOW)
        except ConfigError as error:
            told = str(error)
        assert "\n" not in told
