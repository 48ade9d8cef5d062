"""The session pools that Crawlee saves, for JavaScript (and the Apify SDK before it) and for Python.

A session there has a name, cookies, user data and an error score. Crawlee 4 for JavaScript also keeps its proxy and
fingerprint, and whether it is retired, which counts more than what its scores suggest. Earlier, a pool kept no proxy
unless the user put it into the user data. No pool keeps whether a retired session was blocked or only used up.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from proxysieve.core.fingerprints.user_agents import Browser, browser_like
from proxysieve.core.records import MOST_COUNT
from proxysieve.errors import ConfigError
from proxysieve.moving.cookies import make_cookie
from proxysieve.moving.values import LAST_AT, FoundSession, FoundSessions, Reasons, check_count, check_name, is_moment
from proxysieve.sessions.storage import CookieRecord

ORIGIN = "Crawlee"
RETIRED = "they were retired there: blocked or only used up (the file does not say which)"
UNPROVEN = "it is not certain that they ever worked"
# Where users put a session's proxy. It has the proxy's password, and is not kept as user data.
PROXY_KEYS = ("proxyUrl", "proxy_url")
PROXY_OBJECTS = ("proxyInfo", "proxy_info", "proxy")
AGENT_KEYS = ("userAgent", "user_agent")
ENDLESS = "Infinity"
OVER = "-Infinity"
# How long a session lasts unless the user sets maxAgeSecs.
USUAL_SECONDS = 3_000.0
UNCHECKED = "Crawlee did not check the certificates for some (ignoreTlsErrors): here they are checked"


class ToughCookie(msgspec.Struct, frozen=True, rename="camel"):
    """A cookie in a jar of tough-cookie, for JavaScript."""

    key: str = ""
    value: str = ""
    expires: str | None = None
    max_age: float | str | None = None
    domain: str | None = None
    path: str | None = None
    secure: bool = False
    host_only: bool | None = None
    http_only: bool = False
    same_site: str | None = None
    creation: str | None = None


class ToughJar(msgspec.Struct, frozen=True):
    """A jar of tough-cookie."""

    cookies: list[ToughCookie] = []


class PlainCookie(msgspec.Struct, frozen=True):
    """A cookie as the pool for Python writes it."""

    name: str
    value: str
    domain: str = ""
    path: str = "/"
    secure: bool = False
    expires: float | None = None
    http_only: bool = False
    same_site: str | None = None


class ProxyInfo(msgspec.Struct, frozen=True, rename="camel"):
    """The proxy of a session of Crawlee 4."""

    url: str | None = None
    hostname: str | None = None
    port: int | str | None = None
    username: str | None = None
    password: str | None = None
    ignore_tls_errors: bool | None = None

    @property
    def address(self) -> str:
        """Its address with credentials; empty if it is not known."""
        if self.url or not self.hostname or not self.port:
            return self.url or ""
        login = f"{quote(self.username or '', safe='')}:{quote(self.password or '', safe='')}@"
        return f"http://{login if self.username or self.password else ''}{self.hostname}:{self.port}"


class CrawleeFingerprint(msgspec.Struct, frozen=True):
    """The fingerprint of a session of Crawlee 4."""

    browser: str | None = None
    platform: str | None = None
    device: str | None = None


class SavedCrawleeSession(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A session for JavaScript, with a jar, or for Python, with cookies."""

    id: str
    cookie_jar: ToughJar | None = None
    cookies: list[PlainCookie] | dict[str, Any] | None = None
    user_data: dict[str, Any] = {}
    # JSON cannot write infinity, and has null there.
    error_score: float | None = 0.0
    max_error_score: float | None = 3.0
    error_score_decrement: float | None = 0.5
    usage_count: float | None = 0
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    proxy_info: ProxyInfo | None = None
    fingerprint: CrawleeFingerprint | None = None
    retired: bool | None = None

    @property
    def is_retired(self) -> bool:
        """Whether the file says that it is retired, or it is blocked."""
        return bool(self.retired) or _number(self.error_score) >= _number(self.max_error_score)


class CrawleePool(msgspec.Struct, frozen=True):
    """A saved pool."""

    sessions: list[SavedCrawleeSession]


def is_crawlee(value: dict[str, Any]) -> bool:
    """Whether *value* looks like a saved pool."""
    return isinstance(value.get("sessions"), list)


def read_crawlee(value: dict[str, Any]) -> FoundSessions:
    """The sessions in *value* that worked.

    Raises:
        ConfigError: The pool is damaged.
    """
    try:
        pool = msgspec.convert(value, CrawleePool)
    except msgspec.ValidationError as error:
        raise ConfigError(f"the session pool of {ORIGIN} is damaged: {error}") from error
    check_count(pool.sessions)
    sessions, left_out = [], Reasons()
    for one in pool.sessions:
        check_name(one.id)
        found = _session(one)
        if one.is_retired:
            left_out[RETIRED] += 1
        elif not found.ok_count:
            left_out[UNPROVEN] += 1
        else:
            sessions.append(found)
    is_unchecked = any(one.proxy_info and one.proxy_info.ignore_tls_errors for one in pool.sessions)
    return FoundSessions(origin=ORIGIN, sessions=sessions, left_out=left_out, notes=[UNCHECKED] if is_unchecked else [])


def _session(one: SavedCrawleeSession) -> FoundSession:
    opened_at = _moment(one.created_at)
    data = {key: value for key, value in one.user_data.items() if key not in {*PROXY_KEYS, *PROXY_OBJECTS}}
    return FoundSession(
        name=one.id,
        opened_at=opened_at,
        used_at=_moment(one.last_used_at) if one.last_used_at else opened_at,
        user_agent=_user_agent(one.user_data),
        browser=_browser(one.fingerprint),
        proxy_url=_proxy_url(one),
        ok_count=_ok_count(one),
        ends_at=_end(one),
        cookies=_cookies(one),
        data=data,
    )


def _ok_count(one: SavedCrawleeSession) -> int:
    """The least number of good answers: a failure adds 1 to the score, and a good answer takes the decrement off."""
    least = (_number(one.usage_count) - _number(one.error_score)) / (1 + max(0.0, _number(one.error_score_decrement)))
    return min(max(0, math.ceil(least)), MOST_COUNT) if math.isfinite(least) else 0


def _number(value: float | None) -> float:
    return math.inf if value is None else value


def _end(one: SavedCrawleeSession) -> float:
    """When a session ends, if its user set an unusual age."""
    if one.expires_at is None:
        return math.inf
    opened_at, ends_at = _moment(one.created_at), _seconds_or_never(one.expires_at)
    return ends_at if ends_at > opened_at and abs(ends_at - opened_at - USUAL_SECONDS) > 1 else math.inf


def _proxy_url(one: SavedCrawleeSession) -> str:
    kept = [value for key in PROXY_OBJECTS if isinstance(value := one.user_data.get(key), dict)]
    return (
        (one.proxy_info.address if one.proxy_info else "")
        or _first_text(one.user_data, PROXY_KEYS)
        or next((url for value in kept if (url := _first_text(value, ("url",)))), "")
    )


def _browser(fingerprint: CrawleeFingerprint | None) -> Browser | None:
    if fingerprint is None:
        return None
    is_mobile = fingerprint.device == "mobile"
    return browser_like(fingerprint.browser or "", fingerprint.platform or "", is_mobile=is_mobile)


def _cookies(one: SavedCrawleeSession) -> list[CookieRecord]:
    if one.cookie_jar is not None:
        return [_tough(cookie) for cookie in one.cookie_jar.cookies if cookie.max_age != OVER]
    if not isinstance(one.cookies, list):
        return []
    return [
        make_cookie(
            cookie.name,
            cookie.value,
            cookie.domain,
            # This jar puts a dot in front if the site named a domain.
            is_host_only=not cookie.domain.startswith("."),
            path=cookie.path,
            secure=cookie.secure,
            # Automated browsers write -1 for cookies that end with the browser. Sessions outlive browsers.
            expires=None if cookie.expires is None or cookie.expires < 0 else _bounded(cookie.expires),
            http_only=cookie.http_only,
            same_site=cookie.same_site,
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
        http_only=cookie.http_only,
        same_site=cookie.same_site,
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


def _seconds_or_never(at: datetime) -> float:
    try:
        return _seconds(at)
    except ValueError:
        return math.inf


def _seconds(at: datetime) -> float:
    """*at* in Unix seconds. A time without a zone is UTC: older versions for Python wrote it so."""
    try:
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except OverflowError as error:
        raise ValueError from error


def _bounded(at: float) -> float:
    """When a cookie expires. Sites use the year 9999 for never, and any past time for at once."""
    return min(max(0.0, at), LAST_AT)


def _user_agent(data: dict[str, Any]) -> str:
    headers = data.get("headers")
    named = {key.lower(): value for key, value in headers.items()} if isinstance(headers, dict) else {}
    return _first_text(data, AGENT_KEYS) or _first_text(named, ("user-agent",))


def _first_text(values: dict[str, Any], keys: tuple[str, ...]) -> str:
    return next((value for key in keys if isinstance(value := values.get(key), str)), "")
