"""Lists: the bytes of what people have into lines, entries and addresses, and what is wrong with them, in words."""
