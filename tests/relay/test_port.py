"""Relays, whatever their proxies speak: where they lead, and whom."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from tests.relay.ends import browser_at, get, read_what_comes, relay_to

import proxysieve.relay.port
from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.relay import open_relay
from proxysieve.testbed import Testbed, World

SCHEMES = ("http", "https", "socks5")
SECRET = "s3cr3t-Passw0rd"


def line_of(bed: Testbed, scheme: str) -> str:
    """The first proxy of *bed*, by *scheme*."""
    return {"http": bed.proxy_lines, "https": bed.https_lines, "socks5": bed.socks5_lines}[scheme][0]


@pytest.mark.parametrize("https", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_page_comes_through_a_proxy_with_a_login(scheme: str, *, https: bool) -> None:
    """A client without a login gets the page, through that proxy's exit."""
    async with Testbed(World(proxies=1, networks=1, https=https, https_proxies=scheme == "https")) as bed:
        tls = ssl.create_default_context(cafile=bed.ca_path) if bed.ca_path else None
        async with relay_to(line_of(bed, scheme), tls=tls) as relay:
            status, body = await get(relay, bed.page_url(1))

        assert (status, body) == (200, bed.page_body(1))
        assert relay.failure is None
        assert {hit.exit for hit in bed.truth().hits} == {bed.exits[0].address}


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_providers_session_is_named_in_the_login(scheme: str) -> None:
    """The exit is that of the session's name."""
    async with Testbed(World(proxies=30, networks=30, provider_names=True)) as bed:
        for name in ("a1", "b2", "b2"):
            async with relay_to(line_of(bed, scheme), name) as relay:
                await get(relay, bed.page_url(1))

        first, second, third = [hit.exit for hit in bed.truth().hits]
        assert first != second == third


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_many_pages_at_once(scheme: str) -> None:
    """Connections do not come into each other's way."""
    async with Testbed(World(proxies=1, networks=1)) as bed, relay_to(line_of(bed, scheme)) as relay:
        answers = await asyncio.gather(*(get(relay, bed.page_url(page)) for page in range(20)))

        assert answers == [(200, bed.page_body(page)) for page in range(20)]


@pytest.mark.parametrize(("scheme", "begun"), [("http", b"CONNECT "), ("socks5", b"\x05")])
async def test_a_client_that_says_nothing_is_hung_up_on(scheme: str, begun: bytes) -> None:
    """An open connection costs something, so a client has to say what it wants."""
    proxy = parse_proxy(f"{scheme}://user:pass@127.0.0.1:1")
    async with await open_relay(proxy, handshake_seconds=0.05) as relay, browser_at(relay) as (reader, writer):
        writer.write(begun)

        assert await read_what_comes(reader) == b""


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_another_user_is_hung_up_on(
    scheme: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who is not the user whose proxies they are does not get to use them, and the log tells of it."""
    monkeypatch.setattr(proxysieve.relay.port, "is_own", lambda _: False)
    async with relay_to(f"{scheme}://user:{SECRET}@127.0.0.1:1") as relay, browser_at(relay) as (reader, writer):
        writer.write(b"anything at all")

        assert await read_what_comes(reader) == b""
    assert "another user" in caplog.text
    assert SECRET not in caplog.text
