"""TRANSLATES: one file for each client, which looks like what the users of that client know."""
