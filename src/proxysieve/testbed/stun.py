"""A STUN server (RFC 5389): it tells clients their own addresses, and remembers them.

Browsers use such servers over UDP, which few proxies carry. A careless browser shows its own address here.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import Counter
from ipaddress import IPv4Address
from typing import Self

_HEAD = struct.Struct("!HHI12s")
_BINDING_REQUEST, _BINDING_SUCCESS = 0x0001, 0x0101
_COOKIE = 0x2112A442
_MAPPED_ADDRESS = struct.Struct("!HHBBHI")
_XOR_MAPPED_ADDRESS, _IPV4 = 0x0020, 0x01
_ATTRIBUTE_HEAD_BYTES = 4
_LONGEST_PACKET_BYTES = 2_048


class StunServer:
    """One UDP socket on loopback, in the running event loop.

    Attributes:
        packet_counts: How many packets of any kind came from each address.
    """

    def __init__(self) -> None:
        self.packet_counts: Counter[str] = Counter()
        self._socket: socket.socket | None = None

    @property
    def url(self) -> str:
        """Its URL for browsers.

        Raises:
            RuntimeError: It is not running.
        """
        if self._socket is None:
            raise RuntimeError("the STUN server is not running: enter it first")
        host, port = self._socket.getsockname()
        return f"stun:{host}:{port}"

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(0.0)
        self._socket.bind(("127.0.0.1", 0))
        asyncio.get_running_loop().add_reader(self._socket, self._receive, self._socket)
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()

    def _receive(self, from_all: socket.socket) -> None:
        try:
            packet, (host, port) = from_all.recvfrom(_LONGEST_PACKET_BYTES)
            self.packet_counts[host] += 1
            if answer := answer_to(packet, host, port):
                from_all.sendto(answer, (host, port))
        except OSError:
            # Like a network, it loses what cannot be sent or received. Clients ask again.
            return


def answer_to(packet: bytes, host: str, port: int) -> bytes | None:
    """Return the answer to a binding request from an IPv4 address; None for anything else."""
    if len(packet) < _HEAD.size:
        return None
    kind, length, cookie, transaction = _HEAD.unpack_from(packet)
    if (kind, length, cookie) != (_BINDING_REQUEST, len(packet) - _HEAD.size, _COOKIE):
        return None
    mapped = _MAPPED_ADDRESS.pack(
        _XOR_MAPPED_ADDRESS,
        _MAPPED_ADDRESS.size - _ATTRIBUTE_HEAD_BYTES,
        0,
        _IPV4,
        port ^ _COOKIE >> 16,
        int(IPv4Address(host)) ^ _COOKIE,
    )
    return _HEAD.pack(_BINDING_SUCCESS, len(mapped), _COOKIE, transaction) + mapped
