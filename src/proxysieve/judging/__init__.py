"""JUDGES: the tables of signs loaded, what a caller expects of a page, and responses that were saved."""
