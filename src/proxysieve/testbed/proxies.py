"""The forward proxies: HTTP, CONNECT and SOCKS5 on one port, with or without TLS, each with an exit of its own."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Callable, Sequence
from http import HTTPStatus

from proxysieve.testbed import socks
from proxysieve.testbed.certificates import SITE_HOST
from proxysieve.testbed.connections import Caller, announcement
from proxysieve.testbed.truth import ProxyCounts
from proxysieve.testbed.wire import (
    BURST_BYTES,
    RefusalError,
    Request,
    Response,
    encode_request,
    read_request,
    relay,
    write_response,
)
from proxysieve.testbed.world import Exit, World, fraction_of

USER = "user"
PASSWORD = "pass"  # noqa: S105 - it opens a proxy on loopback

Gate = Callable[[str, str], Exit | None]
"""Returns the exit for a user and a password, or None if they are wrong."""

_PROXYS_OWN_HEADERS = frozenset({"proxy-authorization", "proxy-connection"})
_LOOPBACK_ADDRESS = re.compile(r"127(\.\d{1,3}){3}", re.ASCII)
# A client that resolves the name itself may come to [::1].
_LOOPBACK_NAMES = (SITE_HOST, "[::1]")
_SESSION_USER = re.compile(rf"{USER}-session-([\w.~]{{1,50}})", re.ASCII)


def plain_gate(world: World, exit_: Exit) -> Gate:
    """Return the gate of a proxy with one exit."""

    def admit(user: str, password: str) -> Exit | None:
        is_known = not world.credentials or (user, password) == (USER, PASSWORD)
        return exit_ if is_known and exit_.kind != "demanding" else None

    return admit


def provider_gate(world: World, exits: Sequence[Exit]) -> Gate:
    """Return the gate of a provider: the session name in the user name chooses the exit."""

    def admit(user: str, password: str) -> Exit | None:
        session = _SESSION_USER.fullmatch(user)
        if session is None or (world.credentials and password != PASSWORD):
            return None
        exit_ = exits[int(fraction_of(world.seed, "session", session[1]) * len(exits))]
        return exit_ if exit_.kind != "demanding" else None

    return admit


class Dialer:
    """Opens connections from exits, to loopback only."""

    def __init__(self, *, announced_port: int | None, site_host: str = "") -> None:
        """Make a dialer.

        Args:
            announced_port: None to bind to the exit's address; the site's port to announce the exit there instead.
            site_host: A name of the site that only the proxies resolve.
        """
        self._announced_port = announced_port
        self._names = _LOOPBACK_NAMES if not site_host else (*_LOOPBACK_NAMES, site_host)

    async def dial(self, exit_: Exit, authority: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to *authority* (host:port) from *exit_*.

        Raises:
            RefusalError: It cannot be reached.
        """
        host, _, port_text = authority.rpartition(":")
        address = "127.0.0.1" if self._leads_home(host) else host
        port = int(port_text) if re.fullmatch("[0-9]{1,5}", port_text) else 0
        if not _LOOPBACK_ADDRESS.fullmatch(address) or not 0 < port < 65_536:
            raise RefusalError(HTTPStatus.BAD_GATEWAY)
        source = (exit_.address, 0) if self._announced_port is None else None
        try:
            reader, writer = await asyncio.open_connection(address, port, local_addr=source)
        except OSError as error:
            raise RefusalError(HTTPStatus.BAD_GATEWAY) from error
        if port == self._announced_port:
            _, own_port = writer.get_extra_info("sockname")
            writer.write(announcement((exit_.address, own_port), (address, port)))
        return reader, writer

    def _leads_home(self, host: str) -> bool:
        return any(host == name or host.endswith(f".{name}") for name in self._names)


class ForwardProxy:
    """One listening proxy."""

    def __init__(self, *, name: str, gate: Gate, dialer: Dialer, counts: ProxyCounts, slow_seconds: float) -> None:
        self._name = name
        self._gate = gate
        self._dialer = dialer
        self._counts = counts
        self._slow_seconds = slow_seconds

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: Caller) -> None:
        """Serve one client, in the protocol that its first byte indicates."""
        self._counts.connection_count[self._name] += 1
        first = await reader.readexactly(1)
        if first == socks.VERSION:
            await self._serve_socks5(reader, writer)
        else:
            await self._serve_http(reader, writer, first)

    async def hang(self, reader: asyncio.StreamReader, _: asyncio.StreamWriter, __: Caller) -> None:
        """Accept a client and never answer."""
        self._counts.connection_count[self._name] += 1
        await _read_to_the_end(reader)

    async def _serve_http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, start: bytes) -> None:
        upstream: _Upstream | None = None
        try:
            while (request := await read_request(reader, start)) is not None:
                start = b""
                exit_ = self._let_in(request)
                authority, target = _destination_of(request)
                if upstream is None or not upstream.leads(exit_, authority):
                    if upstream is not None:
                        upstream.close()
                    upstream = await self._open(exit_, authority, reader)
                await self._slow_down(exit_)
                if request.method == "CONNECT":
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    await self._tunnel(upstream, reader, writer)
                    return
                upstream.relay_to(writer)
                await upstream.send(encode_request(request, target=target, dropped=_PROXYS_OWN_HEADERS))
        except RefusalError as error:
            await self._refuse(writer, error.status)
        finally:
            if upstream is not None:
                upstream.close()

    async def _serve_socks5(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        exit_ = await socks.authenticate(reader, writer, self._gate)
        if exit_ is None:
            self._counts.answers[HTTPStatus.PROXY_AUTHENTICATION_REQUIRED] += 1
            return
        authority = await socks.read_authority(reader)
        try:
            upstream = await self._open(exit_, authority or "", reader)
        except RefusalError as error:
            self._counts.answers[error.status] += 1
            writer.write(socks.reply(socks.GENERAL_FAILURE))
            return
        try:
            await self._slow_down(exit_)
            writer.write(socks.reply(socks.SUCCEEDED))
            await self._tunnel(upstream, reader, writer)
        finally:
            upstream.close()

    def _let_in(self, request: Request) -> Exit:
        exit_ = self._gate(*_credentials_of(request))
        if exit_ is None:
            raise RefusalError(HTTPStatus.PROXY_AUTHENTICATION_REQUIRED)
        return exit_

    async def _open(self, exit_: Exit, authority: str, client: asyncio.StreamReader) -> _Upstream:
        match exit_.kind:
            case "refusing" | "failing":
                raise RefusalError(HTTPStatus.BAD_GATEWAY)
            case "hanging":
                await _read_to_the_end(client)
                raise EOFError
            case "plain" | "slow" | "demanding":
                reader, writer = await self._dialer.dial(exit_, authority)
                return _Upstream(exit_=exit_, authority=authority, reader=reader, writer=writer)

    async def _tunnel(self, upstream: _Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._counts.tunnel_count[self._name] += 1
        upstream.relay_to(writer)
        while burst := await reader.read(BURST_BYTES):
            await self._slow_down(upstream.exit)
            await upstream.send(burst)

    async def _slow_down(self, exit_: Exit) -> None:
        if exit_.kind == "slow":
            await asyncio.sleep(self._slow_seconds)

    async def _refuse(self, writer: asyncio.StreamWriter, status: HTTPStatus) -> None:
        self._counts.answers[status] += 1
        asks = status is HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
        headers = (("Proxy-Authenticate", 'Basic realm="testbed"'),) if asks else ()
        response = Response(status=status, headers=headers, body=f"{status.phrase}\n".encode())
        await write_response(writer, response, to=None)


class _Upstream:
    """A connection to a client's destination, from one exit."""

    def __init__(
        self, *, exit_: Exit, authority: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.exit = exit_
        self._authority = authority
        self._reader = reader
        self._writer = writer
        self._relay: asyncio.Task[None] | None = None

    def leads(self, exit_: Exit, authority: str) -> bool:
        """Whether it leads to *authority* from *exit_*."""
        return self.exit is exit_ and self._authority == authority

    def relay_to(self, client: asyncio.StreamWriter) -> None:
        """From now on, pass on to *client* what comes back."""
        if self._relay is None:
            self._relay = asyncio.get_running_loop().create_task(relay(self._reader, client))

    async def send(self, burst: bytes) -> None:
        """Send a piece of what the client sent."""
        self._writer.write(burst)
        await self._writer.drain()

    def close(self) -> None:
        """Close it at once."""
        if self._relay is not None:
            self._relay.cancel()
        self._writer.transport.abort()


def _credentials_of(request: Request) -> tuple[str, str]:
    scheme, _, encoded = request.header("proxy-authorization").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def _destination_of(request: Request) -> tuple[str, str]:
    """Return the authority (host:port) and the target there."""
    if request.method == "CONNECT":
        return request.target, ""
    scheme, _, rest = request.target.partition("://")
    if scheme.lower() != "http":
        raise RefusalError(HTTPStatus.BAD_REQUEST)
    authority, slash, path = rest.partition("/")
    return authority if ":" in authority else f"{authority}:80", f"/{path}" if slash else "/"


async def _read_to_the_end(reader: asyncio.StreamReader) -> None:
    while await reader.read(BURST_BYTES):
        pass
