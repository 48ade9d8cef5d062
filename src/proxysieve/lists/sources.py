"""Where proxies come from: files, the standard input, web addresses, and lines and values from the caller.

Threads read them, as a list may have a million lines and a disk may be slow.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterable
from os import SEEK_END, PathLike, fstat, stat_result
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO, NamedTuple, Protocol
from urllib.parse import urlsplit

from proxysieve.clients.curl import send_directly
from proxysieve.clients.protocol import Request
from proxysieve.core.fingerprints.available import FINGERPRINTS
from proxysieve.core.list_formats.listing import Line, Listing, read_listing
from proxysieve.core.model import Failure
from proxysieve.core.verdicts.failures import failure_of
from proxysieve.errors import ConfigError
from proxysieve.text_file import STANDARD_INPUT, decoded, read_bytes, unreadable

log = logging.getLogger("proxysieve")

WEB = ("http://", "https://")
LINES = "the list of proxies"
PROXIES = "proxies"

FILE_SECONDS, URL_SECONDS = 1.0, 300.0
# If a file ended with a line break and does not any more, somebody is probably writing it. So many more looks wait for
# its end.
UNENDED_LOOKS = 10
# More than a million lines.
MOST_BYTES = 200_000_000
TIMEOUT_SECONDS = 60.0
OK_STATUS = 200
FAILURES = {
    Failure.PROXY_UNREACHABLE: "it cannot be reached",
    Failure.UNRESOLVED: "its name cannot be resolved",
    Failure.TIMEOUT: f"it took longer than {TIMEOUT_SECONDS:.0f} s",
    Failure.RESET: "the connection was lost",
    Failure.TLS: "TLS failed",
    Failure.TOO_LARGE: f"it is larger than {MOST_BYTES // 1_000_000} MB",
    Failure.REDIRECTS: "it redirects too often",
}


class Source(Protocol):
    """A place from which proxies come.

    Attributes:
        name: For messages; without secrets.
        seconds: How often to look for changes; 0 for never.
    """

    name: str
    seconds: float

    def read(self) -> Listing:
        """All its lines.

        Raises:
            ConfigError: It cannot be read; the message says why.
        """
        ...

    async def look(self) -> Listing | None:
        """The lines if they may have changed; else None.

        Raises:
            ConfigError: As for :meth:`read`.
        """
        ...


class FixedLines:
    """Lines or values from the caller."""

    seconds = 0.0

    def __init__(self, lines: Iterable[Line]) -> None:
        self.name = LINES
        self._lines = lines

    def read(self) -> Listing:
        return Listing(self._lines)

    async def look(self) -> None:
        return None


class StandardInput:
    """The standard input. It can be read once."""

    name = "the standard input"
    seconds = 0.0

    def read(self) -> Listing:
        try:
            content = read_bytes(sys.stdin.buffer)
        except OSError as error:
            raise _unreadable(self.name, error.strerror) from error
        return _listing(content, self.name)

    async def look(self) -> None:
        return None


class Stamp(NamedTuple):
    """Tells whether a file has changed."""

    modified_ns: int
    size: int
    inode: int


class File:
    """A file. A changed one is read again when it was the same at two looks in a row."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self.name = str(path)
        self.seconds = FILE_SECONDS
        self._path = Path(path)
        self._read: Stamp | None = None
        self._seen: Stamp | None = None
        self._is_ended = False
        self._unended_looks = 0

    def read(self) -> Listing:
        try:
            with self._path.open("rb") as file:
                status = fstat(file.fileno())
                content = read_bytes(file)
        except OSError as error:
            raise _unreadable(self.name, error.strerror) from error
        if not S_ISREG(status.st_mode):
            # The pipe is empty now.
            self.seconds = 0.0
        self._read = self._seen = _stamp(status)
        self._is_ended, self._unended_looks = content.endswith(b"\n"), 0
        return _listing(content, self.name)

    async def look(self) -> Listing | None:
        return await asyncio.to_thread(self.look_now)

    def look_now(self) -> Listing | None:
        """The lines, if the file has changed since it was read and not since the last look."""
        try:
            stamp = _stamp(self._path.stat())
            if stamp == self._read or stamp != self._seen:
                self._seen, self._unended_looks = stamp, 0
                return None
            if self._may_be_unfinished():
                self._unended_looks += 1
                return None
            lines = self.read()
            is_still = _stamp(self._path.stat()) == stamp == self._read
        except OSError as error:
            raise _unreadable(self.name, error.strerror) from error
        if is_still:
            return lines
        # The file was written meanwhile, so it has to be read again.
        self._read = None
        return None

    def _may_be_unfinished(self) -> bool:
        if not self._is_ended or self._unended_looks >= UNENDED_LOOKS:
            return False
        with self._path.open("rb") as file:
            return not _is_ended(file)


class Web:
    """A list at a web address, as providers offer it. The request uses no proxy."""

    seconds = URL_SECONDS

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            host = parts.hostname
        except ValueError:
            host = None
        if not host:
            raise ConfigError("a web address for proxies has no host")
        # Any other part may hold a provider's token.
        self.name = f"{parts.scheme.lower()}://{host}/…"
        self._url = url

    def read(self) -> Listing:
        return _listing(asyncio.run(self._ask()), self.name)

    async def look(self) -> Listing:
        body = await self._ask()
        return await asyncio.to_thread(_listing, body, self.name)

    async def _ask(self) -> bytes:
        request = Request(url=self._url, timeout_seconds=TIMEOUT_SECONDS, max_bytes=MOST_BYTES)
        try:
            response = await send_directly(request, FINGERPRINTS[0])
        except Exception as error:  # noqa: BLE001 - its message may hold the whole address
            failure = failure_of(error)
            if failure is None:
                log.debug("%s: unexpected %s", self.name, type(error).__name__)
            # The cause of the raised error must not hold it either.
            why = FAILURES.get(failure, "the answer cannot be understood") if failure else "an unexpected error"
            raise _unreadable(self.name, why) from None
        if response.status != OK_STATUS:
            raise _unreadable(self.name, f"it answers with status {response.status}")
        return response.body


def source_at(where: str | PathLike[str]) -> Source:
    """The source that *where* names.

    Raises:
        ConfigError: It is an address without a host.
    """
    if where == STANDARD_INPUT:
        return StandardInput()
    if isinstance(where, str) and where.lower().startswith(WEB):
        return Web(where)
    return File(where)


def _listing(content: bytes, name: str) -> Listing:
    text = decoded(content, PROXIES, name)
    try:
        return read_listing(text)
    except ConfigError as error:
        raise _unreadable(name, str(error)) from None


def _unreadable(name: str, why: str | None) -> ConfigError:
    return unreadable(PROXIES, name, why or "the system does not say why")


def _stamp(status: stat_result) -> Stamp:
    return Stamp(status.st_mtime_ns, status.st_size, status.st_ino)


def _is_ended(file: BinaryIO) -> bool:
    """Whether *file* is empty or ends with a line break."""
    if not file.seek(0, SEEK_END):
        return True
    file.seek(-1, SEEK_END)
    return file.read(1) == b"\n"
