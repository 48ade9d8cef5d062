"""robots.txt: how it is asked for, and what it says."""
