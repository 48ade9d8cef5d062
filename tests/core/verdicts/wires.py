"""Proxies that misbehave, each in one way, on real sockets: for what clients make of it."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"

Behaviour = Callable[[socket.socket, threading.Event], None]


def head(connection: socket.socket) -> bytes:
    """What the client asks first, up to the blank line."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65_536)
        if not piece:
            break
        data += piece
    return data


def reset(connection: socket.socket) -> None:
    """End the connection as a machine does that forgot it."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def saying(answer: bytes) -> Behaviour:
    """Answers whatever is asked with *answer*, and closes."""

    def behave(connection: socket.socket, _: threading.Event) -> None:
        head(connection)
        connection.sendall(answer)

    return behave


def hung(connection: socket.socket, over: threading.Event) -> None:
    """Takes the request and never answers."""
    head(connection)
    over.wait()


def tunnel_then_hung(connection: socket.socket, over: threading.Event) -> None:
    """Says that the tunnel stands, and nothing more."""
    head(connection)
    connection.sendall(ESTABLISHED)
    over.wait()


def tunnel_then_reset(connection: socket.socket, _: threading.Event) -> None:
    """Says that the tunnel stands, and is gone at the first byte through it."""
    head(connection)
    connection.sendall(ESTABLISHED)
    connection.recv(1)
    reset(connection)


def tunnel_then_no_tls(connection: socket.socket, _: threading.Event) -> None:
    """Says that the tunnel stands, and then speaks something else than TLS."""
    head(connection)
    connection.sendall(ESTABLISHED)
    connection.recv(65_536)
    connection.sendall(b"220 mail.example ESMTP\r\n" * 4)


def closed_unanswered(connection: socket.socket, _: threading.Event) -> None:
    """Takes the request and hangs up."""
    head(connection)


def reset_unanswered(connection: socket.socket, _: threading.Event) -> None:
    """Takes the request and is gone."""
    head(connection)
    reset(connection)


def socks_refusing(connection: socket.socket, _: threading.Event) -> None:
    """Speaks SOCKS5, and refuses every destination by its rules."""
    connection.recv(64)
    connection.sendall(b"\x05\x00")
    connection.recv(512)
    connection.sendall(b"\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00")


@contextmanager
def listening(behave: Behaviour) -> Iterator[int]:
    """A port on loopback where every connection meets with *behave*."""
    over = threading.Event()
    threads: list[threading.Thread] = []
    connections: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def meet(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                connection.settimeout(5)
                behave(connection, over)

        def accept() -> None:
            with suppress(OSError):
                while not over.is_set():
                    connection, _ = server.accept()
                    connections.append(connection)
                    threads.append(threading.Thread(target=meet, args=(connection,)))
                    threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            accepting.join()
            # Some clients leave theirs open until they are forgotten.
            for connection in connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


@contextmanager
def nobody() -> Iterator[int]:
    """A port on loopback where nobody listens: bound, so that nobody else comes to."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
