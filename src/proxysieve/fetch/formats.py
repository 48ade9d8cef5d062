"""How pages stand in an output: what every format can do, and the plainest of them.

Every output is a file that only grows, so one journal of byte counts suits all formats, and a format only translates.
Each record of a gzip file is a member of its own, so that it can be cut off like a line.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from io import SEEK_CUR, BytesIO
from typing import BinaryIO, NamedTuple, Protocol

from proxysieve.fetch.records import look_for_page, page_line
from proxysieve.judging.saved.pages import MOST_LINE_BYTES
from proxysieve.pool.attempts import Page

Look = Callable[[BinaryIO], str | None]

# Of 58 sites' pages, level 3 leaves 27 % at 100 MB/s; the usual 6 leaves 25 % at half of that, and 1 is hardly faster.
GZIP_LEVEL = 3
# What zlib calls the form of one gzip member.
MEMBER = 31
CHUNK_BYTES = 65_536


class Format(Protocol):
    """Translates pages into the bytes of a file that only grows; when they are written, and count, is not its business.

    A format that writes something beside that file has it wait until its record counts.
    """

    def record(self, page: Page, at: int) -> bytes:
        """What stands in the file for *page*, from the offset *at* on; of a new file, its beginning too.

        Raises:
            OSError: What belongs beside the file cannot be written.
        """
        ...

    def look(self, file: BinaryIO) -> str | None:
        """What stands in *file* from its position on, which is then behind it.

        Returns:
            Of the whole record of a page, its URL, as :meth:`named` gives it. Empty if only the beginning of a record
            stands there, up to the end of the file. None if something else does.
        """
        ...

    def named(self, url: str) -> str:
        """How the record of the page of *url* calls it."""
        return url

    def sync(self) -> None:
        """Bring to the disk what was written beside the file."""
        return

    def settle(self, end: int) -> int:  # noqa: ARG002 - most have nothing beside it
        """Let stand what was written for records before the offset *end*, and remove what was for others.

        Returns:
            How many bytes were removed.
        """
        return 0


class Packing(NamedTuple):
    """What is done to each record, which can then be read without the others.

    Attributes:
        pack: Does it.
        look: Has a record looked at as it was before.
    """

    pack: Callable[[bytes], bytes]
    look: Callable[[Look, BinaryIO], str | None]


class Lines(Format):
    """A page a line, as JSON, each packed as *packing* says."""

    def __init__(self, packing: Packing) -> None:
        self._packing = packing

    def record(self, page: Page, at: int) -> bytes:  # noqa: ARG002 - the same everywhere in the file
        return self._packing.pack(page_line(page))

    def look(self, file: BinaryIO) -> str | None:
        return self._packing.look(look_for_page, file)


def _pack_member(data: bytes) -> bytes:
    """*data* as one whole gzip member, of which any number make a file."""
    return gzip.compress(data, GZIP_LEVEL, mtime=0)


def _look_into_member(look: Look, file: BinaryIO) -> str | None:
    member = _read_member(file)
    if member is None:
        return None
    data, is_whole = member
    content = BytesIO(data)
    found = look(content)
    if not is_whole:
        return None if found is None else ""
    return found if found and content.tell() == len(data) else None


def _read_member(file: BinaryIO) -> tuple[bytes, bool] | None:
    """What is packed where *file* stands, as far as it goes, and whether that is a whole gzip member.

    None if it is no member, or larger than any record.
    """
    unpack, parts, left = zlib.decompressobj(MEMBER), [], MOST_LINE_BYTES
    while left > 0 and (chunk := file.read(CHUNK_BYTES)):
        try:
            parts.append(unpack.decompress(chunk))
        except zlib.error:
            return None
        if unpack.eof:
            file.seek(-len(unpack.unused_data), SEEK_CUR)
            return b"".join(parts), True
        left -= len(parts[-1])
    return (b"".join(parts), False) if left > 0 else None


PLAIN = Packing(bytes, lambda look, file: look(file))
GZIPPED = Packing(_pack_member, _look_into_member)
