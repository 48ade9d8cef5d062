"""Tames a page: writes it so that any parser of HTML puts up its elements in a bounded time.

A parser must put right what is wrong, and some of that takes the square or the cube of the page's size: with 60 KB of
``<b><div>`` and ``</b>``, lexbor is busy for six seconds, and 400 KB of ``<div>`` take it more than a minute. So the
tags are read here in one pass, which ends what a browser would end, and

- flattens what stands deeper than :data:`DEEPEST` elements, as browsers do from 512 on;
- leaves no more than :data:`MOST_FORMATS` tags for links and fonts open at once, as each paragraph opens them anew;
- leaves out what shows no elements: comments, scripts, styles;
- stops after :data:`MOST_TAGS` tags or :data:`MOST_BYTES` of text and tags.

What is written is in step with who parses it, because nothing is written that could be read in two ways (no comment, no
text of a script, no odd quote) and all that is begun is ended.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection
from typing import NamedTuple

# As much as is searched for signs; with scripts and comments, which are only passed by, it is more.
MOST_BYTES, READ_BYTES = 524_288, 4_194_304
# Those that begin something; and with ends, comments and letters that begin nothing.
MOST_TAGS, MOST_TOKENS = 10_000, 25_000
# Lighthouse warns of pages that are deeper than 32.
DEEPEST, MOST_FORMATS = 128, 8
# Of a tag, as they are compared with each other, and of all.
MOST_ATTRIBUTES, MOST_ATTRIBUTES_OF_ALL = 32, 40_000
SHOWN_BYTES = 8_192

# Larger pages are not even counted. Of the others, a parser takes so long at most, by the worst that was found for each
# kind of work: to mend what fonts and links leave open, to open them anew, to look for what is open, to compare names.
COUNTED_BYTES, HARMLESS_NANOSECONDS = 65_536, 30_000_000
MENDING, REOPENING, LOOKING, COMPARING = 1, 330, 2, 3
START = re.compile(rb"<[a-z]", re.IGNORECASE)

# What begins with "<": a comment; an element up to its end in which nothing is a tag; a tag; something else up to ">";
# or no more than that letter. Whatever is not ended ends with the page, so that nothing is looked at twice.
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
# The numbers of the last groups of the second and third.
AN_ELEMENT, A_TAG = 3, 7
ATTRIBUTE = re.compile(rb"""([^\s"'<>/=]++)((?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s"'<>]++))?+)""")

Names = frozenset[bytes]


def _names(text: bytes) -> Names:
    return frozenset(text.split())


VOID = _names(
    b"area base basefont bgsound br col embed frame hr image img input keygen link meta param source track wbr"
)
# There is one of each, whose end says nothing.
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
# Into what the end of something around it does not reach, and into what that of an inline element (HTML, 13.2.4.2).
SCOPES = _names(b"table td th caption object applet marquee template svg math")
SPECIAL = SCOPES | TABLES | ENDS_P | _names(b"button frameset iframe noscript select textarea title")
TABLE_ENDS = _names(b"table template")
P, LI, ROW, OPTION = (frozenset({name}) for name in (b"p", b"li", b"tr", b"option"))
ITEMS, CELLS, OPTION_GROUP = _names(b"dd dt"), _names(b"td th"), _names(b"optgroup")
ITEM_STOPS = SPECIAL - _names(b"address div p")

# The innermost of these is ended, unless one of those lies between.
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


class Kind(NamedTuple):
    """How tags of a name are read.

    Attributes:
        implied: What its beginning ends that is still open.
        ended: What its end ends.
    """

    implied: tuple[Ended, ...]
    ended: Ended
    is_void: bool = False
    is_format: bool = False
    is_once: bool = False


def _kind_of(name: bytes) -> Kind:
    stops = TABLE_ENDS if name in TABLES else SCOPES if name in SPECIAL else SPECIAL
    ended = HEADINGS if name in HEADINGS else frozenset({name})
    return Kind(IMPLIED.get(name, ()), (ended, stops), name in VOID, name in FORMATS, name in ONCE)


KINDS = {name: _kind_of(name) for name in SPECIAL | VOID | FORMATS | ONCE | IMPLIED.keys()}


class Tamed(NamedTuple):
    """A page that is parsed in a bounded time.

    Attributes:
        tag_count: How many elements it has.
        widest: How many of them are siblings at most, or within each other.
        is_whole: Whether nothing was left out because the page is too large.
    """

    markup: bytes
    tag_count: int
    widest: int
    is_whole: bool


def is_harmless(body: bytes) -> bool:
    """Whether a parser takes no time for *body*, however its tags are put together: most small pages are."""
    if len(body) > COUNTED_BYTES:
        return False
    starts, formats = len(START.findall(body)), FORMAT.findall(body)
    tags, begun = starts + body.count(b"</"), formats.count(b"")
    # All that may stand between attributes, wherever it stands.
    attributes = len(body.split()) + sum(map(body.count, (b"/", b'"', b"'")))
    mending, reopening = len(formats) ** 2 * starts, begun * tags
    steps = MENDING * mending + REOPENING * reopening + LOOKING * starts * tags + COMPARING * attributes**2
    return steps <= HARMLESS_NANOSECONDS


def tame(body: bytes) -> Tamed:
    """The page *body*, tamed."""
    taming = _Taming()
    is_whole = taming.read(body[:READ_BYTES]) and len(body) <= READ_BYTES
    return Tamed(taming.finish(), taming.tag_count, taming.widest, is_whole)


class _Taming:
    """What was read so far, and what is open by now."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.tag_count = 0
        self.widest = 1
        self._open: list[bytes] = []
        # Of each that is open, and of the page.
        self._child_counts = [0]
        self._counts: defaultdict[bytes, int] = defaultdict(int)
        self._format_count = 0
        self._attribute_count = 0

    def read(self, body: bytes) -> bool:
        """Read the tags of *body*; whether they were all of them."""
        # All that lies before the limit, and what is only passed by.
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
        """End what is open; all that was written."""
        while self._open:
            self._pop()
        self.widest = max(self.widest, self._child_counts[0])
        return b"".join(self._pieces)

    def _start(self, name: bytes, inside: bytes) -> bool:
        """Read a tag that begins something; whether that is open now."""
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
        """Read the tag of an end; one that ends nothing is left out, but for that of a paragraph, which makes one."""
        if self._open and self._open[-1] == name:
            self._pop()
        elif name == b"p" and not self._counts[name]:
            if self._start(name, b""):
                self._pop()
        elif name not in ONCE:
            self._close(*(KINDS.get(name) or _kind_of(name)).ended)

    def _close(self, names: Collection[bytes], stops: Names) -> None:
        """End the innermost element of *names* with all that is in it, if none of *stops* lies between."""
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
        """Write a tag so that it can be read in one way, with so many attributes at most."""
        if not inside:
            self._pieces.append(b"<%b>" % name)
            return
        pairs = ATTRIBUTE.findall(inside)[:MOST_ATTRIBUTES]
        self._attribute_count += len(pairs)
        attributes = b" ".join([b"%b%b" % pair for pair in pairs])
        self._pieces.append(b"<%b %b>" % (name, attributes))
