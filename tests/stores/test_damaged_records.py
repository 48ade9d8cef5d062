"""Records that are not as they were saved: nobody believes them, and the rest is used. Stores of the format before."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stores.test_sqlite import contents

from proxysieve.core.records import Record
from proxysieve.errors import StoreError
from proxysieve.stores.sqlite import DATABASE, FORMAT_VERSION, SqliteStore

TTL_SECONDS = 60.0
SITE = "shop.example"
COLUMNS = ("site", "kind", "key", "value")
# What a store of format 1 held when it was closed, and when its process was killed.
OLD = Path(__file__).with_name("data") / "format-1"
RECORDS = [
    Record(SITE, "site", "", b'{"lease_count":1}'),
    Record(SITE, "session", "k3j2abcd", b'{"name":"k3j2abcd"}'),
    Record(SITE, "cookies", "k3j2abcd", b'[{"name":"sid","value":"topsecret"}]'),
    Record(SITE, "exit", "0123456789abcdef", b'{"ok_count":2}'),
    Record("other.example", "site", "", b"{}"),
    *(Record("other.example", "exit", f"{number:016x}", b'{"ok_count":1}') for number in range(200)),
]
# Claims a store, and is killed at the nth record that it reads.
KILLED = """
import asyncio, os, sys
from proxysieve.stores import sqlite

left, checksum_of = int(sys.argv[2]), sqlite._checksum_of

def mortal(*parts):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), 9)
    return checksum_of(*parts)

sqlite._checksum_of = mortal
asyncio.run(sqlite.SqliteStore(sys.argv[1]).claim("", 60))
"""


async def fill(directory: Path, records: list[Record] = RECORDS) -> Path:
    """Make a store there that keeps *records*; its database."""
    store = SqliteStore(directory)
    await store.save(records, await store.claim("", TTL_SECONDS))
    await store.close()
    return directory / DATABASE


async def loaded(directory: Path, *sites: str) -> list[Record]:
    """What a job finds there of the *sites*, in its order."""
    store = SqliteStore(directory)
    try:
        await store.claim("", TTL_SECONDS)
        return [one for site in sites for one in await store.load(site)]
    finally:
        await store.close()


async def looked(directory: Path, *sites: str) -> list[Record]:
    """What a command finds there that changes nothing."""
    store = SqliteStore(directory)
    try:
        return [one for site in sites for one in await store.load(site)]
    finally:
        await store.close()


def change(database: Path, what: str, *values: object) -> None:
    """Have SQLite do *what* as somebody else would."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(what, values)


def rows(database: Path, table: str) -> list[tuple[object, ...]]:
    """What stands in a *table*."""
    with closing(sqlite3.connect(database)) as connection:
        connection.text_factory = bytes
        return connection.execute(f"SELECT * FROM {table}").fetchall()


def sort_of(records: list[Record]) -> set[tuple[str, str, str, bytes | None]]:
    return {(one.site, one.kind, one.key, one.value) for one in records}


def without(record: Record) -> set[tuple[str, str, str, bytes | None]]:
    return sort_of([one for one in RECORDS if one != record])


ALL_SITES = (SITE, "other.example")
DAMAGED = RECORDS[2]
OF_DAMAGED = "WHERE site = 'shop.example' AND kind = 'cookies'"


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param("value = CAST(replace(value, 'topsecret', 'topsecreu') AS BLOB)", id="value"),
        pytest.param("value = x''", id="no-value"),
        pytest.param("value = CAST(value AS TEXT)", id="value-of-another-type"),
        pytest.param("value = 17", id="value-that-is-a-number"),
        pytest.param("key = 'k3j2abce'", id="key"),
        pytest.param("key = CAST(x'ff' AS TEXT)", id="key-that-is-no-text"),
        pytest.param("key = CAST(key AS BLOB)", id="key-of-another-type"),
        pytest.param("kind = 'cookiez'", id="kind"),
        pytest.param("kind = 'cookie', key = 'sk3j2abcd'", id="letter-moved"),
        pytest.param("site = 'shoq.example'", id="site"),
        pytest.param("site = 'other.example'", id="site-that-there-is"),
        pytest.param("checksum = checksum + 1", id="checksum"),
        pytest.param("checksum = 'none'", id="checksum-that-is-no-number"),
    ],
)
async def test_a_damaged_record_is_set_aside(tmp_path: Path, harm: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever of it changed: it is kept in a table of its own, said once, and all others are used."""
    database = await fill(tmp_path)
    change(database, f"UPDATE records SET {harm} {OF_DAMAGED}")
    content = database.read_bytes()

    seen = await looked(tmp_path, *ALL_SITES, "shoq.example")
    assert database.read_bytes() == content
    found = await loaded(tmp_path, *ALL_SITES, "shoq.example")
    said = caplog.text
    caplog.clear()
    again = await loaded(tmp_path, *ALL_SITES, "shoq.example")

    assert sort_of(seen) == sort_of(found) == sort_of(again) == without(DAMAGED)
    assert said.count("has damaged records, which are set aside, and the rest is used: ") == 1
    assert str(tmp_path) in said
    assert "topsecre" not in said
    assert caplog.text == ""
    assert len(rows(database, "damaged")) == 1
    assert len(rows(database, "records")) == len(RECORDS) - 1


async def test_a_damaged_record_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """By its site, kind and key, which are nobody's secret; only so many."""
    database = await fill(tmp_path)
    change(database, "UPDATE records SET value = x'00'")

    await looked(tmp_path, SITE)
    seen = caplog.text
    caplog.clear()
    await loaded(tmp_path, SITE)

    assert "which are left out: " in seen
    assert "cookies k3j2abcd of shop.example" in seen
    assert "session k3j2abcd of shop.example" in seen
    assert "site of shop.example" in seen
    assert f"and {len(RECORDS) - 5} more" in caplog.text


@pytest.mark.parametrize("name", ["\x1b[2J", 'k[{"value":"topsecret"}]', "k{", "k\n", "", "x" * 200])
@pytest.mark.parametrize("column", ["site", "key"])
async def test_a_name_that_may_be_anything_is_not_shown(
    tmp_path: Path, name: str, column: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A damaged one may hold what belongs to the value; and nothing moves the cursor."""
    database = await fill(tmp_path)
    change(database, f"UPDATE records SET {column} = ? {OF_DAMAGED}", name)

    await loaded(tmp_path, SITE)

    assert "topsecret" not in caplog.text
    assert "\x1b" not in caplog.text
    assert caplog.text.count("\n") == 1


async def test_what_is_said_of_a_damaged_store_is_said_by_the_logger(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As a warning, which the command line shows."""
    database = await fill(tmp_path)
    change(database, f"UPDATE records SET value = x'00' {OF_DAMAGED}")

    await loaded(tmp_path, SITE)

    assert [(one.name, one.levelno) for one in caplog.records] == [("proxysieve", logging.WARNING)]


async def test_a_damaged_site_is_none(tmp_path: Path) -> None:
    """It is not listed among those that something is known of."""
    database = await fill(tmp_path)
    change(database, f"UPDATE records SET site = 'shoq.example' {OF_DAMAGED}")
    store = SqliteStore(tmp_path)

    assert sorted({one.site for one in await store.load()}) == ["other.example", SITE]
    assert "shoq.example" not in {one.site for one in await store.load()}
    await store.close()


@pytest.mark.parametrize("fence", [-1, 0, 2**53 + 1, 2**63 - 1, 1.5, "7", "many", b"7", 9.3e18])
async def test_a_damaged_claim_keeps_nobody_out(tmp_path: Path, fence: object) -> None:
    """What keeps others out is the lock."""
    database = await fill(tmp_path)
    change(database, "UPDATE claims SET fence = ?", fence)
    store = SqliteStore(tmp_path)

    claim = await store.claim("", TTL_SECONDS)
    await store.save([RECORDS[0]], claim)
    later = await store.claim("", TTL_SECONDS)

    assert later > claim > 0
    await store.close()


async def test_what_is_forgotten_is_forgotten_among_the_damaged_too(tmp_path: Path) -> None:
    """Also where it is not known of which site it was; what is known to be of another stays."""
    database = await fill(tmp_path)
    change(database, f"UPDATE records SET site = 'shoq.example' {OF_DAMAGED}")
    change(database, "UPDATE records SET checksum = 0 WHERE kind IN ('session', 'site')")
    store = SqliteStore(tmp_path)

    await store.forget(SITE, await store.claim("", TTL_SECONDS))
    await store.close()

    assert [row[0] for row in rows(database, "damaged")] == [b"other.example"]
    assert b"topsecret" not in contents(tmp_path)


@settings(deadline=None, max_examples=400)
@given(data=st.data())
def test_whatever_flips_in_a_store_nothing_is_believed_that_was_not_saved(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """It is refused in a sentence; or some records are left out, and it can be written on."""
    place = tmp_path_factory.getbasetemp() / "flipped-store"
    if not place.exists():
        asyncio.run(fill(place / "whole"))
    content = bytearray((place / "whole" / DATABASE).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    shutil.rmtree(place / "store", ignore_errors=True)
    (place / "store").mkdir()
    (place / "store" / DATABASE).write_bytes(content)

    asyncio.run(use(place / "store"))


async def use(directory: Path) -> None:
    """Do all that can be done with a store, and find nothing that was not saved."""
    saved = sort_of(RECORDS)
    with refused_or_not():
        assert sort_of(await looked(directory, *ALL_SITES)) <= saved
        assert sort_of(await loaded(directory, *ALL_SITES)) <= saved
        store = SqliteStore(directory)
        try:
            assert sort_of(await store.load()) <= saved
            assert sort_of(await store.load(kinds=["exit", "site"])) <= saved
            fence = await store.claim("", TTL_SECONDS)
            await store.save(RECORDS, fence)
            assert sort_of(await store.load(SITE)) == sort_of([one for one in RECORDS if one.site == SITE])
            await store.forget(SITE, fence)
            assert await store.load(SITE) == []
        finally:
            await store.close()


@contextmanager
def refused_or_not() -> Iterator[None]:
    """Whatever is done may be refused, in a sentence."""
    said = ""
    try:
        yield
    except StoreError as error:
        said = str(error)
    assert not said or said.isprintable()


class TestFormerFormat:
    """Stores without checksums."""

    @pytest.fixture(params=["closed", "killed"])
    def place(self, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
        """A store that was closed, or whose process was killed: what it saved last stands beside the database."""
        return Path(shutil.copytree(OLD / request.param, tmp_path / "store"))

    def kept(self, place: Path) -> set[tuple[str, str, str, bytes | None]]:
        """What is in it, as SQLite reads a copy."""
        copy = place.with_name("copy")
        shutil.copytree(place, copy)
        with closing(sqlite3.connect(copy / DATABASE)) as database:
            assert database.execute("PRAGMA user_version").fetchone() == (1,)
            return {*database.execute("SELECT site, kind, key, value FROM records")}

    SITES = ("shop.example", "other.example", "third.example")

    async def test_it_is_read_and_rewritten(self, place: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Under the new number, with the same records; who only looks changes nothing."""
        kept = self.kept(place)
        before = (place / DATABASE).read_bytes()

        seen = await looked(place, *self.SITES)
        assert (place / DATABASE).read_bytes() == before
        found = await loaded(place, *self.SITES)

        assert {one[0] for one in kept} == {*self.SITES}
        assert sort_of(seen) == sort_of(found) == kept
        with closing(sqlite3.connect(place / DATABASE)) as database:
            assert database.execute("PRAGMA user_version").fetchone() == (FORMAT_VERSION,)
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert sort_of(await loaded(place, *self.SITES)) == kept
        assert caplog.text == ""

    @pytest.mark.parametrize("number", [1, 70, 140, 171, 260, 342])
    def test_a_kill_within_the_rewriting_loses_nothing(self, place: Path, number: int) -> None:
        """The next run finds all of it, in one format or the other."""
        kept = self.kept(place)
        killed = subprocess.run([sys.executable, "-c", KILLED, str(place), str(number)], check=False)

        found = asyncio.run(loaded(place, *self.SITES))

        assert killed.returncode == -9 or number > 2 * len(kept)
        assert sort_of(found) == kept

    async def test_what_is_no_record_any_more_is_set_aside(self, place: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Without a checksum it is known by not being JSON."""
        kept = self.kept(place)
        change(place / DATABASE, "UPDATE records SET value = substr(value, 2) WHERE site = ? AND kind = 'lore'", SITE)

        found = await loaded(place, *self.SITES)

        assert sort_of(found) == {one for one in kept if one[:2] != (SITE, "lore")}
        assert "which are set aside, and the rest is used: lore of shop.example" in caplog.text
        assert len(rows(place / DATABASE, "damaged")) == 1

    async def test_whatever_flips_in_it_is_refused_or_works(self, tmp_path: Path) -> None:
        """In a sentence, and without a site that there never was."""
        content, rng = (OLD / "closed" / DATABASE).read_bytes(), Random(1)
        for number in range(200):
            place = tmp_path / str(number)
            place.mkdir()
            flipped = bytearray(content)
            flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
            (place / DATABASE).write_bytes(flipped)
            with refused_or_not():
                await looked(place, SITE)
                await loaded(place, SITE)


async def test_a_format_that_there_never_was_is_refused(tmp_path: Path) -> None:
    """As damaged."""
    database = await fill(tmp_path)
    change(database, "PRAGMA user_version = 0")

    with pytest.raises(StoreError, match="is damaged"):
        await loaded(tmp_path, SITE)
