"""What is kept between a session and its context: cookies and storage."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, Page, StorageState

from proxysieve.browser.cookies import SharedCookies
from proxysieve.sessions.session import Session
from proxysieve.sessions.storage import BrowserRecord

# Of more than this the context is asked only for the page's own localStorage.
ALL_OF_A_PAGE = "[...Object.entries(localStorage)].map(([name, value]) => ({name, value}))"
# A store is no place for what applications keep in a browser by the megabyte.
MOST_BYTES = 1_000_000


def storage_state(session: Session) -> StorageState:
    """What sites keep in a new context of *session*, beside cookies."""
    return cast("StorageState", {"cookies": [], "origins": session.browser.origins})


async def keep(context: BrowserContext, cookies: SharedCookies, page: Page, session: Session) -> None:
    """Have *session* keep what *context* has now, with *page* open in it.

    Raises:
        playwright.async_api.Error: The page or the context is gone.
    """
    await cookies.take()
    # A page that is gone or was closed cannot be asked for these.
    session.browser.origins = await _origins(context, page, session.browser)


async def _origins(context: BrowserContext, page: Page, kept: BrowserRecord) -> list[dict[str, Any]]:
    """What origins keep, as a storage state has it."""
    origin = await page.evaluate("origin")
    if not origin.startswith("http"):
        return kept.origins
    if _framed(page) <= {origin} and all(one.get("origin") == origin for one in kept.origins):
        # With this page open it is read in place; for each other origin a page would be opened.
        state: Any = await context.storage_state(indexed_db=True)
        found = [one for one in state["origins"] if one["origin"] == origin]
    else:
        entries = await page.evaluate(ALL_OF_A_PAGE)
        known = next((one for one in kept.origins if one.get("origin") == origin), {"origin": origin})
        others = [one for one in kept.origins if one.get("origin") != origin]
        found = [*others, known | {"localStorage": entries}] if entries or others else []
    return found if len(repr(found)) <= MOST_BYTES else kept.origins


def _framed(page: Page) -> set[str]:
    """The origins of the documents in *page*, as far as they have any of their own."""
    parts = [urlsplit(frame.url) for frame in page.frames]
    return {f"{one.scheme}://{one.netloc}" for one in parts if one.scheme.startswith("http")}
