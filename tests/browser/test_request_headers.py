"""Headers of the user's own in a real Chromium: what goes to whom, seen from where it arrives."""

from __future__ import annotations

from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from tests.browser.shared import SharedChromium
from tests.browser.visits import TRUSTING
from tests.clients.rude_servers import ESTABLISHED, HEAD_END, answer, listening, sent_to, trusted

from proxysieve import SessionPool
from proxysieve.adapters.playwright import PlaywrightBrowser
from proxysieve.browser.options import BrowserOptions

OPTIONS = BrowserOptions(settle_seconds=1.0, check_seconds=0.5, leave_out=frozenset(), launch={"args": [TRUSTING]})
OWN: dict[str, Any] = {"X-Plain": "plain", "shop.example": {"X-Api-Key": "s3cret", "Authorization": "Bearer s3cret"}}
ALL = {"x-plain", "x-api-key", "authorization"}
PLAIN = {"x-plain"}
NOTHING: set[str] = set()
HTML = "Content-Type: text/html"
SCRIPT = "Content-Type: text/javascript"


class Asked(NamedTuple):
    """A request as it arrived."""

    url: str
    headers: dict[str, str]

    @property
    def own(self) -> set[str]:
        """Which of the user's own came along."""
        return self.headers.keys() & ALL


class Internet:
    """A proxy behind which every site is, with TLS and without."""

    def __init__(self, answers: Mapping[str, bytes]) -> None:
        self.asked: list[Asked] = []
        self._answers = answers

    def own(self) -> dict[str, set[str]]:
        """What came along, by the addresses that were asked for."""
        return {one.url: one.own for one in self.asked}

    async def serve(self, reader: Reader, writer: Writer) -> None:
        head = await reader.readuntil(HEAD_END)
        origin = ""
        if head.startswith(b"CONNECT "):
            writer.write(ESTABLISHED)
            await writer.start_tls(trusted())
            origin = f"https://{head.split()[1].decode().removesuffix(':443')}"
            head = await reader.readuntil(HEAD_END)
        first, *lines = head.decode("latin-1").strip().splitlines()
        url = origin + first.split()[1]
        pairs = [line.partition(":") for line in lines]
        self.asked.append(Asked(url, {name.lower(): value.strip() for name, _, value in pairs}))
        writer.write(self._answers.get(url, answer("404 Not Found", body=b"")))
        await writer.drain()


@asynccontextmanager
async def browsing(shared: SharedChromium, internet: Internet) -> AsyncIterator[PlaywrightBrowser]:
    async with (
        listening(internet.serve) as port,
        SessionPool([f"http://127.0.0.1:{port}"], store="memory:", max_rate=0, looks=False, headers=OWN) as pool,
        shared.browser(pool, OPTIONS) as opened,
    ):
        yield opened


def page(*urls: str) -> bytes:
    """A page that has an image, a script and a frame of each of *urls*."""
    parts = "".join(
        f"<img src='{url}/i'><script src='{url}/s'></script><iframe src='{url}/f'></iframe>" for url in urls
    )
    return answer("200 OK", HTML, body=f"<!DOCTYPE html><title>Lamps</title><p>Lamps of all kinds{parts}".encode())


@pytest.mark.parametrize(
    ("asked", "hops"),
    [
        pytest.param("http://shop.example/go", {"http://tracker.other.example/": NOTHING}, id="to another site"),
        pytest.param(
            "http://shop.example/go",
            {"http://other.example/": NOTHING, "http://shop.example/back": ALL},
            id="there and back",
        ),
        pytest.param("http://shop.example/go", {"http://www.shop.example/": PLAIN}, id="to another host of the site"),
        pytest.param("http://shop.example/go", {"http://shop.example:8080/": PLAIN}, id="to another port"),
        pytest.param("http://shop.example/go", {"https://shop.example/": ALL}, id="from http to https"),
        pytest.param("https://shop.example/go", {"http://shop.example/": NOTHING}, id="from https to http"),
        pytest.param("https://shop.example/go", {"https://shop.example/in": ALL}, id="within https"),
    ],
)
async def test_a_redirect_takes_along_what_may_go_there(
    shared: SharedChromium, asked: str, hops: dict[str, set[str]]
) -> None:
    """Each hop for itself, as each is a request of its own."""
    ways = [asked, *hops]
    answers = {url: sent_to(to) for url, to in pairwise(ways)} | {ways[-1]: page()}
    internet = Internet(answers)

    async with browsing(shared, internet) as opened, opened.page(asked, max_tries=1) as shown:
        assert shown.answer.url == ways[-1]

    came = internet.own()
    assert {url: came[url] for url in ways} == {asked: ALL, **hops}
    assert {one.headers["x-plain"] for one in internet.asked if "x-plain" in one.headers} == {"plain"}


async def test_what_a_page_loads_gets_what_may_go_there(shared: SharedChromium) -> None:
    """Images, scripts, frames and what scripts ask for, of the site itself and of others."""
    home, other, cdn = "https://shop.example", "https://other.example", "https://cdn.shop.example"
    internet = Internet({f"{home}/": page(home, other, cdn)})

    async with browsing(shared, internet) as opened, opened.page(f"{home}/", max_tries=1) as shown:
        for site in (home, other, cdn, "http://shop.example"):
            await shown.evaluate("url => fetch(url, {mode: 'no-cors'}).then(() => 0, () => 0)", f"{site}/x")

    came = internet.own()
    for kind in "isfx":
        assert (came[f"{home}/{kind}"], came[f"{other}/{kind}"], came[f"{cdn}/{kind}"]) == (ALL, NOTHING, PLAIN)
    assert all(not own for url, own in came.items() if not url.startswith("https://"))


async def test_where_a_page_goes_on_to_the_rule_is_the_same(shared: SharedChromium) -> None:
    """By a link, by a script, by whoever uses the page."""
    internet = Internet(
        {url: page() for url in ("http://shop.example/", "http://other.example/", "http://shop.example/2")}
    )

    async with browsing(shared, internet) as opened, opened.page("http://shop.example/", max_tries=1) as shown:
        await shown.goto("http://other.example/")
        await shown.goto("http://shop.example/2")

    came = internet.own()
    assert (came["http://other.example/"], came["http://shop.example/2"]) == (NOTHING, ALL)


@pytest.mark.parametrize(
    ("home", "times"),
    [
        pytest.param("http://shop.example", 1, id="http"),
        # With a certificate of nobody in particular, nothing is kept in the cache.
        pytest.param("https://shop.example", 2, id="https"),
    ],
)
async def test_requests_show_no_other_sign_of_them(shared: SharedChromium, home: str, times: int) -> None:
    """All else is what the same browser sends without them, in its order; and what is in its cache is not asked for."""
    library = answer("200 OK", SCRIPT, "Cache-Control: max-age=600", body=b"1")
    parts = [f"{home}/{part}" for part in ("", *"isf")]
    seen = []
    for headers in ({}, {"X-Plain": "plain"}):
        internet = Internet({f"{home}/": page(home), f"{home}/s": library})
        async with (
            listening(internet.serve) as port,
            shared.client(OPTIONS) as client,
            SessionPool([f"http://127.0.0.1:{port}"], store="memory:", max_rate=0, looks=False, client=client) as pool,
        ):
            for _ in range(2):
                await pool.get(f"{home}/", headers=headers, max_tries=1)
        asked = sorted((one.url, [*one.headers.items()]) for one in internet.asked if one.url in parts)
        seen.append(asked)

    without, with_them = seen
    assert [url for url, _ in without].count(f"{home}/s") == times
    assert all(("x-plain", "plain") in sent for _, sent in with_them)
    assert [(url, [one for one in sent if one != ("x-plain", "plain")]) for url, sent in with_them] == without
