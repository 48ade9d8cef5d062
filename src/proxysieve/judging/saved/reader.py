"""Finds the format of a file, and reads its responses one after the other."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import msgspec

from proxysieve.errors import ConfigError
from proxysieve.judging.saved.body import read_body
from proxysieve.judging.saved.curl import is_curl, read_curl
from proxysieve.judging.saved.exchange import is_exchange, read_exchange
from proxysieve.judging.saved.har import is_har, read_har
from proxysieve.judging.saved.kinds import HEAD_BYTES
from proxysieve.judging.saved.mhtml import is_mhtml, read_mhtml
from proxysieve.judging.saved.pages import is_pages, read_pages
from proxysieve.judging.saved.raw_http import is_raw_http, read_raw_http
from proxysieve.judging.saved.response import Defaults, Saved, SavedAnswer, saved
from proxysieve.judging.saved.warc import is_warc, read_warc
from proxysieve.judging.saved.wget import is_wget, read_wget
from proxysieve.judging.saved.zipped import is_zip, read_zip

STANDARD_INPUT = "-"
GZIP_MARK = b"\x1f\x8b"
# PowerShell writes these into files.
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
MOST_UTF_16_BYTES = 200_000_000
# Compressed texts have a tenth of their size. Deflate reaches a thousandth if all bytes are alike.
MOST_PACKED_TIMES = 200
HARMLESS_BYTES = 200_000_000


class SavedFormat(NamedTuple):
    """A form in which responses are saved.

    Attributes:
        read: Reads a file.
        begins: Tells whether a file begins as this one; None if that cannot be told.
        nothing: What to say if it has no response; empty if it always has one.
    """

    read: Callable[[BinaryIO, Defaults], Iterator[SavedAnswer]]
    begins: Callable[[bytes], bool] = lambda _: False
    nothing: str = ""


NO_ANSWERS = "a HAR file without any answer: export it after the page has loaded"
BODY = SavedFormat(read_body)
HAR = SavedFormat(read_har, is_har, NO_ANSWERS)
WARC = SavedFormat(read_warc, is_warc, "no WARC file with HTTP responses: give one that has some")
PAGES = SavedFormat(read_pages, nothing="it has no pages: give the --out of a `proxysieve fetch` that has fetched some")
ZIP = SavedFormat(read_zip, is_zip, NO_ANSWERS)
TEXTS = (
    SavedFormat(read_raw_http, is_raw_http),
    HAR,
    SavedFormat(read_mhtml, is_mhtml),
    SavedFormat(read_curl, is_curl),
    SavedFormat(read_wget, is_wget),
    SavedFormat(read_exchange, is_exchange),
)
# The file's name decides only if its content does not.
SUFFIXES = {".har": HAR, ".warc": WARC, ".jsonl": PAGES}
# Files in the output directory of a job. The index lists the others.
OF_A_JOB = {"index.jsonl", "failed.jsonl", "journal"}


def files_of(path: str) -> list[str]:
    """The files that *path* stands for: the file itself, or all files in the directory and below it, in order.

    Hidden files, whose names begin with a dot, are left out, and so are pipes, which may never end.
    For the output of a job, only its index is read.

    Raises:
        ConfigError: There is no file in the directory.
    """
    if not Path(path).is_dir():
        return [path]
    found = []
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if set(names) >= OF_A_JOB:
            names = ["index.jsonl"]  # noqa: PLW2901 - nothing else is to be read of it
        paths = [str(Path(folder, name)) for name in sorted(names) if not name.startswith(".")]
        # Path raises if a file cannot be examined. The error is reported when it is read.
        found += [path for path in paths if os.path.isfile(path) or not os.path.exists(path)]  # noqa: PTH110, PTH113
    if not found:
        raise ConfigError(f"{shown(path)}: a directory without files: give one with saved responses")
    return found


def read_saved(path: str, defaults: Defaults | None = None) -> Iterator[Saved]:
    """The saved responses in a file.

    Args:
        path: Of the file; ``-`` for the standard input.
        defaults: What is known about it, for formats that do not say it.

    Raises:
        ConfigError: It cannot be read, or it has no response.
    """
    file = shown(path)
    try:
        yield from _read(path, file, defaults or Defaults())
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ConfigError(f"{file}: its compression is damaged or cut short: give a whole one") from error
    except FileNotFoundError as error:
        raise ConfigError(
            f"{file}: there is no such file: give a file, a directory, a URL, or - for the standard input"
        ) from error
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror or error}") from error


def shown(path: str) -> str:
    """*path* as printable text, whatever its bytes are."""
    return os.fsencode(path).decode("utf-8", "replace")


def _read(path: str, label: str, defaults: Defaults) -> Iterator[Saved]:
    with _opened(path) as packed, _unpacked(packed) as file:
        kind = _format_of(file, label.removesuffix(".gz"))
        count, saved_at = 0, os.fstat(packed.fileno()).st_mtime
        # The standard input has no folder.
        folder = "" if path == STANDARD_INPUT else str(Path(path).parent)
        for answer in kind.read(_as_utf_8(file, kind), msgspec.structs.replace(defaults, folder=folder)):
            count += 1
            yield saved(answer, label, saved_at, is_one_of_many=bool(kind.nothing))
    if not count and kind.nothing:
        raise ConfigError(kind.nothing)


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    """A file that can be read again from its beginning."""
    is_input = path == STANDARD_INPUT
    with nullcontext(sys.stdin.buffer) if is_input else Path(path).open("rb") as file:
        if not is_input and file.seekable():
            yield file
            return
        # A pipe can be read only once.
        with tempfile.TemporaryFile() as kept:
            shutil.copyfileobj(file, kept)
            kept.seek(0)
            yield cast("BinaryIO", kept)


@contextmanager
def _unpacked(file: BinaryIO) -> Iterator[BinaryIO]:
    """The same file without gzip, if it was packed."""
    is_packed = file.read(len(GZIP_MARK)) == GZIP_MARK
    file.seek(0)
    if not is_packed:
        yield file
        return
    with io.BufferedReader(Unpacking(file)) as plain:
        yield cast("BinaryIO", plain)


class Unpacking(io.RawIOBase):
    """The content of *packed*, up to a limit that protects the disk."""

    def __init__(self, packed: BinaryIO) -> None:
        self._packed = packed
        self._plain = gzip.GzipFile(fileobj=packed)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any that can be written to
        count = self._plain.readinto(buffer)
        at = self._plain.tell()
        if at > HARMLESS_BYTES and at > MOST_PACKED_TIMES * self._packed.tell():
            raise ConfigError(f"it unpacks to more than {MOST_PACKED_TIMES} times its size: unpack it first")
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._plain.seek(offset, whence)

    def tell(self) -> int:
        return self._plain.tell()


def _format_of(file: BinaryIO, name: str) -> SavedFormat:
    file.seek(0)
    start = file.read(HEAD_BYTES)
    head = _utf_8(start) if start.startswith(UTF_16_MARKS) else start
    found = next((one for one in (WARC, ZIP, *TEXTS) if one.begins(head)), None)
    if found:
        return found
    file.seek(0)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and is_pages(_as_utf_8(file, PAGES)):
        return PAGES
    return SUFFIXES.get(Path(name).suffix.lower(), BODY)


def _as_utf_8(file: BinaryIO, kind: SavedFormat) -> BinaryIO:
    """*file* from its beginning, converted to UTF-8 if its format allows it. The judge reads a body's own encoding."""
    file.seek(0)
    is_wide = kind is not BODY and file.read(2) in UTF_16_MARKS
    file.seek(0)
    return io.BytesIO(_utf_8(file.read(MOST_UTF_16_BYTES))) if is_wide else file


def _utf_8(wide: bytes) -> bytes:
    return wide.decode("utf-16", "replace").encode("utf-8", "replace")
