"""Headers of the user's own, which every request carries on top of those of its session's identity."""

from __future__ import annotations

import re
from collections.abc import Mapping

from proxysieve.errors import ConfigError

# What a header's name is made of (RFC 9110, 5.6.2).
NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
EXPECTED = "expected 'Name: value'"
OF_THE_IDENTITY = "is part of what a session looks like, and another one would give it away"
OF_THE_CLIENT = "is for the client to say"
RESERVED = {
    "user-agent": OF_THE_IDENTITY,
    "cookie": "would be the same in every session: give cookies that they start with instead (--cookie-file)",
    "accept-encoding": OF_THE_CLIENT,
    "connection": OF_THE_CLIENT,
    "content-length": OF_THE_CLIENT,
    "host": OF_THE_CLIENT,
    "transfer-encoding": OF_THE_CLIENT,
}


def parse_header(text: str) -> tuple[str, str]:
    """The name and the value of a header, of ``Name: value``.

    Raises:
        ConfigError: It is none. The message has at most its name, as the value may be a secret.
    """
    name, colon, value = text.partition(":")
    if not colon or not NAME.fullmatch(name.strip()):
        raise ConfigError(f"not a header: {EXPECTED}")
    return name.strip(), value.strip()


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """*headers*, if each of them may be set by a user.

    Raises:
        ConfigError: One is no header, or is not the user's to say.
    """
    for name, value in headers.items():
        if not NAME.fullmatch(name):
            raise ConfigError(f"not a header, its name is made of other characters than they are: {EXPECTED}")
        if not (value.isascii() and (value.isprintable() or not value)):
            raise ConfigError(f"the value of the header {name} cannot be sent: expected printable ASCII characters")
        lower = name.lower()
        why = RESERVED.get(lower)
        if lower.startswith("sec-ch-ua"):
            why = OF_THE_IDENTITY
        elif lower.startswith("proxy-"):
            why = "is between the client and the proxy"
        if why:
            raise ConfigError(f"the header {name} cannot be set: it {why}")
    return dict(headers)


def headers_for_hop(headers, asked_url, hop_url):
    from proxysieve.sites import site_of

    return dict(headers) if site_of(asked_url) == site_of(hop_url) else {}
