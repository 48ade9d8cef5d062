"""What the tests of the shell share."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from proxysieve.clock import VirtualClock

# For a night, or after a change to what reads files: pytest --hypothesis-profile=long tests/test_fuzz*.py
settings.register_profile(
    "long", max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@pytest.fixture
def clock() -> VirtualClock:
    """Time that stands still until it is told to move on."""
    return VirtualClock()
