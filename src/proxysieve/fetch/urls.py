"""Lines of text into the URLs of a job."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from proxysieve.errors import ConfigError
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
    urls: dict[str, None] = {}
    problems = []
    count = 0
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            site_of(text)
        except ConfigError as error:
            problems.append(f"{origin}, line {number}: {error}")
            continue
        count += 1
        urls[text] = None
    if not urls:
        raise ConfigError(problems[0] if problems else f"{origin} has no URLs in it: expected one a line")
    return UrlList(urls=list(urls), duplicate_count=count - len(urls), problems=problems)
