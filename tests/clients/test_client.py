"""The built-in client: what it shows to the site, and what it brings back."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme
from curl_cffi import Curl, CurlECode, CurlError, CurlOpt
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.clients.rude_servers import gzip_bomb, listening, packed, saying

from proxysieve.clients.connections import SAFEGUARD_SECONDS, Connections, Multi
from proxysieve.clients.curl import CurlClient, Walk
from proxysieve.clients.curl_handles import Handles
from proxysieve.clients.protocol import MOST_AT_ONCE, Request, Response
from proxysieve.core.fingerprints.available import FINGERPRINTS
from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.core.model import Failure
from proxysieve.core.records import SessionRecord
from proxysieve.core.urls.parsing import as_sent
from proxysieve.core.verdicts.failures import SendFailed, failure_of
from proxysieve.errors import ConfigError
from proxysieve.fetch.urls import check_url
from proxysieve.sessions.clients import Clients
from proxysieve.sessions.jar import Jar
from proxysieve.sessions.session import Session
from proxysieve.testbed import Testbed, World

BY_TARGET = {fingerprint.impersonate: fingerprint for fingerprint in FINGERPRINTS}


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    """Where the clients of a test's sessions live."""
    clients = Clients(10)
    yield clients
    await clients.close()


def session_on(line: str, clients: Clients, fingerprint: Fingerprint = FINGERPRINTS[0]) -> Session:
    proxy = parse_proxy(line)
    record = SessionRecord(name="visitor", proxy_key=proxy.key, exit_name="", fingerprint=fingerprint, opened_at=0)
    return Session(record, "site.example", proxy, clients)


async def failure(request: Request, session: Session) -> Failure | None:
    with pytest.raises(SendFailed) as caught:
        await CurlClient().send(request, session)
    return failure_of(caught.value)


def client_of(bed: Testbed) -> CurlClient:
    return CurlClient(ca_path=str(bed.ca_path) if bed.ca_path else None)


def echoed(response: Response) -> dict[str, str]:
    seen: dict[str, Any] = msgspec.json.decode(response.body)
    return {name.lower(): value for name, value in seen["headers"]}


@pytest.mark.parametrize("https", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("target", BY_TARGET)
async def test_the_site_sees_the_identity_and_nothing_else(target: str, *, https: bool, clients: Clients) -> None:
    """User agent, languages and client hints on the wire are the identity's, without an offer of h2c."""
    fingerprint = BY_TARGET[target]
    async with Testbed(World(proxies=1, networks=1, https=https)) as bed:
        session = session_on(bed.proxy_lines[0], clients, fingerprint)

        response = await client_of(bed).send(Request(url=f"{bed.site_url}/echo"), session)

    headers = echoed(response)
    hints = {name: value for name, value in headers.items() if name.startswith("sec-ch-ua")}
    assert headers["user-agent"] == fingerprint.user_agent
    assert headers["accept-language"] == fingerprint.accept_language
    assert hints == dict(fingerprint.client_hints)
    assert "h2c" not in headers.get("upgrade", "")
    assert not [name for name in headers if name.startswith("proxy-")]


async def test_own_headers_come_on_top(clients: Clients) -> None:
    """Headers of the request are sent beside those of the identity."""
    async with Testbed(World(proxies=1, networks=1)) as bed:
        request = Request(url=f"{bed.site_url}/echo", headers={"X-Own": "1"})

        response = await CurlClient().send(request, session_on(bed.proxy_lines[0], clients))

    headers = echoed(response)
    assert headers["x-own"] == "1"
    assert headers["user-agent"] == FINGERPRINTS[0].user_agent


@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
async def test_no_proxy_does_not_pass_the_proxy_by(
    variable: str, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the environment excepts from proxies goes through the session's proxy all the same."""
    monkeypatch.setenv(variable, "*,127.0.0.1,localhost")
    async with Testbed(World(proxies=1, networks=1)) as bed:
        session = session_on(bed.proxy_lines[0], clients)

        await CurlClient().send(Request(url=bed.page_url(1)), session)

        (hit,) = bed.truth().hits
        assert hit.exit == bed.exits[0].address


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("https", [False, True], ids=["http", "https"])
async def test_a_proxy_in_the_environment_is_not_used(
    variable: str, *, https: bool, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session's proxy is the only one."""
    async with Testbed(World(proxies=2, networks=2, https=https)) as bed:
        monkeypatch.setenv(variable, bed.proxy_lines[1])
        session = session_on(bed.proxy_lines[0], clients)

        await client_of(bed).send(Request(url=bed.page_url(1)), session)

        assert [hit.exit for hit in bed.truth().hits] == [bed.exits[0].address]


@pytest.mark.parametrize("https", [False, True], ids=["http", "https"])
async def test_pages_arrive_byte_for_byte(*, https: bool, clients: Clients) -> None:
    """Plain and compressed pages are what the site wrote, whatever their characters."""
    latin1 = "<!DOCTYPE html>\n<title>Café</title>\n<p>Crème brûlée, très bon marché.</p>\n".encode("latin-1")
    async with Testbed(World(proxies=1, networks=1, https=https)) as bed:
        session = session_on(bed.proxy_lines[0], clients)

        plain, packed, other = [
            await client_of(bed).send(Request(url=f"{bed.site_url}/{path}"), session)
            for path in ("page/7", "gzip/7", "latin1")
        ]

        assert plain.body == bed.page_body(7)
        assert packed.body == bed.page_body(7)
        assert ("content-encoding", "gzip") in packed.headers
        assert other.body == latin1


async def test_redirects_are_followed_as_the_same_session(clients: Clients) -> None:
    """The answer is that of the last page, with its address and its headers only, from one exit."""
    async with Testbed(World(proxies=2, networks=2)) as bed:
        session = session_on(bed.proxy_lines[0], clients)

        response = await CurlClient().send(Request(url=f"{bed.site_url}/redirect/3"), session)

        assert response.url == bed.page_url(3)
        assert response.body == bed.page_body(3)
        assert "location" not in dict(response.headers)
        assert {hit.exit for hit in bed.truth().hits} == {bed.exits[0].address}
        assert bed.truth().hit_count == 4


async def test_the_text_of_a_redirect_is_not_part_of_the_page(clients: Clients) -> None:
    """A 302 that has a body of its own leads to the body of its target alone."""
    world = World(proxies=1, networks=1, banned_share=1, block_styles=("sorry",))
    async with Testbed(world) as bed:
        response = await CurlClient().send(Request(url=bed.page_url(1)), session_on(bed.proxy_lines[0], clients))

    assert response.status == 429
    assert response.body.count(b"<!DOCTYPE html>") == 1
    assert b"captcha-form" in response.body


async def test_redirects_in_circles_end(clients: Clients) -> None:
    """After twenty redirects it is a failure of its own."""
    async with Testbed(World(proxies=1, networks=1)) as bed:
        session = session_on(bed.proxy_lines[0], clients)

        why = await failure(Request(url=f"{bed.site_url}/redirect/50"), session)

        assert why is Failure.REDIRECTS
        assert bed.truth().hit_count == 21


@pytest.mark.parametrize("chunked", [0, 1], ids=["with its length", "chunked"])
async def test_a_body_beyond_the_limit_ends_the_connection(chunked: int, clients: Clients) -> None:
    """It is given up at the limit, instead of being read to its end."""
    size = 2_000_000_000
    async with Testbed(World(proxies=1, networks=1)) as bed:
        request = Request(url=f"{bed.site_url}/big?bytes={size}&chunked={chunked}", max_bytes=100_000)
        started_at = time.monotonic()

        why = await failure(request, session_on(bed.proxy_lines[0], clients))

    assert why is Failure.TOO_LARGE
    # All of it takes more than ten times as long.
    assert time.monotonic() - started_at < 2


async def test_a_body_of_just_the_limit_is_taken(clients: Clients) -> None:
    """The limit itself is allowed."""
    async with Testbed(World(proxies=1, networks=1)) as bed:
        request = Request(url=f"{bed.site_url}/big?bytes=100000&chunked=1", max_bytes=100_000)

        response = await CurlClient().send(request, session_on(bed.proxy_lines[0], clients))

    assert len(response.body) == 100_000


async def test_a_compressed_body_is_measured_unpacked(clients: Clients) -> None:
    """What is small on the wire and large in memory is too large."""
    async with Testbed(World(proxies=1, networks=1, page_bytes=200_000)) as bed:
        request = Request(url=f"{bed.site_url}/gzip/1", max_bytes=100_000)

        why = await failure(request, session_on(bed.proxy_lines[0], clients))

    assert why is Failure.TOO_LARGE


async def test_a_bomb_is_given_up_before_it_holds_others_up(clients: Clients) -> None:
    """What one look at the connection unpacks to is limited, however large a body may be."""
    megabytes = 3 * MOST_AT_ONCE // 1_000_000
    async with listening(saying(packed("gzip", gzip_bomb(megabytes)))) as port:
        request = Request(url="http://shop.example/", max_bytes=10 * MOST_AT_ONCE)

        why = await failure(request, session_on(f"http://127.0.0.1:{port}", clients))

    assert why is Failure.TOO_LARGE


async def test_a_large_page_comes_in_many_looks(clients: Clients) -> None:
    """So that it may be as large as is allowed, also when it is packed as pages are."""
    async with Testbed(World(proxies=1, networks=1, page_bytes=2 * MOST_AT_ONCE)) as bed:
        request = Request(url=f"{bed.site_url}/gzip/1", max_bytes=3 * MOST_AT_ONCE)

        response = await CurlClient().send(request, session_on(bed.proxy_lines[0], clients))

    assert len(response.body) >= 2 * MOST_AT_ONCE


async def test_the_time_out_covers_redirects(clients: Clients) -> None:
    """Pages that are each in time are too late together."""
    async with Testbed(World(proxies=1, networks=1, latency_seconds=0.2)) as bed:
        request = Request(url=f"{bed.site_url}/redirect/9", timeout_seconds=0.5)

        why = await failure(request, session_on(bed.proxy_lines[0], clients))

    assert why is Failure.TIMEOUT


@pytest.mark.parametrize(
    ("world", "why"),
    [
        pytest.param(World(proxies=1, networks=1, refusing=1), Failure.PROXY_UNREACHABLE, id="refusing"),
        pytest.param(World(proxies=1, networks=1, hanging=1, https=True), Failure.PROXY_UNREACHABLE, id="hanging"),
        pytest.param(World(proxies=1, networks=1, demanding=1, https=True), Failure.PROXY_REFUSED, id="407"),
        pytest.param(World(proxies=1, networks=1, failing=1, https=True), Failure.PROXY_REFUSED, id="502"),
    ],
)
async def test_failures_before_the_site_are_the_proxys(world: World, why: Failure, clients: Clients) -> None:
    """What fails on the way to the tunnel is told apart from what fails in it."""
    async with Testbed(world) as bed:
        request = Request(url=bed.page_url(1), timeout_seconds=0.5)

        assert await failure(request, session_on(bed.proxy_lines[0], clients)) is why


@pytest.mark.parametrize("kind", ["demanding", "failing"])
async def test_socks_proxies_that_refuse_are_told_as_such(kind: str, clients: Clients) -> None:
    """A SOCKS5 proxy's refusal is the proxy's."""
    world = World(proxies=1, networks=1, **{kind: 1})  # type: ignore[arg-type] # both are counts
    async with Testbed(world) as bed:
        session = session_on(bed.socks5_lines[0], clients)

        assert await failure(Request(url=bed.page_url(1)), session) is Failure.PROXY_REFUSED


async def test_a_tunnel_that_stood_is_not_the_proxys_fault(clients: Clients) -> None:
    """A time-out behind a tunnel may be the site's."""
    async with Testbed(World(proxies=1, networks=1, https=True)) as bed:
        request = Request(url=f"{bed.site_url}/slow?seconds=9", timeout_seconds=0.4)
        with pytest.raises(SendFailed) as caught:
            await client_of(bed).send(request, session_on(bed.proxy_lines[0], clients))

    assert failure_of(caught.value) is Failure.TIMEOUT


async def test_a_reset_connection_is_told_as_such(clients: Clients) -> None:
    """A connection that breaks after the request is neither the proxy's nor the site's for sure."""
    async with Testbed(World(proxies=1, networks=1)) as bed:
        request = Request(url=f"{bed.site_url}/reset")

        assert await failure(request, session_on(bed.proxy_lines[0], clients)) is Failure.RESET


async def test_an_untrusted_certificate_is_a_failure_of_its_own(clients: Clients) -> None:
    """Without its authority the testbed's site is not trusted: certificates are checked."""
    async with Testbed(World(proxies=1, networks=1, https=True)) as bed:
        request = Request(url=bed.page_url(1))

        assert await failure(request, session_on(bed.proxy_lines[0], clients)) is Failure.CERTIFICATE


async def test_the_cookies_of_the_site_go_to_the_sessions_jar(clients: Clients) -> None:
    """A cookie is sent back with the next request, and stands in the jar of the session."""
    async with Testbed(World(proxies=1, networks=1)) as bed:
        session = session_on(bed.proxy_lines[0], clients)
        request = Request(url=f"{bed.site_url}/cookie")

        first, second = [await CurlClient().send(request, session) for _ in range(2)]

    assert msgspec.json.decode(first.body) == {"received": None}
    assert msgspec.json.decode(second.body) == {"received": "flavour=vanilla"}
    assert isinstance(session.cookies, CookieJar)
    assert [(cookie.name, cookie.value) for cookie in session.cookies] == [("flavour", "vanilla")]


async def test_connections_are_kept_within_a_session(clients: Clients) -> None:
    """Requests of one session go through one tunnel."""
    async with Testbed(World(proxies=1, networks=1, https=True)) as bed:
        session = session_on(bed.proxy_lines[0], clients)
        client = client_of(bed)

        for page_id in range(5):
            await client.send(Request(url=bed.page_url(page_id)), session)

        assert list(bed.truth().tunnel_count.values()) == [1]


async def test_eight_requests_of_a_session_go_out_at_once(clients: Clients) -> None:
    """The client holds nothing back that the pool has let go."""
    async with Testbed(World(proxies=1, networks=1, latency_seconds=0.2)) as bed:
        session = session_on(bed.proxy_lines[0], clients)
        client = CurlClient()
        started_at = time.monotonic()

        await asyncio.gather(*(client.send(Request(url=url), session) for url in bed.page_urls(8)))

        assert time.monotonic() - started_at < 0.8


async def test_idle_sessions_keep_their_connections_and_no_handles(clients: Clients) -> None:
    """What requests at once took besides their tunnels is given back: 130 KB for each."""
    async with Testbed(World(proxies=1, networks=1, https=True)) as bed:
        session, client = session_on(bed.proxy_lines[0], clients), client_of(bed)
        await asyncio.gather(*(client.send(Request(url=url), session) for url in bed.page_urls(3)))
        tunnel_count = sum(bed.truth().tunnel_count.values())

        await client.send(Request(url=bed.page_url(4)), session)

        assert not session.client(client._open)._multi._curl2future
        assert sum(bed.truth().tunnel_count.values()) == tunnel_count


async def test_a_redirect_away_from_tls_offers_no_h2c(clients: Clients) -> None:
    """No browser asks for an upgrade to HTTP/2 without TLS, not even where it was sent there."""
    world = World(proxies=1, networks=1)
    async with Testbed(World(proxies=1, networks=1, https=True)) as start, Testbed(world) as end:
        url = f"{start.site_url}/away?to={end.site_url}/echo"

        response = await client_of(start).send(Request(url=url), session_on(start.proxy_lines[0], clients))

    assert response.url == f"{end.site_url}/echo"
    assert "upgrade" not in echoed(response)


async def test_a_redirect_to_tls_speaks_http_2_as_browsers_do(clients: Clients, tmp_path: Path) -> None:
    """A request that begins without TLS offers HTTP/2 where it is sent to TLS."""
    chosen: list[str | None] = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        chosen.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        writer.close()

    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.set_alpn_protocols(["h2", "http/1.1"])
    authority.issue_cert("localhost").configure_cert(tls)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server, Testbed(World(proxies=1, networks=1)) as bed:
        url = f"{bed.site_url}/away?to=https://localhost:{server.sockets[0].getsockname()[1]}/"

        with pytest.raises(SendFailed):
            await CurlClient(ca_path=str(tmp_path / "ca.pem")).send(
                Request(url=url), session_on(bed.proxy_lines[0], clients)
            )

    assert chosen
    assert set(chosen) == {"h2"}


async def test_a_cookie_that_is_no_text_costs_nothing(clients: Clients) -> None:
    """Its bytes are kept as they are; the page is one all the same."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        cookies = b"Set-Cookie: flavour=vanilla; path=/\r\nSet-Cookie: name=Caf\xe9; path=/\r\n"
        writer.write(b"HTTP/1.1 200 OK\r\n" + cookies + b"Content-Length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    session = session_on(f"http://127.0.0.1:{port}", clients)

    response = await CurlClient().send(Request(url="http://shop.example/"), session)

    assert response.body == b"ok"
    assert [cookie.name for cookie in session.cookies] == ["flavour", "name"]
    server.close()
    await server.wait_closed()


async def test_redirects_are_counted(clients: Clients) -> None:
    """Each of them is a request to the site."""
    async with Testbed(World(proxies=1)) as bed:
        session = session_on(bed.proxy_lines[0], clients)

        response = await CurlClient().send(Request(url=f"{bed.site_url}/redirect/3"), session)

        assert response.redirect_count == 3


async def test_idle_sessions_rest(clients: Clients) -> None:
    """curl_cffi would look after each of them ten times a second."""
    async with Testbed(World(proxies=1, networks=1)) as bed:
        session, client = session_on(bed.proxy_lines[0], clients), CurlClient()
        await client.send(Request(url=bed.page_url(1)), session)

    multi = session.client(client._open)._multi
    assert isinstance(multi, Multi)
    assert multi._safeguard is None
    assert multi._timeout_checker.done()
    assert SAFEGUARD_SECONDS >= 1


# What libcurl says of what it cannot use, before it connects to anything.
UNUSABLE = {CurlECode.URL_MALFORMAT, CurlECode.BAD_FUNCTION_ARGUMENT, CurlECode.OUT_OF_MEMORY, CurlECode.PROXY}
BYTES = st.integers(0, 255).map("%{:02x}".format)
LETTERS = st.text(st.characters(codec="utf-8") | st.sampled_from("\x00\x1b%@:/?#[]{} \u200b"), max_size=4)
PARTS = st.lists(BYTES | LETTERS | st.sampled_from(["ann", "%", "{session}", "%40", "%C3%BC", "a" * 260]), max_size=4)
CREDENTIALS = PARTS.map("".join)
HOSTS = st.sampled_from(
    ["127.0.0.1", "[::1]", "a.example", "-a.example", "a..example", "b\u00fccher.example", "[fe80::1%lo]"]
)


@settings(deadline=None, max_examples=400)
@given(
    st.sampled_from(["http://", "https://", "socks5://", "socks5h://", ""]),
    CREDENTIALS,
    CREDENTIALS,
    HOSTS,
    st.sampled_from(["{0}{1}:{2}@{3}:9", "{0}{3}:9:{1}:{2}", "{0}{1}:{2}:{3}:9", "{0}{1}@{3}:9", '"{0}{1}:{2}@{3}:9"']),
)
def test_libcurl_can_use_every_proxy_line_that_is_taken(
    scheme: str, user: str, word: str, host: str, form: str
) -> None:
    """Else a page would be blamed for a line; what it cannot use is refused with the line."""
    try:
        proxy = parse_proxy(form.format(scheme, user, word, host))
    except ConfigError:
        return

    with pytest.raises(CurlError) as caught:
        ask_in_vain("http://site.example/", proxy.url("name"), f"{proxy.host}:{proxy.port}")

    assert caught.value.code not in UNUSABLE


def ask_in_vain(url: str, proxy: str, place: str) -> None:
    """Ask for *url* through a *proxy* that stands at a closed port of this machine, whatever it is called."""
    curl = Curl()
    curl.setopt(CurlOpt.URL, url.encode())
    curl.setopt(CurlOpt.PROXY, proxy)
    curl.setopt(CurlOpt.NOPROXY, "")
    curl.setopt(CurlOpt.RESOLVE, [f"{place}:127.0.0.1"])
    curl.setopt(CurlOpt.TIMEOUT_MS, 200)
    try:
        curl.perform()
    finally:
        curl.close()


@settings(deadline=None, max_examples=400)
@given(
    st.sampled_from(["http://", "https://", "HTTP://"]),
    st.just("") | CREDENTIALS.map("{}@".format),
    HOSTS | st.lists(st.text(st.characters(codec="utf-8"), max_size=3) | HOSTS, max_size=3).map("".join),
    st.sampled_from(["", ":80", ":0", ":", ":65535", ":65536"]),
    PARTS.map("/".join),
)
def test_libcurl_can_ask_for_every_url_that_is_taken(scheme: str, login: str, host: str, port: str, path: str) -> None:
    """Whatever stands in a list: what it cannot ask for is told with its line, before the job begins."""
    url = f"{scheme}{login}{host}{port}/{path}"
    try:
        check_url(url)
    except ConfigError:
        return

    with pytest.raises(CurlError) as caught:
        ask_in_vain(as_sent(url), "http://127.0.0.1:9", "127.0.0.1:9")
    assert caught.value.code not in UNUSABLE


@pytest.mark.parametrize(
    ("url", "proxy", "failure_is"),
    [
        ("http://a b.example/", "http://127.0.0.1:9", Failure.UNSENDABLE),
        ("http://site.example:99999/", "http://127.0.0.1:9", Failure.UNSENDABLE),
        (f"http://{'é' * 64}.example/", "http://127.0.0.1:9", Failure.UNSENDABLE),
        ("http://site.example/", "http://a%01:b@127.0.0.1:9", Failure.PROXY_REFUSED),
        ("http://site.example/", "socks5://a:b%0a@127.0.0.1:9", Failure.PROXY_REFUSED),
        ("https://site.example/", "http://%00@127.0.0.1:9", Failure.PROXY_REFUSED),
    ],
)
async def test_a_url_is_not_blamed_for_a_proxy_that_cannot_be_used(url: str, proxy: str, failure_is: Failure) -> None:
    """Libcurl has one code for both; a page whose URL can be asked for goes on through other proxies."""
    connections = Connections(Handles(), proxy)
    with pytest.raises(SendFailed) as caught:
        await Walk(Request(url=url), connections, FINGERPRINTS[0], Jar()).end()
    await connections.aclose()

    assert caught.value.failure is failure_is
