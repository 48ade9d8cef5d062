"""What a real Chromium sends when somebody opens a page, which the client that imitates it is told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from typing import NamedTuple
from urllib.parse import quote

import msgspec
import pytest
from playwright.async_api import BrowserType, Page
from tests.browser.visits import TRUSTING
from tests.browsers import CHROME_150_TO_151

from proxysieve.browser.chromium import find_chromium
from proxysieve.core.fingerprints.families import FAMILIES
from proxysieve.testbed import SeenFingerprint, Testbed, World

CHROME = FAMILIES["chrome"]
WORLD = World(proxies=1, networks=1, https=True)
# Of HTTP/1.1, or of what a navigation need not have.
NOT_ALWAYS = {"host", "connection", "content-length", "cache-control", "content-type", "origin", "referer", "cookie"}
ALWAYS = {name.lower() for name in CHROME.first} - NOT_ALWAYS
FORM = """to => {
    const form = Object.assign(document.createElement('form'), {method: 'post', action: to});
    form.append(Object.assign(document.createElement('button'), {id: 'send'}));
    document.body.append(form);
}"""


class Visit(NamedTuple):
    """A page of a Chromium that nobody guards, and the site that it is on."""

    page: Page
    site: str

    @property
    def other_site(self) -> str:
        """The same server, as another site."""
        return self.site.replace("localhost", "127.0.0.1")

    async def sent(self, url: str) -> list[tuple[str, str]]:
        """The headers that came to the end of a visit at *url*."""
        await self.page.goto(url)
        return await self.shown()

    async def fingerprint(self) -> SeenFingerprint:
        """What the site sees of the page."""
        await self.page.goto(f"{self.site}/fingerprint")
        return msgspec.json.decode(await self.page.inner_text("body"), type=SeenFingerprint)

    async def shown(self) -> list[tuple[str, str]]:
        """The headers that the page says it was asked with."""
        return [(name, value) for name, value in json.loads(await self.page.inner_text("body"))["headers"]]


@asynccontextmanager
async def visit(chromium: BrowserType) -> AsyncIterator[Visit]:
    """A Chromium at a site."""
    async with Testbed(WORLD) as bed:
        browser = await chromium.launch(executable_path=find_chromium(chromium), args=[TRUSTING])
        async with browser:
            yield Visit(await browser.new_page(), bed.site_url)


def in_order(sent: Sequence[tuple[str, str]], order: Sequence[str]) -> list[str]:
    """The names of what was *sent*, as they would stand in *order*."""
    names = {name for name, _ in sent}
    return [name for name in map(str.lower, order) if name in names]


def check(sent: Sequence[tuple[str, str]], order: Sequence[str], *, beside: AbstractSet[str] = frozenset()) -> None:
    """All headers of a navigation were *sent* in *order*, others but those *beside* were not."""
    assert [name for name, _ in sent] == in_order(sent, order)
    assert {name for name, _ in sent} == ALWAYS | beside
    told = {name.lower(): value for name, value in CHROME.headers.items()}
    differ = {name for name, value in told.items() if dict(sent)[name] != value}
    assert differ - beside <= {"accept"}, "its media types are a newer version's"


async def test_the_first_and_the_next_request(chromium: BrowserType) -> None:
    """The cookie that came meanwhile stands before the priority."""
    async with visit(chromium) as seen:
        first = await seen.sent(f"{seen.site}/echo")
        await seen.page.goto(f"{seen.site}/cookie")
        second = await seen.sent(f"{seen.site}/echo")

    check(first, CHROME.first)
    check(second, CHROME.first, beside={"cookie"})


async def test_each_connection_opens_as_those_of_its_imitations(chromium: BrowserType) -> None:
    """HTTP/2 and priority; and a later one goes on with the TLS session of an earlier one."""
    async with visit(chromium) as seen:
        first = await seen.fingerprint()
        assert await seen.page.evaluate("fetch('/reset').then(() => 'came', () => 'lost')") == "lost"
        later = await seen.fingerprint()

    for shown in (first, later):
        assert shown.http2 == CHROME_150_TO_151.http2
        assert shown.http2_priority.partition(":")[2] == CHROME_150_TO_151.priority
    assert (first.is_resumed, later.is_resumed) == (False, True)
    assert {*extensions_of(later)} - {*extensions_of(first)} == {"0029"}


def extensions_of(shown: SeenFingerprint) -> list[str]:
    """As they stand in the raw form of JA4."""
    return shown.ja4_raw.split("_")[2].split(",")


@pytest.mark.parametrize("is_other_site", [False, True])
async def test_after_a_redirect_the_hints_stand_elsewhere(*, is_other_site: bool, chromium: BrowserType) -> None:
    """What they say, and what is said of the request, stays: no page of any site led here."""
    async with visit(chromium) as seen:
        to = f"{seen.other_site if is_other_site else seen.site}/echo"
        sent = await seen.sent(f"{seen.site}/away?to={quote(to, safe='')}")

    check(sent, CHROME.redirected)


async def test_a_form_is_posted_in_the_same_order(chromium: BrowserType) -> None:
    """With what forms have, each in its place."""
    async with visit(chromium) as seen:
        await seen.page.goto(f"{seen.site}/echo")
        await seen.page.evaluate(FORM, f"{seen.site}/echo?posted")
        async with seen.page.expect_navigation():
            await seen.page.click("#send")
        sent = await seen.shown()

    of_forms = {"content-length", "cache-control", "content-type", "origin", "referer", "sec-fetch-site"}
    check(sent, CHROME.first, beside=of_forms)
