"""The testbed as a whole: its modes, its start and its end."""

from __future__ import annotations

import asyncio
import gc
import resource
import socket
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import httpx
import pytest

from proxysieve.errors import MissingExtraError
from proxysieve.testbed import Testbed, World
from proxysieve.testbed import bed as bed_module


async def seen_address(bed: Testbed, proxy: str | None) -> str:
    """Return the address that the site sees through a proxy."""
    trust = ssl.create_default_context(cafile=bed.ca_path)
    async with httpx.AsyncClient(proxy=proxy, verify=trust) as client:
        address: str = (await client.get(f"{bed.site_url}/echo")).json()["address"]
        return address


@pytest.mark.parametrize("https", [False, True])
async def test_exits_can_be_announced_where_they_cannot_be_real(*, https: bool) -> None:
    """All proxies listen on 127.0.0.1 then, and the site sees their exits all the same."""
    async with Testbed(World(proxies=3, https=https), announce=True) as bed:
        seen = [await seen_address(bed, line) for line in bed.proxy_lines]

        assert bed.announces_exits
        assert {urlsplit(line).hostname for line in bed.proxy_lines} == {"127.0.0.1"}
        assert seen == [exit_.address for exit_ in bed.exits]


@pytest.mark.parametrize("https", [False, True])
@pytest.mark.parametrize("announce", [False, True])
async def test_the_site_can_be_visited_without_a_proxy(*, https: bool, announce: bool) -> None:
    """Who announces nothing comes from where it comes from."""
    async with Testbed(World(proxies=1, https=https), announce=announce) as bed:
        assert await seen_address(bed, None) == "127.0.0.1"


@pytest.mark.parametrize("https", [False, True])
@pytest.mark.parametrize("announce", [False, True])
async def test_a_site_by_a_name_of_its_own_is_found_by_the_proxies(*, https: bool, announce: bool) -> None:
    """They know where it is, and its certificate is for that name."""
    async with Testbed(World(proxies=2, host="shop.example", https=https), announce=announce) as bed:
        seen = [await seen_address(bed, line) for line in bed.proxy_lines]

        parts = urlsplit(bed.site_url)
        assert (parts.scheme, parts.hostname) == ("https" if https else "http", "shop.example")
        assert seen == [exit_.address for exit_ in bed.exits]


async def test_each_world_has_the_name_of_its_own_site_alone() -> None:
    """Another name leads nowhere, and where the world has none, so does this."""
    for host in ("", "other.example", "ashop.example"):
        async with Testbed(World(proxies=1, credentials=False, host=host)) as bed:
            reader, writer = await connect(bed.proxy_lines[0])
            port = urlsplit(bed.site_url).port
            writer.write(f"CONNECT shop.example:{port} HTTP/1.1\r\n\r\n".encode())

            assert (await reader.read()).startswith(b"HTTP/1.1 502 ")
            writer.close()


@pytest.mark.parametrize("announce", [False, True])
async def test_connections_past_the_proxies_are_counted(*, announce: bool) -> None:
    """Once each, and those through proxies are none."""
    async with Testbed(World(proxies=2), announce=announce) as bed:
        for line in bed.proxy_lines:
            await seen_address(bed, line)
        before = bed.truth().direct_connection_count
        for _ in range(3):
            await seen_address(bed, None)

        assert (before, bed.truth().direct_connection_count) == (0, 3)


async def test_announcing_exits_is_for_machines_with_one_loopback_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """The testbed finds out by itself."""
    for has_all in (True, False):
        monkeypatch.setattr(bed_module, "_has_all_of_loopback", lambda answer=has_all: answer)
        async with Testbed(World(proxies=1)) as bed:
            assert bed.announces_exits is not has_all


async def test_announced_exits_are_banned_like_real_ones() -> None:
    """Bans go by the announced address."""
    async with Testbed(World(proxies=4, banned_share=0.5), announce=True) as bed:

        async def status(line: str) -> int:
            async with httpx.AsyncClient(proxy=line) as client:
                return (await client.get(bed.page_url(1))).status_code

        statuses = [await status(line) for line in bed.proxy_lines]

        assert statuses == [403 if exit_.banned else 200 for exit_ in bed.exits]
        assert bed.truth().banned_exits == [exit_.address for exit_ in bed.exits if exit_.banned]


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection to the host and port of a URL."""
    parts = urlsplit(url)
    return await asyncio.open_connection(parts.hostname, parts.port, family=socket.AF_INET)


async def idle(bed: Testbed) -> list[asyncio.StreamWriter]:
    """Connect to a proxy and to the site and say nothing."""
    return [(await connect(url))[1] for url in (bed.proxy_lines[0], bed.site_url)]


async def wait_for_an_answer(bed: Testbed) -> list[asyncio.StreamWriter]:
    """Ask for what takes long, and for more than is read; where the site speaks TLS, break off the handshake."""
    writers = [(await connect(bed.site_url))[1] for _ in range(2)]
    for writer, path in zip(writers, ("/slow?seconds=60", "/big?bytes=100000000"), strict=True):
        writer.write(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    return writers


async def hold_a_tunnel(bed: Testbed) -> list[asyncio.StreamWriter]:
    """Open a tunnel and say nothing in it."""
    reader, writer = await connect(bed.proxy_lines[0])
    writer.write(f"CONNECT {urlsplit(bed.site_url).netloc} HTTP/1.1\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    return [writer]


@pytest.mark.parametrize("occupy", [idle, wait_for_an_answer, hold_a_tunnel])
@pytest.mark.parametrize("announce", [False, True])
@pytest.mark.parametrize("https", [False, True])
async def test_the_end_comes_at_once_and_leaves_nothing_open(
    occupy: Callable[[Testbed], Awaitable[list[asyncio.StreamWriter]]], *, announce: bool, https: bool
) -> None:
    """Whatever clients still hold open: no task and no socket is left, which would be a warning."""
    tasks_before = asyncio.all_tasks()

    async with Testbed(World(proxies=3, credentials=False, https=https), announce=announce) as bed:
        writers = await occupy(bed)
        await asyncio.sleep(0.01)
        began_at = time.monotonic()

    assert time.monotonic() - began_at < 1
    assert asyncio.all_tasks() == tasks_before
    for url in (*bed.proxy_lines, bed.site_url):
        with pytest.raises(ConnectionRefusedError):
            await connect(url)
    for writer in writers:
        writer.transport.abort()
    await asyncio.sleep(0)
    gc.collect()


@pytest.mark.parametrize("announce", [False, True])
async def test_an_error_inside_still_ends_the_testbed(*, announce: bool) -> None:
    """The error propagates, and the ports are free again."""
    with pytest.raises(KeyError):
        async with Testbed(World(proxies=1), announce=announce) as bed:
            raise KeyError

    with pytest.raises(httpx.ConnectError):
        async with httpx.AsyncClient() as client:
            await client.get(bed.site_url)


async def test_the_certificate_goes_with_the_testbed() -> None:
    """There is one when the site speaks TLS, and only as long."""
    async with Testbed(World(proxies=1, https=True)) as bed:
        path = bed.ca_path
        assert path is not None
        assert path.read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")

    assert not path.exists()
    async with Testbed(World(proxies=1)) as bed:
        assert bed.ca_path is None


@pytest.mark.parametrize("package", ["trustme", "h2"])
async def test_tls_without_its_packages_names_the_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what is missing and what to install, and nothing is left open."""
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(MissingExtraError, match=rf"{package}.*: pip install 'proxysieve\[testbed\]'"):
        async with Testbed(World(https=True)):
            pass
    gc.collect()


async def test_five_hundred_proxies_start_in_two_seconds() -> None:
    """And the soft limit of open files is no obstacle."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        began_at = time.monotonic()
        async with Testbed(World(proxies=500)) as bed:
            assert time.monotonic() - began_at < 2
            assert len(set(bed.proxy_lines)) == 500
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_testbed_that_was_not_entered_says_so() -> None:
    """Its places are not known before."""
    with pytest.raises(RuntimeError, match="enter it first"):
        _ = Testbed(World()).site_url
