"""One site, asked in every way there is: `check`, `fetch`, `fetch --browser` and `judge` make the same of each page."""

from __future__ import annotations

import asyncio
import ssl
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urljoin

import pytest
from tests.browser.shared import SharedChromium
from tests.browser.visits import TRUSTING
from tests.clients.rude_servers import ESTABLISHED, HEAD_END, answer, authority, context, listening

from proxysieve import GaveUp, SessionPool
from proxysieve.browser.options import BrowserOptions
from proxysieve.check.check import MOST_BYTES, Check, CheckOptions
from proxysieve.cli.judge import fetch_now
from proxysieve.clients.curl import CurlClient
from proxysieve.clients.protocol import Client
from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.core.model import Exchange
from proxysieve.errors import ConfigError
from proxysieve.fetch.records import page_line
from proxysieve.judging.saved import Defaults, read_saved
from proxysieve.judging.sign_tables import make_judge
from proxysieve.pool.attempts import Page

HTML = "Content-Type: text/html; charset=utf-8"
OPTIONS = BrowserOptions(settle_seconds=1.0, check_seconds=0.3, launch={"args": [TRUSTING]})
SHOP, TLS, OTHER = "http://shop.example", "https://shop.example", "http://other.example"
VENDOR = "cf-mitigated: challenge"


def document(title: str, content: str) -> bytes:
    """A page of its own."""
    return f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{content}</body></html>".encode()


LAMPS = document("Lamps", "<h1>Lamps</h1><p>Of all kinds.</p>")
PLAIN = document("Oh", "<p>There is no such lamp.</p>")
LOGIN = document("Log in", "<form method=post><input name=user><input type=password name=pw></form>")
CAPTCHA = document("shop.example", "<script>var dd={'rt':'c','cid':'A','host':'geo.captcha-delivery.com'}</script>")


def page(status: str = "200 OK", *headers: str, body: bytes = LAMPS) -> bytes:
    """An answer with a page."""
    return answer(status, HTML, *headers, body=body, stays=True)


def moved(to: str, *headers: str) -> bytes:
    """A redirect."""
    return page("302 Found", f"Location: {to}", *headers, body=b"")


class Case(NamedTuple):
    """What is at a URL, and what is to be made of it."""

    answer: bytes
    verdict: str = "ok"
    sign: str = ""
    final_url: str = ""


BLOCKED, UNCLEAR, SITE_ERROR, THROTTLED = "blocked", "unclear", "site_error", "throttled"
ANSWERED = {
    f"{SHOP}/good": Case(page()),
    f"{SHOP}/json": Case(answer("200 OK", "Content-Type: application/json", body=b'{"lamps": 3}', stays=True)),
    f"{SHOP}/missing": Case(page("404 Not Found", body=PLAIN)),
    f"{SHOP}/missing-empty": Case(page("404 Not Found", body=b"")),
    f"{SHOP}/leads-nowhere": Case(page("302 Found")),
    f"{SHOP}/choices": Case(page("300 Multiple Choices", f"Location: {SHOP}/good")),
    f"{SHOP}/captcha": Case(page(body=CAPTCHA), BLOCKED, "datadome-captcha"),
    f"{SHOP}/captcha-403": Case(page("403 Forbidden", body=CAPTCHA), BLOCKED, "datadome-captcha"),
    f"{SHOP}/header": Case(page("403 Forbidden", VENDOR, body=b""), BLOCKED, "cf-mitigated"),
    f"{SHOP}/header-200": Case(page("200 OK", VENDOR), BLOCKED, "cf-mitigated"),
    f"{SHOP}/forbidden": Case(page("403 Forbidden", body=PLAIN), UNCLEAR, "status-403"),
    f"{SHOP}/forbidden-empty": Case(page("403 Forbidden", body=b""), UNCLEAR, "status-403"),
    f"{SHOP}/slow": Case(page("429 Too Many Requests", "Retry-After: 120", body=PLAIN), THROTTLED, "status-429"),
    f"{SHOP}/away": Case(page("503 Service Unavailable", "Retry-After: 60", body=PLAIN), THROTTLED, "status-503"),
    f"{SHOP}/broken": Case(page("500 Internal Server Error", body=PLAIN), SITE_ERROR, "status-500"),
    f"{SHOP}/broken-empty": Case(page("500 Internal Server Error", body=b""), SITE_ERROR, "status-500"),
    f"{SHOP}/gateway": Case(page("502 Bad Gateway", body=PLAIN), UNCLEAR, "status-502"),
    f"{SHOP}/empty": Case(page(body=b""), UNCLEAR, "empty-body"),
    f"{SHOP}/word": Case(page(body=b"Forbidden"), UNCLEAR, "refusal-word"),
    f"{SHOP}/proxys": Case(page("403 Forbidden", "X-Squid-Error: ERR_ACCESS_DENIED 0"), "proxy_error", "squid"),
    f"{SHOP}/moved": Case(moved("/good"), final_url=f"{SHOP}/good"),
    f"{SHOP}/sorry": Case(moved(f"{OTHER}/sorry/now"), BLOCKED, "google-sorry", f"{OTHER}/sorry/now"),
    f"{SHOP}/past-sorry": Case(moved(f"{OTHER}/sorry/back"), BLOCKED, "google-sorry", f"{SHOP}/good"),
    f"{SHOP}/passed": Case(moved(f"{OTHER}/sorry/passed"), final_url=f"{SHOP}/passed?yes"),
    f"{SHOP}/past-header": Case(moved("/good", VENDOR), BLOCKED, "cf-mitigated", f"{SHOP}/good"),
    f"{SHOP}/account": Case(moved("/signin?next=%2Faccount"), UNCLEAR, "login-wall", f"{SHOP}/signin?next=%2Faccount"),
    f"{SHOP}/orders": Case(moved("/to-signin?next=%2Forders"), UNCLEAR, "login-wall", f"{SHOP}/signin"),
}
OVER_TLS = {
    f"{TLS}/good": Case(page()),
    f"{TLS}/forbidden": Case(page("403 Forbidden", body=PLAIN), UNCLEAR, "status-403"),
    f"{TLS}/gateway": Case(page("502 Bad Gateway", body=PLAIN), SITE_ERROR, "status-502"),
    f"{TLS}/down": Case(moved(f"{SHOP}/good"), final_url=f"{SHOP}/good"),
    f"{TLS}/down-to-gateway": Case(moved(f"{SHOP}/gateway"), UNCLEAR, "status-502", f"{SHOP}/gateway"),
}
ENDLESS = {
    f"{SHOP}/loop": Case(moved("/loop"), UNCLEAR, "redirects"),
    f"{SHOP}/vendors-loop": Case(moved("/vendors-loop", VENDOR), BLOCKED, "cf-mitigated"),
    **{
        f"{SHOP}/to-{place.partition(':')[0]}": Case(moved(place), UNCLEAR, "misled")
        for place in ("file:///etc/passwd", "mailto:anna@shop.example", "data:text/html,x", "javascript:1", "ftp://x/")
    },
    f"{SHOP}/to-nonsense": Case(moved("http://[nonsense/"), UNCLEAR, "misled"),
    f"{SHOP}/vendors-file": Case(moved("file:///etc/passwd", VENDOR), BLOCKED, "cf-mitigated"),
}
ENDLESS_OVER_TLS = {
    f"{TLS}/loop": Case(moved("/loop"), SITE_ERROR, "redirects"),
    f"{TLS}/down-to-loop": Case(moved(f"{SHOP}/loop"), UNCLEAR, "redirects"),
    f"{TLS}/to-file": Case(moved("file:///etc/passwd"), SITE_ERROR, "misled"),
    f"{TLS}/down-to-file": Case(moved(f"{SHOP}/to-file"), UNCLEAR, "misled"),
}
PRIVATE = {
    f"{SHOP}/to-{number}": Case(moved(place), UNCLEAR, "private")
    for number, place in enumerate(
        ("http://192.168.1.1/", "http://localhost:8080/", "https://127.0.0.1/", "//[::1]/", f"{OTHER}/to-router")
    )
}
LARGE = {f"{SHOP}/large": Case(page(body=b"<p>" + b"x" * (MOST_BYTES + 1)), SITE_ERROR, "too-large")}
# What is asked for only on the way.
BESIDE = {
    f"{OTHER}/sorry/now": page(body=PLAIN),
    f"{OTHER}/sorry/back": moved(f"{SHOP}/good"),
    f"{OTHER}/sorry/passed": moved(f"{SHOP}/passed?yes"),
    f"{OTHER}/to-router": moved("http://10.0.0.1/router"),
    f"{SHOP}/passed?yes": page(),
    f"{SHOP}/to-signin?next=%2Forders": moved("/signin"),
    f"{SHOP}/signin": page(body=LOGIN),
    f"{SHOP}/signin?next=%2Faccount": page(body=LOGIN),
}
CASES = {**ANSWERED, **OVER_TLS, **ENDLESS, **ENDLESS_OVER_TLS, **PRIVATE, **LARGE}
ANSWERS = {**{url: case.answer for url, case in CASES.items()}, **BESIDE}


class Made(NamedTuple):
    """What was made of a page; ``final_url`` is None where that is not told."""

    verdict: str
    sign: str
    final_url: str | None


@cache
def tls_of(host: str) -> ssl.SSLContext:
    """A server's side of TLS for *host*."""
    return context(authority, host)


class World:
    """All sites, and the proxy that leads to them.

    Attributes:
        asked: The URLs that were asked for.
    """

    def __init__(self, answers: Mapping[str, bytes]) -> None:
        self.asked: list[str] = []
        self._answers = answers

    async def serve(self, reader: Reader, writer: Writer) -> None:
        origin = ""
        while True:
            head = (await reader.readuntil(HEAD_END)).decode("latin-1")
            method, target, _ = head.partition("\r\n")[0].split()
            if method == "CONNECT":
                host = target.rpartition(":")[0]
                writer.write(ESTABLISHED)
                await writer.start_tls(tls_of(host))
                origin = f"https://{host}"
                continue
            if target.startswith("/") and not origin:
                lines = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if line)
                origin = f"http://{lines['host']}"
            url = f"{origin}{target}"
            self.asked.append(url)
            writer.write(self._answers.get(url, page("404 Not Found", body=PLAIN)))
            await writer.drain()


def expected(cases: Mapping[str, Case], *, is_final_told: bool = True) -> dict[str, Made]:
    """What is to be made of *cases*."""
    return {
        url: Made(case.verdict, case.sign, _end(url, case) if is_final_told else None) for url, case in cases.items()
    }


def _end(url: str, case: Case) -> str:
    is_lost = case.answer not in {one.answer for one in (*ANSWERED.values(), *OVER_TLS.values())}
    return "" if is_lost else case.final_url or url


def judged(exchange: Exchange) -> Made:
    """What `judge` makes of it."""
    verdict = make_judge().judge(exchange)
    end = "" if exchange.failure is not None else exchange.final_url or exchange.url
    return Made(verdict.outcome.value, verdict.sign, end)


async def all_of(urls: Mapping[str, Any], ask: Callable[[str], Awaitable[Made]]) -> dict[str, Made]:
    """What was made of each, some at a time."""
    turns = asyncio.Semaphore(4)

    async def in_turn(url: str) -> Made:
        async with turns:
            return await ask(url)

    return dict(zip(urls, await asyncio.gather(*map(in_turn, urls)), strict=True))


async def fetched(url: str, line: str, client: Client) -> Page | GaveUp:
    """What comes of one try."""
    settings: dict[str, Any] = {"store": "memory:", "max_rate": 0.0, "looks": False, "max_bytes": MOST_BYTES}
    async with SessionPool([line], client=client, **settings) as pool:
        try:
            return await pool.get(url, max_tries=1)
        except GaveUp as gave_up:
            return gave_up


def told(came: Page | GaveUp) -> Made:
    """What was made of it."""
    if isinstance(came, Page):
        return Made("ok", "", came.final_url)
    return Made(came.verdict.outcome.value, came.verdict.sign, came.exchange.final_url)


@pytest.fixture
def curl(tmp_path: Path) -> CurlClient:
    """The built-in client, which trusts the sites here."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return CurlClient(ca_path=str(tmp_path / "ca.pem"))


def proxy_of(port: int) -> str:
    """The line of the proxy on *port*."""
    return f"http://127.0.0.1:{port}"


async def test_fetch_makes_of_each_what_is_to_be_made_of_it(curl: CurlClient) -> None:
    """And ends where redirects end."""
    async with listening(World(ANSWERS).serve) as port:

        async def ask(url: str) -> Made:
            return told(await fetched(url, proxy_of(port), curl))

        assert await all_of(CASES, ask) == expected(CASES)


async def test_check_makes_the_same_of_each(curl: CurlClient) -> None:
    """It does not tell where redirects ended."""
    async with listening(World(ANSWERS).serve) as port:

        async def ask(url: str) -> Made:
            options = CheckOptions(url=url, proxies=[parse_proxy(proxy_of(port))], max_rate=0.0, client=curl)
            [result] = (await Check(options).run()).results
            return Made(result.verdict.value, result.sign or "", None)

        assert await all_of(CASES, ask) == expected(CASES, is_final_told=False)


async def test_a_browser_makes_the_same_of_each(shared: SharedChromium) -> None:
    """Nor is it led to a private place, or asks anybody but the sites."""
    world = World(ANSWERS)
    async with listening(world.serve) as port, shared.client(OPTIONS) as client:

        async def ask(url: str) -> Made:
            return told(await fetched(url, proxy_of(port), client))

        assert await all_of(CASES, ask) == expected(CASES)

    asked = {url for url in world.asked if not url.endswith("/favicon.ico")}
    assert asked == ANSWERS.keys()


async def test_a_page_in_a_browser_is_not_led_to_a_private_place_later(shared: SharedChromium) -> None:
    """By a link on it: the page stays as it is. One on a private page leads wherever it does."""
    links = {
        f"{SHOP}/good": page(body=document("Lamps", "<a href='/to-0'>on</a>")),
        "http://10.0.0.2/": page(body=document("Router", "<a href='/on'>on</a>")),
        "http://10.0.0.2/on": moved("http://192.168.1.1/"),
        "http://192.168.1.1/": page(),
    }
    world = World({**ANSWERS, **links})
    settings: dict[str, Any] = {"store": "memory:", "max_rate": 0.0, "looks": False}
    async with (
        listening(world.serve) as port,
        SessionPool([proxy_of(port)], **settings) as pool,
        shared.browser(pool, OPTIONS) as opened,
    ):
        async with opened.page(f"{SHOP}/good", max_tries=1) as public:
            async with public.expect_event("requestfailed"):
                await public.click("a")
            assert await public.title() == "Lamps"
        assert "http://192.168.1.1/" not in world.asked
        async with opened.page("http://10.0.0.2/", max_tries=1) as private:
            await private.click("a")
            await private.wait_for_url("http://192.168.1.1/")


async def test_judge_makes_the_same_of_each_url(capsys: pytest.CaptureFixture[str]) -> None:
    """At sites that need no proxy; how redirects from it ended is an answer, too."""
    cases = {**ANSWERED, **ENDLESS}
    answers: dict[str, bytes] = {}
    async with listening(World(answers).serve) as port:

        def here(text: str) -> str:
            return text.replace("shop.example", f"127.0.0.1:{port}").replace("other.example", f"localhost:{port}")

        answers |= {here(url): here(said.decode("latin-1")).encode("latin-1") for url, said in ANSWERS.items()}

        async def ask(url: str) -> Made:
            return judged((await asyncio.to_thread(fetch_now, here(url))).exchange)

        found = await all_of(cases, ask)
    capsys.readouterr()

    assert found == {url: made._replace(final_url=here(made.final_url or "")) for url, made in expected(cases).items()}


async def test_nothing_is_judged_where_no_proxy_could_be_to_blame(capsys: pytest.CaptureFixture[str]) -> None:
    """A redirect to where nobody listens brings no verdict on a proxy, as there is none."""
    answers: dict[str, bytes] = {}
    async with listening(World(answers).serve) as port:
        answers[f"http://127.0.0.1:{port}/gone"] = moved("http://127.0.0.1:9/")

        with pytest.raises(ConfigError, match="could not be reached"):
            await asyncio.to_thread(fetch_now, f"http://127.0.0.1:{port}/gone")
    capsys.readouterr()


async def test_judge_makes_the_same_of_what_fetch_saved(curl: CurlClient, tmp_path: Path) -> None:
    """Of a good page, that it is one."""
    good = {url: case for url, case in CASES.items() if case.verdict == "ok"}
    async with listening(World(ANSWERS).serve) as port:

        async def ask(url: str) -> Made:
            came = await fetched(url, proxy_of(port), curl)
            assert isinstance(came, Page)
            path = tmp_path / f"{url.rpartition('/')[2]}-{len(came.body)}.jsonl"
            path.write_bytes(page_line(came))
            [saved] = read_saved(str(path), Defaults())
            return judged(saved.exchange)

        assert await all_of(good, ask) == expected(good)


@pytest.mark.parametrize("url", [*ANSWERED, *OVER_TLS])
def test_judge_makes_the_same_of_what_curl_prints(url: str, tmp_path: Path) -> None:
    """By `curl -siL`: the heads of redirects, without their bodies, and the last answer."""
    path, said, here = tmp_path / "answer", b"", url
    while b"\r\nLocation: " in (last := ANSWERS[here]) and not last.startswith(b"HTTP/1.1 300"):
        said += last.partition(HEAD_END)[0] + HEAD_END
        here = urljoin(here, last.partition(b"\r\nLocation: ")[2].partition(b"\r\n")[0].decode())
    path.write_bytes(said + last)

    [saved] = read_saved(str(path), Defaults(url=url))

    assert judged(saved.exchange) == expected({**ANSWERED, **OVER_TLS})[url]


@pytest.mark.parametrize(("url", "verdict"), [("", "ok"), (f"{SHOP}/past-sorry", "blocked")])
def test_a_way_says_nothing_where_it_is_not_known_where_it_began(url: str, verdict: str, tmp_path: Path) -> None:
    """It may have come back to there."""
    path = tmp_path / "answer"
    way = (ANSWERS[f"{SHOP}/past-sorry"], ANSWERS[f"{OTHER}/sorry/back"], ANSWERS[f"{SHOP}/good"])
    path.write_bytes(b"".join(way))

    [saved] = read_saved(str(path), Defaults(url=url))

    assert judged(saved.exchange).verdict == verdict
