"""Pages that are sessions, for users of Playwright, in a real Chromium at a real site."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, get_args

import pytest
from playwright.async_api import BrowserType, Playwright
from playwright.async_api import TimeoutError as PlaywrightTimeoutError
from tests.browser.processes import all_ending, family, marked, new_mark, until
from tests.browser.shared import SharedChromium
from tests.browser.visits import FETCH, SLOW_RATE, Counted

from proxysieve import Blocked, Outcome, SessionPool
from proxysieve.adapters.playwright import PlaywrightBrowser, SessionPage, browser
from proxysieve.browser.options import BrowserOptions
from proxysieve.errors import ConfigError, SessionEnded
from proxysieve.testbed import BlockStyle, Limit, Testbed, World

SMALL = BrowserOptions(max_pages=4, settle_seconds=3.0)
# What a site's scripts compute may take long on a machine that others use.
PATIENT = BrowserOptions(check_seconds=30.0, settle_seconds=30.0)
# The site's icon is asked for, too.
FEW = Limit(requests=4, window_seconds=600, ban_seconds=600)


@asynccontextmanager
async def browsing(
    bed: Testbed, shared: SharedChromium, options: BrowserOptions = SMALL, **changes: object
) -> AsyncIterator[PlaywrightBrowser]:
    """A browser for a pool of the testbed's proxies."""
    settings: dict[str, Any] = {"store": "memory:", "max_rate": 0.0, "seed": 1, "max_wait_seconds": 5.0, **changes}
    async with SessionPool(bed.proxy_lines, **settings) as pool, shared.browser(pool, options) as opened:
        yield opened


async def test_a_page_is_its_sessions(shared: SharedChromium) -> None:
    """It shows what the site has, was loaded by the session's proxy and no other way, and is closed in the end."""
    async with Testbed(World(proxies=1)) as bed, browsing(bed, shared) as opened:
        async with opened.page(bed.page_urls(1)[0]) as page:
            assert (await page.title()).endswith("- item 0")
            assert isinstance(page, SessionPage)
            assert page.session.proxy_url == bed.proxy_lines[0]
            assert page.answer.status == 200
            assert page.context.pages == [page]

        assert page.is_closed()
        truth = bed.truth()

    assert {hit.exit for hit in truth.hits} == {bed.exits[0].address}
    assert truth.direct_connection_count == 0


async def test_who_is_banned_is_left_for_who_is_not(shared: SharedChromium) -> None:
    """Whatever the block looks like, also where only scripts show it; each of them costs one visit."""
    styles: tuple[BlockStyle, ...] = tuple(style for style in get_args(BlockStyle) if style != "unknown")
    world = World(proxies=12, networks=12, banned_share=11 / 12, block_styles=styles, page_bytes=4_000, seed=25)
    options = BrowserOptions(check_seconds=0.2, max_pages=4)
    async with Testbed(world) as bed, browsing(bed, shared, options) as opened:
        async with opened.page(bed.page_urls(1)[0]) as page:
            assert await page.locator("li").count() == 8
        hits = bed.truth().hits

    visits = Counter(hit.exit for hit in hits if hit.path == "/page/0")
    assert set(visits.values()) == {1}
    assert len({world.style_of(address) for address in visits}) >= 5


async def test_a_challenge_is_passed_once_a_session(shared: SharedChromium) -> None:
    """What the script has computed stays with the session."""
    async with Testbed(World(proxies=1, script_challenge=True)) as bed, browsing(bed, shared, PATIENT) as opened:
        for url in bed.page_urls(3):
            async with opened.page(url) as page:
                assert "item" in await page.title()
        truth = bed.truth()

    assert (truth.answer_counts["challenged"], truth.answer_counts["ok"]) == (1, 3)
    assert (truth.passed_count, truth.foreign_clearance_count) == (1, 0)


async def test_cookies_are_shown_from_the_address_and_by_the_browser_that_got_them(shared: SharedChromium) -> None:
    """Several sessions take turns, each with its own; a cookie that another got would be a block."""
    world = World(proxies=3, bound_cookies=True)
    async with Testbed(world) as bed, browsing(bed, shared, thrift=0.1) as opened:
        urls = bed.page_urls(8)

        async def visit(url: str) -> str:
            async with opened.page(url) as page:
                return page.session.name

        names = await asyncio.gather(*map(visit, urls))
        truth = bed.truth()

    assert len(set(names)) > 1
    assert "blocked" not in truth.answer_counts
    assert len({hit.user_agent for hit in truth.hits}) == 1


async def test_a_refused_page_ends_the_session_for_its_other_pages(shared: SharedChromium) -> None:
    """Their users are told that it ended, and why; the next page is another session's."""
    world = World(proxies=2, limit=FEW, block_styles=("captcha",))
    async with Testbed(world) as bed, browsing(bed, shared) as opened:
        url, other, *others = bed.page_urls(5)
        async with opened.page(url) as first:
            is_open = asyncio.Event()
            waiting = asyncio.create_task(wait_for_nothing(opened, other, is_open))
            await is_open.wait()
            with pytest.raises(Blocked):
                await roam(first, others)
        with pytest.raises(SessionEnded, match=r"ended: the site refused another page of it: .*captcha") as ended:
            await waiting
        async with opened.page(url) as second:
            assert await second.title()

    assert ended.value.session == first.session.name
    assert second.session is not first.session
    assert first.is_closed()


async def wait_for_nothing(opened: PlaywrightBrowser, url: str, is_open: asyncio.Event) -> None:
    """Be in the middle of something on a page of one's own."""
    async with opened.page(url) as page:
        is_open.set()
        await page.wait_for_selector("#nothing", timeout=0)


async def roam(page: SessionPage, urls: list[str]) -> None:
    """Go from page to page, and ask in the end what came of it."""
    for url in urls:
        await page.goto(url)
    await page.judge()


async def test_what_a_page_has_come_to_is_judged_on_request(shared: SharedChromium) -> None:
    """After a click it is a page of the site; what another site shows is not its session's affair."""
    async with Testbed(World(proxies=1)) as bed, browsing(bed, shared) as opened:
        async with opened.page(bed.page_urls(1)[0]) as page:
            await page.locator("li a").first.click()
            after_a_click = await page.judge()
            clicked = page.answer
            await page.route("http://elsewhere.example/", lambda route: route.fulfill(status=403, body="Access denied"))
            await page.goto("http://elsewhere.example/")
            other_sites = await page.judge()

        assert after_a_click.outcome is Outcome.OK
        assert clicked.url != bed.page_urls(1)[0]
        assert other_sites.outcome is Outcome.OK
        assert page.answer.status == 403


async def test_what_a_page_asks_for_in_use_delays_the_next_request(shared: SharedChromium) -> None:
    """By so many turns of the cap, whether the page is judged or not; what is judged is not counted again."""
    async with Testbed(World(proxies=1)) as bed, browsing(bed, shared, max_rate=SLOW_RATE) as opened:
        counted, counts = Counted(opened._pool), []
        async with opened.page(bed.page_urls(1)[0]) as page:
            counts.append(counted.count)
            await page.evaluate(FETCH, 5)
            counts.append(counted.count)
            await page.locator("li a").first.click()
            await page.judge()
            counts.append(counted.count)
            async with page.expect_popup() as popup:
                await page.evaluate("() => { window.open('/echo?window'); }")
            await (await popup.value).wait_for_load_state()
            counts.append(counted.count)
        seen = [hit for hit in bed.truth().hits if hit.path != "/favicon.ico"]

    assert counts == [1, 6, 7, 8]
    assert len(seen) == 8


async def test_who_is_refused_later_is_told_by_what(shared: SharedChromium) -> None:
    """With the answer, as where a request is given up."""
    world = World(proxies=1, limit=FEW, block_styles=("captcha",))
    async with Testbed(world) as bed, browsing(bed, shared) as opened:
        urls = bed.page_urls(5)
        async with opened.page(urls[0]) as page:
            with pytest.raises(Blocked, match=r"gave up on http.* the last was blocked") as blocked:
                await roam(page, urls[1:])

    assert b"captcha" in (blocked.value.exchange.body or b"")
    assert blocked.value.exchange.url == urls[-1]
    assert blocked.value.verdict.outcome is Outcome.BLOCKED


@pytest.mark.parametrize("mistake", [ValueError("of the user's own"), PlaywrightTimeoutError("no such button")])
async def test_the_users_own_errors_go_through(shared: SharedChromium, mistake: Exception) -> None:
    """Unchanged; the page is closed, and the session is not to blame."""
    async with Testbed(World(proxies=2)) as bed, browsing(bed, shared) as opened:
        with pytest.raises(type(mistake)) as raised:
            async with opened.page(bed.page_urls(1)[0]) as page:
                raise mistake
        async with opened.page(bed.page_urls(1)[0]) as again:
            assert again.session is page.session

    assert raised.value is mistake
    assert page.is_closed()


async def test_a_context_that_its_user_closes_is_made_anew(shared: SharedChromium) -> None:
    """As many who know Playwright do at the end; the session gets another one, with its cookies."""
    async with Testbed(World(proxies=1, networks=1)) as bed, browsing(bed, shared) as opened:
        async with opened.page(f"{bed.site_url}/cookie") as page:
            kept = await page.context.cookies()
            await page.context.close()
        async with opened.page(bed.page_url(1)) as again:
            assert again.session is page.session
            assert await again.context.cookies() == kept != []


async def test_what_playwright_waits_for_in_vain_is_the_users_affair(shared: SharedChromium) -> None:
    """Its time-out says nothing of the site."""
    async with Testbed(World(proxies=2)) as bed, browsing(bed, shared) as opened:
        with pytest.raises(PlaywrightTimeoutError, match="locator"):
            async with opened.page(bed.page_urls(1)[0]) as page:
                await page.click("#nothing", timeout=100)
        async with opened.page(bed.page_urls(1)[0]) as again:
            assert again.session is page.session


async def test_what_a_session_keeps_comes_back_with_its_next_browser(chromium: BrowserType, tmp_path: Path) -> None:
    """Cookies, localStorage, IndexedDB, the window and the clock, and another session has none of them."""
    async with Testbed(World(proxies=2)) as bed:
        names = [await look_into_mirror(bed, chromium, tmp_path / "store") for _ in range(3)]
        mirrors = bed.truth().mirrors

    assert len(set(names)) == 1
    counts = [
        (one.local_storage, one.indexed_db, one.script_cookie, one.server_cookie) for one in (m.visits for m in mirrors)
    ]
    assert counts == [(visit,) * 4 for visit in range(3)]
    assert len({(one.screen, one.window) for one in mirrors}) == 1
    assert {one.page.timezone for one in mirrors} == {"Asia/Tokyo"}


async def look_into_mirror(bed: Testbed, chromium: BrowserType, store: Path) -> str:
    """By a browser and a pool of their own; the name of the session."""
    options = BrowserOptions(timezone="Asia/Tokyo", settle_seconds=30.0)
    async with (
        SharedChromium(chromium) as own,
        browsing(bed, own, options, store=store) as opened,
        opened.page(f"{bed.site_url}/mirror") as page,
    ):
        return page.session.name


async def test_a_browser_that_sessions_cannot_be_is_refused(playwright: Playwright) -> None:
    """In words that say which one is wanted."""
    async with SessionPool(["http://proxy.example:8000"], store="memory:") as pool:
        with pytest.raises(ConfigError, match=r"in Chromium, not in firefox: hand over playwright\.chromium"):
            async with browser(pool, playwright.firefox):
                raise AssertionError("it was opened")


@pytest.mark.parametrize("how", ["well", "by an error", "by a cancellation"])
async def test_no_process_is_left(chromium: BrowserType, how: str) -> None:
    """However the work with it ended."""
    mark = new_mark()

    async def work(bed: Testbed) -> None:
        async with (
            SharedChromium(chromium) as own,
            browsing(bed, own, marked(SMALL, mark)) as opened,
            opened.page(bed.page_urls(1)[0]),
        ):
            seen.set_result(family(mark))
            if how == "by an error":
                raise ValueError
            if how == "by a cancellation":
                await asyncio.Event().wait()

    seen: asyncio.Future[set[int]] = asyncio.get_running_loop().create_future()
    async with Testbed(World(proxies=1)) as bed:
        working = asyncio.create_task(work(bed))
        pids = await seen
        async with all_ending(pids):
            if how == "by a cancellation":
                working.cancel()
            await asyncio.wait([working])

    assert len(pids) > 3
    await until(lambda: not family(mark))
