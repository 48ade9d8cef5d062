"""Turns one line of text into a proxy.

The forms::

    scheme://user:password@host:port    percent-encoded, as in any URL
    user:password@host:port             percent-encoded, too
    host:port:user:password             as it is, also colons in the password
    user:password:host:port             as it is, too
    host:port
    host:port:US, host port US          a row of a table of free proxies, see ``columns.py``
    type host port user password        of proxychains

Each may have a scheme in front. A host may be an IPv6 address in brackets. Options, ``key=value``, follow after a
blank. A line that fits two of the forms is refused: a mistake would send a password to somebody else's host. Messages
repeat only words of a line that are known beforehand: anything else may be a part of a password.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple
from urllib.parse import unquote

from proxysieve.core.list_formats.columns import OTHER_SCHEMES, SCHEMES, read_row
from proxysieve.core.model import LONGEST_NAME, PLAIN_IPV4, Proxy
from proxysieve.core.urls.hosts import MOST_PORTS, address_of, ipv6_of, is_bare_ipv6, is_ip
from proxysieve.errors import ConfigError

EXPECTED = (
    "expected scheme://user:password@host:port, host:port:user:password or host:port, where the scheme is http, https, "
    "socks5 or socks5h"
)
# The names of a table's columns, as sellers of proxies write them.
HEADINGS = frozenset({
    "address", "auth", "city", "country", "host", "hostname", "id", "ip", "login", "name", "pass", "passwd", "password",
    "port", "protocol", "proxies", "proxy", "proxy_address", "region", "scheme", "server", "type", "url", "user",
    "username",
})  # fmt: skip
SEPARATORS = ",;"
IN_COLUMNS = "its columns are not separated by colons", "write host:port:user:password"

PLACE = r"(?:\[[^\[\]]*\]|[^:@/?#\[\]]*):[0-9]+"
FORWARD = re.compile(rf"({PLACE}):([^:]*):(.*)")
BACKWARD = re.compile(rf"([^:]*):(.*):({PLACE})")
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)?://|//")
QUOTED = re.compile(r"""(["'])(.*?)\1(.*)""")
# The rest is a blank in a password, and not a comment or an option.
ADDRESS_BEHIND = re.compile(r"@[^\s@]*:[0-9]")
NUMERAL = re.compile(r"[0-9.eE+-]+")
# Most lines of long lists look like this. They are read at once, with the same result as piece by piece.
WORD = "([A-Za-z0-9_-]+)"
USUAL_IPV4 = PLAIN_IPV4.pattern.replace("(", "(?:", 1)
USUAL_NAME = r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,3}[a-z]{2,63}"
USUAL_PORT = "[1-9][0-9]{0,3}|[1-5][0-9]{4}"
USUAL = re.compile(
    rf"(?:(https?|socks5h?)://)?(?:{WORD}:{WORD}@)?({USUAL_IPV4}|{USUAL_NAME}):({USUAL_PORT})(?::{WORD}:{WORD})?"
)
# host:port:user:password
WHOLE = 4
# No proxy needs a longer line.
LONGEST_LINE = 8_192


class LineReading(NamedTuple):
    """One way to read a line.

    Attributes:
        ends_openly: Whether its last part is the password.
    """

    host: str
    port: int
    username: str = ""
    password: str = ""
    ends_openly: bool = False


def parse_proxy(line: str) -> Proxy:
    """The proxy that *line* names, in one of the forms above.

    Raises:
        ConfigError: The line is no proxy, or can be read in two ways. The message does not repeat it, since it may
            hold a password.
    """
    usual = USUAL.fullmatch(line)
    if usual and (usual[6] is None or (usual[2] is None and usual[4][-1].isdigit())):
        return Proxy(
            scheme=usual[1] or "http",
            host=usual[4],
            port=int(usual[5]),
            username=usual[2] or usual[6] or "",
            password=usual[3] or usual[7] or "",
        )
    if len(line) > LONGEST_LINE:
        raise _refused(f"it is longer than {LONGEST_LINE:,} characters")
    text, words, is_ended = _split(line)
    row = read_row(text, words)
    if row:
        check_scheme(row.scheme or "http")
        host, port = address_of(row.address) or ("", 0)
        return Proxy(
            scheme=row.scheme or "http",
            host=host,
            port=port,
            username=row.username,
            password=row.password,
            **_options(row.words),
        )
    if words and ":" not in text:
        raise _refused(*IN_COLUMNS)
    scheme, place = _scheme(text)
    reading = _the_one(place, has_scheme=place is not text)
    if reading.ends_openly and is_ended:
        raise _refused(
            "it ends with a comma or semicolon that may belong to the password",
            "write it in quotes, or as user:password@host:port",
        )
    host, port, username, password, _ = reading
    return Proxy(scheme=scheme, host=host, port=port, username=username, password=password, **_options(words))


def check_scheme(scheme: str) -> None:
    """Refuse a *scheme* that is not supported.

    Raises:
        ConfigError: The message names the scheme only if it is a known one.
    """
    if scheme in SCHEMES:
        return
    if scheme not in OTHER_SCHEMES:
        raise _refused("its scheme is unknown")
    why = OTHER_SCHEMES[scheme]
    raise _refused(f"the scheme {scheme} is not supported{f' ({why})' if why else ''}")


def is_blank(line: str) -> bool:
    """Whether *line* has only blanks or a comment."""
    text = line.strip(" \t\r\n\ufeff")
    return not text or text.startswith("#")


def _refused(why: str, hint: str = EXPECTED) -> ConfigError:
    return ConfigError(f"not a proxy, {why}: {hint}")


# The line: its address and its options.


def _split(line: str) -> tuple[str, Sequence[str], bool]:
    """The address, the words after it, and whether a separator ended the address."""
    text = line.strip().removeprefix("\ufeff").strip()
    if not text:
        raise _refused("it is empty")
    if "#" in text:
        text = _without_comment(text)
    behind, is_quoted = "", False
    if text[:1] in {'"', "'"}:
        text, behind = _unquoted(text)
        is_quoted = True
    address, *words = text.split()
    words += behind.strip(SEPARATORS).split()
    _check_letters(address, words)
    if words:
        words[-1] = words[-1].rstrip(SEPARATORS)
    bare = address if is_quoted else address.rstrip(SEPARATORS)
    if not bare:
        raise _refused("it is empty")
    return bare, words, bare != address


def _without_comment(text: str) -> str:
    found = re.search(r"\s#", text)
    if found is None:
        return text
    comment = text[found.start() :]
    if ADDRESS_BEHIND.search(comment):
        raise _refused("what follows a blank and # may be the rest of it", "write a blank in a password as %20")
    return text[: found.start()]


def _unquoted(text: str) -> tuple[str, str]:
    found = QUOTED.fullmatch(text)
    if found is None:
        raise _refused("it begins with a quotation mark that is never closed")
    inside, behind = found[2].strip(), found[3].strip()
    if not inside:
        raise _refused("it is empty")
    return inside, behind


def _check_letters(address: str, words: Sequence[str]) -> None:
    for word in (address, *words):
        if not word.isprintable():
            raise _refused("it has an invisible character")
    if any("@" in word for word in words):
        raise _refused(
            "a blank stands before an @", "write a blank in a password as %20 (scheme://user:a%20b@host:port)"
        )


# The address.


def _scheme(text: str) -> tuple[str, str]:
    """The scheme, and what follows it."""
    found = SCHEME.match(text)
    if found is None:
        return "http", text
    if found[1] is None:
        if found[0] != "//":
            raise _refused("it lacks the scheme before ://")
        return "http", text[found.end() :]
    scheme = found[1].lower()
    check_scheme(scheme)
    return scheme, text[found.end() :]


def _the_one(text: str, *, has_scheme: bool) -> LineReading:
    """The only reading of *text*."""
    line_readings = list(_line_readings(text))
    if len(line_readings) > 1:
        # An IP address is a host, and no user name.
        line_readings = [one for one in line_readings if not is_ip(one.username)] or line_readings
    if not line_readings:
        raise _explained(text)
    if len(line_readings) > 1:
        raise _refused(
            "it can be read in two ways",
            "write it as scheme://user:password@host:port, with %3A for a colon and %40 for an @ in user and password",
        )
    credentials, at, _ = text.rpartition("@")
    if at and not has_scheme and is_ip(credentials.rpartition(":")[0]) and address_of(credentials):
        raise _refused("host and port are before the @", "write user:password@host:port")
    return line_readings[0]


def _line_readings(text: str) -> Iterator[LineReading]:
    """All readings of *text*."""
    credentials, at, place = text.rpartition("@")
    address = address_of(place.removesuffix("/"))
    if address and not (set("/?#") & set(credentials)):
        username, _, password = credentials.partition(":")
        yield LineReading(*address, _decoded(username), _decoded(password))
    if text.count(":") < WHOLE - 1 or (address and not at):
        return
    forward = FORWARD.fullmatch(text)
    address = address_of(forward[1]) if forward and not is_bare_ipv6(text) else None
    if forward and address:
        yield LineReading(*address, forward[2], forward[3], ends_openly=True)
    backward = BACKWARD.fullmatch(text)
    address = address_of(backward[3]) if backward and not is_bare_ipv6(text) else None
    # A name without a dot in the last place is most likely a user, and its port a password.
    if backward and address and (address[0].strip(".").count(".") or ":" in address[0] or address[0] == "localhost"):
        yield LineReading(*address, backward[1], backward[2])


def _decoded(part: str) -> str:
    try:
        return unquote(part, errors="strict") if "%" in part else part
    except UnicodeDecodeError:
        raise _refused(
            "its user or password is not UTF-8 once it is percent-decoded", "write % itself as %25"
        ) from None


# Why a text is no address.


def _explained(text: str) -> ConfigError:
    credentials, at, place = text.rpartition("@")
    if {""} != set(re.split(r"\W+", text.lower())) <= HEADINGS | {""}:
        return _refused("it looks like the header of a table")
    if is_bare_ipv6(text) or is_bare_ipv6(place):
        return _refused("an IPv6 address needs brackets", "write [2001:db8::1]:8080")
    if set("/?#") & set(credentials):
        hint = "in user and password, write / as %2F, ? as %3F and # as %23 (scheme://user:a%2Fb@host:port)"
        return _refused("a /, ? or # is before the @", hint)
    if address_of(credentials):
        return _refused("host and port are before the @", "write user:password@host:port")
    bare, slash, _ = re.sub(r"[/?#]", "/", place).partition("/")
    if slash and address_of(bare):
        return _refused("something follows the port")
    return _refused(_why_no_address(bare)) if at else _explained_parts(text)


def _explained_parts(text: str) -> ConfigError:
    parts = re.sub(r"\[[^\]]*\]", "6", text).split(":")
    if len(parts) == 1 and re.search(r"[,;|]", text):
        return _refused(*IN_COLUMNS)
    if len(parts) == WHOLE - 1:
        return _refused("it has three parts", "write host:port:user:password, and host:port:user: without a password")
    if len(parts) < WHOLE:
        return _refused(_why_no_address(text))
    if parts[1].isdigit():
        return _refused(_why_no_address(f"{parts[0]}:{parts[1]}"))
    if address_of(f"{parts[-2]}:{parts[-1]}"):
        return _refused("its third part is a host without a dot", "write host:port:user:password")
    if parts[-1].isdigit():
        return _refused(_why_no_address(f"{parts[-2]}:{parts[-1]}"))
    return _refused("neither its second part nor its last part is a port")


def _why_no_address(text: str) -> str:
    """What is wrong with *text* as host and port."""
    if "[" in text or "]" in text:
        bracketed = re.fullmatch(r"(\[[^\[\]]*\])(.*)", text)
        if not bracketed or not ipv6_of(bracketed[1]):
            return "its brackets have no IPv6 address"
        host, colon, port = "host", bracketed[2][:1], bracketed[2][1:]
    else:
        host, colon, port = text.partition(":")
    if colon and not host:
        return "it lacks a host"
    if not colon or not port:
        return "it lacks a port" if host else "it lacks a host"
    if not re.fullmatch("[0-9]+", port):
        return "its port is no number"
    if len(port) > len(str(MOST_PORTS)) or not 0 < int(port) <= MOST_PORTS:
        return f"its port is not between 1 and {MOST_PORTS}"
    return "its host is neither a name nor an IP address"


# The options.


def _options(words: Sequence[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for word in words:
        key, is_option, value = word.partition("=")
        if not is_option:
            raise _refused("something follows the address", EXPECTED_OPTIONS)
        if key not in OPTIONS:
            raise _refused(f"an unknown key follows the address{_meant(key)}", EXPECTED_OPTIONS)
        if key in options:
            raise _refused(f"its {key} is given twice", EXPECTED_OPTIONS)
        options[key] = OPTIONS[key](key, value)
    return options


def _meant(key: str) -> str:
    """The key that was probably meant. Anything unlike a key may be a part of a password, and is not shown."""
    close = get_close_matches(key.lower(), OPTIONS, n=1, cutoff=0.7)
    return f" (is {close[0]}= meant?)" if close else ""


def _positive(key: str, value: str) -> float:
    try:
        number = float(value) if NUMERAL.fullmatch(value) else math.nan
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise _refused(f"its {key} is no positive finite number", f"write host:port {key}=NUMBER")
    return number


def _whole(key: str, value: str) -> int:
    if not re.fullmatch("0*[1-9][0-9]{0,8}", value):
        raise _refused(f"its {key} is no whole number above 0", f"write host:port {key}=NUMBER")
    return int(value)


def _short(key: str, value: str) -> str:
    if not 0 < len(value) <= LONGEST_NAME:
        raise _refused(f"its {key} has not between 1 and {LONGEST_NAME} characters", "write host:port name=NAME")
    return value


OPTIONS: dict[str, Callable[[str, str], object]] = {
    "cost": _positive,
    "name": _short,
    "ttl_seconds": _positive,
    "max_in_flight": _whole,
}
EXPECTED_OPTIONS = f"expected host:port, and after a blank only {', '.join(f'{key}=' for key in OPTIONS)}"
