"""The site over HTTP/2, and what it sees of a client's opening."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from hyperframe.frame import Frame, HeadersFrame, PriorityFrame, SettingsFrame, WindowUpdateFrame

from proxysieve.testbed import Testbed, World
from proxysieve.testbed.http2 import Opening

WORLD = World(proxies=1, networks=1, https=True)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS = tuple((name, "") for name in (":method", ":path", ":authority", ":scheme"))


@contextlib.asynccontextmanager
async def visitor(bed: Testbed) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client that offers HTTP/2."""
    trust = ssl.create_default_context(cafile=bed.ca_path)
    async with httpx.AsyncClient(http2=True, verify=trust, base_url=bed.site_url, timeout=5) as client:
        yield client


def opening(*frames: Frame) -> Opening:
    """What is made of *frames*, which arrive byte by byte."""
    seen = Opening()
    for byte in PREFACE + b"".join(frame.serialize() for frame in frames):
        seen.feed(bytes((byte,)))
    return seen


async def test_pages_are_the_same_as_by_http_1() -> None:
    """Body, status and type, and how long it is."""
    async with Testbed(WORLD) as bed, visitor(bed) as client:
        page, missing = await client.get("/page/7"), await client.get("/nowhere")

        assert page.http_version == "HTTP/2"
        assert page.content == bed.page_body(7)
        assert page.headers["content-length"] == str(len(page.content))
        assert missing.status_code == 404


async def test_large_bodies_wait_for_the_client() -> None:
    """More is sent as the client takes it, streamed or not."""
    async with Testbed(WORLD) as bed, visitor(bed) as client:
        streamed, whole = await client.get("/big?bytes=3000000&chunked=1"), await client.get("/big?bytes=3000000")

        assert [len(response.content) for response in (streamed, whole)] == [3_000_000, 3_000_000]
        assert "content-length" not in streamed.headers


async def test_requests_share_a_connection() -> None:
    """A slow answer holds up no other."""
    async with Testbed(WORLD) as bed, visitor(bed) as client:
        await client.get("/page/0")
        slow = asyncio.create_task(client.get("/slow?seconds=60"))
        await asyncio.gather(*(client.get(f"/page/{number}") for number in range(20)))
        slow.cancel()

        hits = bed.truth().hits
        assert len({hit.connection for hit in hits}) == 1
        assert not slow.done() or slow.cancelled()


async def test_bodies_and_methods_arrive() -> None:
    """What is posted is read, and HEAD gets no body."""
    async with Testbed(WORLD) as bed, visitor(bed) as client:
        posted = (await client.post("/echo", content=b"x" * 200_000)).json()
        head = await client.head("/page/1")

        assert (posted["method"], len(posted["body"])) == ("POST", 200_000)
        assert (head.content, head.headers["content-length"]) == (b"", str(len(bed.page_body(1))))


async def test_a_body_that_is_too_large_is_refused() -> None:
    """The stream is reset, and others go on."""
    async with Testbed(WORLD) as bed, visitor(bed) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/echo", content=b"x" * 10_000_001)

        assert (await client.get("/page/1")).status_code == 200


async def test_a_reset_ends_the_connection() -> None:
    """As it does without HTTP/2."""
    async with Testbed(WORLD) as bed, visitor(bed) as client:
        with pytest.raises(httpx.TransportError):
            await client.get("/reset")


async def test_cookies_may_come_one_by_one() -> None:
    """HTTP/2 lets a client split them."""
    async with Testbed(WORLD) as bed, visitor(bed) as client:
        response = await client.get("/cookie", headers=[("cookie", "one=1"), ("cookie", "two=2")])

        assert response.json() == {"received": "one=1; two=2"}


async def test_who_breaks_off_or_speaks_nonsense_harms_nobody() -> None:
    """The site goes on serving others."""
    async with Testbed(WORLD) as bed:
        context = ssl.create_default_context(cafile=bed.ca_path)
        context.set_alpn_protocols(["h2"])
        host, port = urlsplit(bed.site_url).hostname, urlsplit(bed.site_url).port
        for sent in (b"", PREFACE, PREFACE + b"\xff" * 20, b"nonsense" * 4):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
            writer.write(sent)
            await writer.drain()
            writer.transport.abort()

        async with visitor(bed) as client:
            assert (await client.get("/page/1")).status_code == 200


async def test_clients_without_alpn_are_served_by_http_1() -> None:
    """HTTP/2 is for those who offer it."""
    async with Testbed(WORLD) as bed:
        trust = ssl.create_default_context(cafile=bed.ca_path)
        async with httpx.AsyncClient(verify=trust) as client:
            seen = (await client.get(f"{bed.site_url}/fingerprint")).json()

    assert (seen["protocol"], seen["http2"]) == ("HTTP/1.1", "")
    assert seen["ja4"].startswith("t13d")


def test_the_fingerprint_has_four_parts() -> None:
    """Settings in their order, the window, the priorities, and the order of pseudo-headers."""
    seen = opening(
        SettingsFrame(settings={4: 131_072, 1: 65_536, 90: 7}),
        WindowUpdateFrame(0, window_increment=12_517_377),
        PriorityFrame(3, depends_on=0, stream_weight=200, exclusive=False),
        PriorityFrame(9, depends_on=7, stream_weight=0, exclusive=True),
        HeadersFrame(15, flags=["PRIORITY"], depends_on=13, stream_weight=41, exclusive=False),
    )

    assert seen.fingerprint(HEADERS) == "4:131072;1:65536;90:7|12517377|3:0:0:201,9:1:7:1|m,p,a,s"
    assert seen.priority == "15:0:13:42"


def test_what_is_not_sent_is_told_as_such() -> None:
    """No settings, 00 for the window, 0 for priorities."""
    seen = opening(SettingsFrame(), HeadersFrame(1))

    assert (seen.fingerprint(HEADERS), seen.priority) == ("|00|0|m,p,a,s", "")


def test_what_comes_after_the_first_request_says_nothing_more() -> None:
    """Acknowledgements, windows of streams and all later frames are passed over."""
    seen = opening(
        SettingsFrame(settings={2: 0}),
        SettingsFrame(flags=["ACK"]),
        WindowUpdateFrame(5, window_increment=1),
        HeadersFrame(1, flags=["PADDED", "PRIORITY"], pad_length=3, stream_weight=255, exclusive=True),
        WindowUpdateFrame(0, window_increment=2),
        PriorityFrame(3, stream_weight=1),
    )

    assert (seen.fingerprint(HEADERS), seen.priority) == ("2:0|00|0|m,p,a,s", "1:1:0:256")


def test_a_real_client_is_read() -> None:
    """The opening of the library that the site itself is made with."""
    client = H2Connection(H2Configuration(client_side=True))
    client.initiate_connection()
    client.send_headers(1, [(":method", "GET"), (":path", "/"), (":scheme", "https"), (":authority", "a")])
    seen = Opening()
    seen.feed(client.data_to_send())

    assert seen.fingerprint((("x", ""), (":method", ""), (":path", ""))).endswith("|00|0|m,p")
    assert seen.fingerprint(()).startswith("1:4096;")
