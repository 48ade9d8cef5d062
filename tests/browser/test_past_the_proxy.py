"""Nothing of a browser goes anywhere but to the proxies: no packet, no name, and nothing that it asks for itself."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import BrowserType
from tests.browser.net_log import Asked, asked_in, read_net_log
from tests.browser.shared import SharedChromium
from tests.browser.visits import browsing, mirrored, options, visit, visit_unguarded

from proxysieve.browser.chromium import NOWHERE
from proxysieve.testbed import World

WORLD = World(proxies=2, networks=1, credentials=False)
NAMED = World(proxies=2, networks=1, credentials=False, host="shop.example")


async def test_nobody_learns_an_address_by_webrtc(shared: SharedChromium) -> None:
    """No packet reaches the STUN server that the page names, and no candidate the page."""
    seen = await visit(WORLD, shared, options())

    assert seen.mirror.ice_candidates == ()
    assert seen.truth.stun_senders == {}
    assert seen.truth.direct_connection_count == 0


async def test_a_browser_that_is_not_guarded_sends_packets(chromium: BrowserType) -> None:
    """A proxy alone does not hold them back, which shows that they would be seen."""
    truth, _ = await visit_unguarded(WORLD, chromium, through_proxy=True)

    assert truth.direct_connection_count == 0
    assert truth.stun_senders
    assert truth.mirrors[-1].ice_candidates


async def test_a_browser_without_a_proxy_is_seen_directly(chromium: BrowserType) -> None:
    """The count of such connections counts."""
    truth, _ = await visit_unguarded(WORLD, chromium, through_proxy=False)

    assert truth.direct_connection_count > 0


async def what_is_asked(world: World, chromium: BrowserType, log: Path) -> tuple[Asked, set[str]]:
    """All that a browser asks for from its start to its end, with a visit at the mirror; and where the proxies are."""
    how = options(f"--log-net-log={log}")
    async with SharedChromium(chromium) as own, browsing(world, own, how) as (bed, _, opened):
        async with opened.page(f"{bed.site_url}/mirror") as page:
            await page.wait_for_function("document.title !== ''") if world.host else await mirrored(page)
        proxies = {urlsplit(line).netloc for line in bed.proxy_lines}
        assert bed.truth().direct_connection_count == 0
    return read_net_log(log), proxies


@pytest.mark.parametrize("world", [pytest.param(WORLD, id="address"), pytest.param(NAMED, id="name")])
async def test_a_browser_connects_to_nothing_but_proxies(world: World, chromium: BrowserType, tmp_path: Path) -> None:
    """Nor does it have a name resolved, or send a packet; what it asks for itself ends where nobody listens."""
    asked, proxies = await what_is_asked(world, chromium, tmp_path / "net.json")

    nowhere = urlsplit(NOWHERE).netloc
    assert asked.connected & proxies
    assert asked.connected <= {*proxies, nowhere}
    assert asked.name_tasks == set()
    assert asked.packets == 0
    assert any("/mirror" in url for url in asked.urls)


async def test_the_log_knows_of_direct_connections(chromium: BrowserType, tmp_path: Path) -> None:
    """And of packets; otherwise it would prove nothing."""
    log = tmp_path / "net.json"
    truth, site = await visit_unguarded(WORLD, chromium, f"--log-net-log={log}", through_proxy=False)

    asked = read_net_log(log)

    assert truth.direct_connection_count > 0
    assert asked.packets > 0
    assert site in asked.connected


def test_the_log_knows_of_names() -> None:
    """Those that somebody is asked for, and not those that are only looked for in the browser's memory."""
    types = {"HOST_RESOLVER_MANAGER_REQUEST": 1, "HOST_RESOLVER_MANAGER_JOB": 2, "HOST_RESOLVER_SYSTEM_TASK": 3}
    request = {"type": 1, "params": {"host": "http://shop.example"}}
    log = {"constants": {"logEventTypes": types}, "events": [request]}
    by_others = {**log, "events": [request, {"type": 2}, {"type": 3}]}

    assert asked_in(log).name_tasks == set()
    assert asked_in(by_others).name_tasks == {"HOST_RESOLVER_MANAGER_JOB", "HOST_RESOLVER_SYSTEM_TASK"}
