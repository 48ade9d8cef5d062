"""MOVES sessions from one store to another, and imports them from other tools."""
