"""A directory with a file for each page, and an index of them.

The index is the file that grows. A body waits beside it under the offset of its line: the journal that says how much of
the index counts says which bodies do.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from proxysieve.fetch.disk import sync, sync_names
from proxysieve.fetch.file_names import file_name
from proxysieve.fetch.formats import Format
from proxysieve.fetch.records import line, look_for_page, page_record
from proxysieve.pool.attempts import Page

ASIDE = ".unfinished"
# The file system combines syncs that run at once: 1,100 files a second on ext4, and not 230, as measured.
SYNCS_AT_ONCE = 8
# Names by :func:`proxysieve.fetch.file_names.file_name`, after an offset.
WAITING = re.compile(r"(\d+)-([A-Za-z0-9._-]+-[a-z2-7]{16}\.[a-z0-9]+)")


class Folder(Format):
    """Bodies as files in the directory *path*, and an index with one line for each page.

    A body is first written under a name that begins with the offset of its line in the index. So the next run knows
    which bodies belong to lines that count, and renames those, whatever ended this run.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._aside = path / ASIDE
        self._unsynced: list[Path] = []

    def record(self, page: Page, at: int) -> bytes:
        kind = next((value for name, value in page.headers if name == "content-type"), "")
        name = file_name(page.url, kind)
        waiting = self._aside / f"{at}-{name}"
        if not self._unsynced:
            self._aside.mkdir(exist_ok=True)
        waiting.write_bytes(page.body)
        self._unsynced.append(waiting)
        return line(page_record(page, name))

    def look(self, file: BinaryIO) -> str | None:
        return look_for_page(file)

    def sync(self) -> None:
        if not self._unsynced:
            return
        with ThreadPoolExecutor(SYNCS_AT_ONCE) as threads:
            for done in [threads.submit(sync, path) for path in self._unsynced]:
                done.result()
        sync_names(self._aside)
        # The journal relies on these names.
        sync_names(self._path)
        self._unsynced.clear()

    def settle(self, end: int) -> int:
        if not self._aside.is_dir():
            return 0
        removed = 0
        for entry in list(self._aside.iterdir()):
            waiting = WAITING.fullmatch(entry.name)
            if waiting and int(waiting[1]) < end:
                entry.replace(self._path / waiting[2])
            elif waiting:
                removed += entry.lstat().st_size
                entry.unlink()
        # It may hold files of others.
        with suppress(OSError):
            self._aside.rmdir()
        sync_names(self._path)
        return removed
