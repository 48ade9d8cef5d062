"""The journal of a job: which pages stand in its output, and where each of them ends.

It is a file of lines and no database: it is written in batches and read once. Each line is a JSON array, written after
what it speaks of has reached the disk. So whatever cuts a job short, the output holds every page of the journal whole,
and behind the last of them at most what the next run cuts off and fetches again.

The last field of each line is a checksum of that line and of all above it. So a line that was changed, or lost, or
stands twice, or elsewhere, is noticed, whoever did it; what is lost at the end alone is not, and costs another fetch. A
kill leaves a last line without an end, which is dropped. Any other damage is an error, also what a power cut may leave
(zeros with lines behind them): an output that is cut by half a journal loses pages, so the user decides.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from stat import S_IMODE
from typing import Annotated, BinaryIO, NamedTuple
from zlib import crc32

import msgspec

from proxysieve.errors import ConfigError
from proxysieve.fetch.disk import refuse_odd, sync_names, write_all

PAGES = "pages"
FAILED = "failed"
FORMAT_VERSION = 2
HEADER = b'["proxysieve journal",%d]\n' % FORMAT_VERSION
# Of the format before, which has no checksums.
OLD_HEADER = b'["proxysieve journal",1]\n'
# No URL makes an entry as long: it is one of 65,536 letters at most.
MOST_LINE_BYTES = 1_000_000
# How many are rewritten at once.
BATCH_COUNT = 10_000
ADVICE = "nothing was changed; put back a sound copy of it, or move the output away with its journal to start anew"


class Entry(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A record was written: into which file, for which URL, and where it ends in bytes.

    Without a URL, what failed was emptied, as it is taken up again.
    """

    file: str
    url: str
    end: Annotated[int, msgspec.Meta(ge=0)]


EMPTIED = Entry(FAILED, "", 0)


class Span(NamedTuple):
    """Where a record stands in its file, and of which URL it is; of none, if there is no record."""

    start: int = 0
    end: int = 0
    url: str = ""


class Journal:
    """The journal at *path*, locked for as long as it is open. It is read, and not changed before :meth:`begin`.

    Attributes:
        last: The last record that counts, of each file; what stands behind it does not.
        done: The URLs that stood in the pages when it was opened. Nobody asks for those that came since, and to
            keep them would have a long job grow.
        failed: Those that stood among the failed.

    Raises:
        ConfigError: The file is no journal, is damaged, or another process is writing to it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last = {PAGES: Span(), FAILED: Span()}
        self.done: set[str] = set()
        self.failed: set[str] = set()
        self._sum = crc32(HEADER)
        self._sound = 0
        refuse_odd(path)
        # Whether it has the format before.
        self._is_old = False
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        # After a rewrite, the lock of the file that was there before keeps those out who have it open already.
        self._before: int | None = None
        try:
            self._lock()
            self._read()
        except BaseException:
            self.close()
            raise

    def begin(self) -> None:
        """Put the file in order, to be written on: without a line that has no end, and in today's format."""
        if self._is_old:
            self._rewrite()
            return
        os.ftruncate(self._file, self._sound)
        if not self._sound:
            # At once, as an output whose journal is empty is taken for somebody else's.
            write_all(self._file, HEADER)
            os.fsync(self._file)
            self._sound = len(HEADER)

    def write(self, entries: list[Entry]) -> None:
        """Add *entries*, and return when they have reached the disk."""
        write_all(self._file, b"".join(self._seal(msgspec.json.encode(entry)) for entry in entries))
        os.fsync(self._file)
        for entry in entries:
            if entry.url:
                self.last[entry.file] = Span(self.last[entry.file].end, entry.end, entry.url)
            else:
                self._empty()

    def close(self) -> None:
        """Let go of the file and its lock."""
        os.close(self._file)
        if self._before is not None:
            os.close(self._before)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise self._in_use() from None
        if not os.path.samestat(os.fstat(self._file), self.path.stat()):
            # It was rewritten between our opening it and locking it.
            raise self._in_use()

    def _in_use(self) -> ConfigError:
        return ConfigError(f"{self.path} is in use: another job is writing to the same output")

    def _read(self) -> None:
        with os.fdopen(self._file, "rb", closefd=False) as file:
            file.seek(0)
            header = file.readline(MOST_LINE_BYTES)
            if header != HEADER and HEADER.startswith(header):
                # New, or cut short before anything was written.
                return
            self._check_header(header)
            self._sound = len(header)
            for number, line in enumerate(_pieces(file), 2):
                if not line.endswith(b"\n"):
                    if any(piece.endswith(b"\n") for piece in _pieces(file)):
                        raise self._damaged(number, "it is longer than any entry")
                    return
                self._take(line, number)
                self._sound += len(line)

    def _check_header(self, header: bytes) -> None:
        if header == OLD_HEADER:
            self._is_old = True
        elif header != HEADER:
            raise ConfigError(
                f"{self.path} is of a newer proxysieve: upgrade, or choose another --out"
                if _version(header) > FORMAT_VERSION
                else f"{self.path} is not a journal of proxysieve, or its first line is damaged; {ADVICE}"
            )

    def _take(self, line: bytes, number: int) -> None:
        text = line if self._is_old else _unsealed(line)
        if not self._is_old and line != self._seal(text):
            raise self._damaged(number, "it is not as it was written, or not where")
        try:
            entry = msgspec.json.decode(text, type=Entry)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise self._damaged(number, "it is no entry") from None
        self._note(entry, number)

    def _note(self, entry: Entry, number: int) -> None:
        last = self.last.get(entry.file)
        if last and entry.url and entry.end > last.end:
            self.last[entry.file] = Span(last.end, entry.end, entry.url)
            (self.done if entry.file == PAGES else self.failed).add(entry.url)
        elif entry == EMPTIED:
            self._empty()
        else:
            raise self._damaged(number, "it says what cannot be")

    def _empty(self) -> None:
        self.last[FAILED] = Span()
        self.failed.clear()

    def _damaged(self, number: int, why: str) -> ConfigError:
        return ConfigError(f"{self.path}, line {number} is damaged: {why}; {ADVICE}")

    def _seal(self, text: bytes) -> bytes:
        """The line of the entry *text*, as the next one of the file."""
        self._sum = crc32(text, self._sum)
        return b'%s,"%08x"]\n' % (text[:-1], self._sum)

    def _rewrite(self) -> None:
        """Have all that counts in today's format, in a file that takes the place of this one once it is whole."""
        place = self.path.resolve()
        draft = place.with_name(f"{place.name}.new")
        draft.unlink(missing_ok=True)
        file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
        old, self._before, self._file = self._file, self._file, file
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            os.fchmod(file, S_IMODE(os.fstat(old).st_mode))
            write_all(file, HEADER)
            entries = self._entries(old)
            while batch := list(islice(entries, BATCH_COUNT)):
                write_all(file, b"".join(self._seal(msgspec.json.encode(entry)) for entry in batch))
            os.fsync(file)
            draft.replace(place)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        sync_names(place.parent)
        self._is_old = False

    def _entries(self, old: int) -> Iterator[Entry]:
        """Those of the file *old*, which has the format before and was read once."""
        with os.fdopen(old, "rb", closefd=False) as file:
            file.seek(len(OLD_HEADER))
            while file.tell() < self._sound:
                yield msgspec.json.decode(file.readline(), type=Entry)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """The lines of *file* from its position on; those that are longer than any of ours, in pieces."""
    return iter(lambda: file.readline(MOST_LINE_BYTES), b"")


def _unsealed(line: bytes) -> bytes:
    """The entry in a *line*, which is as it was written if it is the same once it is sealed again."""
    return line[: -len(b',"01234567"]\n')] + b"]"


def _version(header: bytes) -> int:
    try:
        name, version = msgspec.json.decode(header, type=tuple[str, int])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return 0
    return version if name == "proxysieve journal" else 0
