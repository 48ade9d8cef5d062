"""MOVES sessions from one store to another, and out of what other tools saved."""
