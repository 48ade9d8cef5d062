"""Reads the URLs of a job from lists, one on each line, or sitemaps.

A line that is not clearly a URL is reported with its number. Text after a blank, or invisible letters, would be sent as
part of the path, and an error page of the site would count as the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

import msgspec

from proxysieve.core.list_formats.problems import Problems
from proxysieve.core.list_formats.sitemap import read_sitemap
from proxysieve.core.list_formats.text import kind_of, lines_of, unseen
from proxysieve.core.urls.parsing import LONGEST_URL
from proxysieve.errors import ConfigError
from proxysieve.site_of import site_of
from proxysieve.text_file import name_of, read_text

EXPECTED = "expected one URL on each line, and comments only after a blank and #"
BLANKS = " \t\r\n"
COMMENT = re.compile(r"[ \t]#")
# Most lines look like this. They are read at once, with the same result as piece by piece.
USUAL = re.compile(
    r"https?://(?:(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,8}[a-z]{2,63}|(?:[1-9][0-9]?\.){3}[1-9][0-9]?)"
    r"(?::[1-9][0-9]{0,3})?(?:/[!$%&'()*+./:=?@\[\]_~0-9A-Za-z#-]*)?"
)
LOGIN = re.compile(r"https?://([^/\\?#]*)@", re.IGNORECASE)
LIKE_A_PROXY = re.compile(r"https?://[^/\\?#]*@[^/\\?#@]*:[0-9]+/?", re.IGNORECASE)
CONTROLS = re.compile(rb"[\x00-\x1f\x7f]")
# These are never in a written URL, but around it.
NEVER = {'"': "a quotation mark", "<": "a <", ">": "a >"}
ANOTHER = re.compile(r"[^?#]*?[,;|]https?://", re.IGNORECASE)
BEGINNING = re.compile("https?://", re.IGNORECASE)
COMMAS = (",", ";")
# Names of a table's column with URLs.
COLUMNS = frozenset({"url", "urls", "link", "links", "loc", "address", "page", "href", "website"})
DELIMITERS = ",;\t|"
TABLE = re.compile(rf"[{DELIMITERS}]")
SITEMAPS_SHOWN = 3


class UrlList(msgspec.Struct, frozen=True, kw_only=True):
    """What a job has to fetch.

    Attributes:
        urls: Each once, in their order.
        duplicate_count: How many lines repeated one of them.
        problems: What is wrong with the lines that are no URLs.
    """

    urls: list[str]
    duplicate_count: int
    problems: list[str]


def read_urls(lines: Iterable[str], origin: str) -> UrlList:
    """The URLs in a list.

    Args:
        lines: One URL each; blank lines and comments (``#``) are skipped.
        origin: Where the lines come from, for messages.

    Raises:
        ConfigError: There is no URL.
    """
    reader = Reader()
    reader.read(lines, origin)
    return reader.url_list()


def read_url_files(files: Iterable[str]) -> UrlList:
    """The URLs in the lists and sitemaps *files*, or in the standard input (``-``).

    An empty file is no problem if another has URLs.

    Raises:
        ConfigError: There is no URL, or a file cannot be read.
    """
    reader = Reader()
    for file in files:
        reader.read_text(read_text(file, "URLs"), name_of(file))
    return reader.url_list()


def check_url(text: str) -> None:
    """Refuse what is not clearly a URL, or cannot be sent.

    Raises:
        ConfigError: The message says why; it repeats nothing that may be a password.
    """
    if len(text) > LONGEST_URL:
        raise ConfigError(f"not a URL: it is longer than {LONGEST_URL:,} characters")
    if USUAL.fullmatch(text):
        return
    if not BEGINNING.match(text):
        site_of(text)
    if " " in text or "\t" in text:
        raise _refused("something follows it after a blank")
    letter = unseen(text)
    if letter:
        raise _refused(f"it has an invisible letter ({letter})", "remove it, or write it percent-encoded")
    site_of(text)
    found = next((NEVER[letter] for letter in NEVER if letter in text), "")
    if found:
        raise _refused(f"it has {found}", "expected one URL on each line; within one, write it percent-encoded")
    if ANOTHER.match(text, len("https://")):
        raise _refused("another URL follows it")
    login = LOGIN.match(text)
    if login and (CONTROLS.search(unquote_to_bytes(login[1])) or "@" in login[1]):
        raise _refused("its user or password cannot be sent", "write an @ as %40, and no control characters")


class Reader:
    """Collects the URLs of several lists."""

    def __init__(self) -> None:
        self._urls: dict[str, None] = {}
        self._problems: list[Problems] = []
        self._faults: list[str] = []
        self._count = 0
        self._origins: list[str] = []

    def read_text(self, text: str, origin: str) -> None:
        """Add the URLs in a file's text.

        Raises:
            ConfigError: It is neither a list nor a sitemap.
        """
        kind = kind_of(text)
        if kind == "XML":
            self._read_sitemap(text, origin)
        elif kind:
            raise ConfigError(f"the URLs in {origin} cannot be read: this is {kind}: {EXPECTED}")
        else:
            self.read(lines_of(text), origin)

    def read(self, lines: Iterable[str], origin: str) -> None:
        """Add *lines*.

        Raises:
            ConfigError: They are a table.
        """
        problems = self._begin(origin)
        count = comma_count = 0
        is_last_without, head = False, ""
        for number, line in enumerate(lines, start=1):
            text = _without_comment(line)
            if not text:
                continue
            if _is_heading(text) if not count else count == 1 and _is_row(text, head):
                raise ConfigError(f"the URLs in {origin} cannot be read: this is a table: {EXPECTED}")
            head = head or text
            self._take(text, number, problems)
            count += 1
            is_last_without = not text.endswith(COMMAS)
            comma_count += not is_last_without
        # One comma may belong to a URL. Commas at the end of each line separate the items of something else.
        if count > 1 and comma_count >= count - is_last_without:
            raise ConfigError(f"the URLs in {origin} cannot be read: every line ends with a comma: {EXPECTED}")

    def _begin(self, origin: str) -> Problems:
        self._origins.append(origin)
        self._problems.append(Problems(origin))
        return self._problems[-1]

    def _take(self, text: str, number: int, problems: Problems) -> None:
        try:
            check_url(text)
        except ConfigError as error:
            problems.add(number, str(error))
            return
        self._count += 1
        self._urls[text] = None

    def _read_sitemap(self, text: str, origin: str) -> None:
        problems = self._begin(origin)
        try:
            sitemap = read_sitemap(text)
        except ConfigError as error:
            raise ConfigError(f"the URLs in {origin} cannot be read: {error}") from None
        for line, url in sitemap.pages:
            self._take(url.strip(BLANKS), line, problems)
        if sitemap.fault:
            self._faults.append(f"{origin}, {sitemap.fault}: what follows is left out")
        if sitemap.sitemaps:
            self._faults.append(_is_index(origin, sitemap.sitemaps))

    def url_list(self) -> UrlList:
        """All URLs that were added.

        Raises:
            ConfigError: There is none, or all of them are proxies.
        """
        problems = [*(told for one in self._problems for told in one.told()), *self._faults]
        if problems and not self._urls:
            raise ConfigError(problems[0])
        if self._urls and all(map(LIKE_A_PROXY.fullmatch, self._urls)):
            raise ConfigError(f"{' and '.join(self._origins)} has proxies and no pages: are the two lists swapped?")
        if not self._urls:
            raise ConfigError(f"{' and '.join(self._origins)} has no URLs: expected one on each line")
        return UrlList(urls=list(self._urls), duplicate_count=self._count - len(self._urls), problems=problems)


def _without_comment(line: str) -> str:
    text = line.strip(BLANKS)
    if text.startswith("#"):
        return ""
    comment = COMMENT.search(text) if "#" in text else None
    return text[: comment.start()].rstrip(BLANKS) if comment else text


def _is_heading(text: str) -> bool:
    columns = [column.strip(" \"'").lower() for column in TABLE.split(text)]
    return len(columns) > 1 and "://" not in text and not COLUMNS.isdisjoint(columns)


def _is_row(text: str, head: str) -> bool:
    """Whether *text* has at least the columns of *head*, the line above it, which is no URL. One column is enough."""
    if not head[:1].isalnum() and not head.startswith('"'):
        return False
    if BEGINNING.match(head) or not BEGINNING.search(text):
        return False
    return any(0 < head.count(one) <= text.count(one) for one in DELIMITERS)


def _refused(why: str, hint: str = EXPECTED) -> ConfigError:
    # Without the text: if the lists were swapped, it is a proxy with its password.
    return ConfigError(f"not a URL, {why}: {hint}")


def _is_index(origin: str, sitemaps: list[str]) -> str:
    shown = [url for url in map(str.strip, sitemaps) if USUAL.fullmatch(url)][:SITEMAPS_SHOWN]
    named = f" ({', '.join([*shown, '…'] if len(shown) < len(sitemaps) else shown)})" if shown else ""
    return (
        f"{origin} is an index of {len(sitemaps):,} sitemap{'s'[: len(sitemaps) != 1]} and has no pages: "
        f"download them{named}, and give their files"
    )
