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

# On the pages of 58 sites, level 3 leaves 27 % at 100 MB/s. The usual 6 leaves 25 % at half that speed, and 1 is hardly
# faster.
GZIP_LEVEL = 3
# zlib's code for gzip.
MEMBER = 31
CHUNK_BYTES = 65_536


class Format(Protocol):
    """Turns pages into the bytes of a file that only grows. It does not decide when they are written, or count.

    A format with further files keeps them aside until their record counts.
    """

    def record(self, page: Page, at: int) -> bytes:
        """The bytes for *page* at the offset *at*; for a new file, with its beginning.

        Raises:
            OSError: A further file cannot be written.
        """
        ...

    def look(self, file: BinaryIO) -> str | None:
        """Read one record in *file* from its position on, and move the position after it.

        Returns:
            The URL of a page's whole record, as :meth:`named` gives it. Empty if the file ends within the record.
            None if it is something else.
        """
        ...

    def named(self, url: str) -> str:
        """The name of *url* in a record."""
        return url

    def sync(self) -> None:
        """Bring the further files to the disk."""
        return

    def settle(self, end: int) -> int:  # noqa: ARG002 - most have no further files
        """Keep the further files of records before the offset *end*, and remove the others.

        Returns:
            How many bytes were removed.
        """
        return 0


class Packing(NamedTuple):
    """How each record is packed, so that it can be read without the others.

    Attributes:
        pack: Packs a record.
        look: Lets a function read a record unpacked.
    """

    pack: Callable[[bytes], bytes]
    look: Callable[[Look, BinaryIO], str | None]


class Lines(Format):
    """One page on each line, as JSON, packed by *packing*."""

    def __init__(self, packing: Packing) -> None:
        self._packing = packing

    def record(self, page: Page, at: int) -> bytes:  # noqa: ARG002 - the same at any offset
        return self._packing.pack(page_line(page))

    def look(self, file: BinaryIO) -> str | None:
        return self._packing.look(look_for_page, file)


def _pack_member(data: bytes) -> bytes:
    """*data* as one whole gzip member. A file may have any number of them."""
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
    """The unpacked bytes at the position of *file*, and whether the gzip member is whole.

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
