"""Stores, disks and permissions that are not as they should be: said in one sentence, and nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from tests.privileges import without_overrides

from proxysieve.core.records import Record
from proxysieve.errors import StoreError
from proxysieve.stores import sqlite
from proxysieve.stores.sqlite import APPLICATION_ID, DATABASE, LOCK, SqliteStore

TTL_SECONDS = 60.0
# Another program that has a look at the database, and keeps everybody else out meanwhile.
NOSY = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA locking_mode = EXCLUSIVE")
database.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


def kept(number: int) -> Record:
    return Record("shop.example", "exit", f"k{number:05}", b"v" * 200)


async def fill(directory: Path, wanted: Sequence[Record] = (kept(0),)) -> None:
    """Make a store there, or empty the one that is there, have it keep those *wanted* and close it."""
    store = SqliteStore(directory)
    fence = await store.claim("", TTL_SECONDS)
    for site in {one.site for one in await store.load()}:
        await store.forget(site, fence)
    await store.save([*wanted], fence)
    await store.close()


async def refusal(directory: Path) -> str:
    """What is said to whoever wants to write there."""
    store = SqliteStore(directory)
    with pytest.raises(StoreError) as caught:
        await store.claim("", TTL_SECONDS)
    await store.close()
    return str(caught.value)


async def records(directory: Path) -> list[Record]:
    """What a later run finds there."""
    store = SqliteStore(directory)
    await store.claim("", TTL_SECONDS)
    found = await store.load("shop.example")
    await store.close()
    return found


@contextlib.contextmanager
def room(size: int) -> Iterator[None]:
    """A disk on which no file gets larger than *size* bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def nosy(database: Path) -> Iterator[None]:
    """Another program has a look."""
    command = [sys.executable, "-c", NOSY, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "locked\n"
        yield
        other.communicate()


@contextlib.contextmanager
def closed(path: Path, mode: int) -> Iterator[None]:
    """What *path* is may only be used as *mode* says, by root too."""
    path.chmod(mode)
    with without_overrides():
        yield
    path.chmod(0o700)


def loop_of_links(directory: Path) -> None:
    directory.symlink_to(directory.with_name("other"))
    directory.with_name("other").symlink_to(directory)


def link_to_nowhere(directory: Path) -> None:
    directory.symlink_to(directory.with_name("gone"))


def file(directory: Path) -> None:
    directory.write_text("mine")


def lock_that_is_a_directory(directory: Path) -> None:
    (directory / LOCK).mkdir(parents=True)


def database_that_is_a_directory(directory: Path) -> None:
    (directory / DATABASE).mkdir(parents=True)


def database_that_is_a_loop(directory: Path) -> None:
    directory.mkdir()
    (directory / DATABASE).symlink_to(directory / DATABASE)


def database_that_is_away(directory: Path) -> None:
    directory.mkdir()
    (directory / DATABASE).symlink_to(directory.with_name("disk") / DATABASE)


def without_tables(directory: Path) -> None:
    directory.mkdir()
    with contextlib.closing(sqlite3.connect(directory / DATABASE)) as database:
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute("PRAGMA user_version = 1")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        pytest.param(loop_of_links, "File exists", id="loop-of-links"),
        pytest.param(link_to_nowhere, "File exists", id="link-to-nowhere"),
        pytest.param(file, "File exists", id="file"),
        pytest.param(lock_that_is_a_directory, "Is a directory", id="lock-is-a-directory"),
        pytest.param(database_that_is_a_directory, "is not a store", id="database-is-a-directory"),
        pytest.param(database_that_is_a_loop, "cannot be opened", id="database-is-a-loop"),
        pytest.param(database_that_is_away, "cannot be opened", id="database-is-away"),
        pytest.param(without_tables, "no such table: records", id="ours-without-tables"),
    ],
)
async def test_what_cannot_be_a_store_is_refused(tmp_path: Path, make: Callable[[Path], None], why: str) -> None:
    """In one sentence that names the place and the reason, and does not call it damaged unless it is."""
    make(tmp_path / "store")

    for _ in range(2):
        said = await refusal(tmp_path / "store")

        assert str(tmp_path / "store") in said
        assert why in said
        assert "\n" not in said
        assert "damaged" not in said


class TestPermissions:
    """For root as for anybody."""

    @pytest.mark.parametrize(
        ("name", "mode", "why"),
        [
            pytest.param("", 0o500, "readonly database", id="directory-read-only"),
            pytest.param("", 0o000, "Permission denied", id="directory-closed"),
            pytest.param(DATABASE, 0o400, "readonly database", id="database-read-only"),
            pytest.param(DATABASE, 0o000, "unable to open database file", id="database-closed"),
            pytest.param(LOCK, 0o000, "Permission denied", id="lock-closed"),
        ],
    )
    async def test_what_may_not_be_written_is_refused_and_kept(
        self, tmp_path: Path, name: str, mode: int, why: str
    ) -> None:
        """And once it may be, all is there."""
        place = tmp_path / "store"
        await fill(place)

        with closed(place / name, mode):
            said = await refusal(place)

        assert str(place) in said
        assert why in said
        assert "damaged" not in said
        assert await records(place) == [kept(0)]

    async def test_a_place_where_no_store_may_be_made_is_refused(self, tmp_path: Path) -> None:
        """Nothing is left there."""
        with closed(tmp_path, 0o500):
            said = await refusal(tmp_path / "store")

        assert "Permission denied" in said
        assert os.listdir(tmp_path) == []  # noqa: PTH208 - a path's own way is one for files that may block

    async def test_a_store_that_may_only_be_read_can_be_looked_at(self, tmp_path: Path) -> None:
        """Or it is said why it cannot; nothing of it changes."""
        await fill(tmp_path / "store")
        store = SqliteStore(tmp_path / "store")

        with closed(tmp_path / "store" / DATABASE, 0o400):
            found = await store.load("shop.example")
        await store.close()

        assert found == [kept(0)]


class TestOthers:
    """Programs that have the database open."""

    async def test_a_database_that_another_program_locks_is_not_called_damaged(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is said that it is locked, and once it is free all is there."""
        monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.0)
        await fill(tmp_path)

        with nosy(tmp_path / DATABASE):
            said = await refusal(tmp_path)

        assert "database is locked" in said
        assert "damaged" not in said
        assert await records(tmp_path) == [kept(0)]


class TestFullDisks:
    """A limit to the size of files stands for the disk."""

    @pytest.mark.parametrize("size", [0, 100, 4096, 10_000])
    async def test_a_store_that_finds_no_room_is_made_later(self, tmp_path: Path, size: int) -> None:
        """Half of one is never taken for one."""
        with room(size):
            said = await refusal(tmp_path / "store")

        assert str(tmp_path / "store") in said
        assert "damaged" not in said
        await fill(tmp_path / "store")
        assert await records(tmp_path / "store") == [kept(0)]

    async def test_a_save_that_finds_no_room_can_be_made_up_for(self, tmp_path: Path) -> None:
        """With the same store, once there is room; what was saved before is there all the time."""
        store = SqliteStore(tmp_path)
        fence = await store.claim("", TTL_SECONDS)
        await store.save([kept(0)], fence)
        many = [kept(number) for number in range(1, 2_000)]

        with room(65_536), pytest.raises(StoreError, match="what was saved in it is kept"):
            await store.save(many, fence)
        between = await store.load("shop.example")
        await store.save(many, fence)
        await store.close()

        assert between == [kept(0)]
        assert len(await records(tmp_path)) == 2_000

    async def test_saves_at_once_fail_alike(self, tmp_path: Path) -> None:
        """Each whole, and none hangs."""
        store = SqliteStore(tmp_path)
        fence = await store.claim("", TTL_SECONDS)
        batches = [[kept(number) for number in range(start, start + 1_000)] for start in (0, 1_000, 2_000)]

        with room(65_536):
            results = await asyncio.gather(*(store.save(one, fence) for one in batches), return_exceptions=True)
        await store.close()

        assert {type(one) for one in results} == {StoreError}
        assert await records(tmp_path) == []


async def test_what_a_database_that_is_gone_has_left_does_no_harm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Who deletes it after a crash, to begin anew, may leave its log behind: the new database does not take it over."""
    running = SqliteStore(tmp_path)
    fence = await running.claim("", TTL_SECONDS)
    await running.save([kept(number) for number in range(500)], fence)
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for ending in ("-wal", "-shm"):
        shutil.copy(tmp_path / f"{DATABASE}{ending}", crashed)
    await running.close()

    await fill(crashed, [kept(7)])

    assert await records(crashed) == [kept(7)]
    assert f"{DATABASE}-wal was removed: its database is gone" in caplog.text


async def test_a_pipe_is_no_database(tmp_path: Path) -> None:
    """To open it would wait for ever."""
    os.mkfifo(tmp_path / DATABASE)

    assert "is not a store of proxysieve: move it away" in await refusal(tmp_path)
