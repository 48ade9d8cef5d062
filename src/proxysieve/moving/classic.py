"""The sessions of the algorithm of 2019: ``SESSIONS``, an object of objects with a name and a user agent.

It stored a session after it had worked, and deleted it at its first failure. So all sessions in the file work. It did
not store when they were opened.
"""

from __future__ import annotations

from typing import Any

from proxysieve.errors import ConfigError
from proxysieve.moving.values import FoundSession, FoundSessions, Reasons, check_count, check_name

ORIGIN = "the algorithm of 2019"
UNDATED = "their file does not say how old they are, so their age counts from when it was written"


def is_classic(value: dict[str, Any]) -> bool:
    """Whether *value* looks like such an object."""
    return bool(value) and all(isinstance(one, dict) and {"name", "userAgent"} <= one.keys() for one in value.values())


def read_classic(value: dict[str, Any], written_at: float) -> FoundSessions:
    """The sessions in *value*. Other fields of a session become its user data.

    Raises:
        ConfigError: One of them is damaged.
    """
    check_count(value)
    sessions = [_session(key, one, written_at) for key, one in value.items()]
    return FoundSessions(origin=ORIGIN, sessions=sessions, left_out=Reasons(), notes=[UNDATED])


def _session(key: str, value: dict[str, Any], written_at: float) -> FoundSession:
    rest = dict(value)
    # A name in JavaScript may also be a number.
    name, user_agent, proxy_url = str(rest.pop("name")), rest.pop("userAgent"), rest.pop("proxyUrl", "")
    if name != key or not isinstance(user_agent, str) or not isinstance(proxy_url, str):
        raise ConfigError(f"the session {key[:40]!r} of {ORIGIN} is damaged")
    check_name(name)
    return FoundSession(
        name=name, opened_at=written_at, used_at=written_at, user_agent=user_agent, proxy_url=proxy_url, data=rest
    )
