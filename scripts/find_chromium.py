"""Tells which Chromium there is to run; the exit status, whether there is one."""

from __future__ import annotations

import asyncio
import sys

from playwright.async_api import async_playwright

from proxysieve.browser.chromium import find_chromium
from proxysieve.errors import ConfigError


async def main() -> None:
    """Look for it."""
    async with async_playwright() as playwright:
        try:
            sys.stdout.write(find_chromium(playwright.chromium))
        except ConfigError:
            sys.exit(1)


if __name__ == "__main__":
    asyncio.run(main())
