"""The output of a job: pages, what failed, and the journal of both, in any format exactly once.

After a write has failed, nothing more is written: the next run cuts off what a full disk left half-written. To go on
would build on it, and lose pages.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from os import PathLike
from pathlib import Path
from typing import TypeVar

from proxysieve.core.model import Tried
from proxysieve.errors import ConfigError
from proxysieve.fetch.disk import sync_names, write_all
from proxysieve.fetch.journal import EMPTIED, FAILED, PAGES, Entry, Journal
from proxysieve.fetch.output_files import Layout, lay_out
from proxysieve.fetch.records import FailedLine, line, look_for_failed
from proxysieve.fetch.torn_tail import AS_LEFT, cut_off, look_behind
from proxysieve.pool.attempts import Page

log = logging.getLogger("proxysieve")

# The memory for a page besides its body: headers and the story of its tries.
PAGE_BYTES = 4_000

T = TypeVar("T")


class Output:
    """The output of a job. It continues where an earlier run stopped.

    Records stay in memory until :meth:`commit`, which returns when first they and then the journal are on the disk.

    Args:
        out: Its name, whose ending names the format: see :mod:`proxysieve.fetch.output_files`.
        retry_failed: Whether to try again what failed.

    Attributes:
        batch_bytes: The size of what is in memory, including running commits.

    Raises:
        ConfigError: The files cannot be written, or belong to something else.
    """

    def __init__(self, out: str | PathLike[str], *, retry_failed: bool = False) -> None:
        self.name = os.fspath(out)
        self._files: dict[str, int] = {}
        with ExitStack() as closing:
            try:
                layout = lay_out(self.name)
                self._journal = Journal(layout.journal)
                closing.callback(self._journal.close)
                self._format = layout.format
                self._take_up(layout, closing, retry_failed=retry_failed)
            except OSError as error:
                raise self._unwritable(error) from error
            self._closing = closing.pop_all()
        self._failure: Exception | None = None
        self._pages: deque[Page] = deque()
        self._failed: deque[tuple[str, bytes]] = deque()
        # One thread, so that a commit ends before the next begins, even if its caller was cancelled.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="proxysieve-output")
        self.batch_bytes = 0
        self._taken_bytes = 0

    def _take_up(self, layout: Layout, closing: ExitStack, *, retry_failed: bool) -> None:
        """Continue where the journal ends. Nothing is changed before all files were checked against it."""
        last = self._journal.last
        tails = {
            PAGES: look_behind(layout.pages, last[PAGES], self._format.look, self._format.named, self._journal.done),
            FAILED: look_behind(layout.failed, last[FAILED], look_for_failed),
        }
        closing.callback(self._close_files)
        for name, tail in tails.items():
            self._files[name] = _open(tail.path)
        self._journal.begin()
        for name, tail in tails.items():
            _tell(cut_off(tail, self._files[name]))
        if retry_failed and self._journal.failed:
            self._journal.write([EMPTIED])
            os.ftruncate(self._files[FAILED], 0)
        removed = self._format.settle(last[PAGES].end)
        if removed:
            _tell(f"{layout.pages.parent}: removed {removed:,} bytes of pages without a record, {AS_LEFT}")
        # Otherwise, after a power cut, the journal may have pages whose file is gone.
        sync_names(self._journal.path.parent)

    def has_page(self, url: str) -> bool:
        """Whether the page of *url* was committed when the output was opened."""
        return url in self._journal.done

    def has(self, url: str) -> bool:
        """Whether *url* was committed when the output was opened, as a page or as failed."""
        return self.has_page(url) or url in self._journal.failed

    def add_page(self, page: Page) -> None:
        """Add a page."""
        self._pages.append(page)
        self.batch_bytes += len(page.body) + PAGE_BYTES

    def add_failed(self, url: str, error: str, tries: Sequence[Tried], at: float) -> None:
        """Add the failed *url*, with the story of its tries."""
        record = line(FailedLine(url=url, error=error, failed_at=at, attempts=tries))
        self._failed.append((url, record))
        self.batch_bytes += len(record)

    async def commit(self) -> None:
        """Bring all that was added to the disk.

        Raises:
            ConfigError: It cannot be written. What was committed before is safe, and a later run continues from there.
        """
        # Earlier commits subtract their part themselves, once it has left the memory.
        taken = self.batch_bytes - self._taken_bytes
        self._taken_bytes += taken
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._write)
        except OSError as error:
            raise ConfigError(
                f"{self._unwritable(error)}; what it holds is kept, and the same command goes on from there"
            ) from error
        finally:
            self._taken_bytes -= taken
            self.batch_bytes -= taken

    def close(self) -> None:
        """Close the files."""
        self._thread.shutdown()
        self._closing.close()

    def _close_files(self) -> None:
        for file in self._files.values():
            os.close(file)

    def _unwritable(self, error: OSError) -> ConfigError:
        return ConfigError(f"{self.name} cannot be written: {error.strerror}")

    def _write(self) -> None:
        if self._failure:
            # The next run cuts off what a failed write left. Writing after it would build on it.
            raise self._failure
        try:
            pages = self._append(PAGES, self._pages, self._translate)
            entries = pages + self._append(FAILED, self._failed, lambda failed, _: failed)
            if entries:
                self._format.sync()
                self._journal.write(entries)
                self._format.settle(self._journal.last[PAGES].end)
        except Exception as error:
            self._failure = error
            raise

    def _translate(self, page: Page, at: int) -> tuple[str, bytes]:
        return page.url, self._format.record(page, at)

    def _append(self, name: str, batch: deque[T], translate: Callable[[T, int], tuple[str, bytes]]) -> list[Entry]:
        """Bring *batch* to the disk, record by record, because all together may need much memory."""
        end, entries = self._journal.last[name].end, []
        for _ in range(len(batch)):
            url, record = translate(batch.popleft(), end)
            write_all(self._files[name], record)
            end += len(record)
            entries.append(Entry(name, url, end))
        if entries:
            os.fsync(self._files[name])
        return entries


def _open(path: Path) -> int:
    """The file at *path*, locked: with two writers, or if two names lead to one file, data would be lost."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise ConfigError(
            f"{path} is in use: another job is writing to it, or it is a link to another file of this output"
        ) from None
    except BaseException:
        os.close(file)
        raise
    return file


def _tell(what: str) -> None:
    if what:
        log.warning("%s", what)
