"""BRIDGES: the same for callers without ``await``, by one event loop in the background."""
