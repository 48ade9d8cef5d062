"""The values that move: a session with all that belongs to it, the file of them, and what came of it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sized
from typing import Any, Literal

import msgspec

from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.fingerprints.user_agents import Browser
from proxysieve.core.records import ExitRecord, SessionRecord
from proxysieve.errors import ConfigError
from proxysieve.moving.cookies import check_cookie
from proxysieve.sessions.storage import BrowserRecord, CookieRecord

FORMAT: Literal["proxysieve sessions"] = "proxysieve sessions"
FORMAT_VERSION = 1
# Until the year 2100, moments are below.
LAST_AT = 4_102_444_800.0
# Each costs a place in what chance draws from; few policies of the classic kind want more than a hundred sessions.
MOST_DRAWS = 10_000
MOST_COUNT = 2**53
LONGEST_NAME = 1_000
MOST_SESSIONS = 100_000
# What a user agent, a header or a reason has letters of.
LONGEST_TEXT = 1_000
MOST_HINTS = 20
MOST_USES = 1_000
LARGEST_SCREEN = 100_000
# What a provider can be told in a user name. It is not for us to say which letters it takes.
PROVIDER_NAME = re.compile(r"[!-~]{1,200}")

Reasons = Counter[str]


class MovedSession(msgspec.Struct, kw_only=True):
    """One session, as a file has it.

    Attributes:
        session: Its record, which knows the proxy by its key.
        address: Where the proxy is, without who uses it; for a reader, and empty if it is not known.
        exit: What happened to its exit at the site.
        data: The user's own.
        browser: What it has beside its cookies, if it is a visitor by a real browser.
    """

    session: SessionRecord
    address: str = ""
    exit: ExitRecord
    cookies: list[CookieRecord] = []
    data: dict[str, Any] = {}
    browser: BrowserRecord = msgspec.field(default_factory=BrowserRecord)


class Export(msgspec.Struct, kw_only=True):
    """A file of sessions.

    Attributes:
        format: By which the file is told from others.
        version: Grows when older readers could not make sense of it.
        sessions: The oldest first.
    """

    format: Literal["proxysieve sessions"] = FORMAT
    version: int = FORMAT_VERSION
    site: str
    sessions: list[MovedSession]


class FoundSession(msgspec.Struct, frozen=True, kw_only=True):
    """What another tool knew of a session that worked.

    Attributes:
        user_agent: Empty where it is not said.
        browser: What else is said of its browser, which counts for more; None if nothing is.
        proxy_url: What it used, with credentials; empty where it is not said.
        ok_count: So many good answers at least.
        ends_at: When its user wanted it to end.
    """

    name: str
    opened_at: float
    used_at: float
    user_agent: str = ""
    browser: Browser | None = None
    proxy_url: str = ""
    ok_count: int = 1
    ends_at: float = math.inf
    cookies: list[CookieRecord] = []
    data: dict[str, Any] = {}


class FoundSessions(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions in a file of another tool.

    Attributes:
        origin: Whose they are.
        left_out: How many are of no use, by the reason.
        notes: What is to be known of those that are, a sentence each.
    """

    origin: str
    sessions: list[FoundSession]
    left_out: Reasons
    notes: list[str] = []


def check_moved(moved: MovedSession) -> None:
    """Refuse a session whose record cannot be true, or would do harm in a store.

    Raises:
        ConfigError: It is damaged.
    """
    session, exit_ = moved.session, moved.exit
    check_name(session.name)
    used_at = exit_.used_at or []
    moments = [session.opened_at, session.worked_at, exit_.last_ok_at, exit_.last_bad_at, exit_.last_unclear_at]
    counts = [
        session.ok_count, session.unclear_count, session.draw_count, exit_.ok_count, exit_.blocked_count,
        exit_.throttled_count, exit_.proxy_error_count, exit_.unclear_count,
    ]  # fmt: skip
    is_sound = (
        all(0 <= at <= LAST_AT for at in (*moments, exit_.cooldown_until, *used_at))
        and used_at == sorted(used_at)
        and all(0 <= count <= MOST_COUNT for count in counts)
        and session.draw_count <= MOST_DRAWS
        and len(used_at) <= MOST_USES
        and "/" not in session.proxy_key
        and (not session.exit_name or PROVIDER_NAME.fullmatch(session.exit_name) is not None)
        and all(len(text) <= LONGEST_TEXT for text in (session.proxy_key, session.lost, exit_.why, moved.address))
        and _is_sendable(session.fingerprint)
        and _is_window(moved.browser)
    )
    if not is_sound:
        raise ConfigError(f"the record of the session {session.name[:40]!r} is damaged")
    for cookie in moved.cookies:
        check_cookie(cookie)


def _is_sendable(fingerprint: Fingerprint) -> bool:
    """Whether headers can carry it, and a browser can be told it."""
    hints = [text for hint in fingerprint.client_hints for text in hint]
    texts = (fingerprint.impersonate, fingerprint.user_agent, fingerprint.accept_language, fingerprint.engine, *hints)
    is_short = len(fingerprint.client_hints) <= MOST_HINTS and all(len(text) <= LONGEST_TEXT for text in texts)
    return is_short and all(text.isascii() and text.isprintable() for text in texts)


def _is_window(browser: BrowserRecord) -> bool:
    window = browser.window
    return len(browser.timezone) <= LONGEST_TEXT and (
        window is None
        or (
            all(0 < side <= LARGEST_SCREEN for side in (window.screen_width, window.screen_height))
            and all(0 < side <= LARGEST_SCREEN for side in (window.width, window.height))
            and all(abs(side) <= LARGEST_SCREEN for side in (window.left, window.top))
            and 0 < window.pixel_ratio <= LARGEST_SCREEN
        )
    )


def check_count(sessions: Sized) -> None:
    """Refuse more sessions than a store is made for.

    Raises:
        ConfigError: There are too many.
    """
    if len(sessions) > MOST_SESSIONS:
        raise ConfigError(f"it has {len(sessions):,} sessions: import {MOST_SESSIONS:,} at once at most")


def check_name(name: str) -> None:
    """Refuse what no session can be called.

    Raises:
        ConfigError: It is empty, or too long.
    """
    if not 0 < len(name) <= LONGEST_NAME:
        raise ConfigError(f"a session's name has 1 to {LONGEST_NAME:,} letters, not {len(name):,}")


def is_moment(at: float) -> bool:
    """Whether *at* can be one, in Unix seconds."""
    return math.isfinite(at) and 0 <= at <= LAST_AT
