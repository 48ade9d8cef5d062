"""A font of one glyph, as small as browsers accept a TrueType font, padded to a size.

https://learn.microsoft.com/typography/opentype/spec/ has the tables. Browsers refuse a font without one of these.
"""

from __future__ import annotations

import struct
from typing import Final

GLYPH: Final = "\N{BLACK STAR}"

_UNITS_PER_EM = 1000
_ASCENT, _DESCENT = 900, -100
_CORNERS = ((500, _DESCENT), (900, 400), (500, _ASCENT), (100, 400))
_BOX = (100, _DESCENT, 900, _ASCENT)
_MAGIC = 0x5F0F3CF5
_WHOLE_SUM = 0xB1B0AFBA
_HEAD_BYTES, _ENTRY_BYTES = 12, 16
# In `head`. The sum is computed while this field is zero.
_ADJUSTMENT_AT = 8


def make_font(padding: bytes) -> bytes:
    """Return the font with *padding* in an extra table that no program reads."""
    glyph = _outline()
    tables = {
        b"OS/2": _os2(),
        b"cmap": _character_map(),
        b"glyf": glyph,
        b"head": _head(),
        b"hhea": struct.pack(
            ">IhhhHhhhhhh8xhH", 0x10000, _ASCENT, _DESCENT, 0, _UNITS_PER_EM, 0, 0, 900, 1, 0, 0, 0, 2
        ),
        b"hmtx": struct.pack(">HhHh", _UNITS_PER_EM, 0, _UNITS_PER_EM, _BOX[0]),
        b"loca": struct.pack(">3H", 0, 0, len(glyph) // 2),
        b"maxp": struct.pack(">I14H", 0x10000, 2, len(_CORNERS), 1, 0, 0, 2, *[0] * 8),
        b"name": struct.pack(">3H", 0, 0, 6),
        b"padd": padding,
        b"post": struct.pack(">I28x", 0x30000),
    }
    return _assemble(tables)


def _assemble(tables: dict[bytes, bytes]) -> bytes:
    """Return the file with *tables*, which are sorted by name."""
    power = len(tables).bit_length() - 1
    search_range = 16 << power
    directory = struct.pack(">I4H", 0x10000, len(tables), search_range, power, 16 * len(tables) - search_range)
    at = _HEAD_BYTES + _ENTRY_BYTES * len(tables)
    bodies, head_at = b"", 0
    for name, body in tables.items():
        if name == b"head":
            head_at = at + len(bodies)
        directory += struct.pack(">4s3I", name, _sum_of(body), at + len(bodies), len(body))
        bodies += body + bytes(-len(body) % 4)
    font = bytearray(directory + bodies)
    struct.pack_into(">I", font, head_at + _ADJUSTMENT_AT, (_WHOLE_SUM - _sum_of(font)) % 2**32)
    return bytes(font)


def _sum_of(data: bytes | bytearray) -> int:
    whole = bytes(data) + bytes(-len(data) % 4)
    total: int = sum(word for (word,) in struct.iter_unpack(">I", whole))
    return total % 2**32


def _outline() -> bytes:
    xs, ys = zip(*_CORNERS, strict=True)
    steps = [after - before for line in (xs, ys) for before, after in zip((0, *line), line, strict=False)]
    # All corners are on the curve, and their coordinates are words.
    flags = b"\x01" * len(_CORNERS)
    outline = struct.pack(">5hHH", 1, *_BOX, len(_CORNERS) - 1, 0) + flags + struct.pack(f">{len(steps)}h", *steps)
    return outline + bytes(-len(outline) % 4)


def _character_map() -> bytes:
    """Format 4, with a segment for the glyph's character and the final one."""
    code, last = ord(GLYPH), 0xFFFF
    deltas = ((1 - code) % 2**16, 1)
    segments = struct.pack(">2HH2H2H2H", code, last, 0, code, last, *deltas, 0, 0)
    table = struct.pack(">7H", 4, 14 + len(segments), 0, 4, 4, 1, 0) + segments
    return struct.pack(">4HI", 0, 1, 3, 1, 12) + table


def _head() -> bytes:
    return struct.pack(">4I2H16x4h2H3h", 0x10000, 0x10000, 0, _MAGIC, 0, _UNITS_PER_EM, *_BOX, 0, 8, 2, 0, 0)


def _os2() -> bytes:
    code = ord(GLYPH)
    metrics = struct.pack(">Hh3H11h10x16x4s", 0, _UNITS_PER_EM, 400, 5, 0, *[0] * 11, b"SHOP")
    return metrics + struct.pack(">3H3h2H", 0x40, code, code, _ASCENT, _DESCENT, 0, _ASCENT, -_DESCENT)
