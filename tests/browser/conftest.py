"""A real Chromium for tests; where there is none they are skipped, but never in CI."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import BrowserType, Playwright, async_playwright

from proxysieve.browser.chromium import find_chromium
from proxysieve.errors import ConfigError


@pytest.fixture
async def playwright() -> AsyncIterator[Playwright]:
    """Playwright, started."""
    async with async_playwright() as started:
        try:
            find_chromium(started.chromium)
        except ConfigError as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(error))
        yield started


@pytest.fixture
def chromium(playwright: Playwright) -> BrowserType:
    """Playwright's Chromium, or the system's."""
    return playwright.chromium
