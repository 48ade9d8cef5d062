"""Takes sessions from a file into a store that may know some of them already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from random import Random

import msgspec

from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.records import ExitRecord, Record, SessionRecord, SiteRecord, decode
from proxysieve.errors import ConfigError
from proxysieve.moving.cookies import sift
from proxysieve.moving.export_sessions import REFUSED, TOO_OLD, UNLISTED, is_over_age
from proxysieve.moving.match_exits import Bound, choose_fingerprint
from proxysieve.moving.values import Export, MovedSession, Reasons
from proxysieve.sessions.storage import OWN_KINDS, BrowserRecord

KNOWN = "the store knows them already (--replace takes those of the file)"
TAKEN = "their proxies carry other sessions already (--replace takes those of the file)"
TWICE = "another session in the file has the same exit, or name"
SINCE_REFUSED = "the store knows that their exits were refused since then"
UNBORN = "this machine's clock says that they were opened or used in the future"
MANY_COOKIES = "they have more than 1,000 cookies of the site, which no browser keeps"
TOO_LARGE = "their user data, or what sites keep in their browsers, is larger than 10 MB"
MOST_COOKIES = 1_000
MOST_OWN_BYTES = 10_000_000
# A foreign file cannot keep an exit unused for longer.
LONGEST_COOLDOWN_SECONDS = 86_400.0
# The clocks of two machines may differ this much.
LEEWAY_SECONDS = 300.0


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """The records to save, and what became of the sessions.

    Attributes:
        cookie_count: How many imported sessions have cookies.
        cookies_left_out: How many cookies were left out, by the reason.
        replaced_count: How many of the store's sessions were replaced.
    """

    records: list[Record]
    session_count: int
    cookie_count: int
    replaced_count: int
    left_out: Reasons
    other_fingerprints: Reasons
    cookies_left_out: Reasons


def bind_own(export: Export, catalog: Catalog, fingerprints: Sequence[Fingerprint], rng: Random) -> Bound:
    """The sessions of *export* whose proxies are in *catalog*, with the nearest of *fingerprints*.

    Raises:
        ConfigError: One of them is damaged.
    """
    bound = Bound(sessions=[], left_out=Reasons(), other_fingerprints=Reasons())
    for moved in export.sessions:
        session, proxy = moved.session, catalog.get(moved.session.proxy_key)
        if proxy is None:
            bound.left_out[UNLISTED] += 1
            continue
        if bool(session.exit_name) != proxy.is_gateway:
            # Several sessions would share one exit, and each would be taken for the only one there.
            raise ConfigError(
                f"the record of the session {session.name[:40]!r} is damaged: its exit is not its proxy's"
            )
        if not session.fingerprint.engine and session.fingerprint not in fingerprints:
            session.fingerprint, change = choose_fingerprint(session.fingerprint.user_agent, fingerprints, rng)
            if change:
                bound.other_fingerprints[change] += 1
        bound.sessions.append(moved)
    return bound


class Admission:
    """Decides which sessions may enter a store's data of a site.

    Raises:
        msgspec.DecodeError: A record of the store is damaged.
    """

    def __init__(
        self,
        site: str,
        catalog: Catalog,
        kept: Iterable[Record],
        now: float,
        *,
        site_of: Callable[[str], str],
        is_replacing: bool,
    ) -> None:
        self._site = site
        self._site_of = site_of
        self._catalog = catalog
        self._now = now
        self._is_replacing = is_replacing
        self._kept = {(record.kind, record.key): record.value or b"" for record in kept}
        self._sessions: dict[str, SessionRecord] = {}
        self._carried: dict[str, str] = {}
        for (kind, _), value in self._kept.items():
            if kind == "session":
                session = decode(value, SessionRecord)
                if not is_over_age(session, catalog.get(session.proxy_key), now):
                    self._note(session)
        self._new: set[str] = set()
        self._changes: dict[tuple[str, str], bytes | None] = {}
        self._replaced: set[str] = set()
        self._cookie_count = 0
        self._cookies_left_out = Reasons()
        self._last_ok_at = 0.0

    def admit(self, bound: Bound) -> Arrival:
        """Take in those sessions of *bound* that may enter."""
        left_out = Reasons(bound.left_out)
        for moved in bound.sessions:
            moved.cookies, cookies_left_out = sift(moved.cookies, self._site, self._site_of)
            why = self._obstacle(moved)
            if why:
                left_out[why] += 1
            else:
                self._cookies_left_out += cookies_left_out
                self._let_in(moved)
        if self._new and ("site", "") not in self._kept:
            self._put("site", "", SiteRecord(last_ok_at=self._last_ok_at))
        return Arrival(
            records=[Record(self._site, kind, key, value) for (kind, key), value in self._changes.items()],
            session_count=len(self._new),
            cookie_count=self._cookie_count,
            replaced_count=len(self._replaced),
            left_out=left_out,
            other_fingerprints=bound.other_fingerprints,
            cookies_left_out=self._cookies_left_out,
        )

    def _obstacle(self, moved: MovedSession) -> str:
        """Why a session may not enter; empty if it may."""
        session = moved.session
        exit_ = moved.exit
        moments = (session.opened_at, session.worked_at, exit_.last_ok_at, exit_.last_bad_at, exit_.last_unclear_at)
        if max(*moments, *(exit_.used_at or ())) > self._now + LEEWAY_SECONDS:
            return UNBORN
        if len(moved.cookies) > MOST_COOKIES:
            return MANY_COOKIES
        if max(len(msgspec.json.encode(one)) for one in (moved.data, moved.browser)) > MOST_OWN_BYTES:
            return TOO_LARGE
        if is_over_age(session, self._catalog.get(session.proxy_key), self._now):
            return TOO_OLD
        neighbour = "" if session.is_named else self._carried.get(session.exit_id, "")
        if session.name in self._new or neighbour in self._new:
            return TWICE
        if self._is_replacing:
            return ""
        if session.name in self._sessions:
            return KNOWN
        if neighbour:
            return TAKEN
        return SINCE_REFUSED if self._was_refused_since(moved) else ""

    def _was_refused_since(self, moved: MovedSession) -> bool:
        value = self._kept.get(("exit", moved.session.exit_id))
        if value is None:
            return False
        known = decode(value, ExitRecord)
        return known.last in REFUSED and known.last_bad_at > moved.exit.last_ok_at

    def _let_in(self, moved: MovedSession) -> None:
        session = moved.session
        neighbour = "" if session.is_named else self._carried.get(session.exit_id, "")
        for name in {session.name, neighbour} & self._sessions.keys():
            self._remove(name)
        self._note(session)
        self._new.add(session.name)
        self._put("session", session.name, session)
        moved.exit.cooldown_until = min(moved.exit.cooldown_until, self._now + LONGEST_COOLDOWN_SECONDS)
        if self._is_replacing or ("exit", session.exit_id) not in self._kept:
            self._put("exit", session.exit_id, moved.exit)
        browser = moved.browser if moved.browser != BrowserRecord() else None
        for kind, value in (("cookies", moved.cookies), ("data", moved.data), ("browser", browser)):
            # It must not find what an older session with its name left.
            if value or (kind, session.name) in self._kept:
                self._put(kind, session.name, value or None)
        self._cookie_count += bool(moved.cookies)
        self._last_ok_at = max(self._last_ok_at, moved.exit.last_ok_at)

    def _note(self, session: SessionRecord) -> None:
        self._sessions[session.name] = session
        if not session.is_named:
            self._carried[session.exit_id] = session.name

    def _remove(self, name: str) -> None:
        session = self._sessions.pop(name)
        if self._carried.get(session.exit_id) == name:
            del self._carried[session.exit_id]
        self._replaced.add(name)
        for kind in ("session", *OWN_KINDS):
            if (kind, name) in self._kept:
                self._changes[kind, name] = None

    def _put(self, kind: str, key: str, value: object) -> None:
        self._changes[kind, key] = None if value is None else msgspec.json.encode(value)
