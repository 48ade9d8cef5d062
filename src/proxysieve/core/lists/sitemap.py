"""A sitemap's text into the addresses that it names; feeds (RSS, Atom) may be sitemaps, too.

The form is that of https://www.sitemaps.org/protocol.html. The parser is expat. A document type is refused: by
entities of its own a few lines become gigabytes, and other files get into a document; sitemaps have none.
"""

from __future__ import annotations

from typing import NamedTuple
from xml.parsers import expat

from proxysieve.errors import ConfigError

# Where pages stand, from the root down.
PAGES = {
    ("urlset", "url", "loc"),
    ("rss", "channel", "item", "link"),
}
SITEMAPS = ("sitemapindex", "sitemap", "loc")
ATOM = ("feed", "entry", "link")
ROOTS = frozenset({"urlset", "sitemapindex", "rss", "feed"})
EXPECTED = "expected <urlset> with <url><loc>… in it"
# No sitemap nests deeper than images in it do.
MOST_LEVELS = 100
LONGEST_TEXT = 100_000


class Sitemap(NamedTuple):
    """What a sitemap names.

    Attributes:
        pages: Addresses as they stand there, each with its line.
        sitemaps: Those of other sitemaps, where it is an index.
        fault: Where it stops being a sitemap, and why; empty if it does not.
    """

    pages: list[tuple[int, str]]
    sitemaps: list[str]
    fault: str = ""


def read_sitemap(text: str) -> Sitemap:
    """The pages that a sitemap names. One that breaks off has those before its end.

    Raises:
        ConfigError: It is XML and no sitemap.
    """
    reading = SitemapParser()
    # An XML declaration stands at the very beginning, or is none.
    document = text.lstrip()
    skipped = text.count("\n", 0, len(text) - len(document))
    # Whatever encoding it declares is undone already.
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reading.refuse
    parser.StartElementHandler = lambda name, attributes: reading.start(
        name, attributes, skipped + parser.CurrentLineNumber
    )
    parser.EndElementHandler = lambda _: reading.end(skipped + parser.CurrentLineNumber)
    parser.CharacterDataHandler = reading.take
    fault = ""
    try:
        parser.Parse(document.encode("utf-8", "replace"), True)  # noqa: FBT003 - expat's
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        fault = f"line {skipped + error.lineno}: the XML breaks off or is damaged here ({reason})"
    if reading.root not in ROOTS:
        raise ConfigError(f"it is XML and no sitemap: {EXPECTED}")
    return Sitemap(reading.pages, reading.sitemaps, fault)


class SitemapParser:
    """What expat says, as it goes."""

    def __init__(self) -> None:
        self.root = ""
        self.pages: list[tuple[int, str]] = []
        self.sitemaps: list[str] = []
        self._prefix = ""
        self._path: tuple[str, ...] = ()
        self._text: list[str] = []
        self._length = 0
        self._is_mixed = False

    def refuse(self, *_: object) -> None:
        raise ConfigError("it is XML with a document type, which no sitemap has: give one without <!DOCTYPE>")

    def start(self, name: str, attributes: dict[str, str], line: int) -> None:
        if not self._path:
            self._prefix, colon, self.root = name.rpartition(":")
            self._prefix += colon
        if len(self._path) >= MOST_LEVELS:
            raise ConfigError(f"it is XML that nests deeper than a sitemap does: {EXPECTED}")
        if self._path in PAGES or self._path == SITEMAPS:
            self._is_mixed = True
        # Images and videos of a page have a loc as well, under a prefix of their own.
        self._path = (*self._path, name.removeprefix(self._prefix))
        self._text, self._length = [], 0
        if self._path == ATOM and attributes.get("rel", "alternate") == "alternate":
            self.pages.append((line, attributes.get("href", "")))

    def take(self, text: str) -> None:
        self._length += len(text)
        if self._length <= LONGEST_TEXT:
            self._text.append(text)

    def end(self, line: int) -> None:
        # An address with an element in its midst is none.
        text = "" if self._is_mixed else "".join(self._text)
        if self._path in PAGES:
            self.pages.append((line, text))
            self._is_mixed = False
        elif self._path == SITEMAPS:
            self.sitemaps.append(text)
            self._is_mixed = False
        self._path = self._path[:-1]
        self._text = []
