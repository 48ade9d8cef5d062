"""The browser that is beneath adapters for browsers."""

from __future__ import annotations

from tests.browser.conftest import chromium, playwright

__all__ = ["chromium", "playwright"]
