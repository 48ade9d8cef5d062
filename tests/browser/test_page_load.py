"""Pages as they are read, by a real Chromium."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.browser.shared import SharedChromium

from proxysieve import SessionPool
from proxysieve.browser.options import HEAVY, BrowserOptions, ResourceKind
from proxysieve.browser.renderer import Visit
from proxysieve.clients.protocol import Request
from proxysieve.testbed import Testbed, World


async def test_a_body_is_the_document_as_playwright_tells_it(shared: SharedChromium) -> None:
    """Doctype and all, though Playwright is not asked for it."""
    told: list[tuple[str, str]] = []

    async def compare(_: Request, visit: Visit) -> None:
        told.append((visit.response.body.decode(), await visit.page.content()))

    async with (
        Testbed(World(proxies=1, networks=1)) as bed,
        shared.client(on_loaded=compare) as client,
        SessionPool(bed.proxy_lines, store="memory:", client=client) as pool,
    ):
        await pool.get(bed.page_url(7))

    [(ours, theirs)] = told
    assert ours.startswith("<!DOCTYPE html><html")
    assert ours == theirs


async def test_a_page_that_loads_itself_again_is_read_when_it_is_there(shared: SharedChromium) -> None:
    """A check by script lets the browser pass, and what is brought is the page behind it."""
    world = World(proxies=1, networks=1, script_challenge=True)
    async with (
        Testbed(world) as bed,
        shared.client() as client,
        SessionPool(bed.proxy_lines, store="memory:", client=client) as pool,
    ):
        page = await pool.get(bed.page_url(7))

    assert "- item 7</title>" in page.text
    assert bed.truth().passed_count == 1


@pytest.mark.parametrize("leave_out", [(), HEAVY], ids=["all", "without what is heavy"])
async def test_what_a_page_asks_for_is_counted_as_the_site_sees_it(
    shared: SharedChromium, leave_out: Sequence[ResourceKind]
) -> None:
    """For the site's cap: with assets but for those in the cache, and without those that are left out."""
    counts: list[int] = []

    async def note(_: Request, visit: Visit) -> None:
        counts.append(1 + visit.response.redirect_count)

    async with (
        Testbed(World(proxies=1, networks=1, assets=2_000)) as bed,
        shared.client(BrowserOptions(leave_out=leave_out), on_loaded=note) as client,
        SessionPool(bed.proxy_lines, store="memory:", client=client, max_rate=0) as pool,
    ):
        for url in bed.page_urls(4):
            await pool.get(url)
        seen = [hit for hit in bed.truth().hits if hit.path != "/favicon.ico"]

    assert sum(counts) == len(seen)
