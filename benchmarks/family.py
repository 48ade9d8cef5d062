"""A process with all that it starts, as Linux tells of them: what memory they take, and which of them are left."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# What Node calls its first thread, in one version or another.
DRIVER_NAMES = ("node", "MainThread")


class Process(NamedTuple):
    """One of them; a number that is used again later is another one's, as the moment of its start tells."""

    pid: int
    started: int


class Memory(NamedTuple):
    """What is resident, in MB; what processes share counts for each of them, so it is more than they take."""

    python: float = 0.0
    driver: float = 0.0
    browser: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return sum(self)


class Told(NamedTuple):
    """What Linux tells of a process."""

    process: Process
    parent: int
    name: str
    resident_mb: float


class Family:
    """A process and its descendants, also those whose parents are gone, if they were seen while these lived."""

    def __init__(self, founder: int) -> None:
        self._founder = founder
        told = _read(PROC / str(founder))
        self._members = {told.process} if told else set()

    def look(self) -> Memory:
        """What they take now; newcomers are taken in."""
        python = driver = browser = 0.0
        for told in self._living():
            if told.process.pid == self._founder:
                python += told.resident_mb
            elif told.name.startswith(DRIVER_NAMES):
                driver += told.resident_mb
            else:
                browser += told.resident_mb
        return Memory(python, driver, browser)

    def count(self) -> int:
        """How many of them live."""
        return len(self._living())

    def end(self) -> None:
        """Kill those that live."""
        for told in self._living():
            with contextlib.suppress(ProcessLookupError):
                os.kill(told.process.pid, signal.SIGKILL)

    def _living(self) -> list[Told]:
        told = [one for entry in PROC.iterdir() if entry.name.isdigit() and (one := _read(entry))]
        pids = {one.process.pid for one in told if one.process in self._members}
        while newcomers := {one.process.pid for one in told if one.parent in pids} - pids:
            pids |= newcomers
        living = [one for one in told if one.process.pid in pids]
        self._members |= {one.process for one in living}
        return living


def _read(entry: Path) -> Told | None:
    """What is told of a process; None if it has ended."""
    try:
        text = (entry / "stat").read_text(errors="replace")
    except OSError:
        return None
    # Names are in brackets, and may have brackets in them.
    name, _, rest = text.partition("(")[2].rpartition(")")
    state, parent, *others = rest.split()
    if state in "ZX":
        return None
    process = Process(int(entry.name), int(others[17]))
    return Told(process, int(parent), name, int(others[19]) * PAGE_BYTES / 1e6)
