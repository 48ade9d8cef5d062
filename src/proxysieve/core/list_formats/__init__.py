"""Reads the bytes of lists into lines, entries and addresses, and says what is wrong with them."""
