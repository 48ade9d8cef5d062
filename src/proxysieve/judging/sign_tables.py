"""The judge with its table of signs loaded, and with the fastest way to search bodies that the machine has.

Hyperscan searches for all texts at once: for 120 texts in 15 KB it took 4 to 6 microseconds, an Aho-Corasick automaton
(ahocorasick_rs) 32 to 48, and one search after the other 450 to 600. It has wheels for Linux and macOS. Elsewhere a
filter by four-byte pieces and a search in turn do the same in about a millisecond.
"""

from __future__ import annotations

import logging
import re
import tomllib
from collections.abc import Collection, Sequence
from functools import cache
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import TypeVar

import msgspec

from proxysieve.core.verdicts.judge import RULES, STATUS_RULE, Judge, OnFault, SignFunction, Words
from proxysieve.core.verdicts.signs import Scan, Sign, Table
from proxysieve.errors import ConfigError

try:
    import hyperscan

    IS_FAST = True
except ImportError:  # there is no wheel for every machine
    IS_FAST = False

log = logging.getLogger("proxysieve")

# The size of one search without hyperscan. Larger pieces do not fit a processor's cache.
PIECE_BYTES = 65_536
# The message of a sign that failed may contain what a site sent, so it is cut.
LONGEST_FAULT = 300
# A user's own sign: a function of an exchange, or a file like signs.toml.
OwnSign = SignFunction | str | PathLike[str]
F = TypeVar("F", bound="SignFile")


class SignFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The contents of a file of signs.

    Attributes:
        sign: The signs.
        off: The names of signs that are switched off.
    """

    sign: tuple[Sign, ...] = ()
    off: tuple[str, ...] = ()


class UsualSigns(SignFile, frozen=True, forbid_unknown_fields=True):
    """The contents of the file that comes with the package.

    Attributes:
        words: Words that hint at a check, on a page that says nothing else.
    """

    words: dict[str, tuple[str, ...]] = {}


def make_judge(own: Sequence[OwnSign] = ()) -> Judge:
    """A judge with the signs of the package and *own* ones. It asks *own* ones first.

    Raises:
        ConfigError: A file of signs cannot be read.
    """
    if not own:
        return _usual_judge()
    signs, off = _own_and_usual(own)
    return Judge(signs, usual_words(), make_scan, [one for one in own if callable(one)], off, warn_once())


def warn_once() -> OnFault:
    """A function that logs the first failure of each sign."""
    told: set[str] = set()

    def warn(name: str, how: str) -> None:
        if name not in told:
            told.add(name)
            log.warning("%s failed and is skipped: %s", name, how[:LONGEST_FAULT])

    return warn


def list_signs(own: Sequence[OwnSign] = ()) -> list[Sign]:
    """The signs of the tables, in the order in which a judge with *own* ones asks them.

    Raises:
        ConfigError: A file of signs cannot be read.
    """
    return _own_and_usual(own)[0]


def _own_and_usual(own: Sequence[OwnSign]) -> tuple[list[Sign], set[str]]:
    """The signs of files and of the package, and the names of those that are switched off."""
    files = [read_signs(one) for one in own if not callable(one)]
    off = {name for file in files for name in file.off}
    signs = [sign for file in files for sign in file.sign] + list(usual_signs().sign)
    known = {sign.name for sign in signs} | RULES
    for name in sorted(off - known):
        if re.fullmatch(rf"{STATUS_RULE}\d{{3}}", name):
            continue
        raise ConfigError(f"there is no sign called {name!r} to switch off; `proxysieve judge --list-signs` lists them")
    kept = {sign.name: sign for sign in reversed(signs) if sign.name not in off}
    return [sign for sign in signs if kept.get(sign.name) is sign], off


def read_signs(path: str | PathLike[str]) -> SignFile:
    """The signs of a file.

    Raises:
        ConfigError: It cannot be read, or it is no file of signs.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the signs in {path} cannot be read: {getattr(error, 'strerror', '') or error}") from error
    file = _parse(text, str(path), SignFile)
    names = [sign.name for sign in file.sign]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"the signs in {path} cannot be used: {twice[0]!r} is in it twice")
    return file


def make_scan(table: Table) -> Scan:
    """A search for the texts of *table* in a body: all at once if hyperscan is installed, else one after the other."""
    return scan_at_once(table) if IS_FAST and table.texts else scan_one_by_one(table)


def scan_one_by_one(table: Table) -> Scan:
    """A search for each text that may be there: about a millisecond for a page of 15 KB."""
    texts = table.texts
    # A text may begin at any offset within four bytes, so one of its four divisions into fours must be there.
    needs = [(number, _fours(text.text.lower()[at:])) for number, text in enumerate(texts) for at in range(4)]
    overlap = max((len(text.text) for text in texts), default=0)

    def scan(body: bytes) -> Collection[int]:
        lowered = body.lower()
        likely: set[int] = set()
        for start in range(0, len(lowered), PIECE_BYTES):
            fours = _fours(lowered[start : start + PIECE_BYTES + overlap])
            likely.update(number for number, need in needs if need <= fours)
        return [one for one in likely if texts[one].text in (body if texts[one].is_exact else lowered)]

    return scan


def _fours(body: bytes) -> frozenset[int]:
    """*body* as numbers of four bytes each, without its last odd bytes."""
    return frozenset(memoryview(body)[: len(body) // 4 * 4].cast("I"))


def scan_at_once(table: Table) -> Scan:
    """One search for all texts: a few microseconds for a page of 15 KB."""
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    once, anyhow = hyperscan.HS_FLAG_SINGLEMATCH, hyperscan.HS_FLAG_CASELESS
    database.compile(
        expressions=[b"".join(b"\\x%02x" % byte for byte in text.text) for text in table.texts],
        ids=list(range(len(table.texts))),
        flags=[once if text.is_exact else once | anyhow for text in table.texts],
    )

    def scan(body: bytes) -> Collection[int]:
        found: set[int] = set()

        def note(number: int, *_: object) -> None:
            found.add(number)

        database.scan(body, match_event_handler=note)
        return found

    return scan


@cache
def _usual_judge() -> Judge:
    return Judge(usual_signs().sign, usual_words(), make_scan, on_fault=warn_once())


@cache
def usual_signs() -> UsualSigns:
    """The signs that come with the package."""
    text = resources.files("proxysieve.judging").joinpath("signs.toml").read_text(encoding="utf-8")
    return _parse(text, "signs.toml", UsualSigns)


@cache
def usual_words() -> Words:
    """The words of the package's file."""
    words = usual_signs().words
    return Words(**{kind: frozenset(word.casefold() for word in texts) for kind, texts in words.items()})


def _parse(text: str, name: str, kind: type[F]) -> F:
    try:
        return msgspec.convert(tomllib.loads(text), kind)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise ConfigError(f"the signs in {name} cannot be used: {error}") from error
