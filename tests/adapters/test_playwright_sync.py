"""Browsers' pages for callers without ``await``, in a real Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from proxysieve import Blocked, Outcome, SyncSessionPool
from proxysieve.adapters.playwright import SyncPlaywrightBrowser, sync_browser
from proxysieve.sync.playwright_objects import taken
from proxysieve.testbed import TestbedProcess, World

WORLD = World(proxies=6, networks=2, banned_share=0.3, page_bytes=2_000)

pytestmark = pytest.mark.usefixtures("chromium_path")


@pytest.fixture(scope="module")
def bed() -> Iterator[TestbedProcess]:
    with TestbedProcess(WORLD) as running:
        yield running


@pytest.fixture(scope="module")
def opened(bed: TestbedProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncPlaywrightBrowser]:
    store: Path = tmp_path_factory.mktemp("store")
    with SyncSessionPool(bed.proxy_lines, store=store, max_rate=0) as pool, sync_browser(pool) as browser:
        yield browser


def test_a_page_is_playwrights_with_nothing_to_await(bed: TestbedProcess, opened: SyncPlaywrightBrowser) -> None:
    """Methods, properties, what they give, and lists of that."""
    with opened.page(bed.page_url(1)) as page:
        assert page.session.name
        assert page.title().endswith("item 1")
        assert page.url == bed.page_url(1)
        assert page.locator("h1").inner_text() in page.title()
        assert [item.inner_text() for item in page.locator("li").all()] == page.locator("li").all_inner_texts()
        assert page.judge().outcome is Outcome.OK


def test_what_is_awaited_in_a_block(bed: TestbedProcess, opened: SyncPlaywrightBrowser) -> None:
    """``with`` takes the place of ``async with``, and a value is there without a word."""
    with opened.page(bed.page_url(1)) as page:
        with page.expect_response(lambda response: "page/2" in response.url) as coming:
            page.goto(bed.page_url(2))

        assert coming.value.status == 200


def test_handlers_may_use_the_page(bed: TestbedProcess, opened: SyncPlaywrightBrowser) -> None:
    """They are called off the loop, with as many arguments as they take."""
    seen: list[Any] = []
    with opened.page(bed.page_url(1)) as page:
        page.on("response", lambda response: seen.append((response.status, response.request.method)))
        page.route("**/nothing", lambda route: route.fulfill(body="<h1>made up</h1>", content_type="text/html"))

        page.goto(f"{bed.site_url}/nothing")

        assert page.locator("h1").inner_text() == "made up"
        page.wait_for_timeout(50)
    assert (200, "GET") in seen


def test_a_block_of_code_may_raise(bed: TestbedProcess, opened: SyncPlaywrightBrowser) -> None:
    """What it raises comes out as it is, and the next page is there."""
    with pytest.raises(ZeroDivisionError), opened.page(bed.page_url(1)):
        raise ZeroDivisionError

    with opened.page(bed.page_url(2)) as page:
        assert page.title().endswith("item 2")


def test_a_session_may_be_named(bed: TestbedProcess, opened: SyncPlaywrightBrowser) -> None:
    """Then it is the one that has the page, and keeps what the page did."""
    with opened.page(bed.page_url(3), session="account-7") as page:
        page.evaluate("document.cookie = 'login=7'")
        name = page.session.name

    with opened.page(bed.page_url(4), session="account-7") as page:
        cookies = page.evaluate("document.cookie")

    assert (name, cookies) == ("account-7", "login=7")


def test_a_refusal_is_told_by_its_error(bed: TestbedProcess, opened: SyncPlaywrightBrowser) -> None:
    """As with ``await``."""
    with opened.page(bed.page_url(5)) as page:
        page.route(
            "**/refused", lambda route: route.fulfill(status=403, headers={"cf-mitigated": "challenge"}, body="no")
        )
        page.goto(f"{bed.site_url}/refused")

        with pytest.raises(Blocked, match="cf-mitigated"):
            page.judge()


@pytest.mark.parametrize(
    ("function", "count"),
    [(lambda: None, 0), (lambda _: None, 1), (lambda _a, _b=0: None, 2), (lambda *_: None, None)],
)
def test_a_handler_is_given_what_it_takes(function: Callable[..., None], count: int | None) -> None:
    """Playwright's documentation is full of those that leave arguments out."""
    assert taken(function) == count
