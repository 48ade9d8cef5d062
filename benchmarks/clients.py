"""The built-in client's library beside others that imitate browsers, on the testbed: first what is right, then speed.

Each client runs in a process of its own. A property is tried once; the traffic of speed and memory goes over plain HTTP
(and over TLS and HTTP/2, where a row says so) through the same proxies, and clients take turns. What the cells of the
first table mean is said at each property below. Clients that are not installed are left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from importlib import metadata, util
from itertools import cycle
from pathlib import Path
from typing import Any

import msgspec

from client_adapters import ADAPTERS, MAX_BYTES, Adapter, Options, TooLargeError, Visitor
from measure import Bench, Cell, Spread
from proxysieve.testbed import SeenFingerprint, TestbedProcess, World
from proxysieve.testbed.world import lay_out

TRIALS = World(proxies=8, networks=1, https=True, https_proxies=True, demanding=1, failing=1, refusing=1, hanging=1)
PLAIN = World(proxies=2, networks=1)
SPEED = World(proxies=100, networks=10, hits_kept=0)
SPEED_TLS = World(proxies=100, networks=10, https=True, hits_kept=0)
MEMORY = World(proxies=20, networks=2, page_bytes=200, hits_kept=0)
CONCURRENCY = 50
PAGE_COUNT = 3000
MEMORY_COUNT = 100_000
LONGEST_SECONDS = 600.0
LONGEST_TRIAL_SECONDS = 20.0

CHROME_HTTP2 = "1:65536;2:0;4:6291456;6:262144|15663105|0|m,a,s,p"
CHROME_NAMES = (
    "sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform upgrade-insecure-requests user-agent accept sec-fetch-site "
    "sec-fetch-mode sec-fetch-user sec-fetch-dest accept-encoding accept-language priority"
)
FIREFOX_HTTP2 = "1:65536;2:0;4:131072;5:16384|12517377|0|m,p,a,s"
FIREFOX_NAMES = (
    "user-agent accept accept-language accept-encoding upgrade-insecure-requests sec-fetch-dest sec-fetch-mode "
    "sec-fetch-site sec-fetch-user priority te"
)
SAFARI_HTTP2 = "2:0;3:100;4:2097152;9:1|10420225|0|m,s,a,p"
SAFARI_NAMES = "sec-fetch-dest user-agent accept sec-fetch-site sec-fetch-mode accept-language priority accept-encoding"
# Family, first and last version, JA4, HTTP/2 and order of headers. Their sources are in tests/browsers.py; the newest
# Chrome is what benchmarks/browsers.py reads off Chromium 156, the newest Firefox is 152 as reported to
# lexiforest/curl-impersonate.
BROWSERS = (
    ("chrome", 133, 149, "t13d1516h2_8daaf6152771_d8a2da3f94cd", CHROME_HTTP2, CHROME_NAMES),
    ("chrome", 150, 151, "t13d1516h2_8daaf6152771_806a8c22fdea", CHROME_HTTP2, CHROME_NAMES),
    ("chrome", 152, 156, "t13d1517h2_8daaf6152771_cb7bf5808d99", CHROME_HTTP2, CHROME_NAMES),
    ("firefox", 135, 150, "t13d1717h2_5b57614c22b0_3cbfd9057e0d", FIREFOX_HTTP2, FIREFOX_NAMES),
    ("firefox", 151, 153, "t13d1617h2_86a278354501_3cbfd9057e0d", FIREFOX_HTTP2, FIREFOX_NAMES),
    ("safari", 18.4, 18.6, "t13d2014h2_a09f3c656075_e42f34c56612", SAFARI_HTTP2, SAFARI_NAMES),
    # On macOS 26, and on macOS 15.
    (
        "safari",
        26,
        26.5,
        "t13d2013h2_a09f3c656075_7f0f34a4126d t13d2014h2_a09f3c656075_e42f34c56612",
        SAFARI_HTTP2,
        SAFARI_NAMES,
    ),
)
RESUMED_CHROME = "t13d1517h2_8daaf6152771_b6f405a00624"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What a client's process is told of a testbed."""

    site_url: str
    lines: list[str]
    ca_path: str | None = None

    @classmethod
    def of(cls, bed: TestbedProcess) -> Place:
        """Where *bed* is."""
        return cls(site_url=bed.site_url, lines=bed.proxy_lines, ca_path=str(bed.ca_path) if bed.ca_path else None)


class Trials:
    """The properties, each a method that returns what goes into the table."""

    def __init__(self, adapter: Adapter, secure: Place, plain: Place) -> None:
        self._adapter = adapter
        self._secure = secure
        self._plain = plain
        by_kind = zip(lay_out(TRIALS), secure.lines, strict=True)
        self._by_kind = {exit_.kind: line for exit_, line in by_kind}

    @contextlib.asynccontextmanager
    async def _visitor(
        self,
        proxy: str | None = None,
        browser: str | None = None,
        cookies: Any = None,  # noqa: ANN401 - in the client's own form
    ) -> AsyncIterator[Visitor]:
        proxy = proxy or self._by_kind["plain"]
        options = Options(proxy, browser or self._adapter.browser, self._secure.ca_path, cookies)
        visitor = self._adapter.open(options)
        try:
            yield visitor
        finally:
            await visitor.close()

    async def _shown(self, visitor: Visitor) -> SeenFingerprint:
        page = await visitor.get(f"{self._secure.site_url}/fingerprint")
        return msgspec.json.decode(page.body, type=SeenFingerprint)

    async def schemes(self) -> str:
        """Through which kinds of proxies a page of an HTTPS site comes, with user and password."""
        working = []
        for scheme in ("http", "https", "socks5", "socks5h"):
            line = self._by_kind["plain"].replace("http", scheme, 1)
            with contextlib.suppress(Exception):
                async with self._visitor(line) as visitor:
                    await self._shown(visitor)
                    working.append(scheme)
        return "all 4" if len(working) == 4 else ", ".join(working)

    async def encoded_credentials(self) -> str:
        """Whether the proxy gets credentials decoded that are percent-encoded in its URL."""
        async with self._visitor(self._by_kind["plain"].replace("user:pass@", "u%73er:p%61ss@")) as visitor:
            await self._shown(visitor)
        return "yes"

    async def _failures(self) -> dict[str, BaseException | None]:
        url = f"{self._secure.site_url}/page/1"
        async with refusing_proxy(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") as forbidding:
            lines = {
                "407": self._by_kind["demanding"],
                "403": forbidding,
                "502": self._by_kind["failing"],
                "refused": self._by_kind["refusing"],
                "unresolved": "http://user:pass@nowhere.invalid:8000",
                "hanging": self._by_kind["hanging"],
            }
            return {name: await self._failure(line, url) for name, line in lines.items()}

    async def _failure(self, line: str, url: str) -> BaseException | None:
        async with self._visitor(line) as visitor:
            try:
                await visitor.get(url, 1.0)
            except Exception as error:  # noqa: BLE001 - what it is, is the question
                return error
        return None

    async def failures_told_apart(self) -> str:
        """How many of six failures of a proxy differ in class, code or message."""
        return f"{len({signature(error) for error in (await self._failures()).values()})} of 6"

    async def connect_status(self) -> str:
        """Whether an error says the status with which the proxy refused a tunnel."""
        failures = await self._failures()
        told = [name for name in ("407", "403", "502") if name in str(failures[name])]
        return "yes" if len(told) == 3 else ", ".join(told) or "no"

    async def timeout_before_answer(self) -> str:
        """When a time-out of 0.5 s ends a request whose answer takes 30 s."""
        async with self._visitor() as visitor:
            return await self._time_until_failure(visitor, f"{self._secure.site_url}/slow?seconds=30", 0.5)

    async def timeout_of_body(self) -> str:
        """When a time-out of 1 s ends a body that trickles for 10 s."""
        async with trickling_proxy() as line, self._visitor(line) as visitor:
            return await self._time_until_failure(visitor, "http://site.example/", 1.0)

    async def _time_until_failure(self, visitor: Visitor, url: str, timeout_seconds: float) -> str:
        started_at = time.monotonic()
        try:
            await visitor.get(url, timeout_seconds)
        except Exception:  # noqa: BLE001 - that it fails is what is measured
            return f"{time.monotonic() - started_at:.1f} s"
        return f"never ({time.monotonic() - started_at:.0f} s)"

    async def endless_body(self) -> str:
        """Whether a body of 500 MB stops at 1 MB, and what it adds to the peak of memory."""
        async with self._visitor() as visitor:
            return await self._peak_of(visitor, f"{self._secure.site_url}/big?bytes=500000000&chunked=1")

    async def bomb(self) -> str:
        """The same for 0.5 MB of gzip that unpack to 500 MB."""
        async with bombing_proxy() as line, self._visitor(line) as visitor:
            return await self._peak_of(visitor, "http://site.example/")

    async def _peak_of(self, visitor: Visitor, url: str) -> str:
        before = peak_mb()
        try:
            await visitor.get(url)
        except Exception as error:  # noqa: BLE001 - any that stops it
            stopped = isinstance(error, TooLargeError) or "23" in str(error)
            return f"{'yes' if stopped else type(error).__name__}, {peak_mb() - before:.0f} MB"
        return f"no, {peak_mb() - before:.0f} MB"

    async def cancellation(self) -> str:
        """How long a cancelled request takes to end, and how many sockets are left a second later, client closed."""
        sockets = open_sockets()
        async with self._visitor() as visitor:
            await self._shown(visitor)
            task = asyncio.create_task(visitor.get(f"{self._secure.site_url}/slow?seconds=30"))
            await asyncio.sleep(0.3)
            task.cancel()
            started_at = time.monotonic()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
            seconds = time.monotonic() - started_at
        del visitor, task
        await asyncio.sleep(1.0)
        return f"{seconds * 1000:.0f} ms, {max(open_sockets() - sockets, 0)} left"

    async def cookies_kept(self) -> str:
        """Whether a cookie of the site comes back with the next request, and to no other session."""
        url = f"{self._secure.site_url}/cookie"
        async with self._visitor() as visitor, self._visitor() as other:
            await visitor.get(url)
            kept, strange = [msgspec.json.decode((await one.get(url)).body)["received"] for one in (visitor, other)]
        return "yes" if kept and not strange else "no"

    async def cookies_restored(self) -> str:
        """Whether all cookies can be read, with domain and path, and given to a new session."""
        url = f"{self._secure.site_url}/cookie"
        async with self._visitor() as visitor:
            await visitor.get(url)
            cookies = visitor.cookies()
        if cookies is None:
            return "no"
        async with self._visitor(cookies=cookies) as again:
            return "yes" if msgspec.json.decode((await again.get(url)).body)["received"] else "no"

    async def redirects(self) -> str:
        """Whether three redirects are followed, and their number and the last address known."""
        async with self._visitor() as visitor:
            page = await visitor.get(f"{self._secure.site_url}/redirect/3")
        if page.status != 200:
            return "no"
        unknown = ["no count"] if page.redirects != 3 else []
        unknown += [] if page.url and page.url.endswith("/page/3") else ["no address"]
        return ", ".join(["yes", *unknown])

    async def redirect_limit(self) -> str:
        """Whether a chain of 50 redirects is given up after 20."""
        async with self._visitor() as visitor:
            try:
                page = await visitor.get(f"{self._secure.site_url}/redirect/50")
            except Exception as error:  # noqa: BLE001 - any that stops it
                return "yes" if "redirect" in f"{type(error).__name__} {error}".lower() else type(error).__name__
        return f"no, status {page.status}"

    async def environment(self) -> str:
        """Whether the session's proxy is used whatever HTTP_PROXY and NO_PROXY say."""
        names = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
        tried = []
        for settings in (dict.fromkeys(names, "http://127.0.0.1:9"), dict.fromkeys(("NO_PROXY", "no_proxy"), "*")):
            os.environ.update(settings)
            try:
                async with self._visitor(self._plain.lines[0]) as visitor:
                    seen = msgspec.json.decode((await visitor.get(f"{self._plain.site_url}/echo")).body)
                tried.append(seen["address"] == self._plain.lines[0].partition("@")[2].partition(":")[0])
            except Exception:  # noqa: BLE001 - the wrong proxy refuses
                tried.append(False)
            for name in settings:
                del os.environ[name]
        return "yes" if all(tried) else "no"

    async def fingerprints(self) -> str:
        """How many of the targets with a known browser agree with it in JA4, HTTP/2 and the order of headers."""
        agreeing, known = [0, 0, 0], 0
        for target in self._adapter.targets():
            browser = browser_of(target)
            if browser is None:
                continue
            async with self._visitor(browser=target) as visitor:
                try:
                    seen = await self._shown(visitor)
                except Exception:  # noqa: BLE001 - a target that does not work agrees with nothing
                    seen = SeenFingerprint(protocol="")
            known += 1
            names = " ".join(name for name in seen.header_names if name not in {"cookie", "host"})
            found = (seen.ja4 or "-", seen.http2, names.lower())
            agreed = (found[0] in browser[0].split(), found[1] == browser[1], found[2] == browser[2])
            agreeing = [count + agrees for count, agrees in zip(agreeing, agreed, strict=True)]
        return " / ".join(str(count) for count in agreeing) + f" of {known}"

    async def resumption(self) -> str:
        """What the ClientHello of a second connection is that follows a reset: Chrome's, a first one, or another."""
        async with self._visitor() as visitor:
            first = await self._shown(visitor)
            with contextlib.suppress(Exception):
                await visitor.get(f"{self._secure.site_url}/reset")
            later = await self._shown(visitor)
        if later.ja4 == RESUMED_CHROME and later.is_resumed:
            return "Chrome's"
        return "as the first" if later.ja4 == first.ja4 else "another"

    async def plain_http(self) -> str:
        """Whether Chrome's hints and Sec-Fetch headers stay away from plain HTTP, as they do in Chrome."""
        async with self._visitor(self._plain.lines[0]) as visitor:
            seen = msgspec.json.decode((await visitor.get(f"{self._plain.site_url}/echo")).body)
        return "no" if any(name.lower().startswith("sec-") for name, _ in seen["headers"]) else "yes"

    async def versions(self) -> str:
        """How many browsers it can look like, and its newest Chrome, Firefox and Safari."""
        targets = self._adapter.targets()
        newest = [max(version_of(target, family) for target in targets) for family in FAMILIES]
        return f"{len(targets)}: {' '.join(f'{version:g}' if version else '-' for version in newest)}"


FAMILIES = ("chrome", "firefox", "safari")

PROPERTIES: tuple[tuple[str, Callable[[Trials], Awaitable[str]]], ...] = (
    ("kinds of proxies", Trials.schemes),
    ("credentials percent-encoded", Trials.encoded_credentials),
    ("failures of proxies told apart", Trials.failures_told_apart),
    ("status of a refused CONNECT", Trials.connect_status),
    ("time-out 0.5 s: no answer", Trials.timeout_before_answer),
    ("time-out 1 s: trickling body", Trials.timeout_of_body),
    ("500 MB stop at 1 MB, peak", Trials.endless_body),
    ("gzip bomb stops, peak", Trials.bomb),
    ("cancelled in, sockets left", Trials.cancellation),
    ("cookies kept, a jar a session", Trials.cookies_kept),
    ("cookies read and restored", Trials.cookies_restored),
    ("redirects", Trials.redirects),
    ("limit of redirects", Trials.redirect_limit),
    ("environment ignored", Trials.environment),
    ("JA4 / HTTP/2 / header order", Trials.fingerprints),
    ("ClientHello when it resumes", Trials.resumption),
    ("no sec-* headers without TLS", Trials.plain_http),
    ("targets: Chrome Firefox Safari", Trials.versions),
)


def version_of(target: str, family: str) -> float:
    """The version of a desktop browser that *target* names, 0 for anything else."""
    found = re.fullmatch(rf"{family}_?(\d+)(?:[._](\d+))?(?:[._]\d+)*", target.lower())
    if found is None:
        return 0.0
    digits = found[1]
    if family == "safari" and len(digits) > 2:
        return float(f"{digits[:2]}.{digits[2]}")
    return float(f"{digits}.{found[2] or 0}")


def browser_of(target: str) -> tuple[str, str, str] | None:
    """What the browser that *target* names was seen to send, if that is known."""
    for family, first, last, ja4, http2, names in BROWSERS:
        if first <= version_of(target, family) <= last:
            return ja4, http2, names
    return None


def signature(error: BaseException | None) -> str:
    """What tells one failure from another, without addresses and durations."""
    text = f"{type(error).__name__} {getattr(error, 'code', '')} {error}"
    return re.sub(r"https?://\S+|127[.\d]+(:\d+)?|port \d+|localhost:?\d*|after \d+|\d+ (ms|milliseconds)", "", text)


def peak_mb() -> float:
    """The most memory that this process has taken."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def resident_mb() -> float:
    """The memory that this process has now."""
    answer = subprocess.run(["ps", "-o", "rss=", "-p", str(os.getpid())], check=True, capture_output=True)  # noqa: S607
    return int(answer.stdout) * 1024 / 1e6


def open_sockets() -> int:
    """How many sockets this process has."""
    places = (Path("/dev/fd") / name for name in os.listdir("/dev/fd"))  # noqa: PTH208 - they come and go meanwhile
    return sum(place.is_socket() for place in places)


@contextlib.asynccontextmanager
async def proxy_that(
    serve: Callable[[asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """A proxy that answers every request by *serve*, and its line."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            await reader.readuntil(b"\r\n\r\n")
            await serve(writer)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://user:pass@127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def refusing_proxy(head: bytes) -> contextlib.AbstractAsyncContextManager[str]:
    """A proxy that answers *head*."""

    async def serve(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        await writer.drain()

    return proxy_that(serve)


def trickling_proxy() -> contextlib.AbstractAsyncContextManager[str]:
    """A proxy whose answers trickle for ten seconds."""

    async def serve(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        for _ in range(100):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.1)

    return proxy_that(serve)


def bombing_proxy() -> contextlib.AbstractAsyncContextManager[str]:
    """A proxy whose answers unpack to a thousand times their size."""
    packed = gzip.compress(bytes(500 * MAX_BYTES), compresslevel=9)

    async def serve(writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
        writer.write(head.encode() + packed)
        await writer.drain()

    return proxy_that(serve)


async def try_properties(adapter: Adapter, secure: Place, plain: Place) -> dict[str, str]:
    """What each property comes to."""
    trials = Trials(adapter, secure, plain)
    cells = {}
    for name, trial in PROPERTIES:
        try:
            cells[name] = await asyncio.wait_for(trial(trials), LONGEST_TRIAL_SECONDS)
        except TimeoutError:
            cells[name] = "hangs"
        except Exception as error:  # noqa: BLE001 - what a client does wrong is a cell, and no end
            cells[name] = f"no ({type(error).__name__})"
    return cells


async def fetch_all(adapter: Adapter, place: Place, count: int) -> None:
    """Fetch *count* pages, by one visitor a proxy in turn."""
    visitors = [adapter.open(Options(line, adapter.browser, place.ca_path)) for line in place.lines]
    turns = cycle(visitors)

    async def work(numbers: Iterator[int]) -> None:
        for number in numbers:
            page = await next(turns).get(f"{place.site_url}/page/{number % 1000}", 60.0)
            if page.status != 200 or not page.body:
                raise RuntimeError(f"{adapter.package} got {page.status}")

    numbers = iter(range(count))
    async with asyncio.TaskGroup() as workers:
        for _ in range(CONCURRENCY):
            workers.create_task(work(numbers))
    for visitor in visitors:
        await visitor.close()


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a client's process is to do: ``properties``, ``speed`` or ``memory``."""

    task: str
    places: list[Place]
    count: int = 0


def work_for_parent(package: str) -> None:
    """Do what standard input says, and write the outcome to standard output."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    adapter = ADAPTERS[package]
    outcome: object
    match order.task:
        case "properties":
            outcome = asyncio.run(try_properties(adapter, *order.places))
        case "speed":
            started_at, processor = time.monotonic(), time.process_time()
            asyncio.run(fetch_all(adapter, order.places[0], order.count))
            seconds = time.monotonic() - started_at
            outcome = [order.count / seconds, (time.process_time() - processor) / order.count * 1e6]
        case _:
            asyncio.run(fetch_all(adapter, order.places[0], 2_000))
            before = resident_mb()
            asyncio.run(fetch_all(adapter, order.places[0], order.count))
            outcome = [before, resident_mb()]
    sys.stdout.buffer.write(msgspec.json.encode(outcome))
    sys.stdout.flush()
    # Threads of a client may outlive its work.
    os._exit(0)


def run(package: str, order: Order) -> Any:  # noqa: ANN401 - as the task has it
    """Have a process of its own do it."""
    done = subprocess.run(
        [sys.executable, __file__, "--side", package],
        input=msgspec.json.encode(order),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
        timeout=LONGEST_SECONDS,
    )
    return msgspec.json.decode(done.stdout)


def measure_speed(world: World, packages: list[str], rounds: int) -> dict[str, list[list[float]]]:
    """Pages a second and processor time a page, round by round; the first is not counted."""
    figures: dict[str, list[list[float]]] = {package: [] for package in packages}
    for number in range(rounds + 1):
        for package in packages:
            with TestbedProcess(world) as bed:
                figure = run(package, Order(task="speed", places=[Place.of(bed)], count=PAGE_COUNT))
            if number:
                figures[package].append(figure)
    return figures


def package_facts(package: str) -> dict[str, str]:
    """What the package says of itself."""
    state = metadata.metadata(package)
    named = [state[field] for field in ("License-Expression", "License") if field in state]
    named += [text.rpartition(" :: ")[2] for text in state.get_all("Classifier") or () if text.startswith("License")]
    typed = any(str(file).endswith("py.typed") for file in metadata.files(package) or ())
    return {
        "version": state["Version"],
        "licence": named[0].removesuffix(" License").removesuffix(" Software"),
        "typed": "yes" if typed else "no",
    }


def main() -> None:
    """Compare."""
    bench = Bench("clients", __doc__, rounds=5)
    bench.parser.add_argument("--side", choices=list(ADAPTERS), help="for the processes that this starts")
    bench.parser.add_argument("--requests", type=int, default=MEMORY_COUNT, help="of the look at memory; 0 for none")
    options = bench.start()
    if options.side:
        work_for_parent(options.side)
    packages = [package for package in ADAPTERS if util.find_spec(package)]
    with TestbedProcess(TRIALS) as secure, TestbedProcess(PLAIN) as plain:
        order = Order(task="properties", places=[Place.of(secure), Place.of(plain)])
        cells = {package: package_facts(package) | run(package, order) for package in packages}
    for what, world in (("http", SPEED), ("https", SPEED_TLS)):
        figures = measure_speed(world, packages, options.rounds)
        for package in packages:
            pages = [pages for pages, _ in figures[package]]
            ratios = [one / other for one, (other, _) in zip(pages, figures[packages[0]], strict=True)]
            cells[package] |= {
                f"pages a second, {what}": Spread.of(pages).text(),
                f"of {packages[0]}'s, {what}": Spread.of(ratios).text(2),
                f"processor us a page, {what}": f"{Spread.of(used for _, used in figures[package]).median:,.0f}",
            }
    if options.requests:
        with TestbedProcess(MEMORY) as bed:
            order = Order(task="memory", places=[Place.of(bed)], count=options.requests)
            for package in packages:
                before, after = run(package, order)
                cells[package][f"MB before, after {options.requests:,}"] = f"{before:.0f}, {after:.0f}"
    for package in packages:
        bench.emit(client=package, **cells[package])
    rows: list[dict[str, Cell]] = [
        {"property": name, **{package: cells[package].get(name) for package in packages}} for name in cells[packages[0]]
    ]
    bench.table("four clients that imitate browsers", rows)


if __name__ == "__main__":
    main()
