"""The default store: a directory with one SQLite database, written by one process at a time.

The process that writes holds a lock on a file beside the database. The system releases it when the process ends,
however it ends. So claims need not expire, and the next run need not wait.

SQLite checks the structure of its pages, and not their content: it notices one in fifty random flipped bits. So each
record has a CRC-32 over its site, kind, key and value. Reading without a claim leaves damaged records out. A claim
moves them to a table of their own, and rewrites all at once, as a damaged key breaks the order of a table.
A database with a damaged structure is refused: a repair may bring deleted records back.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import re
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, TypeVar
from zlib import crc32

import msgspec

from proxysieve.core.records import Record
from proxysieve.errors import StoreError

log = logging.getLogger("proxysieve")

T = TypeVar("T")

DATABASE = "state.sqlite3"
LOCK = "lock"
# Files beside a database while it is used, and after a crash.
LEFTOVERS = ("-wal", "-shm", "-journal")
# "prxs" marks a database as ours.
APPLICATION_ID = 0x70727873
FORMAT_VERSION = 2
# It had no checksums.
OLD_VERSION = 1

RECORDS = """
CREATE TABLE records (
    site TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, checksum INTEGER NOT NULL,
    PRIMARY KEY (site, kind, key)
) WITHOUT ROWID
"""
DAMAGED = "CREATE TABLE damaged (site, kind, key, value, checksum)"
SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT_VERSION};
{RECORDS};
{DAMAGED};
CREATE TABLE claims (key TEXT PRIMARY KEY, fence INTEGER NOT NULL) WITHOUT ROWID;
"""
# As bytes, because damaged values may be no text, and of another type than their column.
SCAN = """
SELECT CAST(site AS BLOB), CAST(kind AS BLOB), CAST(key AS BLOB), CAST(value AS BLOB),
    typeof(site) = 'text' AND typeof(kind) = 'text' AND typeof(key) = 'text' AND typeof(value) = 'blob', {checksum}
FROM records WHERE {where}
"""
# What SQLite's check says of a single row. All else is about the structure of the database.
OF_A_ROW = re.compile(r"(row not in PRIMARY KEY order for|NULL value in|NUMERIC value in|TEXT value in) ")
# Names of damaged records that may be shown: no value has such letters alone.
SHOWN = re.compile(r"[\w.@:+/ -]{1,80}")
NAMES_SHOWN = 5
MOST_LETTERS = 200
# There are never so many claims.
HIGHEST_FENCE = 2**53
# A process that reads may hold the database for a moment.
BUSY_SECONDS = 5.0


class Row(NamedTuple):
    """A row of the records; *is_sound* if it is as it was saved."""

    site: bytes
    kind: bytes
    key: bytes
    value: bytes
    checksum: int
    is_sound: bool

    @property
    def record(self) -> Record:
        """The record in a sound row."""
        return Record(self.site.decode(), self.kind.decode(), self.key.decode(), self.value)

    @property
    def name(self) -> str:
        """The name of a damaged record, without secrets."""
        site, kind, key = (part.decode("utf-8", "replace") for part in (self.site, self.kind, self.key))
        if SHOWN.fullmatch(f"{kind} {key}") and SHOWN.fullmatch(site):
            return f"{kind} {key}".strip() + f" of {site}"
        return "one whose name is damaged"


class SqliteStore:
    """Keeps records in *directory*, which only :meth:`claim` makes or changes.

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

    async def load(self, site: str | None = None, kinds: Collection[str] = ()) -> list[Record]:
        return await self._run(lambda: self._load(site, kinds))

    async def save(self, records: list[Record], fence: int) -> None:
        await self._run(lambda: self._save(records, fence))

    async def forget(self, site: str, fence: int) -> None:
        """Delete all that is kept of *site*, and rewrite the files, so that nothing of it stays in them.

        Raises:
            StoreError: As anywhere; or it is deleted, but stays in the files for now, as another process reads them.
        """
        await self._run(lambda: self._forget(site, fence))

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
        except (sqlite3.Error, UnicodeDecodeError) as error:
            said = _words(error)
            raise StoreError(f"the store {self._path} cannot be used: {said}; what was saved in it is kept") from error
        except OSError as error:
            raise StoreError(f"the store {self.directory} cannot be used: {error.strerror}") from error

    def _claim(self, key: str) -> int:
        database = self._connection or self._open()
        with database:
            # The lock keeps others out, so a damaged number does no harm.
            database.execute(
                "DELETE FROM claims WHERE typeof(fence) <> 'integer' OR NOT fence BETWEEN 1 AND ?", (HIGHEST_FENCE,)
            )
            (fence,) = database.execute(
                "INSERT INTO claims VALUES (?, (SELECT coalesce(max(fence), 0) + 1 FROM claims)) "
                "ON CONFLICT (key) DO UPDATE SET fence = excluded.fence RETURNING fence",
                (key,),
            ).fetchone()
        return int(fence)

    def _load(self, site: str | None, kinds: Collection[str]) -> list[Record]:
        sites = [] if site is None else [site]
        # Before a claim, a damaged key may have broken the order of the index, which the plus avoids.
        where = f"{'' if self._connection else '+'}site = ?" if sites else "TRUE"
        if kinds:
            where += f" AND kind IN ({', '.join('?' * len(kinds))})"
        if self._connection:
            return self._sound(_scan(self._connection, FORMAT_VERSION, where, *sites, *kinds))
        if not self._path.exists():
            raise StoreError(f"there is no store at {self.directory}: a job makes one, there or where its --store says")
        version = check(self._path)
        with closing(_open_to_read(self._path)) as database:
            return self._sound(_scan(database, version, where, *sites, *kinds))

    def _sound(self, rows: Iterable[Row]) -> list[Record]:
        """The sound records. A warning names the others."""
        records, damaged = [], []
        for row in rows:
            if row.is_sound:
                records.append(row.record)
            else:
                damaged.append(row)
        self._tell(damaged, "left out")
        return records

    def _tell(self, damaged: list[Row], fate: str) -> None:
        if damaged:
            names = ", ".join(row.name for row in damaged[:NAMES_SHOWN])
            more = f" and {len(damaged) - NAMES_SHOWN:,} more" if len(damaged) > NAMES_SHOWN else ""
            log.warning("the store %s has damaged records, which are %s: %s%s", self.directory, fate, names, more)

    def _save(self, records: list[Record], fence: int) -> None:
        with self._database as database:
            self._check_fence(fence)
            database.executemany(
                "DELETE FROM records WHERE site = ? AND kind = ? AND key = ?",
                [(one.site, one.kind, one.key) for one in records if one.value is None],
            )
            database.executemany(
                "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?)",
                [
                    (one.site, one.kind, one.key, one.value, _checksum(one.site, one.kind, one.key, one.value))
                    for one in records
                    if one.value is not None
                ],
            )

    def _forget(self, site: str, fence: int) -> None:
        with self._database as database:
            self._check_fence(fence)
            database.execute("DELETE FROM records WHERE site = ?", (site,))
            # A damaged record may have been of this site, unless its site is known.
            database.execute(
                "DELETE FROM damaged WHERE CAST(site AS TEXT) = ? "
                "OR CAST(site AS TEXT) NOT IN (SELECT site FROM records)",
                (site,),
            )
        # A deleted row stays in the file until its place is needed, and in the write-ahead log.
        self._database.execute("VACUUM")
        (is_busy, *_) = self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_busy:
            raise StoreError(
                f"all of {site} is deleted, but another process is reading the store {self.directory}, so it is still "
                "in the files: they are rewritten when that process has ended and a job uses the store"
            )

    def _check_fence(self, fence: int) -> None:
        (highest,) = self._database.execute("SELECT max(fence) FROM claims").fetchone()
        if highest != fence:
            raise StoreError("another process claimed the store meanwhile; nothing was changed")

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
            version = FORMAT_VERSION
            # A link to a disk that is missing now is not replaced.
            if self._path.exists() or self._path.is_symlink():
                version = check(self._path)
            else:
                self._create()
            self._connection = _connect(self._path.absolute().as_uri())
            # With this log, a crash of the process loses nothing; a power cut loses the last second.
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._put_in_order(self._connection, version)
        except BaseException:
            self._close()
            raise
        return self._connection

    def _put_in_order(self, database: sqlite3.Connection, version: int) -> None:
        """Set damaged records aside, and bring the rest into today's format."""
        damaged = [row for row in _scan(database, version, "TRUE") if not row.is_sound]
        if damaged or version < FORMAT_VERSION:
            _rewrite(database, version, damaged)
            self._tell(damaged, "set aside, and the rest is used")

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
        # It gets its name when it is whole, so that there is never half a database.
        draft = self._path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
        with closing(sqlite3.connect(draft)) as database:
            database.executescript(SCHEMA)
        self._remove_leftovers()
        draft.replace(self._path)

    def _remove_leftovers(self) -> None:
        """Remove files of a database that is gone: SQLite would take them for the new one's, and damage that."""
        leftovers = [self._path.with_name(f"{DATABASE}{ending}") for ending in LEFTOVERS]
        for path in [path for path in leftovers if path.is_file()]:
            path.unlink()
            log.warning("%s was removed: its database is gone, and it is of no use alone", path)

    def __repr__(self) -> str:
        return f"<SqliteStore {self.directory}>"


def _checksum(site: str, kind: str, key: str, value: bytes) -> int:
    return _checksum_of(site.encode(), kind.encode(), key.encode(), value)


def _checksum_of(site: bytes, kind: bytes, key: bytes, value: bytes) -> int:
    # With the sizes, so that no letter can move from one part to the next.
    names = b"%d %d %d %b%b%b" % (len(site), len(kind), len(key), site, kind, key)
    return crc32(value, crc32(names))


def _scan(database: sqlite3.Connection, version: int, where: str, *values: str) -> Iterator[Row]:
    """The rows of *database* for which *where* is true."""
    is_old = version == OLD_VERSION
    query = SCAN.format(checksum="0" if is_old else "checksum", where=where)
    for site, kind, key, value, is_typed, checksum in database.execute(query, values):
        # SQLite does not make bytes of NULL.
        parts = (site or b"", kind or b"", key or b"", value or b"")
        right = _checksum_of(*parts)
        is_sound = is_typed and (_is_readable(*parts) if is_old else checksum == right)
        yield Row(*parts, checksum=right if is_old else checksum, is_sound=is_sound)


def _is_readable(site: bytes, kind: bytes, key: bytes, value: bytes) -> bool:
    """Whether a record without a checksum may be sound: its value has to be JSON."""
    try:
        b"".join((site, kind, key)).decode()
        msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _rewrite(database: sqlite3.Connection, version: int, damaged: list[Row]) -> None:
    """Move sound records to a new table, and *damaged* ones to another; all of it or nothing."""
    # SQLite's temporary files must not have cookies.
    database.execute("PRAGMA temp_store = MEMORY")
    with database:
        database.execute("BEGIN IMMEDIATE")
        database.execute("CREATE TEMP TABLE sound (site, kind, key, value, checksum)")
        database.executemany(
            "INSERT INTO sound VALUES (CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), ?, ?)",
            (row[:5] for row in _scan(database, version, "TRUE") if row.is_sound),
        )
        if version == OLD_VERSION:
            database.execute(DAMAGED)
        database.executemany("INSERT INTO damaged VALUES (?, ?, ?, ?, ?)", [row[:5] for row in damaged])
        database.execute("DROP TABLE records")
        database.execute(RECORDS)
        database.execute("INSERT OR REPLACE INTO records SELECT * FROM sound")
        database.execute("DROP TABLE sound")
        database.execute(f"PRAGMA user_version = {FORMAT_VERSION}")


def check(path: Path) -> int:
    """The format of the database at *path*, which stays as it is. Single records may be damaged.

    Raises:
        StoreError: Its structure is damaged, its format is newer, or it is not ours.
    """
    advice = "move it away, or name another store"
    if path.exists() and not path.is_file():
        # A pipe would wait for its other end.
        raise StoreError(f"{path} is not a store of proxysieve: {advice}")
    try:
        with closing(_open_to_read(path)) as database:
            (application_id,) = database.execute("PRAGMA application_id").fetchone()
            (version,) = database.execute("PRAGMA user_version").fetchone()
            said = [str(line) for (line,) in database.execute("PRAGMA quick_check")]
    except sqlite3.OperationalError as error:
        # It may be locked, closed or missing: that is no damage.
        raise StoreError(f"the store {path} cannot be opened: {_words(error)}; what was saved in it is kept") from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise StoreError(f"the store {path} is damaged ({_words(error)}): {advice}") from error
    if application_id != APPLICATION_ID:
        raise StoreError(f"{path} is not a store of proxysieve: {advice}")
    if version > FORMAT_VERSION:
        raise StoreError(
            f"the store {path} has format {version}, written by a newer proxysieve; this one reads up to "
            f"{FORMAT_VERSION}: upgrade, or name another store"
        )
    harm = next((line for line in said if line != "ok" and not OF_A_ROW.match(line)), "")
    if version < OLD_VERSION:
        harm = f"it has no format {version}"
    if harm:
        raise StoreError(f"the store {path} is damaged ({_words(harm)}): {advice}")
    return int(version)


def _words(said: object) -> str:
    """What SQLite *said*, in one printable line: it quotes damaged data."""
    line = " ".join(str(said).split())
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)[:MOST_LETTERS]


def _open_to_read(path: Path) -> sqlite3.Connection:
    return _connect(f"{path.absolute().as_uri()}?mode=ro")


def _connect(uri: str) -> sqlite3.Connection:
    database = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)
    # Its messages quote damaged data.
    database.text_factory = lambda text: text.decode("utf-8", "replace")
    return database
