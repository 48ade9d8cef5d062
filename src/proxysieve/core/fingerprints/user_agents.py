"""What a user agent says, and which of our fingerprints is nearest to that browser."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from proxysieve.core.fingerprints.fingerprint import Fingerprint

# In this order: Chromium's user agents speak of Safari too, and those of its relatives of Chrome.
FAMILIES = (
    ("Firefox", re.compile(r"\bFirefox/(\d{1,4})")),
    ("Chrome", re.compile(r"\bChrom(?:e|ium)/(\d{1,4})")),
    ("Safari", re.compile(r"\bVersion/(\d{1,4}(?:\.\d{1,4})?)\S* (?:Mobile/\S+ )?Safari/")),
)
# In this order: Android is a Linux, and an iPhone is like a Mac.
SYSTEMS = (
    ("Android", re.compile(r"\bAndroid\b")),
    ("iOS", re.compile(r"\b(?:iPhone|iPad)\b")),
    ("Windows", re.compile(r"\bWindows NT\b")),
    ("macOS", re.compile(r"\bMacintosh\b")),
    ("Linux", re.compile(r"\bLinux\b")),
)
MOBILE = re.compile(r"\b(?:Mobile|Android|iPhone|iPad)\b")
# What is no browser's length is none.
LONGEST = 1_000


# As Crawlee's fingerprints call them, and on what they run.
KINDS = {"chrome": "Chrome", "edge": "Chrome", "firefox": "Firefox", "safari": "Safari"}
PLATFORMS = {"windows": "Windows", "macos": "macOS", "linux": "Linux", "android": "Android", "ios": "iOS"}


class Browser(NamedTuple):
    """What a user agent says, or a fingerprint.

    Attributes:
        version: None where it is not said.
        platform: Empty where it is not said.
    """

    family: str
    version: float | None
    is_mobile: bool
    platform: str = ""

    def __str__(self) -> str:
        version = "" if self.version is None else f" {self.version:g}"
        platform = f" on {self.platform}" if self.platform else ""
        return f"{self.family}{version}{platform}{' (mobile)' if self.is_mobile else ''}"


def browser_of(user_agent: str) -> Browser | None:
    """The browser that says *user_agent*, relatives of Chrome as Chrome; None if it is none that we know."""
    for family, pattern in FAMILIES:
        found = pattern.search(user_agent[:LONGEST])
        if found:
            is_mobile = MOBILE.search(user_agent[:LONGEST]) is not None
            return Browser(family, float(found[1]), is_mobile, platform_of(user_agent))
    return None


def browser_like(kind: str, platform: str, *, is_mobile: bool) -> Browser | None:
    """The browser that a fingerprint names; None if it is none that we know."""
    family = KINDS.get(kind)
    return Browser(family, None, is_mobile, PLATFORMS.get(platform, "")) if family else None


def platform_of(user_agent: str) -> str:
    """The system that *user_agent* names; empty if it is none that we know."""
    return next((system for system, pattern in SYSTEMS if pattern.search(user_agent[:LONGEST])), "")


def nearest(browser: Browser, fingerprints: Sequence[Fingerprint]) -> Fingerprint | None:
    """The one of *fingerprints* of the same family whose version is nearest; None if we are none of that family.

    Where no version is said, it is the newest, as most people have it. Of two that are as near, it is the one on the
    same platform, if that is said.
    """
    known = [(browser_of(one.user_agent), one) for one in fingerprints]
    wanted = math.inf if browser.version is None else browser.version
    kin = [(ours.version or 0.0, one) for ours, one in known if ours and ours.family == browser.family]
    newest_first = sorted(kin, key=lambda pair: (-pair[0], platform_of(pair[1].user_agent) != browser.platform))
    return min(newest_first, key=lambda pair: abs(pair[0] - min(wanted, newest_first[0][0])))[1] if kin else None
