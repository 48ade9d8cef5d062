"""What is logged, on the standard error: every decision if that is wanted, else what somebody should know of."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from proxysieve.cli.printing import echo_lines, printable


class Whole(logging.Formatter):
    """A line a message, and the traceback in lines of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's
        """The line."""
        return printable(super().formatMessage(record))


class Plain(Whole):
    """Sentences without the traceback, which would help nobody who did not ask for all."""

    def formatException(self, _: object) -> str:  # noqa: N802 - logging's
        """Nothing."""
        return ""


class Echo(logging.Handler):
    """Prints on what the standard error is by then: a progress bar takes its place, and gives way to lines."""

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
