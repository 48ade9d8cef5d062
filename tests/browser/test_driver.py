"""Playwright's driver, started so that it ends with us and not before."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import async_playwright

from proxysieve.browser import driver
from proxysieve.browser.driver import VARIABLE, own_session, started_playwright


def test_the_driver_starts_in_a_session_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With whatever paths there are, and all that it is told."""
    python = tmp_path / ("a folder with 'quotes' and blanks" * 6) / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setenv(VARIABLE, "/bin/sh")

    with own_session():
        said = subprocess.run(
            [os.environ[VARIABLE], "-c", 'ps -o sid= -p $$ || true; echo $$ "$1"', "sh", "an argument"],
            capture_output=True,
            check=True,
            text=True,
        ).stdout.split(maxsplit=2)

    assert said[0] == said[1] or len(said) == 2
    assert said[-1].strip() == "an argument"
    assert os.environ[VARIABLE] == "/bin/sh"


def test_where_nothing_may_be_run_the_driver_starts_as_ever(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As where the folder for temporary files is mounted so."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(driver, "SHELL", str(tmp_path / "no-shell"))

    with own_session():
        assert VARIABLE not in os.environ


async def test_two_that_start_at_once_leave_nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is started by a file of its own, which is gone afterwards."""
    monkeypatch.delenv(VARIABLE, raising=False)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(2):
            tasks.create_task(start_and_end())

    assert VARIABLE not in os.environ
    assert not driver.STARTING.locked()


async def test_a_start_that_is_cancelled_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """At whatever moment it is: no driver goes on, and the next one may start."""
    monkeypatch.delenv(VARIABLE, raising=False)
    ended: list[object] = []
    kind: Any = type(async_playwright())
    stop = kind.__aexit__

    async def note(manager: object, *error: object) -> None:
        ended.append(manager)
        await stop(manager, *error)

    monkeypatch.setattr(kind, "__aexit__", note)
    for rounds in (2, 4):
        starting = asyncio.create_task(start_and_end())
        for _ in range(rounds):
            await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting

    assert len(ended) == 2
    assert VARIABLE not in os.environ
    assert not driver.STARTING.locked()


async def start_and_end() -> None:
    async with started_playwright() as started:
        assert started.chromium.name == "chromium"
