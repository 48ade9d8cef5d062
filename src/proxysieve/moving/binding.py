"""Which exit a session of another tool had, and whom it can be here.

A session without its exit is no session: its cookies were given to another address, and shown from a new one they may
do harm. So it is left out unless the file says which proxy it used, or its name can say so to a provider.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

import msgspec

from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.fingerprints.user_agents import Browser, browser_of, nearest
from proxysieve.core.lists.address import parse_proxy
from proxysieve.core.model import SESSION_PLACEHOLDER, Outcome, Proxy
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.records import ExitRecord, SessionRecord
from proxysieve.errors import ConfigError
from proxysieve.moving.cookies import settle
from proxysieve.moving.departing import UNLISTED, address_of
from proxysieve.moving.moved import PROVIDER_NAME, FoundSession, FoundSessions, MovedSession, Reasons

EXITLESS = "nothing says which proxies they used"
AMBIGUOUS = "the list has several providers with session names, and nothing says which they used (--proxy names one)"
ENDED = "they had ended there, by the age that their user chose"
LONGEST_CREDENTIALS = 1_000


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions that have an exit.

    Attributes:
        left_out: How many have none, by the reason.
        other_fingerprints: How many have another fingerprint here, by the old and the new browser.
    """

    sessions: list[MovedSession]
    left_out: Reasons
    other_fingerprints: Reasons


def bind(
    found: FoundSessions, site: str, catalog: Catalog, fingerprints: Sequence[Fingerprint], rng: Random, now: float
) -> Bound:
    """Give the sessions in *found* that have not ended *now* exits of *catalog* and looks of *fingerprints*.

    Raises:
        ConfigError: A name cannot be that of a session at a provider.
    """
    bound = Bound(sessions=[], left_out=Reasons(found.left_out), other_fingerprints=Reasons())
    providers = [proxy for proxy in catalog if proxy.is_gateway]
    for one in found.sessions:
        place = ENDED if one.ends_at <= now else _place(one, catalog, providers)
        if isinstance(place, str):
            bound.left_out[place] += 1
            continue
        proxy, name = place
        fingerprint, change = choose_fingerprint(one.user_agent, fingerprints, rng, one.browser)
        if change:
            bound.other_fingerprints[change] += 1
        bound.sessions.append(_moved(one, site, proxy, name, fingerprint))
    return bound


def choose_fingerprint(
    user_agent: str, fingerprints: Sequence[Fingerprint], rng: Random, browser: Browser | None = None
) -> tuple[Fingerprint, str]:
    """Who is nearest to *user_agent*, any if it tells nothing; and the change in words, if it is one.

    Where *browser* is of another family, it counts.
    """
    told = browser_of(user_agent)
    if browser and (told is None or told.family != browser.family):
        told, user_agent = browser, ""
    same = next((one for one in fingerprints if one.user_agent == user_agent), None)
    if same:
        return same, ""
    fingerprint = (nearest(told, fingerprints) if told else None) or rng.choice(fingerprints)
    return fingerprint, f"{told or 'unknown'} -> {fingerprint.impersonate}"


def _place(one: FoundSession, catalog: Catalog, providers: Sequence[Proxy]) -> tuple[Proxy, str] | str:
    """The proxy of a session and its name there; or why there is none."""
    if one.proxy_url:
        return _place_of(one.proxy_url, catalog, providers) or UNLISTED
    if not providers:
        return EXITLESS
    if len(providers) > 1:
        return AMBIGUOUS
    if not PROVIDER_NAME.fullmatch(one.name):
        raise ConfigError(
            f"{one.name[:40]!r} cannot be the name of a session at a provider: it would not be understood"
        )
    return providers[0], one.name


def _place_of(url: str, catalog: Catalog, providers: Sequence[Proxy]) -> tuple[Proxy, str] | None:
    try:
        used = parse_proxy(url)
    except ConfigError:
        return None
    listed = catalog.get(used.key)
    if listed:
        return listed, ""
    for provider in providers:
        name = _name_at(provider, used)
        if name:
            return provider, name
    if used.username or used.password:
        return None
    # An address alone is enough where only one proxy is there.
    there = [proxy for proxy in catalog if not proxy.is_gateway and address_of(proxy) == address_of(used)]
    return (there[0], "") if len(there) == 1 else None


def _name_at(provider: Proxy, used: Proxy) -> str:
    """The session name that *used* tells *provider*; empty if it is another proxy."""
    if address_of(provider) != address_of(used) or len(used.username) + len(used.password) > LONGEST_CREDENTIALS:
        return ""
    first, *rest = map(re.escape, f"{provider.username}\0{provider.password}".split(SESSION_PLACEHOLDER))
    # The name may stand there more than once.
    pattern = f"{first}([!-~]+)" + r"\1".join(rest)
    found = re.fullmatch(pattern, f"{used.username}\0{used.password}")
    return found[1] if found else ""


def _moved(one: FoundSession, site: str, proxy: Proxy, name: str, fingerprint: Fingerprint) -> MovedSession:
    session = SessionRecord(
        name=one.name,
        proxy_key=proxy.key,
        exit_name=name,
        fingerprint=fingerprint,
        opened_at=one.opened_at,
        worked_at=one.opened_at,
        draw_count=1,
        ok_count=one.ok_count,
    )
    return MovedSession(
        session=session,
        address=address_of(proxy),
        exit=ExitRecord(ok_count=one.ok_count, last=Outcome.OK, last_ok_at=one.used_at),
        cookies=[settle(cookie, site) for cookie in one.cookies],
        data=one.data,
    )
