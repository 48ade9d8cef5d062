"""Sites that send a browser on, or do not say all that they began to, with a real Chromium."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import BrowserType
from tests.rude_servers import Behaviour, answer, by_path, listening, saying, sent_to

from proxysieve import Blocked, SessionPool
from proxysieve.adapters.playwright import PlaywrightBrowser, browser
from proxysieve.browser.options import BrowserOptions

SITE = "http://shop.example"
HTML = "Content-Type: text/html"
PAGE = answer("200 OK", HTML, body=b"<!DOCTYPE html><title>Lamps</title><p>Lamps of all kinds</p>")
QUICK = BrowserOptions(settle_seconds=1.0, check_seconds=0.5)


@asynccontextmanager
async def browsing(
    chromium: BrowserType, behaviours: Mapping[str, Behaviour], options: BrowserOptions = QUICK
) -> AsyncIterator[PlaywrightBrowser]:
    """A browser at a site whose pages misbehave; what stands in for its proxy answers in its place."""
    settings: dict[str, Any] = {"store": "memory:", "max_rate": 0.0, "looks": False}
    async with (
        listening(by_path(behaviours, saying(answer("404 Not Found")))) as port,
        SessionPool([f"http://127.0.0.1:{port}"], **settings) as pool,
        browser(pool, chromium, options) as opened,
    ):
        yield opened


async def test_a_block_page_behind_a_redirect_is_told_by_its_address(chromium: BrowserType) -> None:
    """What was asked for is the page, and not where it was sent on to; so the page is what it counts for."""
    behaviours = {"lamps": saying(sent_to("/sorry/index")), "index": saying(PAGE)}
    async with browsing(chromium, behaviours) as opened:
        with pytest.raises(Blocked) as blocked:
            async with opened.page(f"{SITE}/lamps", max_tries=1):
                raise AssertionError("it was taken for good")

    assert blocked.value.exchange.url == f"{SITE}/lamps"
    assert blocked.value.exchange.final_url == f"{SITE}/sorry/index"
