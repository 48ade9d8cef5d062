"""The relay to HTTP proxies with a login: what is added, what passes as it is, and what is left afterwards."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer

import pytest
from curl_cffi import AsyncSession, Response
from tests.clients.rude_servers import (
    HEAD_END,
    Behaviour,
    Context,
    authority,
    blurting,
    closing,
    closing_at_once,
    cutting,
    expired,
    listening,
    of_another_host,
    over_tls,
    resetting,
    saying,
    self_signed,
    silent,
)
from tests.relay.ends import browser_at, read_what_comes, relay_to

from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.core.model import Failure
from proxysieve.relay import Relay, open_relay, way_through
from proxysieve.testbed import Testbed, World

SECRET = "s3cr3t-Passw0rd"
# Of user and pass.
LOGIN = b"Proxy-Authorization: Basic dXNlcjpwYXNz\r\n"
CONNECT = b"CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443\r\nUser-Agent: x\r\n\r\n"
GET = (
    b"GET http://shop.example/ HTTP/1.1\r\nHost: shop.example\r\nProxy-Connection: keep-alive\r\naccept:  a, b \r\n\r\n"
)
CHUNKED = b"POST http://a/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
NO_TUNNEL = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
ESTABLISHED = b"HTTP/1.1 200 OK\r\n\r\n"
OTHER_LOGIN = b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=a\r\nContent-Length: 2\r\n\r\nno"


def with_login(request: bytes) -> bytes:
    head, end, body = request.partition(HEAD_END)
    return head + b"\r\n" + LOGIN + end[2:] + body


async def ask(relay: Relay, request: bytes) -> bytes:
    """What a browser reads up to the end that asks for *request*."""
    async with browser_at(relay) as (reader, writer):
        writer.write(request)
        return await read_what_comes(reader)


def hearing(heard: bytearray, said: bytes = b"") -> Behaviour:
    """A proxy that says *said* once anything is asked, and takes note of all that it hears."""

    async def serve(reader: Reader, writer: Writer) -> None:
        heard.extend(await reader.readuntil(HEAD_END))
        writer.write(said)
        while burst := await reader.read(65_536):
            heard.extend(burst)

    return serve


class TestAgainstTheTestbed:
    """Real proxies, which ask for a login."""

    @pytest.mark.parametrize(
        ("world", "failure", "status"),
        [
            pytest.param(World(proxies=1, networks=1, demanding=1), Failure.PROXY_REFUSED, b"407", id="wrong-login"),
            pytest.param(World(proxies=1, networks=1, refusing=1), Failure.PROXY_UNREACHABLE, b"502", id="refusing"),
            pytest.param(World(proxies=1, networks=1, failing=1), None, b"502", id="its-own-answer"),
        ],
    )
    async def test_what_goes_wrong_is_no_tunnel(self, world: World, failure: Failure | None, status: bytes) -> None:
        """The browser gets the proxy's answer or one in its place; the relay knows how far it came."""
        async with Testbed(world) as bed, relay_to(bed.proxy_lines[0]) as relay:
            assert (await ask(relay, CONNECT)).split()[1] == status
            assert relay.failure is failure

    async def test_many_pages_of_one_connection(self) -> None:
        """A browser that keeps its connection is logged in by each request."""
        async with Testbed(World(proxies=1, networks=1)) as bed, relay_to(bed.proxy_lines[0]) as relay:
            async with AsyncSession[Response](trust_env=False) as client:
                for page in range(5):
                    response = await client.get(bed.page_url(page), proxy=relay.url)
                    assert response.content == bed.page_body(page)

            assert list(bed.truth().connection_count.values()) == [1]

    async def test_closing_ends_what_is_under_way(self) -> None:
        """A connection that waits for a slow site is cut when the relay is closed, and closing twice does nothing."""
        async with (
            Testbed(World(proxies=1, networks=1)) as bed,
            relay_to(bed.proxy_lines[0]) as relay,
            browser_at(relay) as (reader, writer),
        ):
            writer.write(CONNECT.replace(b"shop.example:443", bed.site_url.rpartition("/")[2].encode()))
            await reader.readuntil(HEAD_END)
            writer.write(b"GET /slow?seconds=99 HTTP/1.1\r\nHost: a\r\n\r\n")

            await relay.close()
            await relay.close()

            assert await reader.read() == b""


class TestTunnels:
    """What a browser asks for with CONNECT."""

    async def test_every_byte_passes_as_it_is(self) -> None:
        """Behind the proxy's welcome, the browser and the site speak with each other, whatever they say."""
        said = random.Random(1).randbytes(3_000_000)

        async def serve(reader: Reader, writer: Writer) -> None:
            assert await reader.readuntil(HEAD_END) == with_login(CONNECT)
            writer.write(ESTABLISHED)
            while burst := await reader.read(65_536):
                writer.write(burst)
                await writer.drain()

        async with (
            listening(serve) as port,
            relay_to(f"http://user:pass@127.0.0.1:{port}") as relay,
            browser_at(relay) as (reader, writer),
        ):
            writer.write(CONNECT + said)
            writer.write_eof()

            assert await reader.read() == ESTABLISHED + said

    @pytest.mark.parametrize(
        "refusal",
        [
            b"HTTP/1.1 403 Not From Here\r\nContent-Type: text/html\r\nX: y\r\n\r\n<p>no</p>",
            b"HTTP/1.0 503 Busy\n\nno",
            b"SSH-2.0-OpenSSH\r\n",
            b"x" * 600_000,
        ],
        ids=["body", "bare-line-ends", "ssh", "endless"],
    )
    async def test_what_a_proxy_says_instead_passes_as_it_is(self, refusal: bytes) -> None:
        """Body and all, be it HTTP or not; it is the proxy's word on this request."""
        async with listening(saying(refusal)) as port, relay_to(f"http://user:pass@127.0.0.1:{port}") as relay:
            assert await ask(relay, CONNECT) == refusal
            assert relay.failure is None

    @pytest.mark.parametrize(
        ("behave", "failure"),
        [
            pytest.param(closing, Failure.PROXY_REFUSED, id="closing"),
            pytest.param(closing_at_once, Failure.PROXY_REFUSED, id="closing-at-once"),
            pytest.param(resetting(), Failure.PROXY_REFUSED, id="reset"),
            pytest.param(silent, Failure.PROXY_UNREACHABLE, id="silent"),
            pytest.param(blurting(b"HTTP/1.1 200"), Failure.PROXY_UNREACHABLE, id="stuck"),
        ],
    )
    async def test_a_proxy_without_a_word_is_no_tunnel(self, behave: Behaviour, failure: Failure) -> None:
        """The browser is told so, as it would take a connection that ends for the site's doing."""
        async with listening(behave) as port:
            proxy = parse_proxy(f"http://user:pass@127.0.0.1:{port}")
            async with await open_relay(proxy, handshake_seconds=0.2) as relay:
                assert await ask(relay, CONNECT) == NO_TUNNEL
                assert relay.failure is failure


class TestRequests:
    """What a browser asks for without a tunnel."""

    @pytest.mark.parametrize(
        "requests",
        [
            pytest.param([GET, GET, GET], id="no-bodies"),
            pytest.param([b"POST http://a/ HTTP/1.1\r\ncontent-length: 40\r\n\r\n" + GET[:40], GET], id="length"),
            pytest.param([b"POST http://a/ HTTP/1.1\r\nContent-Length:0\r\n\r\n", GET], id="length-of-none"),
            pytest.param([CHUNKED + b"2\r\nab\r\nA\r\n0123456789\r\n0\r\n\r\n", GET], id="chunked"),
            pytest.param([b"PUT http://a/ HTTP/1.1\r\nContent-Length: 200000\r\n\r\n" + bytes(200_000), GET], id="big"),
        ],
    )
    async def test_each_is_sent_with_the_login_and_else_as_it_is(self, requests: list[bytes]) -> None:
        """Names, order, case and blanks of headers are the browser's; what a body says is no request."""
        heard = bytearray()
        async with (
            listening(hearing(heard)) as port,
            relay_to(f"http://user:pass@127.0.0.1:{port}") as relay,
            browser_at(relay) as (reader, writer),
        ):
            writer.write(b"".join(requests))
            writer.write_eof()
            await reader.read()

        assert bytes(heard) == b"".join(map(with_login, requests))

    async def test_a_body_follows_once_the_site_wants_it(self) -> None:
        """A browser that waits for 100 is told, and then sends."""
        head = b"POST http://a/ HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"

        async def serve(reader: Reader, writer: Writer) -> None:
            await reader.readuntil(HEAD_END)
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + await reader.readexactly(2))

        async with (
            listening(serve) as port,
            relay_to(f"http://user:pass@127.0.0.1:{port}") as relay,
            browser_at(relay) as (reader, writer),
        ):
            writer.write(head)
            await reader.readuntil(HEAD_END)
            writer.write(b"hi")

            assert await reader.read() == b"HTTP/1.1 200 OK\r\n\r\nhi"

    async def test_what_follows_an_upgrade_is_no_request(self) -> None:
        """It passes as it is, whatever it is."""
        heard = bytearray()
        request = b"GET http://a/ HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        async with (
            listening(hearing(heard, b"HTTP/1.1 101 Switching\r\n\r\n")) as port,
            relay_to(f"http://user:pass@127.0.0.1:{port}") as relay,
            browser_at(relay) as (reader, writer),
        ):
            writer.write(request + b"\x81\x05hello\r\n\r\n")
            writer.write_eof()
            await reader.read()

        assert bytes(heard) == with_login(request) + b"\x81\x05hello\r\n\r\n"

    @pytest.mark.parametrize("behave", [None, closing_at_once, closing, cutting], ids=["gone", "at-once", "end", "cut"])
    async def test_no_answer_is_none(self, behave: Behaviour | None) -> None:
        """Where nothing comes, no answer is made up: the browser would take it for a page of the site."""
        async with (
            listening(behave or closing) as port,
            relay_to(f"http://user:pass@127.0.0.1:{port if behave else 1}") as relay,
        ):
            assert await ask(relay, GET) == b""
            assert relay.failure is (None if behave else Failure.PROXY_UNREACHABLE)

    @pytest.mark.parametrize(
        "odd",
        [
            pytest.param(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", id="to-the-relay-itself"),
            pytest.param(b"GET https://a/ HTTP/1.1\r\n\r\n", id="https"),
            pytest.param(b"GET http://a/ HTTP/1.0\r\n\r\n", id="old"),
            pytest.param(b"GET http://a/ b HTTP/1.1\r\n\r\n", id="blank"),
            pytest.param(b"GET http://a/\nHost: b HTTP/1.1\r\n\r\n", id="line-end-in-the-address"),
            pytest.param(b"\r\nGET http://a/ HTTP/1.1\r\n\r\n", id="empty-line"),
            pytest.param(b"GET http://a/ HTTP/1.1\r\nA: b\n c\r\n\r\n", id="bare-line-end"),
            pytest.param(b"GET http://a/ HTTP/1.1\r\nA: b\r\n c\r\n\r\n", id="folded"),
            pytest.param(b"GET http://a/ HTTP/1.1\r\nA : b\r\n\r\n", id="blank-in-a-name"),
            pytest.param(b"GET http://a/ HTTP/1.1\r\nContent-Length: -1\r\n\r\n", id="negative"),
            pytest.param(b"GET http://a/ HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n", id="list"),
            pytest.param(b"GET http://a/ HTTP/1.1\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\n", id="twice"),
            pytest.param(
                b"GET http://a/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", id="both"
            ),
            pytest.param(b"GET http://a/ HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", id="coded"),
            pytest.param(b"GET http://a/ HTTP/1.1\r\nProxy-Authorization: Basic YTpi\r\n\r\n", id="own-login"),
            pytest.param(b"GET http://a/ HTTP/1.1\r\nA: " + b"b" * 600_000, id="endless"),
            pytest.param(b"GET http://a/ HTTP/1.1\r\nA: b", id="cut"),
            pytest.param(b"\x05\x01\x00", id="socks"),
            pytest.param(b"", id="nothing"),
            *(pytest.param(random.Random(seed).randbytes(300), id=f"noise-{seed}") for seed in range(20)),
        ],
    )
    async def test_what_is_no_browser_never_reaches_the_proxy(self, odd: bytes) -> None:
        """What no browser says to a proxy is hung up on without a word, first or later, and the relay goes on."""
        heard = bytearray()
        async with listening(hearing(heard)) as port, relay_to(f"http://user:pass@127.0.0.1:{port}") as relay:
            for before in (b"", GET):
                heard.clear()
                async with browser_at(relay) as (reader, writer):
                    writer.write(before + odd)
                    writer.write_eof()

                    assert await read_what_comes(reader) == b""
                assert bytes(heard) == (with_login(before) if before else b"")

    @pytest.mark.parametrize(
        "chunks", [b"x\r\n", b"-1\r\n", b"2\r\nabc\r\n", b"1;a=b\r\nx\r\n", b"0\r\nA: b\r\n\r\n", b"5\r\na"]
    )
    async def test_a_body_that_is_odd_ends_the_connection(self, chunks: bytes) -> None:
        """Whatever would follow it might be read as a request."""
        heard = bytearray()
        async with (
            listening(hearing(heard)) as port,
            relay_to(f"http://user:pass@127.0.0.1:{port}") as relay,
            browser_at(relay) as (reader, writer),
        ):
            writer.write(CHUNKED + chunks + GET)
            writer.write_eof()

            assert await read_what_comes(reader) == b""
        assert heard.count(LOGIN) <= 1


@pytest.mark.parametrize("request_", [CONNECT, GET], ids=["tunnel", "request"])
async def test_a_browser_is_not_asked_for_another_login(request_: bytes) -> None:
    """It has none, and would ask its user in a window; what else the proxy says passes."""
    async with listening(saying(OTHER_LOGIN)) as port, relay_to(f"http://user:pass@127.0.0.1:{port}") as relay:
        assert await ask(relay, request_) == b"HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno"
        assert relay.failure is Failure.PROXY_REFUSED


@pytest.mark.parametrize("tls", [self_signed, expired, of_another_host])
async def test_a_proxy_whose_certificate_is_not_in_order_gets_no_login(tls: Context) -> None:
    """It could be anybody."""
    heard = bytearray()
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    async with (
        listening(over_tls(hearing(heard, ESTABLISHED), tls)) as port,
        relay_to(f"https://user:pass@127.0.0.1:{port}", tls=trust) as relay,
    ):
        assert await ask(relay, CONNECT) == NO_TUNNEL
        assert relay.failure is Failure.PROXY_REFUSED

    assert heard == b""


async def test_nothing_piles_up_before_who_does_not_read() -> None:
    """A proxy is not listened to faster than the browser listens."""
    pieces: list[int] = []

    async def flood(_: Reader, writer: Writer) -> None:
        writer.write(ESTABLISHED)
        while len(pieces) < 1_000:
            pieces.append(1)
            writer.write(bytes(100_000))
            await writer.drain()

    async with (
        listening(flood) as port,
        relay_to(f"http://user:pass@127.0.0.1:{port}") as relay,
        browser_at(relay) as (_, writer),
    ):
        writer.write(GET)
        for _ in range(3_000):
            await asyncio.sleep(0)

        assert 0 < len(pieces) < 500


@pytest.mark.parametrize("after", [CONNECT[:9], CONNECT, GET[:9], GET], ids=["cut", "tunnel", "cut-request", "request"])
async def test_a_browser_may_hang_up_at_any_time(after: bytes) -> None:
    """It leaves nothing behind, and the next one is served."""
    async with listening(saying(ESTABLISHED)) as port, relay_to(f"http://user:pass@127.0.0.1:{port}") as relay:
        async with browser_at(relay) as (_, writer):
            writer.write(after)

        assert await ask(relay, CONNECT) == ESTABLISHED


async def test_passwords_are_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    """Neither a relay nor what it logs nor its address nor what it answers has the password."""
    caplog.set_level(logging.DEBUG)
    async with Testbed(World(proxies=1, networks=1)) as bed:
        line = bed.proxy_lines[0].replace(":pass@", f":{SECRET}@")
        async with relay_to(line) as relay:
            answer = await ask(relay, CONNECT)

            assert answer.split()[1] == b"407"
            assert SECRET not in f"{relay!r} {relay.url} {answer!r} {caplog.text}"


async def test_the_login_is_sent_decoded_and_with_the_sessions_name() -> None:
    """What is quoted in a line is not in a login, and an empty password is one."""
    heard = bytearray()
    async with (
        listening(hearing(heard, ESTABLISHED)) as port,
        relay_to(f"http://user-%C3%A9-{{session}}:@127.0.0.1:{port}", "name") as relay,
        browser_at(relay) as (reader, writer),
    ):
        writer.write(CONNECT)
        await reader.readuntil(HEAD_END)

    assert b"\r\nProxy-Authorization: Basic dXNlci3DqS1uYW1lOg==\r\n\r\n" in heard


@pytest.mark.parametrize("line", ["http://127.0.0.1:{}", "http://user:pass@127.0.0.1:{}"], ids=["without", "with"])
async def test_a_proxy_without_a_login_is_sent_none(line: str) -> None:
    """A relay to it passes on everything as it is."""
    heard = bytearray()
    async with (
        listening(hearing(heard, ESTABLISHED)) as port,
        relay_to(line.format(port)) as relay,
        browser_at(relay) as (reader, writer),
    ):
        writer.write(CONNECT)
        await reader.readuntil(HEAD_END)

    assert bytes(heard) == (with_login(CONNECT) if "user" in line else CONNECT)


@pytest.mark.parametrize(
    ("line", "url"),
    [
        ("http://127.0.0.1:3128", "http://127.0.0.1:3128"),
        ("https://proxy.example:3128", "https://proxy.example:3128"),
        ("socks5h://127.0.0.1:1080", "socks5://127.0.0.1:1080"),
        ("http://user:pass@proxy.example:3128", "http://127.0.0.1:"),
        ("https://user:pass@proxy.example:3128", "http://127.0.0.1:"),
        ("socks5h://user:pass@proxy.example:1080", "socks5://127.0.0.1:"),
    ],
)
async def test_only_proxies_with_a_login_need_a_relay(line: str, url: str) -> None:
    """A browser is told the address of any other itself."""
    async with way_through(parse_proxy(line)) as told:
        assert told.rstrip("0123456789") == url.rstrip("0123456789")
        assert (told == url) == ("user" not in line)


async def test_a_proxy_counts_as_out_of_reach_while_it_has_not_answered() -> None:
    """A browser that loses patience before the relay does is told from one that has not even asked."""
    arrived = asyncio.Event()

    async def hang(reader: Reader, writer: Writer) -> None:
        arrived.set()
        await silent(reader, writer)

    async with (
        listening(hang) as port,
        relay_to(f"http://user:pass@127.0.0.1:{port}") as relay,
        browser_at(relay) as (_, writer),
    ):
        before = relay.failure
        writer.write(CONNECT)
        await arrived.wait()

        assert (before, relay.failure) == (None, Failure.PROXY_UNREACHABLE)
