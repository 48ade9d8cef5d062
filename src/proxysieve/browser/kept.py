"""What a visitor keeps, between a session and a context: cookies and storage."""

from __future__ import annotations

from http.cookiejar import Cookie, CookieJar
from typing import Any, cast
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, Page, StorageState

from proxysieve.belongings import HTTP_ONLY, SAME_SITE, BrowserRecord, is_http_only
from proxysieve.session import Session

# Playwright's word for a cookie that ends with the browser's session, which ours outlive.
NEVER = -1
SAME_SITES = frozenset({"Strict", "Lax", "None"})
# Of more than this the context is asked only for the page's own localStorage.
ALL_OF_A_PAGE = "[...Object.entries(localStorage)].map(([name, value]) => ({name, value}))"
# A store is no place for what applications keep in a browser by the megabyte.
MOST_BYTES = 1_000_000


def storage_state(session: Session) -> StorageState:
    """What a new context of *session* begins with."""
    cookies = [_to_browser(cookie) for cookie in session.cookies if cookie.value is not None]
    return cast("StorageState", {"cookies": cookies, "origins": session.browser.origins})


async def keep(context: BrowserContext, page: Page, session: Session) -> None:
    """Have *session* keep what *context* has now, with *page* open in it.

    Raises:
        playwright.async_api.Error: The page or the context is gone.
    """
    cookies: list[Any] = list(await context.cookies())
    jar = CookieJar()
    for cookie in cookies:
        jar.set_cookie(_from_browser(cookie))
    _replace(session.cookies, jar)
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


def _replace(jar: CookieJar, by: CookieJar) -> None:
    # Clients hold on to the jar, so it stays the same one.
    jar.clear()
    for cookie in by:
        jar.set_cookie(cookie)


def _to_browser(cookie: Cookie) -> dict[str, Any]:
    same_site = cookie.get_nonstandard_attr(SAME_SITE)
    return {
        "name": cookie.name,
        "value": cookie.value,
        # With a dot it is for all hosts below, in both worlds; only http.cookiejar gives hosts without one an ending.
        "domain": "localhost" if cookie.domain == "localhost.local" else cookie.domain,
        "path": cookie.path,
        "expires": NEVER if cookie.expires is None else cookie.expires,
        "httpOnly": is_http_only(cookie),
        "secure": bool(cookie.secure),
        "sameSite": same_site if same_site in SAME_SITES else "Lax",
    }


def _from_browser(cookie: dict[str, Any]) -> Cookie:
    domain, expires = cookie["domain"], cookie["expires"]
    rest = {SAME_SITE: cookie["sameSite"]} | ({HTTP_ONLY: ""} if cookie["httpOnly"] else {})
    return Cookie(
        version=0,
        name=cookie["name"],
        value=cookie["value"],
        port=None,
        port_specified=False,
        domain=domain,
        domain_specified=domain.startswith("."),
        domain_initial_dot=domain.startswith("."),
        path=cookie["path"],
        path_specified=True,
        secure=cookie["secure"],
        expires=None if expires == NEVER else int(expires),
        discard=expires == NEVER,
        comment=None,
        comment_url=None,
        rest=rest,
    )
