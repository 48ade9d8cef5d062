"""What keeps root from going where others may not, so that tests say the same whoever runs them."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# linux/capability.h: the third version has two words of each set.
VERSION = 0x20080522
OVERRIDES = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


@contextmanager
def without_overrides() -> Iterator[None]:
    """Obey the permissions of files, root too; so do threads that begin meanwhile."""
    if os.geteuid() or sys.platform != "linux":
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = struct.pack("Ii", VERSION, 0)
    kept = ctypes.create_string_buffer(24)
    assert libc.capget(header, kept) == 0
    effective, *rest = struct.unpack("6I", kept.raw)
    assert libc.capset(header, struct.pack("6I", effective & ~OVERRIDES, *rest)) == 0
    try:
        yield
    finally:
        assert libc.capset(header, kept.raw) == 0
