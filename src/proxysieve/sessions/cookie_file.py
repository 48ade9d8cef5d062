"""Cookies that a user has in a file: ``cookies.txt``, as curl and browsers' extensions write it, or JSON.

Files come from whole browsers, and some of their cookies are odd. Those are left out and said by their number, never by
their content, which is as good as a password.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import mktime_tz, parsedate_tz
from http.cookiejar import Cookie
from os import PathLike
from typing import Any
from urllib.parse import urlsplit

import msgspec

from proxysieve.core.cookies import cookie as core
from proxysieve.core.cookies.encoding import to_wire
from proxysieve.core.cookies.header import MOST_BYTES
from proxysieve.core.list_formats.problems import Problems
from proxysieve.core.list_formats.text import kind_of, lines_of
from proxysieve.core.model import PLAIN_IPV4
from proxysieve.core.urls.hosts import url_host
from proxysieve.errors import ConfigError
from proxysieve.sessions.stdlib_cookies import to_stdlib
from proxysieve.text_file import read_text

log = logging.getLogger("proxysieve")

EXPECTED = (
    "expected cookies.txt (seven fields a line, with tabs between: domain, TRUE or FALSE, path, TRUE or FALSE, "
    'expiry, name, value), or JSON: a list of objects with name, value and domain, alone or under "cookies"'
)
HTTP_ONLY = "#HttpOnly_"
FIELD_COUNT = 7
PORT = re.compile(r":[0-9]{1,5}\Z")
# The last moment that a date can be of; whoever says more means never.
LAST_AT = 253_402_300_799
# From here on a number counts milliseconds: as seconds, it would be of the year 33,658.
FIRST_MILLISECONDS = 1_000_000_000_000
NUMERAL = re.compile(r"[-+]?[0-9]{1,400}(?:\.[0-9]{0,40})?(?:[eE][-+]?[0-9]{1,4})?")
LONGEST_DATE = 64
# As extensions (expirationDate), browsers under automation (expires) and Selenium (expiry) call it.
EXPIRY_KEYS = ("expires", "expirationDate", "expiry")
# As most call it, and the database of Firefox.
SECURE_KEYS = ("secure", "isSecure")
HTTP_ONLY_KEYS = ("httpOnly", "isHttpOnly")
# Extensions call None otherwise; what says nothing is "unspecified" there, or null.
SAME_SITES = {"strict": "Strict", "lax": "Lax", "none": "None", "no_restriction": "None"}
UNKNOWN_EXPIRY = "its expiry is neither a number nor a date"
PROBLEMS_SHOWN = HOSTS_SHOWN = 5


def read_cookies(path: str | PathLike[str], now: float) -> list[Cookie]:
    """The cookies in the file at *path*. What is wrong with others is logged, and which have expired by *now*.

    Raises:
        ConfigError: There is not one, or the file cannot be read. The message has no cookie in it.
    """
    cookies, problems = parse_cookies(read_text(path, "cookies"), str(path))
    if not cookies:
        raise ConfigError(f"{problems[0] if problems else f'{path} has no cookies in it'}: {EXPECTED}")
    for problem in problems[:PROBLEMS_SHOWN]:
        log.warning("left out: %s", problem)
    if len(problems) > PROBLEMS_SHOWN:
        log.warning("left out: %s more cookies like these", f"{len(problems) - PROBLEMS_SHOWN:,}")
    expired = _expired(cookies, now)
    if expired:
        log.warning("%s: %s: export them again", path, expired)
    return cookies


def parse_cookies(text: str, origin: str) -> tuple[list[Cookie], list[str]]:
    """The cookies in *text*, and what is wrong with those that are left out.

    Raises:
        ConfigError: It is something else.
    """
    is_json = text.lstrip().startswith(("{", "["))
    kind = "" if is_json else kind_of(text)
    if kind:
        raise ConfigError(f"the cookies in {origin} cannot be read: this is {kind}: {EXPECTED}")
    read: Callable[[Any], Cookie] = _of_object if is_json else _of_line
    try:
        found = list(_objects(text) if is_json else _lines(text))
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error}: {EXPECTED}") from None
    problems = Problems(origin, "cookie" if is_json else "line")
    cookies: list[Cookie] = []
    for number, one in found:
        try:
            cookies.append(read(one))
        except ConfigError as error:
            problems.add(number, f"no cookie, {error}")
    return cookies, problems.told()


def cookies_at(site: str, cookies: Iterable[Cookie], site_of: Callable[[str], str]) -> list[Cookie]:
    """Those of *cookies* that are *site*'s, so that no other site's sessions keep them."""
    host = PORT.sub("", site)
    return [one for one in cookies if _host_of(one, site_of) == host]


def _host_of(cookie: Cookie, site_of: Callable[[str], str]) -> str:
    """The site of *cookie* without a port; empty if its domain is no host's, and so no site's."""
    host = _known_host(cookie.domain)
    if not host:
        # As a URL, it might be read as somebody's, and real browsers refuse all cookies among which one has it.
        return ""
    try:
        return PORT.sub("", site_of(f"http://{host}/"))
    except ConfigError:
        return ""


def _known_host(domain: str) -> str:
    """The host that *domain* is, as it is connected to; empty if it is none. Nothing of an address is guessed."""
    written = domain.removeprefix(".").removesuffix(".")
    host = "" if "%" in written else url_host(written)
    return "" if PLAIN_IPV4.fullmatch(host) and host != written else host


def _expired(cookies: Iterable[Cookie], now: float) -> str:
    """Whose cookies are of no use any more, in words; empty where every host has some that are."""
    lives: dict[str, float] = {}
    for cookie in cookies:
        host = cookie.domain.removeprefix(".")
        lives[host] = max(lives.get(host, 0.0), cookie.expires or math.inf)
    gone = [host for host, until in lives.items() if until <= now]
    if not gone:
        return ""
    if len(gone) == len(lives):
        return f"all its cookies have expired, the last on {datetime.fromtimestamp(max(lives.values()), UTC):%Y-%m-%d}"
    shown = [host for host in gone if host.isprintable()][:HOSTS_SHOWN]
    more = f" and {len(gone) - len(shown):,} more" if len(gone) > len(shown) else ""
    return f"all its cookies of {', '.join(shown)}{more} have expired"


# cookies.txt


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines_of(text), start=1):
        is_comment = line.startswith("#") and not line.startswith(HTTP_ONLY)
        if not is_comment and line.strip():
            yield number, line


def _of_line(line: str) -> Cookie:
    is_http_only = line.startswith(HTTP_ONLY)
    fields = line.removeprefix(HTTP_ONLY).split("\t")
    if len(fields) != FIELD_COUNT:
        if "\t" not in line and len(line.split()) == FIELD_COUNT:
            raise ConfigError("blanks stand between its fields in place of tabs")
        raise ConfigError(f"it has not {FIELD_COUNT} fields with tabs between")
    domain, is_for_all, path, secure, expires, name, value = fields
    domain = domain.strip()
    if is_for_all.upper() == "TRUE":
        domain = f".{domain.removeprefix('.')}"
    return _cookie(name, value, domain, path, expires, is_secure=_is_true(secure), is_http_only=is_http_only)


# JSON


def _objects(text: str) -> Iterator[tuple[int, object]]:
    try:
        found: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise ConfigError("no JSON that can be read") from None
    if isinstance(found, dict):
        found = found.get("cookies")
    if not isinstance(found, list):
        raise ConfigError("no list of cookies")
    yield from enumerate(found, start=1)


def _of_object(one: object) -> Cookie:
    if not isinstance(one, Mapping):
        raise ConfigError("it is no object")
    name, value = _text(one, "name"), _text(one, "value")
    domain = _domain(one)
    if one.get("hostOnly") is False:
        domain = f".{domain.removeprefix('.')}"
    expires = next((one[key] for key in EXPIRY_KEYS if one.get(key) is not None), None)
    return _cookie(
        name,
        value,
        domain,
        str(one.get("path") or "/"),
        expires,
        is_secure=_is_any(one, SECURE_KEYS),
        is_http_only=_is_any(one, HTTP_ONLY_KEYS),
        same_site=SAME_SITES.get(said.lower(), "") if isinstance(said := one.get("sameSite"), str) else "",
    )


def _domain(one: Mapping[str, object]) -> str:
    if one.get("url") and not one.get("domain"):
        return _host(one["url"])
    # So it is called in the database of Firefox.
    return _text(one, "host" if "domain" not in one and "host" in one else "domain").strip()


def _is_any(one: Mapping[str, object], keys: Iterable[str]) -> bool:
    return any(_is_true(one.get(key)) for key in keys)


def _text(one: Mapping[str, object], key: str) -> str:
    value = one.get(key)
    if not isinstance(value, str):
        raise ConfigError(f"it has no {key}")
    return value


def _host(url: object) -> str:
    try:
        return urlsplit(str(url)).hostname or ""
    except ValueError:
        return ""


# Both


def _is_true(value: object) -> bool:
    return str(value).upper() in {"TRUE", "1"}


def _cookie(
    name: str,
    value: str,
    domain: str,
    path: str,
    expires: object,
    *,
    is_secure: bool,
    is_http_only: bool,
    same_site: str = "",
) -> Cookie:
    # wget writes the port of its host, to which cookies are not tied (RFC 6265, 8.5).
    host = _known_host(PORT.sub("", domain))
    if not name:
        raise ConfigError("it has no name")
    if not host:
        raise ConfigError("its domain is no host's")
    # What a header cannot carry would be refused by the client, or change the request.
    if "=" in name or not all(part.isprintable() and ";" not in part for part in (name, value, path)):
        raise ConfigError("it has letters in it that cannot be sent")
    if len(to_wire(name + value)) > MOST_BYTES:
        raise ConfigError(f"it is longer than {MOST_BYTES:,} bytes, which no browser keeps")
    kept = core.Cookie(
        name=to_wire(name),
        value=to_wire(value),
        domain=f".{host}" if domain.startswith(".") else host,
        path=path if path.startswith("/") else "/",
        expires=_expiry(expires),
        secure=is_secure,
        http_only=is_http_only,
        same_site=same_site,
    )
    return to_stdlib(kept, kept.domain)


def _expiry(value: object) -> int | None:
    """When it expires; None where that is with the browser's session, which ours outlive."""
    if value is None or (isinstance(value, str) and value.strip().lower() in {"", "session"}):
        return None
    if isinstance(value, str) and NUMERAL.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, str):
        # Before 1970 is long ago, too, and no end of a session.
        return int(min(max(1.0, _moment(value.strip())), LAST_AT))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(UNKNOWN_EXPIRY)
    seconds = value / 1_000 if FIRST_MILLISECONDS <= value <= LAST_AT * 1_000 else value
    # Nought, and in some files less, stands for the end of the browser's session.
    return int(min(seconds, LAST_AT)) if seconds >= 1 else None


def _moment(date: str) -> float:
    """Of a date as JSON has it (ISO 8601), or as headers do."""
    try:
        at = datetime.fromisoformat(date)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        pass
    try:
        parts = parsedate_tz(date[:LONGEST_DATE])
        at_seconds = mktime_tz(parts) if parts else None
    except (ValueError, OverflowError):
        at_seconds = None
    if at_seconds is None:
        raise ConfigError(UNKNOWN_EXPIRY)
    return at_seconds
