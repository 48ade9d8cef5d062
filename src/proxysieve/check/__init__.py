"""ASKS for one page once through each proxy, and keeps nothing."""
