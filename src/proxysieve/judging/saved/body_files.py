"""Bodies in files of their own, next to the file that names them."""

from __future__ import annotations

from pathlib import Path

from proxysieve.errors import ConfigError
from proxysieve.judging.saved.response import MOST_BODY_BYTES

# Of all files together: a file could name the same large one again and again.
MOST_TOTAL_BYTES = 5_000_000_000


class BodyFiles:
    """The files in the directory *folder* and below it; none if the folder is not known.

    A file can name no others: dots, absolute paths and links are refused.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder).resolve() if folder else None
        self._left = MOST_TOTAL_BYTES

    def read(self, name: str) -> bytes | None:
        """The beginning of the file *name*, up to the limit for a body; None if there is no such file.

        Raises:
            ConfigError: It is outside the folder, or all files together are too large.
            OSError: It cannot be read.
        """
        if self._folder is None:
            return None
        try:
            path = (self._folder / name).resolve()
            is_inside, is_file = path.is_relative_to(self._folder), path.is_file()
        except (OSError, ValueError, RuntimeError):
            # No file can have this name, or links form a circle.
            return None
        if not is_inside:
            raise ConfigError("a body is in a file elsewhere: put it beside this file, and name it without a path")
        if not is_file:
            return None
        with path.open("rb") as file:
            body = file.read(MOST_BODY_BYTES + 1)
        self._left -= len(body)
        if self._left < 0:
            raise ConfigError(
                f"its bodies have more than {MOST_TOTAL_BYTES // 1_000_000_000} GB together: give fewer responses"
            )
        return body
