"""JUDGES: loads the tables of signs, checks what a caller expects of a page, and reads saved responses."""
