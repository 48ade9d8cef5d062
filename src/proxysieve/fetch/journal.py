"""The journal of a job: which pages are in its output, and where each of them ends.

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
from proxysieve.fetch.disk import refuse_irregular, sync_names, write_all

PAGES = "pages"
FAILED = "failed"
FORMAT_VERSION = 2
HEADER = b'["proxysieve journal",%d]\n' % FORMAT_VERSION
# The previous format, without checksums.
OLD_HEADER = b'["proxysieve journal",1]\n'
# Longer than any entry: a URL has 65,536 letters at most.
MOST_LINE_BYTES = 1_000_000
# How many entries are rewritten at once.
BATCH_COUNT = 10_000
ADVICE = "nothing was changed; put back a sound copy of it, or move the output away with its journal to start anew"


class Entry(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A record was written: its file, its URL, and the offset where it ends.

    Without a URL: the file of what failed was emptied, because its URLs are tried again.
    """

    file: str
    url: str
    end: Annotated[int, msgspec.Meta(ge=0)]


EMPTIED = Entry(FAILED, "", 0)


class Span(NamedTuple):
    """A record's place in its file, and its URL; empty if there is no record."""

    start: int = 0
    end: int = 0
    url: str = ""


class Journal:
    """The journal at *path*, locked while it is open. Only :meth:`begin` and :meth:`write` change it.

    Attributes:
        last: The last record of each file that counts; what follows it does not.
        done: The URLs of the pages at the time of opening. Later ones are not needed, and would let a long job grow.
        failed: The URLs that had failed at that time.

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
        refuse_irregular(path)
        # Whether it has the previous format.
        self._is_old = False
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        # After a rewrite, the lock of the replaced file still keeps out processes that have it open.
        self._before: int | None = None
        try:
            self._lock()
            self._read()
        except BaseException:
            self.close()
            raise

    def begin(self) -> None:
        """Make the file ready for writing: in today's format, and without an unfinished line at its end."""
        if self._is_old:
            self._rewrite()
            return
        os.ftruncate(self._file, self._sound)
        if not self._sound:
            # At once: an output with an empty journal would count as somebody else's.
            write_all(self._file, HEADER)
            os.fsync(self._file)
            self._sound = len(HEADER)

    def write(self, entries: list[Entry]) -> None:
        """Add *entries*. Returns when they are on the disk."""
        write_all(self._file, b"".join(self._seal(msgspec.json.encode(entry)) for entry in entries))
        os.fsync(self._file)
        for entry in entries:
            if entry.url:
                self.last[entry.file] = Span(self.last[entry.file].end, entry.end, entry.url)
            else:
                self._empty()

    def close(self) -> None:
        """Close the file and release its lock."""
        os.close(self._file)
        if self._before is not None:
            os.close(self._before)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise self._in_use() from None
        if not os.path.samestat(os.fstat(self._file), self.path.stat()):
            # It was rewritten between our opening and our locking.
            raise self._in_use()

    def _in_use(self) -> ConfigError:
        return ConfigError(f"{self.path} is in use: another job is writing to the same output")

    def _read(self) -> None:
        with os.fdopen(self._file, "rb", closefd=False) as file:
            file.seek(0)
            header = file.readline(MOST_LINE_BYTES)
            if header != HEADER and HEADER.startswith(header):
                # It is new, or was cut short before anything was written.
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
                f"{self.path} was written by a newer proxysieve: upgrade, or choose another --out"
                if _version(header) > FORMAT_VERSION
                else f"{self.path} is not a journal of proxysieve, or its first line is damaged; {ADVICE}"
            )

    def _take(self, line: bytes, number: int) -> None:
        text = line if self._is_old else _unsealed(line)
        if not self._is_old and line != self._seal(text):
            raise self._damaged(number, "it was changed, moved or doubled")
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
            raise self._damaged(number, "its values are impossible")

    def _empty(self) -> None:
        self.last[FAILED] = Span()
        self.failed.clear()

    def _damaged(self, number: int, why: str) -> ConfigError:
        return ConfigError(f"{self.path}, line {number} is damaged: {why}; {ADVICE}")

    def _seal(self, text: bytes) -> bytes:
        """The line for the entry *text*, as the next line of the file."""
        self._sum = crc32(text, self._sum)
        return b'%s,"%08x"]\n' % (text[:-1], self._sum)

    def _rewrite(self) -> None:
        """Write all that counts in today's format into a new file, which then replaces this one."""
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
        """The entries of the file *old*, which has the previous format and was read once."""
        with os.fdopen(old, "rb", closefd=False) as file:
            file.seek(len(OLD_HEADER))
            while file.tell() < self._sound:
                yield msgspec.json.decode(file.readline(), type=Entry)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """The lines of *file* from its position on. Lines that are longer than any entry come in pieces."""
    return iter(lambda: file.readline(MOST_LINE_BYTES), b"")


def _unsealed(line: bytes) -> bytes:
    """The entry in a *line*. The line is as it was written if sealing the entry again gives the same line."""
    return line[: -len(b',"01234567"]\n')] + b"]"


def _version(header: bytes) -> int:
    try:
        name, version = msgspec.json.decode(header, type=tuple[str, int])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return 0
    return version if name == "proxysieve journal" else 0
