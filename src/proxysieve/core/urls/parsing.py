"""URLs as they are sent, as places to connect to, and as redirects lead from one to the next.

A URL stays as it was written, as its letters may be a signature or a key: an escape that nobody needs is no fault, and
its case is its own. Only what a browser's parser changes is changed (https://url.spec.whatwg.org/): the host's
spelling, the way that ``..`` goes back, and letters that stand in no URL, which are escaped as UTF-8.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from proxysieve.core.urls.hosts import MOST_PORTS, url_host
from proxysieve.errors import ConfigError

# No server takes longer ones.
LONGEST_URL = 65_536
# Names of hosts have 253 letters; a user and a password may come before it.
LONGEST_AUTHORITY = 2_048
DEFAULT_PORTS = {"http": 80, "https": 443}
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
# A caller's own, of which nothing is guessed: whose host is not where it should be was not meant for a URL.
WHOLE = re.compile(r"https?://[^/\\?#]", re.IGNORECASE)
# As most are: read at once, with the same result. A list may have a million.
USUAL = re.compile(r"(https?)://((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,3}[a-z]{2,60})(?=[/?#]|\Z)")
USUAL_LENGTH = LONGEST_URL // 3
# What browsers drop around a URL, and within.
AROUND = "".join(map(chr, range(0x21)))
WITHIN = re.compile(r"[\t\n\r]")
SLASHES = "/\\"
# Behind the authority: the path up to the query, up to the fragment.
PARTS = re.compile(r"([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL)
AUTHORITY_END = re.compile(r"[/\\?#]")
# What is escaped, by its place: the percent-encode sets of https://url.spec.whatwg.org/#percent-encoded-bytes. Of a
# query browsers escape the ' too, which stands in URLs (RFC 3986, 2.2), and so may be signed.
OF_PATHS = re.compile(r"[^!$-;=@-\]_a-z|~]")
OF_QUERIES = re.compile(r"[^!$-;=?-~]")
OF_FRAGMENTS = re.compile(r"[^!#-;=?-_a-~]")
OF_LOGINS = re.compile(r"[^!$-.0-9A-Z_a-z~%]")
BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
# The segments of a path that go nowhere, and one back.
HERE = re.compile(r"\.|%2e", re.IGNORECASE)
BACK = re.compile(r"(?:\.|%2e){2}", re.IGNORECASE)
HAS_DOTS = re.compile(r"[/\\](?:\.|%2e){1,2}(?:[/\\]|\Z)", re.IGNORECASE)

# Of text that is no URL, as much is shown, if it can be no list of proxies.
MOST_SHOWN = 100
# A port takes one colon; a line of a proxy list takes three.
MANY_COLONS = 3
A_SCHEME = re.compile(r"https?://|data:", re.IGNORECASE)
OF_LISTS = re.compile(r"[\s,;|=]")


class Endpoint(NamedTuple):
    """Where the request for a URL is sent to.

    Attributes:
        scheme: ``http`` or ``https``.
        host: In lower case and ASCII, without a final dot, and without brackets where it is an IPv6 address.
        port: Always a number.
    """

    scheme: str
    host: str
    port: int

    @property
    def written_host(self) -> str:
        """The host as URLs have it: an IPv6 address has brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def with_port(self) -> str:
        """Host and port, as a proxy is told them."""
        return f"{self.written_host}:{self.port}"

    @property
    def authority(self) -> str:
        """Host and port as URLs have them: the scheme's own port is left out."""
        return self.written_host if self.port == DEFAULT_PORTS[self.scheme] else self.with_port

    @property
    def origin(self) -> str:
        """Such as ``https://shop.example``."""
        return f"{self.scheme}://{self.authority}"


class Parts(NamedTuple):
    """A URL, taken apart and escaped.

    Attributes:
        login: User and password as they stand before the ``@``; empty if there are none.
        host: As of :func:`~proxysieve.core.urls.hosts.url_host`.
        port: 0 for the scheme's own.
        query: Without its ``?``; None if there is no ``?``. The same for *fragment* and its ``#``.
    """

    scheme: str
    login: str
    host: str
    port: int
    path: str
    query: str | None
    fragment: str | None

    @property
    def origin(self) -> tuple[str, str, int]:
        """What must be the same for two URLs to trust each other."""
        return self.scheme, self.host, self.port

    def sent(self) -> str:
        """All of it but the fragment."""
        login, port = f"{self.login}@" if self.login else "", f":{self.port}" if self.port else ""
        query = "" if self.query is None else f"?{self.query}"
        return f"{self.scheme}://{login}{self.host}{port}{self.path}{query}"

    def whole(self) -> str:
        """All of it."""
        return self.sent() if self.fragment is None else f"{self.sent()}#{self.fragment}"


NOWHERE = Parts("", "", "", 0, "/", None, None)


def as_sent(url: str) -> str:
    """*url* as it is written into a request, letter by letter where that can be; a second time changes nothing.

    The scheme and the host are spelled as browsers do, without the scheme's own port; a final dot of the host stays,
    as in their ``Host`` header. A path is ``/`` at least. A user and a password stay; a fragment is never sent.

    Raises:
        ConfigError: It cannot be asked for.
    """
    return _own(url).sent()


def place_of(url: str) -> Endpoint:
    """Where *url* is asked for.

    Raises:
        ConfigError: It cannot be asked for.
    """
    usual = USUAL.match(url)
    if usual and len(url) < USUAL_LENGTH and url.isascii():
        return Endpoint(usual[1], usual[2], DEFAULT_PORTS[usual[1]])
    parts = _own(url)
    host = parts.host.strip("[]").removesuffix(".")
    return Endpoint(parts.scheme, host, parts.port or DEFAULT_PORTS[parts.scheme])


def joined(base: str, location: str) -> str:
    """Where the header ``Location`` leads from *base*, as browsers read it; empty if to no page of http or https.

    A user and a password of its own are left out: they are the site's words. Those of *base* go on at the same origin.

    Args:
        base: The URL that was asked for; from what is none, a whole URL leads on. Its fragment goes on where *location*
            has none (Fetch, HTTP-redirect fetch).
        location: Its bytes as latin-1; those beyond ASCII are escaped one by one, as Chromium does, so that UTF-8 stays
            what it is, and so does what is none.
    """
    text = WITHIN.sub("", location.strip(AROUND))
    if not text or len(text) > LONGEST_URL:
        return ""
    try:
        start = _own(base)
    except ConfigError:
        start = NOWHERE
    try:
        led = _led(start, BEYOND_ASCII.sub(_escape_byte, text))
    except ValueError:
        return ""
    login = start.login if led.origin == start.origin else ""
    fragment = start.fragment if led.fragment is None else led.fragment
    whole = led._replace(login=login, fragment=fragment).whole()
    return whole if len(whole) <= LONGEST_URL else ""


@lru_cache(maxsize=256)
def _own(url: str) -> Parts:
    """The parts of a URL that stands for itself."""
    text = url.strip(AROUND)
    if len(text) > LONGEST_URL:
        raise ConfigError(f"not a URL: it is longer than {LONGEST_URL:,} characters")
    if not WHOLE.match(text):
        raise ConfigError(f"{_not_a_url(url)}: expected http://… or https://…")
    scheme, _, rest = text.partition("://")
    try:
        parts = _with_authority(scheme.lower(), rest)
    except UnicodeEncodeError:
        raise ConfigError("not a URL: it has half a letter in it, which cannot be sent") from None
    except ConfigError as error:
        raise ConfigError(f"{_not_a_url(url)}: {error}") from None
    if len(parts.sent()) > LONGEST_URL:
        raise ConfigError(f"not a URL: with its escapes it is longer than {LONGEST_URL:,} characters")
    return parts


def _led(base: Parts, text: str) -> Parts:
    """The reference *text*, from *base*."""
    found = SCHEME.match(text)
    if found:
        scheme, text = found[1].lower(), text[found.end() :]
        if scheme not in DEFAULT_PORTS:
            raise ConfigError("it is of another scheme")
        if scheme != base.scheme:
            return _with_authority(scheme, text.lstrip(SLASHES))
    if base is NOWHERE:
        raise ConfigError("it leads on from nowhere")
    if text[:1] in SLASHES and text[1:2] in SLASHES and len(text) > 1:
        return _with_authority(base.scheme, text.lstrip(SLASHES))
    path, query, fragment = _split(text)
    if not path:
        return base._replace(query=base.query if query is None else _query(query), fragment=_fragment(fragment))
    if path[0] not in SLASHES:
        path = f"{base.path[: base.path.rfind('/') + 1]}{path}"
    return base._replace(path=_path(path), query=_query(query), fragment=_fragment(fragment))


def _with_authority(scheme: str, text: str) -> Parts:
    """The parts of what begins with the authority."""
    end = AUTHORITY_END.search(text)
    at = end.start() if end else len(text)
    if at > LONGEST_AUTHORITY:
        raise ConfigError(f"its host has more than {LONGEST_AUTHORITY:,} letters")
    login, _, place = text[:at].rpartition("@")
    host, port = _host_and_port(place)
    path, query, fragment = _split(text[at:])
    own_port = 0 if port == DEFAULT_PORTS[scheme] else port
    return Parts(scheme, _login(login), host, own_port, _path(path), _query(query), _fragment(fragment))


# Hosts are few, and their spelling is most of the work.
@lru_cache(maxsize=4096)
def _host_and_port(place: str) -> tuple[str, int]:
    """Both of *place*; without a port, 0, which no site has."""
    written, colon, port = place.rpartition(":")
    if not colon or "]" in port:
        written, port = place, ""
    digits = port.lstrip("0")
    is_port = not port or (port.isascii() and port.isdecimal() and digits and len(digits) <= len(str(MOST_PORTS)))
    if not is_port or int(digits or "0") > MOST_PORTS:
        raise ConfigError("its host or port cannot be read")
    host = url_host(written)
    if not host:
        raise ConfigError("its host is neither a name nor an IP address")
    return host, int(digits or "0")


def _split(text: str) -> tuple[str, str | None, str | None]:
    found = PARTS.fullmatch(text)
    assert found, "whatever stands there is a path, a query or a fragment"  # noqa: S101
    return found[1], found[2], found[3]


def _login(login: str) -> str:
    user, _, password = login.partition(":")
    user, password = OF_LOGINS.sub(_escape, user), OF_LOGINS.sub(_escape, password)
    return f"{user}:{password}" if password else user


def _path(path: str) -> str:
    """*path* from the root, without segments that go nowhere or back."""
    path = path.replace("\\", "/")
    if HAS_DOTS.search(path):
        path = _without_dots(path)
    return OF_PATHS.sub(_escape, path) if path.startswith("/") else "/"


def _without_dots(path: str) -> str:
    kept: list[str] = []
    *segments, last = path.split("/")[1:]
    for segment in segments:
        if BACK.fullmatch(segment):
            del kept[-1:]
        elif not HERE.fullmatch(segment):
            kept.append(segment)
    if BACK.fullmatch(last):
        del kept[-1:]
    is_folder = BACK.fullmatch(last) or HERE.fullmatch(last)
    return "".join(f"/{segment}" for segment in [*kept, "" if is_folder else last])


def _query(query: str | None) -> str | None:
    return None if query is None else OF_QUERIES.sub(_escape, query)


def _fragment(fragment: str | None) -> str | None:
    return None if fragment is None else OF_FRAGMENTS.sub(_escape, fragment)


def _escape(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode())


def _escape_byte(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}" if found[0] <= "\xff" else _escape(found)


def _not_a_url(text: str) -> str:
    # Whoever mistakes one list for the other shows us proxies with their passwords.
    # Tables of those, cookies and settings have blanks, separators or an = in their lines.
    is_harmless = (
        "@" not in text
        and (A_SCHEME.match(text) or not OF_LISTS.search(text))
        and ("[" in text or text.count(":") < MANY_COLONS)
    )
    shown = text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 1]}\N{HORIZONTAL ELLIPSIS}"
    return f"not a URL: {shown!r}" if is_harmless else "not a URL"
