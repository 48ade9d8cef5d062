"""The journal of a job: which pages stand in its output, and where each of them ends.

One JSON array a line, written after what it speaks of has reached the disk. So whatever cuts a job short, the output
holds every page of the journal whole, and behind the last of them at most what the next run cuts off and fetches again.
A line that was cut short itself is no line.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Annotated

import msgspec

from proxysieve.errors import ConfigError

PAGES = "pages"
FAILED = "failed"
HEADER = b'["proxysieve journal",1]\n'


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A record was written: into which file, for which URL, and where it ends in bytes.

    Without a URL, the file was emptied: what failed is taken up again.
    """

    file: str
    url: str
    end: Annotated[int, msgspec.Meta(ge=0)]


class Journal:
    """The journal at *path*, locked for as long as it is open.

    Attributes:
        ends: How many bytes of each file are accounted for.
        done: The URLs that stood in the pages when it was opened. Nobody asks for those that came since, and to
            keep them would have a long job grow.
        failed: Those that stood among the failed.

    Raises:
        ConfigError: The file is no journal, or another process is writing to it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ends = {PAGES: 0, FAILED: 0}
        self.done: set[str] = set()
        self.failed: set[str] = set()
        self._file = path.open("a+b")
        try:
            self._lock()
            self._read()
        except BaseException:
            self._file.close()
            raise

    def write(self, entries: list[Entry]) -> None:
        """Add *entries*, and return when they have reached the disk."""
        self._file.write(b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries))
        self._sync()
        for entry in entries:
            self.ends[entry.file] = entry.end
            if not entry.url:
                self.failed.clear()

    def close(self) -> None:
        """Let go of the file and its lock."""
        self._file.close()

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"{self.path} is in use: another job is writing to the same output") from None

    def _read(self) -> None:
        self._file.seek(0)
        header = self._file.readline()
        if header != HEADER and HEADER.startswith(header):
            # New, or cut short before anything was written.
            self._file.truncate(0)
            self._file.write(HEADER)
            # At once, as an output whose journal is empty is taken for somebody else's.
            self._sync()
            return
        if header != HEADER:
            raise ConfigError(f"{self.path} is not a journal of proxysieve: move it away, or choose another --out")
        sound = len(header)
        for line in self._file:
            if not line.endswith(b"\n") or not self._take(line):
                break
            sound += len(line)
        self._file.truncate(sound)
        self._file.seek(sound)

    def _take(self, line: bytes) -> bool:
        try:
            entry = msgspec.json.decode(line, type=Entry)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return False
        if entry.file not in self.ends:
            return False
        self._note(entry)
        return True

    def _note(self, entry: Entry) -> None:
        self.ends[entry.file] = entry.end
        if not entry.url:
            self.failed.clear()
        elif entry.file == PAGES:
            self.done.add(entry.url)
        else:
            self.failed.add(entry.url)
