"""Gateway providers: what each makes of a session's name. The table comes from outside (``providers.toml``).

A gateway ignores a name that it cannot read, without a word. Then cookies travel from address to address. So the table
says which names a provider takes and for how long it keeps the exit, and a session ends before its exit may.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random
from typing import Literal

import msgspec

from proxysieve.core.model import SESSION_PLACEHOLDER, Proxy

NAME_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
# All that is known take names of this length, unless they take numbers.
NAME_LENGTH = 8
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


class Provider(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A provider whose gateway gives every session name an exit of its own.

    Attributes:
        hosts: How the names of its gateways end.
        line: How a proxy of its is written.
        source: Where all that is told.
        having: What stands in user name or password of the exits that are meant, where it has others.
        number: The range of its names, where they are numbers.
        ttl_seconds: How long it keeps an exit at the most, if the line does not say it; 0 if that is not told.
        ttl_mark: What stands before that time in a user name or password.
        ttl_unit: The unit of it.
        idle_seconds: After how long without a request somebody else gets the exit; 0 if that is not told.
    """

    name: str
    hosts: tuple[str, ...]
    line: str
    source: str
    having: str = ""
    number: tuple[int, int] | None = None
    ttl_seconds: float = 0.0
    ttl_mark: str = ""
    ttl_unit: Literal["s", "m", "h"] = "m"
    idle_seconds: float = 0.0


def fill_in(proxy: Proxy, providers: Sequence[Provider]) -> Proxy:
    """*proxy* with what its provider is known to do, if it is a gateway of one; what its line says counts for more."""
    provider = _provider_of(proxy, providers) if proxy.is_gateway else None
    if provider is None:
        return proxy
    return msgspec.structs.replace(
        proxy,
        ttl_seconds=proxy.ttl_seconds or _ttl_said(proxy, provider) or provider.ttl_seconds,
        idle_seconds=proxy.idle_seconds or provider.idle_seconds,
        numbers=provider.number,
    )


def exit_name(proxy: Proxy, rng: Random) -> str:
    """A name for a session's exit, as the provider behind *proxy* takes it."""
    if proxy.numbers:
        return str(rng.randint(*proxy.numbers))
    return "".join(rng.choices(NAME_LETTERS, k=NAME_LENGTH))


def _provider_of(proxy: Proxy, providers: Sequence[Provider]) -> Provider | None:
    credentials = f"{proxy.username} {proxy.password}"
    return next((one for one in providers if proxy.host.endswith(one.hosts) and one.having in credentials), None)


def _ttl_said(proxy: Proxy, provider: Provider) -> float:
    """The time that stands in the user name or the password; 0 if there is none."""
    if not provider.ttl_mark:
        return 0.0
    # What is filled in for the name may look like anything.
    credentials = f"{proxy.username} {proxy.password}".replace(SESSION_PLACEHOLDER, "")
    said = re.search(rf"{re.escape(provider.ttl_mark)}(\d{{1,9}})([smh]?)", credentials)
    return int(said[1]) * UNITS[said[2] or provider.ttl_unit] if said else 0.0
