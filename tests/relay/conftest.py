"""What holds after every test of a relay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
async def nothing_is_left() -> AsyncIterator[None]:
    """After each test as many files are open as before, and no task runs on."""
    tasks, files = asyncio.all_tasks(), open_files()
    yield
    # Another end's farewell is taken note of in the rounds after it.
    for _ in range(20):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() <= tasks | {asyncio.current_task()}
    assert open_files() == files


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))
