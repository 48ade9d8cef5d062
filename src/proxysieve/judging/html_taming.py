"""Tames a page: rewrites it so that any HTML parser builds its elements in a bounded time.

A parser repairs what is wrong, and that can take time with the square or the cube of the page's size. With 60 KB of
``<b><div>`` and ``</b>``, lexbor is busy for six seconds; 400 KB of ``<div>`` take it more than a minute. So the
tags are read here in one pass, which ends what a browser would end, and

- flattens elements deeper than :data:`DEEPEST`, as browsers do from 512 on;
- leaves at most :data:`MOST_FORMATS` tags for links and fonts open at once, because each paragraph reopens them;
- drops what shows no elements: comments, scripts, styles;
- stops after :data:`MOST_TAGS` tags or :data:`MOST_BYTES` of text and tags.

What is written is in step with who parses it, because nothing is written that could be read in two ways (no comment, no
text of a script, no odd quote) and all that is begun is ended.

Taming takes some 4 ms for 80 KB, ten times as long as parsing; three of four real pages need none. A thread would not
help, as selectolax keeps the interpreter's lock. A process that can be killed would make verdicts depend on how busy
the machine is.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection
from typing import NamedTuple

# As much as is searched for signs. With scripts and comments, which are skipped, more is read.
MOST_BYTES, READ_BYTES = 524_288, 4_194_304
# Tags that begin an element; and all tokens, with ends, comments and "<" that begin nothing.
MOST_TAGS, MOST_TOKENS = 10_000, 25_000
# Lighthouse warns of pages that are deeper than 32.
DEEPEST, MOST_FORMATS = 128, 8
# In one tag, where names are compared with each other, and in all tags.
MOST_ATTRIBUTES, MOST_ATTRIBUTES_OF_ALL = 32, 40_000
SHOWN_BYTES = 8_192

# Larger pages are not even counted. For the others, this is the most time that a parser takes. The costs are the worst
# that we found for each kind of work: closing open fonts and links, reopening them, searching open elements, comparing.
COUNTED_BYTES, HARMLESS_NANOSECONDS = 65_536, 30_000_000
MENDING, REOPENING, LOOKING, COMPARING = 1, 330, 2, 3
START = re.compile(rb"<[a-z]", re.IGNORECASE)

# What begins with "<": a comment; an element whose text has no tags, up to its end; a tag; something else up to ">";
# or only "<". What does not end, ends with the page, so that nothing is read twice.
TOKEN = re.compile(
    rb"""
      <!--(?:-?>|(?:[^-]++|-(?!->))*+(?:-->)?+)
    | <(script|style|textarea|title|xmp|iframe|noembed|noframes)(?=[\s>])
      ((?:[^>=/]++|/(?!>)|=\s*+(?:"[^"]*+"|'[^']*+')|=)*+)>
      ((?:[^<]++|<(?!/\1))*+)
    | <(/?)([a-z][^\s/>]*+)((?:[^>=]++|=\s*+(?:"[^"]*+"|'[^']*+')|=)*+)(>|\Z)
    | <[!?/][^>]*+>?+
    | <
    """,
    re.IGNORECASE | re.VERBOSE,
)
# The numbers of the last groups of the second and third alternative.
AN_ELEMENT, A_TAG = 3, 7
ATTRIBUTE = re.compile(rb"""([^\s"'<>/=]++)((?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s"'<>]++))?+)""")

Names = frozenset[bytes]


def _names(text: bytes) -> Names:
    return frozenset(text.split())


VOID = _names(
    b"area base basefont bgsound br col embed frame hr image img input keygen link meta param source track wbr"
)
# A page has one of each, and its end tag means nothing.
ONCE = _names(b"html head body")
SHOWN = _names(b"textarea title")
FORMATS = _names(b"a b big code em font i nobr s small strike strong tt u")
FORMAT = re.compile(rb"<(/?)(?:%b)(?=[\s/>])" % b"|".join(sorted(FORMATS)), re.IGNORECASE)
HEADINGS = _names(b"h1 h2 h3 h4 h5 h6")
ROW_GROUPS = _names(b"tbody thead tfoot")
TABLES = ROW_GROUPS | _names(b"table tr td th caption colgroup")
ENDS_P = HEADINGS | _names(
    b"address article aside blockquote center details dialog dir div dl fieldset figcaption figure footer form header"
    b" hgroup hr li dd dt listing main menu nav ol p plaintext pre search section summary ul xmp"
)
# Elements that an outer element's end tag does not cross, and those that an inline one's does not (HTML, 13.2.4.2).
SCOPES = _names(b"table td th caption object applet marquee template svg math")
SPECIAL = SCOPES | TABLES | ENDS_P | _names(b"button frameset iframe noscript select textarea title")
TABLE_ENDS = _names(b"table template")
P, LI, ROW, OPTION = (frozenset({name}) for name in (b"p", b"li", b"tr", b"option"))
ITEMS, CELLS, OPTION_GROUP = _names(b"dd dt"), _names(b"td th"), _names(b"optgroup")
ITEM_STOPS = SPECIAL - _names(b"address div p")

# The innermost of the first set ends, unless one of the second set lies between.
Ended = tuple[Names, Names]
PARAGRAPH: Ended = (P, SCOPES | {b"button"})
IMPLIED: dict[bytes, tuple[Ended, ...]] = {
    **dict.fromkeys(ENDS_P, (PARAGRAPH,)),
    b"li": ((LI, ITEM_STOPS), PARAGRAPH),
    **dict.fromkeys(ITEMS, ((ITEMS, ITEM_STOPS), PARAGRAPH)),
    **dict.fromkeys(CELLS, ((CELLS, TABLE_ENDS | ROW),)),
    b"tr": ((ROW, TABLE_ENDS),),
    **dict.fromkeys(ROW_GROUPS, ((ROW, TABLE_ENDS), (ROW_GROUPS | {b"caption", b"colgroup"}, TABLE_ENDS))),
    b"option": ((OPTION, SPECIAL | OPTION_GROUP),),
    b"optgroup": ((OPTION_GROUP, SPECIAL), (OPTION, SPECIAL)),
}


class TagKind(NamedTuple):
    """How to read the tags of a name.

    Attributes:
        implied: The open elements that its start tag ends.
        ended: The open elements that its end tag ends.
    """

    implied: tuple[Ended, ...]
    ended: Ended
    is_void: bool = False
    is_format: bool = False
    is_once: bool = False


def _kind_of(name: bytes) -> TagKind:
    stops = TABLE_ENDS if name in TABLES else SCOPES if name in SPECIAL else SPECIAL
    ended = HEADINGS if name in HEADINGS else frozenset({name})
    return TagKind(IMPLIED.get(name, ()), (ended, stops), name in VOID, name in FORMATS, name in ONCE)


KINDS = {name: _kind_of(name) for name in SPECIAL | VOID | FORMATS | ONCE | IMPLIED.keys()}


class Tamed(NamedTuple):
    """A page that parses in a bounded time.

    Attributes:
        tag_count: How many elements it has.
        widest: The most elements that are siblings or nested.
        is_whole: Whether nothing was left out for size.
    """

    markup: bytes
    tag_count: int
    widest: int
    is_whole: bool


def is_harmless(body: bytes) -> bool:
    """Whether a parser needs little time for *body*, however its tags are arranged. Most small pages are harmless."""
    if len(body) > COUNTED_BYTES:
        return False
    starts, formats = len(START.findall(body)), FORMAT.findall(body)
    tags, begun = starts + body.count(b"</"), formats.count(b"")
    # Everything that may separate attributes.
    attributes = len(body.split()) + sum(map(body.count, (b"/", b'"', b"'")))
    mending, reopening = len(formats) ** 2 * starts, begun * tags
    steps = MENDING * mending + REOPENING * reopening + LOOKING * starts * tags + COMPARING * attributes**2
    return steps <= HARMLESS_NANOSECONDS


def tame(body: bytes) -> Tamed:
    """A tamed copy of the page *body*."""
    taming = _Taming()
    is_whole = taming.read(body[:READ_BYTES]) and len(body) <= READ_BYTES
    return Tamed(taming.finish(), taming.tag_count, taming.widest, is_whole)


class _Taming:
    """What was read so far, and what is open now."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.tag_count = 0
        self.widest = 1
        self._open: list[bytes] = []
        # For each open element, and for the page.
        self._child_counts = [0]
        self._counts: defaultdict[bytes, int] = defaultdict(int)
        self._format_count = 0
        self._attribute_count = 0

    def read(self, body: bytes) -> bool:
        """Read the tags of *body*; returns whether all were read."""
        # What lies before the limit is kept. What is skipped moves the limit.
        at, limit = 0, MOST_BYTES
        for number, token in enumerate(TOKEN.finditer(body)):
            start, end = token.span()
            if start >= limit or number >= MOST_TOKENS or self._is_full:
                break
            if start > at:
                self._pieces.append(body[at:start])
            at = end
            if token.lastindex == A_TAG:
                _, _, _, slash, name, inside, is_ended = token.groups()
                if slash:
                    self._end(name.lower())
                elif is_ended:
                    self._start(name.lower(), inside)
            elif token.lastindex == AN_ELEMENT:
                limit += len(token[3])
                name = token[1].lower()
                if self._start(name, token[2]) and name in SHOWN:
                    self._pieces.append(token[3][:SHOWN_BYTES].replace(b"<", b"&lt;"))
            elif end - start == 1:
                self._pieces.append(b"&lt;")
            else:
                limit += end - start
        else:
            self._pieces.append(body[at:limit])
            return len(body) <= limit
        return False

    @property
    def _is_full(self) -> bool:
        return self.tag_count >= MOST_TAGS or self._attribute_count >= MOST_ATTRIBUTES_OF_ALL

    def finish(self) -> bytes:
        """End what is open; returns the result."""
        while self._open:
            self._pop()
        self.widest = max(self.widest, self._child_counts[0])
        return b"".join(self._pieces)

    def _start(self, name: bytes, inside: bytes) -> bool:
        """Read a start tag; returns whether its element is open now."""
        kind = KINDS.get(name) or _kind_of(name)
        counts = self._counts
        if kind.is_once:
            counts[name] += 1
            if counts[name] == 1:
                self._write(name, inside)
            return False
        for ended in kind.implied:
            self._close(*ended)
        self.tag_count += 1
        self._child_counts[-1] += 1
        # There "/>" ends an element, and what is void elsewhere is open. The end of <br> would be read as another <br>.
        is_foreign = (counts[b"svg"] > 0 or counts[b"math"] > 0) and name != b"br"
        self._write(name, inside)
        if kind.is_void and not is_foreign:
            return False
        is_closed = is_foreign and (kind.is_void or inside.endswith(b"/"))
        if is_closed or len(self._open) >= DEEPEST or (kind.is_format and self._format_count >= MOST_FORMATS):
            self._pieces.append(b"</%b>" % name)
            return False
        self._open.append(name)
        self._child_counts.append(0)
        counts[name] += 1
        self._format_count += kind.is_format
        return True

    def _end(self, name: bytes) -> None:
        """Read an end tag. One that ends nothing is dropped, except that of a paragraph, which makes one."""
        if self._open and self._open[-1] == name:
            self._pop()
        elif name == b"p" and not self._counts[name]:
            if self._start(name, b""):
                self._pop()
        elif name not in ONCE:
            self._close(*(KINDS.get(name) or _kind_of(name)).ended)

    def _close(self, names: Collection[bytes], stops: Names) -> None:
        """End the innermost element of *names* and all in it, unless one of *stops* lies between."""
        counts = self._counts
        for name in names:
            if counts[name]:
                break
        else:
            return
        for place in range(len(self._open) - 1, -1, -1):
            if self._open[place] in names:
                while len(self._open) > place:
                    self._pop()
                return
            if self._open[place] in stops:
                return

    def _pop(self) -> None:
        name = self._open.pop()
        self.widest = max(self.widest, self._child_counts.pop(), len(self._open) + 1)
        self._counts[name] -= 1
        self._format_count -= name in FORMATS
        self._pieces.append(b"</%b>" % name)

    def _write(self, name: bytes, inside: bytes) -> None:
        """Write a tag with a limited number of attributes, so that it can be read in one way only."""
        if not inside:
            self._pieces.append(b"<%b>" % name)
            return
        pairs = ATTRIBUTE.findall(inside)[:MOST_ATTRIBUTES]
        self._attribute_count += len(pairs)
        attributes = b" ".join([b"%b%b" % pair for pair in pairs])
        self._pieces.append(b"<%b %b>" % (name, attributes))
