"""Lines of text into the URLs of a job."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from proxysieve.errors import ConfigError
from proxysieve.proxy_sources import STANDARD_INPUT
from proxysieve.sites import site_of


class UrlList(msgspec.Struct, frozen=True, kw_only=True):
    """What a job is to fetch.

    Attributes:
        urls: Each once, in their order.
        duplicate_count: How many lines repeated one of them.
        problems: What is wrong with the lines that are no URLs.
    """

    urls: list[str]
    duplicate_count: int
    problems: list[str]


def read_urls(lines: Iterable[str], origin: str) -> UrlList:
    """The URLs that a list names.

    Args:
        lines: One URL each; blank ones, and comments behind ``#``, are skipped.
        origin: Where the lines come from, for messages.

    Raises:
        ConfigError: There is not one URL.
    """
    reader = Reader()
    reader.read(lines, origin)
    return reader.url_list()


def read_url_files(files: Iterable[str]) -> UrlList:
    """The same for the lists in *files*, or in the standard input (``-``).

    One that is empty is no problem if another has URLs.

    Raises:
        ConfigError: There is not one URL, or a file cannot be read.
    """
    reader = Reader()
    for file in files:
        name = "the standard input" if file == STANDARD_INPUT else file
        try:
            content = sys.stdin.buffer.read() if file == STANDARD_INPUT else Path(file).read_bytes()
            # Some editors put a mark before the first line.
            reader.read(StringIO(content.decode("utf-8-sig"), newline=None), name)
        except UnicodeDecodeError as error:
            raise ConfigError(f"the URLs in {name} cannot be read: not UTF-8 text") from error
        except OSError as error:
            raise ConfigError(f"the URLs in {name} cannot be read: {error.strerror}") from error
    return reader.url_list()


class Reader:
    """Gathers the URLs of one list after the other."""

    def __init__(self) -> None:
        self._urls: dict[str, None] = {}
        self._problems: list[str] = []
        self._count = 0
        self._origins: list[str] = []

    def read(self, lines: Iterable[str], origin: str) -> None:
        """Take in *lines*."""
        self._origins.append(origin)
        for number, line in enumerate(lines, start=1):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            try:
                site_of(text)
            except ConfigError as error:
                self._problems.append(f"{origin}, line {number}: {error}")
                continue
            self._count += 1
            self._urls[text] = None

    def url_list(self) -> UrlList:
        """All that was taken in."""
        if self._problems and not self._urls:
            raise ConfigError(self._problems[0])
        if self._urls and all(map(_is_like_a_proxy, self._urls)):
            raise ConfigError(f"{' and '.join(self._origins)} names proxies and no pages: are the two lists exchanged?")
        if not self._urls:
            raise ConfigError(f"{' and '.join(self._origins)} has no URLs in it: expected one a line")
        return UrlList(urls=list(self._urls), duplicate_count=self._count - len(self._urls), problems=self._problems)


def _is_like_a_proxy(url: str) -> bool:
    parts = urlsplit(url)
    return "@" in parts.netloc and parts.port is not None and parts.path in {"", "/"}
