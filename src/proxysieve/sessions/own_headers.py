"""The user's own headers, on top of those of a session's fingerprint: which are allowed, and where each one goes.

A header is for one site, or for every site that is asked, and a request carries those of the site that it asks. What
becomes of the request later changes that only for the worse, whoever leads it on, :func:`headers_for_hop`:

- A header leaves its site by no redirect, and never goes from https to http.
- One that carries a secret stays with the host and the port that were asked. Thus curl does it since 7.83.0
  (CVE-2022-27776), with ``Authorization`` and ``Cookie``; and browsers take ``Authorization`` away from a redirect to
  another origin (Fetch standard, HTTP-redirect fetch). As in Requests (``should_strip_auth``) and HTTPX, the step from
  http to https of the same host, each on its usual port, takes nothing away.

A secret is told by the header's name (:data:`SECRET`), and must be given for a site, unless there is only one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from proxysieve.core.urls.parsing import DEFAULT_PORTS, Endpoint, place_of
from proxysieve.errors import ConfigError
from proxysieve.site_of import site_of

# What a header's name is made of (RFC 9110, 5.6.2).
WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
NAME = re.compile(WORD)
# Names of headers have no = in them, and those of hosts neither blanks nor colons.
FOR_A_SITE = re.compile(
    rf"(?P<site>(?:\[[^\s=\]]*\]|[^\s=:]+)(?::[0-9]+)?)=[ \t]*(?P<name>{WORD})[ \t]*:(?P<value>.*)", re.DOTALL
)
SCHEMES = frozenset({"http", "https"})
EXPECTED = "expected 'Name: value', or 'SITE=Name: value'"
EXPECTED_SITE = "expected a host as in shop.example, api.shop.example or shop.example:8443"
# By these parts of its name a header carries a secret: Authorization, X-Auth, X-Api-Key, Ocp-Apim-Subscription-Key,
# PRIVATE-TOKEN, X-CSRFToken, X-Session-Id, CF-Access-Client-Secret, X-Hub-Signature. What is taken for one and is none,
# as Idempotency-Key, only stays nearer to where it was sent.
SECRET = re.compile(
    r"auth|bearer|cookie|credential|csrf|xsrf|jwt|passw|passphrase|pwd|secret|session|signature|token|keys?(?![a-z])",
    re.IGNORECASE,
)
OF_THE_FINGERPRINT = "is part of the fingerprint, and another one would give the session away"
OF_THE_CLIENT = "is for the client to say"
RESERVED = {
    "user-agent": OF_THE_FINGERPRINT,
    "cookie": "would be the same in every session: give cookies that they start with instead (--cookie-file)",
    "accept-encoding": OF_THE_CLIENT,
    "connection": OF_THE_CLIENT,
    "content-length": OF_THE_CLIENT,
    "host": OF_THE_CLIENT,
    "transfer-encoding": OF_THE_CLIENT,
}
# What stands in no name of a host and its port.
NO_SITE = re.compile(r"[\s/\\?#@]")
PORT = re.compile(r":[0-9]+\Z")

Given = Mapping[str, str | Mapping[str, str]]


class OwnHeader(NamedTuple):
    """One header.

    Attributes:
        site: A registrable domain, with all its hosts; or a host, or one with its port. Empty: for every site.
    """

    site: str
    name: str
    value: str

    @property
    def is_secret(self) -> bool:
        """Whether its value is for nobody else to see."""
        return is_secret(self.name)

    def __repr__(self) -> str:
        return f"<OwnHeader {self.site}={self.name}>" if self.site else f"<OwnHeader {self.name}>"


def is_secret(name: str) -> bool:
    """Whether a header called *name* carries a secret."""
    return SECRET.search(name) is not None


def parse_header(text: str) -> OwnHeader:
    """A header of ``Name: value``, or ``SITE=Name: value``.

    Raises:
        ConfigError: It is none. The message has at most its name, as the value may be a secret.
    """
    found = FOR_A_SITE.fullmatch(text.strip())
    if found:
        return OwnHeader(*map(str.strip, found.group("site", "name", "value")))
    name, colon, value = text.partition(":")
    # An address in a site's place would be one long header for all sites.
    if not colon or not NAME.fullmatch(name.strip()) or name.strip().lower() in SCHEMES:
        raise ConfigError(f"not a header: {EXPECTED}")
    return OwnHeader("", name.strip(), value.strip())


class OwnHeaders:
    """Headers by the sites that they are for.

    Raises:
        ConfigError: One is no header, or is not the user's to say, or its site is none.
    """

    def __init__(self, headers: Iterable[OwnHeader] = ()) -> None:
        self._headers = tuple(map(_checked, headers))

    @classmethod
    def of(cls, headers: Given | OwnHeaders) -> OwnHeaders:
        """Those in *headers*: values by names, for every site; or such a mapping by a site, for that one."""
        return headers if isinstance(headers, OwnHeaders) else cls(_headers_in(headers))

    def bound_to(self, urls: Iterable[str] = ()) -> OwnHeaders:
        """The same where *urls* are asked for: a secret that is for every site is for the one that they are of.

        Raises:
            ConfigError: They are not of one site, and a secret is given for none.
        """
        secret = next((one for one in self._headers if one.is_secret and not one.site), None)
        if secret is None:
            return self
        sites = sorted({site_of(url) for url in urls})
        if len(sites) != 1:
            raise ConfigError(_needs_a_site(secret, sites))
        bound = OwnHeaders()
        bound._headers = tuple(
            one._replace(site=sites[0]) if one.is_secret and not one.site else one for one in self._headers
        )
        return bound

    def at(self, url: str) -> dict[str, str]:
        """Those that a request for *url* carries. What is given for a narrower place counts for more."""
        if not self._headers:
            return {}
        places = ["", *places_of(url)]
        fitting = [one for one in self._headers if one.site in places]
        return merged(*({one.name: one.value} for one in sorted(fitting, key=lambda one: places.index(one.site))))

    def unused_at(self, urls: Iterable[str]) -> list[str]:
        """Those that no request for *urls* carries, in words."""
        wanted = {one.site for one in self._headers if one.site}
        for url in urls if wanted else ():
            wanted.difference_update(places_of(url))
            if not wanted:
                break
        unused = [one for one in self._headers if one.site in wanted]
        return [f"the header {one.name} for {one.site}, as no URL is of that site" for one in unused]

    def __repr__(self) -> str:
        return f"<OwnHeaders {', '.join(f'{one.site}={one.name}'.lstrip('=') for one in self._headers)}>"


def merged(*headers: Mapping[str, str]) -> dict[str, str]:
    """All *headers* in one, each name once in whatever case it is: the last one counts."""
    by_name = {name.lower(): (name, value) for one in headers for name, value in one.items()}
    return dict(by_name.values())


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """*headers*, if each of them may be set by a user.

    Raises:
        ConfigError: One is no header, or is not the user's to say.
    """
    for name, value in headers.items():
        _check(name, value)
    return dict(headers)


def headers_for_hop(headers: Mapping[str, str], asked_url: str, hop_url: str) -> dict[str, str]:
    """Those of *headers*, which a request for *asked_url* carries, that may go to *hop_url* as well.

    Where it leads away and back again, what was taken away is back, as with curl; whoever hands in what the hop before
    carried keeps it away, as browsers do.

    Args:
        headers: All that are sent on top of the fingerprint's.
        asked_url: What was asked for first.
        hop_url: Where a redirect leads, or what a page loads. What is no URL gets nothing.
    """
    if not headers or hop_url == asked_url:
        return dict(headers)
    try:
        asked, hop = place_of(asked_url), place_of(hop_url)
    except ConfigError:
        return {}
    is_weaker = asked.scheme == "https" and hop.scheme == "http"
    if is_weaker or site_of(asked_url) != site_of(hop_url):
        return {}
    is_same_host = asked.host == hop.host and (asked.port == hop.port or (_is_usual(asked) and _is_usual(hop)))
    return {name: value for name, value in headers.items() if is_same_host or not is_secret(name)}


def places_of(url: str) -> tuple[str, ...]:
    """What the place of *url* is called, the widest first: its site, its host, and that with its port.

    Raises:
        ConfigError: It is no URL.
    """
    place, site = place_of(url), site_of(url)
    is_within = place.host.endswith(f".{site}")
    return (site, *([place.host] if is_within else []), place.with_port)


def _is_usual(place: Endpoint) -> bool:
    """Whether its port is that of its scheme."""
    return DEFAULT_PORTS[place.scheme] == place.port


def _place(header: OwnHeader) -> str:
    """The site of *header*, written as :func:`places_of` does."""
    if not header.site:
        return ""
    try:
        place = None if NO_SITE.search(header.site) else place_of(f"http://{header.site}/")
    except ConfigError:
        place = None
    if place is None:
        raise ConfigError(f"what the header {header.name} is given for is no site: {EXPECTED_SITE}")
    return place.with_port if PORT.search(header.site) else place.written_host


def _headers_in(headers: Given) -> Iterator[OwnHeader]:
    for key, value in headers.items():
        if isinstance(value, str):
            yield OwnHeader("", key, value)
        elif key and isinstance(value, Mapping):
            yield from (OwnHeader(key, name, text) for name, text in value.items())
        else:
            raise ConfigError("not headers: expected a mapping of names to values, or of sites to such mappings")


def _checked(header: OwnHeader) -> OwnHeader:
    _check(header.name, header.value)
    return header._replace(site=_place(header))


def _check(name: str, value: str) -> None:
    if not NAME.fullmatch(name):
        raise ConfigError(f"not a header, its name is made of other characters than they are: {EXPECTED}")
    if not (value.isascii() and (value.isprintable() or not value)):
        raise ConfigError(f"the value of the header {name} cannot be sent: expected printable ASCII characters")
    lower = name.lower()
    why = RESERVED.get(lower)
    if lower.startswith("sec-ch-ua"):
        why = OF_THE_FINGERPRINT
    elif lower.startswith("proxy-"):
        why = "is between the client and the proxy"
    if why:
        raise ConfigError(f"the header {name} cannot be set: it {why}")


def _needs_a_site(header: OwnHeader, sites: list[str]) -> str:
    if not sites:
        how = f"headers={{'shop.example': {{{header.name!r}: ...}}}}"
        return f"the header {header.name} is a secret, and a pool may ask any site: say whose it is, as in {how}"
    how = f"--header '{sites[0]}={header.name}: ...'"
    return (
        f"the header {header.name} is a secret, and the URLs are of {len(sites):,} sites: say whose it is, as in {how}"
    )
