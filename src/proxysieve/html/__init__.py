"""HTML of strangers: tamed before a parser reads it, and searched for elements in a bounded time."""
