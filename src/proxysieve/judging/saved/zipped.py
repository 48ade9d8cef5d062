"""HAR files in a zip file, as Playwright packs them, with each body as a file of its own in it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO
from zipfile import BadZipFile, LargeZipFile, ZipFile

from proxysieve.errors import ConfigError
from proxysieve.judging.saved.body_files import MOST_TOTAL_BYTES
from proxysieve.judging.saved.har import MOST_BYTES, answers_of
from proxysieve.judging.saved.response import MOST_BODY_BYTES, Defaults, SavedAnswer

MARKS = (b"PK\x03\x04", b"PK\x05\x06")
# The end of a zip file holds the size of its list of files. A comment may follow.
END = b"PK\x05\x06"
END_FIELDS = struct.Struct("<4s4H2LH")
LONGEST_COMMENT = 65_535
# Enough for some hundred thousand files.
MOST_LIST_BYTES = 50_000_000
DAMAGED = "the zip file is damaged, or packed in an unknown way: unpack it"


def is_zip(head: bytes) -> bool:
    """Whether *head* begins as a zip file."""
    return head.startswith(MARKS)


def read_zip(file: BinaryIO, _: Defaults) -> Iterator[SavedAnswer]:
    """Each answer of the HAR file in the zip file *file*.

    Raises:
        ConfigError: It has no HAR file, cannot be read, or is too large when unpacked.
    """
    _check_size(file)
    try:
        with ZipFile(file) as packed:
            members = Members(packed)
            yield from answers_of(members.har(), members.read)
    # For encryption and unknown ways of packing, Python raises RuntimeError.
    except (BadZipFile, LargeZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(DAMAGED) from error


class Members:
    """The files in a zip file."""

    def __init__(self, packed: ZipFile) -> None:
        self._packed = packed
        self._names = set(packed.namelist())
        self._left = MOST_TOTAL_BYTES

    def har(self) -> bytes:
        """The content of the HAR file.

        Raises:
            ConfigError: It has none, or several.
        """
        names = sorted(name for name in self._names if name.lower().endswith(".har"))
        if len(names) != 1:
            what = "several HAR files" if names else "no HAR file"
            raise ConfigError(f"a zip file (or a document that is one) with {what}: unpack it")
        return self._read(names[0], MOST_BYTES + 1)

    def read(self, name: str) -> bytes | None:
        """The beginning of the file *name*, up to the limit for a body; None if there is no such file."""
        return self._read(name, MOST_BODY_BYTES + 1) if name in self._names else None

    def _read(self, name: str, most: int) -> bytes:
        with self._packed.open(name) as file:
            content = file.read(most)
        self._left -= len(content)
        if self._left < 0:
            raise ConfigError(f"it unpacks to more than {MOST_TOTAL_BYTES // 1_000_000_000} GB: give fewer responses")
        return content


def _check_size(file: BinaryIO) -> None:
    """Refuse a list of files that would take too much memory."""
    size = file.seek(0, 2)
    file.seek(max(0, size - LONGEST_COMMENT - END_FIELDS.size))
    tail = file.read()
    at = tail.rfind(END)
    file.seek(0)
    if at < 0 or len(tail) < at + END_FIELDS.size:
        raise ConfigError(DAMAGED)
    if END_FIELDS.unpack_from(tail, at)[5] > MOST_LIST_BYTES:
        raise ConfigError("a zip file with too many files: unpack it")
