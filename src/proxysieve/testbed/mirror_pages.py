"""The site's mirror: a page that reads and reports what it can about its browser, and the parts that it loads."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import msgspec

from proxysieve.testbed.answers import HTML, SiteAnswer, Visit, nothing
from proxysieve.testbed.mirror import Mirror, Part, Seen
from proxysieve.testbed.scripts import script
from proxysieve.testbed.stun import StunServer
from proxysieve.testbed.wire import Headers, Response

# The site's own cookie. The script has another.
_COOKIE = "mirror"
_YEAR_SECONDS = 31_536_000
# So that the browser requests each part at each visit.
_FRESH: Headers = (("Cache-Control", "no-store"),)
_SCRIPT: Headers = (("Content-Type", "text/javascript; charset=utf-8"), *_FRESH)
_TEXT: Headers = (("Content-Type", "text/plain"), *_FRESH)
_SVG: Headers = (("Content-Type", "image/svg+xml"), *_FRESH)

_PAGE = """<!DOCTYPE html>
<html lang=en>
<head><meta charset=utf-8><title>Mirror</title>
<script>const VISIT = {visit}, STUN = "{stun}";</script>
<script src="/mirror/look.js?visit={visit}"></script>
</head>
<body><h1>Mirror</h1><pre id="seen"></pre><script>
{script}</script></body>
</html>
"""
_FRAME = '<!DOCTYPE html>\n<title>Frame</title>\n<script src="/mirror/look.js"></script>\n'
_PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visit:
    """A visit that has not been reported yet.

    Attributes:
        before: How many visits the site's own cookie had counted.
        headers: The headers of the request for each part.
    """

    before: int
    headers: dict[Part, Headers] = field(default_factory=dict)


class MirrorPages:
    """What is below `/mirror`.

    Attributes:
        mirrors: The reports, oldest first.
    """

    def __init__(self, stun: StunServer) -> None:
        self.mirrors: list[Mirror] = []
        self._stun = stun
        self._numbers = itertools.count(1)
        self._visits: dict[int, _Visit] = {}

    def answer(self, visit: Visit) -> SiteAnswer:
        """Serve the page or a part of it, or take a report."""
        if not visit.rest:
            return self._serve_page(visit)
        if visit.rest == "seen":
            return self._take_report(visit)
        return self._serve_part(visit)

    def _serve_page(self, visit: Visit) -> SiteAnswer:
        number, before = next(self._numbers), _count_in(visit.request.cookie(_COOKIE))
        self._visits[number] = _Visit(before=before, headers={"document": visit.request.headers})
        cookie = f"{_COOKIE}={before + 1}; Path=/; Max-Age={_YEAR_SECONDS}; HttpOnly; SameSite=Lax"
        body = _PAGE.format(visit=number, stun=self._stun.url, script=script("mirror.js"))
        return _ok((("Set-Cookie", cookie), *_FRESH, *HTML), body)

    def _serve_part(self, visit: Visit) -> SiteAnswer:
        if visit.rest not in _PARTS:
            return nothing(visit)
        part, headers, body = _PARTS[visit.rest]
        if (known := self._visits.get(visit.number("visit", 0))) is not None:
            known.headers.setdefault(part, visit.request.headers)
        return _ok(headers, body)

    def _take_report(self, visit: Visit) -> SiteAnswer:
        known = self._visits.get(visit.number("visit", 0))
        if known is None or visit.request.method != "POST":
            return nothing(visit)
        try:
            seen = msgspec.json.decode(visit.request.body, type=Seen)
        except msgspec.MsgspecError as error:
            return SiteAnswer(kind="error", response=Response(status=400, headers=_TEXT, body=str(error).encode()))
        visits = msgspec.structs.replace(seen.visits, server_cookie=known.before)
        told = {**msgspec.structs.asdict(seen), "visits": visits}
        self.mirrors.append(Mirror(exit=visit.exit, headers=dict(known.headers), **told))
        return _ok(_TEXT, "Thank you.\n")


def _ok(headers: Headers, body: str) -> SiteAnswer:
    return SiteAnswer(kind="ok", response=Response(headers=headers, body=body.encode()))


def _count_in(cookie: str | None) -> int:
    return int(cookie) if cookie and cookie.isascii() and cookie.isdigit() and len(cookie) < 10 else 0


_PARTS: Mapping[str, tuple[Part, Headers, str]] = MappingProxyType(
    {
        "look.js": ("script", _SCRIPT, script("look.js")),
        "worker.js": ("worker", _SCRIPT, script("mirror_worker.js")),
        "frame": ("frame", (*_FRESH, *HTML), _FRAME),
        "image.svg": ("image", _SVG, _PICTURE),
        "fetch": ("fetch", _TEXT, "fetched\n"),
        "xhr": ("xhr", _TEXT, "fetched\n"),
    }
)
