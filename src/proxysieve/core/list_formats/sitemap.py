"""Reads the addresses in the text of a sitemap. Feeds (RSS, Atom) may be sitemaps, too.

The form is that of https://www.sitemaps.org/protocol.html. The parser is expat. A document type is refused, since
entities turn a few lines into gigabytes, or bring other files into a document. Sitemaps have none.
"""

from __future__ import annotations

from typing import NamedTuple
from xml.parsers import expat

from proxysieve.errors import ConfigError

# The paths of elements, from the root, that name pages.
PAGES = {
    ("urlset", "url", "loc"),
    ("rss", "channel", "item", "link"),
}
SITEMAPS = ("sitemapindex", "sitemap", "loc")
ATOM = ("feed", "entry", "link")
ROOTS = frozenset({"urlset", "sitemapindex", "rss", "feed"})
EXPECTED = "expected <urlset> with <url><loc>… in it"
# The deepest elements of sitemaps are images, and far above this.
MOST_LEVELS = 100
LONGEST_TEXT = 100_000


class Sitemap(NamedTuple):
    """The contents of a sitemap.

    Attributes:
        pages: The addresses as written, each with its line.
        sitemaps: The addresses of other sitemaps, if it is an index.
        fault: Where and why the reading stopped; empty if it did not.
    """

    pages: list[tuple[int, str]]
    sitemaps: list[str]
    fault: str = ""


def read_sitemap(text: str) -> Sitemap:
    """The pages in a sitemap. If it breaks off, the pages before its end.

    Raises:
        ConfigError: It is XML but no sitemap.
    """
    reading = SitemapParser()
    # An XML declaration is valid only at the very beginning.
    document = text.lstrip()
    skipped = text.count("\n", 0, len(text) - len(document))
    # The text is decoded already, whatever encoding it declares.
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
        raise ConfigError(f"it is XML but no sitemap: {EXPECTED}")
    return Sitemap(reading.pages, reading.sitemaps, fault)


class SitemapParser:
    """Handles what expat reports."""

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
            raise ConfigError(f"its XML is nested deeper than in a sitemap: {EXPECTED}")
        if self._path in PAGES or self._path == SITEMAPS:
            self._is_mixed = True
        # Images and videos of a page have a loc, too, with a prefix of their own.
        self._path = (*self._path, name.removeprefix(self._prefix))
        self._text, self._length = [], 0
        if self._path == ATOM and attributes.get("rel", "alternate") == "alternate":
            self.pages.append((line, attributes.get("href", "")))

    def take(self, text: str) -> None:
        self._length += len(text)
        if self._length <= LONGEST_TEXT:
            self._text.append(text)

    def end(self, line: int) -> None:
        # An address with an element inside is not valid.
        text = "" if self._is_mixed else "".join(self._text)
        if self._path in PAGES:
            self.pages.append((line, text))
            self._is_mixed = False
        elif self._path == SITEMAPS:
            self.sitemaps.append(text)
            self._is_mixed = False
        self._path = self._path[:-1]
        self._text = []
