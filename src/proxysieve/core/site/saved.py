"""A site's state out of the records that a store keeps, and into them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from proxysieve.core.fingerprints.available import ChangedFingerprints, follow
from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.learning.learner import LearnerRecord
from proxysieve.core.records import ExitRecord, Record, SessionRecord, SiteRecord, bring_back, decode
from proxysieve.core.site.state import SiteState

KINDS: Mapping[str, type[SiteRecord | ExitRecord | SessionRecord | LearnerRecord]] = {
    "site": SiteRecord,
    "exit": ExitRecord,
    "session": SessionRecord,
    "lore": LearnerRecord,
}


def load(
    state: SiteState, records: Iterable[Record], fingerprints: Sequence[Fingerprint], now: float
) -> ChangedFingerprints:
    """Put what *records* keep into *state*; which of its sessions have another fingerprint now, or none."""
    changed = ChangedFingerprints(Counter(), Counter())
    sessions, kept = [], None
    for record in records:
        if record.kind not in KINDS:
            continue
        value = decode(record.value, KINDS[record.kind])
        if bring_back(value, now) and (record.kind != "lore" or state.learner):
            # Else a day's cool-down would begin anew with every run.
            state.changed.add((record.kind, record.key))
        match value:
            case SiteRecord():
                state.site = value
            case ExitRecord():
                state.exits[record.key] = value
            case SessionRecord():
                sessions.append(value)
            case LearnerRecord():
                kept = value
    if state.learner:
        state.learner.restore(kept, state.exits.items())
    state.restore([one for one in sessions if _goes_on(one, state, fingerprints, changed)])
    return changed


def _goes_on(
    session: SessionRecord, state: SiteState, fingerprints: Sequence[Fingerprint], changed: ChangedFingerprints
) -> bool:
    """Whether *session* goes on. If its browser is not offered any more, it ends, and its exit gets another session."""
    fingerprint = follow(session.fingerprint, fingerprints)
    browser = session.fingerprint.browser
    if fingerprint == session.fingerprint:
        return True
    if fingerprint is None:
        changed.ended[browser] += 1
        if session.is_named:
            # It is not saved: a pool that has that browser finds it as it was.
            session.lost = session.lost or f"its browser is {browser}, and this pool has another browser"
            return True
    else:
        if not fingerprint.engine:
            # A real browser is always the version that runs.
            changed.updated[browser] += 1
        session.fingerprint = fingerprint
    state.changed.add(("session", session.name))
    return fingerprint is not None


def take_changes(site: str, state: SiteState) -> list[Record]:
    """What must be saved since this was asked last, in the same order in every process."""
    changes = [Record(site, kind, key, _encoded(_value(state, kind, key))) for kind, key in sorted(state.changed)]
    state.changed.clear()
    return changes


def _encoded(value: msgspec.Struct | None) -> bytes | None:
    return None if value is None else msgspec.json.encode(value)


def _value(state: SiteState, kind: str, key: str) -> msgspec.Struct | None:
    learner = state.learner
    match kind:
        case "site":
            return msgspec.structs.replace(state.site, failing=state.drought.record())
        case "session":
            session, held = state.sessions.get(key), learner.held_sessions if learner else None
            if session and session.lost and held and held.alarm_at and held.is_held(key):
                # What is held is not kept, so nobody would ever tell the next run that the site was to blame.
                return msgspec.structs.replace(session, lost="")
            return session
        case "lore":
            return learner.record() if learner else None
        case _:
            record = state.exits.get(key)
            if record is not None and learner:
                record = msgspec.structs.replace(record, used_at=learner.usage.used_at(key) or record.used_at)
            return record
