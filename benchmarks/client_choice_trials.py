"""The demands of `client_choice.py`, each tried on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import time
from collections.abc import AsyncIterator
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from client_choice_clients import CHROMES_ORDER, TooLargeError, Visitor
from client_choice_servers import HOST, Proxy, Trust, closed_port, deaf_port
from clients import BROWSERS
from measure import resident_mb
from proxysieve.testbed import SeenFingerprint, Testbed, World

SITE = f"https://{HOST}"
# How SOCKS names the site by each kind of proxy.
NAMED: dict[str, list[str]] = {"http": [], "https": [], "socks5": ["address"], "socks5h": ["name"]}
LOGINS = ("user", "@:/%", "a:b", "ü{}", "{session}", "100%", "%40", " ", "'\"\\", "x" * 200)
ODD_PATH = "/a/../b//c?x=%7e|'&y=[]{}%2F%c3"
# How long a request may take that is to fail; more than a time-out to connect.
SOON_SECONDS = 1.2
CANCELLED_COUNT = 300
LIMIT_COUNT = 20
# What the buffers of two sockets take beyond the limit, and some more; the whole body takes a second.
MOST_SENT_MB, LONGEST_BODY_SECONDS = 50, 5.0
# Of connections that go on with an earlier TLS session. Their sources are in tests/browsers.py.
RESUMED_JA4 = {"chrome": "t13d1517h2_8daaf6152771_a87ad97598a9", "firefox": "t13d1717h2_5b57614c22b0_e6dcd7ae0a9e"}


class Failing(NamedTuple):
    """A way to fail: where the proxy stops, and what is asked for."""

    stops: str = ""
    path: str = "/ok"


SILENCES = {
    "tunnel": Failing("tunnel"),
    "TLS": Failing("tls"),
    "answer": Failing("answer"),
    "body": Failing(path="/drip"),
}
ENDS = {**SILENCES, "body": Failing(path="/cut")}
REFUSAL = b"HTTP/1.1 %d No\r\nX-Why: broke\r\nContent-Length: 14\r\n\r\n<p>no money</p>"


class Trials:
    """The demands, each a method that returns what goes into the table."""

    def __init__(self, visitor: type[Visitor], trust: Trust) -> None:
        self._visitor = visitor
        self._trust = trust

    def proxy(self, *, stops: str = "", hangs_up: bool = False, tls: bool = False) -> Proxy:
        """A proxy."""
        return Proxy(self._trust, stops=stops, hangs_up=hangs_up, tls=tls)

    @contextlib.asynccontextmanager
    async def visit(self, port: int, scheme: str = "http", login: str = "") -> AsyncIterator[Visitor]:
        """A session of the client through the proxy at *port*."""
        visitor = self._visitor(f"{scheme}://{login}127.0.0.1:{port}", self._trust.ca_path)
        try:
            yield visitor
        finally:
            await visitor.close()

    async def schemes(self) -> str:
        """Through which kinds of proxies an HTTPS site is reached; only by socks5h with the name left to the proxy."""
        working = []
        for scheme, names in NAMED.items():
            async with self.proxy(tls=scheme == "https").listening() as proxy:
                with contextlib.suppress(Exception):
                    async with self.visit(proxy.port, scheme) as visitor:
                        await visitor.get("https://localhost/ok")
                    if proxy.names == names:
                        working.append(scheme)
        return "all 4" if len(working) == 4 else ", ".join(working)

    async def logins(self) -> str:
        """How many odd logins reach an HTTP and a SOCKS proxy as they are."""
        right = 0
        for scheme in ("http", "socks5h"):
            for login in LOGINS:
                async with self.proxy().listening() as proxy:
                    text = quote(login, safe="")
                    with contextlib.suppress(Exception):
                        async with self.visit(proxy.port, scheme, f"{text}:{text}@") as visitor:
                            await visitor.get(f"{SITE}/ok")
                    # RFC 7617: a user of HTTP's ends at the first colon.
                    right += proxy.logins[:1] == [_as_read(scheme, login)]
        return f"{right} of {2 * len(LOGINS)}"

    async def refusals(self) -> str:
        """Whether a refused CONNECT tells its status, its headers and its body, for 403, 407 and 502."""
        told = []
        for status in (403, 407, 502):
            async with Proxy(self._trust, said=REFUSAL % status).listening() as proxy:
                told.append(await self._connect_told(proxy))
        found = {
            "status": [status in text for status, text in zip(("403", "407", "502"), told, strict=True)],
            "headers": ["X-Why" in text for text in told],
            "body": ["no money" in text for text in told],
        }
        return ", ".join(f"{what} {sum(those)} of 3" for what, those in found.items())

    async def _connect_told(self, proxy: Proxy) -> str:
        async with self.visit(proxy.port) as visitor:
            try:
                await visitor.get(f"{SITE}/ok")
            except Exception as error:  # noqa: BLE001 - what it tells is the question
                return visitor.told(error).connect
        return ""

    async def time_outs(self) -> str:
        """Which stages' time-outs are told from all others: to connect, of the CONNECT, TLS, the answer, its body."""
        kinds = {}
        with deaf_port() as port:
            kinds["connect"] = await self._kind(port)
        return _told_apart(kinds | await self._kinds(SILENCES))

    async def ends(self) -> str:
        """Which stages' lost connections are told from all others, where the proxy or the site hangs up."""
        kinds = {}
        with closed_port() as port:
            kinds["connect"] = await self._kind(port)
        return _told_apart(kinds | await self._kinds(ENDS, hangs_up=True))

    async def _kinds(self, failings: dict[str, Failing], *, hangs_up: bool = False) -> dict[str, str]:
        kinds = {}
        for name, failing in failings.items():
            async with self.proxy(stops=failing.stops, hangs_up=hangs_up).listening() as proxy:
                kinds[name] = await self._kind(proxy.port, failing.path)
        return kinds

    async def _kind(self, port: int, path: str = "/ok") -> str:
        async with self.visit(port) as visitor:
            try:
                page = await visitor.get(f"{SITE}{path}", seconds=SOON_SECONDS)
            except Exception as error:  # noqa: BLE001 - what it tells is the question
                return visitor.told(error).kind
        return f"no failure: {page.status}, {len(page.body)} bytes"

    async def login_page(self) -> str:
        """How long a proxy takes to fail that answers a CONNECT with 200 and a page in one."""
        said = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<!DOCTYPE html><p>Log in first</p>"
        return await self._seconds_to_fail(Proxy(self._trust, said=said))

    async def endless_connect(self) -> str:
        """The same for a line of a CONNECT's headers that never ends, and the processor time that it takes."""
        return await self._seconds_to_fail(Proxy(self._trust, said=b"HTTP/1.1 200 OK\r\nX-Long: ", goes_on=True))

    async def _seconds_to_fail(self, trial: Proxy) -> str:
        started_at, processor = time.monotonic(), time.process_time()
        async with trial.listening() as proxy, self.visit(proxy.port) as visitor:
            with contextlib.suppress(Exception):
                await visitor.get(f"{SITE}/ok", seconds=2.0)
                return "no failure"
            seconds = time.monotonic() - started_at
        return f"{seconds:.2f} s, {time.process_time() - processor:.2f} s CPU"

    async def cancellation(self) -> str:
        """At which moments a cancelled request leaves no connection open, the session going on."""
        closed = []
        for name, failing in SILENCES.items():
            async with self.proxy(stops=failing.stops).listening() as proxy, self.visit(proxy.port) as visitor:
                if await self._is_cancelled(visitor, failing.path) and await proxy.is_left():
                    closed.append(name)
        return f"{len(closed)} of {len(SILENCES)}" + f": {', '.join(closed)}" * (0 < len(closed) < len(SILENCES))

    async def _is_cancelled(self, visitor: Visitor, path: str, seconds: float = 0.2) -> bool:
        task = asyncio.ensure_future(visitor.get(f"{SITE}{path}"))
        await asyncio.sleep(seconds)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return task.cancelled()

    async def leaks(self) -> str:
        """How many MB memory grows by 300 sessions that are cancelled within a body, once as many have been."""
        sizes = []
        async with self.proxy().listening() as proxy:
            for _ in range(2):
                for _ in range(CANCELLED_COUNT):
                    async with self.visit(proxy.port) as visitor:
                        await self._is_cancelled(visitor, "/drip", 0.01)
                gc.collect()
                sizes.append(resident_mb(os.getpid()))
        return f"{sizes[1] - sizes[0]:.1f} MB"

    async def limit(self) -> str:
        """How often of twenty times a body of 1 GB ends at 1 MB, and the most that is sent and that memory grows by."""
        before, sent_mb = peak_mb(), []
        for _ in range(LIMIT_COUNT):
            async with self.proxy().listening() as proxy, self.visit(proxy.port) as visitor:
                with contextlib.suppress(TooLargeError):
                    await visitor.get(f"{SITE}/big", seconds=30.0)
                    return "it is taken"
                await proxy.is_left(LONGEST_BODY_SECONDS)
            sent_mb.append(proxy.sent_bytes / 1e6)
        stopped = sum(megabytes < MOST_SENT_MB for megabytes in sent_mb)
        return f"{stopped} of {LIMIT_COUNT}, {max(sent_mb):,.0f} MB, {peak_mb() - before:.0f} MB"

    async def closing(self) -> str:
        """Whether a session's idle connections are closed within a second of its end."""
        async with self.proxy().listening() as proxy:
            async with self.visit(proxy.port) as visitor:
                for _ in range(3):
                    await visitor.get(f"{SITE}/ok")
            return "yes" if await proxy.is_left() else "no"

    async def sharing(self) -> str:
        """Whether a session keeps its connection, and shares it with no other."""
        async with self.proxy().listening() as proxy, self.visit(proxy.port) as one, self.visit(proxy.port) as other:
            for visitor in (one, other, one, other):
                await visitor.get(f"{SITE}/ok")
        first, second, third, fourth = proxy.ports
        return "yes" if first == third != second == fourth else "no"

    async def nothing_of_its_own(self) -> str:
        """Whether redirects are not followed, and cookies not sent back."""
        async with self.proxy().listening() as proxy, self.visit(proxy.port) as visitor:
            moved = await visitor.get(f"{SITE}/moved")
            for path in ("/cookie", "/ok"):
                await visitor.get(f"{SITE}{path}")
        follows, sends = moved.status != 302, any(b"seen=1" in head for head in proxy.heads)
        return ", ".join([*["redirects followed"] * follows, *["cookies sent"] * sends]) or "yes"

    async def url_bytes(self) -> str:
        """Which target the site sees for an odd one; "as given" where it is the same to the byte."""
        async with self.proxy().listening() as proxy, self.visit(proxy.port) as visitor:
            await visitor.get(f"{SITE}{ODD_PATH}")
        target = proxy.heads[0].split(b" ")[1].decode()
        return "as given" if target == ODD_PATH else target

    async def header_order(self) -> str:
        """Whether own headers and cookies stand where Chrome has them, over HTTP/1.1."""
        async with self.proxy().listening() as proxy, self.visit(proxy.port) as visitor:
            await visitor.get(f"{SITE}/ok", headers={"Cookie": "a=b; c=d", "Referer": f"{SITE}/"})
        lines = proxy.heads[0].decode().split("\r\n")[1:-2]
        names = [line.partition(":")[0].lower() for line in lines]
        expected = [name for name in CHROMES_ORDER.lower().split(",") if name in names]
        is_whole = "Cookie: a=b; c=d" in [line.replace("cookie", "Cookie") for line in lines] and "referer" in names
        return "yes" if names == expected and is_whole else f"no: {' '.join(names)}"

    async def http_2(self) -> str:
        """What agrees with Chrome 150 at an HTTP/2 site."""
        (_, _, _, ja4, frames, names) = next(browser for browser in BROWSERS if browser[:2] == ("chrome", 150))
        async with self._testbed() as (bed, visitor):
            seen = await self._shown(bed, visitor)
        agrees = {
            "HTTP/2": seen.protocol == "HTTP/2",
            "JA4": seen.ja4 == ja4,
            "frames": seen.http2 == frames,
            "order": " ".join(seen.header_names).lower() == names,
        }
        return ", ".join(what for what, is_so in agrees.items() if is_so)

    async def resumption(self) -> str:
        """Of which browsers a connection after a reset one resumes TLS as theirs do, and no other session's."""
        told = [await self._resumption(browser, ja4) for browser, ja4 in RESUMED_JA4.items()]
        return ", ".join(told)

    async def _resumption(self, browser: str, ja4: str) -> str:
        async with self._testbed(browser) as (bed, visitor):
            await self._shown(bed, visitor)
            with contextlib.suppress(Exception):
                await visitor.get(f"{bed.site_url}/reset")
            later = await self._shown(bed, visitor)
            async with self._visit_bed(bed, browser) as other:
                strange = await self._shown(bed, other)
        looks = "as it does" if later.ja4 == ja4 else "otherwise" if later.is_resumed else "not"
        return f"{browser} {looks}{', shared' if strange.is_resumed else ''}"

    @contextlib.asynccontextmanager
    async def _testbed(self, browser: str = "chrome") -> AsyncIterator[tuple[Testbed, Visitor]]:
        async with Testbed(World(proxies=1, networks=1, https=True)) as bed, self._visit_bed(bed, browser) as visitor:
            yield bed, visitor

    @contextlib.asynccontextmanager
    async def _visit_bed(self, bed: Testbed, browser: str) -> AsyncIterator[Visitor]:
        visitor = self._visitor(bed.proxy_lines[0], bed.ca_path or self._trust.ca_path, browser)
        try:
            yield visitor
        finally:
            await visitor.close()

    async def _shown(self, bed: Testbed, visitor: Visitor) -> SeenFingerprint:
        page = await visitor.get(f"{bed.site_url}/fingerprint")
        return msgspec.json.decode(page.body, type=SeenFingerprint)


def _as_read(scheme: str, login: str) -> tuple[str, str]:
    if scheme == "http":
        user, _, password = f"{login}:{login}".partition(":")
        return user, password
    return login, login


def _told_apart(kinds: dict[str, str]) -> str:
    alone = [name for name, kind in kinds.items() if list(kinds.values()).count(kind) == 1]
    return f"all {len(kinds)}" if len(alone) == len(kinds) else f"{len(alone)} of {len(kinds)}: {', '.join(alone)}"


def peak_mb() -> float:
    """The most memory that this process has taken."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if os.uname().sysname == "Darwin" else 1024) / 1e6
