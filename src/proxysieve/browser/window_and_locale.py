"""What a session has around its pages: a window on a screen, a language, a clock."""

from __future__ import annotations

import sys
from random import Random

from playwright.async_api import CDPSession

from proxysieve.browser.options import BrowserOptions
from proxysieve.sessions.screens import BrowserWindow, draw_window
from proxysieve.sessions.session import Session


class Surroundings:
    """Those of one session: drawn or chosen at its first page, and kept with it."""

    def __init__(self, session: Session, options: BrowserOptions) -> None:
        self._session = session
        self._options = options

    def timezone(self) -> str:
        """Where its clock is; empty for where this machine's is."""
        kept = self._session.browser
        if kept.window is None:
            # Chosen once, with the window.
            kept.timezone = self._options.timezone
        return kept.timezone

    async def give_window(self, commands: CDPSession) -> None:
        """Give a page the window of the session: a real one, so that all about it agrees."""
        window = self._window()
        told = await commands.send("Browser.getWindowForTarget")
        bounds = {"left": window.left, "top": window.top, "width": window.width, "height": window.height}
        await commands.send("Browser.setWindowBounds", {"windowId": told["windowId"], "bounds": bounds})
        await self.show_screen(commands)

    async def show_screen(self, commands: CDPSession) -> None:
        """Tell a page of the screen and the language of the session."""
        window = self._window()
        screen = {"screenWidth": window.screen_width, "screenHeight": window.screen_height}
        # 0 leaves the window at its size.
        own = {"width": 0, "height": 0, "deviceScaleFactor": window.pixel_ratio, "mobile": False}
        await commands.send("Emulation.setDeviceMetricsOverride", own | screen)
        if not self._options.locale.startswith("en"):
            # Flags set the languages. This sets how dates and numbers look, for which some systems lack data.
            await commands.send("Emulation.setLocaleOverride", {"locale": self._options.locale})

    def _window(self) -> BrowserWindow:
        kept = self._session.browser
        if kept.window is None:
            # The name is drawn by chance, and is the same for all of the session.
            kept.window = draw_window(Random(self._session.name), sys.platform)
        return kept.window
