"""What follows the last record that counts in a file.

A kill leaves whole records there, and one that is cut. They are cut off, and their pages fetched again. Anything else
was put there by somebody, or a power cut left gaps in it. It is moved aside.

Of the records that count, only the last one is read: reading a large output at every start would take minutes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO, NamedTuple

from proxysieve.errors import ConfigError
from proxysieve.fetch.disk import refuse_irregular, sync_names
from proxysieve.fetch.formats import Look
from proxysieve.fetch.journal import ADVICE, Span

AS_LEFT = "as a killed run leaves them"


class Tail(NamedTuple):
    """What follows the *last* record that counts.

    Attributes:
        size: In bytes.
        is_left: Whether a kill can have left it.
    """

    path: Path
    last: Span
    size: int
    is_left: bool


def look_behind(
    path: Path, last: Span, look: Look, named: Callable[[str], str] = str, done: Collection[str] = ()
) -> Tail:
    """The tail of the file at *path*. Nothing is changed.

    Args:
        path: It may be missing if no record counts.
        last: The last record that counts.
        look: See :meth:`proxysieve.fetch.formats.Format.look`.
        named: Gives the name of a URL in a record.
        done: The URLs of the records that count; no run writes them again.

    Raises:
        ConfigError: The file does not have the records that count.
        OSError: It cannot be read.
    """
    try:
        with _open(path) as file:
            size = os.fstat(file.fileno()).st_size
            _check(path, file, size, last, look, named)
            known = frozenset(map(named, done)) if size > last.end else frozenset()
            return Tail(path, last, size - last.end, _is_left(file, size, look, known))
    except FileNotFoundError:
        if last.end:
            raise _changed(path, "is gone") from None
        return Tail(path, last, 0, is_left=True)


def cut_off(tail: Tail, file: int) -> str:
    """End *file* after the last record that counts; returns in words what became of the *tail*.

    Raises:
        OSError: What has to be kept cannot be written elsewhere; nothing was changed.
    """
    if not tail.size:
        return ""
    behind = f"{tail.path}: {tail.size:,} bytes after the last record of its journal"
    if tail.is_left:
        os.ftruncate(file, tail.last.end)
        return f"{behind} were cut off, {AS_LEFT}; their pages are fetched again"
    aside = _copy_aside(tail)
    os.ftruncate(file, tail.last.end)
    return f"{behind} were not left by a killed run; they were moved to {aside}"


def _open(path: Path) -> BinaryIO:
    refuse_irregular(path)
    return path.open("rb")


def _check(path: Path, file: BinaryIO, size: int, last: Span, look: Look, named: Callable[[str], str]) -> None:
    if size < last.end:
        raise _changed(path, f"is shorter than its journal says ({size:,} bytes, and not {last.end:,})")
    file.seek(last.start)
    if last.end and (look(file) != named(last.url) or file.tell() != last.end):
        raise _changed(path, f"has another record before byte {last.end:,} than its journal says")


def _changed(path: Path, how: str) -> ConfigError:
    return ConfigError(f"{path} {how}: something else has changed it; {ADVICE}")


def _is_left(file: BinaryIO, size: int, look: Look, known: Collection[str]) -> bool:
    while file.tell() < size:
        found = look(file)
        if found in known:
            return False
        if not found:
            return found is not None
    return True


def _copy_aside(tail: Tail) -> Path:
    aside = _free_place(tail.path)
    try:
        with tail.path.open("rb") as source, aside.open("wb") as target:
            source.seek(tail.last.end)
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        sync_names(aside.parent)
    except BaseException:
        with suppress(OSError):
            aside.unlink()
        raise
    return aside


def _free_place(path: Path) -> Path:
    """A new file next to *path*."""
    for number in count(1):
        place = path.with_name(f"{path.name}.aside-{number}")
        with suppress(FileExistsError):
            place.touch(exist_ok=False)
            return place
    raise AssertionError("numbers have an end")
