"""What a visitor has around its pages: a window on a screen, a language, a clock."""

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
        """Give a page the window that this visitor has: a real one, so that nothing about it contradicts itself."""
        window = self._window()
        told = await commands.send("Browser.getWindowForTarget")
        bounds = {"left": window.left, "top": window.top, "width": window.width, "height": window.height}
        await commands.send("Browser.setWindowBounds", {"windowId": told["windowId"], "bounds": bounds})
        await self.show_screen(commands)

    async def show_screen(self, commands: CDPSession) -> None:
        """Tell a page of the screen and the language that this visitor has."""
        window = self._window()
        screen = {"screenWidth": window.screen_width, "screenHeight": window.screen_height}
        # Nought leaves to the window the size that it has.
        own = {"width": 0, "height": 0, "deviceScaleFactor": window.pixel_ratio, "mobile": False}
        await commands.send("Emulation.setDeviceMetricsOverride", own | screen)
        if not self._options.locale.startswith("en"):
            # The languages that it reads are flags; this is how dates and numbers look, for which systems lack data.
            await commands.send("Emulation.setLocaleOverride", {"locale": self._options.locale})

    def _window(self) -> BrowserWindow:
        kept = self._session.browser
        if kept.window is None:
            # The name is drawn by chance, and is one for all that is this visitor's.
            kept.window = draw_window(Random(self._session.name), sys.platform)
        return kept.window
