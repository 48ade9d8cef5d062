"""What pages ask of a site, counted as the site sees it, in a real Chromium."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, BrowserContext, BrowserType, Page
from tests.browser.visits import FETCH

from proxysieve.browser.chromium import NOWHERE, find_chromium
from proxysieve.browser.request_count import Counting
from proxysieve.testbed import Testbed, World


@asynccontextmanager
async def launched(chromium: BrowserType) -> AsyncIterator[Browser]:
    """A plain Chromium, whose contexts have proxies and it has none."""
    launching = chromium.launch(executable_path=find_chromium(chromium), args=[f"--proxy-server={NOWHERE}"])
    async with await launching as browser:
        yield browser


@asynccontextmanager
async def attended(browser: Browser, bed: Testbed, counting: Counting) -> AsyncIterator[BrowserContext]:
    """A context whose pages are counted."""
    async with await browser.new_context(proxy={"server": bed.proxy_lines[0]}) as context:
        counting.attend(context)
        yield context


@asynccontextmanager
async def counted_page(chromium: BrowserType, told: list[int]) -> AsyncIterator[tuple[Page, str, Counting]]:
    """An empty page, the address of one of the site's, and what counts for *told*."""
    counting = Counting(told.append)
    async with (
        Testbed(World(proxies=1, credentials=False)) as bed,
        launched(chromium) as browser,
        attended(browser, bed, counting) as context,
    ):
        yield await context.new_page(), bed.page_url(1), counting


async def roam(page: Page) -> None:
    """Ask for things in all ways that there are: by scripts, in another window, in another tab."""
    await page.evaluate(FETCH, 2)
    async with page.expect_popup() as opening:
        await page.evaluate("() => { window.open(location.href); }")
    await (await opening.value).wait_for_load_state()
    tab = await page.context.new_page()
    await tab.goto(page.url)


async def test_all_that_is_asked_for_is_told_once(chromium: BrowserType) -> None:
    """By whatever page of whichever context; and what lies in the cache of one does not in that of another."""
    told: list[int] = []
    counting = Counting(told.append)
    async with Testbed(World(proxies=1, assets=2_000, credentials=False)) as bed, launched(chromium) as browser:
        for _ in range(2):
            async with attended(browser, bed, counting) as context:
                page = await context.new_page()
                with counting.loading(page, bed.page_url(1)) as tally:
                    await page.goto(bed.page_url(1))
                    told.append(1 + tally.take())
                await roam(page)
        seen = [hit for hit in bed.truth().hits if hit.path != "/favicon.ico"]

    assert sum(told) == len(seen)


async def test_what_a_load_that_fails_has_asked_for_is_told(chromium: BrowserType) -> None:
    """But for the request itself, of which the lease tells, and for what was taken."""
    told: list[int] = []
    async with counted_page(chromium, told) as (page, url, counting):
        with pytest.raises(TimeoutError):
            await load_in_vain(page, url, counting)

    assert told == [3]


async def load_in_vain(page: Page, url: str, counting: Counting) -> None:
    """Ask for five things beside what is at *url*, tell of two, and fail."""
    with counting.loading(page, url) as tally:
        await page.goto(url)
        await page.evaluate(FETCH, 5)
        assert tally.take(2) == 2
        raise TimeoutError


async def test_what_other_sites_are_asked_for_is_their_affair(chromium: BrowserType) -> None:
    """And before it is known whose pages they are, nothing is told."""
    told: list[int] = []
    async with counted_page(chromium, told) as (page, url, counting):
        await page.goto(url)
        with counting.loading(page, "http://elsewhere.example/"):
            await page.evaluate(FETCH, 2)
        await page.evaluate(FETCH, 2)

    assert told == []
