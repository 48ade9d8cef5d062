"""Brings data to the disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from proxysieve.errors import ConfigError

# Errors for directories that the user may not read, and of file systems (mostly on networks) that cannot sync them.
# Such systems keep names in their own way, and a job need not end for it.
CANNOT_WAIT = frozenset({errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOTSUP})


def refuse_irregular(path: Path) -> None:
    """Refuse what is at *path* if it is no regular file: reading a pipe or a device may never end.

    Raises:
        ConfigError: It is no regular file.
    """
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path} is no regular file: move it away, or choose another --out")


def write_all(file: int, data: bytes) -> None:
    """Write all of *data*. The system may take it in parts."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def sync(path: Path) -> None:
    """Return when the file at *path* is on the disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def sync_names(directory: Path) -> None:
    """Return when the names in *directory* are on the disk, if the file system supports that."""
    try:
        sync(directory)
    except OSError as error:
        if error.errno not in CANNOT_WAIT:
            raise
