"""Logs to the standard error: every decision if the user wants that, else what he should know."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from proxysieve.cli.printing import echo_lines, printable


class Whole(logging.Formatter):
    """One line for each message, and the traceback on lines of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's
        """The line."""
        return printable(super().formatMessage(record))


class Plain(Whole):
    """Without the traceback, which helps only those who asked for everything."""

    def formatException(self, _: object) -> str:  # noqa: N802 - logging's
        """Nothing."""
        return ""


class Echo(logging.Handler):
    """Prints to the current standard error: a progress bar replaces it, and makes room for lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print *record*."""
        echo_lines(self.format(record), err=True)


@contextmanager
def logging_to_terminal(*, verbose: bool) -> Iterator[None]:
    """Print what is logged meanwhile."""
    log, handler = logging.getLogger("proxysieve"), Echo()
    handler.setFormatter(Whole("%(asctime)s %(message)s") if verbose else Plain("proxysieve: %(message)s"))
    before = log.level
    log.setLevel(logging.DEBUG if verbose else logging.WARNING)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
