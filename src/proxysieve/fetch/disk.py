"""What has to reach the disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from proxysieve.errors import ConfigError

# What is said of a directory that the user may not read, and by file systems (of networks, above all) that cannot wait
# for one. They keep its names as they like, and a job need not end for it.
CANNOT_WAIT = frozenset({errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOTSUP})


def refuse_odd(path: Path) -> None:
    """Refuse what is at *path*, if it is no file that one can read to its end: a pipe waits, a device may go on.

    Raises:
        ConfigError: It is such a thing.
    """
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path} is no regular file: move it away, or choose another --out")


def write_all(file: int, data: bytes) -> None:
    """Write all of *data*, as the system may take it in parts."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def sync(path: Path) -> None:
    """Return when the file at *path* has reached the disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def sync_names(directory: Path) -> None:
    """Return when it has reached the disk which names stand in *directory*, where that can be waited for."""
    try:
        sync(directory)
    except OSError as error:
        if error.errno not in CANNOT_WAIT:
            raise
