"""The STUN server, by RFC 5389 and the vectors of RFC 5769."""

from __future__ import annotations

import asyncio
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxysieve.testbed.stun import StunServer, answer_to

TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
REQUEST = bytes.fromhex("000100002112a442") + TRANSACTION


def test_the_answer_has_the_address_of_the_vector() -> None:
    """RFC 5769, 2.2: 192.0.2.1, port 32853, in the answer's XOR-MAPPED-ADDRESS."""
    answer = answer_to(REQUEST, "192.0.2.1", 32853)

    assert answer is not None
    assert answer == bytes.fromhex("0101000c2112a442") + TRANSACTION + bytes.fromhex("002000080001a147e112a643")


def test_attributes_of_a_request_are_no_obstacle() -> None:
    """A name of the software, as in RFC 5769, 2.1."""
    software = bytes.fromhex("80220010") + b"STUN test client"

    assert answer_to(b"\x00\x01\x00\x14" + REQUEST[4:] + software, "127.0.0.1", 1) is not None


@pytest.mark.parametrize(
    "packet",
    [b"", REQUEST[:-1], REQUEST + b"more", b"\x01\x01" + REQUEST[2:], REQUEST[:4] + bytes(4) + TRANSACTION],
    ids=["empty", "short", "long", "an answer", "without the cookie"],
)
def test_what_is_no_request_is_not_answered(packet: bytes) -> None:
    """As servers do."""
    assert answer_to(packet, "127.0.0.1", 1) is None


@given(packet=st.binary(max_size=40))
def test_any_packet_can_be_looked_at(packet: bytes) -> None:
    """It is answered or not."""
    assert answer_to(packet, "127.0.0.1", 65_535) is None or packet[:2] == b"\x00\x01"


async def test_who_asks_is_told_its_address_and_counted() -> None:
    """Also whoever says nothing that can be understood."""
    loop = asyncio.get_running_loop()
    with StunServer() as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        client.settimeout(0.0)
        _, host, port = server.url.split(":")
        for packet in (b"noise", REQUEST):
            await loop.sock_sendto(client, packet, (host, int(port)))
        answer = await asyncio.wait_for(loop.sock_recv(client, 100), 5)

        assert answer == answer_to(REQUEST, *client.getsockname())
        assert server.packet_counts == {"127.0.0.1": 2}


def test_a_server_that_was_not_entered_says_so() -> None:
    """It is nowhere before."""
    with pytest.raises(RuntimeError, match="enter it first"):
        _ = StunServer().url
