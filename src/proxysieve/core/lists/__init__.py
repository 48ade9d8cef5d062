"""Lists: turns bytes into lines, entries and addresses, and says in words what is wrong with them."""
