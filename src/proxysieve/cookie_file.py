"""Cookies that a user has in a file: ``cookies.txt``, as curl and browsers' extensions write it, or JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from http.cookiejar import Cookie
from os import PathLike
from pathlib import Path
from typing import Any

import msgspec

from proxysieve.errors import ConfigError

EXPECTED = (
    "expected cookies.txt (seven fields a line, with tabs between: domain, TRUE or FALSE, path, TRUE or FALSE, "
    'expiry, name, value), or JSON: a list of objects with name, value and domain, alone or under "cookies"'
)
HTTP_ONLY = "#HttpOnly_"
FIELD_COUNT = 7
# What no host has in its name. An IPv6 address stands in brackets.
HOST = re.compile(r"[^\s/?#@\\:\[\]]+|\[[0-9a-f:.]+\]")
# The last moment that a date can be of; whoever says more means never.
LAST_AT = 253_402_300_799
# As extensions (expirationDate) and browsers under automation (expires) call it.
EXPIRY_KEYS = ("expires", "expirationDate")


def read_cookies(path: str | PathLike[str]) -> list[Cookie]:
    """The cookies in the file at *path*.

    Raises:
        ConfigError: It cannot be read, or holds something else. The message has no cookie in it.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"the cookies in {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"the cookies in {path} cannot be read: not UTF-8 text") from None
    is_json = text.lstrip().startswith(("{", "["))
    try:
        cookies = list(_from_json(text) if is_json else _from_lines(text))
    except ConfigError as error:
        raise ConfigError(f"{path}{error}: {EXPECTED}") from None
    if not cookies:
        raise ConfigError(f"{path} has no cookies in it: {EXPECTED}")
    return cookies


def cookies_at(site: str, cookies: Iterable[Cookie], site_of: Callable[[str], str]) -> list[Cookie]:
    """Those of *cookies* that are *site*'s, so that no other site's sessions keep them."""
    host = site.partition(":")[0]
    return [one for one in cookies if _host_of(one, site_of) == host]


def _host_of(cookie: Cookie, site_of: Callable[[str], str]) -> str:
    """The site of *cookie* without a port; empty if its domain is no host's, and so no site's."""
    try:
        return site_of(f"http://{cookie.domain.removeprefix('.')}/").partition(":")[0]
    except ConfigError:
        return ""


def _from_lines(text: str) -> Iterator[Cookie]:
    for number, line in enumerate(text.splitlines(), start=1):
        is_comment = line.startswith("#") and not line.startswith(HTTP_ONLY)
        if is_comment or not line.strip():
            continue
        fields = line.removeprefix(HTTP_ONLY).split("\t")
        if len(fields) != FIELD_COUNT:
            raise ConfigError(f", line {number}: no cookie")
        domain, is_for_all, path, secure, expires, name, value = fields
        if is_for_all.upper() == "TRUE":
            domain = f".{domain.removeprefix('.')}"
        yield _cookie(f", line {number}", name, value, domain, path, expires, is_secure=secure.upper() == "TRUE")


def _from_json(text: str) -> Iterator[Cookie]:
    try:
        found: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise ConfigError(": no JSON that can be read") from None
    if isinstance(found, dict):
        found = found.get("cookies")
    if not isinstance(found, list):
        raise ConfigError(": no list of cookies")
    for number, one in enumerate(found, start=1):
        where = f", cookie {number}"
        if not isinstance(one, dict) or not all(isinstance(one.get(key), str) for key in ("name", "value", "domain")):
            raise ConfigError(f"{where}: no cookie")
        expires = next((one[key] for key in EXPIRY_KEYS if one.get(key) is not None), "")
        domain, path = one["domain"], one.get("path") or "/"
        if one.get("hostOnly") is False:
            domain = f".{domain.removeprefix('.')}"
        yield _cookie(where, one["name"], one["value"], domain, str(path), expires, is_secure=bool(one.get("secure")))


def _cookie(
    where: str, name: str, value: str, domain: str, path: str, expires: str | float, *, is_secure: bool
) -> Cookie:
    # What a header cannot carry would be refused by the client, or change the request.
    is_sendable = all(part.isprintable() and ";" not in part for part in (name, value, path))
    host = domain.removeprefix(".").strip().lower()
    if not name or not HOST.fullmatch(host) or not is_sendable:
        raise ConfigError(f"{where}: no cookie")
    try:
        # Nought, and in some files less, stands for the end of the browser's session, which ours outlive.
        expiry = min(max(0, int(float(expires or 0))), LAST_AT)
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(f"{where}: its expiry is no number") from None
    is_for_all = domain.startswith(".")
    return Cookie(
        version=0,
        name=name,
        value=value,
        port=None,
        port_specified=False,
        domain=f".{host}" if is_for_all else host,
        domain_specified=is_for_all,
        domain_initial_dot=is_for_all,
        path=path or "/",
        path_specified=True,
        secure=is_secure,
        expires=expiry or None,
        discard=not expiry,
        comment=None,
        comment_url=None,
        rest={},
    )
