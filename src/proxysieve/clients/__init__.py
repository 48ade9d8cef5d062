"""SENDS: what a client is to the pool, and the one that is built in.

An adapter takes the pool and offers what its client offers. The built-in client is taken by the pool, so it stands
below it.
"""
