"""Chrome with the flags that it is given and no others that lead anywhere, driven through Playwright."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Error, sync_playwright

from proxysieve.browser.chromium import find_chromium

from .common.exceptions import WebDriverException


class ChromeOptions:
    """How Chrome is started."""

    def __init__(self) -> None:
        self.arguments: list[str] = []

    def add_argument(self, argument: str) -> None:
        self.arguments.append(argument)


class Chrome:
    """A Chrome with one page."""

    def __init__(self, options: ChromeOptions) -> None:
        self._playwright = sync_playwright().start()
        kind: Any = self._playwright.chromium
        # Chrome goes to loopback directly otherwise, where the testbed's site is.
        arguments = [*options.arguments, "--proxy-bypass-list=<-loopback>"]
        self._browser = kind.launch(executable_path=find_chromium(kind), args=arguments)
        self._page = self._browser.new_page(no_viewport=True)
        self._cdp = self._page.context.new_cdp_session(self._page)

    def get(self, url: str) -> None:
        try:
            self._page.goto(url)
        except Error as error:
            raise WebDriverException(error.message) from error

    def execute_script(self, script: str) -> object:
        return self._page.evaluate(f"() => {{ {script} }}")

    def execute_cdp_cmd(self, command: str, parameters: dict[str, Any]) -> object:
        return self._cdp.send(command, parameters)

    @property
    def page_source(self) -> str:
        return str(self._page.content())

    @property
    def current_url(self) -> str:
        return str(self._page.url)

    @property
    def title(self) -> str:
        return str(self._page.title())

    def quit(self) -> None:
        self._browser.close()
        self._playwright.stop()
