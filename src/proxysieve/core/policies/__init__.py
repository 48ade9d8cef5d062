"""RANKS: which session carries the next request. A policy reads the facts and changes nothing."""
