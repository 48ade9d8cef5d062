"""Finds the same slight page at several URLs, as block pages are.

A page is about something that its URL names; a block page is the same at every URL. So an unknown block page shows at
the second URL, before it is known what the site's pages share. It may also be a page of the site that says "nothing
found": other exits must tell. A number counts if the URL has it ("Item 17" at ``/item/17``); other numbers may be those
of an incident.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from zlib import crc32

from proxysieve.core.model.content import Content

# Texts that are remembered.
MOST_TEXTS = 500
# Shorter texts are not compared: web applications send empty shells, all alike.
LEAST_LETTERS = 20
# A longer word is an id of something.
LONGEST_WORD = 25
# The words of a URL, and how much of it is read.
NAME = re.compile(r"[^\W_]++")
LONGEST_ADDRESS = 2_048


class Repeats:
    """At which URL each slight page of a site was met first."""

    def __init__(self) -> None:
        self._first: OrderedDict[int, str] = OrderedDict()
        self._accepted: set[int] = set()

    def is_repeated(self, content: Content, url: str) -> bool:
        """Whether the same page was met at another URL than *url*, and is not known to be the site's own."""
        if text_of(content) in self._accepted:
            return False
        text = text_of(content, url)
        if not text:
            return False
        first = self._first.setdefault(text, url)
        if len(self._first) > MOST_TEXTS:
            self._first.popitem(last=False)
        return first != url

    def accept(self, content: Content) -> None:
        """It is the site's own."""
        if len(self._accepted) < MOST_TEXTS:
            self._accepted.add(text_of(content))


def text_of(content: Content, url: str = "") -> int:
    """A number that stands for the text of a page; 0 if it has hardly any.

    Args:
        content: The page.
        url: Its URL, if words with digits count that stand in it.
    """
    named = frozenset(NAME.findall(url[:LONGEST_ADDRESS].casefold()))
    words = [word for word in f"{content.title} {content.visible}".split() if word in named or _is_word(word)]
    text = " ".join(words)
    return crc32(text.encode("utf-8", "surrogatepass")) if len(text) >= LEAST_LETTERS else 0


def _is_word(word: str) -> bool:
    return len(word) <= LONGEST_WORD and not any(letter.isdigit() or letter in "/=" for letter in word)
