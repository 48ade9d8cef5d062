"""The files that a job writes: pages, what failed, and the journal of both."""

from __future__ import annotations

import asyncio
import base64
import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from proxysieve.attempts import Page
from proxysieve.core.model import Tried
from proxysieve.errors import ConfigError
from proxysieve.fetch.journal import FAILED, PAGES, Entry, Journal

# Set by the site for one session, and so no part of the page: whoever has them can act as that session.
SECRET_HEADERS = frozenset({"set-cookie", "set-cookie2"})


class Output:
    """The output of a job at *path* (``….jsonl``), taken up where an earlier run left it.

    Records are kept in memory until :meth:`commit`, which returns when they, and then the journal, are on the disk.

    Args:
        path: Of the pages; what failed goes to ``….failed.jsonl``.
        retry_failed: Whether to forget what failed, so that it is tried again.

    Raises:
        ConfigError: The files cannot be written, or are those of something else.
    """

    def __init__(self, path: Path, *, retry_failed: bool = False) -> None:
        if path.suffix != ".jsonl":
            raise ConfigError(f"--out {path}: expected a name that ends in .jsonl")
        self.path = path
        self.failed_path = path.with_name(f"{path.stem}.failed.jsonl")
        journal_path = path.with_name(f"{path.name}.journal")
        if not journal_path.exists() and path.exists() and path.stat().st_size:
            raise ConfigError(
                f"{path} is there already, and no journal beside it says that it is a job's: "
                "move it away, or choose another --out"
            )
        try:
            self._journal = Journal(journal_path)
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
        self._failure: OSError | None = None
        self._batch: deque[tuple[str, str, bytes]] = deque()
        # One thread, so that a commit whose caller was cancelled ends before the next one begins.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="proxysieve-output")
        try:
            if retry_failed and self._journal.failed:
                self._journal.write([Entry(FAILED, "", 0)])
            self._files = {PAGES: self._open(path, PAGES), FAILED: self._open(self.failed_path, FAILED)}
        except BaseException:
            self._journal.close()
            raise
        self.batch_bytes = 0

    def has_page(self, url: str) -> bool:
        """Whether the page of *url* is committed."""
        return url in self._journal.done

    def has(self, url: str) -> bool:
        """Whether *url* is committed, as a page or as failed."""
        return self.has_page(url) or url in self._journal.failed

    def add_page(self, page: Page) -> None:
        """Take a page in."""
        self._add(PAGES, page.url, page_record(page))

    def add_failed(self, url: str, error: str, tries: Sequence[Tried], at: float) -> None:
        """Take in that *url* failed, with the story of it."""
        self._add(FAILED, url, {"url": url, "error": error, "failed_at": at, "attempts": tries})

    async def commit(self) -> None:
        """Bring what was taken in to the disk.

        Raises:
            ConfigError: It cannot be written. What was committed before stays, and a later run goes on from there.
        """
        self.batch_bytes = 0
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._write)
        except OSError as error:
            raise ConfigError(
                f"{self.path} cannot be written: {error.strerror}; what it holds is kept, "
                "and the same command goes on from there"
            ) from error

    def close(self) -> None:
        """Let go of the files."""
        self._thread.shutdown()
        for file in self._files.values():
            os.close(file)
        self._journal.close()

    def _add(self, file: str, url: str, record: dict[str, Any]) -> None:
        line = msgspec.json.encode(record) + b"\n"
        self._batch.append((file, url, line))
        self.batch_bytes += len(line)

    def _write(self) -> None:
        if self._failure:
            # What a failed write left behind is for the next run to cut off; writing on would build on it.
            raise self._failure
        batch = [self._batch.popleft() for _ in range(len(self._batch))]
        try:
            self._append(batch)
        except OSError as error:
            self._failure = error
            raise

    def _append(self, batch: list[tuple[str, str, bytes]]) -> None:
        if not batch:
            return
        ends = dict(self._journal.ends)
        entries = []
        for name, file in self._files.items():
            lines = [(url, line) for where, url, line in batch if where == name]
            write_all(file, b"".join(line for _, line in lines))
            if lines:
                os.fsync(file)
            for url, line in lines:
                ends[name] += len(line)
                entries.append(Entry(name, url, ends[name]))
        self._journal.write(entries)

    def _open(self, path: Path, name: str) -> int:
        end = self._journal.ends[name]
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
        if os.fstat(file).st_size < end:
            os.close(file)
            raise ConfigError(
                f"{path} is shorter than its journal says, so something else has changed it: put it back, "
                f"or remove {self._journal.path} as well to start anew"
            )
        os.ftruncate(file, end)
        return file


def page_record(page: Page) -> dict[str, Any]:
    """A page as it stands in the output."""
    headers: dict[str, str] = {}
    for name, value in page.headers:
        if name not in SECRET_HEADERS:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    record: dict[str, Any] = {
        "url": page.url,
        "final_url": page.final_url,
        "status": page.status,
        "headers": headers,
    }
    try:
        record["body"] = page.body.decode()
    except UnicodeDecodeError:
        record["body_base64"] = base64.b64encode(page.body).decode()
    return record | {
        "fetched_at": page.fetched_at,
        "attempts": page.attempts,
        "session": page.session,
        "proxy": page.proxy,
        "seconds": round(page.seconds, 6),
    }


def write_all(file: int, data: bytes) -> None:
    """Write all of *data*, as the system may take it in parts."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
