"""A body as the judge reads it: what can be searched, its title, and what a person would see of it.

Everything here takes time in proportion to the body at most, whatever the body is: no regular expressions that could
go back, and a limit on how much is looked at.
"""

from __future__ import annotations

from functools import cached_property
from html import unescape
from itertools import takewhile

# Block pages may be large (one of 447 KB is known), but their marks stand in the first part.
SEARCHED_BYTES = 524_288
# Akamai writes its reference number with HTML entities; such pages are small.
UNESCAPED_BYTES = 4_096
# A title stands near the top, and a longer one is none.
TITLE_WITHIN, TITLE_LENGTH = 65_536, 300
# What is found of the visible text of a page; of more, it is only known that it is long.
SEEN_LENGTH = 4_000
# What a character takes at most, as an entity.
ENTITY_LENGTH = 8
# Tags that are looked at on the way there, so that a page of nothing else takes no time.
TAGS_SEEN = 10_000
# What a browser does not show, or not to somebody whose scripts run.
HIDDEN = ("script", "style", "noscript", "template", "svg", "title")
BYTE_ORDER_MARKS = (
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
# What pages are written in. Python knows other encodings, some of which take ages to decode, and no browser reads.
FOREIGN = ("utf-16", "windows-125", "cp125", "gb", "big5", "shift", "euc-", "koi8-", "tis-620", "iso-8859-")
MARKUP = (b"<!doctype", b"<html", b"<head", b"<body", b"<script", b"<meta", b"<title", b"<?xml")


class Content:
    """What can be said of a body.

    Args:
        body: Decoded of transfer and content encodings.
        content_type: The header.

    Attributes:
        size: Of all of it, in bytes.
        searched: The part that marks are looked for in, as UTF-8.
    """

    def __init__(self, body: bytes, content_type: str = "") -> None:
        self.size = len(body)
        self.searched = _as_utf8(body[:SEARCHED_BYTES], _charset_of(content_type))

    @property
    def unescaped(self) -> bytes:
        """The same without HTML entities where it is small and has some that stand for letters; else nothing."""
        if self.size > UNESCAPED_BYTES or b"&#" not in self.searched:
            return b""
        return unescape(self.searched.decode("latin-1")).encode("utf-8", "replace")

    @cached_property
    def is_markup(self) -> bool:
        """Whether it is HTML, by its beginning."""
        start = self.searched[:1024].lower()
        return any(tag in start for tag in MARKUP)

    @cached_property
    def title(self) -> str:
        """The title in lower case, its entities and spaces resolved; empty if there is none."""
        head = self._text[:TITLE_WITHIN]
        lowered = _lower(head)
        start = lowered.find("<title")
        opened = head.find(">", start, start + TITLE_LENGTH) if start >= 0 else -1
        if opened < 0:
            return ""
        closed = lowered.find("</title", opened, opened + TITLE_LENGTH)
        return " ".join(unescape(head[opened + 1 : closed]).split()).casefold() if closed >= 0 else ""

    @cached_property
    def visible(self) -> str:
        """What a person would see of it, without its title: up to some thousand characters, in lower case."""
        text = visible_text(self._text) if self.is_markup else self._text[:SEEN_LENGTH]
        return " ".join(text.split()).casefold()

    @cached_property
    def _text(self) -> str:
        return self.searched.decode("utf-8", "replace")


def visible_text(markup: str) -> str:
    """The text between the tags of *markup*, up to some thousand characters; a space where a tag was."""
    lowered, pieces, seen, at = _lower(markup), [], 0, 0
    for _ in range(TAGS_SEEN):
        start = markup.find("<", at)
        piece = markup[at : start if start >= 0 else len(markup)].strip()
        if piece:
            pieces.append(unescape(piece[: SEEN_LENGTH * ENTITY_LENGTH]))
            # Entities may stand for nothing, and take time all the same.
            seen += max(len(pieces[-1]), len(piece) // ENTITY_LENGTH) + 1
        if start < 0 or seen >= SEEN_LENGTH:
            break
        at = _end_of_tag(lowered, start)
    else:
        # So many tags are no small page, whatever they show.
        pieces.append(" " + "-" * SEEN_LENGTH)
    return " ".join(pieces)[:SEEN_LENGTH]


def _end_of_tag(lowered: str, start: int) -> int:
    """Where what begins at *start* ends: a tag, a comment, or an element that is not shown."""
    if lowered.startswith("<!--", start):
        end = lowered.find("-->", start + 4)
        return end + 3 if end >= 0 else len(lowered)
    end = lowered.find(">", start)
    if end < 0:
        return len(lowered)
    if not lowered.startswith(HIDDEN, start + 1):
        return end + 1
    hidden = next(name for name in HIDDEN if lowered.startswith(name, start + 1))
    is_whole = not lowered[start + 1 + len(hidden) : start + 2 + len(hidden)].isalnum()
    if not is_whole or lowered[end - 1] == "/":
        return end + 1
    closed = lowered.find(f"</{hidden}", end)
    if closed < 0:
        return len(lowered)
    end = lowered.find(">", closed)
    return end + 1 if end >= 0 else len(lowered)


def _lower(text: str) -> str:
    """*text* in lower case, every character in its place: the capital dotted I alone becomes two by itself."""
    return text.replace("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", "i").lower()


def _as_utf8(body: bytes, charset: str) -> bytes:
    """*body* as UTF-8, if it is in an encoding whose texts would not be found otherwise."""
    encoding = next((name for mark, name in BYTE_ORDER_MARKS if body.startswith(mark)), "")
    if not encoding and body.isascii() and b"\0" not in body[:64]:
        return body
    encoding = encoding or charset or _charset_in(body[:1024])
    if not encoding.startswith(FOREIGN):
        return body
    try:
        # What is no text in that encoding becomes three times as long.
        return body.decode(encoding, "replace").encode("utf-8", "replace")[:SEARCHED_BYTES]
    except (LookupError, ValueError):
        return body


def _charset_of(content_type: str) -> str:
    _, _, charset = content_type.lower().partition("charset=")
    return charset.partition(";")[0].strip(" \"'")


def _charset_in(head: bytes) -> str:
    """What a page says of its own encoding, in its first tags."""
    _, _, rest = head.lower().partition(b"charset=")
    name = rest[:20].lstrip(b"\"' ").decode("latin-1")
    return "".join(takewhile(_is_of_a_name, name))


def _is_of_a_name(character: str) -> bool:
    return character.isalnum() or character in "-_"
