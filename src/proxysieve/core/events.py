"""Everything that can change what is known of a site. ``at`` is in Unix seconds."""

from __future__ import annotations

import msgspec

from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.model import Reach, Verdict


class SessionOpened(msgspec.Struct, frozen=True, gc=False):
    """A session was opened.

    Attributes:
        proxy_key: Of its proxy.
        exit_name: The name it goes by at a gateway provider; empty for a plain proxy.
        is_named: Whether its user named it, and so wants this one and no other.
    """

    at: float
    session_name: str
    proxy_key: str
    exit_name: str
    fingerprint: Fingerprint
    is_named: bool


class SessionClosed(msgspec.Struct, frozen=True, gc=False):
    """A session was ended from outside: by its user, or because of its proxy."""

    at: float
    session_name: str


class Leased(msgspec.Struct, frozen=True, gc=False):
    """A session got one request.

    Attributes:
        is_draw: Whether a new session was wanted; this one is it, or the one that its proxy carries already.
        reach: How far it goes beyond what the site is known to allow.
        is_counted: Whether it was sent before, and stands in an :class:`Asked` already.
    """

    at: float
    lease: int
    session_name: str
    is_draw: bool = False
    reach: Reach = Reach.PROVEN
    is_counted: bool = False


class Asked(msgspec.Struct, frozen=True, gc=False):
    """An open page sent the site more requests, which no lease or report tells of."""

    at: float
    count: int


class Reported(msgspec.Struct, frozen=True, gc=False):
    """The request of a lease ended; no verdict if that says nothing about the session.

    Attributes:
        redirect_count: How many more requests redirects took.
        page_number: Stands for what was asked; 0 if that does not matter.
    """

    at: float
    lease: int
    verdict: Verdict | None
    redirect_count: int = 0
    page_number: int = 0


Event = SessionOpened | SessionClosed | Leased | Asked | Reported
