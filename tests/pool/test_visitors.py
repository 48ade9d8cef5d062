"""What kind of visitor sessions are, and what becomes of them where another kind is wanted; without any browser."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http.cookiejar import CookieJar
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes import OK, SITE, URL, Answer, InTurn, answers, facts_of, lines, pool_of

from proxysieve import (
    Exchange,
    Fingerprint,
    GaveUp,
    NoSessionAvailable,
    Outcome,
    ProxySieveError,
    Request,
    Response,
    Session,
    SessionEnded,
    Tried,
)
from proxysieve.core.fingerprints.available import FINGERPRINTS, NEAREST_TO_CHROMIUM, follow, real_chromium
from proxysieve.core.model import Failure, Proxy
from proxysieve.core.policies.adaptive import Adaptive
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.records import ExitRecord, Record, SessionRecord
from proxysieve.core.site.engine import Engine
from proxysieve.pool.events import PoolEvent
from proxysieve.sessions.storage import CookieRecord, cookie_of, dump_cookies, load_cookies
from proxysieve.stores.sqlite import SqliteStore


def chromium(version: int, language: str = "en-US") -> Fingerprint:
    """A real browser that says so much of itself."""
    return real_chromium(f"Mozilla/5.0 Chrome/{version}.0.0.0 Safari/537.36", language, (("sec-ch-ua", f"{version}"),))


GOOD = answers(200)
OLD, NEW = chromium(155), chromium(156)


class Seen:
    """A client that notes who asks, and gives each session something to keep."""

    def __init__(self, fingerprints: Sequence[Fingerprint] = FINGERPRINTS, answer: Answer = GOOD) -> None:
        self.fingerprints = fingerprints
        self.sessions: list[Session] = []
        self._answer = answer

    async def send(self, request: Request, session: Session) -> Response:
        self.sessions.append(session)
        session.data["visits"] = session.data.get("visits", 0) + 1
        session.browser.timezone = "Asia/Tokyo"
        return self._answer(request, session)


async def kept_at(folder: Path) -> dict[str, set[str]]:
    """What a store keeps of the site: keys by kind."""
    store = SqliteStore(folder)
    records = await store.load(SITE)
    await store.close()
    return {kind: {one.key for one in records if one.kind == kind} for kind in ("session", "data", "browser", "exit")}


async def test_sessions_of_another_kind_of_visitor_end_when_their_site_opens(tmp_path: Path) -> None:
    """With all that belonged to them, at the next save; what is known of exits stays."""
    async with pool_of(3, Seen(), store=tmp_path) as pool:
        before = await pool.get(URL)
    kept_before = await kept_at(tmp_path)

    client = Seen()
    async with pool_of(3, client, store=tmp_path) as pool:
        pool.use_fingerprints([NEW])
        after = await pool.get(URL)
    kept_after = await kept_at(tmp_path)

    assert kept_before["session"] == kept_before["data"] == kept_before["browser"] == {before.session}
    assert after.session != before.session
    assert kept_after["session"] == kept_after["data"] == kept_after["browser"] == {after.session}
    assert kept_before["exit"] <= kept_after["exit"]
    assert client.sessions[0].fingerprint == NEW
    assert client.sessions[0].data == {"visits": 1}


async def test_exits_that_worked_for_another_kind_of_visitor_are_known(tmp_path: Path) -> None:
    """Those that the site refused are not tried again first."""
    good = set(lines(40)[::8])

    def answer(request: Request, session: Session) -> Response:
        return answers(200 if session.proxy_url in good else 999)(request, session)

    async with pool_of(40, Seen(answer=answer), store=tmp_path) as pool:
        for _ in range(30):
            await pool.get(URL)
    refused: list[Tried] = []
    async with pool_of(40, Seen(answer=answer), store=tmp_path) as pool:
        pool.use_fingerprints([NEW])
        for _ in range(30):
            refused += (await pool.get(URL)).tries[:-1]

    # Anew, it would be four before the first that works.
    assert len(refused) <= 3


async def test_a_named_one_of_another_kind_says_so(tmp_path: Path) -> None:
    """Until it is renewed: its user decides whether the account may be seen in another browser."""
    async with pool_of(3, Seen(), store=tmp_path) as pool:
        await pool.session("me", site=SITE).get(URL)

    client = Seen()
    async with pool_of(3, client, store=tmp_path) as pool:
        pool.use_fingerprints([NEW])
        named = pool.session("me", site=SITE)
        with pytest.raises(NoSessionAvailable, match=r"its browser is .*, and this pool has another browser.*renew"):
            await named.get(URL)
        await named.renew()
        await named.get(URL)

    assert [one.fingerprint for one in client.sessions] == [NEW]
    assert client.sessions[0].data == {"visits": 1}


async def test_a_browsers_sessions_follow_its_new_version(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As its users do after an update: the same name, the same cookies; and nothing is said of it."""
    async with pool_of(3, Seen([OLD]), store=tmp_path) as pool:
        before = await pool.get(URL)

    client = Seen([NEW])
    async with pool_of(3, client, store=tmp_path) as pool:
        after = await pool.get(URL)

    assert after.session == before.session
    assert "not shown any more" not in caplog.text
    assert client.sessions[0].fingerprint == NEW
    assert client.sessions[0].data == {"visits": 2}
    assert client.sessions[0].browser.timezone == "Asia/Tokyo"


MAC, WINDOWS = "Macintosh; Intel Mac OS X 10_15_7", "Windows NT 10.0; Win64; x64"


def chrome(version: int, system: str = MAC) -> Fingerprint:
    """An imitation, as an earlier version offered it."""
    agent = f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36"
    return Fingerprint(impersonate=f"chrome{version}", user_agent=agent, accept_language="en-US,en;q=0.9")


async def test_sessions_of_an_old_imitation_are_updated_with_their_cookies(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As browsers are, those with names of their own too; it is said once, and saved."""
    async with pool_of(3, Seen([chrome(146)]), store=tmp_path) as pool:
        before = await pool.get(URL)
        await pool.session("me", site=SITE).get(URL)

    said = []
    for visits in (2, 3):
        caplog.clear()
        client = Seen()
        async with pool_of(3, client, store=tmp_path) as pool:
            after = await pool.get(URL)
            await pool.session("me", site=SITE).get(URL)
        said.append(caplog.messages)

        assert after.session == before.session
        assert {one.fingerprint for one in client.sessions} == {FINGERPRINTS[3]}
        assert [one.data for one in client.sessions] == [{"visits": visits}] * 2
    assert said == [["shop.example: 2 sessions of browsers that are not shown any more: 2 updated (chrome146 2)"], []]


async def test_sessions_that_no_version_is_shown_of_end_and_their_exits_stay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What belonged to them goes with them; one with a name of its own waits for its user."""
    future = chrome(999)
    async with pool_of(3, Seen([future]), store=tmp_path) as pool:
        before = await pool.get(URL)
        await pool.session("me", site=SITE).get(URL)
    kept_before = await kept_at(tmp_path)

    async with pool_of(3, Seen(), store=tmp_path) as pool:
        with pytest.raises(NoSessionAvailable, match="its browser is chrome999, and this pool has another"):
            await pool.session("me", site=SITE).get(URL)
    kept = await kept_at(tmp_path)

    assert kept_before["session"] == kept_before["data"] == {before.session, "me"}
    assert kept["session"] == kept["data"] == kept["browser"] == {"me"}
    assert kept["exit"] == kept_before["exit"]
    assert caplog.messages == [
        "shop.example: 2 sessions of browsers that are not shown any more: 2 ended (chrome999 2)"
    ]
    # Whoever shows that browser finds the account as it was.
    client = Seen([future])
    async with pool_of(3, client, store=tmp_path) as pool:
        await pool.session("me", site=SITE).get(URL)
    assert client.sessions[0].data == {"visits": 2}


SAVED = st.builds(chrome, st.integers(90, 160), st.sampled_from([MAC, WINDOWS, "X11; Linux x86_64"])) | st.sampled_from(
    [*FINGERPRINTS, OLD, NEW]
)


@given(st.lists(st.tuples(SAVED, st.booleans()), max_size=30))
def test_each_saved_session_goes_on_ends_or_waits(saved: list[tuple[Fingerprint, bool]]) -> None:
    """Each is counted once, none changes but its looks, and no exit is forgotten."""
    proxies = [Proxy(scheme="http", host=f"10.0.{number}.1", port=80) for number in range(len(saved))]
    records = []
    for number, (fingerprint, is_named) in enumerate(saved):
        key = proxies[number].key
        session = SessionRecord(
            name=f"{number}",
            proxy_key=key,
            exit_name="",
            fingerprint=fingerprint,
            opened_at=1.0,
            worked_at=2.0,
            is_named=is_named,
        )
        records += [
            Record(SITE, "session", session.name, msgspec.json.encode(session)),
            Record(SITE, "exit", key, msgspec.json.encode(ExitRecord(ok_count=3))),
        ]
    engine = Engine(SITE, Catalog(proxies), Adaptive(), records=records, now=3.0)

    expected = [follow(fingerprint, FINGERPRINTS) for fingerprint, _ in saved]
    kept = {name: one.fingerprint for name, one in engine.state.sessions.items()}
    shown = {
        f"{number}": now or fingerprint
        for number, ((fingerprint, is_named), now) in enumerate(zip(saved, expected, strict=True))
        if now or is_named
    }
    assert kept == shown
    lost = {name for name, one in engine.state.sessions.items() if one.lost}
    assert lost == {f"{number}" for number, now in enumerate(expected) if now is None and saved[number][1]}
    assert engine.state.exits.keys() == {proxy.key for proxy in proxies}
    looks = engine.changed_fingerprints
    assert looks.ended.total() == expected.count(None)
    assert looks.updated.total() == sum(
        now is not None and now != fingerprint for (fingerprint, _), now in zip(saved, expected, strict=True)
    )
    told = re.findall(r"\d+ (?:session|updated|ended)", str(looks).replace(",", ""))
    counts = [looks.updated.total() + looks.ended.total(), looks.updated.total(), looks.ended.total()]
    assert [int(one.split()[0]) for one in told] == [number for number in counts if number]


async def test_looks_are_chosen_before_a_pool_is_used() -> None:
    """Later, some sessions would look otherwise; to say the same again is no harm."""
    async with pool_of(2) as pool:
        pool.use_fingerprints([OLD])
        pool.use_fingerprints([NEW])
        await pool.get(URL)
        pool.use_fingerprints([NEW])

        with pytest.raises(ProxySieveError, match="open the browser before using it"):
            pool.use_fingerprints([OLD])


async def test_a_session_that_ended_leaves_its_attempt_without_a_word() -> None:
    """The request takes another one: no try is told, no attempt is used, and nobody is blamed."""
    told: list[PoolEvent] = []
    ended = SessionEnded("one", "the site refused another page of it")
    async with pool_of(2, InTurn(ended, ended, 200), attempts=1, on_event=told.append) as pool:
        page = await pool.get(URL, max_tries=1)
        standing = await pool.status(SITE)

    assert (page.attempts, len(page.tries), len(told)) == (1, 1, 1)
    assert (standing.blocked, standing.unclear, standing.dead) == (0, 0, 0)


async def test_a_page_at_which_all_sessions_end_is_given_up() -> None:
    """It may crash each browser that shows it; none of the sessions is to blame."""
    client = InTurn(*[SessionEnded("one", "its browser crashed")] * 100)
    async with pool_of(2, client) as pool:
        with pytest.raises(GaveUp) as gave_up:
            await pool.get(URL)
        standing = await pool.status(SITE)

    assert len(client.answers) == 90
    assert len(gave_up.value.attempts) == 1
    assert (standing.blocked, standing.unclear, standing.dead) == (0, 0, 0)


async def test_what_a_session_asks_for_afterwards_counts() -> None:
    """As if the pool had been asked; before the report there is nothing to follow, nor of a session that ended."""
    async with pool_of(1) as pool:
        async for attempt in pool.attempts(URL):
            async with attempt as session:
                with pytest.raises(ProxySieveError, match="report"):
                    attempt.follow_up(OK)
                attempt.report(OK)
        record = facts_of(pool).sessions[session.name]
        told = [attempt.follow_up(OK), attempt.follow_up(Exchange(url=URL, failure=Failure.PROXY_UNREACHABLE))]
        await pool.session(session.name, site=SITE).renew()
        told += [attempt.follow_up(OK)]

        assert session.name not in facts_of(pool).sessions

    assert [one.outcome for one in told] == [Outcome.OK, Outcome.PROXY_ERROR, Outcome.OK]
    assert (record.ok_count, record.unclear_count) == (2, 1)


@pytest.mark.parametrize("keeps", [False, True])
async def test_what_a_session_has_after_its_report_is_saved_on_request(tmp_path: Path, *, keeps: bool) -> None:
    """As nobody looks at all of them all the time."""
    async with pool_of(1, store=tmp_path) as pool:
        async for attempt in pool.attempts(URL):
            async with attempt as session:
                attempt.report(OK)
        await pool.save()
        session.data["late"] = True
        if keeps:
            attempt.keep()
    kept = await kept_at(tmp_path)

    assert kept["data"] == ({session.name} if keeps else set())


FOLLOWED: dict[str, tuple[Fingerprint, Sequence[Fingerprint], Fingerprint | None]] = {
    "an imitation stays what it was": (FINGERPRINTS[0], FINGERPRINTS, FINGERPRINTS[0]),
    "an imitation that is not offered is none": (FINGERPRINTS[0], FINGERPRINTS[2:], None),
    "a browser stays": (OLD, [OLD, NEW], OLD),
    "a browser is updated": (OLD, [NEW], NEW),
    "a browser speaks another language": (chromium(156, "de-DE"), [NEW], NEW),
    "an imitation is no browser": (FINGERPRINTS[0], [NEW], None),
    "a browser is no imitation": (NEW, FINGERPRINTS, None),
}


@pytest.mark.parametrize("case", FOLLOWED)
def test_visitors_follow_their_kind(case: str) -> None:
    """And no other."""
    fingerprint, fingerprints, expected = FOLLOWED[case]

    assert follow(fingerprint, fingerprints) == expected


def test_a_real_browser_says_what_it_says() -> None:
    """A client in its place shows the TLS of the Chrome that is nearest to it, and headers of a Chrome."""
    assert NEW.engine == "chromium"
    assert NEW.impersonate == NEAREST_TO_CHROMIUM
    assert NEW.family == "chrome"
    assert NEW.wreq == "Chrome154"
    assert "Chrome/156" in NEW.user_agent


@pytest.mark.parametrize("http_only", [False, True])
@pytest.mark.parametrize("same_site", ["", "Lax", "Strict", "None"])
def test_what_a_browser_knows_of_a_cookie_is_kept(same_site: str, *, http_only: bool) -> None:
    """Whether scripts see it, and when other sites' pages may send it."""
    record = CookieRecord(
        name="sid",
        value="1",
        domain=f".{SITE}",
        domain_specified=True,
        domain_initial_dot=True,
        discard=False,
        http_only=http_only,
        same_site=same_site,
    )
    jar = CookieJar()
    jar.set_cookie(cookie_of(record))

    [kept] = load_cookies(dump_cookies(jar))

    assert kept.has_nonstandard_attr("HttpOnly") == http_only
    assert (kept.get_nonstandard_attr("SameSite") or "") == same_site
