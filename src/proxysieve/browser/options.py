"""How a browser is run."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Literal

import msgspec

from proxysieve.errors import ConfigError

ResourceKind = Literal["image", "media", "font"]
HEAVY: tuple[ResourceKind, ...] = ("image", "media", "font")
# A language, perhaps with a script and a region, as browsers have them (RFC 5646); at others each page would fail.
LOCALE = re.compile(r"[a-z]{2,3}(-[a-z]{4})?(-([a-z]{2}|[0-9]{3}))?", re.ASCII | re.IGNORECASE)
# What is launched with in any case, and how it is changed.
OWN_LAUNCH = {
    "executable_path": "use the option executable=",
    "headless": "use the option headless=",
    "proxy": "each session has its own",
}


class BrowserOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a browser is run, and what its sessions have in common.

    Attributes:
        executable: The Chromium to run; by default Playwright's own, or else the system's.
        headless: Whether its windows are on no screen.
        locale: The language of its sessions.
        timezone: Of new sessions, such as ``Europe/Berlin``; this machine's if empty.
        leave_out: What is not loaded, to spare the proxies' bytes.
        max_pages: How many pages are open at once; each takes some 50 to 100 MB.
        max_contexts: How many sessions stay open without a page. Those unused for longest are closed, and their data
            is saved.
        pages_a_context: After so many a session's context is made anew, of what it keeps.
        pages_a_browser: After so many another browser takes over, as they grow.
        settle_seconds: How long a page may take, once it is loaded, until it changes no more.
        check_seconds: How long a check has that lets browsers pass by themselves, as "Just a moment..." does.
        launch: More options of Playwright's ``launch``.

    Raises:
        ConfigError: One of them is out of its range.
    """

    executable: str = ""
    headless: bool = True
    locale: str = "en-US"
    timezone: str = ""
    leave_out: Collection[ResourceKind] = ()
    max_pages: int = 8
    max_contexts: int = 50
    pages_a_context: int = 50
    pages_a_browser: int = 1_000
    settle_seconds: float = 5.0
    check_seconds: float = 6.0
    launch: dict[str, Any] = {}

    def __post_init__(self) -> None:
        for name in ("max_pages", "max_contexts", "pages_a_context", "pages_a_browser"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}: expected 1 or more")
        for name in ("settle_seconds", "check_seconds"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}: expected 0 or more")
        taken = sorted(self.launch.keys() & OWN_LAUNCH.keys())
        if taken:
            raise ConfigError(f"launch has {taken[0]!r}: {OWN_LAUNCH[taken[0]]}")
        if isinstance(self.leave_out, str):
            raise ConfigError(f"leave_out is {self.leave_out!r}: expected a list, as {[self.leave_out]}")
        unknown = sorted(set(self.leave_out) - set(HEAVY))
        if unknown:
            raise ConfigError(f"{unknown[0]!r} cannot be left out: expected some of {', '.join(HEAVY)}")
        if not LOCALE.fullmatch(self.locale):
            raise ConfigError(f"locale is {self.locale!r}: expected a language, as de-DE or en-US")

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of a session, the best first: the locale, its language, and English, which browsers add."""
        primary = self.locale.partition("-")[0]
        return tuple(dict.fromkeys((self.locale, primary, "en-US", "en")))
