"""The cookies of a session, which its context shares with the session's other clients."""

from __future__ import annotations

import asyncio
import logging
from http.cookiejar import Cookie
from typing import Any

from playwright.async_api import BrowserContext, Error

from proxysieve.core.cookies import cookie as core
from proxysieve.core.cookies.encoding import to_wire
from proxysieve.sessions.jar import Jar
from proxysieve.sessions.stdlib_cookies import LOCALHOST, SAME_SITE, STDLIBS_LOCALHOST, is_http_only, to_stdlib

log = logging.getLogger("proxysieve")

# Playwright's word for a cookie that ends with the browser's session. Ours live longer.
NEVER = -1
# A cookie that ends then is deleted.
LONG_AGO = 1
SAME_SITES = frozenset({"Strict", "Lax", "None"})

# As Playwright has one, and by what browsers tell them apart.
BrowserCookie = dict[str, Any]
Key = tuple[str, str, str]


class SharedCookies:
    """Takes what changed from a jar into a context, and back; what other clients of the session got stays.

    Cookies that are only for frames within one site's pages (CHIPS) stay in the context: no jar can hold them apart
    from those for all pages.
    """

    def __init__(self, jar: Jar, context: BrowserContext) -> None:
        self._jar = jar
        self._context = context
        # As both were when they were compared last.
        self._in_jar: dict[Key, BrowserCookie] = {}
        self._in_context: dict[Key, BrowserCookie] = {}
        self._comparing = asyncio.Lock()

    async def give(self) -> None:
        """Have the context have what has changed in the jar.

        Raises:
            playwright.async_api.Error: The context is gone.
        """
        async with self._comparing:
            in_jar = {_key(cookie): cookie for cookie in self._named()}
            changed = [cookie for key, cookie in in_jar.items() if cookie != self._in_jar.get(key)]
            removed = [cookie | {"expires": LONG_AGO} for key, cookie in self._in_jar.items() if key not in in_jar]
            if changed or removed:
                await add_cookies(self._context, [*removed, *changed])
                in_context = await self._now()
                # What pages changed meanwhile is still to be taken.
                for key in map(_key, (*removed, *changed)):
                    self._in_context.pop(key, None)
                    if key in in_context:
                        self._in_context[key] = in_context[key]
            self._in_jar = in_jar

    async def take(self) -> None:
        """Have the jar have what has changed in the context.

        Raises:
            playwright.async_api.Error: The context is gone.
        """
        async with self._comparing:
            in_context = await self._now()
            # Clients of synchronous callers fill the jar from threads of their own.
            with self._jar.lock:
                for key, cookie in in_context.items():
                    if cookie != self._in_context.get(key):
                        self._put(key, cookie)
                for key in self._in_context.keys() - in_context.keys():
                    self._delete(key)
            self._in_context = in_context

    async def _now(self) -> dict[Key, BrowserCookie]:
        cookies: list[Any] = list(await self._context.cookies())
        return {_key(cookie): cookie for cookie in cookies if not cookie.get("partitionKey")}

    def _named(self) -> list[BrowserCookie]:
        # Playwright takes none without a name.
        return [_to_browser(cookie) for cookie in self._jar if cookie.value is not None]

    def _put(self, key: Key, cookie: BrowserCookie) -> None:
        new = _from_browser(cookie)
        self._jar.set_cookie(new)
        self._in_jar[key] = _to_browser(new)

    def _delete(self, key: Key) -> None:
        # What another client got since is newer, and for the next page.
        old = self._jar.find(*key)
        if old and _to_browser(old) == self._in_jar.get(key):
            self._jar.clear(*key)
            self._in_jar.pop(key)


async def add_cookies(context: BrowserContext, cookies: list[Any]) -> None:
    """Add *cookies*, without those that Chromium refuses, for which it would refuse all.

    Raises:
        playwright.async_api.Error: The context is gone.
    """
    try:
        await context.add_cookies(cookies)
    except Error:
        refused = [cookie["name"] for cookie in cookies if not await _is_added(context, cookie)]
        # If it is the context that is gone, this says so.
        await context.cookies()
        for name in refused:
            log.warning("the browser refuses a cookie, which is left out: %r", name)


async def _is_added(context: BrowserContext, cookie: Any) -> bool:  # noqa: ANN401 - as Playwright has it
    try:
        await context.add_cookies([cookie])
    except Error:
        return False
    return True


def _key(cookie: BrowserCookie) -> Key:
    return cookie["domain"], cookie["path"], cookie["name"]


def _to_browser(cookie: Cookie) -> dict[str, Any]:
    same_site = cookie.get_nonstandard_attr(SAME_SITE)
    return {
        "name": cookie.name,
        "value": cookie.value,
        # With a dot it is for all hosts below, in both worlds; only http.cookiejar gives one host an ending.
        "domain": LOCALHOST if cookie.domain == STDLIBS_LOCALHOST else cookie.domain,
        "path": cookie.path,
        "expires": NEVER if cookie.expires is None else cookie.expires,
        "httpOnly": is_http_only(cookie),
        "secure": bool(cookie.secure),
        "sameSite": same_site if same_site in SAME_SITES else "Lax",
    }


def _from_browser(cookie: BrowserCookie) -> Cookie:
    kept = core.Cookie(
        name=to_wire(cookie["name"]),
        value=to_wire(cookie["value"]),
        domain=cookie["domain"],
        path=cookie["path"],
        expires=None if cookie["expires"] == NEVER else int(cookie["expires"]),
        secure=cookie["secure"],
        http_only=cookie["httpOnly"],
        same_site=cookie["sameSite"],
    )
    return to_stdlib(kept, kept.domain)
