"""Text that people read, and text in which each letter is a byte on the wire."""

from __future__ import annotations


def to_wire(text: str) -> str:
    """The bytes of *text* in UTF-8, a letter each; half a surrogate pair becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("latin-1")


def to_text(wire: str) -> str:
    """What the bytes of *wire* say in UTF-8; where they are none, as they are."""
    if wire.isascii() or not is_utf_8(wire):
        return wire
    return wire.encode("latin-1").decode()


def is_utf_8(wire: str) -> bool:
    """Whether the bytes of *wire* are UTF-8."""
    try:
        wire.encode("latin-1").decode()
    except UnicodeError:
        return False
    return True
