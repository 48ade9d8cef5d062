"""The site: which clients it serves, and its pages."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import itertools
import math
import random
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import quote

from proxysieve.testbed.answers import HTML, JSON, TEST_ANSWERS, SiteAnswer, Visit, nothing, visit_of
from proxysieve.testbed.assets import Assets
from proxysieve.testbed.bans import Bans
from proxysieve.testbed.clearance import Clearances
from proxysieve.testbed.client_hello import ClientHello, parse_client_hello
from proxysieve.testbed.connections import Caller
from proxysieve.testbed.fingerprint import SeenFingerprint
from proxysieve.testbed.mirror_pages import MirrorPages
from proxysieve.testbed.outages import Outages
from proxysieve.testbed.pages import Pages, block_page, error_page, maintenance_page, throttled_page
from proxysieve.testbed.truth import HitLedger
from proxysieve.testbed.wire import Headers, RefusalError, Request, Response, read_request, reset, write_response
from proxysieve.testbed.world import BlockStyle, Outage, World

# The Retry-After of a permanent block.
_LONGEST_WAIT_SECONDS = 3600.0
# The first parts of the paths of pages.
_OF_PAGES = frozenset({"", "page", "gzip", "slow"})
_ROBOTS_TYPE = ("Content-Type", "text/plain; charset=utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Guest:
    """A connection to the site.

    Attributes:
        connection: Its number.
        hello: Its first record, if that was a ClientHello.
        is_resumed: Whether it resumed an earlier TLS session.
    """

    address: str
    connection: int
    hello: ClientHello | None
    is_resumed: bool

    def fingerprint(self, request: Request, http2: str = "", http2_priority: str = "") -> SeenFingerprint:
        """Return what *request* shows of its client."""
        hints = tuple((name, value) for name, value in request.headers if name.lower().startswith("sec-ch-"))
        return SeenFingerprint(
            protocol=request.version,
            ja4=self.hello.ja4 if self.hello else "",
            ja4_raw=self.hello.ja4_raw if self.hello else "",
            is_resumed=self.is_resumed,
            http2=http2,
            http2_priority=http2_priority,
            header_names=tuple(name for name, _ in request.headers),
            client_hints=hints,
            user_agent=request.header("user-agent"),
        )


class Site:
    """The site of one world. It recognises clients by their addresses."""

    def __init__(
        self, world: World, *, pages: Pages, bans: Bans, mirror: MirrorPages, clock: Callable[[], float]
    ) -> None:
        self.hits = HitLedger(kept=world.hits_kept)
        self.callers: Counter[str] = Counter()
        self.clearances = Clearances(world.seed)
        self._world = world
        self._bans = bans
        self._clock = clock
        self._pages = pages
        self._rng = random.Random(world.seed)
        self._connection_numbers = itertools.count(1)
        self._outages = Outages(world.outages)
        self._served_count = 0
        self._assets = Assets(world.seed, world.assets)
        self._paths: dict[str, Callable[[Visit], SiteAnswer]] = {
            **TEST_ANSWERS,
            "": self._page,
            "page": self._page,
            "gzip": self._gzip,
            "slow": self._slow,
            "mirror": mirror.answer,
            "robots.txt": self._robots,
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, caller: Caller) -> None:
        """Answer the requests of one connection."""
        self.callers[caller.address] += 1
        tls: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
        guest = _Guest(
            address=caller.address,
            connection=next(self._connection_numbers),
            hello=parse_client_hello(caller.hello),
            is_resumed=bool(tls and tls.session_reused),
        )
        if tls is not None and tls.selected_alpn_protocol() == "h2":
            await self._serve_http2(reader, writer, guest)
        else:
            await self._serve_http1(reader, writer, guest)

    async def _serve_http1(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, guest: _Guest) -> None:
        try:
            while (request := await read_request(reader)) is not None:
                answer = await self._respond(request, guest, guest.fingerprint(request))
                if answer.is_reset:
                    reset(writer)
                    return
                await write_response(writer, answer.response, to=request)
                if request.is_last:
                    return
        except RefusalError as error:
            await write_response(writer, Response(status=error.status), to=None)

    async def _serve_http2(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, guest: _Guest) -> None:
        from proxysieve.testbed.http2 import Http2Server  # noqa: PLC0415 - optional, as TLS is

        async def respond(request: Request, http2: str, priority: str) -> SiteAnswer:
            return await self._respond(request, guest, guest.fingerprint(request, http2, priority))

        await Http2Server(reader, writer, respond).run()

    async def _respond(self, request: Request, guest: _Guest, fingerprint: SeenFingerprint) -> SiteAnswer:
        answer = self._answer_on_record(request, guest, fingerprint)
        if wait_seconds := answer.wait_seconds + self._world.latency_seconds:
            await asyncio.sleep(wait_seconds)
        return answer

    def answer(self, visit: Visit, now: float) -> SiteAnswer:
        """Decide what *visit* gets at *now*, and count it."""
        outage = self._outages.meet(now) if visit.page in _OF_PAGES else None
        if outage is not None:
            return _fail(outage)
        if visit.page == "assets" and self._world.assets:
            return self._assets.answer(visit)
        ruling = self._bans.judge(visit.exit, now)
        # Blocked clients are sent here. Another block would send them in circles.
        if visit.page == "sorry":
            return TEST_ANSWERS["sorry"](visit)
        match ruling.answer:
            case "blocked":
                return self._block(visit, ruling.wait_seconds)
            case "throttled":
                response = Response(
                    status=429, headers=(_retry_after(ruling.wait_seconds), *HTML), body=throttled_page()
                )
                return SiteAnswer(kind="throttled", response=response)
            case "ok":
                return self._admit(visit)

    def _answer_on_record(self, request: Request, guest: _Guest, fingerprint: SeenFingerprint) -> SiteAnswer:
        now = self._clock()
        answer = self.answer(visit_of(request, guest.address, fingerprint), now)
        self.hits.add(
            at=now,
            address=guest.address,
            path=request.target,
            answer=answer.kind,
            fingerprint=fingerprint,
            connection=guest.connection,
        )
        return answer

    def _admit(self, visit: Visit) -> SiteAnswer:
        if self._world.script_challenge and visit.page == "page" and not self.clearances.admits(visit):
            return SiteAnswer(kind="challenged", response=self.clearances.challenge(visit))
        if not self._world.bound_cookies:
            return self._serve_unless_flaky(visit)
        cookie = self._session_cookie(visit)
        presented = visit.request.cookie("visitor")
        if presented is None:
            answer = self._serve_unless_flaky(visit)
            headers = (*answer.response.headers, ("Set-Cookie", f"visitor={cookie}; Path=/"))
            return replace(answer, response=replace(answer.response, headers=headers))
        if presented != cookie:
            return self._block(visit, math.inf)
        return self._serve_unless_flaky(visit)

    def _serve_unless_flaky(self, visit: Visit) -> SiteAnswer:
        if self._world.flaky_share and self._rng.random() < self._world.flaky_share:
            return SiteAnswer(kind="error", response=Response(status=500, headers=HTML, body=error_page()))
        return self._paths.get(visit.page, nothing)(visit)

    def _session_cookie(self, visit: Visit) -> str:
        bound_to = (self._world.seed, visit.exit, visit.request.header("user-agent"))
        return hashlib.blake2b(repr(bound_to).encode(), digest_size=12).hexdigest()

    def _block(self, visit: Visit, wait_seconds: float) -> SiteAnswer:
        style = self._world.style_of(visit.exit)
        if style == "challenge" and self._world.script_challenge:
            return SiteAnswer(kind="blocked", response=self.clearances.challenge(visit))
        page_id = visit.rest_number or 0
        response = Response(
            status=_status_of(style),
            headers=_headers_of(style, visit, wait_seconds),
            body=self._pages.block(style, page_id),
        )
        return SiteAnswer(kind="blocked", response=response, is_reset=style == "reset")

    def _page(self, visit: Visit) -> SiteAnswer:
        page_id = visit.rest_number if visit.page else 0
        if page_id is None:
            return nothing(visit)
        match self._world.fate_of(page_id):
            case "missing":
                return nothing(visit)
            case "forbidden":
                # The worst case: nothing in the answer distinguishes it from the block.
                response = Response(status=403, headers=HTML, body=block_page("forbidden"))
                return SiteAnswer(kind="forbidden", response=response)
            case "empty":
                return SiteAnswer(kind="empty", response=Response(headers=HTML))
            case "ok":
                body = self._pages.body(page_id, is_marked=self._is_marking)
                self._served_count += 1
                return SiteAnswer(kind="ok", response=Response(headers=HTML, body=body))

    @property
    def _is_marking(self) -> bool:
        return 0 < self._world.false_mark_after <= self._served_count

    def _gzip(self, visit: Visit) -> SiteAnswer:
        answer = self._page(visit)
        if answer.kind != "ok" or "gzip" not in visit.request.header("accept-encoding"):
            return answer
        packed = gzip.compress(answer.response.body, compresslevel=1)
        return SiteAnswer(kind="ok", response=Response(headers=(("Content-Encoding", "gzip"), *HTML), body=packed))

    def _slow(self, visit: Visit) -> SiteAnswer:
        return replace(self._page(replace(visit, page="")), wait_seconds=visit.seconds("seconds"))

    def _robots(self, _: Visit) -> SiteAnswer:
        response = Response(headers=(_ROBOTS_TYPE,), body=self._world.robots.encode())
        return SiteAnswer(kind="robots", response=response)


def _fail(outage: Outage) -> SiteAnswer:
    match outage.style:
        case "maintenance":
            response = Response(status=503, headers=HTML, body=maintenance_page())
        case "error":
            response = Response(status=500, headers=HTML, body=error_page())
        case "drop":
            return SiteAnswer(kind="outage", response=Response(), is_reset=True)
    return SiteAnswer(kind="outage", response=response)


def _status_of(style: BlockStyle) -> int:
    match style:
        case "forbidden" | "json" | "country" | "network":
            return 403
        case "throttled":
            return 429
        case "challenge":
            return 503
        case "sorry":
            return 302
        case "captcha" | "empty" | "unknown" | "reset" | "hidden_captcha":
            return 200


def _headers_of(style: BlockStyle, visit: Visit, wait_seconds: float) -> Headers:
    match style:
        case "throttled":
            return (_retry_after(wait_seconds), *HTML)
        case "sorry":
            return (("Location", f"/sorry/index?continue={quote(visit.request.target, safe='')}"), *HTML)
        case "json":
            return JSON
        case _:
            return HTML


def _retry_after(wait_seconds: float) -> tuple[str, str]:
    return "Retry-After", str(math.ceil(min(wait_seconds, _LONGEST_WAIT_SECONDS)))
