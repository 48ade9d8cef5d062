"""Who is at the other end of a connection on this machine."""

from __future__ import annotations

import os
import socket
import struct
import sys
from contextlib import closing
from typing import Any

# Of Linux: sock_diag(7), netlink(7), linux/inet_diag.h.
SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
REQUEST = 1
HEADER = struct.Struct("=IHHII")
QUESTION = struct.Struct("=BBBBI")
PORTS = struct.Struct("!HH")
ADDRESS_BYTES = 16
# Any interface, and no cookie known.
REST = struct.pack("=III", 0, 0xFFFF_FFFF, 0xFFFF_FFFF)
ALL_STATES = 0xFFFF_FFFF
# Behind the header, the states, the address of the socket and its queues.
OWNER = struct.Struct("=I")
OWNER_OFFSET = HEADER.size + 4 + PORTS.size + 2 * ADDRESS_BYTES + len(REST) + 12
LONGEST_ANSWER = 8_192


def can_tell() -> bool:
    """Whether :func:`is_own` knows of a connection that is this user's that it is.

    Kernels without inet_diag, as those of some sandboxes are, say of every socket that there is none.
    """
    try:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
            accepted, _ = server.accept()
            with closing(accepted):
                return is_own(accepted)
    except OSError:
        return False


def is_own(connection: Any) -> bool:  # noqa: ANN401 - a socket, or asyncio's looks of one
    """Whether the other end of an IPv4 *connection* within this machine belongs to the user who runs this process.

    Only Linux can tell; elsewhere, and where it may not be asked, everybody counts as the same user. Where Linux was
    built without the answer everybody counts as a stranger, so ask :func:`can_tell` first. Asking takes some 15
    microseconds, whereas the system takes milliseconds to write its table of connections, ``/proc/net/tcp``.
    """
    if sys.platform != "linux":
        return True
    question = _question(connection.getpeername(), connection.getsockname())
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, SOCK_DIAG) as kernel:
            kernel.send(question)
            # It answers while it is asked, or not at all.
            answer = kernel.recv(LONGEST_ANSWER, socket.MSG_DONTWAIT)
    except OSError:
        return True
    return _owner(answer) == os.geteuid()


def _question(end: tuple[str, int], other: tuple[str, int]) -> bytes:
    """A request for what the kernel knows of the socket at *end*, which is connected to *other*."""
    asked = QUESTION.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, ALL_STATES)
    places = b"".join(socket.inet_aton(host).ljust(ADDRESS_BYTES, b"\0") for host, _ in (end, other))
    body = asked + PORTS.pack(end[1], other[1]) + places + REST
    return HEADER.pack(HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, REQUEST, 0, 0) + body


def _owner(answer: bytes) -> int | None:
    """Whose the socket is; None if it is gone, or if the answer is none that is known."""
    try:
        _, kind, *_ = HEADER.unpack_from(answer)
        (owner,) = OWNER.unpack_from(answer, OWNER_OFFSET)
    except struct.error:
        return None
    return int(owner) if kind == SOCK_DIAG_BY_FAMILY else None
