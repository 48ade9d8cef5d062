"""SOCKS5 (RFC 1928) without authentication or with user and password (RFC 1929): the server's side of the handshake."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from proxysieve.testbed.world import Exit

VERSION: Final = b"\x05"
SUCCEEDED: Final = 0
GENERAL_FAILURE: Final = 1

_NO_AUTHENTICATION = 0
_USER_AND_PASSWORD = 2
_CONNECT = 1
_IPV4 = 1
_DOMAIN = 3
_IPV6 = 4


async def authenticate(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, admit: Callable[[str, str], Exit | None]
) -> Exit | None:
    """Agree on the authentication, after the version was read.

    Returns:
        What *admit* returns for the user and the password, which are empty for a client that has none. None means
        that the client was refused.
    """
    methods = await _read_counted(reader)
    if _USER_AND_PASSWORD in methods:
        writer.write(bytes((5, _USER_AND_PASSWORD)))
        await reader.readexactly(1)
        user, password = await _read_counted(reader), await _read_counted(reader)
        admitted = admit(user.decode("latin-1"), password.decode("latin-1"))
        writer.write(b"\x01\x01" if admitted is None else b"\x01\x00")
        return admitted
    admitted = admit("", "") if _NO_AUTHENTICATION in methods else None
    writer.write(b"\x05\xff" if admitted is None else bytes((5, _NO_AUTHENTICATION)))
    return admitted


async def read_authority(reader: asyncio.StreamReader) -> str | None:
    """Read the client's destination as host:port; None if it is not supported."""
    _, command, _, kind = await reader.readexactly(4)
    if kind == _IPV4:
        host = socket.inet_ntoa(await reader.readexactly(4))
    elif kind == _DOMAIN:
        host = (await _read_counted(reader)).decode("latin-1")
    elif kind == _IPV6:
        host = f"[{socket.inet_ntop(socket.AF_INET6, await reader.readexactly(16))}]"
    else:
        return None
    port = int.from_bytes(await reader.readexactly(2))
    return f"{host}:{port}" if command == _CONNECT else None


def reply(code: int) -> bytes:
    """Return the answer to a request. It has no address, because no client needs it."""
    return bytes((5, code, 0, _IPV4)) + bytes(6)


async def _read_counted(reader: asyncio.StreamReader) -> bytes:
    (count,) = await reader.readexactly(1)
    return await reader.readexactly(count)
