"""LENDS sessions: the pool, the queue of each site, attempts, and named sessions.

Waiting (``site_queue``), trying again (``attempts``), saving (``site_registry``) and the list of proxies
(``session_pool``) are files of their own, because they change for different reasons.
"""
