"""A session of the built-in client, and a proxy that plays all sites and tells what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import pytest
from tests.clients.rude_servers import HEAD_END, answer, listening

from proxysieve.clients.curl import CurlClient
from proxysieve.clients.protocol import Request, Response
from proxysieve.core.fingerprints.available import FINGERPRINTS
from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.core.model import Exchange
from proxysieve.core.records import SessionRecord
from proxysieve.core.verdicts.failures import failed_exchange
from proxysieve.sessions.clients import Clients
from proxysieve.sessions.session import Session

CHROME = next(one for one in FINGERPRINTS if one.impersonate.startswith("chrome"))
ROOM = Clients(100)


class Asked:
    """A request as it came in.

    Attributes:
        line: The request line.
        headers: Names in lower case; of several the last.
        body: What came behind the head.
    """

    def __init__(self, head: bytes, body: bytes) -> None:
        self.line, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        self.method, self.url, _ = self.line.split(" ")
        self.names = [line.partition(":")[0] for line in lines]
        self.headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines}
        self.body = body


Answers = Mapping[str, bytes] | Callable[[Asked], bytes]


@asynccontextmanager
async def playing(answers: Answers) -> AsyncIterator[tuple[str, list[Asked]]]:
    """A proxy for sites without TLS that gives the *answers*, by URL; its line, and what it is asked."""
    seen: list[Asked] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(HEAD_END)
            asked = Asked(head, b"")
            asked.body = await reader.readexactly(int(asked.headers.get("content-length", 0)))
            seen.append(asked)
            said = answers(asked) if callable(answers) else answers.get(asked.url, answer(stays=True))
            writer.write(said)
            await writer.drain()

    async with listening(behave) as port:
        yield f"http://127.0.0.1:{port}", seen


def session_on(line: str, fingerprint: Fingerprint = CHROME) -> Session:
    """A session of its own on the proxy at *line*."""
    proxy = parse_proxy(line)
    record = SessionRecord(name="visitor", proxy_key=proxy.key, exit_name="", fingerprint=fingerprint, opened_at=0)
    return Session(record, "site.example", proxy, ROOM)


async def send(request: Request, session: Session, client: CurlClient | None = None) -> Response:
    """The answer, after which the session's connections are closed."""
    try:
        return await (client or CurlClient()).send(request, session)
    finally:
        ROOM.end(session)


async def failed(request: Request, session: Session, client: CurlClient | None = None) -> Exchange:
    """The exchange that failed."""
    try:
        response = await send(request, session, client)
    except Exception as error:
        exchange = failed_exchange(request.url, error)
        if exchange is None:
            raise
        return exchange
    raise AssertionError(f"it was answered: {response.status}")


def moved(location: str, status: str = "302 Found", *headers: str) -> bytes:
    """A redirect that leaves the connection open."""
    return answer(status, f"Location: {location}", *headers, body=b"moved", stays=True)


SHOP = "http://shop.example"
LED_ON = {
    f"{SHOP}/sorry": moved(f"{SHOP}/sorry/back"),
    f"{SHOP}/sorry/back": moved(f"{SHOP}/"),
    f"{SHOP}/loop": moved(f"{SHOP}/loop", "302 Found", "cf-mitigated: challenge"),
    f"{SHOP}/private": moved("http://192.168.1.1/"),
}
# What a crawler is told of each.
LED_ON_TOLD = [
    pytest.param("sorry", "blocked: sent to a sorry page", id="past a sorry page"),
    pytest.param("loop", "blocked: cf-mitigated header", id="in a circle"),
    pytest.param("private", "unclear: redirected to a private address", id="to a private place"),
]
