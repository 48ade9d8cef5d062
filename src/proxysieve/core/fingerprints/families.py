"""What the browsers of a family send when somebody opens a page, and in which order.

Where it comes from: Chromium 156, which is looked at by tests/browser/test_navigations.py; Firefox 156.0.1, Safari 27.0
and Chrome 154.0.8037.98 on macOS in github.com/jamesconwaydev/netweir, profiles/*.capture.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

# As wreq 0.13 calls what has the same TLS and HTTP/2. None of its Firefoxes and Safaris does; 154 is a Chromium's.
WREQ_NAMES = MappingProxyType(
    {
        "chrome150": "Chrome150",
        "chrome151": "Chrome151",
        "chrome152": "Chrome154",
    }
)


class Family(NamedTuple):
    """Browsers that send the same, whichever version and platform.

    Attributes:
        headers: Those that are the same for all of them, by name.
        first: All that they may send with a request for a page, in their order and case.
        posted: The same of a form's.
        redirected: The same where an answer led to the page.
    """

    headers: Mapping[str, str]
    first: tuple[str, ...]
    posted: tuple[str, ...]
    redirected: tuple[str, ...]

    def order(self, *, is_redirected: bool, has_body: bool) -> tuple[str, ...]:
        """In which order headers are sent."""
        if has_body and self.posted != self.first:
            return self.posted
        return self.redirected if is_redirected else self.first


# How all of them have bodies packed for them, if the connection is secure.
ACCEPT_ENCODING = "gzip, deflate, br, zstd"

_HTML = "text/html,application/xhtml+xml,application/xml;q=0.9"
_HINTS = ("sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform")
_CHROMES_HEAD = ("Host", "Connection", "Content-Length", "Cache-Control")
_CHROMES_MIDDLE = (
    *("Upgrade-Insecure-Requests", "Content-Type", "User-Agent", "Origin", "Accept"),
    *("Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-User", "Sec-Fetch-Dest"),
)
_CHROMES_TAIL = ("Referer", "Accept-Encoding", "Accept-Language", "Cookie", "Priority")
_CHROMES_ORDER = (*_CHROMES_HEAD, *_HINTS, *_CHROMES_MIDDLE, *_CHROMES_TAIL)
_FIREFOXES_ORDER = (
    *("Host", "User-Agent", "Accept", "Accept-Language", "Accept-Encoding"),
    *("Content-Type", "Content-Length", "Origin", "Referer", "Connection", "Cookie", "Upgrade-Insecure-Requests"),
    *("Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-User", "Priority", "TE"),
)

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "chrome": Family(
            headers={
                "Upgrade-Insecure-Requests": "1",
                "Accept": f"{_HTML},image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
                "Sec-Fetch-Site": "none",
                "Sec-Fetch-Mode": "navigate",
                "Sec-Fetch-User": "?1",
                "Sec-Fetch-Dest": "document",
            },
            first=_CHROMES_ORDER,
            posted=_CHROMES_ORDER,
            redirected=(*_CHROMES_HEAD, *_CHROMES_MIDDLE, *_HINTS, *_CHROMES_TAIL),
        ),
        "firefox": Family(
            headers={
                "Accept": f"{_HTML},*/*;q=0.8",
                "Upgrade-Insecure-Requests": "1",
                "Sec-Fetch-Dest": "document",
                "Sec-Fetch-Mode": "navigate",
                "Sec-Fetch-Site": "none",
                "Sec-Fetch-User": "?1",
                "Priority": "u=0, i",
            },
            first=_FIREFOXES_ORDER,
            posted=_FIREFOXES_ORDER,
            redirected=_FIREFOXES_ORDER,
        ),
        "safari": Family(
            headers={
                "Sec-Fetch-Dest": "document",
                "Accept": f"{_HTML},*/*;q=0.8",
                "Sec-Fetch-Site": "none",
                "Sec-Fetch-Mode": "navigate",
                "Priority": "u=0, i",
            },
            first=(
                *("Host", "Sec-Fetch-Dest", "User-Agent", "Accept", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Mode"),
                *("Accept-Language", "Priority", "Accept-Encoding", "Cookie", "Connection"),
            ),
            posted=(
                *("Host", "Accept", "Content-Type", "Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "User-Agent"),
                *("Referer", "Sec-Fetch-Dest", "Content-Length", "Accept-Language", "Priority", "Accept-Encoding"),
                *("Cookie", "Connection"),
            ),
            redirected=(
                *("Host", "Accept", "Sec-Fetch-Site", "Sec-Fetch-Mode", "User-Agent", "Accept-Language"),
                *("Sec-Fetch-Dest", "Referer", "Priority", "Accept-Encoding", "Cookie", "Connection"),
            ),
        ),
    }
)
# Of what is none of these: only what it says of itself is known.
UNKNOWN = Family(headers={}, first=(), posted=(), redirected=())
