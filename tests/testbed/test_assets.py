"""What pages are made of beside their text."""

from __future__ import annotations

import contextlib
import re
import struct
import wave
import zlib
from collections.abc import AsyncIterator
from io import BytesIO

import httpx
import pytest

from proxysieve.testbed import Limit, Outage, Testbed, World
from proxysieve.testbed.assets import Assets
from proxysieve.testbed.font import make_font
from proxysieve.testbed.pages import Pages


@contextlib.asynccontextmanager
async def visitor(bed: Testbed) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client at the address of an exit."""
    transport = httpx.AsyncHTTPTransport(local_address=bed.exits[0].address)
    async with httpx.AsyncClient(transport=transport, base_url=bed.site_url) as client:
        yield client


def references(page: str) -> list[str]:
    """What a page refers to."""
    return sorted(re.findall(r"/assets/[\w./]+", page))


async def test_all_that_a_page_refers_to_is_there() -> None:
    """Of the size that the world says, to be kept for a day, and counted as what it is."""
    async with Testbed(World(proxies=1, assets=5_000)) as bed, visitor(bed) as client:
        page = await client.get("/page/7")
        responses = [await client.get(path) for path in references(page.text)]
        counts = bed.truth().answer_counts

    assert page.content == bed.page_body(7)
    assert [one.headers["content-type"] for one in responses] == ["font/ttf", "image/png", "audio/wav"]
    assert {len(one.content) for one in responses} == {5_000}
    assert {one.headers["cache-control"] for one in responses} == {"public, max-age=86400"}
    assert counts == {"ok": 1, "asset": 3}


def test_pages_share_all_but_their_pictures() -> None:
    """Each has one of its own, which follows from the world."""
    assets, twin = Assets(0, 1_000), Assets(0, 1_000)

    pictures = {assets.picture(page_id) for page_id in range(50)}

    assert len(pictures) == 50
    assert (assets.picture(7), assets.font, assets.sound) == (twin.picture(7), twin.font, twin.sound)
    assert Assets(1, 1_000).picture(7) != assets.picture(7)
    seven, eight = (references(Pages(World(assets=1_000)).body(page_id).decode()) for page_id in (7, 8))
    assert set(seven) ^ set(eight) == {"/assets/picture/7.png", "/assets/picture/8.png"}


async def test_a_world_without_assets_has_none() -> None:
    """Its pages refer to nothing."""
    async with Testbed(World(proxies=1)) as bed, visitor(bed) as client:
        page = await client.get("/page/7")

        assert references(page.text) == []
        assert (await client.get("/assets/icons.ttf")).status_code == 404


async def test_assets_are_everybodys() -> None:
    """As they would come from elsewhere: no limit counts them, and no ban or outage touches them."""
    world = World(
        proxies=1, assets=1_000, banned_share=1.0, limit=Limit(requests=1), outages=(Outage(after_requests=0),)
    )
    async with Testbed(world) as bed, visitor(bed) as client:
        statuses = [(await client.get("/assets/picture/7.png")).status_code for _ in range(3)]

    assert statuses == [200] * 3


@pytest.mark.parametrize("name", ["", "else", "picture", "picture/seven.png", "picture/7/8.png", f"picture/{'9' * 99}"])
async def test_what_is_no_asset_is_missing(name: str) -> None:
    """An honest 404."""
    async with Testbed(World(proxies=1, assets=1_000)) as bed, visitor(bed) as client:
        assert (await client.get(f"/assets/{name}")).status_code == 404


def test_a_picture_is_a_png() -> None:
    """Its chunks are whole, and its pixels are as many as it says."""
    picture = Assets(0, 3_000).picture(7)

    chunks, at = {}, 8
    while at < len(picture):
        size, kind = struct.unpack_from(">I4s", picture, at)
        body = picture[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", picture, at + 8 + size)[0] == zlib.crc32(kind + body)
        chunks[kind], at = body, at + 12 + size
    width, height = struct.unpack_from(">II", chunks[b"IHDR"])
    assert list(chunks) == [b"IHDR", b"IDAT", b"paDd", b"IEND"]
    assert len(zlib.decompress(chunks[b"IDAT"])) == height * (1 + 3 * width)


def test_a_sound_is_a_wav() -> None:
    """Of as many samples as fit."""
    with wave.open(BytesIO(Assets(0, 3_000).sound)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getnframes()) == (1, 1, 3_000 - 44)


@pytest.mark.parametrize("padding", [b"", b"x", bytes(1000)])
def test_a_font_has_its_tables_where_it_says(padding: bytes) -> None:
    """In the order of their names, and the sum of the whole file is the one that the specification gives."""
    font = make_font(padding)

    count = struct.unpack_from(">4xH", font)[0]
    entries = [struct.unpack_from(">4s3I", font, 12 + 16 * number) for number in range(count)]
    assert [name for name, *_ in entries] == sorted(name for name, *_ in entries)
    assert {at % 4 for _, _, at, _ in entries} == {0}
    assert font[entries[9][2] :][: entries[9][3]] == padding
    assert sum(struct.unpack(f">{len(font) // 4}I", font)) % 2**32 == 0xB1B0AFBA
