"""A proxy's password is for the proxy alone: not for logs, errors, representations or stores."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import stat
import traceback
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from proxysieve import ConfigError, GaveUp, NamedSession, NoSessionAvailable, ProxySieveError, SessionPool
from proxysieve.clock import SystemClock
from proxysieve.lists.proxy_list import read_proxies
from proxysieve.pool.events import PoolEvent
from proxysieve.testbed import Testbed, World

# The testbed's proxies ask for user and "pass", which may stand in any message; a proxy that never gets to ask,
# or refuses whatever it is told, may be given another.
SECRET = "s3cr3t-Passw0rd"

FAILING = {
    "refused": World(proxies=2, refusing=2),
    "hanging": World(proxies=2, hanging=2),
    "demanding": World(proxies=2, demanding=2),
    "wrong": World(proxies=2),
}


def with_secret(lines: list[str]) -> list[str]:
    return [line.replace("user:pass@", f"user:{SECRET}@") for line in lines]


def told(error: BaseException | None) -> str:
    """All that a report of *error* could show, its causes included."""
    if error is None:
        return ""
    seen = [repr(error), str(error), repr(vars(error)), *traceback.format_exception(error)]
    if isinstance(error, GaveUp | NoSessionAvailable):
        seen.append(error.story())
    return "\n".join(seen) + told(error.__cause__ or error.__context__)


async def fail(pool: SessionPool, url: str) -> ProxySieveError:
    with pytest.raises(ProxySieveError) as caught:
        await pool.get(url)
    return caught.value


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@pytest.mark.parametrize("https", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("kind", FAILING)
async def test_a_password_never_shows_when_proxies_fail(
    kind: str, scheme: str, *, https: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Log at its most talkative, errors with their causes, records of tries: none of them has it."""
    caplog.set_level(logging.DEBUG)
    heard: list[PoolEvent] = []
    world = msgspec.structs.replace(FAILING[kind], https=https)
    async with Testbed(world) as bed:
        lines = with_secret(bed.proxy_lines if scheme == "http" else bed.socks5_lines)
        pool = SessionPool(lines, store="memory:", timeout_seconds=0.3, max_wait_seconds=0, on_event=heard.append)
        async with pool:
            error = await fail(pool, bed.page_url(1))
            shown = [repr(pool), repr(pool.settings), repr(pool._site_registry), repr(pool.statuses())]
            named = pool.session("seven", site=bed.site_url.partition("//")[2])
            named_error = await fail_once(named, bed.page_url(1))

    everything = "\n".join([caplog.text, told(error), named_error, repr(named), repr(heard), *shown])
    assert all(SECRET in line for line in lines)
    assert len(heard) >= 2
    assert "user:***@" in everything
    assert SECRET not in everything


async def fail_once(named: NamedSession, url: str) -> str:
    try:
        await named.get(url)
    except ProxySieveError as error:
        return told(error)
    pytest.fail("nothing works here")


async def test_a_password_never_shows_when_all_is_well(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """Pages, sessions, leases and the store do without it, also where sites refuse and pages fail."""
    caplog.set_level(logging.DEBUG)
    world = World(proxies=6, banned_share=0.5, credentials=False)
    async with Testbed(world) as bed:
        lines = [line.replace("http://", f"http://user:{SECRET}@") for line in bed.proxy_lines]
        async with SessionPool(lines, store=tmp_path / "store", attempts=1, max_sessions=3) as pool:
            pages = [await pool.get(url) for url in bed.page_urls(8)]
            errors = [
                await fail(pool, f"{bed.site_url}/{path}")
                for path in ("status/500", "redirect/99", "big?bytes=90000000")
            ]
            async with pool.acquire(bed.page_url(1)) as lease:
                shown = [repr(lease), repr(lease.session), repr(lease.session.proxy), str(lease.session.proxy)]
                assert SECRET in lease.session.proxy_url
                lease.drop()
            records = [record for site in pool.statuses() for record in await pool._store.load(site)]
            await pool.save()

    everything = "\n".join([caplog.text, repr(pages), *map(told, errors), *shown, repr(records)])
    assert SECRET not in everything
    for path in (tmp_path / "store").iterdir():
        assert SECRET.encode() not in path.read_bytes()


async def test_the_store_is_for_its_user_alone(tmp_path: Path) -> None:
    """The directory is 0700 and the files 0600, while the pool is open and afterwards; cookies are in them."""
    store = tmp_path / "deep" / "store"

    def modes() -> dict[str, int]:
        return {path.name: stat.S_IMODE(path.stat().st_mode) for path in store.iterdir()}

    async with Testbed(World(proxies=1, networks=1)) as bed, SessionPool(bed.proxy_lines, store=store) as pool:
        await pool.get(f"{bed.site_url}/cookie")
        await pool.save()
        while_open = modes()

    assert stat.S_IMODE(store.stat().st_mode) == 0o700
    assert {"state.sqlite3", "state.sqlite3-wal", "lock"} <= set(while_open)
    assert set(while_open.values()) == {0o600}
    assert set(modes().values()) == {0o600}
    with closing(sqlite3.connect(store / "state.sqlite3")) as database:
        ((cookies,),) = database.execute("SELECT value FROM records WHERE kind = 'cookies'").fetchall()
    assert b"vanilla" in cookies


@pytest.mark.parametrize(
    "line",
    [
        f"user:{SECRET}@proxy.example",
        f"http://user:{SECRET}@:8000",
        f"ftp://user:{SECRET}@proxy.example:8000",
        f"http://user:{SECRET}@proxy.example:eighty",
        f"http://user:{SECRET}@proxy.example:8000/path",
        f"http://user:{SECRET}@[::1:8000",
        f"proxy.example:8000:{SECRET}",
        f"proxy.example:80000:user:{SECRET}",
        f"user:{SECRET}:proxy.example:80000",
        f"{SECRET}://proxy.example:8000",
    ],
)
def test_a_line_that_is_no_proxy_is_not_repeated(line: str) -> None:
    """The error says where and what is wrong, without what may be a password."""
    with pytest.raises(ConfigError, match="line 1") as caught:
        read_proxies([line])

    assert SECRET not in told(caught.value)


async def test_an_unknown_error_of_a_client_is_not_repeated_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A client that fails to close may have the proxy's address in its message."""
    caplog.set_level(logging.DEBUG)

    class Leaky:
        async def aclose(self) -> None:
            raise OSError(f"http://user:{SECRET}@proxy.example:8000 does not answer")

    async with SessionPool([f"http://user:{SECRET}@proxy.example:8000"], store="memory:") as pool:
        async with pool.acquire("http://shop.example/") as lease:
            lease.session.client(lambda _: Leaky())
            lease.drop()
        await SystemClock().wait(asyncio.Event(), 0)

    assert "could not be closed" in caplog.text
    assert SECRET not in caplog.text
