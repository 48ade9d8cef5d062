"""BRIDGES: the pool for callers without ``await``, by one event loop in the background."""
