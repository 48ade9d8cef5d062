"""The TLS ClientHello, and its JA4: what a client shows before it sends anything else.

JA4 follows FoxIO's specification (BSD 3-Clause):
https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md

The hello is peeked at before TLS reads it. The socket counts as readable once a whole record is there
(``SO_RCVLOWAT``), so nothing is taken from TLS and nothing has to be put back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

HANDSHAKE: Final = 22
"""The type of a TLS record that carries a ClientHello."""

RECORD_HEAD_BYTES: Final = 5
"""The header of a TLS record, with its length."""

PRE_SHARED_KEY: Final = 0x0029
"""The extension by which a client resumes an earlier TLS session."""

_CLIENT_HELLO = 1
_SERVER_NAME = 0x0000
_SUPPORTED_GROUPS = 0x000A
_SIGNATURE_ALGORITHMS = 0x000D
_ALPN = 0x0010
_SUPPORTED_VERSIONS = 0x002B
_KEY_SHARE = 0x0033
_VERSION_NAMES = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2"}
_NO_VALUES = "000000000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientHello:
    """What a client offers, in its order, without values that are to be ignored (GREASE, RFC 8701).

    Attributes:
        version: The message's, which is 1.2 since TLS 1.3.
        versions: Those that the client speaks, if it says so.
        alpn: The protocols within TLS.
        groups: For the key exchange.
        key_shares: Those groups for which it sends a key at once.
    """

    version: int
    ciphers: tuple[int, ...]
    extensions: tuple[int, ...]
    signature_algorithms: tuple[int, ...] = ()
    versions: tuple[int, ...] = ()
    alpn: tuple[bytes, ...] = ()
    groups: tuple[int, ...] = ()
    key_shares: tuple[int, ...] = ()

    @property
    def ja4(self) -> str:
        """The fingerprint."""
        ciphers, extensions = self._sorted_lists()
        return f"{self._summary}_{_digest(ciphers)}_{_digest(extensions)}"

    @property
    def ja4_raw(self) -> str:
        """The fingerprint before its lists are hashed."""
        return "_".join((self._summary, *self._sorted_lists()))

    def _sorted_lists(self) -> tuple[str, str]:
        named = (code for code in self.extensions if code not in {_SERVER_NAME, _ALPN})
        extensions = _codes(sorted(named))
        if self.signature_algorithms:
            # Their order is the client's preference, which is the same each time.
            extensions += f"_{_codes(self.signature_algorithms)}"
        return _codes(sorted(self.ciphers)), extensions

    @property
    def _summary(self) -> str:
        version = _VERSION_NAMES.get(max(self.versions, default=self.version), "00")
        target = "d" if _SERVER_NAME in self.extensions else "i"
        counts = f"{min(len(self.ciphers), 99):02}{min(len(self.extensions), 99):02}"
        return f"t{version}{target}{counts}{_alpn_letters(self.alpn)}"


def parse_client_hello(record: bytes) -> ClientHello | None:
    """Read a TLS record with a whole ClientHello in it; None for anything else."""
    try:
        return _parse(record)
    except IndexError:
        return None


class _Bytes:
    """Bytes that are read from the beginning to the end.

    Raises:
        IndexError: There are fewer bytes than requested.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        start, self._at = self._at, self._at + count
        if self._at > len(self._data):
            raise IndexError(self._at)
        return self._data[start : self._at]

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count))

    def counted(self, count: int) -> _Bytes:
        """What follows after its own length, which takes *count* bytes."""
        return _Bytes(self.take(self.number(count)))

    def numbers(self) -> tuple[int, ...]:
        """The remaining bytes as numbers of two bytes each, without GREASE."""
        found = []
        while self:
            found.append(self.number(2))
        return tuple(number for number in found if not _is_grease(number))


def _parse(record: bytes) -> ClientHello | None:
    envelope = _Bytes(record)
    if envelope.number(1) != HANDSHAKE:
        return None
    envelope.take(2)
    handshake = envelope.counted(2)
    if handshake.number(1) != _CLIENT_HELLO:
        return None
    message = handshake.counted(3)
    version = message.number(2)
    message.take(32)
    message.counted(1)
    ciphers = message.counted(2).numbers()
    message.counted(1)
    extensions = _parse_extensions(message.counted(2)) if message else {}
    return ClientHello(
        version=version,
        ciphers=ciphers,
        extensions=tuple(code for code in extensions if not _is_grease(code)),
        signature_algorithms=_list_in(extensions, _SIGNATURE_ALGORITHMS, 2),
        versions=_list_in(extensions, _SUPPORTED_VERSIONS, 1),
        alpn=_parse_alpn(extensions.get(_ALPN)),
        groups=_list_in(extensions, _SUPPORTED_GROUPS, 2),
        key_shares=_parse_key_shares(extensions.get(_KEY_SHARE)),
    )


def _parse_extensions(listed: _Bytes) -> dict[int, bytes]:
    extensions = {}
    while listed:
        code = listed.number(2)
        extensions[code] = listed.take(listed.number(2))
    return extensions


def _list_in(extensions: dict[int, bytes], code: int, length_bytes: int) -> tuple[int, ...]:
    return _Bytes(extensions[code]).counted(length_bytes).numbers() if code in extensions else ()


def _parse_alpn(extension: bytes | None) -> tuple[bytes, ...]:
    if extension is None:
        return ()
    listed = _Bytes(extension).counted(2)
    protocols = []
    while listed:
        protocols.append(listed.take(listed.number(1)))
    return tuple(protocols)


def _parse_key_shares(extension: bytes | None) -> tuple[int, ...]:
    if extension is None:
        return ()
    listed = _Bytes(extension).counted(2)
    groups = []
    while listed:
        groups.append(listed.number(2))
        listed.counted(2)
    return tuple(group for group in groups if not _is_grease(group))


def _is_grease(number: int) -> bool:
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF


def _codes(numbers: Iterable[int]) -> str:
    return ",".join(f"{number:04x}" for number in numbers)


def _digest(codes: str) -> str:
    return hashlib.sha256(codes.encode()).hexdigest()[:12] if codes else _NO_VALUES


def _alpn_letters(protocols: tuple[bytes, ...]) -> str:
    first = protocols[0] if protocols else b""
    if not first:
        return "00"
    ends = first[:1] + first[-1:]
    text = ends.decode() if ends.isalnum() else first.hex()
    return text[0] + text[-1]
