"""Redirects of the built-in client, as a site sees them: each is a request of the same session."""

from __future__ import annotations

from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer

import pytest
from tests.clients.rude_servers import HEAD_END, answer, endless, listening, saying
from tests.clients.walks import Asked, failed, moved, playing, send, session_on

from proxysieve.clients.curl import CurlClient
from proxysieve.clients.protocol import Request
from proxysieve.core.model import Failure

A, B, OTHER = "http://a.example/", "http://sub.a.example/", "http://b.example/"


async def test_each_hop_is_told() -> None:
    """With its status, headers and text."""
    answers = {A: moved(f"{A}2"), f"{A}2": moved(OTHER, "301 Moved"), OTHER: answer(body=b"end", stays=True)}
    async with playing(answers) as (line, _):
        response = await send(Request(url=A), session_on(line))

    assert (response.url, response.body, response.redirect_count) == (OTHER, b"end", 2)
    assert [(hop.url, hop.status, hop.body) for hop in response.hops] == [(A, 302, b"moved"), (f"{A}2", 301, b"moved")]
    assert response.hops[1].header("location") == OTHER


@pytest.mark.parametrize(
    ("status", "method", "then", "keeps"),
    [
        ("301 Moved", "POST", "GET", False),
        ("302 Found", "POST", "GET", False),
        ("303 See Other", "POST", "GET", False),
        ("307 Temporary", "POST", "POST", True),
        ("308 Permanent", "POST", "POST", True),
        ("301 Moved", "PUT", "PUT", True),
        ("303 See Other", "PUT", "GET", False),
        ("303 See Other", "HEAD", "HEAD", False),
        ("302 Found", "GET", "GET", False),
    ],
)
async def test_the_method_changes_as_in_browsers(status: str, method: str, then: str, *, keeps: bool) -> None:
    """And with it goes the body (Fetch standard, HTTP-redirect fetch)."""
    body = b"a=1" if method in {"POST", "PUT"} else None
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
    ended = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    redirect = f"HTTP/1.1 {status}\r\nLocation: /2\r\nContent-Length: 0\r\n\r\n".encode()
    async with playing({A: redirect, f"{A}2": ended}) as (line, seen):
        await send(Request(url=A, method=method, content=body, headers=headers), session_on(line))

    assert [(one.method, one.body) for one in seen] == [(method, body or b""), (then, (body or b"") if keeps else b"")]
    assert ("content-type" in seen[1].headers) is keeps


@pytest.mark.parametrize("locations", [[], [""], [" \t"], ["", "\t"]])
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary"])
async def test_what_leads_nowhere_is_a_page(status: str, locations: list[str]) -> None:
    """With all of its body, as browsers show it."""
    page = b"<p>page</p>" * 20_000
    said = answer(status, *[f"Location: {one}" for one in locations], body=page, stays=True)
    async with playing({A: said}) as (line, seen):
        response = await send(Request(url=A), session_on(line))

    assert (response.url, response.status, response.body) == (A, int(status[:3]), page)
    assert (response.hops, len(seen)) == ((), 1)


@pytest.mark.parametrize(("name", "location"), [("location", "/%A0"), ("LOCATION ", "/2"), ("Location", " \t/2")])
async def test_what_leads_on_is_one_whatever_it_looks_like(name: str, location: str) -> None:
    """A blank of another alphabet is no blank; of its text no more is kept than of any redirect's."""
    written = location.replace("%A0", "\xa0").removeprefix("/" if "%" in location else "")
    said = answer("302 Found", f"{name}: ", f"{name}: {written}", body=b"x" * 20_000, stays=True)
    async with playing({A: said}) as (line, _):
        response = await send(Request(url=A), session_on(line))

    assert (response.url, response.redirect_count) == (f"{A}{location.strip()[1:]}", 1)
    assert len(response.hops[0].body) == 4_096


async def test_circles_end_after_twenty() -> None:
    """All of them were requests to the site, and are told."""
    async with playing(lambda asked: moved(asked.url)) as (line, seen):
        exchange = await failed(Request(url=A), session_on(line))

    assert exchange.failure is Failure.REDIRECTS
    assert len(seen) == 21
    assert exchange.redirect_count == len(exchange.hops) == 21


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://a.example/", "data:text/html,x", "javascript:x"])
async def test_what_is_no_web_page_is_not_asked_for(location: str) -> None:
    """And what had led there is told."""
    async with playing({A: moved(location)}) as (line, seen):
        exchange = await failed(Request(url=A), session_on(line))

    assert exchange.failure is Failure.MISLED
    assert [hop.header("location") for hop in exchange.hops] == [location]
    assert len(seen) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "localhost", "2130706433"])
async def test_private_addresses_are_for_private_pages(host: str) -> None:
    """A site must not send a visitor into the network of the proxy, or of this machine."""
    inside = f"http://{host}/latest/meta-data"
    async with playing({A: moved(inside)}) as (line, seen):
        exchange = await failed(Request(url=A), session_on(line))
    assert exchange.failure is not None
    assert len(seen) == 1

    async with playing({"http://10.1.1.1/": moved("http://10.0.0.1/"), "http://10.0.0.1/": answer()}) as (line, _):
        response = await send(Request(url="http://10.1.1.1/"), session_on(line))
    assert response.url == "http://10.0.0.1/"


async def test_cookies_of_a_redirect_go_along() -> None:
    """To their own site, and to no other."""
    first = moved(B, "302 Found", "Set-Cookie: a=1; Domain=a.example", "Set-Cookie: host=1")
    answers = {A: first, B: moved(OTHER), OTHER: moved(A + "end"), A + "end": answer(stays=True)}
    async with playing(answers) as (line, seen):
        session = session_on(line)
        await send(Request(url=A), session)

    assert [one.headers.get("cookie") for one in seen] == [None, "a=1", None, "a=1; host=1"]
    assert {cookie.name for cookie in session.cookies} == {"a", "host"}


async def test_own_headers_stay_at_their_site() -> None:
    """By whatever a redirect leads elsewhere."""
    answers = {A: moved(A + "2"), A + "2": moved(OTHER), OTHER: answer(stays=True)}
    async with playing(answers) as (line, seen):
        await send(Request(url=A, headers={"X-Own": "1", "X-Api-Key": "secret"}), session_on(line))

    assert [(one.headers.get("x-own"), one.headers.get("x-api-key")) for one in seen] == [
        ("1", "secret"),
        ("1", "secret"),
        (None, None),
    ]


async def test_no_referer_appears_by_itself() -> None:
    """A browser that is sent elsewhere keeps the one that it came with, and another site sees its origin at most."""
    answers = {A: moved(A + "2"), A + "2": moved(OTHER), OTHER: answer(stays=True)}
    async with playing(answers) as (line, seen):
        await send(Request(url=A), session_on(line))
        await send(Request(url=A, headers={"referer": "http://a.example/from"}), session_on(line))

    assert [one.headers.get("referer") for one in seen] == [
        *(None, None, None),
        *("http://a.example/from", "http://a.example/from", "http://a.example/"),
    ]


@pytest.mark.parametrize(
    ("location", "end"),
    [
        ("two", "http://a.example/dir/two"),
        ("?q=ü", "http://a.example/dir/one?q=%C3%BC"),
        ("//b.example/x", "http://b.example/x"),
        ("/a b", "http://a.example/a%20b"),
        ("../up/./x", "http://a.example/up/x"),
        ("HTTP://B.Example:80/%7e|", "http://b.example/%7e|"),
        ("http://user:word@b.example/", "http://b.example/"),
    ],
)
async def test_locations_as_they_are_written(location: str, end: str) -> None:
    """Whatever browsers understand."""
    raw = b"HTTP/1.1 302 Found\r\nLocation: " + location.encode() + b"\r\nContent-Length: 0\r\n\r\n"
    async with playing(lambda asked: raw if asked.url.endswith("/one") else answer(stays=True)) as (line, seen):
        response = await send(Request(url="http://a.example/dir/one"), session_on(line))

    assert (seen[1].url, response.url) == (end, end)


@pytest.mark.parametrize("url", ["http://a.example/p?", "http://a.example/?", "http://a.example/a/b?x=?"])
async def test_an_empty_query_is_sent(url: str) -> None:
    """As in browsers: a site may lead from one to the other."""
    async with playing({url.removesuffix("?"): moved(url), url: answer(stays=True)}) as (line, seen):
        session = session_on(line)
        client = CurlClient()
        await client.send(Request(url=url), session)
        await client.send(Request(url=f"{A}next"), session)
        response = await send(Request(url=url.removesuffix("?")), session, client)

    assert [one.url for one in seen] == [url, f"{A}next", url.removesuffix("?"), url]
    assert response.url == url


async def test_a_redirect_without_end_is_followed() -> None:
    """Its text is nobody's page."""
    head = b"HTTP/1.1 302 Found\r\nLocation: http://b.example/\r\n\r\n"

    async def behave(reader: Reader, writer: Writer) -> None:
        asked = await reader.readuntil(HEAD_END)
        again = Reader()
        again.feed_data(asked)
        await (saying(answer(body=b"end")) if b"b.example" in asked else endless(head))(again, writer)

    async with listening(behave) as port:
        response = await send(Request(url=A, timeout_seconds=5), session_on(f"http://127.0.0.1:{port}"))

    assert (response.url, response.body) == (OTHER, b"end")
    assert len(response.hops[0].body) == 4096


async def test_the_order_of_hints_is_that_of_a_redirected_chromium() -> None:
    """The hints stand behind what it fetches then; the handle that did it forgets it."""
    port = "http://127.0.0.1:1/"
    answers = {port: moved(port + "2"), port + "2": answer(stays=True)}
    client = CurlClient()
    async with playing(answers) as (line, seen):
        for _ in range(2):
            await send(Request(url=port), session_on(line), client)

    def places(one: Asked) -> bool:
        return one.names.index("sec-ch-ua") < one.names.index("Sec-Fetch-Site")

    assert [places(one) for one in seen] == [True, False, True, False]
