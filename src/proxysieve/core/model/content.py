"""A body as the judge reads it: what can be searched, its title, and what a person would see of it.

Everything here takes time in proportion to the body at most, whatever the body is: no regular expressions that could
go back, and a limit on how much is looked at.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import cached_property
from itertools import takewhile

# Block pages may be large (one of 447 KB is known), but their signs stand in the first part.
SEARCHED_BYTES = 524_288
# Akamai writes its reference number with HTML entities; such pages are small.
UNESCAPED_BYTES = 4_096
# A title stands near the top, and a longer one is none.
TITLE_WITHIN, TITLE_LENGTH = 65_536, 300
# What is found of the visible text of a page; of more, it is only known that it is long.
SEEN_LENGTH = 4_000
# What a character takes at most, as an entity.
ENTITY_LENGTH = 8
# Tags that are looked at on the way there, so that a page of nothing else takes no time; and of each its attributes.
TAGS_SEEN, ATTRIBUTES_LENGTH = 10_000, 8_192
# What a browser does not show, or not to somebody whose scripts run.
HIDDEN = ("script", "style", "noscript", "template", "svg", "title")
# A page with a captcha alone says that much, and is made of so few links and pictures.
FRAME_LENGTH, MOST_OTHERS = 150, 8
FRAMES = frozenset({"iframe", "frame"})
FEW_TAGS = frozenset({"a", "img", "li", "h2", "h3", "button"})
# The content that people come for: to fill in, to read, to watch.
CONTENT_TAGS = frozenset({"input", "select", "textarea", "article", "video", "audio", "canvas", "nav", "object"})
FIELDS = frozenset({"input", "select", "textarea"})
# Of 58 block pages of 20 makers none has more than 6 links.
MOST_LINKS = 10
NO_FIELD = re.compile(r"""\stype\s*+=\s*+["']?(?:hidden|submit|button|image|reset|checkbox)""")
# What is filled in for a captcha.
ANSWER = re.compile(r"captcha|code|answer|response|verif|robot|human|challenge")
# Captchas that work behind the page, and what they keep there.
HIDES = re.compile(
    r"""display\s*+:\s*+none|visibility\s*+:\s*+hidden|size=invisible|checkbox-invisible|frame=challenge"""
    r"""|\s(?:width|height)\s*+=\s*+["']?[01](?:px)?["'\s]|\shidden(?=[\s=]|$)|g-recaptcha-response|h-captcha-response"""
)
SOURCE = re.compile(r"""\ssrc\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++))""")
TAG_NAME = re.compile(r"<([a-z][a-z0-9:-]*+)")
BYTE_ORDER_MARKS = (
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
# What pages are written in. Python knows other encodings, some of which take ages to decode, and no browser reads; and
# it remembers each name that it does not know.
FOREIGN = re.compile(
    r"utf-16(?:-?[lb]e)?|(?:windows-|cp)125[0-8]|gbk|gb_?2312|gb18030|big5(?:-?hkscs)?|shift[-_]jis|euc-(?:jp|kr)"
    r"|koi8-[ru]|tis-620|iso-8859-\d\d?"
)
# A character reference to a number: longer ones than this many digits are no character, and Python converts no more
# than 4,300 of them (sys.set_int_max_str_digits).
OF_PASSWORDS = re.compile(r"\btype\s{0,9}=\s{0,9}[\"']?password\b")
NUMBER = re.compile(r"&#(\d{8,}+)", re.ASCII)
NO_CHARACTER = "&#xfffd"
MARKUP = (b"<!doctype", b"<html", b"<head", b"<body", b"<script", b"<meta", b"<title", b"<?xml")


class Content:
    """What can be said of a body.

    Args:
        body: Decoded of transfer and content encodings.
        content_type: The header.

    Attributes:
        size: Of all of it, in bytes.
        content_type: In lower case.
        searched: The part in which signs are looked for, as UTF-8.
    """

    def __init__(self, body: bytes, content_type: str = "") -> None:
        self.size = len(body)
        self.content_type = content_type.lower()
        self.searched = _as_utf8(body[:SEARCHED_BYTES], _charset_of(self.content_type))

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

    def shows_only(self, wanted: tuple[str, ...]) -> bool:
        """Whether a person sees nothing of it but frames, all of them from addresses that begin like *wanted* ones."""
        return bool(self._frames) and all(_is_from(wanted, address) for address in self._frames)

    @cached_property
    def leads_on(self) -> bool:
        """Whether it has more links than block pages have: a menu, a list of other pages."""
        return sum(name == "a" for name, _ in self._shown_tags) > MOST_LINKS

    @cached_property
    def has_form(self) -> bool:
        """Whether there is something to fill in beside a captcha, which then keeps robots from sending it."""
        return any(
            name in FIELDS and not (HIDES.search(inside) or NO_FIELD.search(inside) or ANSWER.search(inside))
            for name, inside in self._shown_tags
        )

    @property
    def asks_for_password(self) -> bool:
        """Whether there is a field for one."""
        return any(name == "input" and OF_PASSWORDS.search(inside) for name, inside in self._shown_tags)

    @cached_property
    def _shown_tags(self) -> tuple[tuple[str, str], ...]:
        return tuple(shown_tags(self._text))

    @cached_property
    def _frames(self) -> tuple[str, ...]:
        """The addresses, as ``host/path``, of the frames that are all that it shows; none if it shows more."""
        if len(self.visible) > FRAME_LENGTH:
            return ()
        frames, others = [], 0
        for name, attributes in self._shown_tags:
            is_hidden = HIDES.search(attributes) is not None
            if name in FRAMES and not is_hidden and (source := SOURCE.search(attributes)):
                frames.append(html.unescape(source[1] or source[2] or source[3] or "").partition("//")[2])
            elif name in CONTENT_TAGS and not is_hidden and not (name == "input" and NO_FIELD.search(attributes)):
                return ()
            others += name in FEW_TAGS
        return tuple(frames) if others <= MOST_OTHERS else ()

    @cached_property
    def _text(self) -> str:
        return self.searched.decode("utf-8", "replace")


def unescape(text: str) -> str:
    """*text* with its character references resolved, numbers of any length included."""
    return html.unescape(NUMBER.sub(_shortened, text) if "&#" in text else text)


def _shortened(reference: re.Match[str]) -> str:
    digits = reference[1].lstrip("0")
    return f"&#{digits or 0}" if len(digits) < ENTITY_LENGTH else NO_CHARACTER


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


def shown_tags(markup: str) -> Iterator[tuple[str, str]]:
    """The tags of *markup* that begin something which a browser may show: names, and what else stands in them."""
    lowered, at = _lower(markup), 0
    for _ in range(TAGS_SEEN):
        start = lowered.find("<", at)
        if start < 0:
            return
        at = _end_of_tag(lowered, start)
        name = TAG_NAME.match(lowered, start)
        if name and name[1] not in HIDDEN:
            yield name[1], lowered[name.end() : min(at, name.end() + ATTRIBUTES_LENGTH)]


def _is_from(wanted: tuple[str, ...], address: str) -> bool:
    host, _, path = address.partition("/")
    host, path = host.partition("?")[0].partition(":")[0], path.lower()
    for one in wanted:
        wanted_host, _, wanted_path = one.partition("/")
        is_host = host.endswith(wanted_host[1:]) if wanted_host.startswith("*.") else host == wanted_host
        if is_host and path.startswith(wanted_path):
            return True
    return False


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
    encoding = next((name for sign, name in BYTE_ORDER_MARKS if body.startswith(sign)), "")
    if not encoding and body.isascii() and b"\0" not in body[:64]:
        return body
    encoding = encoding or charset or _charset_in(body[:1024])
    if not FOREIGN.fullmatch(encoding):
        return body
    try:
        # What is no text in that encoding becomes three times as long.
        return body.decode(encoding, "replace").encode("utf-8", "replace")[:SEARCHED_BYTES]
    except (LookupError, ValueError):
        return body


def _charset_of(content_type: str) -> str:
    _, _, charset = content_type.partition("charset=")
    return charset.partition(";")[0].strip(" \"'")


def _charset_in(head: bytes) -> str:
    """What a page says of its own encoding, in its first tags."""
    _, _, rest = head.lower().partition(b"charset=")
    name = rest[:20].lstrip(b"\"' ").decode("latin-1")
    return "".join(takewhile(_is_of_a_name, name))


def _is_of_a_name(character: str) -> bool:
    return character.isalnum() or character in "-_"
