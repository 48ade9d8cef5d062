"""TRANSLATES between other packages' clients and the pool: it leases, has them send, and reports, and never judges."""
