"""Files of a user's own that hold a list, and the standard input: read up to a limit, and into text."""

from __future__ import annotations

import sys
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from proxysieve.core.lists.text import text_of
from proxysieve.errors import ConfigError

STANDARD_INPUT = "-"
# Some ten million lines. All of it is held in memory.
MOST_BYTES = 1_000_000_000


def read_text(where: str | PathLike[str], what: str) -> str:
    """The text in the file that is called *where*, or in the standard input (``-``).

    Args:
        where: The path.
        what: What it is to hold, such as ``URLs``, for messages.

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
        raise unreadable(what, name, getattr(error, "strerror", None) or "no file can be called so") from error
    return decoded(content, what, name)


def read_bytes(file: BinaryIO) -> bytes:
    """All that is in *file*, and a byte more than is taken if it has more."""
    return file.read(MOST_BYTES + 1)


def decoded(content: bytes, what: str, name: str) -> str:
    """*content*, which comes from *name* and is to hold *what*, as text.

    Raises:
        ConfigError: It is too large, or no text.
    """
    if len(content) > MOST_BYTES:
        raise unreadable(what, name, f"it is larger than {MOST_BYTES // 1_000_000:,} MB: split it")
    try:
        return text_of(content)
    except ConfigError as error:
        raise unreadable(what, name, str(error)) from None


def name_of(where: str | PathLike[str]) -> str:
    """What *where* is called in messages."""
    return "the standard input" if where == STANDARD_INPUT else str(where)


def unreadable(what: str, name: str, why: str) -> ConfigError:
    """That *what* is to be in *name* cannot be read, as an error."""
    return ConfigError(f"the {what} in {name} cannot be read: {why}")
