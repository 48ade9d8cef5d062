"""Playwright's driver, started where Ctrl-C does not reach it."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import playwright
from playwright.async_api import Playwright, async_playwright

# Starts Playwright's driver in a session of its own, so that Ctrl-C is for us alone to heed.
STARTER = """#!{python}
import os, sys
os.setsid()
os.execv({node!r}, [{node!r}, *sys.argv[1:]])
"""
# By which Playwright is told of another node than its own.
VARIABLE = "PLAYWRIGHT_NODEJS_PATH"


@asynccontextmanager
async def started_playwright() -> AsyncIterator[Playwright]:
    """Playwright, which ends with us, and not before."""
    starting = async_playwright()
    with own_session():
        started = await starting.__aenter__()
    try:
        yield started
    finally:
        await starting.__aexit__()


@contextmanager
def own_session() -> Iterator[None]:
    """Have Playwright's driver start out of reach of the terminal's signals, which would end it before its work."""
    given = os.environ.get(VARIABLE)
    node = given or str(Path(playwright.__file__).parent / "driver" / "node")
    with tempfile.TemporaryDirectory(prefix="proxysieve-") as folder:
        starter = Path(folder) / "node"
        starter.write_text(STARTER.format(python=sys.executable, node=node))
        starter.chmod(stat.S_IRWXU)
        os.environ[VARIABLE] = str(starter)
        try:
            yield
        finally:
            if given is None:
                del os.environ[VARIABLE]
            else:
                os.environ[VARIABLE] = given
