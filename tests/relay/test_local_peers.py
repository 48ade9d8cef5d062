"""Who is at the other end of a connection on this machine."""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from proxysieve.relay import local_peers
from proxysieve.relay.local_peers import can_tell, is_own

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whose a connection is")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection: of who was connected to, and of who connected."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as caller:
        accepted, _ = server.accept()
        with closing(accepted):
            yield accepted, caller


def test_ones_own_connection_is_known(pair: tuple[socket.socket, socket.socket]) -> None:
    """Who connected to us runs as the same user."""
    assert is_own(pair[0])


@LINUX
def test_another_users_connection_is_known(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket that belongs to another user is not one's own."""
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)

    assert not is_own(pair[0])


@LINUX
def test_a_connection_that_is_gone_is_nobodys(pair: tuple[socket.socket, socket.socket]) -> None:
    """Whoever has left already is taken for a stranger, as it cannot be told any more."""
    accepted, caller = pair
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    there, here = accepted.getpeername(), accepted.getsockname()
    caller.close()

    assert not is_own(Remembered(there, here))


def test_where_it_cannot_be_told_everybody_is_let_in(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sandbox that forbids the question does not make the relay useless."""

    def forbidden(*_: object) -> socket.socket:
        raise PermissionError

    monkeypatch.setattr(socket, "socket", forbidden)

    assert is_own(pair[0])


def test_it_can_be_told() -> None:
    """By a connection to oneself, wherever the kernel knows of any; elsewhere everybody is let in."""
    assert can_tell()


def test_a_kernel_that_knows_of_no_socket_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without inet_diag, it says of each that it is not there; a protocol that is no protocol has it say so here."""
    monkeypatch.setattr(local_peers, "SOCK_DIAG_BY_FAMILY", 255)

    assert can_tell() == (sys.platform != "linux")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\0" * 7, id="half a header"),
        pytest.param(struct.pack("=IHHII", 16, local_peers.SOCK_DIAG_BY_FAMILY, 0, 0, 0), id="no more than a header"),
        pytest.param(struct.pack("=IHHIIi", 36, 2, 0, 0, 0, -2) + b"\0" * 100, id="an error with much behind it"),
    ],
)
def test_an_odd_answer_names_nobody(answer: bytes) -> None:
    """The kernel may say what nobody knows how to read."""
    assert local_peers._owner(answer) is None


class Remembered:
    """A connection of which only the addresses are left."""

    def __init__(self, there: tuple[str, int], here: tuple[str, int]) -> None:
        self._there = there
        self._here = here

    def getpeername(self) -> tuple[str, int]:
        return self._there

    def getsockname(self) -> tuple[str, int]:
        return self._here
