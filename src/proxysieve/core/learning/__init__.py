"""What is learned of one site: which proxies are likely to work, what an exit bears, and whether a block is real.

docs/inside/policy.md has the mathematics, with the constants and what was tried in their place.
"""
