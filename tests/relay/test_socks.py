"""The relay to SOCKS5 proxies with a login: what passes, what is refused, and what is left afterwards."""

from __future__ import annotations

import asyncio
import logging
import random
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer

import pytest
from tests.clients.rude_servers import Behaviour, closing_at_once, cutting, listening, silent
from tests.relay.ends import browser_at, read_what_comes, relay_to

import proxysieve.relay.local_peers
from proxysieve import ConfigError
from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.core.model import Failure
from proxysieve.relay import Relay, open_relay
from proxysieve.testbed import Testbed, World

GREETING = b"\x05\x01\x00"
AGREED = b"\x05\x00"
TO_A_NAME = b"\x05\x01\x00\x03\x0cshop.example\x01\xbb"
TO_IPV6 = b"\x05\x01\x00\x04" + bytes(range(16)) + b"\x01\xbb"
SECRET = "s3cr3t-Passw0rd"
GENERAL_FAILURE = b"\x05\x01\x00\x01" + bytes(6)
NOT_ALLOWED = b"\x05\x02\x00\x01" + bytes(6)


async def ask(relay: Relay, request: bytes = TO_A_NAME) -> bytes:
    """What a browser reads up to the end that asks for *request*."""
    async with browser_at(relay) as (reader, writer):
        writer.write(GREETING)
        assert await reader.readexactly(2) == AGREED
        writer.write(request)
        return await reader.read()


def proxy_with_login(behave: Behaviour, login: bytes = b"\x01\x04user\x04pass") -> Behaviour:
    """A SOCKS5 proxy that takes one login, and then is *behave*."""

    async def serve(reader: Reader, writer: Writer) -> None:
        assert await reader.readexactly(4) == b"\x05\x02\x00\x02"
        writer.write(b"\x05\x02")
        assert await reader.readexactly(len(login)) == login
        writer.write(b"\x01\x00")
        await behave(reader, writer)

    return serve


def answering(answer: bytes, takes: int = 0) -> Behaviour:
    """What says *answer* to the first bytes, and hangs up."""

    async def serve(reader: Reader, writer: Writer) -> None:
        await (reader.readexactly(takes) if takes else reader.read(1))
        writer.write(answer)

    return serve


async def echo(reader: Reader, writer: Writer) -> None:
    """Says what it is told, and ends with it."""
    while burst := await reader.read(65_536):
        writer.write(burst)
        await writer.drain()


async def echo_later(reader: Reader, writer: Writer) -> None:
    """Says what it was told once nothing more will come."""
    writer.write(await reader.read())


class TestAgainstTheTestbed:
    """Real proxies, which ask for a login."""

    @pytest.mark.parametrize(
        ("world", "reply", "failure"),
        [
            pytest.param(World(proxies=1, networks=1, demanding=1), NOT_ALLOWED, "PROXY_REFUSED", id="wrong-login"),
            pytest.param(World(proxies=1, networks=1, refusing=1), GENERAL_FAILURE, "PROXY_UNREACHABLE", id="refusing"),
            pytest.param(World(proxies=1, networks=1, failing=1), GENERAL_FAILURE, None, id="its-own-reply"),
        ],
    )
    async def test_what_goes_wrong_is_a_reply_to_the_request(
        self, world: World, reply: bytes, failure: str | None
    ) -> None:
        """A browser is told in the only words that it understands; the relay knows how far it came."""
        async with Testbed(world) as bed, relay_to(bed.socks5_lines[0]) as relay:
            assert await ask(relay) == reply
            assert relay.failure == (failure and Failure[failure])

    async def test_a_silent_proxy_is_given_up(self) -> None:
        """One that accepts connections and never answers counts as out of reach."""
        async with Testbed(World(proxies=1, networks=1, hanging=1)) as bed:
            proxy = parse_proxy(bed.socks5_lines[0])
            async with await open_relay(proxy, handshake_seconds=0.1) as relay:
                assert await ask(relay) == GENERAL_FAILURE
                assert relay.failure is Failure.PROXY_UNREACHABLE

    async def test_closing_ends_what_is_under_way(self) -> None:
        """A connection that waits for a slow site is cut when the relay is closed, and closing twice does nothing."""
        async with Testbed(World(proxies=1, networks=1)) as bed, relay_to(bed.socks5_lines[0]) as relay:
            host, _, port = bed.site_url.rpartition("/")[2].partition(":")
            async with browser_at(relay) as (reader, writer):
                writer.write(GREETING + b"\x05\x01\x00\x03" + bytes((len(host),)) + host.encode())
                writer.write(int(port).to_bytes(2) + b"GET /slow?seconds=99 HTTP/1.1\r\nHost: a\r\n\r\n")
                await reader.readexactly(12)

                await relay.close()
                await relay.close()

                assert await reader.read() == b""


@pytest.mark.parametrize("request_", [TO_A_NAME, TO_IPV6, b"\x05\x09\x07\xff anything at all"], ids=range(3))
async def test_every_byte_passes_as_it_is(request_: bytes) -> None:
    """Behind the login, the browser and the proxy speak with each other, whatever they say."""
    said = request_ + random.Random(1).randbytes(3_000_000)
    async with (
        listening(proxy_with_login(echo)) as port,
        relay_to(f"socks5://user:pass@127.0.0.1:{port}") as relay,
        browser_at(relay) as (reader, writer),
    ):
        writer.write(GREETING + said)
        writer.write_eof()

        assert await reader.read() == AGREED + said


async def test_a_side_that_is_done_can_still_listen() -> None:
    """The end of what one side says is passed on by itself."""
    async with (
        listening(proxy_with_login(echo_later)) as port,
        relay_to(f"socks5://user:pass@127.0.0.1:{port}") as relay,
        browser_at(relay) as (reader, writer),
    ):
        writer.write(GREETING + b"all")
        writer.write_eof()

        assert await reader.read() == AGREED + b"all"


async def test_last_words_reach_who_reads_slowly() -> None:
    """What a proxy says before it hangs up is delivered, however much of it was still on its way."""
    said = random.Random(1).randbytes(8_000_000)
    async with (
        listening(proxy_with_login(answering(said, takes=2))) as port,
        relay_to(f"socks5://user:pass@127.0.0.1:{port}") as relay,
        browser_at(relay) as (reader, writer),
    ):
        writer.write(GREETING + b"go")
        writer.write_eof()

        heard = bytearray()
        while piece := await reader.read(30_000):
            heard += piece
            await asyncio.sleep(0)

        assert heard == AGREED + said


async def test_nothing_piles_up_before_who_does_not_read() -> None:
    """A proxy is not listened to faster than the browser listens."""
    pieces: list[int] = []

    async def flood(_: Reader, writer: Writer) -> None:
        while len(pieces) < 1_000:
            pieces.append(1)
            writer.write(bytes(100_000))
            await writer.drain()

    async with (
        listening(proxy_with_login(flood)) as port,
        relay_to(f"socks5://user:pass@127.0.0.1:{port}") as relay,
        browser_at(relay) as (_, writer),
    ):
        writer.write(GREETING)
        for _ in range(3_000):
            await asyncio.sleep(0)

        assert 0 < len(pieces) < 500


async def test_a_side_that_never_ends_is_not_listened_to_for_ever() -> None:
    """Some time after the browser has gone the proxy's side is cut, though the proxy has not noticed."""

    async def deaf(_: Reader, __: Writer) -> None:
        await asyncio.Event().wait()

    async with listening(proxy_with_login(deaf)) as port:
        proxy = parse_proxy(f"socks5://user:pass@127.0.0.1:{port}")
        async with await open_relay(proxy, linger_seconds=0.0) as relay, browser_at(relay) as (reader, writer):
            writer.write(GREETING)
            assert await reader.readexactly(2) == AGREED
            writer.write_eof()

            assert await reader.read() == b""


@pytest.mark.parametrize(
    ("behave", "code", "failure"),
    [
        pytest.param(answering(b"\x05\xff"), 2, Failure.PROXY_REFUSED, id="no-method"),
        pytest.param(answering(b"\x05\x01"), 2, Failure.PROXY_REFUSED, id="gssapi"),
        pytest.param(answering(b"\x04\x5b"), 2, Failure.PROXY_REFUSED, id="socks4"),
        pytest.param(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"), 2, Failure.PROXY_REFUSED, id="http"),
        pytest.param(answering(b"\x05"), 2, Failure.PROXY_REFUSED, id="cut"),
        pytest.param(answering(b"\x05\x02\x01\x01"), 2, Failure.PROXY_REFUSED, id="login-refused"),
        pytest.param(answering(b"\x05\x02\x01"), 2, Failure.PROXY_REFUSED, id="cut-in-the-login"),
        pytest.param(closing_at_once, 2, Failure.PROXY_REFUSED, id="closing"),
        pytest.param(cutting, 2, Failure.PROXY_REFUSED, id="reset"),
    ],
)
async def test_a_proxy_that_does_not_let_in_is_refused_to_the_browser(
    behave: Behaviour, code: int, failure: Failure
) -> None:
    """Whatever a proxy says instead of a welcome becomes one reply, which a browser understands."""
    async with listening(behave) as port, relay_to(f"socks5://user:pass@127.0.0.1:{port}") as relay:
        assert await ask(relay) == bytes((5, code, 0, 1)) + bytes(6)
        assert relay.failure is failure


@pytest.mark.parametrize("line", ["socks5://127.0.0.1:{}", "socks5h://user:pass@127.0.0.1:{}"], ids=["no-login", "one"])
async def test_a_proxy_that_wants_no_login_gets_none(line: str) -> None:
    """A proxy may let in without a login, also those who have one."""

    async def serve(reader: Reader, writer: Writer) -> None:
        _, count = await reader.readexactly(2)
        assert 0 in await reader.readexactly(count)
        writer.write(b"\x05\x00")
        await echo(reader, writer)

    async with (
        listening(serve) as port,
        relay_to(line.format(port)) as relay,
        browser_at(relay) as (reader, writer),
    ):
        writer.write(GREETING + b"hello")
        writer.write_eof()

        assert await reader.read() == AGREED + b"hello"


async def test_the_login_is_sent_decoded_and_with_the_sessions_name() -> None:
    """What is quoted in a line is not in a login, and an empty password is one."""
    login = b"\x01\x0cuser-\xc3\xa9-name\x00"
    async with (
        listening(proxy_with_login(answering(b"in", takes=2), login)) as port,
        relay_to(f"socks5://user-%C3%A9-{{session}}:@127.0.0.1:{port}", "name") as relay,
    ):
        assert await ask(relay, b"go") == b"in"


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x05", id="cut"),
        pytest.param(b"\x05\x03\x00", id="cut-in-the-methods"),
        pytest.param(b"\x05\x00", id="no-methods"),
        pytest.param(b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00", id="socks4"),
        pytest.param(b"CONNECT shop.example:443 HTTP/1.1\r\n\r\n", id="http"),
        *(pytest.param(random.Random(seed).randbytes(300), id=f"noise-{seed}") for seed in range(20)),
    ],
)
async def test_what_is_no_browser_never_reaches_the_proxy(said: bytes) -> None:
    """A hostile or broken client is hung up on, and the relay goes on."""
    arrivals: list[object] = []

    async def note(reader: Reader, writer: Writer) -> None:
        arrivals.append(await reader.read(1))
        writer.write(b"\x05\xff")

    async with listening(note) as port, relay_to(f"socks5://user:pass@127.0.0.1:{port}") as relay:
        async with browser_at(relay) as (reader, writer):
            writer.write(said)
            writer.write_eof()
            with_answer = await read_what_comes(reader)

        assert with_answer in {b"", b"\x05\xff"}
        assert arrivals == []
        assert await ask(relay) == NOT_ALLOWED


async def test_a_client_that_only_logs_in_is_told_so() -> None:
    """Who does not offer to come without a login learns that there is no other way."""
    async with relay_to("socks5://user:pass@127.0.0.1:1") as relay, browser_at(relay) as (reader, writer):
        writer.write(b"\x05\x01\x02")

        assert await reader.read() == b"\x05\xff"


@pytest.mark.parametrize("after", [b"\x05", GREETING, GREETING + TO_A_NAME], ids=["greeting", "request", "reply"])
async def test_a_browser_may_hang_up_in_the_handshake(after: bytes) -> None:
    """It leaves nothing behind, and the next one is served."""
    async with (
        listening(proxy_with_login(answering(b"in", takes=2))) as port,
        relay_to(f"socks5://user:pass@127.0.0.1:{port}") as relay,
    ):
        async with browser_at(relay) as (_, writer):
            writer.write(after)

        assert await ask(relay, b"go") == b"in"


async def test_a_relay_that_is_closed_while_the_proxy_is_greeted_lets_go_of_both() -> None:
    """Closing does not wait for a proxy that has not answered yet."""
    arrived = asyncio.Event()

    async def hang(reader: Reader, writer: Writer) -> None:
        arrived.set()
        await silent(reader, writer)

    async with (
        listening(hang) as port,
        relay_to(f"socks5://user:pass@127.0.0.1:{port}") as relay,
        browser_at(relay) as (reader, writer),
    ):
        writer.write(GREETING)
        await arrived.wait()

        await relay.close()

        assert await read_what_comes(reader) == b""


async def test_where_the_kernel_tells_nothing_nobody_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel without inet_diag says of each socket that there is none, and so it would of the browser's."""
    monkeypatch.setattr(proxysieve.relay.local_peers, "SOCK_DIAG_BY_FAMILY", 255)
    async with relay_to(f"socks5://user:{SECRET}@127.0.0.1:1") as relay, browser_at(relay) as (reader, writer):
        writer.write(GREETING)

        assert await reader.readexactly(2) == b"\5\0"


async def test_passwords_are_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    """Neither a relay nor what it logs nor its address has the password."""
    caplog.set_level(logging.DEBUG)
    async with Testbed(World(proxies=1, networks=1)) as bed:
        line = bed.socks5_lines[0].replace(":pass@", f":{SECRET}@")
        async with relay_to(line) as relay:
            assert await ask(relay) == NOT_ALLOWED

            assert SECRET not in f"{relay!r} {relay.url} {caplog.text}"


async def test_a_login_that_is_too_long_is_refused() -> None:
    """A login by SOCKS5 has its limits; the message keeps the password to itself."""
    with pytest.raises(ConfigError) as caught:
        await open_relay(parse_proxy(f"socks5://u:{SECRET * 20}@127.0.0.1:1"))

    assert SECRET not in str(caught.value)
