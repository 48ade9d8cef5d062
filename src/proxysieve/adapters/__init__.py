"""TRANSLATES: one file a client, which looks like what the client's users know."""
