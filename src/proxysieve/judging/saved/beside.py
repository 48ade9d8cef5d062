"""Bodies that lie in files of their own beside the file that tells of them, and nowhere else."""

from __future__ import annotations

from pathlib import Path

from proxysieve.errors import ConfigError
from proxysieve.judging.saved.response import MOST_BODY_BYTES

# All of a file's together: each could name the same large one.
MOST_TOTAL_BYTES = 5_000_000_000


class Beside:
    """The files in the directory *folder* and below; none, if it is not known.

    Whoever made the file that names them cannot have others read: neither by dots, nor from the root, nor by links.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder).resolve() if folder else None
        self._left = MOST_TOTAL_BYTES

    def read(self, name: str) -> bytes | None:
        """The beginning of the file *name*, as much as is read of a body; None if it is not there.

        Raises:
            ConfigError: It is somewhere else, or all of them together are too much.
            OSError: It cannot be read.
        """
        if self._folder is None:
            return None
        try:
            path = (self._folder / name).resolve()
            is_inside, is_file = path.is_relative_to(self._folder), path.is_file()
        except (OSError, ValueError, RuntimeError):
            # A name that no file can have, or links in a circle.
            return None
        if not is_inside:
            raise ConfigError("a body is in a file that is somewhere else: put it beside, and name it without a path")
        if not is_file:
            return None
        with path.open("rb") as file:
            body = file.read(MOST_BODY_BYTES + 1)
        self._left -= len(body)
        if self._left < 0:
            raise ConfigError(f"its bodies come to more than {MOST_TOTAL_BYTES // 1_000_000_000} GB: give fewer")
        return body
