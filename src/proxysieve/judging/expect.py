"""What the caller expects of a good page: a text, an element, a key or a size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from proxysieve.core.model import Exchange, Outcome, Verdict
from proxysieve.core.verdicts.judge import SignFunction
from proxysieve.errors import ConfigError
from proxysieve.judging.elements import Selector

# Callers expect pages with this status. Other signs judge the others.
EXPECTED_STATUS = 200
# Reading so much JSON takes about 50 ms at most. In larger bodies the key is searched as a text.
READ_BYTES = 8_388_608


def expects(wanted: str) -> SignFunction:
    """A sign that calls a page unclear if its status is 200 and it is not as *wanted*.

    Args:
        wanted: ``css:SELECTOR`` for an element that must be there, ``json:KEY`` for a key of a JSON object (``a.b`` for
            a nested one), ``bytes:COUNT`` for the least size; anything else is a text. Put ``text:`` before a text that
            begins like these.

    Raises:
        ConfigError: The selector, the key or the count is not valid.
    """
    kind, colon, value = wanted.partition(":")
    make = MAKERS.get(kind) if colon else None
    if make and not value:
        raise ConfigError(f"{wanted!r} has nothing after the colon: expected something like {EXAMPLES[kind]}")
    problem_of = make(value) if make else _text(wanted)

    def lacks(exchange: Exchange) -> Verdict | None:
        if exchange.status != EXPECTED_STATUS or exchange.body is None:
            return None
        try:
            problem = problem_of(exchange.body)
        except Exception as error:  # noqa: BLE001 - other people's parsers read what a site sends
            problem = f"the search for what is expected failed ({type(error).__name__})"
        if not problem:
            return None
        return Verdict(outcome=Outcome.UNCLEAR, why=problem, sign="expected", confidence=0.9)

    return lacks


# What is wrong with a body; empty if it is as expected.
Test = Callable[[bytes], str]


def _missing(what: str, is_there: Callable[[bytes], bool]) -> Test:
    return lambda body: "" if is_there(body) else f"the expected {what} is missing"


def _text(value: str) -> Test:
    wanted = value.encode("utf-8", "surrogatepass")
    return _missing("text", lambda body: wanted in body)


def _css(selector: str) -> Test:
    return Selector(selector).problem


def _json(key: str) -> Test:
    path = key.split(".")
    # The decoder skips everything but that key.
    kind: Any = msgspec.Raw
    try:
        for step in reversed(path):
            kind = msgspec.defstruct("Object", [("value", kind)], rename={"value": step})
        texts = [msgspec.json.encode(step) for step in path]
    except ValueError as error:
        raise ConfigError(
            f"{key!r} cannot be looked for: expected a key without quotes, backslashes and control characters"
        ) from error
    decoder = msgspec.json.Decoder(kind)

    def has_key(body: bytes) -> bool:
        if len(body) > READ_BYTES:
            return all(text in body for text in texts)
        try:
            decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        return True

    return _missing("key", has_key)


def _bytes(count: str) -> Test:
    if not (count.isascii() and count.isdigit()) or len(count) > MOST_DIGITS:
        raise ConfigError(f"{count!r} is no number of bytes")
    least = int(count)
    return _missing("size", lambda body: len(body) >= least)


# No machine has more bytes.
MOST_DIGITS = 18
EXAMPLES = {"text": "text:In stock", "css": "css:h1.title", "json": "json:items", "bytes": "bytes:2000"}
MAKERS: Mapping[str, Callable[[str], Test]] = {"text": _text, "css": _css, "json": _json, "bytes": _bytes}
