"""Clients that people use, each as they would: one GET through a proxy, whose error is what is looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import aiohttp
import httpx
import httpx2
import impit
import requests
import wreq.blocking
import wreq.redirect
from aiohttp_socks import ProxyConnector
from curl_cffi.requests import Session as CurlSession
from wreq.proxy import Proxy as WreqProxy

TIMEOUT_SECONDS = 1.0


def by_httpx(proxy: str, url: str, *, verify: bool) -> object:
    with httpx.Client(
        proxy=proxy, verify=verify, timeout=TIMEOUT_SECONDS, trust_env=False, follow_redirects=True
    ) as client:
        return client.get(url)


def by_httpx_with(proxy: str, url: str, hook: Callable[[object], None]) -> object:
    """The same with a hook of its user's."""
    with httpx.Client(proxy=proxy, trust_env=False, event_hooks={"request": [hook]}) as client:
        return client.get(url)


def by_httpx_async(proxy: str, url: str, *, verify: bool) -> object:
    async def send() -> object:
        async with httpx.AsyncClient(
            proxy=proxy, verify=verify, timeout=TIMEOUT_SECONDS, trust_env=False, follow_redirects=True
        ) as client:
            return await client.get(url)

    return asyncio.run(send())


def by_httpx2(proxy: str, url: str, *, verify: bool) -> object:
    with httpx2.Client(
        proxy=proxy, verify=verify, timeout=TIMEOUT_SECONDS, trust_env=False, follow_redirects=True
    ) as client:
        return client.get(url)


def by_requests(proxy: str, url: str, *, verify: bool) -> object:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, proxies={"http": proxy, "https": proxy}, timeout=TIMEOUT_SECONDS, verify=verify)


def by_aiohttp(proxy: str, url: str, *, verify: bool) -> object:
    """By aiohttp-socks, and python-socks in it, where the proxy speaks SOCKS."""
    is_socks = proxy.startswith("socks")

    async def send() -> bytes:
        connector = ProxyConnector.from_url(proxy.replace("socks5h", "socks5")) if is_socks else None
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS), connector=connector) as session,
            session.get(url, proxy=None if is_socks else proxy, ssl=verify) as response,
        ):
            return await response.read()

    return asyncio.run(send())


def by_curl(proxy: str, url: str, *, verify: bool) -> object:
    with CurlSession(proxy=proxy, verify=verify, timeout=TIMEOUT_SECONDS, trust_env=False) as session:
        return session.get(url)


def by_wreq(proxy: str, url: str, *, verify: bool) -> object:
    with wreq.blocking.Client(
        proxies=[WreqProxy.all(proxy)],
        tls_verify=verify,
        timeout=timedelta(seconds=TIMEOUT_SECONDS),
        redirect=wreq.redirect.Policy.limited(10),
    ) as client:
        return client.get(url).bytes()


def by_impit(proxy: str, url: str, *, verify: bool) -> object:
    client = impit.Client(proxy=proxy, verify=verify, timeout=TIMEOUT_SECONDS, follow_redirects=True)
    return client.get(url).content
