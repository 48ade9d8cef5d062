"""All that a site can read of a visitor by a real browser agrees, in every place where it can be read."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Frame
from tests.browser.shared import SharedChromium
from tests.browser.visits import TRUSTING, Seen, browsing, mirrored, options, visit

from proxysieve.adapters.playwright import SessionPage
from proxysieve.browser.options import BrowserOptions
from proxysieve.sessions.screens import BrowserWindow
from proxysieve.sessions.session import Session
from proxysieve.testbed import Mirror, Testbed, World
from proxysieve.testbed.mirror import AgentData, Part, Realm

LOGIN = World(proxies=1, networks=1)
PLAIN = World(proxies=1, networks=1, credentials=False)
TLS = World(proxies=1, networks=1, credentials=False, https=True)
SITES = [pytest.param(PLAIN, id="http"), pytest.param(LOGIN, id="login"), pytest.param(TLS, id="https")]
# Workers say nothing by headers of their client hints, in any Chromium.
WITHOUT_HINTS: set[Part] = {"worker"}
ADD_FRAME = "url => document.body.append(Object.assign(document.createElement('iframe'), {src: url}))"
SCREEN = """() => ({
    screen: [screen.width, screen.height, screen.availWidth, screen.availHeight],
    window: [outerWidth, outerHeight, screenX, screenY],
    ratio: devicePixelRatio,
    media: matchMedia(`(device-width: ${screen.width}px) and (device-height: ${screen.height}px)`).matches
        && matchMedia(`(resolution: ${devicePixelRatio}dppx)`).matches,
})"""


Look = Callable[[World, BrowserOptions], Awaitable[Seen]]


@pytest.fixture(scope="module")
def visits() -> dict[tuple[World, str, str], Seen]:
    """What was seen at the mirror, as a visit takes seconds."""
    return {}


@pytest.fixture
def look(visits: dict[tuple[World, str, str], Seen], shared: SharedChromium) -> Look:
    """Visits the mirror, unless a visitor of the same kind was there before."""

    async def look(world: World, how: BrowserOptions) -> Seen:
        key = (world, how.locale, how.timezone)
        if key not in visits:
            visits[key] = await visit(world, shared, how)
        return visits[key]

    return look


def realms_of(mirror: Mirror) -> list[Realm]:
    """The page, its worker and its frame, all of which there are."""
    assert mirror.worker is not None
    assert mirror.frame is not None
    return [mirror.page, mirror.worker, mirror.frame]


def header(mirror: Mirror, part: Part, name: str) -> str:
    """What came by the header *name* with a part, or nothing."""
    return {one.lower(): value for one, value in mirror.headers[part]}.get(name, "")


def agent_data_of(realm: Realm) -> AgentData:
    assert realm.agent_data is not None, "the context is secure"
    return realm.agent_data


def window_of(session: Session) -> BrowserWindow:
    assert session.browser.window is not None, "it has had a page"
    return session.browser.window


@pytest.mark.parametrize("world", SITES)
async def test_every_place_names_the_same_browser(world: World, look: Look) -> None:
    """Headers of all seven kinds of request, and navigator in page, worker and frame, as the session has it."""
    session, mirror, _ = await look(world, options())

    fingerprint = session.fingerprint
    assert "Headless" not in fingerprint.user_agent
    assert len(mirror.headers) == 7
    assert {header(mirror, part, "user-agent") for part in mirror.headers} == {fingerprint.user_agent}
    assert {realm.user_agent for realm in realms_of(mirror)} == {fingerprint.user_agent}
    assert len({(realm.platform, realm.hardware_concurrency, realm.device_memory) for realm in realms_of(mirror)}) == 1


@pytest.mark.parametrize("world", SITES)
async def test_client_hints_agree_with_what_scripts_are_told(world: World, look: Look) -> None:
    """By headers, by userAgentData in page, worker and frame, and with the version in the user agent."""
    session, mirror, _ = await look(world, options())

    fingerprint = session.fingerprint
    for part in set(mirror.headers) - WITHOUT_HINTS:
        assert {(name, header(mirror, part, name)) for name, _ in fingerprint.client_hints} == set(
            fingerprint.client_hints
        )
    told = {agent_data_of(realm) for realm in realms_of(mirror)}
    [agent] = told
    brands = ", ".join(f'"{brand}";v="{version}"' for brand, version in agent.brands)
    assert dict(fingerprint.client_hints) == {
        "sec-ch-ua": brands,
        "sec-ch-ua-mobile": "?1" if agent.is_mobile else "?0",
        "sec-ch-ua-platform": f'"{agent.platform}"',
    }
    assert f"Chrome/{dict(agent.brands)['Chromium']}." in fingerprint.user_agent


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the user agent is a flag, which takes them away")
async def test_a_script_that_asks_for_details_is_told_them(look: Look) -> None:
    """Full versions and the processor, as by any browser that people use."""
    _, mirror, _ = await look(PLAIN, options())

    for realm in realms_of(mirror):
        agent = agent_data_of(realm)
        assert [(brand, full.partition(".")[0]) for brand, full in agent.full_versions] == list(agent.brands)
        assert agent.architecture
        assert agent.bitness == "64"


@pytest.mark.parametrize("world", SITES)
@pytest.mark.parametrize(
    ("locale", "languages", "accept_language"),
    [
        ("en-US", ("en-US", "en"), "en-US,en;q=0.9"),
        ("de-DE", ("de-DE", "de", "en-US", "en"), "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7"),
    ],
)
async def test_a_visitor_reads_one_language_everywhere(
    locale: str, languages: tuple[str, ...], accept_language: str, world: World, look: Look
) -> None:
    """By header, by navigator, and by how dates and numbers look."""
    session, mirror, _ = await look(world, options(locale=locale))

    assert session.fingerprint.accept_language == accept_language
    assert {header(mirror, part, "accept-language") for part in mirror.headers} == {accept_language}
    assert {(realm.language, realm.languages) for realm in realms_of(mirror)} == {(locale, languages)}
    assert {realm.locale for realm in realms_of(mirror)} == {locale}


async def test_clocks_are_where_they_are_set(look: Look) -> None:
    """In page, worker and frame, by name and by Date."""
    session, mirror, _ = await look(PLAIN, options(timezone="Asia/Tokyo"))

    assert session.browser.timezone == "Asia/Tokyo"
    assert {(realm.timezone, realm.offset_minutes) for realm in realms_of(mirror)} == {("Asia/Tokyo", -540)}


async def test_nothing_says_that_the_browser_is_driven(look: Look) -> None:
    """No webdriver, and what an ordinary Chromium has."""
    _, mirror, _ = await look(PLAIN, options())

    assert (mirror.page.webdriver, mirror.frame and mirror.frame.webdriver) == (False, False)
    assert mirror.has_chrome
    assert mirror.plugin_count > 0
    assert mirror.max_touch_points == 0


async def test_the_window_is_the_one_that_the_session_keeps(look: Look) -> None:
    """And what is inside of it is smaller by the browser's own bars alone."""
    session, mirror, _ = await look(PLAIN, options())

    kept, shown = window_of(session), mirror.window
    assert (mirror.screen.width, mirror.screen.height) == (kept.screen_width, kept.screen_height)
    assert (shown.outer_width, shown.outer_height) == (kept.width, kept.height)
    assert (shown.screen_x, shown.screen_y) == (kept.left, kept.top)
    assert shown.device_pixel_ratio == kept.pixel_ratio
    assert shown.inner_width == shown.outer_width
    assert 60 < shown.outer_height - shown.inner_height < 160


def seen_as_kept(page: SessionPage) -> dict[str, Any]:
    """What SCREEN reads, if it agrees with what the session of *page* keeps."""
    kept = window_of(page.session)
    screen = [kept.screen_width, kept.screen_height]
    return {
        "screen": [*screen, *screen],
        "window": [kept.width, kept.height, kept.left, kept.top],
        "ratio": kept.pixel_ratio,
        "media": True,
    }


@pytest.mark.parametrize("locale", ["en-US", "de-DE"])
async def test_pages_of_one_session_do_not_hide_each_other(locale: str, shared: SharedChromium) -> None:
    """All that are open at once show the whole window, for as long as they are."""
    async with browsing(PLAIN, shared, options(locale=locale)) as (bed, _, opened):
        are_open = asyncio.Barrier(3)

        async def look_at(page_id: int) -> tuple[str, object, object]:
            async with opened.page(bed.page_url(page_id)) as page:
                await are_open.wait()
                seen = await page.evaluate(SCREEN)
                await are_open.wait()
                return page.session.name, seen, seen_as_kept(page)

        looks = await asyncio.gather(*map(look_at, range(3)))

    assert len({name for name, _, _ in looks}) == 1
    for _, seen, kept in looks:
        assert seen == kept


async def test_frames_of_other_sites_see_the_same_screen(shared: SharedChromium) -> None:
    """Checks of vendors run in such frames."""
    async with browsing(PLAIN, shared, options()) as (bed, _, opened), opened.page(bed.page_url(1)) as page:
        frame = await frame_at(page, bed.page_url(2).replace("127.0.0.1", "localhost"))

        seen = await frame.evaluate(SCREEN)

        assert seen == seen_as_kept(page)
        assert await frame.evaluate("navigator.userAgent") == page.session.fingerprint.user_agent


async def frame_at(page: SessionPage, url: str) -> Frame:
    """A frame in *page* that shows what is at *url*."""
    async with page.expect_event("framenavigated", lambda frame: frame.url == url) as navigated:
        await page.evaluate(ADD_FRAME, url)
    frame: Frame = await navigated.value
    await frame.wait_for_load_state()
    return frame


async def test_popups_get_the_screen_of_the_session(shared: SharedChromium) -> None:
    """Soon after they opened."""
    async with browsing(PLAIN, shared, options()) as (bed, _, opened), opened.page(bed.page_url(1)) as page:
        async with page.expect_popup() as opening:
            await page.evaluate("void open('/page/2')")
        popup = await opening.value

        width = window_of(page.session).screen_width
        await popup.wait_for_function("width => screen.width === width", arg=width)


async def headers_of_plain(bed: Testbed, executable: str, proxy: str, user_agent: str, folder: Path) -> Sequence[str]:
    """The headers of a page's request by a Chromium that nobody drives, in their order."""
    flags = [
        *("--headless", "--no-sandbox", "--no-first-run", "--disable-component-update", TRUSTING),
        *(f"--user-data-dir={folder}", f"--user-agent={user_agent}"),
        *(f"--proxy-server={proxy}", "--proxy-bypass-list=<-loopback>"),
    ]
    quiet = asyncio.subprocess.DEVNULL
    plain = await asyncio.create_subprocess_exec(
        executable, *flags, "--dump-dom", bed.page_url(2), stdout=quiet, stderr=quiet
    )
    await plain.wait()
    return headers_of(bed, "/page/2")


def headers_of(bed: Testbed, path: str) -> Sequence[str]:
    """The names of the headers of the one request for *path*."""
    truth = bed.truth()
    [hit] = [hit for hit in truth.hits if hit.path == path]
    return truth.fingerprint_of(hit).header_names


@pytest.mark.parametrize("world", SITES)
async def test_headers_come_as_from_a_browser_that_nobody_drives(
    world: World, chromium_path: str, shared: SharedChromium, tmp_path: Path
) -> None:
    """The same names, in the same order and case."""
    async with browsing(world, shared, options()) as (bed, pool, opened):
        async with opened.page(bed.page_url(1)) as page:
            user_agent = page.session.fingerprint.user_agent

        async with pool.relay(page.session) as proxy:
            plain = await headers_of_plain(bed, chromium_path, proxy, user_agent, tmp_path)

        assert headers_of(bed, "/page/1") == plain


@pytest.mark.parametrize("world", SITES)
async def test_the_built_in_client_is_the_same_visitor(world: World, shared: SharedChromium) -> None:
    """One session: the same headers in the same order, but for the media types that versions differ in."""
    async with browsing(world, shared, options(locale="de-DE")) as (bed, pool, opened):
        async with opened.page(f"{bed.site_url}/mirror") as page:
            await mirrored(page)
        async with opened.page(f"{bed.site_url}/echo") as page:
            by_browser = json.loads(await page.inner_text("body"))["headers"]

        by_client = json.loads((await pool.get(f"{bed.site_url}/echo")).body)["headers"]

        assert pool.statuses()[page.session.site].working == 1
    assert [name for name, _ in by_client] == [name for name, _ in by_browser]
    differing = {name.lower() for name, value in by_client if [name, value] not in by_browser}
    assert differing <= {"accept", "cookie"}
    assert cookies_in(by_client) == cookies_in(by_browser)
    assert len(cookies_in(by_client)) == 2


def cookies_in(headers: Sequence[Sequence[str]]) -> set[str]:
    """The cookies that came, in whichever order, and in one header or several."""
    return {cookie for name, value in headers if name.lower() == "cookie" for cookie in value.split("; ")}


async def test_cookies_go_both_ways(shared: SharedChromium) -> None:
    """With what hides them from scripts, and what limits them to the site; also in a context that was made anew."""
    async with browsing(PLAIN, shared, options(pages_a_context=1)) as (bed, pool, opened):
        async with opened.page(f"{bed.site_url}/mirror") as page:
            await mirrored(page)
            await page.evaluate("document.cookie = 'strict=1; SameSite=Strict'")
        await pool.get(f"{bed.site_url}/mirror")
        await pool.get(f"{bed.site_url}/cookie")

        async with opened.page(bed.page_url(1)) as page:
            cookies: list[Any] = list(await page.context.cookies())
            visible = await page.evaluate("document.cookie")

    kept = {one["name"]: (one["value"], one["httpOnly"], one["sameSite"]) for one in cookies}
    assert kept == {
        "mirror": ("2", True, "Lax"),
        "mirror_script": ("1", False, "Lax"),
        "strict": ("1", False, "Strict"),
        "flavour": ("vanilla", False, "Lax"),
    }
    assert set(visible.split("; ")) == {"mirror_script=1", "strict=1", "flavour=vanilla"}
