"""JUDGES: loads the tables of signs, and reads what a caller expects of a page, and saved responses."""
