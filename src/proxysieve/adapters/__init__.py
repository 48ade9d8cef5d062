"""TRANSLATES: the pool for users of Crawlee and Playwright, with the names that they know."""
