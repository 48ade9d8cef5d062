"""The two ends of a relay: what leads to a proxy, and what a browser does at it."""

from __future__ import annotations

import asyncio
import ssl
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from curl_cffi import AsyncSession, Response

from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.relay import Relay, open_relay


@asynccontextmanager
async def relay_to(line: str, exit_name: str = "", tls: ssl.SSLContext | None = None) -> AsyncIterator[Relay]:
    async with await open_relay(parse_proxy(line), exit_name, tls=tls) as relay:
        yield relay


@asynccontextmanager
async def browser_at(relay: Relay) -> AsyncIterator[tuple[Reader, Writer]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(relay.url.rpartition(":")[2]))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


async def read_what_comes(reader: Reader) -> bytes:
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


async def get(relay: Relay, url: str) -> tuple[int, bytes]:
    """Status and body of the page at *url*, of a client without a login."""
    async with AsyncSession[Response](trust_env=False) as client:
        response = await client.get(url, proxy=relay.url.replace("socks5", "socks5h"), verify=False)
        return response.status_code, response.content
