"""What the tests of the shell share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from proxysieve.clock import VirtualClock

# No test asserts a time: a machine that has other work is no fault.
settings.register_profile("usual", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("usual")
# For a night, or after a change to what reads files: pytest --hypothesis-profile=long tests/test_fuzz*.py
settings.register_profile(
    "long", max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The Chromium that there is; without one a test is skipped, but never in CI."""
    script = Path(__file__).parent.parent / "scripts" / "find_chromium.py"
    found = subprocess.run([sys.executable, script], check=False, capture_output=True, text=True)
    if found.returncode and not os.environ.get("CI"):
        pytest.skip("there is no Chromium here")
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.fixture
def clock() -> VirtualClock:
    """Time that stands still until it is told to move on."""
    return VirtualClock()
