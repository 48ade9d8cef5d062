"""What pages load: a picture each, and a font and a sound for all."""

from __future__ import annotations

import random
import struct
import zlib
from functools import cached_property

from proxysieve.testbed.answers import SiteAnswer, Visit, nothing
from proxysieve.testbed.font import make_font
from proxysieve.testbed.wire import Response

_CACHED = ("Cache-Control", "public, max-age=86400")
_PICTURE_SIDE = 8
_SAMPLES_A_SECOND = 8_000


class Assets:
    """What is below `/assets`, all of one size. Equal seeds give equal ones.

    Args:
        seed: Of the world.
        size: In bytes.
    """

    def __init__(self, seed: int, size: int) -> None:
        self._seed = seed
        self._size = size

    def answer(self, visit: Visit) -> SiteAnswer:
        """Serve one of them."""
        match visit.rest.split("/"):
            case ["icons.ttf"]:
                return _serve("font/ttf", self.font)
            case ["sound.wav"]:
                return _serve("audio/wav", self.sound)
            case ["picture", name] if (number := name.removesuffix(".png")).isdecimal() and len(number) < 18:
                return _serve("image/png", self.picture(int(number)))
            case _:
                return nothing(visit)

    def picture(self, page_id: int) -> bytes:
        """Return the picture of a page: a PNG of one colour."""
        rng = random.Random(self._seed * 1_000_003 + page_id)
        row = b"\0" + rng.randbytes(3) * _PICTURE_SIDE
        head = struct.pack(">2I5B", _PICTURE_SIDE, _PICTURE_SIDE, 8, 2, 0, 0, 0)
        # Libraries compress in different ways. Uncompressed, it is the same everywhere.
        start = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(row * _PICTURE_SIDE, 0))
        end = _chunk(b"IEND", b"")
        # A chunk of an unknown kind, which every reader skips.
        noise = rng.randbytes(self._size - len(start) - len(end) - len(_chunk(b"paDd", b"")))
        return start + _chunk(b"paDd", noise) + end

    @cached_property
    def font(self) -> bytes:
        """The font of all pages."""
        return make_font(self._noise(self._size - len(make_font(b""))))

    @cached_property
    def sound(self) -> bytes:
        """The sound of all pages: noise, one channel of eight bits, as a WAV."""
        head = struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            b"RIFF",
            self._size - 8,
            b"WAVE",
            b"fmt ",
            16,
            1,
            1,
            _SAMPLES_A_SECOND,
            _SAMPLES_A_SECOND,
            1,
            8,
            b"data",
            self._size - 44,
        )
        return head + self._noise(self._size - len(head))

    def _noise(self, size: int) -> bytes:
        return random.Random(self._seed).randbytes(size)


def _serve(kind: str, body: bytes) -> SiteAnswer:
    return SiteAnswer(kind="asset", response=Response(headers=(("Content-Type", kind), _CACHED), body=body))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
