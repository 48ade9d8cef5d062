"""Sends the user's own headers with what a page asks of the site that they are for, and of nobody else.

Each request is decided by itself, also after a redirect: what Playwright's own routing adds to a request would follow
every redirect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from playwright.async_api import Page

from proxysieve.browser.holding import GoOn, hold_up
from proxysieve.sessions.own_headers import headers_for_hop, merged

# In which order Chromium sends what it tells of a request by the alphabet; it adds the others by itself, behind these.
OF_DOCUMENTS = (
    *("sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform"),
    *("upgrade-insecure-requests", "user-agent", "accept"),
)
OF_OTHERS = ("sec-ch-ua-platform", "user-agent", "sec-ch-ua", "sec-ch-ua-mobile", "accept")


async def send_along(page: Page, asked_url: str, headers: Mapping[str, str]) -> None:
    """Have *page* send *headers*, which are for *asked_url*, with whatever else of it they may go to."""

    def go_on(paused: dict[str, Any]) -> GoOn:
        added = headers_for_hop(headers, asked_url, paused["request"]["url"])
        if not added:
            return "Fetch.continueRequest", {}
        sent = _in_order(merged(paused["request"]["headers"], added), paused["resourceType"])
        # They hold for this one request: a redirect makes another of it.
        return "Fetch.continueRequest", {"headers": [{"name": name, "value": value} for name, value in sent]}

    await hold_up(page, {"requestStage": "Request"}, decide=go_on)


def _in_order(headers: Mapping[str, str], kind: str) -> list[tuple[str, str]]:
    """*headers* as the browser would send them with something of this *kind*."""
    order = OF_DOCUMENTS if kind == "Document" else OF_OTHERS

    def place(header: tuple[str, str]) -> int:
        name = header[0].lower()
        return order.index(name) if name in order else len(order)

    return sorted(headers.items(), key=place)
