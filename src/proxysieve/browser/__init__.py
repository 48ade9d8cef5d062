"""RENDERS: pages in a real Chromium. Each session has a context; a browser that fails is replaced."""
