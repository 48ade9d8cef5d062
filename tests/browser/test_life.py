"""Browsers and contexts that crash, hang, grow old and end, with a real Chromium at a real site."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserType, Error, Page, Playwright
from tests.browser.processes import all_ending, browsers, children, family, marked, new_mark, send, until
from tests.browser.shared import SharedChromium

import proxysieve.browser.chromium
import proxysieve.browser.renderer
import proxysieve.browser.session_context
import proxysieve.pool.attempts
from proxysieve import GaveUp, ProxySieveError, Request, SessionPool
from proxysieve.adapters.playwright import PlaywrightBrowser, browser
from proxysieve.browser.client import BrowserClient
from proxysieve.browser.options import BrowserOptions
from proxysieve.browser.page_load import Loading
from proxysieve.browser.renderer import Visit
from proxysieve.browser.storage_state import MOST_BYTES
from proxysieve.clients.protocol import Response
from proxysieve.errors import ConfigError, SessionEnded
from proxysieve.testbed import Testbed, World

OPTIONS = BrowserOptions(max_pages=3)
AD = "http://ads.example/"
SHOW = """url => {
    const frame = document.createElement("iframe");
    frame.src = url;
    document.body.append(frame);
}"""


@asynccontextmanager
async def browsing(
    bed: Testbed, shared: SharedChromium, options: BrowserOptions = OPTIONS
) -> AsyncIterator[PlaywrightBrowser]:
    """A browser for a pool of the testbed's proxies."""
    settings: dict[str, Any] = {"store": "memory:", "max_rate": 0.0, "seed": 1, "max_wait_seconds": 5.0}
    async with SessionPool(bed.proxy_lines, **settings) as pool, shared.browser(pool, options) as opened:
        yield opened


@asynccontextmanager
async def rendering(client: AbstractAsyncContextManager[BrowserClient]) -> AsyncIterator[tuple[Testbed, SessionPool]]:
    """A pool whose own client is a browser."""
    settings: dict[str, Any] = {"store": "memory:", "max_rate": 0.0, "seed": 1, "max_wait_seconds": 5.0}
    async with (
        Testbed(World(proxies=2)) as bed,
        client as opened,
        SessionPool(bed.proxy_lines, client=opened, **settings) as pool,
    ):
        yield bed, pool


def browser_of(page: Page) -> Browser:
    assert page.context.browser is not None
    return page.context.browser


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What hangs is noticed within a moment."""
    monkeypatch.setattr(proxysieve.browser.chromium, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(proxysieve.browser.chromium, "CLOSE_SECONDS", 1.0)
    monkeypatch.setattr(proxysieve.browser.renderer, "ASK_SECONDS", 1.0)
    monkeypatch.setattr(proxysieve.browser.session_context, "CLOSE_SECONDS", 1.0)
    # Other browsers start within it.
    monkeypatch.setattr(proxysieve.browser.session_context, "OPEN_SECONDS", 10.0)


async def test_a_browser_that_is_killed_is_replaced(shared: SharedChromium) -> None:
    """Who worked on a page in it is told so; the next page, of the same session, is in another one."""
    mark = new_mark()
    async with Testbed(World(proxies=1)) as bed, browsing(bed, shared, marked(OPTIONS, mark)) as opened:
        url = bed.page_urls(1)[0]
        with pytest.raises(SessionEnded, match="its browser crashed") as ended:
            await be_killed(opened, url, mark)
        async with opened.page(url) as again:
            assert "item 0" in await again.title()

    assert again.session.name == ended.value.session


async def be_killed(opened: PlaywrightBrowser, url: str, mark: dict[str, str]) -> None:
    """Have the browser end in the middle of something."""
    async with opened.page(url) as page:
        send(browsers(mark), signal.SIGKILL)
        await page.wait_for_selector("#nothing", timeout=0)


async def test_pages_that_load_while_the_browser_is_killed_are_loaded_by_another(shared: SharedChromium) -> None:
    """No session is blamed, and no try is counted."""
    mark = new_mark()
    world = World(proxies=2, latency_seconds=0.5)
    async with Testbed(world) as bed, browsing(bed, shared, marked(OPTIONS, mark)) as opened:

        async def title_of(url: str) -> str:
            async with opened.page(url) as page:
                return await page.title()

        async def kill_once_they_load() -> None:
            await until(lambda: bed.truth().hit_count >= 2)
            send(browsers(mark), signal.SIGKILL)

        titles = await asyncio.gather(*map(title_of, bed.page_urls(3)), kill_once_they_load())
        standing = await opened._pool.status(opened._pool.site_of(bed.site_url))

    assert [title.rpartition(" ")[2] for title in titles if title] == ["0", "1", "2"]
    assert (standing.blocked, standing.unclear, standing.dead) == (0, 0, 0)


async def test_a_page_that_is_closed_as_it_loads_is_loaded_again(
    shared: SharedChromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser that is told to end closes them while it still answers: no fault of the page's."""
    load = Loading.load
    closed: list[Page] = []

    async def close_the_first(self: Loading) -> Response:
        if not closed:
            closed.append(self.page)
            await self.page.context.close()
        return await load(self)

    monkeypatch.setattr(Loading, "load", close_the_first)
    async with rendering(shared.client(OPTIONS)) as (bed, pool):
        page = await pool.get(bed.page_url(0))

    assert len(closed) == 1
    assert (page.status, len(page.tries)) == (200, 1)


@pytest.mark.usefixtures("chromium")
async def test_a_driver_that_is_killed_is_named() -> None:
    """No page is blamed for it, and all work stops."""
    others = children()
    async with rendering(BrowserClient(OPTIONS)) as (bed, pool):
        await pool.get(bed.page_url(0))
        send(children() - others, signal.SIGKILL)

        with pytest.raises(ProxySieveError, match="Playwright's driver, its process node, has ended"):
            await pool.get(bed.page_url(1))


@pytest.mark.usefixtures("impatient")
async def test_a_browser_that_hangs_is_replaced(chromium: BrowserType) -> None:
    """It is ended, and the page is loaded by another one."""
    mark = new_mark()
    async with (
        Testbed(World(proxies=1)) as bed,
        SharedChromium(chromium) as own,
        browsing(bed, own, marked(OPTIONS, mark)) as opened,
    ):
        first, second = bed.page_urls(2)
        async with opened.page(first) as page:
            pass
        hung = browsers(mark)
        async with all_ending(hung):
            send(hung, signal.SIGSTOP)
            async with opened.page(second, timeout_seconds=2) as again:
                assert "item 1" in await again.title()

    assert again.session is page.session
    await until(lambda: not browsers(mark))


@pytest.mark.usefixtures("impatient")
async def test_a_page_that_never_answers_is_given_up(shared: SharedChromium) -> None:
    """A script of it that never ends keeps neither its user waiting for ever nor other pages."""
    options = BrowserOptions(max_pages=3, settle_seconds=0.5)
    async with Testbed(World(proxies=1)) as bed, browsing(bed, shared, options) as opened:
        async with opened.page(bed.page_urls(1)[0], timeout_seconds=2) as page:
            await page.evaluate("() => void setTimeout(() => { for (;;); }, 0)")
            with pytest.raises(Error, match="what the page shows took longer than 2 s"):
                await page.judge()
        async with opened.page(bed.page_urls(1)[0]) as again:
            assert "item 0" in await again.title()

    assert browser_of(again) is browser_of(page)


async def test_a_page_that_crashes_is_given_up(shared: SharedChromium) -> None:
    """The renderer's crash is the page's own affair: no session is blamed, and others go on."""
    crashed: list[str] = []

    async def crash(request: Request, visit: Visit) -> None:
        if request.url.endswith("/1"):
            crashed.append(visit.session.name)
            with suppress(Error):
                await visit.page.goto("chrome://crash")
            await visit.page.content()

    async with rendering(shared.client(OPTIONS, on_loaded=crash)) as (bed, pool):
        done = await asyncio.gather(*map(pool.get, bed.page_urls(3)), return_exceptions=True)
        standing = await pool.status(pool.site_of(bed.site_url))

    assert [isinstance(one, GaveUp) for one in done] == [False, True, False]
    assert len(crashed) == 1
    assert (standing.blocked, standing.unclear, standing.dead) == (0, 0, 0)


async def test_a_page_that_ends_every_browser_is_given_up(
    shared: SharedChromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some of them: it costs no session anything, but it must not go on for ever."""
    monkeypatch.setattr(proxysieve.pool.attempts, "MOST_ENDED", 3)
    mark, count = new_mark(), 0

    async def kill(request: Request, visit: Visit) -> None:
        nonlocal count
        if request.url.endswith("/1"):
            count += 1
            send(browsers(mark), signal.SIGKILL)
            await visit.page.wait_for_selector("#nothing", timeout=0)

    async with rendering(shared.client(marked(OPTIONS, mark), on_loaded=kill)) as (bed, pool):
        with pytest.raises(GaveUp):
            await pool.get(bed.page_urls(2)[1])
        page = await pool.get(bed.page_urls(1)[0])

    assert page.status == 200
    assert count == 3


@pytest.mark.parametrize("executable", ["/bin/false", "/bin/true"])
async def test_a_browser_that_does_not_start_is_named(playwright: Playwright, executable: str) -> None:
    """In one line."""
    async with SessionPool(["http://proxy.example:8000"], store="memory:") as pool:
        opening = browser(pool, playwright.chromium, BrowserOptions(executable=executable))
        with pytest.raises(ConfigError, match=f"^{executable} does not start: ") as error:
            await opening.__aenter__()

    assert "\n" not in str(error.value)


async def test_where_there_is_no_chromium_it_is_said_how_to_get_one(
    playwright: Playwright, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In both ways that there are."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(type(playwright.chromium), "executable_path", str(tmp_path / "chrome"))

    with pytest.raises(ConfigError, match=r"`playwright install chromium` .* `apt install chromium`"):
        proxysieve.browser.chromium.find_chromium(playwright.chromium)
    with pytest.raises(ConfigError, match=r"'no-such-browser' is no program: .*playwright install"):
        proxysieve.browser.chromium.find_chromium(playwright.chromium, "no-such-browser")


async def test_contexts_are_bounded_and_find_again_what_they_kept(shared: SharedChromium) -> None:
    """Two sessions take turns in the place of one; each has its own storage, and none the other's."""
    pages: list[Page] = []

    async def note(_: Request, visit: Visit) -> None:
        pages.append(visit.page)

    options = BrowserOptions(max_contexts=1, settle_seconds=30.0)
    context_counts = []
    async with rendering(shared.client(options, on_loaded=note)) as (bed, pool):
        for name in ("one", "other", "one", "other"):
            session = pool.session(name, site=pool.site_of(bed.site_url))
            assert (await session.get(f"{bed.site_url}/mirror")).session == name
            context_counts.append(len(browser_of(pages[-1]).contexts))
        visits = [one.visits for one in bed.truth().mirrors]

    assert context_counts == [1, 1, 1, 1]
    assert [(one.local_storage, one.indexed_db, one.script_cookie) for one in visits] == [
        (n,) * 3 for n in (0, 0, 1, 1)
    ]


async def test_contexts_and_browsers_that_grew_old_are_replaced(shared: SharedChromium) -> None:
    """One after so many pages, and the session goes on in the next."""
    options = BrowserOptions(pages_a_context=2, pages_a_browser=4)
    contexts, chromiums, names = [], [], set()
    async with Testbed(World(proxies=1)) as bed, browsing(bed, shared, options) as opened:
        for url in bed.page_urls(6):
            async with opened.page(url) as page:
                contexts.append(page.context)
                chromiums.append(browser_of(page))
                names.add(page.session.name)
        is_running = [one.is_connected() for one in dict.fromkeys(chromiums)]

    assert len(names) == 1
    assert [contexts.index(one) for one in contexts] == [0, 0, 2, 2, 4, 4]
    assert [chromiums.index(one) for one in chromiums] == [0, 0, 0, 0, 4, 4]
    assert is_running == [False, True]


async def test_windows_that_a_page_opened_are_closed_with_it(shared: SharedChromium) -> None:
    """And those that these opened."""
    async with Testbed(World(proxies=1)) as bed, browsing(bed, shared) as opened:
        async with opened.page(bed.page_urls(1)[0]) as page:
            async with page.expect_popup() as popup:
                await page.evaluate("() => void open('/page/1')")
            async with (await popup.value).expect_popup():
                await (await popup.value).evaluate("() => void open('/page/2')")
            assert len(page.context.pages) == 3

        assert page.context.pages == []


async def test_pages_that_nobody_waits_for_any_more_are_closed(shared: SharedChromium) -> None:
    """At whatever moment their users went away; the contexts stay, and nothing is in them."""
    async with Testbed(World(proxies=1)) as bed, browsing(bed, shared) as opened:
        url = bed.page_urls(1)[0]
        async with opened.page(url) as page:
            pass
        for rounds in (1, 5, 20, 60):
            loading = asyncio.create_task(opened.page(url).__aenter__())
            for _ in range(rounds):
                await asyncio.sleep(0)
            loading.cancel()
            await asyncio.wait([loading])
        await until(lambda: page.context.pages == [])
        async with opened.page(url) as again:
            assert again.context is page.context
            assert again.context.pages == [again]


async def test_a_storage_that_is_too_large_is_not_kept(shared: SharedChromium) -> None:
    """What was kept before stays, and so do the cookies of now."""
    async with Testbed(World(proxies=1)) as bed, browsing(bed, shared) as opened:
        async with opened.page(f"{bed.site_url}/mirror") as page:
            pass
        before = page.session.browser.origins
        async with opened.page(bed.page_urls(1)[0]) as page:
            await page.evaluate("size => localStorage.setItem('large', 'x'.repeat(size))", MOST_BYTES)
            await page.evaluate("() => { document.cookie = 'late=1; path=/' }")

    assert before
    assert page.session.browser.origins == before
    assert "late" in {cookie.name for cookie in page.session.cookies}


async def test_storage_is_kept_beside_frames_of_other_sites(shared: SharedChromium) -> None:
    """That of the page; a frame's is its own affair."""
    async with (
        Testbed(World(proxies=1)) as bed,
        browsing(bed, shared) as opened,
        opened.page(bed.page_urls(1)[0]) as page,
    ):
        await page.route(AD, lambda route: route.fulfill(body="<!DOCTYPE html>", content_type="text/html"))
        async with page.expect_event("framenavigated", lambda frame: frame.url == AD):
            await page.evaluate(SHOW, AD)
        await page.evaluate("() => localStorage.setItem('basket', 'full')")

    [kept] = page.session.browser.origins
    assert kept["origin"] == bed.site_url
    assert kept["localStorage"] == [{"name": "basket", "value": "full"}]


@pytest.mark.usefixtures("chromium")
@pytest.mark.parametrize("what", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_nothing_is_left_of_a_job_that_is_ended(what: signal.Signals, tmp_path: Path) -> None:
    """No process: neither of the browser's nor of Playwright's, however the job was ended."""
    mark = new_mark()
    async with Testbed(World(proxies=2, latency_seconds=0.5)) as bed:
        (tmp_path / "urls.txt").write_text("\n".join(bed.page_urls(200)))
        (tmp_path / "proxies.txt").write_text("\n".join(bed.proxy_lines))
        job = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "proxysieve", "fetch", "urls.txt", "--browser", "--concurrency", "2"),
            *("--proxies", "proxies.txt", "--out", "pages.jsonl", "--no-robots", "--max-rate", "0", "--quiet"),
            cwd=tmp_path,
            env=os.environ | mark,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        await until(lambda: bed.truth().hit_count > 2)
        pids = family(mark)
        async with all_ending(pids):
            job.send_signal(what)
            await job.wait()

    assert len(pids) > 5
    await until(lambda: not family(mark))
