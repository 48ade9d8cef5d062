"""The same slight page at several addresses: what sites answer when they do not answer.

A page is about something that its address names, and a block page is the same whatever was asked for. So a block page
that nobody has a sign for, and that comes before it is known how the site's pages look, gives itself away with the
second address. It may as well be a page of the site that says that there is nothing: whether it is, others tell.
Numbers count where the address has them ("Item 17" at ``/item/17``); others may be those of an incident.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from zlib import crc32

from proxysieve.core.content import Content

# Texts that are remembered.
MOST_TEXTS = 500
# Of fewer letters nothing is said: programs that draw their pages in the browser come as empty shells, all alike.
LEAST_LETTERS = 20
# What is longer is no word, but a number of somebody or something.
LONGEST_WORD = 25
# What an address names, and how much of it is looked at.
NAME = re.compile(r"[^\W_]++")
LONGEST_ADDRESS = 2_048


class Repeats:
    """At which address each slight page of a site was met first."""

    def __init__(self) -> None:
        self._first: OrderedDict[int, str] = OrderedDict()
        self._accepted: set[int] = set()

    def is_repeated(self, content: Content, url: str) -> bool:
        """Whether the same was met at another address than *url*, and is not known to be the site's own."""
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
    """A number that stands for what a page says, whoever it says it to; 0 if that is next to nothing.

    Args:
        content: The page.
        url: Its address, if what that names counts where it has digits.
    """
    named = frozenset(NAME.findall(url[:LONGEST_ADDRESS].casefold()))
    words = [word for word in f"{content.title} {content.visible}".split() if word in named or _is_word(word)]
    text = " ".join(words)
    return crc32(text.encode("utf-8", "surrogatepass")) if len(text) >= LEAST_LETTERS else 0


def _is_word(word: str) -> bool:
    return len(word) <= LONGEST_WORD and not any(letter.isdigit() or letter in "/=" for letter in word)
