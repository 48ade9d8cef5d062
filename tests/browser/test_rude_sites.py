"""Sites that send a browser on, or do not say all that they began to, with a real Chromium."""

from __future__ import annotations

from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.browser.shared import SharedChromium
from tests.clients.rude_servers import (
    HEAD_END,
    Behaviour,
    answer,
    by_path,
    listening,
    raw,
    resetting,
    saying,
    sent_to,
    silent,
)

from proxysieve import Blocked, GaveUp, SessionPool
from proxysieve.adapters.playwright import PlaywrightBrowser
from proxysieve.browser.options import BrowserOptions

SITE = "http://shop.example"
HTML = "Content-Type: text/html"
PAGE = answer("200 OK", HTML, body=b"<!DOCTYPE html><title>Lamps</title><p>Lamps of all kinds</p>")
QUICK = BrowserOptions(settle_seconds=1.0, check_seconds=0.5)


@asynccontextmanager
async def browsing(shared: SharedChromium, behaviours: Mapping[str, Behaviour]) -> AsyncIterator[PlaywrightBrowser]:
    """A browser at a site whose pages misbehave; what stands in for its proxy answers in its place."""
    settings: dict[str, Any] = {"store": "memory:", "max_rate": 0.0, "looks": False}
    async with (
        listening(by_path(behaviours, saying(answer("404 Not Found")))) as port,
        SessionPool([f"http://127.0.0.1:{port}"], **settings) as pool,
        shared.browser(pool, QUICK) as opened,
    ):
        yield opened


async def test_a_block_page_behind_a_redirect_is_told_by_its_address(shared: SharedChromium) -> None:
    """What was asked for is the page, and not where it was sent on to; so the page is what it counts for."""
    behaviours = {"lamps": saying(sent_to("/sorry/index")), "index": saying(PAGE)}
    async with browsing(shared, behaviours) as opened:
        with pytest.raises(Blocked) as blocked:
            async with opened.page(f"{SITE}/lamps", max_tries=1):
                raise AssertionError("it was taken for good")

    assert blocked.value.exchange.url == f"{SITE}/lamps"
    assert blocked.value.exchange.final_url == f"{SITE}/sorry/index"


async def stalling(reader: Reader, writer: Writer) -> None:
    """Begins a page, and says no more."""
    await reader.readuntil(HEAD_END)
    writer.write(answer("200 OK", HTML, body=b"<p>Lamps", length=500))
    await silent(reader, writer)


@pytest.mark.parametrize(
    ("behave", "why"),
    [
        pytest.param(saying(answer("200 OK", HTML, body=b"<p>Lamps", length=500)), "connection lost", id="short"),
        pytest.param(
            saying(raw("HTTP/1.1 200 OK", HTML, "Transfer-Encoding: chunked", body=b"8\r\n<p>Lamps\r\n")),
            "connection lost",
            id="without its last chunk",
        ),
        pytest.param(
            resetting(answer("200 OK", HTML, body=b"<p>Lamps", length=500)), "connection lost", id="reset midway"
        ),
        pytest.param(stalling, "timed out", id="stalled"),
        pytest.param(saying(answer("200 OK", HTML, body=b"")), "empty", id="of nothing"),
    ],
)
async def test_a_page_that_did_not_come_whole_is_none(shared: SharedChromium, behave: Behaviour, why: str) -> None:
    """Though Chromium shows what there is of it, and makes a document of nothing."""
    async with browsing(shared, {"lamps": behave}) as opened:
        with pytest.raises(GaveUp, match=why):
            async with opened.page(f"{SITE}/lamps", max_tries=1, timeout_seconds=4.0):
                raise AssertionError("it was taken for good")


PDF = b"%PDF-1.7\n" + bytes(range(256)) * 20


@pytest.mark.parametrize("kind", ["application/pdf", "application/zip"])
async def test_what_is_no_page_comes_byte_for_byte(shared: SharedChromium, kind: str) -> None:
    """As it was sent, with the headers that were sent; whatever Chromium would show of it."""
    behaviours = {"lamps": saying(answer("200 OK", f"Content-Type: {kind}", body=PDF))}
    async with browsing(shared, behaviours) as opened, opened.page(f"{SITE}/lamps", max_tries=1) as page:
        assert page.answer.body == PDF
        assert dict(page.answer.headers).keys() == {"content-type", "content-length", "connection"}


async def test_a_page_that_downloads_something_is_a_page(shared: SharedChromium) -> None:
    """What a script has downloaded is not what was asked for."""
    body = b"<!DOCTYPE html><title>Lamps</title><p>Lamps<script>onload = () => location = 'file'</script>"
    behaviours = {
        "lamps": saying(answer("200 OK", HTML, body=body)),
        "file": saying(answer("200 OK", "Content-Type: application/zip", body=PDF)),
    }
    async with browsing(shared, behaviours) as opened, opened.page(f"{SITE}/lamps", max_tries=1) as page:
        assert b"<p>Lamps" in page.answer.body


@pytest.mark.parametrize("kind", ["text/html", "text/plain", "application/zip"])
async def test_what_is_larger_than_allowed_is_not_taken(shared: SharedChromium, kind: str) -> None:
    """However it comes: as a document, as a text, as a download."""
    behaviours = {"lamps": saying(answer("200 OK", f"Content-Type: {kind}", body=b"x" * 9_000))}
    async with (
        listening(by_path(behaviours, saying(answer("404 Not Found")))) as port,
        shared.client(QUICK) as client,
        SessionPool([f"http://127.0.0.1:{port}"], store="memory:", client=client, max_bytes=8_000) as pool,
    ):
        with pytest.raises(GaveUp, match="larger than allowed"):
            await pool.get(f"{SITE}/lamps", max_tries=1)


async def test_a_page_that_grows_without_measure_is_not_taken(shared: SharedChromium) -> None:
    """It would come out of the browser at once, and nothing else would have its turn meanwhile."""
    grows = b"<!DOCTYPE html><title>Lamps</title><p><script>document.body.textContent = 'x'.repeat(2e7)</script>"
    behaviours = {"lamps": saying(answer("200 OK", HTML, body=grows))}
    async with browsing(shared, behaviours) as opened:
        with pytest.raises(GaveUp, match="larger than allowed"):
            async with opened.page(f"{SITE}/lamps", max_tries=1):
                raise AssertionError("it was taken for good")


async def test_what_a_site_makes_of_the_language_is_its_own_affair(shared: SharedChromium) -> None:
    """A page is waited for where none of it is seen."""
    body = b"<!DOCTYPE html><title>Lamps</title><script>MutationObserver = Promise = setTimeout = null</script><p>Lamps"
    behaviours = {"lamps": saying(answer("200 OK", HTML, body=body))}
    async with browsing(shared, behaviours) as opened, opened.page(f"{SITE}/lamps", max_tries=1) as page:
        assert b"<p>Lamps" in page.answer.body
