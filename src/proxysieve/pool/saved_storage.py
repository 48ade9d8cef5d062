"""What the store has of the cookies, data and browsers of sessions, and whose may have changed since."""

from __future__ import annotations

import logging
from collections.abc import Container, Mapping, Sequence

from proxysieve.core.records import Record
from proxysieve.sessions.session import Session, dump_storage
from proxysieve.sessions.storage import OWN_KINDS, check_storage

log = logging.getLogger("proxysieve")

# Stands for what the store may still have of an ended session. It equals no value, so it will be deleted.
STALE = b""


class SavedStorage:
    """The cookies, data and browsers of the sessions at *site*, as they were saved last.

    Args:
        records: What the store kept of the site.
        names: Of all sessions. What belonged to others is deleted.

    Raises:
        msgspec.DecodeError: A record is damaged.
    """

    def __init__(self, site: str, records: Sequence[Record], names: Container[str]) -> None:
        self._site = site
        self._saved = {(one.kind, one.key): one.value for one in records if one.kind in OWN_KINDS}
        for (kind, _), value in self._saved.items():
            check_storage(kind, value or b"")
        self._used: set[str] = set()
        for orphan in {name for _, name in self._saved if name not in names}:
            self.forget(orphan)

    @property
    def may_have_changed(self) -> bool:
        """Whether something must be compared with what was saved."""
        return bool(self._used)

    def of(self, name: str) -> dict[str, bytes | None]:
        """What belongs to the session called *name*, by kind."""
        return {kind: self._saved.get((kind, name)) for kind in OWN_KINDS}

    def note_use(self, name: str) -> None:
        """What belongs to the session called *name* may have changed."""
        self._used.add(name)

    def forget(self, name: str) -> None:
        """The session called *name* has ended. Another one of this name must not get what belonged to it."""
        self._saved.update({(kind, name): STALE for kind in OWN_KINDS if self._saved.get((kind, name))})
        self._used.add(name)

    def take_changes(self, sessions: Mapping[str, Session]) -> list[Record]:
        """What must be saved since this was asked last, of *sessions* by their names, and of those that are no more."""
        used, self._used = self._used, set()
        return [record for name in used for record in self._changes_of(name, sessions.get(name))]

    def keep_changed(self, record: Record) -> None:
        """What :meth:`take_changes` gave could not be saved: give it again next time."""
        self._saved[record.kind, record.key] = STALE
        self._used.add(record.key)

    def _changes_of(self, name: str, session: Session | None) -> list[Record]:
        try:
            values = dump_storage(session) if session else dict.fromkeys(OWN_KINDS)
        except (TypeError, ValueError, RecursionError) as error:
            # The user's own values; they must not keep all else from being saved.
            log.warning("%s: the data of %s is not like JSON and cannot be saved: %s", self._site, session, error)
            return []
        changed = []
        for kind, value in values.items():
            if self._saved.get((kind, name)) != value:
                self._saved[kind, name] = value
                if value is None:
                    del self._saved[kind, name]
                changed.append(Record(self._site, kind, name, value))
        return changed
