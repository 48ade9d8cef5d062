"""What tests of a real Chromium share that look at it from the site's side."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

from playwright.async_api import BrowserType, Page
from tests.browser.shared import SharedChromium

from proxysieve import SessionPool
from proxysieve.adapters.playwright import PlaywrightBrowser
from proxysieve.browser.chromium import NOWHERE, find_chromium
from proxysieve.browser.options import BrowserOptions
from proxysieve.clients.curl import CurlClient
from proxysieve.clock import SystemClock
from proxysieve.sessions.session import Session
from proxysieve.testbed import Mirror, Testbed, Truth, World

# The testbed's authority is nobody's in particular.
TRUSTING = "--ignore-certificate-errors"
# Has WebRTC say addresses as they are: to hide them, it would announce names on the network around.
LOUD = "--disable-features=WebRtcHideLocalIpsWithMdns"
# So slow that the seconds that a test takes are no request's worth.
SLOW_RATE = 0.0001
# Has a page ask for so many things.
FETCH = "count => Promise.all([...Array(count).keys()].map(number => fetch(`/echo?${number}`).then(one => one.text())))"


class Browsing(NamedTuple):
    """A testbed, a pool of its proxies, and a browser of that pool."""

    bed: Testbed
    pool: SessionPool
    browser: PlaywrightBrowser


class Seen(NamedTuple):
    """A visit at the mirror: whose it was, what was seen of it, and what the servers know."""

    session: Session
    mirror: Mirror
    truth: Truth


def options(*flags: str, locale: str = "en-US", timezone: str = "", pages_a_context: int = 200) -> BrowserOptions:
    """How tests run a browser, with *flags* of their own; it waits for no more than the pages of the testbed need."""
    return BrowserOptions(
        locale=locale,
        timezone=timezone,
        pages_a_context=pages_a_context,
        settle_seconds=1.0,
        launch={"args": [TRUSTING, *flags]},
    )


class Counted:
    """How many requests the cap of the only site of *pool*, which is :data:`SLOW_RATE`, was charged with until when."""

    def __init__(self, pool: SessionPool) -> None:
        self._pool = pool
        self._started_at = SystemClock().now()

    @property
    def count(self) -> int:
        """Until now."""
        [site_queue] = self._pool._site_registry.values()
        return round((site_queue.engine.state.site.next_at - self._started_at) * SLOW_RATE)


@asynccontextmanager
async def browsing(world: World, shared: SharedChromium, how: BrowserOptions) -> AsyncIterator[Browsing]:
    """A browser in *world*."""
    async with Testbed(world) as bed:
        client = CurlClient(ca_path=str(bed.ca_path) if bed.ca_path else None)
        async with SessionPool(bed.proxy_lines, client=client) as pool, shared.browser(pool, how) as opened:
            yield Browsing(bed, pool, opened)


async def mirrored(page: Page) -> None:
    """Wait until the mirror that *page* shows has reported what it saw."""
    await page.wait_for_function("document.title === 'done'")


async def visit(world: World, shared: SharedChromium, how: BrowserOptions) -> Seen:
    """A session's visit at the mirror."""
    async with browsing(world, shared, how) as (bed, _, opened):
        async with opened.page(f"{bed.site_url}/mirror") as page:
            await mirrored(page)
            session = page.session
        truth = bed.truth()
    return Seen(session, truth.mirrors[-1], truth)


async def visit_unguarded(world: World, chromium: BrowserType, *flags: str, through_proxy: bool) -> tuple[Truth, str]:
    """A visit at the mirror by the same Chromium without our guards; and the host and port of the site.

    Without a proxy for the visit, loopback is reached directly, as browsers do; what else the browser asks for ends
    nowhere all the same.
    """
    async with Testbed(world) as bed:
        args = [TRUSTING, f"--proxy-server={NOWHERE}", LOUD, *flags]
        plain = await chromium.launch(executable_path=find_chromium(chromium), args=args)
        async with plain:
            page = await plain.new_page(proxy={"server": bed.proxy_lines[0]} if through_proxy else None)
            await page.goto(f"{bed.site_url}/mirror")
            await mirrored(page)
        return bed.truth(), urlsplit(bed.site_url).netloc
