"""What a page can be recognised by: the names of its parts, where those come from, and how it is built.

All pages of a site share some of these traits, and a block page that somebody else made has almost none of them. All
takes time in proportion to the part of the body that is read, which has a limit: no regular expression goes back.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from zlib import crc32

import msgspec

from proxysieve.core.model.content import Content

# What all pages of a site share stands near the top.
READ_BYTES = 131_072
MOST_TAGS, MOST_ATTRIBUTES, MOST_KEYS = 2_000, 2_000, 200
SHORTEST_NAME, LONGEST_NAME, SHORTEST_LITERAL = 3, 60, 7
# Measured on 58 block pages of 20 makers: of none does a person see more than 1,328 characters, and none has more than
# 6 links and 76 tags. Two thirds of 54 good pages have more.
SLIGHT_LENGTH, SLIGHT_LINKS, SLIGHT_TAGS = 1_500, 10, 150
SLIGHT_JSON_BYTES = 2_000

# A page without any of these shows all but its tags, which are hardly longer.
NOT_SHOWN = re.compile(rb"<(?:script|style|svg|noscript|template|!--)")
USUAL_TAG_BYTES = 80
DIGITS = b"0123456789"
TAG = re.compile(rb"<([a-z]++)([^<>]*+)")
ATTRIBUTE = re.compile(
    rb"""\s(class|id|src|href|name|property)=(?:"([^"<>]*+)"|'([^'<>]*+)'|([^\s"'<>]++))""",
)
# So many tags in a row are typical of a site; three in a row stand on most pages.
RUN = 5
END_OF_PART = re.compile(rb"[/?#;]")
EVERYWHERE = frozenset({b"viewport", b"robots", b"description"})
PREFIXES = {b"id": b"#", b"name": b"@", b"property": b"@"}
# By the first byte of a value.
JSON_TYPES = {b"{": "object", b"[": "list", b'"': "text", b"t": "flag", b"f": "flag", b"n": "null"}


class Kind(enum.StrEnum):
    """What sort of answer a page is; each is compared with its own."""

    HTML = "html"
    JSON = "json"
    OTHER = "other"


class PageTraits:
    """The traits of a page. Each is found when it is first asked for, and once.

    Args:
        content: The page.
    """

    def __init__(self, content: Content) -> None:
        self.content = content

    @cached_property
    def kind(self) -> Kind:
        """By how it begins."""
        if self.content.searched[:64].lstrip()[:1] in {b"{", b"["}:
            return Kind.JSON
        return Kind.HTML if self.content.is_markup else Kind.OTHER

    @cached_property
    def traits(self) -> dict[int, bytes]:
        """Its traits by their hashes, the same on every machine."""
        match self.kind:
            case Kind.HTML:
                found: Iterable[bytes] = _traits_of_markup(self._tags)
            case Kind.JSON:
                found = _traits_of_json(self.content.searched)
            case Kind.OTHER:
                found = ()
        return {crc32(trait): trait for trait in found}

    @cached_property
    def is_slight(self) -> bool:
        """Whether it offers as little as a block page does: to read, to follow, to look at."""
        if self.kind is Kind.JSON:
            # An empty one says that there is nothing; a block would say something.
            return bool(self.traits) and self.content.size <= SLIGHT_JSON_BYTES
        return (
            self.kind is Kind.HTML
            and not self._is_plainly_long
            and len(self._tags) <= SLIGHT_TAGS
            and sum(name == b"a" for name, _ in self._tags) <= SLIGHT_LINKS
            and len(self.content.visible) <= SLIGHT_LENGTH
        )

    @property
    def _is_plainly_long(self) -> bool:
        """Whether a person sees much of it, as far as that can be told without reading it: most pages are long."""
        markup = self.content.searched[:READ_BYTES]
        shown = len(markup) - USUAL_TAG_BYTES * markup.count(b"<")
        return shown > 2 * SLIGHT_LENGTH and NOT_SHOWN.search(markup) is None

    def place_of(self, literal: bytes) -> int:
        """Where *literal* stands in the part that is looked at; negative if it does not."""
        return self.content.searched.find(literal, 0, READ_BYTES)

    @cached_property
    def _tags(self) -> list[tuple[bytes, bytes]]:
        """The names of its tags, and what else stands in them."""
        # Pages of one layout differ in numbers.
        markup = self.content.searched[:READ_BYTES].lower().translate(None, DIGITS)
        return TAG.findall(markup)


def literal_of(trait: bytes) -> bytes:
    """What stands on a page that has *trait*, if it hardly stands on others by chance; else nothing."""
    if trait.startswith(b'"'):
        return trait[: trait.find(b'":') + 1]
    name = trait[1:] if trait.startswith((b".", b"#", b"/")) else b""
    is_word = name.strip(b"/").isalpha()
    return b"" if is_word or len(name) < SHORTEST_LITERAL else name


def _traits_of_markup(tags: list[tuple[bytes, bytes]]) -> Iterator[bytes]:
    names = [name for name, _ in tags[:MOST_TAGS]]
    for run in set(zip(*(names[start:] for start in range(RUN)), strict=False)):
        yield b"<" + b"<".join(run)
    found: set[tuple[bytes, ...]] = set(
        ATTRIBUTE.findall(b"".join(inside for _, inside in tags[:MOST_TAGS]))[:MOST_ATTRIBUTES]
    )
    for name, *values in found:
        value = b"".join(values)
        if name == b"class":
            yield from (b"." + one for one in value.split() if SHORTEST_NAME <= len(one) <= LONGEST_NAME)
        elif name in PREFIXES:
            yield from (PREFIXES[name] + one for one in {value[:LONGEST_NAME]} - EVERYWHERE)
        elif address := _source(value):
            yield b"/" + address


def _source(address: bytes) -> bytes:
    """The host of *address*, if it names one, and the first part of its path."""
    if address.startswith((b"http:", b"https:", b"//")):
        host, _, path = address.partition(b"//")[2].partition(b"/")
        return b"%b/%b" % (host, _first_part(path))
    # These are no addresses: a place on the page, a script, an inline picture.
    return b"" if address.startswith(b"#") or b":" in address[:12] else _first_part(address, start=1)


def _first_part(path: bytes, start: int = 0) -> bytes:
    end = END_OF_PART.search(path, start)
    return path[: end.start() if end else len(path)][:LONGEST_NAME]


def _traits_of_json(body: bytes) -> Iterator[bytes]:
    """The keys of an object and of those in it, each with its type; of a list, those of its first value."""
    if len(body) > READ_BYTES:
        return
    try:
        for key, value in _first_object(body).items():
            yield _typed(key, value)
            for inner, inner_value in _first_object(bytes(value)).items():
                yield _typed(inner, inner_value, within=key)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # It was cut short, or is no JSON, or in another encoding than JSON's.
        return


def _first_object(value: bytes) -> dict[str, msgspec.Raw]:
    if value.lstrip().startswith(b"["):
        value = next((bytes(one) for one in msgspec.json.decode(value, type=list[msgspec.Raw])), b"")
    if not value.lstrip().startswith(b"{"):
        return {}
    return dict(islice(msgspec.json.decode(value, type=dict[str, msgspec.Raw]).items(), MOST_KEYS))


def _typed(key: str, value: msgspec.Raw, within: str = "") -> bytes:
    kind = JSON_TYPES.get(bytes(value)[:1], "number")
    return f'"{key[:LONGEST_NAME]}":{kind} {within[:LONGEST_NAME]}'.encode("utf-8", "replace")
