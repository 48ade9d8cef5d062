"""The ClientHello is seen without disturbing TLS, however it arrives."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from proxysieve.testbed import Testbed, World

WORLD = World(proxies=1, networks=1, https=True)


async def connect(bed: Testbed) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection to the site and say nothing."""
    parts = urlsplit(bed.site_url)
    return await asyncio.open_connection("127.0.0.1", parts.port, family=socket.AF_INET)


async def visit(bed: Testbed) -> dict[str, Any]:
    """What the site sees of a visitor in between, by which time it has dealt with all that was sent before."""
    trust = ssl.create_default_context(cafile=bed.ca_path)
    async with httpx.AsyncClient(verify=trust) as client:
        seen: dict[str, Any] = (await client.get(f"{bed.site_url}/fingerprint")).json()
        return seen


class Talk:
    """A TLS client whose bytes are sent by hand."""

    def __init__(self, bed: Testbed) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        trust = ssl.create_default_context(cafile=bed.ca_path)
        self._tls = trust.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")

    def hello(self) -> bytes:
        with pytest.raises(ssl.SSLWantReadError):
            self._tls.do_handshake()
        return self._outgoing.read()

    async def ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._incoming.write(await reader.read(65_536))
        self._tls.write(request)
        writer.write(self._outgoing.read())
        answer = b""
        while True:
            try:
                while piece := self._tls.read(65_536):
                    answer += piece
            except ssl.SSLWantReadError:
                self._incoming.write(await reader.read(65_536))
            except ssl.SSLError:
                return answer
            if answer.endswith(b"}"):
                return answer


async def test_a_hello_may_arrive_in_pieces() -> None:
    """It is looked at once it is whole, and TLS goes on with it from its beginning."""
    async with Testbed(WORLD) as bed:
        talk = Talk(bed)
        hello = talk.hello()
        reader, writer = await connect(bed)
        for piece in (hello[:1], hello[1:4], hello[4:6], hello[6:200], hello[200:]):
            writer.write(piece)
            await writer.drain()
            await visit(bed)

        answer = await talk.ask(reader, writer, b"GET /fingerprint HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        writer.transport.abort()

    seen = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert seen["ja4"].startswith("t13d")
    assert seen["protocol"] == "HTTP/1.1"


@pytest.mark.parametrize("sent", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n", bytes(2000)])
async def test_what_is_no_hello_harms_nobody(sent: bytes) -> None:
    """Whoever breaks off or speaks no TLS is let go, and others are served."""
    async with Testbed(WORLD) as bed:
        _, writer = await connect(bed)
        writer.write(sent)
        await writer.drain()
        await visit(bed)
        writer.close()

        assert (await visit(bed))["ja4"].startswith("t13d")


async def test_announced_exits_are_seen_with_their_hello() -> None:
    """Where a proxy says first whom it speaks for, the ClientHello comes after it."""
    async with Testbed(WORLD, announce=True) as bed:
        trust = ssl.create_default_context(cafile=bed.ca_path)
        async with httpx.AsyncClient(proxy=bed.proxy_lines[0], verify=trust) as client:
            seen = (await client.get(f"{bed.site_url}/fingerprint")).json()
        (hit,) = bed.truth().hits

    assert hit.exit == bed.exits[0].address
    assert seen["ja4"].startswith("t13d")


async def test_fingerprints_are_kept_each_once() -> None:
    """Hits name them by their place, also in a testbed that keeps few hits."""
    async with Testbed(World(proxies=1, networks=1, hits_kept=3)) as bed:
        async with httpx.AsyncClient() as client:
            for name in ("one", "two", "one", "three"):
                await client.get(f"{bed.site_url}/page/1", headers={"User-Agent": name})
        truth = bed.truth()

    assert [truth.fingerprint_of(hit).user_agent for hit in truth.hits] == ["one", "two", "one"]
    assert [fingerprint.user_agent for fingerprint in truth.fingerprints] == ["one", "two"]
