"""What an exchange says."""

from __future__ import annotations

import enum

import msgspec

# The longest cooldown, whatever the site said: clocks and headers may be wrong.
LONGEST_COOLDOWN_SECONDS = 86400.0


class Reach(enum.IntEnum):
    """How far a request goes beyond what the site is known to allow."""

    PROVEN = 0  # not at all
    UNPROVEN = 1  # within all known limits, but nobody has gone so far yet
    AHEAD = 2  # ahead of the others, to find out how far they may go
    PAST_LIMIT = 3  # past a known limit, to find out whether it still holds


class Outcome(enum.StrEnum):
    """What an exchange says."""

    OK = "ok"
    BLOCKED = "blocked"
    THROTTLED = "throttled"
    SITE_ERROR = "site_error"
    PROXY_ERROR = "proxy_error"
    UNCLEAR = "unclear"


class Scope(enum.StrEnum):
    """What a refusal is aimed at, and so who else will meet it."""

    EXIT = "exit"  # the address
    NETWORK = "network"  # its neighbours too, up to all of its operator's (ASN)
    COUNTRY = "country"  # all addresses of a country, or of all but some
    SESSION = "session"  # this session: its cookies, browser or TLS; another one from the same exit may pass
    PROXY = "proxy"  # all requests through the proxy, by any exit of it: its login, its plan
    RESOURCE = "resource"  # what was asked for: it is refused to everybody


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What was made of an exchange, and why.

    Attributes:
        why: The sign that decided, in a few words.
        vendor: Whose block it is, where that is known.
        sign: The name of the sign that decided, as ``signs.toml`` and :mod:`proxysieve.core.verdicts.judge` have
            it; empty where nothing spoke.
        scope: What a refusal is aimed at; None where that is not known, and for all that is none.
        confidence: How likely the outcome is to be right, from 0 to 1.
        until: Unix seconds before which the site asked not to be asked again.
        is_final: Whether another try cannot bring anything else.
    """

    outcome: Outcome
    why: str = ""
    vendor: str = ""
    sign: str = ""
    scope: Scope | None = None
    confidence: float = 1.0
    until: float = 0.0
    is_final: bool = False

    @property
    def is_of_proxy(self) -> bool:
        """Whether a proxy refuses whoever comes through it: none of its exits is to blame, and all would meet it."""
        return self.scope is Scope.PROXY and self.outcome is Outcome.PROXY_ERROR


OK = Verdict(outcome=Outcome.OK)


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One try of a request: with what, and how it went.

    Attributes:
        proxy: Without the password.
        why: The sign that decided, in a few words, with its vendor.
        counted: Whether it used up one of the request's attempts.
        seconds: How long it took.
        vendor: Whose block it was, where that is known.
        sign: The name of the sign that decided.
        scope: What a refusal was aimed at, where that is known.
    """

    session: str
    proxy: str
    verdict: Outcome
    why: str
    status: int
    seconds: float
    counted: bool
    vendor: str = ""
    sign: str = ""
    scope: Scope | None = None
