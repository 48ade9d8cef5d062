"""The pool, against a site that bans and proxies that fail, and over restarts."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from curl_cffi import AsyncSession, Response
from tests.fakes import Scripted, answers, lines

from proxysieve import (
    Blocked,
    ConfigError,
    Failure,
    GaveUp,
    NoSessionAvailable,
    Outcome,
    Page,
    ProxySieveError,
    SessionPool,
    StoreError,
)
from proxysieve.clients.curl import CurlClient
from proxysieve.clients.protocol import Client
from proxysieve.clock import VirtualClock
from proxysieve.core.fingerprints.available import FINGERPRINTS
from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.policies.adaptive import Adaptive
from proxysieve.core.policies.classic import Classic
from proxysieve.core.policies.round_robin import RoundRobin
from proxysieve.core.records import Record
from proxysieve.core.site.status import SiteStatus
from proxysieve.stores.memory import MemoryStore
from proxysieve.stores.sqlite import SqliteStore
from proxysieve.testbed import BlockStyle, Limit, Testbed, TestbedProcess, World

PLAIN = World(proxies=1, networks=1)


def client_of(bed: Testbed) -> Client:
    return CurlClient(ca_path=str(bed.ca_path) if bed.ca_path else None)


async def fetch(pool: SessionPool, urls: list[str], *, concurrency: int = 10) -> list[Page]:
    slots = asyncio.Semaphore(concurrency)

    async def one(url: str) -> Page:
        async with slots:
            return await pool.get(url)

    return await asyncio.gather(*map(one, urls))


@pytest.mark.parametrize("https", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("style", ["forbidden", "throttled", "challenge", "captcha", "sorry", "empty"])
async def test_every_page_comes_through_a_pool_most_of_which_is_banned(style: BlockStyle, *, https: bool) -> None:
    """No block gets through for a page, whatever it looks like, and no page is lost."""
    world = World(proxies=30, banned_share=0.8, block_styles=(style,), https=https, page_bytes=3000)
    async with (
        Testbed(world) as bed,
        SessionPool(bed.proxy_lines, store="memory:", client=client_of(bed), max_rate=0, max_sessions=6) as pool,
    ):
        pages = await fetch(pool, bed.page_urls(40))

        assert [page.body for page in pages] == [bed.page_body(number) for number in range(40)]
        assert {page.status for page in pages} == {200}
        assert bed.truth().answer_counts["ok"] == 40
        assert bed.truth().answer_counts["blocked"] > 0


@pytest.mark.parametrize("https", [False, True], ids=["http", "https"])
async def test_proxies_that_fail_in_every_way_do_no_harm(*, https: bool) -> None:
    """Those that refuse, hang, demand or fail are passed over, and slow ones are waited for."""
    world = World(
        proxies=14,
        refusing=2,
        hanging=2,
        slow=2,
        slow_seconds=0.05,
        demanding=2,
        failing=2,
        https=https,
        page_bytes=3000,
    )
    async with (
        Testbed(world) as bed,
        SessionPool(
            bed.proxy_lines, store="memory:", client=client_of(bed), max_rate=0, max_sessions=4, timeout_seconds=0.8
        ) as pool,
    ):
        pages = await fetch(pool, bed.page_urls(30))

        assert [page.body for page in pages] == [bed.page_body(number) for number in range(30)]
        failed = [tried for page in pages for tried in page.tries if tried.verdict is not Outcome.OK]
        assert failed
        assert {tried.verdict for tried in failed} <= {Outcome.PROXY_ERROR, Outcome.UNCLEAR}
        assert not any(tried.counted for tried in failed)


@pytest.mark.parametrize("https", [False, True], ids=["http", "https"])
async def test_socks5_proxies_work_as_well(*, https: bool) -> None:
    """Lines with socks5 in them are proxies like others."""
    world = World(proxies=8, banned_share=0.5, failing=1, demanding=1, https=https, page_bytes=3000)
    async with (
        Testbed(world) as bed,
        SessionPool(bed.socks5_lines, store="memory:", client=client_of(bed), max_rate=0, max_sessions=3) as pool,
    ):
        pages = await fetch(pool, bed.page_urls(20))

        assert [page.body for page in pages] == [bed.page_body(number) for number in range(20)]


@pytest.mark.parametrize("https", [False, True], ids=["http", "https"])
async def test_a_providers_sessions_have_exits_of_their_own(*, https: bool) -> None:
    """Each session fills its own name in, and keeps the exit that this name gets."""
    world = World(proxies=40, banned_share=0.5, provider_names=True, https=https, page_bytes=3000, latency_seconds=0.02)
    async with (
        Testbed(world) as bed,
        SessionPool(bed.proxy_lines, store="memory:", client=client_of(bed), max_rate=0, seed=1) as pool,
    ):
        pages = await fetch(pool, bed.page_urls(30))

        assert [page.body for page in pages] == [bed.page_body(number) for number in range(30)]
        exits = {hit.path: hit.exit for hit in bed.truth().hits if hit.answer == "ok"}
        exits_of: dict[str, set[str]] = {}
        for number, page in enumerate(pages):
            exits_of.setdefault(page.session, set()).add(exits[f"/page/{number}"])
        assert len(exits_of) > 1
        assert {len(seen) for seen in exits_of.values()} == {1}


async def test_a_missing_page_is_a_result() -> None:
    """A 404 is the site's answer, and comes back at once."""
    async with Testbed(PLAIN) as bed, SessionPool(bed.proxy_lines, store="memory:") as pool:
        page = await pool.get(f"{bed.site_url}/nowhere")

        assert (page.status, page.attempts, len(page.tries)) == (404, 1, 1)
        assert bed.truth().hit_count == 1


async def test_a_page_tells_how_it_was_had() -> None:
    """Addresses, headers, session, proxy and time are those of the answer."""
    async with Testbed(PLAIN) as bed, SessionPool(bed.proxy_lines, store="memory:") as pool:
        before = time.time()
        page = await pool.get(f"{bed.site_url}/redirect/2")

        assert page.url == f"{bed.site_url}/redirect/2"
        assert page.final_url == bed.page_url(2)
        assert dict(page.headers)["content-type"].startswith("text/html")
        assert page.text == bed.page_body(2).decode()
        assert "***@" in page.proxy
        assert before - 1 < page.fetched_at < time.time() + 1
        assert 0 < page.seconds < 5
        assert [(tried.session, tried.verdict) for tried in page.tries] == [(page.session, Outcome.OK)]


@pytest.mark.parametrize("fingerprint", FINGERPRINTS, ids=lambda one: one.browser)
async def test_a_page_knows_by_which_headers_its_session_was_seen(fingerprint: Fingerprint) -> None:
    """Those of its fingerprint, as the caller changed them and the site saw them; what else was sent may be secret."""
    async with Testbed(World(proxies=2)) as bed, SessionPool(bed.proxy_lines, store="memory:", max_rate=0) as pool:
        pool.use_fingerprints([fingerprint])
        page = await pool.get(f"{bed.site_url}/echo", headers={"accept-language": "fr", "Authorization": "secret"})

        shown = {name.lower(): value for name, value in page.request_headers}
        seen = {name.lower(): value for name, value in page.json()["headers"]}
        assert {"user-agent", "accept-language"} <= set(shown)
        assert shown["accept-language"] == "fr"
        assert shown.items() <= seen.items()
        assert "authorization" not in shown


async def test_headers_can_be_added() -> None:
    """Headers handed to get arrive at the site."""
    async with Testbed(PLAIN) as bed, SessionPool(bed.proxy_lines, store="memory:") as pool:
        page = await pool.get(f"{bed.site_url}/echo", headers={"X-Own": "yes"})

        assert ["X-Own", "yes"] in [[name.title(), value] for name, value in page.json()["headers"]]


async def test_errors_of_the_site_are_tried_again_and_told() -> None:
    """A 500 is tried again, and given up with every try listed; no session pays for it."""
    async with Testbed(World(proxies=2)) as bed, SessionPool(bed.proxy_lines, store="memory:", attempts=2) as pool:
        await pool.get(bed.page_url(1))
        with pytest.raises(GaveUp) as caught:
            await pool.get(f"{bed.site_url}/status/500")

        assert not isinstance(caught.value, Blocked)
        assert [(tried.status, tried.counted) for tried in caught.value.attempts] == [(500, True)] * 2
        assert caught.value.verdict.outcome is Outcome.SITE_ERROR
        assert caught.value.exchange.status == 500
        assert [standing.working for standing in pool.statuses().values()] == [1]


async def test_errors_of_the_site_stay_with_the_session() -> None:
    """Of several that work, the one that met with a 500 asks again."""
    async with (
        Testbed(World(proxies=4)) as bed,
        SessionPool(bed.proxy_lines, store="memory:", attempts=2, max_rate=0, policy="round_robin") as pool,
    ):
        for number in range(4):
            await pool.get(bed.page_url(number))
        with pytest.raises(GaveUp, match=r"after 2 tries \(2 site errors\)") as caught:
            await pool.get(f"{bed.site_url}/status/500")

        assert len({tried.session for tried in caught.value.attempts}) == 1
        asked = [hit.exit for hit in bed.truth().hits if hit.path == "/status/500"]
        assert len(asked) == 2
        assert len(set(asked)) == 1


async def test_sessions_that_had_worked_and_are_refused_end_in_blocked() -> None:
    """When the site bans what worked, the request fails with all that was tried."""
    world = World(proxies=3, limit=Limit(requests=2, window_seconds=60, ban_seconds=600))
    async with (
        Testbed(world) as bed,
        SessionPool(bed.proxy_lines, store="memory:", attempts=1, policy="round_robin", max_rate=0) as pool,
    ):
        for number in range(6):
            await pool.get(bed.page_url(number))
        with pytest.raises(Blocked) as caught:
            await pool.get(bed.page_url(6))

        assert caught.value.verdict.why == "status 403"
        assert caught.value.exchange.body
        assert [(tried.verdict, tried.counted) for tried in caught.value.attempts] == [(Outcome.BLOCKED, True)]


async def test_a_page_without_the_expected_text_is_no_page() -> None:
    """What lacks the expected text is tried again, and what has it comes back."""
    async with Testbed(PLAIN) as bed, SessionPool(bed.proxy_lines, store="memory:", attempts=2) as pool:
        page = await pool.get(bed.page_url(1), expect="in stock")
        with pytest.raises(GaveUp) as caught:
            await pool.get(bed.page_url(1), expect="out of print")

        assert page.body == bed.page_body(1)
        assert [tried.why for tried in caught.value.attempts] == ["the expected text is missing"] * 2


@pytest.mark.parametrize("chunked", [0, 1], ids=["with its length", "chunked"])
async def test_a_body_beyond_the_limit_is_given_up(chunked: int) -> None:
    """A page that is too large is nobody's fault but the page's, and is not read to its end."""
    async with (
        Testbed(PLAIN) as bed,
        SessionPool(bed.proxy_lines, store="memory:", attempts=1, max_bytes=50_000) as pool,
    ):
        started_at = time.monotonic()
        with pytest.raises(GaveUp, match="larger than allowed") as caught:
            await pool.get(f"{bed.site_url}/big?bytes=2000000000&chunked={chunked}")

        assert time.monotonic() - started_at < 2
        assert caught.value.exchange.failure is Failure.TOO_LARGE
        assert (await pool.get(bed.page_url(1))).status == 200


async def test_a_redirect_is_judged_by_where_it_ends() -> None:
    """A page that leads to a page for robots is a block, whatever that page's status."""
    async with Testbed(PLAIN) as bed, SessionPool(bed.proxy_lines, store="memory:", attempts=1) as pool:
        await pool.get(bed.page_url(1))
        with pytest.raises(Blocked) as caught:
            await pool.get(f"{bed.site_url}/away?to={bed.site_url}/sorry/index")

        assert caught.value.verdict.why == "sent to a sorry page"
        assert caught.value.exchange.final_url == f"{bed.site_url}/sorry/index"


async def test_a_time_out_is_for_the_whole_request() -> None:
    """A page that takes too long is given up on sessions that had worked, after the time that was set."""
    async with (
        Testbed(PLAIN) as bed,
        SessionPool(bed.proxy_lines, store="memory:", attempts=2, timeout_seconds=0.3) as pool,
    ):
        await pool.get(bed.page_url(1))
        started_at = time.monotonic()
        with pytest.raises(GaveUp, match="timed out") as caught:
            await pool.get(f"{bed.site_url}/slow?seconds=5")

        assert time.monotonic() - started_at < 2
        assert caught.value.exchange.failure is Failure.TIMEOUT


async def test_text_in_other_encodings_stays_what_it_is() -> None:
    """The body is the site's bytes; only text assumes UTF-8."""
    async with Testbed(PLAIN) as bed, SessionPool(bed.proxy_lines, store="memory:") as pool:
        page = await pool.get(f"{bed.site_url}/latin1")
        packed = await pool.get(f"{bed.site_url}/gzip/3")

        assert "Café".encode("latin-1") in page.body
        assert packed.body == bed.page_body(3)


# Over restarts


async def test_what_works_is_used_after_a_restart_without_looking_again(tmp_path: Path) -> None:
    """A second run of the classic goes on with the sessions of the first: no request of it is refused."""
    world = World(proxies=40, banned_share=0.8, page_bytes=3000)
    async with Testbed(world) as bed:
        async with SessionPool(
            bed.proxy_lines, store=tmp_path / "store", policy="classic", max_sessions=3, max_rate=0, seed=1
        ) as pool:
            first = [await pool.get(bed.page_url(1))]
            while any(len(site_queue.engine.state.working) < 3 for site_queue in pool._site_registry.values()):
                first.append(await pool.get(bed.page_url(1)))
        refused = bed.truth().answer_counts["blocked"]

        async with SessionPool(
            bed.proxy_lines, store=tmp_path / "store", policy="classic", max_sessions=3, max_rate=0
        ) as pool:
            second = await fetch(pool, bed.page_urls(60))

        assert refused > 0
        assert bed.truth().answer_counts["blocked"] == refused
        assert {page.session for page in second} <= {page.session for page in first}
        assert [page.body for page in second] == [bed.page_body(number) for number in range(60)]


@pytest.mark.parametrize(
    ("former", "host", "site"),
    [
        ("bücher.example", "www.b\u00fccher.example", "xn--bcher-kva.example"),
        ("127.0.0.77:80", "127.0.0.77", "127.0.0.77"),
        ("::1", "[::1]", "[::1]"),
    ],
)
async def test_what_a_store_knows_of_a_site_by_an_earlier_name_is_kept(
    tmp_path: Path, former: str, host: str, site: str
) -> None:
    """Once, by the name that the site has today: the session that worked goes on."""
    url = f"http://{host}/"
    async with SessionPool(lines(1), store=tmp_path, client=Scripted(answers(200)), site=lambda _: former) as pool:
        first = await pool.get(url)

    async with SessionPool(lines(3), store=tmp_path, client=Scripted(answers(200))) as pool:
        second = await pool.get(url)

    store = SqliteStore(tmp_path)
    assert second.session == first.session
    assert sorted({one.site for one in await store.load()}) == [site]
    await store.close()


CRAWL = """
import asyncio, sys
from proxysieve import SessionPool

async def crawl(store, site, *proxies):
    async with SessionPool(proxies, store=store, max_sessions=1, max_rate=0) as pool:
        for number in range(10):
            await pool.get(f"{site}/page/{number}")
        # The saver's own second, and a little for the disk.
        await asyncio.sleep(1.3)
        print("saved", flush=True)
        await asyncio.sleep(60)

asyncio.run(crawl(*sys.argv[1:]))
"""


def test_a_crash_costs_at_most_the_last_second(tmp_path: Path) -> None:
    """A pool that is killed with no chance to say goodbye has kept what it knew a second ago."""
    with TestbedProcess(World(proxies=20, banned_share=0.8, page_bytes=2000)) as bed:
        crawl = subprocess.Popen(
            [sys.executable, "-c", CRAWL, str(tmp_path / "store"), bed.site_url, *bed.proxy_lines],
            stdout=subprocess.PIPE,
        )
        assert crawl.stdout is not None
        assert crawl.stdout.readline() == b"saved\n"
        os.kill(crawl.pid, signal.SIGKILL)
        crawl.wait()
        crawl.stdout.close()
        refused = bed.truth().answer_counts.get("blocked", 0)

        async def go_on() -> list[Page]:
            async with SessionPool(bed.proxy_lines, store=tmp_path / "store", max_sessions=1, max_rate=0) as pool:
                return await fetch(pool, bed.page_urls(20), concurrency=8)

        pages = asyncio.run(go_on())

        assert [page.body for page in pages] == [bed.page_body(number) for number in range(20)]
        assert bed.truth().answer_counts.get("blocked", 0) == refused


async def test_a_session_whose_proxy_left_the_list_is_not_used(tmp_path: Path) -> None:
    """Another list at the next start means other proxies, and nothing of the old ones is in the way."""
    world = World(proxies=4, banned_share=0.5)
    async with Testbed(world) as bed:
        fine = [line for line, exit_ in zip(bed.proxy_lines, bed.exits, strict=True) if not exit_.banned]
        banned = [line for line in bed.proxy_lines if line not in fine]
        async with SessionPool(fine, store=tmp_path / "store") as pool:
            await pool.get(bed.page_url(1))

        async with SessionPool(banned, store=tmp_path / "store", max_wait_seconds=0) as pool:
            with pytest.raises(NoSessionAvailable) as caught:
                await asyncio.wait_for(pool.get(bed.page_url(2)), 5)

        assert len({tried.proxy for tried in caught.value.attempts}) == 2
        assert "0 working" in caught.value.why


async def test_a_record_that_cannot_be_read_is_told_and_left_alone(tmp_path: Path) -> None:
    """What was saved so is an error that names the store, and the store stays as it was."""
    for kind in ("session", "exit", "site", "lore", "cookies", "data"):
        store = tmp_path / kind
        async with SessionPool(lines(1), store=store, client=Scripted(answers(200))) as pool:
            await pool.get("http://shop.example/")
        database = store / "state.sqlite3"
        with sqlite3.connect(database) as connection:
            (name,) = connection.execute("SELECT key FROM records WHERE kind = 'session'").fetchone()
        connection.close()
        key = "" if kind in {"site", "lore"} else name
        writer = SqliteStore(store)
        nonsense = Record("shop.example", kind, key, b'[{"nonsense"')
        await writer.save([nonsense], await writer.claim("", 60))
        await writer.close()
        before = database.read_bytes()

        async with SessionPool(lines(1), store=store, client=Scripted(answers(200))) as pool:
            with pytest.raises(StoreError, match="damaged") as caught:
                await pool.get("http://shop.example/")

        assert str(store) in str(caught.value)
        with sqlite3.connect(database) as connection:
            kept = connection.execute("SELECT value FROM records WHERE kind = ? AND key = ?", (kind, key)).fetchone()
        connection.close()
        assert kept == (b'[{"nonsense"',)
        assert len(database.read_bytes()) == len(before)


async def test_a_record_that_was_damaged_is_done_without(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Of whatever kind it is: it is said, and the pool goes on with all that is sound."""
    for kind in ("session", "exit", "site", "lore"):
        store = tmp_path / kind
        async with SessionPool(lines(1), store=store, client=Scripted(answers(200))) as pool:
            await pool.get("http://shop.example/")
        with sqlite3.connect(store / "state.sqlite3") as connection:
            connection.execute("UPDATE records SET value = replace(value, '0', '1') WHERE kind = ?", (kind,))
        connection.close()
        caplog.clear()

        async with SessionPool(lines(1), store=store, client=Scripted(answers(200))) as pool:
            page = await pool.get("http://shop.example/")

        assert page.status == 200
        assert "has damaged records, which are set aside, and the rest is used: " in caplog.text


class Unsteady(MemoryStore):
    """A store that fails to save while it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.fails = False
        self.kept: dict[tuple[str, str, str], bytes | None] = {}

    async def save(self, records: list[Record], fence: int) -> None:
        if self.fails:
            raise StoreError("the disk is full")
        await super().save(records, fence)
        self.kept.update({(record.site, record.kind, record.key): record.value for record in records})


def pool_over(store: Unsteady, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> SessionPool:
    monkeypatch.setattr("proxysieve.pool.session_pool.open_store", lambda _: store)
    return SessionPool(lines(5), client=Scripted(answers(200)), clock=clock, max_rate=0)


async def test_what_could_not_be_saved_is_saved_the_next_time(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A save that fails loses nothing: sessions, exits, cookies and data come with the next one."""
    store = Unsteady()
    async with pool_over(store, clock, monkeypatch) as pool:
        async with pool.acquire("http://shop.example/") as lease:
            lease.session.data["basket"] = 1
            lease.drop()
        page = await pool.get("http://shop.example/")
        store.fails = True
        with pytest.raises(StoreError, match="full"):
            await pool.save()
        store.fails = False

        await pool.save()

        assert ("shop.example", "site", "") in store.kept
        assert ("shop.example", "session", page.session) in store.kept
        assert len([key for key in store.kept if key[1] == "exit"]) == 1


async def test_a_deletion_that_failed_is_made_up_for(clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data of a session that ended goes from the store, even if the first try to delete it fails."""
    store = Unsteady()
    async with pool_over(store, clock, monkeypatch) as pool:
        named = pool.session("seven", site="shop.example")
        async with named.acquire("http://shop.example/") as lease:
            lease.session.data["basket"] = 1
            lease.drop()
        await pool.save()
        before = dict(store.kept)
        await named.renew()
        store.fails = True
        with pytest.raises(StoreError, match="full"):
            await pool.save()
        store.fails = False

        await pool.save()

        assert before["shop.example", "data", "seven"] == b'{"basket":1}'
        assert store.kept["shop.example", "data", "seven"] is None
        assert store.kept["shop.example", "session", "seven"] is None


async def test_a_store_that_fails_ends_the_next_request(clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Learning that cannot be kept is an error that is seen, and closing tries once more."""
    store = Unsteady()
    async with pool_over(store, clock, monkeypatch) as pool:
        page = await pool.get("http://shop.example/")
        store.fails = True
        await clock.advance(1)
        with pytest.raises(StoreError, match="full"):
            await pool.get("http://shop.example/")
        store.fails = False

    assert ("shop.example", "session", page.session) in store.kept


async def test_changes_are_saved_every_second(clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was learned is in the store a second later, and what did not change is not written again."""
    store = Unsteady()
    async with pool_over(store, clock, monkeypatch) as pool:
        page = await pool.get("http://shop.example/")
        before = dict(store.kept)

        await clock.advance(1)

        assert before == {}
        assert ("shop.example", "session", page.session) in store.kept
        store.kept.clear()
        await clock.advance(5)
        assert dict(store.kept) == {}


# Named sessions


async def test_a_named_session_is_the_same_on_every_run(tmp_path: Path) -> None:
    """Its proxy, identity and cookies are kept; another name is another visitor."""
    async with Testbed(World(proxies=20, bound_cookies=True)) as bed:
        site = bed.site_url.removeprefix("http://")
        seen: set[tuple[str, str]] = set()
        for number in range(3):
            async with SessionPool(bed.proxy_lines, store=tmp_path / "store") as pool:
                page = await pool.session("account-7", site=site).get(bed.page_url(number))
                seen.add((page.session, page.proxy))
        echo = f"{bed.site_url}/echo"
        async with SessionPool(bed.proxy_lines, store=tmp_path / "store") as pool:
            again = await pool.session("account-7", site=site).get(echo)
            other = await pool.session("account-8", site=site).get(echo)

        hits = [hit for hit in bed.truth().hits if hit.path != "/echo"]
        assert len(seen) == 1
        assert len({(hit.exit, hit.user_agent) for hit in hits}) == 1
        # The site bound its cookie to them: with another it would have refused.
        assert {hit.answer for hit in bed.truth().hits} == {"ok"}
        assert any(name.lower() == "cookie" for name, _ in again.json()["headers"])
        assert not any(name.lower() == "cookie" for name, _ in other.json()["headers"])


async def test_a_named_session_says_that_its_exit_is_lost(tmp_path: Path) -> None:
    """After a block it does not move to another exit by itself, in this run or the next; renew gives it another."""
    limit = Limit(requests=1, window_seconds=60, ban_seconds=600)
    async with Testbed(World(proxies=10, limit=limit, block_styles=("challenge",))) as bed:
        site = bed.site_url.removeprefix("http://")
        async with SessionPool(bed.proxy_lines, store=tmp_path / "store") as pool:
            named = pool.session("account-7", site=site)
            first = await named.get(bed.page_url(1))
            with pytest.raises(Blocked) as blocked:
                await named.get(bed.page_url(2))
            with pytest.raises(NoSessionAvailable, match=r"lost.*challenge page.*renew") as lost:
                await named.get(bed.page_url(2))
        async with SessionPool(bed.proxy_lines, store=tmp_path / "store", seed=1) as pool:
            named = pool.session("account-7", site=site)
            with pytest.raises(NoSessionAvailable, match="lost"):
                await named.get(bed.page_url(2))
            await named.renew()
            second = await named.get(bed.page_url(2))

        assert len(blocked.value.attempts) == 1
        assert lost.value.retry_at is None
        assert second.session == first.session == "account-7"
        assert second.proxy != first.proxy
        assert bed.truth().hit_count == 3


async def test_a_named_session_says_that_its_proxy_left_the_list(tmp_path: Path) -> None:
    """The proxy that it stood on is gone: it says so instead of taking another."""
    client = Scripted(answers(200))
    async with SessionPool(lines(1), store=tmp_path / "store", client=client) as pool:
        await pool.session("account-7", site="shop.example").get("http://shop.example/")

    others = ["http://other.example:8000"]
    async with SessionPool(others, store=tmp_path / "store", client=client) as pool:
        named = pool.session("account-7", site="shop.example")
        with pytest.raises(NoSessionAvailable, match="no longer in the list"):
            await named.get("http://shop.example/")
        await named.renew()
        page = await named.get("http://shop.example/")

    assert page.proxy == "http://other.example:8000"


async def test_a_renewed_session_has_nothing_of_the_old_one(tmp_path: Path) -> None:
    """Identity aside, which is drawn anew, cookies and data go with the exit, also from the store."""
    for restarts in (False, True):
        store = tmp_path / str(restarts)
        pool = SessionPool(lines(9), store=store, client=Scripted(answers(200)))
        async with pool:
            named = pool.session("account-7", site="shop.example")
            async with named.acquire("http://shop.example/") as lease:
                lease.session.data["basket"] = 1
                lease.drop()
            await pool.save()
            await named.renew()
            if not restarts:
                async with named.acquire("http://shop.example/") as lease:
                    assert lease.session.data == {}
                    lease.drop()

        async with (
            SessionPool(lines(9), store=store, client=Scripted(answers(200))) as pool,
            pool.session("account-7", site="shop.example").acquire("http://shop.example/") as lease,
        ):
            assert lease.session.data == {}
            lease.drop()


async def test_a_named_session_belongs_to_one_site() -> None:
    """A URL of another site is refused before anything is sent."""
    async with SessionPool(lines(2), store="memory:", client=Scripted(answers(200))) as pool:
        named = pool.session("account-7", site="shop.example")

        with pytest.raises(ConfigError, match=r"account-7.*shop\.example.*other\.example"):
            await named.get("http://other.example/")
        with pytest.raises(ConfigError, match="name"):
            pool.session("", site="shop.example")


# Policies


async def test_the_adaptive_policy_is_the_default_and_each_site_has_its_own() -> None:
    """What it remembers is of one site; what all sites say of an exit they share."""
    async with SessionPool(lines(2), store="memory:", client=Scripted(answers(200)), thrift=2.0) as pool:
        for site in ("one", "two"):
            await pool.get(f"http://{site}.example/")

        engines = [site_queue.engine for site_queue in pool._site_registry.values()]
        policies = [engine._policy for engine in engines]
        assert [type(policy) for policy in policies] == [Adaptive, Adaptive]
        assert policies[0] is not policies[1]
        assert all(engine.state.learner is not None for engine in engines)


@pytest.mark.parametrize(("name", "kind"), [("classic", Classic), ("round_robin", RoundRobin)])
async def test_another_policy_is_chosen_by_its_name(name: str, kind: type) -> None:
    """And learns nothing that it has no use for."""
    async with SessionPool(lines(2), store="memory:", client=Scripted(answers(200)), policy=name) as pool:
        await pool.get("http://shop.example/")

        engine = pool._site_registry["shop.example"].engine
        assert isinstance(engine._policy, kind)
        assert engine.state.learner is None


async def test_a_restarted_pool_does_not_begin_with_proxies_that_it_knows_to_be_blocked(tmp_path: Path) -> None:
    """The second run uses what works, and what it then tries is what the first one never tried."""
    world = World(proxies=40, banned_share=0.8, page_bytes=3000)
    async with Testbed(world) as bed:
        async with SessionPool(bed.proxy_lines, store=tmp_path / "store", max_rate=0, seed=1) as pool:
            first = await fetch(pool, bed.page_urls(60))
        refused = {tried.proxy for page in first for tried in page.tries if tried.verdict is not Outcome.OK}
        working = {page.proxy for page in first} - refused

        async with SessionPool(bed.proxy_lines, store=tmp_path / "store", max_rate=0, seed=2) as pool:
            second = await fetch(pool, bed.page_urls(60))

        assert refused
        assert {tried.proxy for page in second for tried in page.tries} & working
        assert not {tried.proxy for page in second for tried in page.tries} & refused
        assert [page.body for page in second] == [bed.page_body(number) for number in range(60)]


# What is wrong with how it is used


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"policy": "best"}, r"'best'.*adaptive, classic, round_robin, uniform_random"),
        ({"thrift": 0}, "thrift is 0: expected more than 0"),
        ({"thrift": -1.5}, "thrift is -1.5"),
        ({"thrift": math.nan}, "thrift is nan"),
        ({"max_sessions": 0}, "max_sessions is 0: expected 1"),
        ({"attempts": 0}, "attempts is 0: expected 1"),
        ({"max_clients": 0}, "max_clients"),
        ({"max_rate": -1}, "max_rate"),
        ({"deadline_seconds": -1}, "deadline_seconds"),
        ({"max_wait_seconds": -1}, "max_wait_seconds"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_options_are_told(options: dict[str, float], message: str) -> None:
    """An option that makes no sense is an error that names it."""
    with pytest.raises(ConfigError, match=message):
        SessionPool(lines(1), store="memory:", **options)  # type: ignore[arg-type] # that is the point


@pytest.mark.parametrize("name", ["", 7, "half \ud800"], ids=["nothing", "a number", "half a letter"])
def test_a_session_has_a_name_that_can_be_saved(name: object) -> None:
    """Any other would keep all that is learned from being saved."""
    with pytest.raises(ConfigError, match="a session's name"):
        SessionPool(lines(1), store="memory:").session(name, site="shop.example")  # type: ignore[arg-type] # that is the point


async def test_a_pool_is_used_while_it_is_open() -> None:
    """Before and after, it says so, and closing twice does no harm."""
    pool = SessionPool(lines(1), store="memory:", client=Scripted(answers(200)))
    with pytest.raises(ProxySieveError, match="not open"):
        await pool.get("http://shop.example/")
    async with pool:
        await pool.get("http://shop.example/")
    await pool.close()

    for work in (pool.get("http://shop.example/"), pool.save(), pool.status("shop.example")):
        with pytest.raises(ProxySieveError, match="not open any more"):
            await work


async def test_what_is_no_url_is_told() -> None:
    """A URL without a scheme, or of another one, is the caller's error."""
    async with SessionPool(lines(1), store="memory:", client=Scripted(answers(200))) as pool:
        for url in ("shop.example/page", "ftp://shop.example/", "http://", "http://[::1/"):
            with pytest.raises(ConfigError, match="not a URL"):
                await pool.get(url)


async def test_a_pool_tells_where_its_sessions_stand() -> None:
    """Standings count the sessions that work and the exits that are blocked or dead."""
    async with (
        Testbed(World(proxies=9, banned_share=0.5, refusing=1)) as bed,
        SessionPool(bed.proxy_lines, store="memory:", policy="classic", max_rate=0) as pool,
    ):
        await fetch(pool, bed.page_urls(40))
        site = bed.site_url.removeprefix("http://")

        assert await pool.status(site) == SiteStatus(4, 0, 4, 1)
        assert pool.statuses() == {site: await pool.status(site)}
        assert "9 proxies" in repr(pool)
        assert "1 sites" in repr(pool)


async def test_a_line_that_is_no_proxy_leaves_the_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is warned of, with file and line."""
    path = tmp_path / "proxies.txt"
    path.write_text("# mine\nproxy.example:8000\nnonsense here\n")
    async with SessionPool(path, store="memory:", client=Scripted(answers(200))) as pool:
        page = await pool.get("http://shop.example/")

    assert page.proxy == "http://proxy.example:8000"
    assert f"{path}, line 3" in caplog.text


async def test_sites_can_be_told_apart_by_ones_own_rule() -> None:
    """The function handed in decides in which scope a ban holds."""
    async with SessionPool(
        lines(1), store="memory:", client=Scripted(answers(200)), site=lambda url: url.split("/")[3]
    ) as pool:
        for shop in ("north", "south"):
            await pool.get(f"http://shop.example/{shop}/1")

        assert set(pool.statuses()) == {"north", "south"}


@pytest.mark.parametrize("credentials", [False, True], ids=["without-login", "with-login"])
async def test_a_relay_leads_to_the_sessions_proxy(*, credentials: bool) -> None:
    """What has no login, as browsers have none, comes through that exit; and it is closed with its block."""
    async with (
        Testbed(World(proxies=1, networks=1, credentials=credentials)) as bed,
        SessionPool(bed.proxy_lines, store="memory:", max_rate=0) as pool,
        AsyncSession[Response](trust_env=False) as client,
    ):
        async with pool.acquire(bed.page_url(1)) as lease, pool.relay(lease.session) as url:
            answer = await client.get(bed.page_url(1), proxy=url)
            lease.drop()

        assert answer.content == bed.page_body(1)
        assert [hit.exit for hit in bed.truth().hits] == [bed.exits[0].address]
        is_the_proxys_own = url == f"http://{lease.session.proxy.address}"
        assert is_the_proxys_own is not credentials
        if credentials:
            with pytest.raises(OSError):  # noqa: PT011 - whichever
                await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
