"""Files of sessions, on the disk."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from proxysieve.errors import ConfigError

# A pool of tens of thousands of sessions; what is larger is something else.
MOST_BYTES = 100_000_000


def read_content(file: str, now: float) -> tuple[bytes, float]:
    """What is in *file* (``-`` for the standard input), and when it was written: *now*, where that is not known.

    Raises:
        ConfigError: It cannot be read, or is too large.
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
    """Write *content* to *path* for nobody but this user to read: all of it, or nothing.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        # Made for its owner alone, beside the place that it will take.
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
