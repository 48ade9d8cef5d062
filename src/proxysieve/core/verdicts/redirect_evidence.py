"""Redirects as evidence: each of them is an answer of its own, which may say more than the last one.

Redirects count only if they do not end at the page. A session that is sent to a check, a consent or a login and comes
back to the page has passed it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from proxysieve.core.model import Exchange, Outcome, Verdict
from proxysieve.core.model.content import Content
from proxysieve.core.urls.redirects import MOST_HOPS
from proxysieve.core.verdicts.signs import LONGEST_ADDRESS, host_and_path

# The last part of the path of login pages, without its ending.
LOGINS = frozenset(
    {"authwall", "log-in", "log_in", "login", "logon", "sign-in", "sign_in", "signin", "user_login", "wp-login"}
)
ENDING = re.compile(r"\.[a-z]{2,5}\Z")
LOGIN_WALL = "login-wall"
# The target is often escaped once more within another URL.
ESCAPES = 3
CLEAR = "http://"
# What is kept of a redirect's body.
SEEN_BYTES = 4_096


def on_the_way(exchange: Exchange) -> Iterator[Exchange]:
    """Each redirect of *exchange* as an answer of its own; none if they ended at the page."""
    if exchange.hops and not (exchange.failure is None and is_back(exchange)):
        for hop in exchange.hops[: MOST_HOPS + 1]:
            yield Exchange(
                url=exchange.url,
                method=exchange.method,
                final_url=hop.url,
                status=hop.status,
                headers=hop.headers,
                body=hop.body[:SEEN_BYTES],
                at=exchange.at,
            )


def is_back(exchange: Exchange) -> bool:
    """Whether redirects ended at the page: at its host and path, whatever the scheme, ``www.`` and the query."""
    return not exchange.final_url or _page_of(exchange.final_url) == _page_of(exchange.url)


def login_wall(exchange: Exchange, content: Content) -> Verdict | None:
    """Redirects that ended at a login that leads to the page and asks for a password.

    Some sites show it to all without an account, others to addresses that they do not trust: only other exits can tell.
    A login that was asked for is a page, and so is a login at the root of a site.
    """
    host, page = _page_of(exchange.url)
    if not page.strip("/") or is_back(exchange) or _is_login(page) or not _is_login(_page_of(exchange.final_url)[1]):
        return None
    way = (exchange.final_url, *(hop.url for hop in exchange.hops))
    is_told = any(_names(url, page) for url in way if _page_of(url) != (host, page))
    if not is_told or not content.asks_for_password:
        return None
    return Verdict(outcome=Outcome.UNCLEAR, why="redirected to a login page", sign=LOGIN_WALL, confidence=0.5)


def was_in_clear(exchange: Exchange) -> bool:
    """Whether the proxy may have sent a redirect of *exchange*: without TLS it can answer in the site's place."""
    return any(url.startswith(CLEAR) for url in (exchange.url, *(hop.url for hop in exchange.hops)))


def is_in_clear(exchange: Exchange) -> bool:
    """Whether the last answer may be the proxy's: TLS ends where a redirect leads from https to http."""
    return (exchange.final_url or exchange.url).startswith(CLEAR)


def _page_of(url: str) -> tuple[str, str]:
    """Host and path of *url*, in lower case; a slash at the path's end, and ``www.``, make no other page."""
    host, path = host_and_path(url)
    return host.removeprefix("www.").removesuffix("."), path.partition("?")[0].lower().rstrip("/")


def _is_login(path: str) -> bool:
    return ENDING.sub("", path.rpartition("/")[2]) in LOGINS


def _names(url: str, page: str) -> bool:
    """Whether the query of *url* has the path *page* in it, as a whole."""
    query = url[:LONGEST_ADDRESS].partition("?")[2].lower()
    wanted = re.compile(rf"{re.escape(unquote(page))}/?(?![\w/.-])")
    for _ in range(ESCAPES):
        query = unquote(query)
        if wanted.search(query):
            return True
    return False
