"""The scripts of the site for browsers: the files in `browser`, and how they get into a page."""

from __future__ import annotations

import functools
from importlib import resources


@functools.cache
def script(name: str) -> str:
    """Return the text of a file in `browser`."""
    return resources.files("proxysieve.testbed").joinpath("browser", name).read_text(encoding="utf-8")
