"""Sessions: what is theirs alone, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from tests.fakes import BLOCK, OK, SITE, URL, Scripted, answers, pool_of

from proxysieve import Client, Exchange, Lease, Page, Request, Response, Session, SessionPool
from proxysieve.clients.curl import CurlClient
from proxysieve.clock import VirtualClock, settle
from proxysieve.core.site.sessions import SESSION_SECONDS
from proxysieve.sessions.clients import close_client
from proxysieve.sessions.storage import dump_cookies, load_cookies
from proxysieve.testbed import Testbed, World


class Made:
    """A client that knows whose it is and whether it is open."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.is_open = True

    async def aclose(self) -> None:
        self.is_open = False


class Stubborn(Made):
    """A client that does not want to be closed."""

    async def aclose(self) -> None:
        raise OSError("no")


async def use(pool: SessionPool, make: Callable[[Session], M], exchange: Exchange = OK) -> M:
    """Send one request; its client."""
    async with pool.acquire(URL) as lease:
        client = lease.session.client(make)
        lease.report(exchange)
        return client


M = TypeVar("M", bound=Made)


# Clients


async def test_a_session_has_one_client_of_a_kind(clock: VirtualClock) -> None:
    """It is made once, for this session, and found again; another function makes another."""
    async with pool_of(1, clock=clock) as pool:
        first, second = await use(pool, Made), await use(pool, Made)
        other = await use(pool, Stubborn)

        assert first is second
        assert other is not first
        assert first.session is other.session


async def test_two_sessions_share_no_client(clock: VirtualClock) -> None:
    """Each session's is its own."""
    async with pool_of(2, clock=clock, policy="round_robin") as pool:
        first, second = await use(pool, Made), await use(pool, Made)

        assert first is not second
        assert first.session is not second.session


async def test_the_client_of_a_session_that_ended_is_closed(clock: VirtualClock) -> None:
    """A block ends the session; its client is closed within a second, those of others stay open."""
    async with pool_of(2, clock=clock, policy="round_robin") as pool:
        ended, other = await use(pool, Made), await use(pool, Made)
        again = await use(pool, Made, BLOCK)
        assert again is ended

        await clock.advance(1)

        assert not ended.is_open
        assert other.is_open
    assert not other.is_open


async def test_the_client_of_a_session_that_ended_stays_open_for_requests_in_flight(clock: VirtualClock) -> None:
    """It is closed when the last request that uses it is over."""
    async with pool_of(1, clock=clock, policy="classic") as pool:
        client = await use(pool, Made)
        slow, fast = await pool._lease(URL), await pool._lease(URL)
        fast.report(BLOCK)
        await clock.advance(5)
        assert client.is_open

        slow.report(OK)
        await clock.advance(1)

        assert not client.is_open


async def test_the_client_of_a_session_that_is_held_stays_open_until_the_block_is_believed(clock: VirtualClock) -> None:
    """By the adaptive policy: once a question that was asked later is answered well elsewhere."""
    async with pool_of(2, clock=clock) as pool:
        client = await use(pool, Made)
        assert await use(pool, Made, BLOCK) is client
        await clock.advance(5)
        assert client.is_open

        later = await pool._lease(URL)
        assert later.session is not client.session
        later.report(OK)
        await clock.advance(1)

        assert not client.is_open


async def test_a_renewed_session_has_another_client(clock: VirtualClock) -> None:
    """A client of the old exit is closed, and never used for the new one."""
    async with pool_of(2, clock=clock) as pool:
        named = pool.session("seven", site=SITE)
        old = await use_named(pool)
        await named.renew()
        new = await use_named(pool)
        await clock.advance(1)

        assert new is not old
        assert (old.is_open, new.is_open) == (False, True)


async def use_named(pool: SessionPool) -> Made:
    async with pool.session("seven", site=SITE).acquire(URL) as lease:
        client = lease.session.client(Made)
        lease.report(OK)
        return client


async def test_clients_beyond_the_limit_are_closed_the_longest_unused_first(clock: VirtualClock) -> None:
    """The sessions go on, with a client that is made anew."""
    async with pool_of(4, clock=clock, policy="round_robin", max_clients=3) as pool:
        made = [await use(pool, Made) for _ in range(4)]
        await clock.advance(1)

        assert [client.is_open for client in made] == [False, True, True, True]
        again = await use(pool, Made)
        assert again is not made[0]
        assert again.session is made[0].session
        await clock.advance(1)
        assert [client.is_open for client in made] == [False, False, True, True]


async def test_a_client_in_use_is_not_closed_for_the_limit(clock: VirtualClock) -> None:
    """A request in flight keeps its client, however many others there are."""
    async with pool_of(4, clock=clock, policy="round_robin", max_clients=1) as pool:
        held = await pool._lease(URL)
        client = held.session.client(Made)
        others = [await use(pool, Made) for _ in range(3)]
        await clock.advance(1)

        assert client.is_open
        assert [other.is_open for other in others].count(True) <= 1
        held.report(OK)


async def test_a_client_that_fails_to_close_ends_nothing(clock: VirtualClock, caplog: pytest.LogCaptureFixture) -> None:
    """It is warned of, and the others are closed."""
    async with pool_of(2, clock=clock, policy="round_robin") as pool:
        await use(pool, Stubborn)
        fine = await use(pool, Made)
        await use(pool, Stubborn, BLOCK)
        await clock.advance(1)
        assert (await pool.get(URL)).status == 200

    assert not fine.is_open
    assert "could not be closed: OSError" in caplog.text


@pytest.mark.parametrize("name", ["aclose", "close"])
@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "async"])
async def test_clients_are_closed_in_the_way_they_offer(name: str, *, is_async: bool) -> None:
    """By aclose or close, awaited or not; what offers neither is let go."""
    closed = []

    async def close_later() -> None:
        closed.append(name)

    def close_now() -> None:
        closed.append(name)

    await close_client(type("Client", (), {name: staticmethod(close_later if is_async else close_now)})())
    await close_client(object())

    assert closed == [name]


async def test_a_new_session_never_rides_on_an_old_tunnel() -> None:
    """Each session has tunnels of its own, though its proxy is one that others had before."""
    async with (
        Testbed(World(proxies=1, networks=1, page_bytes=500)) as bed,
        SessionPool(bed.proxy_lines, store="memory:") as pool,
    ):
        site = bed.site_url.removeprefix("http://")
        for name in ("a", "b", "c"):
            for number in range(4):
                await pool.session(name, site=site).get(bed.page_url(number))

        connections: dict[int, set[str]] = {}
        for hit in bed.truth().hits:
            connections.setdefault(hit.connection, set()).add(hit.user_agent)
        assert list(bed.truth().connection_count.values()) == [3]
        assert {len(agents) for agents in connections.values()} == {1}


async def test_a_session_that_follows_a_blocked_one_opens_a_tunnel_of_its_own() -> None:
    """The proxy is tried again after a block, by another visitor and on another connection."""
    async with (
        Testbed(World(proxies=1, networks=1, https=True)) as bed,
        SessionPool(bed.socks5_lines, store="memory:", client=client_of(bed), policy="classic") as pool,
    ):
        first = await pool.get(bed.page_url(1))
        async with pool.acquire(bed.page_url(1)) as lease:
            lease.report(BLOCK)
        second = await pool.get(bed.page_url(1))

        assert first.session != second.session
        assert list(bed.truth().tunnel_count.values()) == [2]


def client_of(bed: Testbed) -> Client:
    return CurlClient(ca_path=str(bed.ca_path))


# Cookies and data


async def test_cookies_never_leave_their_session() -> None:
    """A site that binds its cookie to exit and browser is content with every request of many sessions."""
    world = World(proxies=20, bound_cookies=True, page_bytes=2000)
    async with (
        Testbed(world) as bed,
        SessionPool(bed.proxy_lines, store="memory:", max_rate=0, policy="round_robin") as pool,
    ):
        pages = await fetch(pool, bed.page_urls(80))

        assert [page.body for page in pages] == [bed.page_body(number) for number in range(80)]
        assert bed.truth().answer_counts == {"ok": 80}
        assert len({page.session for page in pages}) > 5


async def fetch(pool: SessionPool, urls: list[str]) -> list[Page]:
    slots = asyncio.Semaphore(8)

    async def one(url: str) -> Page:
        async with slots:
            return await pool.get(url)

    return await asyncio.gather(*map(one, urls))


@pytest.mark.parametrize("https", [False, True], ids=["http", "https"])
async def test_cookies_are_kept_over_a_restart(tmp_path: Path, *, https: bool) -> None:
    """The session goes on with the cookies that the site gave it, also where the first save came before them."""
    async with Testbed(World(proxies=1, networks=1, https=https)) as bed:
        client = client_of(bed) if https else CurlClient()
        async with SessionPool(bed.proxy_lines, store=tmp_path / "store", client=client) as pool:
            first = await pool.get(f"{bed.site_url}/cookie")
        async with SessionPool(bed.proxy_lines, store=tmp_path / "store", client=client) as pool:
            second = await pool.get(f"{bed.site_url}/cookie")

    assert first.json() == {"received": None}
    assert second.json() == {"received": "flavour=vanilla"}
    assert second.session == first.session


def put_in_basket(request: Request, session: Session) -> Response:
    session.data["basket"] = [*session.data.get("basket", []), request.url]
    return answers(200)(request, session)


async def test_data_is_kept_over_a_restart(tmp_path: Path) -> None:
    """What the user put into it is there on the next run, in the same session only."""
    for _ in range(3):
        async with pool_of(1, store=tmp_path / "store", client=Scripted(put_in_basket)) as pool:
            await pool.get(URL)

    async with pool_of(1, store=tmp_path / "store") as pool, pool.acquire(URL) as lease:
        assert lease.session.data == {"basket": [URL] * 3}
        lease.drop()


async def test_what_came_while_others_were_saved_is_saved_too(tmp_path: Path) -> None:
    """A request that is out while the pool saves has its cookies and data saved afterwards."""
    async with pool_of(1, store=tmp_path / "store") as pool:
        lease: Lease
        async with pool.acquire(URL) as lease:
            await pool.save()
            lease.session.data["late"] = True
            lease.report(OK)

    async with pool_of(1, store=tmp_path / "store") as pool, pool.acquire(URL) as lease:
        assert lease.session.data == {"late": True}
        lease.drop()


async def test_what_belongs_to_a_session_goes_with_it(tmp_path: Path) -> None:
    """After a block, neither cookies nor data of the session remain, here or in the store."""
    async with pool_of(1, store=tmp_path / "store", client=Scripted(put_in_basket), policy="classic") as pool:
        await pool.get(URL)
        await pool.save()
        (kept,) = [one for one in await pool._store.load(SITE) if one.kind == "data"]
        async with pool.acquire(URL) as lease:
            name = lease.session.name
            lease.report(BLOCK)
        await pool.save()

        assert kept.key == name
        assert [one for one in await pool._store.load(SITE) if one.key == name] == []
        async with pool.acquire(URL) as lease:
            assert lease.session.data == {}
            lease.drop()


async def test_a_session_that_never_worked_leaves_nothing(tmp_path: Path) -> None:
    """Cookies and data of sessions that were refused at once are not kept."""

    def refuse(request: Request, session: Session) -> Response:
        session.data["seen"] = True
        return Response(url=request.url, status=403, headers=(), body=b"")

    async with pool_of(3, store=tmp_path / "store", client=Scripted(refuse), max_wait_seconds=0) as pool:
        with pytest.raises(Exception, match="no session available"):
            await pool.get(URL)
        await pool.save()

        assert not {one.kind for one in await pool._store.load(SITE)} & {"session", "cookies", "data"}


async def test_data_that_cannot_be_saved_keeps_nothing_else_from_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What is not like JSON is warned of, and all that was learned is saved."""

    def spoil(request: Request, session: Session) -> Response:
        session.data["client"] = object()
        return answers(200)(request, session)

    async with pool_of(1, store=tmp_path / "store", client=Scripted(spoil)) as pool:
        page = await pool.get(URL)

    assert "not like JSON" in caplog.text
    async with pool_of(1, store=tmp_path / "store") as pool:
        assert (await pool.get(URL)).session == page.session


async def test_a_session_ends_after_a_day(clock: VirtualClock) -> None:
    """An exit can be trusted to be the same for so long; then another session takes its place, with nothing of it."""
    async with pool_of(1, clock=clock, client=Scripted(put_in_basket), policy="classic") as pool:
        first = await pool.get(URL)
        # Nothing is scheduled, so the clock may leap.
        clock._now += SESSION_SECONDS - 1
        same = await pool.get(URL)
        clock._now += 1
        other = await pool.get(URL)
        await settle()

        assert same.session == first.session
        assert other.session != first.session
        assert len(pool._site_registry[SITE]._sessions) == 1


async def test_a_session_looks_the_same_for_as_long_as_it_lives(tmp_path: Path) -> None:
    """Its identity comes from the store again."""
    seen = []
    for _ in range(4):
        async with pool_of(1, store=tmp_path / "store", seed=None) as pool, pool.acquire(URL) as lease:
            session = lease.session
            seen.append((session.name, session.fingerprint, session.proxy_url, tuple(session.headers.items())))
            lease.report(OK)

    assert len(set(seen)) == 1


async def test_cookies_survive_being_written_and_read() -> None:
    """All that a cookie is sent by stays what it was."""
    async with (
        Testbed(World(proxies=1, networks=1)) as bed,
        SessionPool(bed.proxy_lines, store="memory:") as pool,
        pool.acquire(bed.site_url) as lease,
    ):
        await pool.settings.client.send(Request(url=f"{bed.site_url}/cookie"), lease.session)
        jar = lease.session.cookies
        lease.drop()

    read = load_cookies(dump_cookies(jar))

    assert [vars(cookie) | {"_rest": {}} for cookie in read] == [vars(cookie) | {"_rest": {}} for cookie in jar]
    assert [cookie.value for cookie in read] == ["vanilla"]
