"""Fingerprints: the headers of browsers, what a user agent says, and which browsers sessions can look like."""
