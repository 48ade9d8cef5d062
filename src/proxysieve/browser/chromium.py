"""One Chromium that runs: found, started so that it shows nothing that it should not, and ended for certain.

Its own proxy leads to a port where nobody listens; only contexts have real ones. So nothing leaves that is no
session's, whatever a new version of Chromium asks for by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserType, CDPSession, Error, Route

from proxysieve.browser.options import BrowserOptions
from proxysieve.browser.waiting import CLOSED, bring, in_time
from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.fingerprints.offered import real_chromium
from proxysieve.errors import ConfigError, ProxySieveError
from proxysieve.sessions.screens import LARGEST_SCREEN

# What Debian, Ubuntu and others call it.
NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
HOW_TO_INSTALL = (
    "there is no Chromium here: `playwright install chromium` downloads Playwright's own, and `apt install chromium` "
    "(Debian; or what your system has for it) installs the system's; another one is taken by executable=, on the "
    "command line by --browser-path"
)
DRIVER_ENDED = "Playwright's driver, its process node, has ended and all browsers with it: begin again"
# Only contexts have proxies that lead anywhere: what the browser asks for itself, and what escapes from a context,
# ends here, where nobody listens.
NOWHERE = "http://127.0.0.1:9"
# Of two lists of them Chromium heeds the last, so ours has what is wanted of Playwright's. With the upgrades, a first
# page by http would be tried by https.
DISABLED = (
    "AutofillServerCommunication",
    "AsyncDns",
    "DnsOverHttps",
    "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable",
    "OptimizationHints",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "PreconnectToSearch",
    "LensOverlay",
    "AimEnabled",
    "PaintHolding",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
)
FLAGS = (
    # Browsers that are driven say so to every page otherwise.
    "--disable-blink-features=AutomationControlled",
    # WebRTC would go by UDP past the proxy, and show this machine's own address.
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    # Frames of other sites, as those that checks of vendors run in, would see the real screen instead of the session's:
    # what is emulated does not reach into other processes.
    "--disable-site-isolation-trials",
    # Names are for the proxies to resolve.
    "--dns-prefetch-disable",
    f"--disable-features={','.join(DISABLED)}",
)
# Under Linux what Chromium's headless mode draws on is there for browsers that are not headless too. Those do not call
# themselves so, and what they say of themselves in detail stays there, which a user agent by a flag takes away.
ON_NO_SCREEN = (
    "--ozone-platform=headless",
    f"--ozone-override-screen-size={LARGEST_SCREEN[0]},{LARGEST_SCREEN[1]}",
    # There is a mouse, as Playwright has it where it knows of no screen.
    "--blink-settings=primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4",
    "--mute-audio",
)
# Answered here, not by anybody: pages of https alone are told all that a browser says of itself.
SELF_URL = "https://self.invalid/"
ASK_ITSELF = """() => ({
    brands: navigator.userAgentData.brands.map(({brand, version}) => `"${brand}";v="${version}"`).join(", "),
    isMobile: navigator.userAgentData.mobile,
    platform: navigator.userAgentData.platform,
    userAgent: navigator.userAgent,
    languages: [...navigator.languages],
})"""
# Until it is known what it is; the launch has a limit of Playwright's own.
START_SECONDS = 30.0
ANSWER_SECONDS = 10.0
CLOSE_SECONDS = 5.0


def find_chromium(kind: BrowserType, executable: str = "") -> str:
    """The path of the Chromium to run.

    Raises:
        ConfigError: There is none, or it is not Chromium that was asked for.
    """
    if kind.name != "chromium":
        raise ConfigError(f"sessions are visitors by Chromium, not by {kind.name}: hand over playwright.chromium")
    if executable:
        found = shutil.which(executable)
        if found is None:
            raise ConfigError(f"{executable!r} is no program: {HOW_TO_INSTALL}")
        return found
    if Path(kind.executable_path).exists():
        return kind.executable_path
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise ConfigError(HOW_TO_INSTALL)
    return found


class Chromium:
    """A browser that runs.

    Attributes:
        fingerprint: Of its sessions: the version and the platform that it has.
        page_count: How many pages were opened in it.
        context_count: How many contexts are open in it.
    """

    def __init__(self, browser: Browser, cdp: CDPSession, pid: int, fingerprint: Fingerprint) -> None:
        self.browser = browser
        self.fingerprint = fingerprint
        self.page_count = 0
        self.context_count = 0
        self._cdp = cdp
        self._pid = pid
        self._ended = asyncio.Event()
        browser.on("disconnected", lambda _: self._ended.set())

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self.browser.is_connected() and not self._ended.is_set()

    async def within(self, seconds: float, closing: Awaitable[None]) -> None:
        """Wait for *closing* something of it, but no longer than that, nor than it lives.

        Playwright may wait for ever for what a browser that crashed would have said.
        """
        work = asyncio.ensure_future(closing)
        end = asyncio.create_task(self._ended.wait())
        # Each ends the other, and not the caller: what was not waited for is still to be closed.
        end.add_done_callback(lambda _: work.cancel())
        work.add_done_callback(lambda _: end.cancel())
        # Should it fail, there is nobody to be told.
        work.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.wait({work, end}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    async def tell(self, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Command it by its own protocol, and return what it says."""
        told: dict[str, Any] = await self._cdp.send(command, arguments)
        return told

    async def answers(self) -> bool:
        """Whether it still does what it is told; one that hangs does not."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._cdp.send("Browser.getVersion")
        except (Error, TimeoutError):
            return False
        return True

    def kill(self) -> None:
        """End it without asking."""
        # Once it has ended, its number may be another process's.
        if self.is_alive:
            kill(self._pid)
            # A driver that ended before it does not tell.
            self._ended.set()

    async def close(self) -> None:
        """End it."""
        await self.within(CLOSE_SECONDS, self.browser.close())
        if self.is_alive:
            self.kill()

    def __repr__(self) -> str:
        return f"<Chromium {self.browser.version}, {self.context_count} contexts>"


def kill(pid: int) -> None:
    """End a process without asking, if it is there and ours."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


async def start(kind: BrowserType, options: BrowserOptions, user_agent: str = "") -> Chromium:
    """Start a Chromium whose user agent is *user_agent*; its own, without a word on where its windows are, if empty.

    Raises:
        ConfigError: It is not there, or does not start.
        ProxySieveError: Playwright itself has ended.
    """
    executable = find_chromium(kind, options.executable)
    browser = await _launch(kind, executable, options, user_agent)
    pid = 0
    try:
        async with in_time(START_SECONDS, "to tell what it is"):
            cdp = await browser.new_browser_cdp_session()
            processes = (await cdp.send("SystemInfo.getProcessInfo"))["processInfo"]
            pid = next(one["id"] for one in processes if one["type"] == "browser")
            own = "" if user_agent else (await cdp.send("Browser.getVersion"))["userAgent"]
            if "Headless" not in own:
                return Chromium(browser, cdp, pid, await _ask_itself(browser, options.timezone))
    except BaseException as error:
        await _end(browser, pid)
        if isinstance(error, Error):
            raise _does_not_start(executable, error) from error
        raise
    # A flag alone changes it everywhere, in workers too; and emulation would change the order of headers.
    await _end(browser, pid)
    return await start(kind, options, own.replace("Headless", ""))


async def _end(browser: Browser, pid: int) -> None:
    with contextlib.suppress(Error):
        async with in_time(CLOSE_SECONDS, "its end"):
            await browser.close()
    if pid and browser.is_connected():
        kill(pid)


def _does_not_start(executable: str, error: Exception) -> ConfigError:
    first_line = str(error).strip().partition("\n")[0]
    return ConfigError(f"{executable} does not start: {first_line}")


async def _launch(kind: BrowserType, executable: str, options: BrowserOptions, user_agent: str) -> Browser:
    given = dict(options.launch)
    is_headless = options.headless and sys.platform != "linux"
    platform = ON_NO_SCREEN if options.headless and not is_headless else ()
    own = (*FLAGS, *platform, f"--lang={options.locale}", f"--accept-lang={','.join(options.languages)}")
    flags = [*own, *([f"--user-agent={user_agent}"] if user_agent else []), *given.pop("args", ())]
    environment = {**os.environ, "LANGUAGE": options.locale.replace("-", "_"), **given.pop("env", {})}
    try:
        launching = kind.launch(
            executable_path=executable,
            headless=is_headless,
            args=flags,
            env=environment,
            proxy={"server": NOWHERE},
            **given,
        )
        return await bring(launching, Browser.close)
    except Error as error:
        if error.message.endswith(CLOSED):
            # A browser that ended as it started left a log of it.
            raise ProxySieveError(DRIVER_ENDED) from error
        raise _does_not_start(executable, error) from error
    except TypeError as error:
        raise ConfigError(f"launch has what Playwright does not take: {error}") from error


async def _ask_itself(browser: Browser, timezone: str) -> Fingerprint:
    context = await browser.new_context(no_viewport=True, timezone_id=timezone or None)

    async def answer(route: Route) -> None:
        await route.fulfill(body="<!DOCTYPE html><title></title>", content_type="text/html")

    try:
        await context.route("**/*", answer)
        page = await context.new_page()
        # Of a time zone, a page alone is told that there is none of that name.
        await page.goto(SELF_URL)
        told = await page.evaluate(ASK_ITSELF)
    except Error as error:
        if "timezone" not in str(error):
            raise
        raise ConfigError(f"timezone is {timezone!r}: expected a name such as Europe/Berlin") from error
    await context.close()
    return real_chromium(
        told["userAgent"],
        accept_language(told["languages"]),
        (
            ("sec-ch-ua", told["brands"]),
            ("sec-ch-ua-mobile", "?1" if told["isMobile"] else "?0"),
            ("sec-ch-ua-platform", f'"{told["platform"]}"'),
        ),
    )


def accept_language(languages: list[str]) -> str:
    """The header for *languages*, as Chromium makes it: a tenth less for each, down to one."""
    weights = (max(10 - place, 1) for place in range(len(languages)))
    return ",".join(
        language if weight == 10 else f"{language};q=0.{weight}"
        for language, weight in zip(languages, weights, strict=True)
    )
