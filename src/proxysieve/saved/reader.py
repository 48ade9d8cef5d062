"""Which format a file has, and its responses in turn."""

from __future__ import annotations

import gzip
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import msgspec

from proxysieve.errors import ConfigError
from proxysieve.saved.body import read_body
from proxysieve.saved.har import is_har, read_har
from proxysieve.saved.pages import is_pages, read_pages
from proxysieve.saved.raw_http import is_raw_http, read_raw_http
from proxysieve.saved.response import Answer, Given, Saved, saved
from proxysieve.saved.warc import is_warc, read_warc

STANDARD_INPUT = "-"
GZIP_MARK = b"\x1f\x8b"
HEAD_BYTES = 8_192


class Format(NamedTuple):
    """How responses may be saved.

    Attributes:
        read: What is read of a file.
        nothing: What to say of one without any response; empty where there always is one.
    """

    read: Callable[[BinaryIO, Given], Iterator[Answer]]
    nothing: str = ""


BODY = Format(read_body)
RAW_HTTP = Format(read_raw_http)
HAR = Format(read_har, "a HAR file without a single answer: export it once the page has loaded")
WARC = Format(read_warc, "no WARC file with HTTP responses: give one that has some")
PAGES = Format(read_pages, "there are no pages in it: give the --out of a `proxysieve fetch` that has fetched some")
# What a file is called decides only where its content does not say what it is.
SUFFIXES = {".har": HAR, ".warc": WARC, ".jsonl": PAGES}
# What a directory has that is the output of a job. Its index knows what stands in the others.
OF_A_JOB = {"index.jsonl", "failed.jsonl", "journal"}


def files_of(path: str) -> list[str]:
    """The files that *path* stands for: itself, or those in the directory that it is and in those below, in order.

    What is hidden, its name beginning with a dot, is left out. The output of a job stands for its index.

    Raises:
        ConfigError: There is no file in the directory.
    """
    if not Path(path).is_dir():
        return [path]
    found = []
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if set(names) >= OF_A_JOB:
            names = ["index.jsonl"]  # noqa: PLW2901 - all that is to be read of it
        found += [str(Path(folder, name)) for name in sorted(names) if not name.startswith(".")]
    if not found:
        raise ConfigError(f"{shown(path)}: a directory without files: give one with saved responses in it")
    return found


def read_saved(path: str, given: Given | None = None) -> Iterator[Saved]:
    """The responses that were saved in a file.

    Args:
        path: Of the file; ``-`` for the standard input.
        given: What is known beside it, for formats that do not say it.

    Raises:
        ConfigError: It cannot be read, or there is no response in it.
    """
    file = shown(path)
    try:
        yield from _read(path, file, given or Given())
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ConfigError(f"{file}: its compression is damaged or cut short: give a whole one") from error
    except FileNotFoundError as error:
        raise ConfigError(
            f"{file}: there is no such file: give a file, a directory, a URL, or - for the input"
        ) from error
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror or error}") from error


def shown(path: str) -> str:
    """*path* for people and machines to read, whatever bytes it consists of."""
    return os.fsencode(path).decode("utf-8", "replace")


def _read(path: str, label: str, given: Given) -> Iterator[Saved]:
    with _opened(path) as packed, _unpacked(packed) as file:
        kind = _format_of(file, label.removesuffix(".gz"))
        file.seek(0)
        count, saved_at = 0, os.fstat(packed.fileno()).st_mtime
        for answer in kind.read(file, msgspec.structs.replace(given, folder=str(Path(path).parent))):
            count += 1
            yield saved(answer, label, saved_at, is_one_of_many=bool(kind.nothing))
    if not count and kind.nothing:
        raise ConfigError(kind.nothing)


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    """A file that can be read from its beginning again."""
    is_input = path == STANDARD_INPUT
    with nullcontext(sys.stdin.buffer) if is_input else Path(path).open("rb") as file:
        if not is_input and file.seekable():
            yield file
            return
        # What comes through a pipe comes once.
        with tempfile.TemporaryFile() as kept:
            shutil.copyfileobj(file, kept)
            kept.seek(0)
            yield cast("BinaryIO", kept)


@contextmanager
def _unpacked(file: BinaryIO) -> Iterator[BinaryIO]:
    """The same without gzip, if it has any."""
    is_packed = file.read(len(GZIP_MARK)) == GZIP_MARK
    file.seek(0)
    if not is_packed:
        yield file
        return
    with gzip.GzipFile(fileobj=file) as plain:
        yield cast("BinaryIO", plain)


def _format_of(file: BinaryIO, name: str) -> Format:
    file.seek(0)
    head = file.read(HEAD_BYTES)
    if is_warc(head):
        return WARC
    if is_raw_http(head):
        return RAW_HTTP
    if is_har(head):
        return HAR
    file.seek(0)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and is_pages(file):
        return PAGES
    return SUFFIXES.get(Path(name).suffix.lower(), BODY)
