"""A file that is only a body."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from proxysieve.core.model import first_value
from proxysieve.errors import ConfigError
from proxysieve.judging.saved.decoding import is_text
from proxysieve.judging.saved.kinds import refuse_other_kinds
from proxysieve.judging.saved.response import MOST_BODY_BYTES, Defaults, SavedAnswer


def read_body(file: BinaryIO, defaults: Defaults) -> Iterator[SavedAnswer]:
    """The whole of *file*, with what is *defaults* for it.

    Raises:
        ConfigError: It is no text, and nothing says what it is.
    """
    body = file.read(MOST_BODY_BYTES + 1)
    if not first_value(defaults.headers, "content-type"):
        refuse_other_kinds(body)
        if not is_text(body):
            raise ConfigError(
                "neither text nor any form of a response: give another file, or say what it is with "
                "--header 'Content-Type: …'"
            )
    yield SavedAnswer(status=defaults.status, headers=defaults.headers, body=body, url=defaults.url)
