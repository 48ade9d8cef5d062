"""What is learned of one site: who is likely to work, how often an exit may be used, and whether a block is real."""
