"""The sides of `overhead.py` that are bare: a client a proxy, in turn, the body read, and nothing else."""

from __future__ import annotations

import ssl
from contextlib import AsyncExitStack
from itertools import cycle

import aiohttp
from curl_cffi import CurlHttpVersion, CurlOpt
from curl_cffi.requests import AsyncSession, Response

from overhead_task import Fetch, Task, perform
from proxysieve.clients.curl import CurlClient
from proxysieve.clients.protocol import Request
from proxysieve.core.fingerprints.available import FINGERPRINTS
from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.core.records import SessionRecord
from proxysieve.sessions.clients import Clients
from proxysieve.sessions.session import Session

TIMEOUT_SECONDS = 30.0


async def fetch_by_client(task: Task) -> None:
    """Fetch with the built-in client, one session a proxy."""
    clients, client = Clients(task.sessions), CurlClient(ca_path=task.ca_path)
    fingerprints = cycle(FINGERPRINTS)
    sessions = []
    for line in task.proxies[: task.sessions]:
        proxy = parse_proxy(line)
        record = SessionRecord(
            name=line, proxy_key=proxy.key, exit_name="", fingerprint=next(fingerprints), opened_at=0
        )
        sessions.append(Session(record, "site", proxy, clients))
    turns = cycle(sessions)

    async def fetch(url: str) -> None:
        response = await client.send(Request(url=url, timeout_seconds=TIMEOUT_SECONDS), next(turns))
        check(response.status, response.body)

    await task.fetch_all(fetch)
    await clients.close()


async def fetch_by_curl_cffi(task: Task) -> None:
    """Fetch with curl_cffi's own sessions, which look like the same browsers, and trust whom the environment names."""
    fingerprints = cycle(FINGERPRINTS)
    async with AsyncExitStack() as stack:
        sessions = [
            await stack.enter_async_context(
                AsyncSession[Response](
                    impersonate=next(fingerprints).impersonate,
                    proxy=line,
                    trust_env=False,
                    curl_options={CurlOpt.NOPROXY: ""},
                )
            )
            for line in task.proxies[: task.sessions]
        ]
        turns = cycle(sessions)

        async def fetch(url: str) -> None:
            response = await next(turns).get(url, timeout=TIMEOUT_SECONDS, http_version=CurlHttpVersion.V2TLS)
            check(response.status_code, response.content)

        await task.fetch_all(fetch)


async def fetch_by_aiohttp(task: Task) -> None:
    """Fetch with aiohttp, which looks like no browser and speaks HTTP/1.1 only."""
    trusted = ssl.create_default_context(cafile=task.ca_path)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    async with AsyncExitStack() as stack:
        fetchers = []
        for line in task.proxies[: task.sessions]:
            connector = aiohttp.TCPConnector(limit=0, ssl=trusted)
            session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, timeout=timeout))
            fetchers.append(_fetch_through(session, line))
        turns = cycle(fetchers)

        async def fetch(url: str) -> None:
            await next(turns)(url)

        await task.fetch_all(fetch)


def _fetch_through(session: aiohttp.ClientSession, line: str) -> Fetch:
    async def fetch(url: str) -> None:
        async with session.get(url, proxy=line) as response:
            check(response.status, await response.read())

    return fetch


def check(status: int, body: bytes) -> None:
    """Refuse what is no page, as it would measure something else."""
    if status != 200 or not body:
        raise RuntimeError(f"the site answered {status} with {len(body)} bytes")


if __name__ == "__main__":
    perform({"client": fetch_by_client, "curl_cffi": fetch_by_curl_cffi, "aiohttp": fetch_by_aiohttp})
