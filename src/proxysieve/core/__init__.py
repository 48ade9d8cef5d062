"""DECIDES: events in, decisions out; no I/O, no clock, no global chance.

The same events give the same state: in a test, in a simulation, on another machine. The state itself is saved, record
by record; there is no log of events to replay.
"""
