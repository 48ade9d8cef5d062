"""DECIDES: events in, decisions out; no I/O, no clock, no global chance."""
