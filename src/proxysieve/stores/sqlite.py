"""The default store: a directory with one SQLite database, written by one process at a time.

The process that writes holds a lock on a file beside the database. The system lets go of it when the process ends,
however it ends, so a crash leaves nothing behind that would keep the next run waiting.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from proxysieve.core.records import Record
from proxysieve.errors import StoreError

T = TypeVar("T")

DATABASE = "state.sqlite3"
LOCK = "lock"
# "prxs": how a database of ours is told from anybody else's.
APPLICATION_ID = 0x70727873
FORMAT_VERSION = 1

SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT_VERSION};
CREATE TABLE records (
    site TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (site, kind, key)
) WITHOUT ROWID;
CREATE TABLE claims (key TEXT PRIMARY KEY, fence INTEGER NOT NULL) WITHOUT ROWID;
"""
LOOK_AT_ALL = """
SELECT site, kind, key, value FROM records WHERE kind IN ('site', 'session', 'exit', 'lore') ORDER BY site
"""
# A process that only looks may hold the database for a moment.
BUSY_SECONDS = 5.0


class SqliteStore:
    """Keeps records in *directory*; nothing is made or opened there before the first :meth:`claim`.

    The directory gets mode 0700 and the files 0600, because cookies are in them.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)
        self._path = self.directory / DATABASE
        # SQLite's calls block, and a connection wants to stay in one thread.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="proxysieve-store")
        self._is_closed = False
        self._lock: int | None = None
        self._connection: sqlite3.Connection | None = None

    async def claim(self, key: str, ttl_seconds: float) -> int:  # noqa: ARG002 - the lock lasts as long as we do
        return await self._run(lambda: self._claim(key))

    async def load(self, site: str) -> list[Record]:
        return await self._run(lambda: self._load(site))

    async def save(self, records: list[Record], fence: int) -> None:
        await self._run(lambda: self._save(records, fence))

    async def forget(self, site: str, fence: int) -> None:
        """Delete all that is kept of *site*, and write the files anew, so that nothing of it stays in them.

        Raises:
            StoreError: As anywhere; or it is deleted, and stays in the files for now, as somebody is reading them.
        """
        await self._run(lambda: self._forget(site, fence))

    async def look(self, site: str) -> list[Record]:
        """The same as :meth:`load` without a claim, so also while another process writes; no record changes by it."""
        return await self._run(
            lambda: self._read("SELECT site, kind, key, value FROM records WHERE site = ?", (site,), Record)
        )

    async def look_at_all(self) -> list[Record]:
        """What is known of all sites, in their order, without what belongs to sessions or only to pages."""
        return await self._run(lambda: self._read(LOOK_AT_ALL, (), Record))

    async def sites(self) -> list[str]:
        """The names of those that something is kept of, likewise without a claim."""
        return await self._run(lambda: self._read("SELECT DISTINCT site FROM records ORDER BY site", (), str))

    async def close(self) -> None:
        if self._is_closed:
            return
        await self._run(self._close)
        self._is_closed = True
        self._thread.shutdown()

    async def _run(self, work: Callable[[], T]) -> T:
        if self._is_closed:
            raise StoreError(f"the store {self.directory} is closed")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            raise StoreError(f"the store {self._path} cannot be used: {error}; what was saved in it is kept") from error
        except OSError as error:
            raise StoreError(f"the store {self.directory} cannot be used: {error.strerror}") from error

    def _claim(self, key: str) -> int:
        database = self._connection or self._open()
        with database:
            (fence,) = database.execute(
                "INSERT INTO claims VALUES (?, (SELECT coalesce(max(fence), 0) + 1 FROM claims)) "
                "ON CONFLICT (key) DO UPDATE SET fence = excluded.fence RETURNING fence",
                (key,),
            ).fetchone()
        return int(fence)

    def _load(self, site: str) -> list[Record]:
        rows = self._database.execute("SELECT kind, key, value FROM records WHERE site = ?", (site,))
        return [Record(site, kind, key, value) for kind, key, value in rows]

    def _read(self, query: str, values: tuple[str, ...], make: Callable[..., T]) -> list[T]:
        if not self._path.exists():
            raise StoreError(f"there is no store at {self.directory}: a job makes one, there or where its --store says")
        check(self._path)
        with closing(_open_to_read(self._path)) as database:
            return [make(*row) for row in database.execute(query, values)]

    def _save(self, records: list[Record], fence: int) -> None:
        with self._database as database:
            self._check_fence(fence)
            database.executemany(
                "DELETE FROM records WHERE site = ? AND kind = ? AND key = ?",
                [(one.site, one.kind, one.key) for one in records if one.value is None],
            )
            database.executemany(
                "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?)",
                [(one.site, one.kind, one.key, one.value) for one in records if one.value is not None],
            )

    def _forget(self, site: str, fence: int) -> None:
        with self._database as database:
            self._check_fence(fence)
            database.execute("DELETE FROM records WHERE site = ?", (site,))
        # A row that is deleted stays in the file until its place is needed, and in the log that is written ahead.
        self._database.execute("VACUUM")
        (is_busy, *_) = self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_busy:
            raise StoreError(
                f"all of {site} is deleted, but another process is reading the store {self.directory}, so its files "
                "hold it still: they are written anew when that has ended and a job uses the store"
            )

    def _check_fence(self, fence: int) -> None:
        (highest,) = self._database.execute("SELECT max(fence) FROM claims").fetchone()
        if highest != fence:
            raise StoreError("the store was claimed by somebody else meanwhile; nothing was saved")

    def _close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def _database(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreError(f"the store {self.directory} is not open: claim it first")
        return self._connection

    def _open(self) -> sqlite3.Connection:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._take_lock()
        try:
            # A link that leads nowhere now, as to a disk that is not there, is not replaced.
            if self._path.exists() or self._path.is_symlink():
                check(self._path)
            else:
                self._create()
            self._connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS)
            # Written ahead, a crash of the process loses nothing; a power cut loses the last second, as a crash may.
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            self._close()
            raise
        return self._connection

    def _take_lock(self) -> None:
        self._lock = os.open(self.directory / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._close()
            raise StoreError(
                f"the store {self.directory} is being written by another process: wait until it ends, "
                "run both jobs in one process, or give this one a store of its own"
            ) from None

    def _create(self) -> None:
        # Made under another name and then moved, so that there is never half a database.
        draft = self._path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
        with closing(sqlite3.connect(draft)) as database:
            database.executescript(SCHEMA)
        draft.replace(self._path)

    def __repr__(self) -> str:
        return f"<SqliteStore {self.directory}>"


def check(path: Path) -> None:
    """Refuse the database at *path* unless it is a sound one of ours, without changing it.

    Raises:
        StoreError: It is damaged, newer, or somebody else's.
    """
    advice = "move it away, or name another store"
    try:
        with closing(_open_to_read(path)) as database:
            (application_id,) = database.execute("PRAGMA application_id").fetchone()
            (version,) = database.execute("PRAGMA user_version").fetchone()
            (soundness,) = database.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        # Locked, closed, no database file at all: nothing is known to be wrong with it.
        raise StoreError(f"the store {path} cannot be opened: {error}; what was saved in it is kept") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(f"the store {path} is damaged ({error}): {advice}") from error
    if application_id != APPLICATION_ID:
        raise StoreError(f"{path} is not a store of proxysieve: {advice}")
    if version > FORMAT_VERSION:
        raise StoreError(
            f"the store {path} has format {version}, written by a newer proxysieve; this one reads up to "
            f"{FORMAT_VERSION}: upgrade, or name another store"
        )
    if soundness != "ok":
        raise StoreError(f"the store {path} is damaged ({soundness}): {advice}")


def _open_to_read(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
