"""Where proxies come from: files, the standard input, web addresses, lines and values that were handed in.

They are read in threads of their own, as a list may have a million lines and a disk may be slow.
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
from proxysieve.core.fingerprints.offered import FINGERPRINTS
from proxysieve.core.lists.listing import Line, Listing, read_listing
from proxysieve.core.model import Failure
from proxysieve.core.verdicts.failures import failure_of
from proxysieve.errors import ConfigError
from proxysieve.text_file import STANDARD_INPUT, decoded, read_bytes, unreadable

log = logging.getLogger("proxysieve")

WEB = ("http://", "https://")
LINES = "the list of proxies"
PROXIES = "proxies"

FILE_SECONDS, URL_SECONDS = 1.0, 300.0
# A file that ended with a line break and does not any more is most likely being written: so many looks longer it is
# waited for.
UNENDED_LOOKS = 10
# A million lines, and then some.
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
    """Where proxies come from.

    Attributes:
        name: For messages; nothing secret in it.
        seconds: How often to look whether it has changed; 0 for never.
    """

    name: str
    seconds: float

    def read(self) -> Listing:
        """All lines.

        Raises:
            ConfigError: It cannot be read; the message says why.
        """
        ...

    async def look(self) -> Listing | None:
        """The lines if they may have changed, else None.

        Raises:
            ConfigError: As of :meth:`read`.
        """
        ...


class Given:
    """Lines or values that were handed in."""

    seconds = 0.0

    def __init__(self, lines: Iterable[Line]) -> None:
        self.name = LINES
        self._lines = lines

    def read(self) -> Listing:
        return Listing(self._lines)

    async def look(self) -> None:
        return None


class StandardInput:
    """What is piped into the process; it can be read once."""

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
    """By what a file is known not to have changed."""

    modified_ns: int
    size: int
    inode: int


class File:
    """A file on the disk. What is seen to change is read once it has been still from one look to the next."""

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
            # A pipe has been emptied by that.
            self.seconds = 0.0
        self._read = self._seen = _stamp(status)
        self._is_ended, self._unended_looks = content.endswith(b"\n"), 0
        return _listing(content, self.name)

    async def look(self) -> Listing | None:
        return await asyncio.to_thread(self.look_now)

    def look_now(self) -> Listing | None:
        """The lines if the file has changed since they were read, and not since the last look."""
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
        # It was written to meanwhile, and is to be read again.
        self._read = None
        return None

    def _may_be_unfinished(self) -> bool:
        if not self._is_ended or self._unended_looks >= UNENDED_LOOKS:
            return False
        with self._path.open("rb") as file:
            return not _is_ended(file)


class Web:
    """A list at a web address, such as providers offer. It is asked for without a proxy."""

    seconds = URL_SECONDS

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            host = parts.hostname
        except ValueError:
            host = None
        if not host:
            raise ConfigError("the proxies at a web address: it has no host")
        # Providers put tokens into every other part.
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
        except Exception as error:  # noqa: BLE001 - whatever it is, it may have the whole address
            failure = failure_of(error)
            if failure is None:
                log.debug("%s: unexpected %s", self.name, type(error).__name__)
            # Nor may the cause of what is raised.
            why = FAILURES.get(failure, "the answer makes no sense") if failure else "an unexpected error"
            raise _unreadable(self.name, why) from None
        if response.status != OK_STATUS:
            raise _unreadable(self.name, f"it answers with status {response.status}")
        return response.body


def source_at(where: str | PathLike[str]) -> Source:
    """What *where* names.

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
    """Whether *file* ends with a line break, or is empty."""
    if not file.seek(0, SEEK_END):
        return True
    file.seek(-1, SEEK_END)
    return file.read(1) == b"\n"
