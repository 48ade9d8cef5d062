"""Which of the visitors that we can be is nearest to a browser that another tool said it was."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from proxysieve.core.model import Identity

# In this order: Chromium's user agents speak of Safari too, and those of its relatives of Chrome.
FAMILIES = (
    ("Firefox", re.compile(r"\bFirefox/(\d{1,4})")),
    ("Chrome", re.compile(r"\bChrom(?:e|ium)/(\d{1,4})")),
    ("Safari", re.compile(r"\bVersion/(\d{1,4}(?:\.\d{1,4})?)\S* (?:Mobile/\S+ )?Safari/")),
)
MOBILE = re.compile(r"\b(?:Mobile|Android|iPhone|iPad)\b")
# What is no browser's length is none.
LONGEST = 1_000


class Browser(NamedTuple):
    """What a user agent says."""

    family: str
    version: float
    is_mobile: bool

    def __str__(self) -> str:
        return f"{self.family} {self.version:g}{' (mobile)' if self.is_mobile else ''}"


def browser_of(user_agent: str) -> Browser | None:
    """The browser that says *user_agent*, relatives of Chrome as Chrome; None if it is none that we know."""
    for family, pattern in FAMILIES:
        found = pattern.search(user_agent[:LONGEST])
        if found:
            return Browser(family, float(found[1]), MOBILE.search(user_agent[:LONGEST]) is not None)
    return None


def nearest(browser: Browser, identities: Sequence[Identity]) -> Identity | None:
    """The one of *identities* of the same family whose version is nearest; None if we are none of that family."""
    known = [(browser_of(one.user_agent), one) for one in identities]
    kin = [(abs(ours.version - browser.version), one) for ours, one in known if ours and ours.family == browser.family]
    return min(kin, key=lambda pair: pair[0])[1] if kin else None
