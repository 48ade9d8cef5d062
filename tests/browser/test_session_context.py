"""A session's context: what it begins with, whatever that is, and what it shares with the session's other clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookiejar import Cookie
from typing import Any

import pytest
from playwright.async_api import Page
from tests.browser.shared import SharedChromium

import proxysieve.browser.session_context
from proxysieve import SessionPool
from proxysieve.adapters.playwright import PlaywrightBrowser
from proxysieve.browser.cookies import SharedCookies
from proxysieve.sessions.session import Session
from proxysieve.sessions.storage import CookieRecord, cookie_of
from proxysieve.testbed import Testbed, World


def cookie(name: str, value: str = "1", **changes: object) -> Cookie:
    settings: dict[str, Any] = {"domain": "127.0.0.1", "domain_specified": False, "domain_initial_dot": False}
    return cookie_of(CookieRecord(name=name, value=value, **{**settings, "discard": True, **changes}))


def values(session: Session) -> dict[str, str | None]:
    return {one.name: one.value for one in session.cookies}


async def shown(page: Page) -> set[str]:
    """The cookies that a page is told of."""
    return set((await page.evaluate("document.cookie")).split("; ")) - {""}


@asynccontextmanager
async def browsing(shared: SharedChromium) -> AsyncIterator[tuple[str, SessionPool, PlaywrightBrowser, Session]]:
    """A page's address, and the session that it is seen by."""
    async with (
        Testbed(World(proxies=1)) as bed,
        SessionPool(bed.proxy_lines, store="memory:", max_rate=0.0, seed=1, max_wait_seconds=5.0) as pool,
        shared.browser(pool) as opened,
    ):
        url = bed.page_urls(1)[0]
        async for attempt in pool.attempts(url):
            async with attempt as session:
                attempt.check(200, body="<p>item 0</p>")
        yield url, pool, opened, session


# By Chromium's protocol, and not by browsers' rules.
REFUSED: dict[str, dict[str, Any]] = {
    "tab": {"value": "xxx\txxx"},
    "no-host": {"domain": "a:b", "value": "xxx"},
}


async def test_cookies_that_chromium_refuses_are_left_out(
    shared: SharedChromium, caplog: pytest.LogCaptureFixture
) -> None:
    """And named, without a value; all others are there, and the page is opened."""
    async with browsing(shared) as (url, _, opened, session):
        for name, changes in REFUSED.items():
            session.cookies.set_cookie(cookie(name, **changes))
        session.cookies.set_cookie(cookie("good", "7"))
        async with opened.page(url) as page:
            told = await shown(page)

    assert page.session is session
    assert "good=7" in told
    refused = [record.getMessage() for record in caplog.records if "refuses a cookie" in record.getMessage()]
    assert len(refused) == len(REFUSED)
    assert all(any(repr(name) in line for line in refused) for name in REFUSED)
    assert "xxx" not in caplog.text


@pytest.mark.parametrize(
    "origins",
    [
        [{"origin": "nonsense", "localStorage": [{"name": "a", "value": "b"}]}],
        [{"origin": "http://a.example", "wrong": 1}],
    ],
)
async def test_storage_that_cannot_be_restored_is_left_out(
    shared: SharedChromium, origins: list[dict[str, Any]]
) -> None:
    """The page is opened without it."""
    async with browsing(shared) as (url, _, opened, session):
        session.browser.origins = origins
        async with opened.page(url) as page:
            assert "item 0" in await page.title()

    assert page.session is session


async def test_a_time_zone_that_there_is_no_more_is_left_out(shared: SharedChromium) -> None:
    """The visitor's clock is then where that of new ones is."""
    async with browsing(shared) as (url, _, opened, session):
        async with opened.page(url):
            pass
        session.browser.timezone = "Europe/Nowhere"
        await session.client(opened._renderer._make_seat).close()
        async with opened.page(url) as page:
            assert "item 0" in await page.title()

    assert page.session is session
    assert session.browser.timezone == ""


async def test_cookies_that_another_client_gets_reach_the_context_and_stay(shared: SharedChromium) -> None:
    """What either side got, changed or deleted is so for both, while the context is open."""
    async with browsing(shared) as (url, _, opened, session):
        session.cookies.set_cookie(cookie("changed", "old"))
        session.cookies.set_cookie(cookie("deleted"))
        async with opened.page(url) as page:
            await page.evaluate("() => { document.cookie = 'page=1; path=/' }")
            session.cookies.set_cookie(cookie("meanwhile", "1"))
        kept = values(session)
        session.cookies.set_cookie(cookie("changed", "new"))
        session.cookies.clear("127.0.0.1", "/", "deleted")
        async with opened.page(url) as again:
            told = await shown(again)
            await again.evaluate("() => { document.cookie = 'page=1; path=/; max-age=0' }")

    assert again.context is page.context
    assert kept.items() >= {"changed": "old", "deleted": "1", "page": "1", "meanwhile": "1"}.items()
    assert told >= {"changed=new", "page=1", "meanwhile=1"}
    assert not any(one.startswith("deleted") for one in told)
    assert values(session).items() >= {"changed": "new", "meanwhile": "1"}.items()
    assert not values(session).keys() & {"page", "deleted"}


async def test_cookies_of_frames_within_one_site_stay_in_the_context(shared: SharedChromium) -> None:
    """In a jar they would be sent to every page."""
    async with browsing(shared) as (url, _, opened, session), opened.page(url) as page:
        chip: Any = {"name": "chip", "value": "1", "domain": "a.example", "path": "/", "secure": True}
        chip |= {"sameSite": "None", "partitionKey": "https://b.example"}
        await page.context.add_cookies([chip])
        await SharedCookies(session.cookies, page.context).take()

        assert "chip" not in values(session)


async def test_a_browser_that_is_only_slow_fails_no_page(
    shared: SharedChromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that does not open in time is tried again: the browser lives, and nobody is blamed."""
    async with browsing(shared) as (url, pool, opened, session):
        give, waits = SharedCookies.give, 2

        async def slow(self: SharedCookies) -> None:
            nonlocal waits
            waits -= 1
            if waits >= 0:
                await asyncio.Event().wait()
            monkeypatch.setattr(proxysieve.browser.session_context, "OPEN_SECONDS", 30.0)
            await give(self)

        monkeypatch.setattr(SharedCookies, "give", slow)
        monkeypatch.setattr(proxysieve.browser.session_context, "OPEN_SECONDS", 1.0)
        async with opened.page(url) as page:
            assert "item 0" in await page.title()
        standing = await pool.status(session.site)

    assert page.session is session
    assert (standing.blocked, standing.unclear, standing.dead) == (0, 0, 0)


async def test_windows_that_windows_open_have_the_same_screen(shared: SharedChromium) -> None:
    """It is the visitor's, not that of the machine."""
    async with browsing(shared) as (url, _, opened, __), opened.page(url) as page:
        async with page.expect_popup() as first:
            await page.evaluate("() => void open('about:blank')")
        async with (await first.value).expect_popup() as second:
            await (await first.value).evaluate("() => void open('about:blank')")
        popup = await second.value
        screen = await page.evaluate("[screen.width, screen.height]")
        await popup.wait_for_function("size => screen.width === size[0] && screen.height === size[1]", arg=screen)
