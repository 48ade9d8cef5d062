"""RENDERS: each session in a context of its own, by a real Chromium, in browsers that are replaced when they fail.

The browser is not disguised: version, platform and client hints are the real engine's, told by flags. Emulation changes
the order of headers, misses workers, and leaves windows whose inner and outer sizes are the same. So a session's window
is a real one of its size, and only the size of the screen is emulated.
"""
