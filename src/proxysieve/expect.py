"""What the caller expects of a good page: a text, an element, a key, or a size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from proxysieve.core.judge import Sign
from proxysieve.core.model import Exchange, Outcome, Verdict
from proxysieve.errors import ConfigError

# Somebody who asks for a page expects it with this status; others are the business of other signs.
EXPECTED_STATUS = 200


def expects(wanted: str) -> Sign:
    """A sign that doubts every page that came with status 200 and is not as *wanted*.

    Args:
        wanted: ``css:SELECTOR`` for an element that must be there, ``json:KEY`` for a key of a JSON object (``a.b`` for
            one within another), ``bytes:COUNT`` for the least size; anything else for a text, ``text:`` before it if it
            begins like these.

    Raises:
        ConfigError: The selector or the count is none.
    """
    kind, colon, value = wanted.partition(":")
    make = MAKERS.get(kind) if colon else None
    if make and not value:
        raise ConfigError(f"{wanted!r} says nothing behind the colon: expected such as {EXAMPLES[kind]}")
    is_good, what = make(value) if make else _text(wanted)

    def lacks(exchange: Exchange) -> Verdict | None:
        if exchange.status != EXPECTED_STATUS or exchange.body is None or is_good(exchange.body):
            return None
        return Verdict(outcome=Outcome.UNCLEAR, why=f"the expected {what} is missing", sign="expected", confidence=0.9)

    return lacks


Test = Callable[[bytes], bool]


def _text(value: str) -> tuple[Test, str]:
    wanted = value.encode()
    return (lambda body: wanted in body), "text"


def _css(selector: str) -> tuple[Test, str]:
    try:
        LexborHTMLParser("<p>").css_first(selector)
    except (SelectolaxError, ValueError) as error:
        raise ConfigError(f"{selector!r} is no CSS selector") from error
    return (lambda body: LexborHTMLParser(body).css_first(selector) is not None), "element"


def _json(key: str) -> tuple[Test, str]:
    path = key.split(".")

    def has_key(body: bytes) -> bool:
        try:
            value: Any = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        for step in path:
            if not isinstance(value, dict) or step not in value:
                return False
            value = value[step]
        return True

    return has_key, "key"


def _bytes(count: str) -> tuple[Test, str]:
    if not (count.isascii() and count.isdigit()):
        raise ConfigError(f"{count!r} is no number of bytes")
    least = int(count)
    return (lambda body: len(body) >= least), "size"


EXAMPLES = {"text": "text:In stock", "css": "css:h1.title", "json": "json:items", "bytes": "bytes:2000"}
MAKERS: Mapping[str, Callable[[str], tuple[Test, str]]] = {"text": _text, "css": _css, "json": _json, "bytes": _bytes}
