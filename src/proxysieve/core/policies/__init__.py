"""RANKS: which session carries the next request. A policy reads the state of the site; events change it."""
