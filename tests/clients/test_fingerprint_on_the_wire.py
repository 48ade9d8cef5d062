"""A site that looks at TLS, HTTP/2 and headers sees the browser that a session's identity names."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import msgspec
import pytest
from curl_cffi import Curl, CurlHttpVersion, CurlOpt
from tests.browsers import Browser, browser_of

from proxysieve import SessionPool
from proxysieve.clients.curl import CurlClient, send_directly
from proxysieve.clients.protocol import Request
from proxysieve.core.fingerprints.available import FINGERPRINTS
from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.fingerprints.user_agents import platform_of
from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.core.records import SessionRecord
from proxysieve.core.verdicts.failures import SendFailed
from proxysieve.sessions.clients import Clients
from proxysieve.sessions.session import Session
from proxysieve.testbed import SeenFingerprint, Testbed, World
from proxysieve.testbed.client_hello import RECORD_HEAD_BYTES, ClientHello, parse_client_hello


def named(fingerprint: Fingerprint) -> str:
    return f"{fingerprint.impersonate}-{platform_of(fingerprint.user_agent)}"


WORLD = World(proxies=2, networks=1, https=True, https_proxies=True)
EACH = pytest.mark.parametrize("fingerprint", [pytest.param(one, id=named(one)) for one in FINGERPRINTS])


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    """Where the clients of a test's sessions live."""
    clients = Clients(10)
    yield clients
    await clients.close()


def session_on(line: str, fingerprint: Fingerprint, clients: Clients) -> Session:
    proxy = parse_proxy(line)
    record = SessionRecord(name="visitor", proxy_key=proxy.key, exit_name="", fingerprint=fingerprint, opened_at=0)
    return Session(record, "site.example", proxy, clients)


class Visitors:
    """Sends requests to the site of *bed*, each session by a client of its own."""

    def __init__(self, bed: Testbed) -> None:
        self._bed = bed
        self._client = CurlClient(ca_path=str(bed.ca_path) if bed.ca_path else None)

    async def get(self, path: str, session: Session) -> bytes:
        return (await self._client.send(Request(url=f"{self._bed.site_url}/{path}"), session)).body

    async def shown(self, session: Session) -> SeenFingerprint:
        """What the site sees of one request of *session*."""
        return msgspec.json.decode(await self.get("fingerprint", session), type=SeenFingerprint)

    async def sent(self, session: Session) -> list[tuple[str, str]]:
        """The headers that the site gets with one request of *session*, in their order."""
        told = msgspec.json.decode(await self.get("echo", session))
        return [(name, value) for name, value in told["headers"]]

    async def lose_connection(self, session: Session) -> None:
        """Let the site end the connection of *session*."""
        with pytest.raises(SendFailed):
            await self.get("reset", session)


def looks_of(seen: SeenFingerprint) -> tuple[object, ...]:
    """All that a browser cannot hide, whether or not it resumes."""
    return seen.http2, seen.header_names, seen.client_hints, seen.user_agent


@EACH
@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
async def test_the_site_sees_the_browser_that_is_named(scheme: str, fingerprint: Fingerprint, clients: Clients) -> None:
    """Through every kind of proxy: JA4, HTTP/2, the order of headers, client hints and user agent."""
    browser = browser_of(fingerprint)
    async with Testbed(WORLD) as bed:
        lines = {"http": bed.proxy_lines, "https": bed.https_lines, "socks5": bed.socks5_lines}

        seen = await Visitors(bed).shown(session_on(lines[scheme][0], fingerprint, clients))

        assert sum(bed.truth().tunnel_count.values()) == 1
    assert seen.protocol == "HTTP/2"
    assert (seen.ja4, seen.http2) == (browser.ja4, browser.http2)
    assert seen.header_names == browser.plain_names
    assert seen.client_hints == fingerprint.client_hints
    assert seen.user_agent == fingerprint.user_agent


@EACH
async def test_the_first_request_has_the_priority_that_the_browser_gives_it(
    fingerprint: Fingerprint, clients: Clients
) -> None:
    """What it depends on and its weight, if the browser says them."""
    browser = browser_of(fingerprint)
    async with Testbed(WORLD) as bed:
        seen = await Visitors(bed).shown(session_on(bed.proxy_lines[0], fingerprint, clients))

    assert seen.http2_priority.partition(":")[2] == browser.priority


@EACH
async def test_each_header_says_what_the_browser_says(fingerprint: Fingerprint, clients: Clients) -> None:
    """To the letter: those that the identity tells other clients of, and those that are not theirs to send."""
    browser = browser_of(fingerprint)
    async with Testbed(WORLD) as bed:
        headers = dict(await Visitors(bed).sent(session_on(bed.proxy_lines[0], fingerprint, clients)))

    assert headers["accept"] == browser.accept
    assert headers["sec-fetch-site"] == "none"
    assert headers["sec-fetch-mode"] == "navigate"
    assert headers.get("sec-fetch-user", "?1") == "?1"
    assert headers["sec-fetch-dest"] == "document"
    assert headers["user-agent"] == fingerprint.user_agent
    assert headers["accept-language"] == fingerprint.accept_language
    told = {name.lower(): value for name, value in fingerprint.headers.items()}
    assert told.items() <= headers.items()
    assert headers.keys() - told.keys() <= {"accept-encoding", "priority", "te"}
    assert headers["accept-encoding"] == browser.accept_encoding
    assert headers["priority"] == "u=0, i"
    assert headers.get("te", "trailers") == "trailers"


@EACH
async def test_the_second_request_of_a_connection_is_like_the_first(fingerprint: Fingerprint, clients: Clients) -> None:
    """With the cookie that came meanwhile, where the browser puts it."""
    browser = browser_of(fingerprint)
    async with Testbed(WORLD) as bed:
        session = session_on(bed.proxy_lines[0], fingerprint, clients)
        visitors = Visitors(bed)
        first = await visitors.sent(session)
        await visitors.get("cookie", session)
        second = await visitors.sent(session)

        assert sum(bed.truth().tunnel_count.values()) == 1
    assert tuple(name for name, _ in first) == browser.plain_names
    assert [pair for pair in second if pair[0] != "cookie"] == first
    assert tuple(name for name, _ in second) == browser.header_names


@EACH
async def test_names_have_the_browsers_case_in_http_1(fingerprint: Fingerprint, clients: Clients) -> None:
    """And its order, with the host first; libcurl would write them small, and the host behind the cookies."""
    async with Testbed(World(proxies=1, networks=1)) as bed:
        session = session_on(bed.proxy_lines[0], fingerprint, clients)
        visitors = Visitors(bed)
        await visitors.get("cookie", session)
        names = [name for name, _ in await visitors.sent(session) if name != "te"]

    assert names == [name for name in fingerprint.header_order() if name in names]
    assert {"Host", "User-Agent", "Accept", "Accept-Encoding", "Accept-Language", "Cookie"} <= {*names}


@EACH
async def test_a_redirected_request_has_the_order_of_the_browser(fingerprint: Fingerprint) -> None:
    """As libcurl sends the headers of the identity when it is given that order."""
    browser = browser_of(fingerprint)
    async with Testbed(World(proxies=1, networks=1, https=True)) as bed:
        sent = await asyncio.to_thread(send_in_order, f"{bed.site_url}/echo", fingerprint, str(bed.ca_path))

    names = [name for name, _ in sent]
    assert tuple(dict.fromkeys(names)) == browser.redirected
    assert names.count("cookie") == 2, "each is a field of its own"


def send_in_order(url: str, fingerprint: Fingerprint, ca_path: str) -> list[tuple[str, str]]:
    """The headers that the site got at *url*, from a handle that looks like *fingerprint* after a redirect."""
    curl, body = Curl(), BytesIO()
    curl.impersonate(fingerprint.impersonate)
    lines = [f"{name}: {value}" for name, value in fingerprint.headers.items()]
    for option, value in {
        CurlOpt.URL: url,
        CurlOpt.CAINFO: ca_path,
        CurlOpt.NOPROXY: "*",
        CurlOpt.HTTP_VERSION: CurlHttpVersion.V2TLS,
        CurlOpt.COOKIE: "a=1; longer=1",
        CurlOpt.HTTPHEADER: [line.encode() for line in (*lines, "Cache-Control:")],
        CurlOpt.HTTPHEADER_ORDER: ",".join(fingerprint.header_order(is_redirected=True)),
        CurlOpt.WRITEDATA: body,
    }.items():
        curl.setopt(option, value)
    curl.perform()
    curl.close()
    return [(name, value) for name, value in msgspec.json.decode(body.getvalue())["headers"]]


@EACH
async def test_the_hello_is_the_browsers_beyond_what_is_hashed(fingerprint: Fingerprint) -> None:
    """Protocols, groups, keys, and the order of extensions, which a browser mixes each time, or never."""
    browser = browser_of(fingerprint)
    hellos = [await hello_of(fingerprint) for _ in range(4)]

    assert {hello.alpn for hello in hellos} == {(b"h2", b"http/1.1")}
    assert {hello.groups for hello in hellos} == {browser.groups}
    assert {hello.key_shares for hello in hellos} == {browser.key_shares}
    orders = {hello.extensions for hello in hellos}
    assert orders == {browser.extensions} if browser.extensions else len(orders) > 1


async def hello_of(fingerprint: Fingerprint) -> ClientHello:
    """What *fingerprint* begins a connection with."""
    records: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(RECORD_HEAD_BYTES)
        records.put_nowait(head + await reader.readexactly(int.from_bytes(head[3:])))
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with contextlib.suppress(Exception):
            await send_directly(Request(url=f"https://localhost:{port}/"), fingerprint)
        hello = parse_client_hello(await asyncio.wait_for(records.get(), 5))
    assert hello is not None
    return hello


@EACH
async def test_every_connection_of_a_session_shows_the_same(fingerprint: Fingerprint, clients: Clients) -> None:
    """A later one goes on with the TLS session of an earlier one where the browser does, and in its way."""
    browser = browser_of(fingerprint)
    async with Testbed(WORLD) as bed:
        session = session_on(bed.proxy_lines[0], fingerprint, clients)
        visitors = Visitors(bed)

        first = await visitors.shown(session)
        await visitors.lose_connection(session)
        later = await visitors.shown(session)

    assert (first.is_resumed, later.is_resumed) == (False, browser.resumed_ja4 is not None)
    assert later.ja4 == (browser.resumed_ja4 or browser.ja4)
    assert looks_of(later) == looks_of(first)


async def test_sessions_share_neither_connections_nor_tls_tickets(clients: Clients) -> None:
    """Two visitors with the same browser at the same proxy are strangers to each other."""
    async with Testbed(WORLD) as bed:
        sessions = [session_on(bed.proxy_lines[0], FINGERPRINTS[0], clients) for _ in range(3)]
        visitors = Visitors(bed)
        await visitors.shown(sessions[0])
        await visitors.lose_connection(sessions[0])

        for session in sessions[1:]:
            seen = await visitors.shown(session)
            assert not seen.is_resumed
            assert seen.ja4 == browser_of(FINGERPRINTS[0]).ja4

        connections = [hit.connection for hit in bed.truth().hits if hit.path == "/fingerprint"]
        assert len(set(connections)) == len(connections)


async def test_a_session_shows_the_same_after_a_restart(tmp_path: Path) -> None:
    """Its fingerprint is kept with it, and its tickets are not: it has been away."""
    seen: dict[str, set[tuple[object, ...]]] = {}
    async with Testbed(World(proxies=10, https=True)) as bed:
        site = bed.site_url.removeprefix("https://")
        for _, name in itertools.product(range(3), ("one", "two", "three")):
            client = CurlClient(ca_path=str(bed.ca_path))
            async with SessionPool(bed.proxy_lines, store=tmp_path / "store", client=client) as pool:
                page = await pool.session(name, site=site).get(f"{bed.site_url}/fingerprint")
                shown_now = msgspec.json.decode(page.body, type=SeenFingerprint)
                seen.setdefault(name, set()).add((shown_now.ja4, *looks_of(shown_now)))

    assert [len(looks) for looks in seen.values()] == [1, 1, 1]


async def test_the_truth_has_what_each_hit_showed(clients: Clients) -> None:
    """Without TLS there are headers only; with it, all of it, each fingerprint kept once."""
    async with Testbed(WORLD) as bed, Testbed(World(proxies=1, networks=1)) as plain:
        session = session_on(bed.proxy_lines[0], FINGERPRINTS[0], clients)
        visitors = Visitors(bed)
        for _ in range(3):
            await visitors.shown(session)
        await Visitors(plain).shown(session_on(plain.proxy_lines[0], FINGERPRINTS[0], clients))
        truth, plain_truth = bed.truth(), plain.truth()

    assert len(truth.fingerprints) == 1
    assert {truth.fingerprint_of(hit).ja4 for hit in truth.hits} == {browser_of(FINGERPRINTS[0]).ja4}
    assert [plain_truth.fingerprint_of(hit).protocol for hit in plain_truth.hits] == ["HTTP/1.1"]
    assert plain_truth.fingerprints[0].ja4 == plain_truth.fingerprints[0].http2 == ""


def test_every_identity_has_a_browser_to_be_compared_with() -> None:
    """One that no real browser was compared with does not go in."""
    assert all(isinstance(browser_of(fingerprint), Browser) for fingerprint in FINGERPRINTS)
