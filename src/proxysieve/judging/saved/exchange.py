"""Requests with their answers, as HTTPie and programs that inspect traffic print them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

from proxysieve.errors import ConfigError
from proxysieve.judging.saved.raw_http import (
    FIELD,
    METHOD,
    MOST_HEADS,
    NO_ANSWER,
    STATUS,
    STATUS_LINE,
    parse,
    read_printed,
)
from proxysieve.judging.saved.response import Defaults, SavedAnswer

REQUEST_HEAD = re.compile(
    rb"^" + METHOD + rb" \S+ HTTP/\d(?:\.\d)?\r?\n(?:" + FIELD + rb"\r?\n)+(?=\r?\n)", re.MULTILINE
)
RESPONSE_LINE = re.compile(rb"^" + STATUS + rb"(?: [^\r\n]*)?\r?\n", re.MULTILINE)


def is_exchange(head: bytes) -> bool:
    """Whether *head* begins with a request, as HTTPie prints it, or with blank lines and an answer."""
    start = len(head) - len(head.removeprefix(b"\xef\xbb\xbf").lstrip())
    return REQUEST_HEAD.match(head, start) is not None or STATUS_LINE.match(head, start) is not None


def read_exchange(file: BinaryIO, defaults: Defaults) -> Iterator[SavedAnswer]:
    """The answer to the last request that has one.

    Raises:
        ConfigError: No request has one.
    """
    data = read_printed(file)
    answers = [line.start() for line in islice(RESPONSE_LINE.finditer(data), MOST_HEADS)]
    if not answers:
        raise ConfigError(NO_ANSWER)
    questions = [0, *(one.end() for one in islice(REQUEST_HEAD.finditer(data), MOST_HEADS) if one.end() <= answers[-1])]
    start = next(at for at in answers if at >= questions[-1])
    yield parse(data[start:], defaults.url)
