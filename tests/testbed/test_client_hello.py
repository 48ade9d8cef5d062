"""The ClientHello and its JA4, by the examples of the specification.

https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxysieve.testbed.client_hello import ClientHello, parse_client_hello

CIPHERS = "1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035"
EXTENSIONS = "001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015"
ALGORITHMS = "0403,0804,0401,0503,0805,0501,0806,0601"
GREASE = tuple(number * 0x1010 + 0x0A0A for number in range(16))


def codes(text: str) -> tuple[int, ...]:
    return tuple(int(code, 16) for code in text.split(",")) if text else ()


def hello(
    extensions: str = EXTENSIONS, algorithms: str = ALGORITHMS, alpn: tuple[bytes, ...] = (b"h2",)
) -> ClientHello:
    return ClientHello(
        version=0x0303,
        versions=(0x0304, 0x0303),
        ciphers=codes(CIPHERS),
        extensions=codes(extensions),
        signature_algorithms=codes(algorithms),
        alpn=alpn,
        groups=(0x11EC, 0x001D),
        key_shares=(0x11EC,),
    )


def counted(count: int, data: bytes) -> bytes:
    return len(data).to_bytes(count) + data


def numbers(values: tuple[int, ...]) -> bytes:
    return b"".join(value.to_bytes(2) for value in values)


def record_of(value: ClientHello) -> bytes:
    """The TLS record with *value* in it."""
    keys = b"".join(numbers((group,)) + counted(2, bytes(32)) for group in value.key_shares)
    contents = {
        0x000A: counted(2, numbers(value.groups)),
        0x0033: counted(2, keys),
        0x000D: counted(2, numbers(value.signature_algorithms)),
        0x002B: counted(1, numbers(value.versions)),
        0x0010: counted(2, b"".join(counted(1, protocol) for protocol in value.alpn)),
    }
    extensions = b"".join(code.to_bytes(2) + counted(2, contents.get(code, b"")) for code in value.extensions)
    message = value.version.to_bytes(2) + bytes(32) + counted(1, bytes(32))
    message += counted(2, numbers(value.ciphers)) + counted(1, b"\x00") + counted(2, extensions)
    return b"\x16\x03\x01" + counted(2, b"\x01" + counted(3, message))


def test_the_example_of_the_specification() -> None:
    """Its fingerprint, and the raw form of it."""
    assert hello().ja4 == "t13d1516h2_8daaf6152771_e5627efa2ab1"
    assert hello().ja4_raw == (
        "t13d1516h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9"
        "_0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01"
        "_0403,0804,0401,0503,0805,0501,0806,0601"
    )


def test_without_signature_algorithms_there_is_no_underscore() -> None:
    """The specification's example for it."""
    assert hello(algorithms="").ja4.endswith("_6d807ffa2a79")
    assert hello(algorithms="").ja4_raw.endswith("4469,ff01")


def test_lists_without_values_are_zeros() -> None:
    """They are not hashed."""
    empty = ClientHello(version=0x0303, ciphers=(), extensions=())

    assert empty.ja4 == "t12i000000_000000000000_000000000000"


def test_the_order_of_extensions_makes_no_difference() -> None:
    """Chrome permutes them on every connection."""
    backwards = ",".join(reversed(EXTENSIONS.split(",")))

    assert hello(backwards).ja4 == hello().ja4


@pytest.mark.parametrize(
    ("protocol", "letters"),
    [
        (b"h2", "h2"),
        (b"http/1.1", "h1"),
        (b"h", "hh"),
        (b"", "00"),
        (b"\xab", "ab"),
        (b"\xab\xcd", "ad"),
        (b"\x30\xab", "3b"),
        (b"\x30\x31\xab\xcd", "3d"),
        (b"\x30\xab\xcd\x31", "01"),
    ],
)
def test_the_letters_of_the_first_protocol(protocol: bytes, letters: str) -> None:
    """The first and the last one, of its hex digits where it is no text."""
    assert hello(alpn=(protocol, b"other")).ja4[8:10] == letters


@pytest.mark.parametrize(
    ("version", "name"),
    [(0x0304, "13"), (0x0303, "12"), (0x0302, "11"), (0x0301, "10"), (0x0300, "s3"), (0x0002, "s2"), (0x7F1C, "00")],
)
def test_the_version_is_the_highest_that_is_spoken(version: int, name: str) -> None:
    """It stands in an extension since TLS 1.3, before which it was that of the message."""
    told = ClientHello(version=version, ciphers=(), extensions=())
    listed = ClientHello(version=0x0303, ciphers=(), extensions=(), versions=(0x0002, version))

    assert told.ja4[1:3] == name
    assert listed.ja4[1:3] == name


def test_more_than_99_count_as_99() -> None:
    """There are two digits for them."""
    many = ClientHello(version=0x0303, ciphers=tuple(range(200)), extensions=())

    assert many.ja4[4:8] == "9900"


def test_what_is_written_is_what_is_read() -> None:
    """A record is parsed into what it was made of."""
    assert parse_client_hello(record_of(hello())) == hello()


def test_grease_is_ignored_wherever_it_stands() -> None:
    """Sixteen values stand for nothing (RFC 8701)."""
    plain = hello()
    greased = ClientHello(
        version=plain.version,
        versions=(GREASE[0], *plain.versions),
        ciphers=(*GREASE, *plain.ciphers),
        extensions=(GREASE[1], *plain.extensions, GREASE[2]),
        signature_algorithms=(GREASE[3], *plain.signature_algorithms),
        alpn=plain.alpn,
        groups=(GREASE[4], *plain.groups),
        key_shares=(GREASE[5], *plain.key_shares),
    )

    assert parse_client_hello(record_of(greased)) == plain


@given(st.binary(max_size=200))
def test_anything_else_is_none(data: bytes) -> None:
    """Bytes that are no ClientHello, or a part of one, are none."""
    whole = record_of(hello())

    assert parse_client_hello(data) is None
    assert parse_client_hello(whole[: len(data)]) is None
    assert parse_client_hello(b"\x17" + whole[1:]) is None
