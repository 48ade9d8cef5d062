"""The faults of proxies and sites that every client is tried with, each on a real socket."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

import trustme
from tests.core.verdicts.wires import (
    ESTABLISHED,
    Behaviour,
    closed_unanswered,
    head,
    hung,
    listening,
    nobody,
    reset,
    reset_unanswered,
    saying,
    tunnel_then_hung,
    tunnel_then_no_tls,
    tunnel_then_reset,
)

PLAIN = "http://site.example/page"
TLS = "https://site.example/page"
# Enough for every client to see that it does not end.
MANY_HEADERS = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 1_000) for number in range(1_000))


class Fault(NamedTuple):
    """What goes wrong, and where.

    Attributes:
        proxy: Listens while it is entered, and is a port, or else a whole address.
        verify: Whether the client looks at certificates.
        login: At the proxy, with its @.
    """

    proxy: Callable[[], AbstractContextManager[int | str]]
    url: str = TLS
    scheme: str = "http"
    verify: bool = False
    login: str = ""


def closed_at_once(connection: socket.socket, _: threading.Event) -> None:
    """Takes the connection and hangs up, and takes in what is said all the same."""
    connection.shutdown(socket.SHUT_WR)
    head(connection)


def reset_at_once(connection: socket.socket, _: threading.Event) -> None:
    """Takes the connection and is gone at the first byte."""
    connection.recv(1)
    reset(connection)


def mute(_: socket.socket, over: threading.Event) -> None:
    """Takes the connection and says nothing; not for ever, as httpx has no time limit while it speaks SOCKS."""
    over.wait(2)


def socks(*answers: bytes, then: Behaviour = closed_at_once) -> Behaviour:
    """Says each of *answers* to what comes, and goes on as *then*."""

    def behave(connection: socket.socket, over: threading.Event) -> None:
        for answer in answers:
            connection.recv(512)
            connection.sendall(answer)
        then(connection, over)

    return behave


def within_tls(behave: Behaviour) -> Behaviour:
    """Opens a tunnel to a site whose certificate nobody trusts, and which behaves so."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("site.example").configure_cert(context)

    def tunnelled(connection: socket.socket, over: threading.Event) -> None:
        head(connection)
        connection.sendall(ESTABLISHED)
        with context.wrap_socket(connection.dup(), server_side=True) as site:
            behave(site, over)

    return tunnelled


def status(line: str) -> Behaviour:
    """Answers with a status, and nothing else."""
    return saying(f"HTTP/1.1 {line}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())


def sent_to(url: str) -> Behaviour:
    """Answers by a redirect."""
    return saying(f"HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())


@contextmanager
def unresolved() -> Iterator[str]:
    """A proxy whose name nobody knows."""
    yield "proxy.invalid:8080"


@contextmanager
def full() -> Iterator[int]:
    """A proxy that takes no more connections, as a machine that drops what comes for it."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for connection in waiting:
            connection.settimeout(0)
            connection.connect_ex(address)
        yield address[1]
        for connection in waiting:
            connection.close()


def by(behave: Behaviour) -> Callable[[], AbstractContextManager[int]]:
    return lambda: listening(behave)


NO_LOGIN = b"\x05\x00"
LOGIN = b"\x05\x02"


def socks_no(code: int) -> Behaviour:
    return socks(NO_LOGIN, bytes((5, code, 0, 1)) + bytes(6))


FAULTS: dict[str, Fault] = {
    "nobody": Fault(nobody),
    "nobody-plain": Fault(nobody, PLAIN),
    "nobody-socks": Fault(nobody, TLS, "socks5h"),
    "unresolved": Fault(unresolved),
    "unresolved-plain": Fault(unresolved, PLAIN),
    "unresolved-socks": Fault(unresolved, TLS, "socks5h"),
    "full": Fault(full),
    "mute": Fault(by(mute)),
    "mute-plain": Fault(by(mute), PLAIN),
    "mute-socks": Fault(by(mute), TLS, "socks5h"),
    "closed": Fault(by(closed_at_once)),
    "closed-plain": Fault(by(closed_at_once), PLAIN),
    "closed-socks": Fault(by(closed_at_once), TLS, "socks5h"),
    "reset": Fault(by(reset_at_once)),
    "reset-plain": Fault(by(reset_at_once), PLAIN),
    "reset-socks": Fault(by(reset_at_once), TLS, "socks5h"),
    "connect-403": Fault(by(status("403 Forbidden"))),
    "connect-407": Fault(by(status("407 Proxy Authentication Required\r\nProxy-Authenticate: Basic"))),
    "connect-429": Fault(by(status("429 Too Many Requests"))),
    "connect-502": Fault(by(status("502 Bad Gateway"))),
    "connect-503": Fault(by(status("503 Service Unavailable"))),
    "connect-garbage": Fault(by(saying(b"\0\1\2garbage\r\n\r\n"))),
    "connect-ssh": Fault(by(saying(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"))),
    "connect-endless": Fault(by(saying(b"HTTP/1.1 200 OK\r\n" + MANY_HEADERS))),
    "connect-closed": Fault(by(closed_unanswered)),
    "connect-reset": Fault(by(reset_unanswered)),
    "socks-login": Fault(by(socks(LOGIN, b"\x01\x01")), TLS, "socks5h", login="me:secret@"),
    "socks-method": Fault(by(socks(b"\x05\xff")), TLS, "socks5h"),
    "socks-ruleset": Fault(by(socks_no(2)), TLS, "socks5h"),
    "socks-host": Fault(by(socks_no(4)), TLS, "socks5h"),
    "socks-code-255": Fault(by(socks_no(255)), TLS, "socks5h"),
    "socks-garbage": Fault(by(socks(b"garbage")), TLS, "socks5h"),
    "socks-http": Fault(by(socks(b"HTTP/1.1 400 Bad Request\r\n\r\n")), TLS, "socks5h"),
    "socks-midway": Fault(by(socks(NO_LOGIN)), TLS, "socks5h"),
    "socks-cut": Fault(by(socks(NO_LOGIN, b"\x05\x00\x00")), TLS, "socks5h"),
    "socks-mute": Fault(by(socks(NO_LOGIN, then=mute)), TLS, "socks5h"),
    "socks-4": Fault(by(socks(b"\x00\x5b" + bytes(6))), TLS, "socks5h"),
    "socks-tls-reset": Fault(by(socks(NO_LOGIN, b"\x05\x00\x00\x01" + bytes(6), then=reset_at_once)), TLS, "socks5h"),
    "tls-mute": Fault(by(tunnel_then_hung)),
    "tls-garbage": Fault(by(tunnel_then_no_tls)),
    "tls-reset": Fault(by(tunnel_then_reset)),
    "untrusted": Fault(by(within_tls(hung)), verify=True),
    "silent": Fault(by(hung), PLAIN),
    "silent-tls": Fault(by(within_tls(hung))),
    "unanswered": Fault(by(closed_unanswered), PLAIN),
    "unanswered-tls": Fault(by(within_tls(closed_unanswered))),
    "gone": Fault(by(reset_unanswered), PLAIN),
    "cut": Fault(by(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")), PLAIN),
    "garbled": Fault(by(saying(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")), PLAIN),
    "chunks": Fault(by(saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n")), PLAIN),
    "chunks-cut": Fault(by(saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc")), PLAIN),
    "gzip": Fault(by(saying(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc")), PLAIN),
    "headers-endless": Fault(by(saying(b"HTTP/1.1 200 OK\r\n" + MANY_HEADERS)), PLAIN),
    "circle": Fault(by(sent_to("/again")), PLAIN),
    "misled": Fault(by(sent_to("ftp://site.example/")), PLAIN),
    "misled-script": Fault(by(sent_to("javascript:alert(1)")), PLAIN),
    "misled-garbage": Fault(by(sent_to("http://[::bad/")), PLAIN),
    "no-url": Fault(nobody, "http://"),
    "bad-url": Fault(nobody, "http://[::bad/"),
    "no-web": Fault(nobody, "gopher://site.example/"),
}
