"""TRANSLATES: one file a client, with what the client's users know."""
