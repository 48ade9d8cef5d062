"""Writes sessions of a store into a file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from proxysieve.core.model import Outcome, Proxy
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.records import ExitRecord, Record, SessionRecord, decode
from proxysieve.core.site.sessions import ends_at
from proxysieve.moving.values import Export, MovedSession, Reasons
from proxysieve.sessions.storage import BrowserRecord, CookieRecord

UNLISTED = "their proxies are not in the list"
TOO_OLD = "they are older than 24 h or than their proxy's ttl_seconds, and their exits may belong to others by now"
REFUSED = frozenset({Outcome.BLOCKED, Outcome.PROXY_ERROR})


class Packing(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions to move, and how many stay, by the reason."""

    export: Export
    left_out: Reasons


def is_over_age(session: SessionRecord, proxy: Proxy | None, now: float) -> bool:
    """Whether *session* has ended by its age. A named session that is lost is reported as lost instead."""
    return not session.is_named and now >= ends_at(session, proxy)


def pack(site: str, catalog: Catalog, records: Iterable[Record], now: float) -> Packing:
    """The sessions of *site* whose proxies are in *catalog*, from the *records* of its store.

    Raises:
        msgspec.DecodeError: A record is damaged.
    """
    kept = {(record.kind, record.key): record.value or b"" for record in records}
    left_out, moved = Reasons(), []
    for (kind, name), value in kept.items():
        if kind != "session":
            continue
        session = decode(value, SessionRecord)
        proxy = catalog.get(session.proxy_key)
        if proxy is None:
            left_out[UNLISTED] += 1
        elif is_over_age(session, proxy, now):
            left_out[TOO_OLD] += 1
        else:
            moved.append(
                MovedSession(
                    session=session,
                    address=address_of(proxy),
                    exit=decode(kept.get(("exit", session.exit_id), b"{}"), ExitRecord),
                    cookies=decode(kept.get(("cookies", name), b"[]"), list[CookieRecord]),
                    data=decode(kept.get(("data", name), b"{}"), dict[str, Any]),
                    browser=decode(kept.get(("browser", name), b"{}"), BrowserRecord),
                )
            )
    moved.sort(key=lambda one: (one.session.opened_at, one.session.name))
    return Packing(export=Export(site=site, sessions=moved), left_out=left_out)


def address_of(proxy: Proxy) -> str:
    """The address of *proxy* without credentials."""
    return f"{proxy.scheme}://{proxy.address}"


def encode(export: Export) -> bytes:
    """The contents of a file for *export*. The same sessions give the same bytes."""
    return msgspec.json.format(msgspec.json.encode(export), indent=2) + b"\n"


def encode_classic(export: Export) -> bytes:
    """The working sessions of *export* in the form of the algorithm of 2019, with the names that a provider knows.

    A plain proxy has no such names, so its address is added.
    """
    working = [one for one in export.sessions if _works(one)]
    sessions = {one.session.exit_name or one.session.name: _classic(one) for one in working}
    return msgspec.json.format(msgspec.json.encode(sessions), indent=2) + b"\n"


def _works(moved: MovedSession) -> bool:
    return moved.session.has_worked and not moved.session.lost and moved.exit.last not in REFUSED


def _classic(moved: MovedSession) -> dict[str, str]:
    session = moved.session
    known = {"name": session.exit_name or session.name, "userAgent": session.fingerprint.user_agent}
    return known if session.exit_name else known | {"proxyUrl": moved.address}
