"""The exceptions. A new one is added only if a caller would write another ``except`` for it."""

from __future__ import annotations


class ProxySieveError(Exception):
    """Base of all errors that proxysieve raises on purpose."""


class ConfigError(ProxySieveError, ValueError):
    """A value from the caller cannot be used; the message says what was expected."""


class MissingExtraError(ProxySieveError, ImportError):
    """An optional part needs a package that is missing; the message has the command that installs it."""


class StoreError(ProxySieveError):
    """The store cannot be opened, read or written; its contents are unchanged."""


class SessionEnded(ProxySieveError):  # noqa: N818 - it names a state, not an error
    """Work with a session cannot go on, because something else ended the session.

    Attributes:
        session: Its name.
        why: What ended it, in words.
    """

    def __init__(self, session: str, why: str) -> None:
        super().__init__(f"the session {session} ended: {why}")
        self.session = session
        self.why = why
