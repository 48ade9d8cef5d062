"""RENDERS: sessions as visitors by a real Chromium, a context each, in browsers that are replaced when they fail."""
