"""Follows the redirects of a page's documents no further than the built-in client would, and tells of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from playwright.async_api import Page
from playwright.async_api import Request as PageRequest
from playwright.async_api import Response as PageResponse

from proxysieve.browser.holding import DOCUMENTS, GoOn, hold_up
from proxysieve.core.model import Answer, Failure, Headers, in_lower_case
from proxysieve.core.urls.parsing import AROUND
from proxysieve.core.urls.redirects import STATUSES, Hop, follow
from proxysieve.errors import ConfigError


class Redirecting:
    """The redirects of one page. Each is held up for a moment at its answer; no site sees that.

    Attributes:
        refused: Why the last refused one was not followed.
        hops: Those that led to it, itself the last.
    """

    def __init__(self) -> None:
        self.refused: Failure | None = None
        self.hops: tuple[Answer, ...] = ()
        # Those of each document that is on its way.
        self._ways: dict[str, list[Answer]] = {}

    async def attend(self, page: Page) -> None:
        """Judge the redirects of *page* from here on."""
        await hold_up(page, DOCUMENTS, decide=self._go_on)

    def _go_on(self, paused: dict[str, Any]) -> GoOn:
        if self._is_refused(paused):
            # What is aborted leaves the page that is there as it is.
            return "Fetch.failRequest", {"errorReason": "Aborted"}
        return "Fetch.continueRequest", {}

    def _is_refused(self, paused: dict[str, Any]) -> bool:
        document = str(paused.get("networkId", paused["requestId"]))
        way = self._ways.pop(document, [])
        headers = headers_in(paused.get("responseHeaders", ()))
        way.append(Answer(url=paused["request"]["url"], status=paused.get("responseStatusCode", 0), headers=headers))
        after = _after(way)
        if isinstance(after, Failure):
            self.refused, self.hops = after, tuple(way)
        elif after is not None:
            self._ways[document] = way
        return isinstance(after, Failure)


def headers_in(fields: Iterable[Mapping[str, Any]]) -> Headers:
    """What a browser tells of headers, as an answer has it."""
    return in_lower_case((field["name"], field["value"]) for field in fields)


def is_redirect(response: PageResponse) -> bool:
    """Whether *response* sends the browser elsewhere."""
    return response.status in STATUSES and bool(response.headers.get("location", "").strip(AROUND))


async def hops_before(request: PageRequest) -> tuple[Answer, ...]:
    """The redirects that led to *request*, first to last; browsers keep no bodies of them."""
    hops: list[Answer] = []
    before = request.redirected_from
    while before is not None:
        answer = await before.response()
        if answer is not None:
            headers = headers_in(await answer.headers_array())
            hops.append(Answer(url=answer.url, status=answer.status, headers=headers))
        before = before.redirected_from
    return tuple(reversed(hops))


def not_to_be_followed(hops: Sequence[Answer]) -> Failure | None:
    """Why one of *hops* is not to be followed, where a browser that nobody held up did it."""
    afters = (_after(hops[: count + 1]) for count in range(len(hops)))
    return next((after for after in afters if isinstance(after, Failure)), None)


def _after(way: Sequence[Answer]) -> Hop | Failure | None:
    """What the rules of redirects say comes after the last answer on the *way*."""
    last = way[-1]
    locations = (value for name, value in last.headers if name == "location" and value.strip(AROUND))
    try:
        return follow(Hop(url=last.url), way[0].url, last.status, next(locations, ""), len(way) - 1)
    except ConfigError:
        # Only a browser asks there, such as for what a script opens: the browser's own rules hold.
        return None
