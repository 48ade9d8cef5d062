"""The default store: its files, its lock, and what it refuses to touch."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from proxysieve.core.records import Record
from proxysieve.errors import StoreError
from proxysieve.stores import sqlite as module
from proxysieve.stores.sqlite import APPLICATION_ID, DATABASE, FORMAT_VERSION, SqliteStore

TTL_SECONDS = 60.0
# Claims the store, saves a record, says so and then stays, holding the lock.
HOLDER = """
import asyncio, sys
from proxysieve.core.records import Record
from proxysieve.stores.sqlite import SqliteStore

async def hold():
    store = SqliteStore(sys.argv[1])
    fence = await store.claim("", 60)
    await store.save([Record("shop.example", "exit", "held", b"{}")], fence)
    print("holding", flush=True)
    sys.stdin.read()

asyncio.run(hold())
"""


async def filled(directory: Path, count: int = 1) -> Path:
    """A store that was used and closed; its database."""
    store = SqliteStore(directory)
    fence = await store.claim("", TTL_SECONDS)
    await store.save([Record("shop.example", "exit", f"k{number:05}", b"v" * 200) for number in range(count)], fence)
    await store.close()
    return directory / DATABASE


def holder(directory: Path) -> subprocess.Popen[str]:
    """Another process that writes in *directory*."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "holding\n"
    return process


def contents(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.iterdir())


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class TestFiles:
    """Where it keeps things, and who may read them."""

    async def test_it_is_there_the_next_time(self, tmp_path: Path) -> None:
        """What was saved is seen by the next run, and its claim is a later one."""
        store = SqliteStore(tmp_path)
        first = await store.claim("", TTL_SECONDS)
        await store.save([Record("shop.example", "exit", "k", b"v")], first)
        await store.close()

        again = SqliteStore(tmp_path)
        second = await again.claim("", TTL_SECONDS)

        assert second > first
        assert await again.load("shop.example") == [Record("shop.example", "exit", "k", b"v")]
        await again.close()

    @pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
    async def test_nobody_else_may_read_it(self, tmp_path: Path, umask: int) -> None:
        """The directory is 0700 and every file in it 0600, whatever the process lets others do: cookies are in them."""
        before = os.umask(umask)
        try:
            store = SqliteStore(tmp_path / "store")
            fence = await store.claim("", TTL_SECONDS)
            await store.save([Record("shop.example", "cookies", "k", b"v")], fence)
            modes = {path.name: mode(path) for path in (tmp_path / "store").iterdir()}
            await store.close()
        finally:
            os.umask(before)

        assert mode(tmp_path / "store") == 0o700
        assert modes == dict.fromkeys(["lock", DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"], 0o600)

    async def test_directories_are_made_as_needed(self, tmp_path: Path) -> None:
        """Nothing needs to be there before, and nothing is there before it is claimed."""
        store = SqliteStore(tmp_path / "a" / "b" / "c")
        before = names(tmp_path)

        await store.claim("", TTL_SECONDS)

        assert before == []
        assert (tmp_path / "a" / "b" / "c" / DATABASE).exists()
        await store.close()

    async def test_half_a_database_is_made_anew(self, tmp_path: Path) -> None:
        """A crash while it was made leaves a draft, which is nobody's data."""
        tmp_path.joinpath(DATABASE).with_suffix(".new").write_bytes(b"half")

        await filled(tmp_path)

        assert names(tmp_path) == ["lock", DATABASE]

    async def test_many_saves_at_once_are_all_kept(self, tmp_path: Path) -> None:
        """Tasks need not take turns."""
        store = SqliteStore(tmp_path)
        fence = await store.claim("", TTL_SECONDS)

        await asyncio.gather(*(store.save([Record("a.example", "exit", str(n), b"v")], fence) for n in range(50)))

        assert len(await store.load("a.example")) == 50
        await store.close()

    async def test_it_must_be_claimed_before_it_is_written(self, tmp_path: Path) -> None:
        """Whoever writes without a claim is told so."""
        store = SqliteStore(tmp_path)

        with pytest.raises(StoreError, match="claim it first"):
            await store.save([], 1)
        await store.close()

    async def test_it_is_not_used_after_it_was_closed(self, tmp_path: Path) -> None:
        """Whoever does is told so."""
        store = SqliteStore(tmp_path)
        fence = await store.claim("", TTL_SECONDS)
        await store.close()

        with pytest.raises(StoreError, match="is closed"):
            await store.save([Record("shop.example", "exit", "k", b"v")], fence)
        with pytest.raises(StoreError, match="is closed"):
            await store.claim("", TTL_SECONDS)

    async def test_a_record_that_cannot_be_kept_takes_the_others_with_it(self, tmp_path: Path) -> None:
        """A save is all or nothing."""
        store = SqliteStore(tmp_path)
        fence = await store.claim("", TTL_SECONDS)
        await store.save([Record("shop.example", "exit", "old", b"v")], fence)
        records = [
            Record("shop.example", "exit", "old", None),
            Record("shop.example", "exit", "new", b"v"),
            Record("shop.example", "exit", "large", b"v" * 2_000),
        ]
        await store._run(lambda: store._database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1_000))

        with pytest.raises(StoreError, match="what was saved in it is kept"):
            await store.save(records, fence)

        assert [one.key for one in await store.load("shop.example")] == ["old"]
        await store.close()


class TestLock:
    """One process writes at a time."""

    async def test_a_second_process_is_told_how_to_share(self, tmp_path: Path) -> None:
        """It gets an error that names the ways, and the first goes on undisturbed."""
        with holder(tmp_path) as first:
            second = SqliteStore(tmp_path)

            with pytest.raises(StoreError) as caught:
                await second.claim("", TTL_SECONDS)

            await second.close()
            first.communicate()
        message = str(caught.value)
        assert str(tmp_path) in message
        for way in ("wait until it ends", "one process", "a store of its own"):
            assert way in message
        assert first.returncode == 0

    async def test_a_second_store_in_one_process_is_refused_too(self, tmp_path: Path) -> None:
        """Two that write one database would overtake each other; the first still can."""
        first, second = SqliteStore(tmp_path), SqliteStore(tmp_path)
        fence = await first.claim("", TTL_SECONDS)

        with pytest.raises(StoreError, match="being written"):
            await second.claim("", TTL_SECONDS)

        await second.close()
        await first.save([Record("shop.example", "exit", "k", b"v")], fence)
        await first.close()

    async def test_who_was_refused_may_try_again(self, tmp_path: Path) -> None:
        """Once the first has let go, the second gets in, and a refusal leaves no file open."""
        first, second = SqliteStore(tmp_path), SqliteStore(tmp_path)
        await first.claim("", TTL_SECONDS)
        for _ in range(3):
            with pytest.raises(StoreError, match="being written"):
                await second.claim("", TTL_SECONDS)
        await first.close()

        fence = await second.claim("", TTL_SECONDS)

        assert fence == 2
        await second.close()

    async def test_the_lock_of_a_process_that_was_killed_is_free(self, tmp_path: Path) -> None:
        """After kill -9 the next run gets in at once, and finds all that was saved."""
        with holder(tmp_path) as killed:
            killed.kill()
        store = SqliteStore(tmp_path)

        await store.claim("", TTL_SECONDS)

        assert [one.key for one in await store.load("shop.example")] == ["held"]
        await store.close()


class TestLooking:
    """Who only reads needs no claim."""

    async def test_it_is_read_while_another_process_writes(self, tmp_path: Path) -> None:
        """What was saved is seen, and the writer goes on undisturbed."""
        with holder(tmp_path) as writer:
            store = SqliteStore(tmp_path)

            kept = await store.load("shop.example")

            await store.close()
            writer.communicate()
        assert kept == [Record("shop.example", "exit", "held", b"{}")]
        assert writer.returncode == 0

    async def test_it_is_read_after_its_process_was_killed(self, tmp_path: Path) -> None:
        """What stands only in the log beside the database is seen too, and a look keeps nobody from writing."""
        with holder(tmp_path) as killed:
            killed.kill()
        store = SqliteStore(tmp_path)

        kept = await store.load("shop.example")

        assert [one.key for one in kept] == ["held"]
        assert await store.claim("", TTL_SECONDS) == 2
        await store.close()

    async def test_a_look_changes_nothing(self, tmp_path: Path) -> None:
        """Not a byte of the database, and a site that is unknown stays so."""
        path = await filled(tmp_path, count=10)
        before = path.read_bytes()
        store = SqliteStore(tmp_path)

        assert len(await store.load("shop.example")) == 10
        assert await store.load("other.example") == []

        await store.close()
        assert path.read_bytes() == before

    async def test_where_there_is_no_store_none_is_made(self, tmp_path: Path) -> None:
        """Who looks at the wrong place is told so."""
        store = SqliteStore(tmp_path / "store")

        with pytest.raises(StoreError, match="there is no store at"):
            await store.load("shop.example")
        with pytest.raises(StoreError, match="there is no store at"):
            await store.load()

        await store.close()
        assert names(tmp_path) == []

    async def test_what_is_not_ours_is_refused(self, tmp_path: Path) -> None:
        """As for who writes."""
        tmp_path.joinpath(DATABASE).write_bytes(b"This is not a database, " * 400)
        store = SqliteStore(tmp_path)

        with pytest.raises(StoreError, match="is damaged"):
            await store.load("shop.example")

        await store.close()


def garbage(path: Path) -> None:
    path.write_bytes(b"This is not a database, " * 400)


def garbage_in_the_head(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(b"\xa5" * 100 + content[100:])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def truncated(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def truncated_in_the_head(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


def flipped(path: Path) -> None:
    """All bits of the head of each page in the middle."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    for place in (*range(middle, middle + 100), *range(middle + 4096, middle + 4196)):
        content[place] ^= 0xFF
    path.write_bytes(content)


def foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE visits (url TEXT)")
        database.execute("INSERT INTO visits VALUES ('https://shop.example')")
        database.commit()


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {FORMAT_VERSION + 1}")


class TestDamage:
    """What it cannot use it leaves alone."""

    @pytest.mark.parametrize(
        ("harm", "why"),
        [
            pytest.param(garbage, "is damaged", id="garbage"),
            pytest.param(garbage_in_the_head, "is damaged", id="garbage-in-the-head"),
            pytest.param(emptied, "is not a store of proxysieve", id="emptied"),
            pytest.param(truncated, "is damaged", id="truncated"),
            pytest.param(truncated_in_the_head, "is damaged", id="truncated-in-the-head"),
            pytest.param(flipped, "is damaged", id="flipped-in-the-middle"),
            pytest.param(foreign, "is not a store of proxysieve", id="somebody-elses"),
            pytest.param(newer, f"has format {FORMAT_VERSION + 1}, written by a newer proxysieve", id="newer"),
        ],
    )
    async def test_a_file_it_cannot_use_is_refused_and_left_alone(
        self, tmp_path: Path, harm: Callable[[Path], None], why: str
    ) -> None:
        """The error says what is wrong and what to do, not a byte of the file changes, and the lock is let go."""
        path = await filled(tmp_path, count=500)
        harm(path)
        before = path.read_bytes()

        for _ in range(2):
            store = SqliteStore(tmp_path)
            with pytest.raises(StoreError, match=why) as caught:
                await store.claim("", TTL_SECONDS)
            await store.close()

        assert str(path) in str(caught.value)
        assert "name another store" in str(caught.value)
        assert path.read_bytes() == before

    async def test_what_a_crash_left_beside_the_database_is_left_alone_too(self, tmp_path: Path) -> None:
        """Looking at a newer store whose process was killed does not write its log into it."""
        path, crashed = await filled(tmp_path / "living"), tmp_path / "crashed"
        crashed.mkdir()
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(f"PRAGMA user_version = {FORMAT_VERSION + 1}")
            for name in (DATABASE, f"{DATABASE}-wal"):
                shutil.copy(path.with_name(name), crashed / name)
        before = [(crashed / name).read_bytes() for name in (DATABASE, f"{DATABASE}-wal")]
        store = SqliteStore(crashed)

        with pytest.raises(StoreError, match="written by a newer proxysieve"):
            await store.claim("", TTL_SECONDS)

        await store.close()
        assert [(crashed / name).read_bytes() for name in (DATABASE, f"{DATABASE}-wal")] == before

    async def test_a_sound_store_is_not_refused(self, tmp_path: Path) -> None:
        """The check finds nothing wrong where nothing is."""
        path = await filled(tmp_path, count=500)

        await filled(tmp_path, count=600)

        with closing(sqlite3.connect(path)) as database:
            assert database.execute("SELECT count(*) FROM records").fetchone() == (600,)
            assert database.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)

    async def test_a_place_below_a_file_is_refused(self, tmp_path: Path) -> None:
        """Where no directory can be, not even for root, it is said so."""
        tmp_path.joinpath("file").write_text("mine")
        store = SqliteStore(tmp_path / "file" / "store")

        with pytest.raises(StoreError, match="cannot be used: Not a directory"):
            await store.claim("", TTL_SECONDS)

        await store.close()
        assert tmp_path.joinpath("file").read_text() == "mine"

    async def test_a_file_in_its_place_is_refused(self, tmp_path: Path) -> None:
        """A file that has the name of the directory stays what it is."""
        tmp_path.joinpath("store").write_text("mine")
        store = SqliteStore(tmp_path / "store")

        with pytest.raises(StoreError, match="cannot be used: File exists"):
            await store.claim("", TTL_SECONDS)

        await store.close()
        assert tmp_path.joinpath("store").read_text() == "mine"

    async def test_a_directory_in_the_databases_place_is_refused(self, tmp_path: Path) -> None:
        """It is said which path is meant."""
        (tmp_path / DATABASE).mkdir()
        store = SqliteStore(tmp_path)

        with pytest.raises(StoreError, match=DATABASE):
            await store.claim("", TTL_SECONDS)

        await store.close()

    async def test_a_full_disk_loses_nothing(self, tmp_path: Path) -> None:
        """A save that finds no room fails whole, and what was saved before is there."""
        store = SqliteStore(tmp_path)
        fence = await store.claim("", TTL_SECONDS)
        await store.save([Record("shop.example", "exit", "k", b"v")], fence)
        await store._run(lambda: store._database.execute("PRAGMA max_page_count = 10").fetchone())

        with pytest.raises(StoreError, match="full; what was saved in it is kept"):
            await store.save([Record("shop.example", "exit", f"k{n}", b"v" * 4000) for n in range(50)], fence)

        assert [one.key for one in await store.load("shop.example")] == ["k"]
        await store.close()


async def test_a_site_is_forgotten_with_its_bytes(tmp_path: Path) -> None:
    """What was deleted before it as well; other sites stay, and the next save finds all in order."""
    store = SqliteStore(tmp_path)
    fence = await store.claim("", TTL_SECONDS)
    records = [Record(site, "cookies", "a", site.encode() * 500) for site in ("shop.example", "other.test")]
    await store.save([*records, Record("shop.example", "cookies", "b", b"ended" * 500)], fence)
    await store.save([Record("shop.example", "cookies", "b", None)], fence)

    await store.forget("shop.example", fence)

    files = contents(tmp_path)
    assert b"shop.example" not in files
    assert b"ended" not in files
    assert await store.load("other.test") == records[1:]
    await store.save(records[:1], fence)
    await store.close()


async def test_what_a_reader_keeps_in_the_files_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While somebody reads, the files cannot be written anew; when the store is used next, they are."""
    monkeypatch.setattr(module, "BUSY_SECONDS", 0)
    store = SqliteStore(tmp_path)
    fence = await store.claim("", TTL_SECONDS)
    await store.save([Record("shop.example", "cookies", "a", b"secret" * 500)], fence)
    with closing(sqlite3.connect(f"file:{tmp_path / DATABASE}?mode=ro", uri=True)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM records").fetchone()

        with pytest.raises(StoreError, match="is deleted, but another process is reading"):
            await store.forget("shop.example", fence)

        assert await store.load("shop.example") == []
        await store.close()
        assert b"secret" in contents(tmp_path)

    await store_used_again(tmp_path)
    assert b"secret" not in contents(tmp_path)


async def store_used_again(directory: Path) -> None:
    store = SqliteStore(directory)
    await store.claim("", TTL_SECONDS)
    await store.close()
