"""What the command line shows of what is logged."""

from __future__ import annotations

import logging

import pytest

from proxysieve.cli.log import logging_to_terminal

LOG = logging.getLogger("proxysieve")


def warn_of_an_error() -> None:
    try:
        int("a detail")
    except ValueError:
        LOG.exception("unexpected error at %s", "https://shop.example/")


def test_warnings_are_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a traceback, and without what is no warning."""
    with logging_to_terminal(verbose=False):
        LOG.debug("picked a session")
        warn_of_an_error()

    assert capsys.readouterr().err == "proxysieve: unexpected error at https://shop.example/\n"


def test_whoever_wants_all_gets_all(capsys: pytest.CaptureFixture[str]) -> None:
    """Decisions and tracebacks."""
    with logging_to_terminal(verbose=True):
        LOG.debug("picked a session")
        warn_of_an_error()

    err = capsys.readouterr().err
    assert "picked a session" in err
    assert "ValueError" in err


def test_nothing_is_left_behind() -> None:
    """A program that runs a command goes on logging as it did before."""
    before = (LOG.level, LOG.handlers[:])

    with logging_to_terminal(verbose=True):
        pass

    assert (LOG.level, LOG.handlers) == before
