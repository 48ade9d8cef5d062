"""The exception tree. A new leaf only where a caller would write another ``except``."""

from __future__ import annotations


class ProxySieveError(Exception):
    """Anything that proxysieve raises on purpose."""


class ConfigError(ProxySieveError, ValueError):
    """Something that was handed in cannot be used; the message says what was expected."""


class MissingExtraError(ProxySieveError, ImportError):
    """A package is missing that an optional part needs; the message names the exact install command."""


class StoreError(ProxySieveError):
    """The store cannot be opened, read or written; what was in it is untouched."""


class SessionEnded(ProxySieveError):  # noqa: N818 - it names a state of affairs, not a fault
    """What was under way with a session cannot go on, because the session is given up for something else.

    Attributes:
        session: Its name.
        why: What ended it, in words.
    """

    def __init__(self, session: str, why: str) -> None:
        super().__init__(f"the session {session} ended: {why}")
        self.session = session
        self.why = why
