"""The mirror at the level of HTTP: what a browser's script would ask for and report is sent by hand."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from proxysieve.testbed import Bed, Mirror, Testbed, TestbedProcess, World
from proxysieve.testbed.mirror import Part

REALM = {
    "user_agent": "one", "platform": "Linux x86_64", "vendor": "", "language": "de", "languages": ["de", "en"],
    "webdriver": None, "hardware_concurrency": 8, "device_memory": 0.5, "timezone": "Europe/Berlin",
    "offset_minutes": -60, "locale": "de", "agent_data": None,
}  # fmt: skip
AGENT_DATA = {
    "brands": [["Chromium", "156"]], "full_versions": [["Chromium", "156.0.1.2"]], "is_mobile": False,
    "platform": "Linux", "platform_version": "", "architecture": "x86", "bitness": "64", "model": "",
}  # fmt: skip
REPORT: dict[str, Any] = {
    "page": {**REALM, "webdriver": False, "agent_data": AGENT_DATA},
    "worker": REALM,
    "frame": None,
    "screen": {"width": 1920, "height": 1080, "avail_width": 1920, "avail_height": 1040, "color_depth": 24},
    "window": {
        "inner_width": 1280, "inner_height": 720, "outer_width": 1280, "outer_height": 800, "screen_x": 0,
        "screen_y": 0, "device_pixel_ratio": 1.25,
    },
    "max_touch_points": 0,
    "plugin_count": 5,
    "has_chrome": True,
    "visits": {"local_storage": 0, "indexed_db": None, "script_cookie": 3},
    "ice_candidates": ["candidate:1 1 udp 1 127.0.0.1 5000 typ srflx"],
}  # fmt: skip
PARTS: dict[str, Part] = {
    "look.js": "script",
    "worker.js": "worker",
    "frame": "frame",
    "image.svg": "image",
    "fetch": "fetch",
    "xhr": "xhr",
}


@contextlib.asynccontextmanager
async def visitor(bed: Bed) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client at the address of an exit."""
    transport = httpx.AsyncHTTPTransport(local_address=bed.exits[0].address, verify=False)
    async with httpx.AsyncClient(transport=transport, base_url=bed.site_url) as client:
        yield client


async def look_into(client: httpx.AsyncClient) -> str:
    """Open the mirror, and return the number of the visit."""
    number = re.search(r"const VISIT = (\d+),", (await client.get("/mirror")).text)
    assert number
    return number[1]


async def report(client: httpx.AsyncClient, number: str, told: object = REPORT) -> int:
    """Report as the page's script does, and return the status."""
    return (await client.post(f"/mirror/seen?visit={number}", json=told)).status_code


@pytest.mark.parametrize("https", [False, True])
async def test_what_is_reported_is_the_truth(*, https: bool) -> None:
    """With the exit that it came from."""
    async with Testbed(World(proxies=1, https=https)) as bed, visitor(bed) as client:
        status = await report(client, await look_into(client))
        mirrors = bed.truth().mirrors

    assert status == 200
    [mirror] = mirrors
    assert isinstance(mirror, Mirror)
    assert mirror.exit == bed.exits[0].address
    assert mirror.page.agent_data is not None
    assert mirror.page.agent_data.brands == (("Chromium", "156"),)
    assert mirror.worker is not None
    assert (mirror.worker.webdriver, mirror.worker.device_memory) == (None, 0.5)
    assert (mirror.frame, mirror.window.device_pixel_ratio) == (None, 1.25)
    assert mirror.ice_candidates == tuple(REPORT["ice_candidates"])


async def test_another_process_tells_it_too() -> None:
    """The report is the same there and back."""
    with TestbedProcess(World(proxies=1)) as bed:
        async with visitor(bed) as client:
            await report(client, await look_into(client))
        [mirror] = bed.truth().mirrors

    assert mirror.page.languages == ("de", "en")
    assert mirror.headers["document"][0][0] == "Host"


async def test_the_headers_of_each_part_are_kept_in_their_order() -> None:
    """And in their case; of a part that is asked for twice, those of the first time."""
    async with Testbed(World(proxies=1)) as bed, visitor(bed) as client:
        number = await look_into(client)
        for turn in "12":
            for path, part in PARTS.items():
                headers = {"X-Part": part, "x-turn": turn}
                assert (await client.get(f"/mirror/{path}?visit={number}", headers=headers)).status_code == 200
        await report(client, number)
        [mirror] = bed.truth().mirrors

    assert set(mirror.headers) == {"document", *PARTS.values()}
    for part in PARTS.values():
        own = [field for field in mirror.headers[part] if field[0].lower().startswith("x-")]
        assert own == [("X-Part", part), ("x-turn", "1")]
    assert mirror.headers["document"][0][0] == "Host"


async def test_visits_are_counted_by_a_cookie_that_no_script_sees() -> None:
    """The site adds what it read of it to what the script tells."""
    async with Testbed(World(proxies=1)) as bed, visitor(bed) as client:
        cookie = (await client.get("/mirror")).headers["set-cookie"]
        for _ in range(2):
            await report(client, await look_into(client))
        first, second = bed.truth().mirrors

    assert cookie.startswith("mirror=1; ")
    assert "HttpOnly" in cookie
    assert "Max-Age" in cookie
    assert (first.visits.server_cookie, second.visits.server_cookie) == (1, 2)
    assert (first.visits.local_storage, first.visits.indexed_db, first.visits.script_cookie) == (0, None, 3)


@pytest.mark.parametrize("cookie", ["", "many", "-1", "9" * 5000])
async def test_a_strange_cookie_counts_as_none(cookie: str) -> None:
    """It begins anew."""
    async with Testbed(World(proxies=1)) as bed, visitor(bed) as client:
        response = await client.get("/mirror", headers={"Cookie": f"mirror={cookie}"})

    assert response.headers["set-cookie"].startswith("mirror=1; ")


async def test_the_page_names_the_stun_server() -> None:
    """Which is the testbed's own, on loopback, and counts who asks."""
    async with Testbed(World(proxies=1)) as bed, visitor(bed) as client:
        page = (await client.get("/mirror")).text

        assert re.search(r'STUN = "stun:127\.0\.0\.1:\d+"', page)
        assert bed.truth().stun_senders == {}


@pytest.mark.parametrize("told", [{}, [], {**REPORT, "page": None}, {**REPORT, "plugin_count": "many"}])
async def test_a_report_that_cannot_be_read_is_refused(told: object) -> None:
    """And is no part of the truth."""
    async with Testbed(World(proxies=1)) as bed, visitor(bed) as client:
        assert await report(client, await look_into(client), told) == 400
        assert bed.truth().mirrors == []


async def test_only_visits_are_reported() -> None:
    """By POST, with the number of one; and parts that there are not are missing."""
    async with Testbed(World(proxies=1)) as bed, visitor(bed) as client:
        assert await report(client, "7") == 404
        number = await look_into(client)
        assert (await client.get(f"/mirror/seen?visit={number}")).status_code == 404
        assert (await client.get("/mirror/else")).status_code == 404
        assert bed.truth().mirrors == []
