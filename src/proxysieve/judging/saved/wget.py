"""The output of ``wget -S``: headers after two blanks. Its log has everything but the body."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

import msgspec

from proxysieve.errors import ConfigError
from proxysieve.judging.saved.raw_http import BLANKS, FIELD, MOST_HEADS, NO_ANSWER, STATUS, parse, read_printed
from proxysieve.judging.saved.response import Defaults, SavedAnswer

WGET_FIRST = re.compile(BLANKS + rb"(?:--\d{4}-\d\d-\d\d \d\d:\d\d:\d\d--  (\S+)|(?<=  )" + STATUS + rb")")
# Lines that were cut do not belong to the body either.
WGET_ANSWER = re.compile(
    rb"^  (" + STATUS + rb"(?: [^\r\n]*)?)\r*\n((?:  +" + FIELD + rb"\r*(?:\n|\Z))*+)"
    rb"(?:  (?!HTTP/)[^\n<]*(?:\n|\Z)|[ \t\r]*\n)*+",
    re.MULTILINE,
)
NOT_LOGGED = "its body is not in the log of wget: save it with wget --save-headers -O FILE"


def is_wget(head: bytes) -> bool:
    """Whether *head* begins as the output of ``wget -S``."""
    return WGET_FIRST.match(head) is not None


def read_wget(file: BinaryIO, defaults: Defaults) -> Iterator[SavedAnswer]:
    """The last answer in *file*.

    Raises:
        ConfigError: It has none.
    """
    data = read_printed(file)
    answers = list(islice(WGET_ANSWER.finditer(data), MOST_HEADS + 1))
    if not answers:
        raise ConfigError(NO_ANSWER)
    raw = b"".join(one[1] + b"\r\n" + re.sub(rb"(?m)^ +", b"", one[2]) + b"\r\n" for one in answers)
    first = WGET_FIRST.match(data)
    logged = first[1] if first else None
    # A log has lines of its own, and dots for the progress, in the middle of the body.
    answer = parse(
        raw + (b"" if logged else data[answers[-1].end() :]), defaults.url or (logged or b"").decode("utf-8", "replace")
    )
    yield msgspec.structs.replace(answer, body=None, is_whole=False, note=NOT_LOGGED) if logged else answer
