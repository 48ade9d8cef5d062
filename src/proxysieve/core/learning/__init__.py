"""What is learned of one site: who is likely to work, how often an exit may be used, and whether a block is real.

docs/inside/policy.md has the mathematics, with the constants and what was tried in their place.
"""
