"""A real Chromium at proxies that want a login: what the site sees of it, and what it is told when nothing comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from tests.browser.shared import SharedChromium

from proxysieve import GaveUp, NoSessionAvailable, ProxySieveError, SessionPool
from proxysieve.browser.client import BrowserClient
from proxysieve.browser.options import BrowserOptions
from proxysieve.relay.port import system_trust
from proxysieve.testbed import Testbed, World

PAGES = 4
# Each page has a picture of its own, and all share a font and a sound.
ASSETS = PAGES + 2
TRUSTING = BrowserOptions(launch={"args": ["--ignore-certificate-errors"]})
SCHEMES = ("http", "socks5")


@pytest_asyncio.fixture(loop_scope="module")
async def client(shared: SharedChromium) -> AsyncIterator[BrowserClient]:
    """A Chromium that takes the testbed's certificates."""
    async with shared.client(TRUSTING) as client:
        yield client


@pytest.fixture
def fresh_trust() -> Iterator[None]:
    """What the system trusts is read anew."""
    system_trust.cache_clear()
    yield
    system_trust.cache_clear()


def lines_of(bed: Testbed, scheme: str) -> list[str]:
    return {"http": bed.proxy_lines, "https": bed.https_lines, "socks5": bed.socks5_lines}[scheme]


async def load(bed: Testbed, line: str, client: BrowserClient, *, pages: int = 1, seconds: float = 20.0) -> None:
    async with SessionPool(
        [line], store="memory:", max_rate=0, max_wait_seconds=0, timeout_seconds=seconds, client=client
    ) as pool:
        for number in range(pages):
            assert (await pool.get(bed.page_url(number), max_tries=1)).status == 200


async def verdict_on(bed: Testbed, line: str, client: BrowserClient, *, seconds: float = 20.0) -> str:
    """What a try comes to, and why, in the words of the pool."""
    with pytest.raises(ProxySieveError) as caught:
        await load(bed, line, client, seconds=seconds)
    assert isinstance(caught.value, GaveUp | NoSessionAvailable)
    (tried,) = caught.value.attempts
    return f"{tried.verdict}: {tried.why}"


async def test_a_login_costs_no_cache(client: BrowserClient) -> None:
    """What pages share is loaded once a session."""
    async with Testbed(World(proxies=1, networks=1, assets=2_000, page_bytes=2_000)) as bed:
        await load(bed, bed.proxy_lines[0], client, pages=PAGES)
        truth = bed.truth()

    assert truth.answer_counts["ok"] == PAGES
    assert truth.answer_counts["asset"] == ASSETS
    assert truth.direct_connection_count == 0


@pytest.mark.parametrize("https", [False, True], ids=["http", "https"])
async def test_a_login_leaves_no_trace(client: BrowserClient, *, https: bool) -> None:
    """The site sees what it sees of a browser at a proxy without a login."""
    seen = []
    for credentials in (False, True):
        async with Testbed(World(proxies=1, networks=1, https=https, credentials=credentials, seed=1)) as bed:
            await load(bed, bed.proxy_lines[0], client)
            truth = bed.truth()
        seen.append([truth.fingerprint_of(hit) for hit in truth.hits if hit.answer == "ok"])

    assert [one.header_names for one in seen[0]] == [one.header_names for one in seen[1]] != []
    assert "cache-control" not in {name.lower() for name in seen[1][0].header_names}


@pytest.mark.usefixtures("fresh_trust")
async def test_each_scheme_is_logged_in_to(
    client: BrowserClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By HTTP, HTTPS and SOCKS5."""
    async with Testbed(World(proxies=1, networks=1, https_proxies=True)) as bed:
        monkeypatch.setenv("SSL_CERT_FILE", str(bed.ca_path))
        for scheme in ("http", "https", "socks5"):
            await load(bed, lines_of(bed, scheme)[0], client)

        truth = bed.truth()
        assert truth.answer_counts["ok"] == 3
        assert {hit.exit for hit in truth.hits} == {bed.exits[0].address}


@pytest.mark.usefixtures("fresh_trust")
async def test_an_https_proxy_that_is_not_trusted_refuses(client: BrowserClient) -> None:
    """Its operator could be anybody, and is told no password."""
    async with Testbed(World(proxies=1, networks=1, https=True, https_proxies=True)) as bed:
        assert await verdict_on(bed, bed.https_lines[0], client) == "proxy_error: the proxy refused"


@pytest.mark.parametrize(
    ("https", "verdicts"),
    [
        pytest.param(
            False,
            {
                ("http", "refusing"): "proxy_error: the proxy could not be reached",
                ("http", "hanging"): "unclear: timed out",
                ("http", "demanding"): "proxy_error: status 407: the proxy wants other credentials",
                ("http", "failing"): "unclear: status 502, from the proxy or the site",
                ("socks5", "refusing"): "proxy_error: the proxy could not be reached",
                ("socks5", "hanging"): "proxy_error: the proxy could not be reached",
                ("socks5", "demanding"): "proxy_error: the proxy refused",
                ("socks5", "failing"): "proxy_error: the proxy refused",
            },
            id="http",
        ),
        pytest.param(
            True,
            {
                ("http", "refusing"): "proxy_error: the proxy could not be reached",
                ("http", "hanging"): "proxy_error: the proxy could not be reached",
                ("http", "demanding"): "proxy_error: the proxy refused",
                ("http", "failing"): "proxy_error: the proxy refused",
                ("socks5", "refusing"): "proxy_error: the proxy could not be reached",
                ("socks5", "hanging"): "proxy_error: the proxy could not be reached",
                ("socks5", "demanding"): "proxy_error: the proxy refused",
                ("socks5", "failing"): "proxy_error: the proxy refused",
            },
            id="https",
        ),
    ],
)
async def test_what_is_the_proxys_is_not_the_sites(
    client: BrowserClient, *, https: bool, verdicts: dict[tuple[str, str], str]
) -> None:
    """A proxy that does not do its work is told from a site that does not, as by the built-in client."""
    world = World(proxies=4, networks=4, refusing=1, hanging=1, demanding=1, failing=1, https=https)
    async with Testbed(world) as bed:
        lines = {
            (scheme, exit_.kind): line
            for scheme in SCHEMES
            for exit_, line in zip(bed.exits, lines_of(bed, scheme), strict=True)
        }
        seen = await asyncio.gather(
            *(
                verdict_on(bed, line, client, seconds=5.0 if kind == "hanging" else 20.0)
                for (_, kind), line in lines.items()
            )
        )

    assert dict(zip(lines, seen, strict=True)) == verdicts
