"""PLAYS against us: known picking policies, re-implemented, and two bounds."""
