"""PLAYS against us: known policies, re-implemented, and two bounds."""
