"""The session pools that Crawlee saved, for JavaScript (and the Apify SDK before it) and for Python.

A session there is a name, cookies, user data and a score of errors. Which proxy it used, a pool does not keep, unless
the user put it into the user data. Neither does it keep whether a retired session was blocked, or only used up.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import msgspec

from proxysieve.belongings import CookieRecord
from proxysieve.errors import ConfigError
from proxysieve.moving.cookies import make_cookie
from proxysieve.moving.moved import LAST_AT, Found, FoundSession, Reasons, check_name, is_moment

ORIGIN = "Crawlee"
RETIRED = "they were retired there: blocked, or only used up, which is not kept"
UNPROVEN = "it is not certain that they ever worked"
# Where users put what a session used. It has the proxy's password in it, and is not taken along as data.
PROXY_KEYS = ("proxyUrl", "proxy_url")
PROXY_OBJECTS = ("proxyInfo", "proxy_info", "proxy")
AGENT_KEYS = ("userAgent", "user_agent")
ENDLESS = "Infinity"
OVER = "-Infinity"


class ToughCookie(msgspec.Struct, frozen=True, rename="camel"):
    """One of a jar of JavaScript's tough-cookie."""

    key: str = ""
    value: str = ""
    expires: str | None = None
    max_age: float | str | None = None
    domain: str | None = None
    path: str | None = None
    secure: bool = False
    host_only: bool | None = None
    creation: str | None = None


class ToughJar(msgspec.Struct, frozen=True):
    """Such a jar."""

    cookies: list[ToughCookie] = []


class PlainCookie(msgspec.Struct, frozen=True):
    """A cookie as the pool for Python writes it."""

    name: str
    value: str
    domain: str = ""
    path: str = "/"
    secure: bool = False
    expires: float | None = None


class CrawleeSession(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A session of either; the one has a jar, the other cookies."""

    id: str
    cookie_jar: ToughJar | None = None
    cookies: list[PlainCookie] | dict[str, Any] | None = None
    user_data: dict[str, Any] = {}
    error_score: float = 0.0
    max_error_score: float = 3.0
    error_score_decrement: float = 0.5
    usage_count: int = 0
    created_at: datetime
    last_used_at: datetime | None = None


class CrawleePool(msgspec.Struct, frozen=True):
    """What it saves."""

    sessions: list[CrawleeSession]


def is_crawlee(value: dict[str, Any]) -> bool:
    """Whether *value* looks like a saved pool."""
    return isinstance(value.get("sessions"), list)


def read_crawlee(value: dict[str, Any]) -> Found:
    """The sessions in *value* that worked.

    Raises:
        ConfigError: The pool is damaged.
    """
    try:
        pool = msgspec.convert(value, CrawleePool)
    except msgspec.ValidationError as error:
        raise ConfigError(f"the session pool of {ORIGIN} is damaged: {error}") from error
    sessions, left_out = [], Reasons()
    for one in pool.sessions:
        check_name(one.id)
        found = _session(one)
        if one.error_score >= one.max_error_score:
            left_out[RETIRED] += 1
        elif not found.ok_count:
            left_out[UNPROVEN] += 1
        else:
            sessions.append(found)
    return Found(origin=ORIGIN, sessions=sessions, left_out=left_out)


def _session(one: CrawleeSession) -> FoundSession:
    opened_at = _moment(one.created_at)
    data = {key: value for key, value in one.user_data.items() if key not in {*PROXY_KEYS, *PROXY_OBJECTS}}
    return FoundSession(
        name=one.id,
        opened_at=opened_at,
        used_at=_moment(one.last_used_at) if one.last_used_at else opened_at,
        user_agent=_user_agent(one.user_data),
        proxy_url=_first_text(one.user_data, PROXY_KEYS),
        ok_count=_ok_count(one),
        cookies=_cookies(one),
        data=data,
    )


def _ok_count(one: CrawleeSession) -> int:
    """How often it worked at least: a failure adds 1 to the score, a good answer takes the decrement off again."""
    least = (one.usage_count - one.error_score) / (1 + max(0.0, one.error_score_decrement))
    return max(0, math.ceil(least)) if math.isfinite(least) else 0


def _cookies(one: CrawleeSession) -> list[CookieRecord]:
    if one.cookie_jar is not None:
        return [_tough(cookie) for cookie in one.cookie_jar.cookies if cookie.max_age != OVER]
    if not isinstance(one.cookies, list):
        return []
    return [
        make_cookie(
            cookie.name,
            cookie.value,
            cookie.domain,
            # A dot in front is how this jar remembers that the site named a domain.
            is_host_only=not cookie.domain.startswith("."),
            path=cookie.path,
            secure=cookie.secure,
            # Automated browsers say so of what ends with the browser, and sessions outlive browsers.
            expires=None if cookie.expires is None or cookie.expires < 0 else _bounded(cookie.expires),
        )
        for cookie in one.cookies
    ]


def _tough(cookie: ToughCookie) -> CookieRecord:
    return make_cookie(
        cookie.key,
        cookie.value,
        cookie.domain or "",
        is_host_only=bool(cookie.host_only),
        path=cookie.path or "/",
        secure=cookie.secure,
        expires=_tough_expiry(cookie),
    )


def _tough_expiry(cookie: ToughCookie) -> float | None:
    if isinstance(cookie.max_age, float) and cookie.creation:
        return _bounded(_parsed(cookie.creation) + cookie.max_age)
    return None if cookie.expires in {None, ENDLESS} else _bounded(_parsed(cookie.expires or ""))


def _parsed(text: str) -> float:
    try:
        return _seconds(datetime.fromisoformat(text))
    except ValueError:
        raise ConfigError(f"the session pool of {ORIGIN} is damaged: {text[:40]!r} is no moment") from None


def _moment(at: datetime) -> float:
    try:
        seconds = _seconds(at)
    except ValueError:
        seconds = math.nan
    if not is_moment(seconds):
        raise ConfigError(f"the session pool of {ORIGIN} is damaged: {at} is no moment of its time")
    return seconds


def _seconds(at: datetime) -> float:
    """*at* in Unix seconds; what names no zone was written by a Python that did not say UTC."""
    try:
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except OverflowError as error:
        raise ValueError from error


def _bounded(at: float) -> float:
    """When a cookie expires: sites say the year 9999 for never, and any time in the past for at once."""
    return min(max(0.0, at), LAST_AT)


def _user_agent(data: dict[str, Any]) -> str:
    headers = data.get("headers")
    named = {key.lower(): value for key, value in headers.items()} if isinstance(headers, dict) else {}
    return _first_text(data, AGENT_KEYS) or _first_text(named, ("user-agent",))


def _first_text(values: dict[str, Any], keys: tuple[str, ...]) -> str:
    return next((value for key in keys if isinstance(value := values.get(key), str)), "")
