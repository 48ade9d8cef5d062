"""What the tests of the shell share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from proxysieve.clock import VirtualClock

if TYPE_CHECKING:
    from playwright.async_api import BrowserType, Playwright
    from tests.browser.shared import SharedChromium

# No test asserts a time: a machine that has other work is no fault.
settings.register_profile("usual", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("usual")
# For a night, or after a change to what reads files: pytest --hypothesis-profile=long tests/test_fuzz*.py
settings.register_profile(
    "long", max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The Chromium that there is; without one a test is skipped, but never in CI."""
    script = Path(__file__).parent.parent / "scripts" / "find_chromium.py"
    found = subprocess.run([sys.executable, script], check=False, capture_output=True, text=True)
    if found.returncode and not os.environ.get("CI"):
        pytest.skip("there is no Chromium here")
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of a file that use one Playwright in one loop."""
    for item in items:
        if isinstance(item, pytest.Function) and "playwright" in item.fixturenames:
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def playwright(chromium_path: str) -> AsyncIterator[Playwright]:  # noqa: ARG001 - without it there is nothing to test
    """Playwright, started."""
    from playwright.async_api import async_playwright  # noqa: PLC0415 - most files need none

    async with async_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> BrowserType:
    """Playwright's Chromium, or the system's."""
    return playwright.chromium


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(chromium: BrowserType) -> AsyncIterator[SharedChromium]:
    """Chromiums that run until the end of the file."""
    from tests.browser.shared import SharedChromium  # noqa: PLC0415 - most files need none

    async with SharedChromium(chromium) as opened:
        yield opened


@pytest.fixture
def clock() -> VirtualClock:
    """Time that stands still until it is told to move on."""
    return VirtualClock()
