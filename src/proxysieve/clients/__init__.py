"""SENDS: what a client is to the pool, and the one that is built in.

Unlike the adapters, which take the pool and look like their client, this one is taken by the pool, and so stands
below it.
"""
