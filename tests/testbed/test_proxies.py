"""The proxies over real sockets: HTTP, CONNECT and SOCKS5, and each way in which they fail."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import time
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
from curl_cffi.requests import AsyncSession, Response
from curl_cffi.requests.exceptions import ProxyError

from proxysieve.testbed import Kind, Testbed, World

PLAINTEXT = ssl.create_default_context()


async def fetch(bed: Testbed, proxy: str, path: str = "/page/7", timeout_seconds: float = 5) -> httpx.Response:
    """Fetch a path of the site through a proxy, over a new connection."""
    trust = ssl.create_default_context(cafile=bed.ca_path) if bed.ca_path else PLAINTEXT
    async with httpx.AsyncClient(proxy=proxy, verify=trust, timeout=timeout_seconds) as client:
        return await client.get(bed.site_url + path)


async def exchange(proxy: str, sent: bytes) -> bytes:
    """Send bytes to a proxy and return all that comes back until it closes."""
    parts = urlsplit(proxy)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(sent)
    received = await reader.read()
    writer.close()
    await writer.wait_closed()
    return received


async def test_each_proxy_has_an_exit_of_its_own() -> None:
    """The site sees another address behind each: where there are enough, the one that the proxy listens on."""
    async with Testbed(World(proxies=5)) as bed:
        seen = [(await fetch(bed, line, "/echo")).json()["address"] for line in bed.proxy_lines]

        addresses = [exit_.address for exit_ in bed.exits]
        assert seen == addresses
        assert bed.announces_exits or addresses == [urlsplit(line).hostname for line in bed.proxy_lines]


async def test_a_proxied_page_is_the_page() -> None:
    """Byte for byte; and the proxy keeps its own headers to itself."""
    async with Testbed(World(proxies=1)) as bed:
        page = await fetch(bed, bed.proxy_lines[0])
        echo = (await fetch(bed, bed.proxy_lines[0], "/echo")).json()

        assert page.content == bed.page_body(7)
        assert not [name for name, _ in echo["headers"] if name.lower().startswith("proxy-")]
        assert echo["target"] == "/echo"


async def test_connections_are_kept_alive_through_a_proxy() -> None:
    """Requests of one client connection share one connection to the site."""
    async with Testbed(World(proxies=1)) as bed:
        async with httpx.AsyncClient(proxy=bed.proxy_lines[0], verify=PLAINTEXT) as client:
            for _ in range(3):
                await client.get(bed.page_url(1))

        truth = bed.truth()
        assert [hit.connection for hit in truth.hits] == [1, 1, 1]
        assert list(truth.connection_count.values()) == [1]
        assert truth.tunnel_count == {}


async def test_one_client_connection_serves_several_sites() -> None:
    """The proxy goes where each request says."""
    world = World(proxies=1, credentials=False)
    async with Testbed(world) as bed, Testbed(World(proxies=1, seed=1)) as other:
        gateway = urlsplit(bed.proxy_lines[0])
        reader, writer = await asyncio.open_connection(gateway.hostname, gateway.port)
        for place in (bed, other, bed):
            writer.write(f"GET {place.page_url(7)} HTTP/1.1\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            page = await reader.readexactly(len(place.page_body(7)))
            assert page == place.page_body(7)
        writer.close()

        assert list(bed.truth().connection_count.values()) == [1]


@pytest.mark.parametrize(
    ("credentials", "status"), [("", 407), ("user:wrong@", 407), ("other:pass@", 407), ("user:pass@", 200)]
)
async def test_credentials_are_asked_for(credentials: str, status: int) -> None:
    """A 407 says how to log in, and is counted."""
    async with Testbed(World(proxies=1)) as bed:
        response = await fetch(bed, f"http://{credentials}{bed.proxy_lines[0].partition('@')[2]}")

        assert response.status_code == status
        if status == 407:
            assert response.headers["proxy-authenticate"].startswith("Basic")
            assert bed.truth().proxy_answers == {407: 1}
            assert bed.truth().hits == []


async def test_a_world_without_credentials_needs_none() -> None:
    """Then the lines have none."""
    async with Testbed(World(proxies=1, credentials=False)) as bed:
        assert "@" not in bed.proxy_lines[0]
        assert (await fetch(bed, bed.proxy_lines[0])).status_code == 200


@pytest.mark.parametrize(("kind", "status"), [("demanding", 407), ("failing", 502)])
@pytest.mark.parametrize("https", [False, True])
async def test_proxies_that_answer_themselves(kind: str, status: int, *, https: bool) -> None:
    """To requests and CONNECTs alike; the site never hears of it."""
    async with Testbed(World(proxies=1, demanding=kind == "demanding", failing=kind == "failing", https=https)) as bed:
        if https:
            with pytest.raises(httpx.ProxyError, match=str(status)):
                await fetch(bed, bed.proxy_lines[0])
        else:
            assert (await fetch(bed, bed.proxy_lines[0])).status_code == status

        assert bed.truth().proxy_answers == {status: 1}
        assert bed.truth().hits == []
        assert bed.truth().tunnel_count == {}


async def test_a_refusing_proxy_refuses() -> None:
    """Nothing listens on its port."""
    async with Testbed(World(proxies=1, refusing=1)) as bed:
        with pytest.raises(httpx.ConnectError):
            await fetch(bed, bed.proxy_lines[0])


async def test_a_hanging_proxy_never_answers() -> None:
    """It accepts the connection, and that is all."""
    async with Testbed(World(proxies=1, hanging=1)) as bed:
        with pytest.raises(httpx.ReadTimeout):
            await fetch(bed, bed.proxy_lines[0], timeout_seconds=0.05)

        assert list(bed.truth().connection_count.values()) == [1]
        assert bed.truth().hits == []


@pytest.mark.parametrize("https", [False, True])
async def test_a_slow_proxy_takes_its_time_and_answers(*, https: bool) -> None:
    """Once for a request; in a tunnel for each burst too."""
    async with Testbed(World(proxies=1, slow=1, slow_seconds=0.03, https=https)) as bed:
        began_at = time.monotonic()

        response = await fetch(bed, bed.proxy_lines[0])

        assert response.content == bed.page_body(7)
        assert time.monotonic() - began_at >= (0.09 if https else 0.03)


async def test_tls_goes_through_a_tunnel() -> None:
    """The certificate is vouched for by the testbed's authority, and the tunnel is counted."""
    async with Testbed(World(proxies=1, https=True)) as bed:
        response = await fetch(bed, bed.proxy_lines[0])

        assert bed.site_url.startswith("https://localhost:")
        assert response.content == bed.page_body(7)
        assert list(bed.truth().tunnel_count.values()) == [1]


async def test_a_tunnel_carries_more_than_fits_into_buffers() -> None:
    """Nothing is lost under back-pressure."""
    async with Testbed(World(proxies=1, https=True)) as bed:
        response = await fetch(bed, bed.proxy_lines[0], "/big?bytes=5000000&chunked=1")

        assert len(response.content) == 5_000_000


@pytest.mark.parametrize("https", [False, True])
async def test_a_reset_of_the_site_breaks_the_clients_connection(*, https: bool) -> None:
    """The proxy passes it on."""
    async with Testbed(World(proxies=1, https=https)) as bed:
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await fetch(bed, bed.proxy_lines[0], "/reset")


@pytest.mark.parametrize("target", ["127.0.0.1:1", "example.com:80", "127.0.0.1:99999", "127.0.0.1"])
async def test_proxies_lead_nowhere_but_to_loopback(target: str) -> None:
    """What is elsewhere, or where nothing listens, is a 502."""
    async with Testbed(World(proxies=1, credentials=False)) as bed:
        received = await exchange(bed.proxy_lines[0], f"CONNECT {target} HTTP/1.1\r\n\r\n".encode())

        assert received.startswith(b"HTTP/1.1 502 ")
        assert bed.truth().proxy_answers == {502: 1}


@pytest.mark.parametrize("garbage", [b"\x00\x01\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET x\r\n\r\n"])
async def test_garbage_is_refused_and_the_proxy_goes_on(garbage: bytes) -> None:
    """A path without a site is garbage to a proxy."""
    async with Testbed(World(proxies=1, credentials=False)) as bed:
        assert (await exchange(bed.proxy_lines[0], garbage)).startswith(b"HTTP/1.1 400 ")
        assert (await fetch(bed, bed.proxy_lines[0])).status_code == 200


async def test_a_provider_gives_every_name_an_exit_that_sticks() -> None:
    """There is one line with a place for the name; names differ in exits, and keep them."""
    async with Testbed(World(proxies=50, provider_names=True)) as bed:
        (line,) = bed.proxy_lines
        names = [f"name{number}" for number in range(12)] * 2

        seen = [(await fetch(bed, line.format(session=n), "/echo")).json()["address"] for n in names]

        assert seen[:12] == seen[12:]
        assert 6 < len(set(seen)) <= 12
        assert set(seen) <= {exit_.address for exit_ in bed.exits}


@pytest.mark.parametrize("session", ["", "a-b", "a b", "x" * 51])
async def test_a_provider_refuses_illegal_names(session: str) -> None:
    """With a 407, as it does a user without a name."""
    async with Testbed(World(proxies=5, provider_names=True)) as bed:
        line = bed.proxy_lines[0]

        assert (await fetch(bed, line.format(session=session))).status_code == 407
        assert (await fetch(bed, line.replace("-session-{session}", ""))).status_code == 407


@pytest.mark.parametrize(("kind", "status"), [("failing", 502), ("refusing", 502), ("demanding", 407)])
async def test_a_providers_exits_fail_behind_its_gateway(kind: Kind, status: int) -> None:
    """The gateway itself listens, and answers for the exit."""
    async with Testbed(msgspec.structs.replace(World(proxies=1, provider_names=True), **{kind: 1})) as bed:
        assert (await fetch(bed, bed.proxy_lines[0].format(session="a"))).status_code == status


async def test_a_providers_hanging_exit_hangs() -> None:
    """The gateway accepts, and never answers."""
    async with Testbed(World(proxies=1, provider_names=True, hanging=1)) as bed:
        with pytest.raises(httpx.ReadTimeout):
            await fetch(bed, bed.proxy_lines[0].format(session="a"), timeout_seconds=0.05)


@pytest.mark.parametrize("credentials", [False, True])
@pytest.mark.parametrize("https", [False, True])
async def test_socks5_on_the_same_port(*, credentials: bool, https: bool) -> None:
    """With and without a login; the host may be a name or an address."""
    async with Testbed(World(proxies=1, credentials=credentials, https=https)) as bed:
        trust = str(bed.ca_path) if https else None
        async with AsyncSession[Response]() as client:
            for scheme in ("socks5://", "socks5h://"):
                proxy = bed.socks5_lines[0].replace("socks5://", scheme)
                response = await client.get(bed.page_url(7), proxy=proxy, verify=trust)
                assert response.content == bed.page_body(7)

        assert [hit.exit for hit in bed.truth().hits] == [bed.exits[0].address] * 2
        assert sum(bed.truth().tunnel_count.values()) == 2


@pytest.mark.parametrize(
    ("kind", "login", "status"),
    [
        ("plain", "user:wrong@", 407),
        ("plain", "", 407),
        ("demanding", "user:pass@", 407),
        ("failing", "user:pass@", 502),
    ],
)
async def test_socks5_refuses_as_http_does(kind: str, login: str, status: int) -> None:
    """The client's error is another, the count is the same."""
    world = World(proxies=1, demanding=kind == "demanding", failing=kind == "failing")
    async with Testbed(world) as bed, AsyncSession[Response]() as client:
        proxy = f"socks5://{login}{bed.socks5_lines[0].partition('@')[2]}"
        with pytest.raises(ProxyError):
            await client.get(bed.page_url(7), proxy=proxy)

        assert bed.truth().proxy_answers == {status: 1}


async def test_socks5_gives_a_providers_names_their_exits() -> None:
    """The same as HTTP does."""
    async with Testbed(World(proxies=50, provider_names=True)) as bed, AsyncSession[Response]() as client:
        by_http = (await fetch(bed, bed.proxy_lines[0].format(session="a"), "/echo")).json()
        by_socks = await client.get(f"{bed.site_url}/echo", proxy=bed.socks5_lines[0].format(session="a"))

        assert json.loads(by_socks.content)["address"] == by_http["address"]


@pytest.mark.parametrize(
    "request_", [b"\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50", b"\x05\x01\x00\x04" + bytes(18), b"\x05\x01\x00\x09"]
)
async def test_socks5_leads_nowhere_but_to_loopback(request_: bytes) -> None:
    """Other commands, addresses and kinds of address are a general failure."""
    async with Testbed(World(proxies=1, credentials=False)) as bed:
        received = await exchange(bed.proxy_lines[0], b"\x05\x01\x00" + request_)

    assert received[:4] == b"\x05\x00\x05\x01"


async def test_a_login_of_another_scheme_is_no_login() -> None:
    """Nor is one that is not Base64."""
    async with Testbed(World(proxies=1)) as bed:
        for login in ("Digest abc", "Basic ???", "Basic " + base64.b64encode(b"\xff\xfe").decode()):
            head = f"GET {bed.site_url}/ HTTP/1.1\r\nProxy-Authorization: {login}\r\n\r\n"
            assert (await exchange(bed.proxy_lines[0], head.encode())).startswith(b"HTTP/1.1 407 ")


@pytest.mark.parametrize("announce", [False, True])
async def test_proxies_may_speak_tls(*, announce: bool) -> None:
    """To those who begin with it, at the same port as all else, wherever they listen."""
    async with Testbed(World(proxies=2, https_proxies=True), announce=announce) as bed:
        trust = ssl.create_default_context(cafile=bed.ca_path)
        proxies: list[str | httpx.Proxy] = [
            bed.proxy_lines[0],
            httpx.Proxy(bed.https_lines[1], ssl_context=trust),
        ]
        for proxy in proxies:
            async with httpx.AsyncClient(proxy=proxy) as client:
                assert (await client.get(bed.page_url(1))).content == bed.page_body(1)

        assert [hit.exit for hit in bed.truth().hits] == [exit_.address for exit_ in bed.exits]
