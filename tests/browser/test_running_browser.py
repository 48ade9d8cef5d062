"""A browser that is started, started again, and ended, whatever becomes of it."""

from __future__ import annotations

import asyncio
import os
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.async_api import BrowserType
from tests.browser.processes import browsers, marked, new_mark, until

import proxysieve.browser.chromium
import proxysieve.browser.running_browser
from proxysieve.browser.chromium import start
from proxysieve.browser.options import BrowserOptions
from proxysieve.browser.running_browser import Running
from proxysieve.browser.window_placement import Windows
from proxysieve.errors import ConfigError
from proxysieve.sessions.storage import BrowserRecord

ANY: Any = None


class Starts:
    """Starts browsers that end at once, and fails where it is told to."""

    def __init__(self, *fails: bool) -> None:
        self.fails = list(fails)

    async def __call__(self, *_: object) -> Dead:
        if self.fails.pop(0):
            raise ConfigError("chromium does not start: Timeout 30000ms exceeded.")
        return Dead()


class Dead:
    """As little of a Chromium as is asked for."""

    fingerprint = SimpleNamespace(user_agent="Chrome")
    is_alive = False
    context_count = page_count = 0

    async def close(self) -> None:
        """There is nothing to do."""


@pytest.mark.parametrize(
    ("fails", "is_error"), [((False, True, True, False), False), ((False, True, True, True), True), ((True,), True)]
)
async def test_a_browser_that_takes_over_has_some_tries_to_start(
    monkeypatch: pytest.MonkeyPatch, fails: tuple[bool, ...], *, is_error: bool
) -> None:
    """The first one has only one: it says how this machine is."""
    starts = Starts(*fails)
    monkeypatch.setattr(proxysieve.browser.running_browser, "start", starts)
    monkeypatch.setattr(proxysieve.browser.running_browser, "RESTART_SECONDS", (0.0, 0.0))
    running = Running(ANY, BrowserOptions())

    async def take_twice() -> None:
        for _ in range(2):
            await running.give_back(await running.take())

    if is_error:
        with pytest.raises(ConfigError, match="does not start"):
            await take_twice()
    else:
        await take_twice()
    assert starts.fails == []


async def test_a_browser_that_does_not_say_what_it_is_is_ended(
    chromium: BrowserType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In time, and with its process."""
    mark = new_mark()

    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(proxysieve.browser.chromium, "_ask_itself", hang)
    monkeypatch.setattr(proxysieve.browser.chromium, "START_SECONDS", 2.0)

    with pytest.raises(ConfigError, match="does not start: to tell what it is took longer"):
        await start(chromium, marked(BrowserOptions(), mark))

    await until(lambda: not browsers(mark))


async def test_whoever_closes_something_can_be_cancelled(chromium: BrowserType) -> None:
    """What is to be closed is closed all the same."""
    running = await start(chromium, BrowserOptions())
    may_close, is_closed = asyncio.Event(), asyncio.Event()

    async def close() -> None:
        await may_close.wait()
        is_closed.set()

    waiting = asyncio.create_task(running.within(30.0, close()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    may_close.set()
    await until(is_closed.is_set)

    await running.close()


async def test_only_a_browser_that_runs_is_killed(chromium: BrowserType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of one that ended may be anybody's by then."""
    killed: list[int] = []
    running = await start(chromium, BrowserOptions())
    await running.close()
    monkeypatch.setattr(os, "kill", lambda pid, _: killed.append(pid))

    running.kill()

    assert killed == []


async def test_a_process_that_is_not_ours_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is that an error."""

    def refuse(_: int, __: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)

    proxysieve.browser.chromium.kill(1)


async def test_a_window_opens_beside_one_that_closed_at_once(
    chromium: BrowserType,
) -> None:
    """A page of the site's own may come and go at the same moment."""
    running = await start(chromium, BrowserOptions())
    context = await running.browser.new_context(no_viewport=True)
    gone = await context.new_page()
    await gone.close()

    async def tell(command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if command == "Target.createTarget":
            impl: Any = context._impl_obj
            impl.emit("page", gone._impl_obj)
        return await running.tell(command, arguments)

    windows = Windows(context, tell)
    await windows.open()
    beside, _ = await windows.open()

    assert beside in context.pages
    assert len(context.pages) == 2
    await running.close()


@pytest.mark.parametrize("name", ["headless", "proxy", "executable_path"])
def test_what_a_browser_is_launched_with_anyway_is_refused(name: str) -> None:
    """Playwright would be given it twice."""
    with pytest.raises(ConfigError, match=f"launch has '{name}'"):
        BrowserOptions(launch={name: True})


@pytest.mark.parametrize("locale", ["", "d", "de_DE", "de DE", "de-????", "de-DE,fr", "de-DE-x-one", "de-\n"])
def test_a_locale_that_is_none_is_refused(locale: str) -> None:
    """Before a page is opened, each of which would fail."""
    with pytest.raises(ConfigError, match="expected a language"):
        BrowserOptions(locale=locale)


@pytest.mark.parametrize("locale", ["de", "gsw-CH", "en-us", "es-419", "sr-Latn-RS"])
def test_a_locale_is_a_language_somewhere(locale: str) -> None:
    """It is what visitors read first."""
    assert BrowserOptions(locale=locale).languages[0] == locale


def test_what_is_left_out_is_a_list() -> None:
    """One word for it would be taken for its letters."""
    with pytest.raises(ConfigError, match=r"expected a list, as \['image'\]"):
        BrowserOptions(leave_out="image")  # type: ignore[arg-type] # that is the point


async def test_what_playwright_does_not_take_is_refused(chromium: BrowserType) -> None:
    """And named."""
    with pytest.raises(ConfigError, match=r"what Playwright does not take: .*'colour'"):
        await start(chromium, BrowserOptions(launch={"colour": "red"}))


def test_a_browsers_record_shows_nothing_of_what_sites_keep() -> None:
    """It may be what logs somebody in."""
    origin = {"origin": "http://a.example", "localStorage": [{"name": "token", "value": "hunter2"}]}

    shown = repr(BrowserRecord(origins=[origin], timezone="Europe/Berlin"))

    assert "Europe/Berlin" in shown
    assert "hunter2" not in shown
