"""What the tests of the shell share."""

from __future__ import annotations

import pytest

from proxysieve.clock import VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    """Time that stands still until it is told to move on."""
    return VirtualClock()
