"""LENDS sessions: the pool, the queue of each site, attempts, and named sessions."""
