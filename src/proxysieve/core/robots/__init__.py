"""robots.txt: how to ask for it, and what it says."""
