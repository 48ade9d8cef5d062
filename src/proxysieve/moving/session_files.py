"""Files of sessions."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from proxysieve.errors import ConfigError

# Enough for tens of thousands of sessions.
MOST_BYTES = 100_000_000


def read_content(file: str, now: float) -> tuple[bytes, float]:
    """The content of *file* (``-`` for the standard input), and when it was written: *now* if that is not known.

    Raises:
        ConfigError: It cannot be read, or it is too large.
    """
    try:
        if file == "-":
            content, written_at = sys.stdin.buffer.read(MOST_BYTES + 1), now
        else:
            with Path(file).open("rb") as source:
                content, written_at = source.read(MOST_BYTES + 1), os.fstat(source.fileno()).st_mtime
    except OSError as error:
        raise ConfigError(f"the sessions in {file} cannot be read: {error.strerror}") from error
    if len(content) > MOST_BYTES:
        raise ConfigError(f"the sessions in {file} cannot be read: it is larger than {MOST_BYTES // 1_000_000} MB")
    return content, written_at


def write_privately(path: Path, content: bytes) -> None:
    """Write *content* to *path*, readable only by this user. The file is written whole or not at all.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        # The draft is created for its owner alone, in the same directory.
        descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
