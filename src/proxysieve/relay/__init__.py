"""LEADS: ports on loopback that log in to proxies for browsers, which cannot, or not without a trace.

Chromium cannot log in to a SOCKS5 proxy at all. At other proxies it asks its user. Playwright answers in the user's
place by holding up every request, which turns the cache off and adds ``Cache-Control`` and ``Pragma`` headers.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from proxysieve.core.model import Proxy
from proxysieve.relay.http import HttpRelay
from proxysieve.relay.port import HANDSHAKE_SECONDS, LINGER_SECONDS, Relay, system_trust
from proxysieve.relay.socks import SocksRelay

__all__ = ["Relay", "bare_url", "open_relay", "way_through"]


async def open_relay(
    proxy: Proxy,
    exit_name: str = "",
    *,
    tls: ssl.SSLContext | None = None,
    handshake_seconds: float = HANDSHAKE_SECONDS,
    linger_seconds: float = LINGER_SECONDS,
) -> Relay:
    """Open a relay to *proxy*, in the running event loop.

    Args:
        proxy: With or without a login.
        exit_name: What a gateway provider knows the session's exit by.
        tls: Whom to trust at an ``https://`` proxy; those whom this system trusts, if None.
        handshake_seconds: How long the browser may take to say what it wants, and the proxy to let us in.
        linger_seconds: How long a connection that one side has ended is kept for the other.

    Raises:
        ConfigError: The proxy's user or password is too long for SOCKS5.
        OSError: No port is free.
    """
    if proxy.scheme != "https":
        tls = None
    elif tls is None:
        tls = await asyncio.to_thread(system_trust)
    kind = SocksRelay if proxy.scheme.startswith("socks") else HttpRelay
    relay = kind(proxy, exit_name, tls=tls, handshake_seconds=handshake_seconds, linger_seconds=linger_seconds)
    await relay.open()
    return relay


@asynccontextmanager
async def way_through(proxy: Proxy, exit_name: str = "") -> AsyncIterator[str]:
    """What to tell a browser as its proxy, without a login in it; the same as :func:`open_relay` where there is one.

    Raises:
        ConfigError: The proxy's user or password is too long for SOCKS5.
    """
    if not any(proxy.login(exit_name)):
        yield bare_url(proxy)
        return
    async with await open_relay(proxy, exit_name) as relay:
        yield relay.url


def bare_url(proxy: Proxy) -> str:
    """Where *proxy* is, as browsers read it; they leave names to the proxy in any case."""
    return f"{proxy.scheme.removesuffix('h')}://{proxy.address}"
