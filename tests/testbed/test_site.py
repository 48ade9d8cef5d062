"""The site over real sockets: clients come from the addresses of exits, without a proxy between."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Literal

import httpx
import pytest

from proxysieve.testbed import BlockStyle, Limit, Outage, Testbed, World


@contextlib.asynccontextmanager
async def visitor(bed: Testbed, exit_number: int = 0) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client at the address of an exit."""
    transport = httpx.AsyncHTTPTransport(local_address=bed.exits[exit_number].address, verify=False)
    async with httpx.AsyncClient(transport=transport, base_url=bed.site_url, timeout=5) as client:
        yield client


async def exchange(bed: Testbed, sent: bytes) -> bytes:
    """Send bytes to the site and return all that comes back until it closes."""
    host, _, port = bed.site_url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(sent)
    received = await reader.read()
    writer.close()
    await writer.wait_closed()
    return received


async def test_pages_are_served_as_they_are_known_beforehand() -> None:
    """A page arrives as `page_body` has it, by its address among `page_urls`."""
    async with Testbed(World(proxies=1)) as bed, visitor(bed) as client:
        response = await client.get(bed.page_urls(8)[7])

        assert response.status_code == 200
        assert response.content == bed.page_body(7)
        assert (await client.get("/")).content == bed.page_body(0)


@pytest.mark.parametrize(
    ("style", "status", "mark"),
    [
        ("forbidden", 403, "403 Forbidden"),
        ("throttled", 429, "Too many requests"),
        ("challenge", 503, "_cf_chl_opt"),
        ("captcha", 200, "px-captcha"),
        ("sorry", 302, "has moved"),
        ("empty", 200, ""),
        ("unknown", 200, "Gatehouse"),
        ("json", 403, '"url":"https://geo.captcha-delivery.com/'),
        ("country", 403, "block access from your country"),
        ("network", 403, ">1005<"),
    ],
)
async def test_a_banned_exit_gets_its_style_of_block(style: BlockStyle, status: int, mark: str) -> None:
    """Every path but that of the sorry page is refused in the style."""
    world = World(proxies=1, banned_share=1.0, block_styles=(style,))
    async with Testbed(world) as bed, visitor(bed) as client:
        for path in ("/page/7", "/robots.txt", "/echo", "/nowhere"):
            response = await client.get(path)

            assert response.status_code == status
            assert mark in response.text
            assert len(response.content) < 1000
        assert bed.truth().answer_counts == {"blocked": 4}


async def test_a_throttled_style_of_block_says_when_to_come_back() -> None:
    """For a ban for good, that is an hour."""
    world = World(proxies=1, banned_share=1.0, block_styles=("throttled",))
    async with Testbed(world) as bed, visitor(bed) as client:
        assert (await client.get("/page/7")).headers["retry-after"] == "3600"


async def test_a_reset_style_of_block_answers_nothing() -> None:
    """The connection is reset after the request, and the truth says that it was a block."""
    world = World(proxies=1, banned_share=1.0, block_styles=("reset",))
    async with Testbed(world) as bed, visitor(bed) as client:
        with pytest.raises(httpx.ReadError):
            await client.get("/page/7")

        assert bed.truth().answer_counts == {"blocked": 1}


async def test_a_json_style_of_block_says_that_it_is_json() -> None:
    """It can be read as such."""
    world = World(proxies=1, banned_share=1.0, block_styles=("json",))
    async with Testbed(world) as bed, visitor(bed) as client:
        response = await client.get("/page/7")

    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) == {"url"}


async def test_the_sorry_style_leads_to_a_captcha() -> None:
    """The redirect names where to continue, and what it leads to is not blocked again."""
    world = World(proxies=1, banned_share=1.0, block_styles=("sorry",))
    async with Testbed(world) as bed, visitor(bed) as client:
        response = await client.get("/page/7?a=b", follow_redirects=True)

        assert str(response.url) == f"{bed.site_url}/sorry/index?continue=%2Fpage%2F7%3Fa%3Db"
        assert 'name="continue" value="/page/7?a=b"' in response.text
        assert bed.truth().answer_counts == {"blocked": 1, "sorry": 1}


async def test_a_hidden_captcha_is_sent_as_a_page() -> None:
    """As that which was asked for, where it was a page; the truth says that it was a block."""
    world = World(proxies=1, banned_share=1.0, block_styles=("hidden_captcha",))
    async with Testbed(world) as bed, visitor(bed) as client:
        page, robots = await client.get("/page/7"), await client.get("/robots.txt")

        assert (page.status_code, robots.status_code) == (200, 200)
        assert " - item 7</title>" in page.text
        assert " - item 0</title>" in robots.text
        assert bed.truth().answer_counts == {"blocked": 2}


async def test_a_limit_bans_by_the_clock_of_the_site() -> None:
    """The exit is burned, its neighbour is not, and time heals it."""
    now = 0.0
    world = World(proxies=2, networks=1, limit=Limit(requests=3, ban_seconds=60))
    async with Testbed(world, clock=lambda: now) as bed, visitor(bed) as client:
        statuses = [(await client.get("/page/1")).status_code for _ in range(5)]
        during = bed.truth()
        now = 61.0
        status_after = (await client.get("/page/1")).status_code

        assert statuses == [200, 200, 200, 403, 403]
        assert during.banned_exits == during.burned_exits == [bed.exits[0].address]
        assert status_after == 200
        assert bed.truth().banned_exits == []
        assert bed.truth().burned_exits == [bed.exits[0].address]


async def test_a_limit_of_networks_bans_neighbours() -> None:
    """What one exit does, its neighbours pay for."""
    world = World(proxies=3, networks=2, limit=Limit(requests=1, scope="network"))
    async with Testbed(world) as bed:
        for number in (0, 2, 1):
            async with visitor(bed, number) as client:
                await client.get("/page/1")

        assert [hit.answer for hit in bed.truth().hits] == ["ok", "blocked", "ok"]
        assert bed.truth().burned_exits == [bed.exits[0].address, bed.exits[2].address]


async def test_a_throttling_limit_says_when_there_is_room() -> None:
    """The 429 rounds up, so that who waits as told is served."""
    now = 0.0
    world = World(proxies=1, limit=Limit(requests=2, window_seconds=10, style="throttle"))
    async with Testbed(world, clock=lambda: now) as bed, visitor(bed) as client:
        await client.get("/page/1")
        await client.get("/page/1")
        now = 2.5
        throttled = await client.get("/page/1")
        now += float(throttled.headers["retry-after"])
        served = await client.get("/page/1")

        assert (throttled.status_code, throttled.headers["retry-after"]) == (429, "8")
        assert served.status_code == 200
        assert bed.truth().answer_counts == {"ok": 3, "throttled": 1}


async def test_missing_pages_are_honest_404s() -> None:
    """They are missing for everybody, and nothing else is."""
    async with Testbed(World(proxies=1, missing_share=0.2)) as bed, visitor(bed) as client:
        missing = [bed.world.is_missing(page_id) for page_id in range(30)]

        statuses = [(await client.get(url)).status_code for url in bed.page_urls(30)]

        assert statuses == [404 if is_missing else 200 for is_missing in missing]
        assert any(missing)
        assert (await client.get("/nowhere")).status_code == 404
        assert (await client.get("/page/seven")).status_code == 404


async def test_forbidden_pages_look_like_the_block_of_that_style() -> None:
    """They are refused to everybody, and only the truth tells them from blocks."""
    async with Testbed(World(proxies=2, banned_share=0.5, forbidden_share=1.0)) as bed:
        answers = []
        for number in range(2):
            async with visitor(bed, number) as client:
                response = await client.get("/page/1")
                answers.append((response.status_code, response.content, set(response.headers)))

        assert answers[0] == answers[1]
        assert answers[0][0] == 403
        assert bed.truth().answer_counts == {"blocked": 1, "forbidden": 1}


async def test_empty_pages_are_good_answers_without_a_body() -> None:
    """As they are known beforehand."""
    async with Testbed(World(proxies=1, empty_share=0.3)) as bed, visitor(bed) as client:
        pages = [await client.get(url) for url in bed.page_urls(30)]

        empty = [bed.world.fate_of(page_id) == "empty" for page_id in range(30)]
        assert {page.status_code for page in pages} == {200}
        assert [page.content == b"" for page in pages] == empty
        assert [page.content for page in pages] == [bed.page_body(page_id) for page_id in range(30)]
        assert bed.truth().answer_counts == {"ok": empty.count(False), "empty": empty.count(True)}


@pytest.mark.parametrize(("style", "status"), [("maintenance", 503), ("error", 500)])
async def test_an_outage_is_everybodys(style: Literal["maintenance", "error"], status: int) -> None:
    """Pages are counted whoever asks for them, and the banned see the outage too; other paths are not touched."""
    outage = Outage(after_requests=2, requests=2, style=style)
    async with Testbed(World(proxies=2, banned_share=0.5, outages=(outage,))) as bed:
        seen = []
        for path in ("/page/1", "/robots.txt", "/page/2", "/page/3"):
            for number in sorted(range(2), key=lambda number: bed.exits[number].banned):
                async with visitor(bed, number) as client:
                    seen.append((await client.get(path)).status_code)

        assert seen == [200, 403, 200, 403, status, status, 200, 403]
        assert bed.truth().answer_counts == {"ok": 2, "robots": 1, "blocked": 3, "outage": 2}


async def test_an_outage_can_drop_connections() -> None:
    """They are reset after the request."""
    outage = Outage(after_requests=0, requests=1, style="drop")
    async with Testbed(World(proxies=1, outages=(outage,))) as bed, visitor(bed) as client:
        with pytest.raises(httpx.ReadError):
            await client.get("/page/1")

        assert (await client.get("/page/1")).content == bed.page_body(1)
        assert bed.truth().answer_counts == {"outage": 1, "ok": 1}


async def test_false_marks_begin_after_so_many_pages() -> None:
    """What is no page does not count, and the truth has all of them as good ones."""
    async with Testbed(World(proxies=1, false_mark_after=2)) as bed, visitor(bed) as client:
        await client.get("/robots.txt")
        pages = [(await client.get("/page/7")).content for _ in range(4)]

        assert pages == [bed.page_body(7)] * 2 + [bed.page_body(7, is_marked=True)] * 2
        assert bed.truth().answer_counts == {"robots": 1, "ok": 4}


async def test_a_flaky_site_fails_at_random() -> None:
    """About the share of its answers are errors of its own."""
    async with Testbed(World(proxies=1, flaky_share=0.5)) as bed, visitor(bed) as client:
        statuses = [(await client.get("/page/1")).status_code for _ in range(60)]

        assert set(statuses) == {200, 500}
        assert 15 < statuses.count(500) < 45
        assert bed.truth().answer_counts["error"] == statuses.count(500)


async def test_a_visitor_cookie_is_bound_to_address_and_user_agent() -> None:
    """It is good where it was given, and a block anywhere else."""
    async with Testbed(World(proxies=2, bound_cookies=True)) as bed, visitor(bed) as first:
        given = await first.get("/page/1", headers={"User-Agent": "one"})
        cookie = {"Cookie": f"other=1; visitor={given.cookies['visitor']}"}
        again = await first.get("/page/1", headers={"User-Agent": "one", **cookie})
        other_agent = await first.get("/page/1", headers={"User-Agent": "two", **cookie})
        async with visitor(bed, 1) as second:
            other_address = await second.get("/page/1", headers={"User-Agent": "one", **cookie})

    assert [given.status_code, again.status_code] == [200, 200]
    assert "set-cookie" not in again.headers
    assert [other_agent.status_code, other_address.status_code] == [403, 403]


async def test_the_truth_has_each_hit() -> None:
    """When, from where, what, and with which answer, over which connection."""
    ticks = iter(range(100))
    async with Testbed(World(proxies=2), clock=lambda: next(ticks)) as bed:
        async with visitor(bed) as client:
            await client.get("/page/1", headers={"User-Agent": "one"})
            await client.get("/nowhere?x=1", headers={"User-Agent": "two"})
        async with visitor(bed, 1) as client:
            await client.get("/robots.txt")
        hits = bed.truth().hits

    assert [(hit.at, hit.path, hit.answer, hit.connection) for hit in hits] == [
        (0, "/page/1", "ok", 1),
        (1, "/nowhere?x=1", "missing", 1),
        (2, "/robots.txt", "robots", 2),
    ]
    assert [hit.exit for hit in hits] == ["127.1.0.1", "127.1.0.1", "127.1.1.1"]
    assert [hit.network for hit in hits] == ["127.1.0.0/24", "127.1.0.0/24", "127.1.1.0/24"]
    assert [hit.user_agent for hit in hits[:2]] == ["one", "two"]


async def test_only_the_first_hits_are_kept_but_all_are_counted() -> None:
    """A long run does not fill the memory."""
    async with Testbed(World(proxies=1, hits_kept=2)) as bed, visitor(bed) as client:
        for page_id in range(5):
            await client.get(bed.page_url(page_id))

        assert [hit.path for hit in bed.truth().hits] == ["/page/0", "/page/1"]
        assert bed.truth().hit_count == 5


async def test_robots_is_the_text_of_the_world() -> None:
    """As plain text."""
    async with Testbed(World(proxies=1, robots="User-agent: *\nDisallow: /")) as bed, visitor(bed) as client:
        response = await client.get("/robots.txt")

    assert response.text == "User-agent: *\nDisallow: /"
    assert response.headers["content-type"].startswith("text/plain")


async def test_echo_tells_the_request_as_it_arrived() -> None:
    """Headers keep their order and case, and the body comes back."""
    async with Testbed(World(proxies=1)) as bed:
        received = await exchange(
            bed,
            b"POST /echo?x=1 HTTP/1.1\r\nHost: h\r\nX-ODD-case: 1\r\naccept: */*\r\n"
            b"Content-Length: 5\r\nConnection: close\r\n\r\nhello",
        )

    seen = json.loads(received.partition(b"\r\n\r\n")[2])
    assert seen["headers"] == [
        ["Host", "h"],
        ["X-ODD-case", "1"],
        ["accept", "*/*"],
        ["Content-Length", "5"],
        ["Connection", "close"],
    ]
    assert (seen["method"], seen["target"], seen["body"]) == ("POST", "/echo?x=1", "hello")
    assert seen["address"] == "127.0.0.1"


@pytest.mark.parametrize("hops", [1, 3])
async def test_redirects_end_at_the_page_after_so_many_hops(hops: int) -> None:
    """Each hop is a 302 of its own."""
    async with Testbed(World(proxies=1)) as bed, visitor(bed) as client:
        response = await client.get(f"/redirect/{hops}", follow_redirects=True)

        assert len(response.history) == hops
        assert response.content == bed.page_body(hops)


async def test_away_redirects_anywhere() -> None:
    """But not to what would break the head of the answer."""
    async with Testbed(World(proxies=1)) as bed, visitor(bed) as client:
        away = await client.get("/away", params={"to": "http://127.0.0.1:1/x?y=z"})
        broken = await client.get("/away", params={"to": "/x\r\nSet-Cookie: a=b"})

    assert (away.status_code, away.headers["location"]) == (302, "http://127.0.0.1:1/x?y=z")
    assert broken.status_code == 404


@pytest.mark.parametrize("size", [0, 10, 65_536, 1_000_000])
async def test_big_streams_so_many_bytes(size: int) -> None:
    """With their length, or in chunks without it; and the connection goes on."""
    async with Testbed(World(proxies=1)) as bed, visitor(bed) as client:
        plain = await client.get(f"/big?bytes={size}")
        chunked = await client.get(f"/big?bytes={size}&chunked=1")

        assert len(plain.content) == len(chunked.content) == size
        assert plain.headers["content-length"] == str(size)
        assert chunked.headers["transfer-encoding"] == "chunked"
        assert {hit.connection for hit in bed.truth().hits} == {1}


async def test_slow_takes_its_time() -> None:
    """A client with less patience gives up."""
    async with Testbed(World(proxies=1)) as bed, visitor(bed) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/slow?seconds=30", timeout=0.05)

        assert (await client.get("/slow?seconds=0.001")).content == bed.page_body(0)


async def test_the_site_thinks_before_each_answer() -> None:
    """The latency holds for every path."""
    async with Testbed(World(proxies=1, latency_seconds=30)) as bed, visitor(bed) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/page/1", timeout=0.05)


async def test_reset_breaks_the_connection() -> None:
    """By a TCP reset, after the request was read."""
    async with Testbed(World(proxies=1)) as bed:
        with pytest.raises(ConnectionResetError):
            await exchange(bed, b"GET /reset HTTP/1.1\r\nHost: h\r\n\r\n")

        assert bed.truth().answer_counts == {"error": 1}


async def test_cookie_sets_one_and_reports_what_came() -> None:
    """The first answer sets it, the second has it."""
    async with Testbed(World(proxies=1)) as bed, visitor(bed) as client:
        first = await client.get("/cookie")
        second = await client.get("/cookie")

    assert first.json() == {"received": None}
    assert second.json() == {"received": "flavour=vanilla"}


async def test_gzip_packs_the_page_for_those_who_accept_it() -> None:
    """Others get it plain."""
    async with Testbed(World(proxies=1)) as bed, visitor(bed) as client:
        packed = await client.get("/gzip/7", headers={"Accept-Encoding": "gzip"})
        plain = await client.get("/gzip/7", headers={"Accept-Encoding": "identity"})

        assert packed.content == plain.content == bed.page_body(7)
        assert packed.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers


@pytest.mark.parametrize(("status", "kind"), [(200, "ok"), (204, "ok"), (404, "missing"), (503, "error")])
async def test_status_answers_with_any(status: int, kind: str) -> None:
    """Errors count as errors, and a 404 as missing."""
    async with Testbed(World(proxies=1)) as bed, visitor(bed) as client:
        assert (await client.get(f"/status/{status}")).status_code == status
        assert bed.truth().answer_counts == {kind: 1}
        assert (await client.get("/status/100")).status_code == 404


async def test_latin1_is_no_utf8() -> None:
    """Its charset is in the header."""
    async with Testbed(World(proxies=1)) as bed, visitor(bed) as client:
        response = await client.get("/latin1")

    assert "Crème brûlée" in response.text
    with pytest.raises(UnicodeDecodeError):
        response.content.decode()


async def test_head_has_no_body() -> None:
    """Its length is that of the page, and the connection goes on."""
    async with Testbed(World(proxies=1)) as bed, visitor(bed) as client:
        head = await client.head("/page/7")
        page = await client.get("/page/7")

    assert head.headers["content-length"] == page.headers["content-length"]
    assert head.content == b""


@pytest.mark.parametrize(
    ("garbage", "status"),
    [
        (b"\x16\x03\x01garbage\r\n\r\n", 400),
        (b"GET\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n", 431),
    ],
)
async def test_garbage_is_answered_and_the_site_goes_on(garbage: bytes, status: int) -> None:
    """It is no hit, and its connection is closed."""
    async with Testbed(World(proxies=1)) as bed, visitor(bed) as client:
        received = await exchange(bed, garbage)

        assert received.startswith(b"HTTP/1.1 %d " % status)
        assert (await client.get("/page/1")).status_code == 200
        assert bed.truth().hit_count == 1
