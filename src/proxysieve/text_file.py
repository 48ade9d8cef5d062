"""Reads the user's lists from files and the standard input, up to a limit, as text."""

from __future__ import annotations

import sys
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from proxysieve.core.list_formats.text import text_of
from proxysieve.errors import ConfigError

STANDARD_INPUT = "-"
# Some ten million lines. All of them are held in memory.
MOST_BYTES = 1_000_000_000


def read_text(where: str | PathLike[str], what: str) -> str:
    """The text in the file *where*, or in the standard input (``-``).

    Args:
        where: The path.
        what: What it should hold, such as ``URLs``, for messages.

    Raises:
        ConfigError: It cannot be read as text; the message says what it is.
    """
    name = name_of(where)
    try:
        if where == STANDARD_INPUT:
            content = read_bytes(sys.stdin.buffer)
        else:
            with Path(where).open("rb") as file:
                content = read_bytes(file)
    except (OSError, ValueError) as error:
        raise unreadable(what, name, getattr(error, "strerror", None) or "no file can have this name") from error
    return decoded(content, what, name)


def read_bytes(file: BinaryIO) -> bytes:
    """All of *file*; if it is too large, one byte more than the limit."""
    return file.read(MOST_BYTES + 1)


def decoded(content: bytes, what: str, name: str) -> str:
    """*content* as text. It comes from *name* and should hold *what*.

    Raises:
        ConfigError: It is too large, or it is no text.
    """
    if len(content) > MOST_BYTES:
        raise unreadable(what, name, f"it is larger than {MOST_BYTES // 1_000_000:,} MB: split it")
    try:
        return text_of(content)
    except ConfigError as error:
        raise unreadable(what, name, str(error)) from None


def name_of(where: str | PathLike[str]) -> str:
    """The name of *where* in messages."""
    return "the standard input" if where == STANDARD_INPUT else str(where)


def unreadable(what: str, name: str, why: str) -> ConfigError:
    """The error that *what* cannot be read from *name*."""
    return ConfigError(f"the {what} in {name} cannot be read: {why}")
