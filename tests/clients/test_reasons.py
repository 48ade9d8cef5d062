"""What a proxy answers to a CONNECT that it refuses."""

from __future__ import annotations

import base64
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer

import pytest
from tests.clients.walks import failed, session_on
from tests.rude_servers import HEAD_END, answer, listening

from proxysieve.clients.curl import CurlClient
from proxysieve.clients.protocol import Request
from proxysieve.core.model import Failure

URL = "https://shop.example/a"


class Refusing:
    """A proxy that answers each CONNECT with *said*."""

    def __init__(self, said: bytes) -> None:
        self.heads: list[bytes] = []
        self._said = said

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        self.heads.append(await reader.readuntil(HEAD_END))
        writer.write(self._said)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 407, 429, 500, 502, 503, 504, 522])
async def test_status_and_headers_are_told(status: int) -> None:
    """Whatever the proxy says."""
    proxy = Refusing(answer(f"{status} Why", "X-Error: bad_port", "Retry-After: 7", body=b"why"))
    async with listening(proxy) as port:
        exchange = await failed(Request(url=URL), session_on(f"http://127.0.0.1:{port}"))

    assert exchange.failure is Failure.PROXY_REFUSED
    assert exchange.proxy_answer is not None
    assert (exchange.proxy_answer.status, exchange.proxy_answer.header("x-error")) == (status, "bad_port")
    assert exchange.proxy_answer.header("retry-after") == "7"
    # Who asks for time is not asked again.
    assert len(proxy.heads) == 1


async def test_the_text_of_a_refusal_is_asked_for_once() -> None:
    """With the same login; others of the same proxy are told the same."""
    proxy, client = Refusing(answer("403 Forbidden", body=b"port 8443 is not allowed" * 1000)), CurlClient()
    async with listening(proxy) as port:
        line = f"http://ann:p%40ss@127.0.0.1:{port}"
        told = [await failed(Request(url=URL), session_on(line), client) for _ in range(3)]

    bodies = [one.proxy_answer.body for one in told if one.proxy_answer]
    assert bodies[0].startswith(b"port 8443 is not allowed")
    assert len(bodies[0]) <= 4096
    assert bodies == [bodies[0]] * 3
    assert len(proxy.heads) == 4
    login = base64.b64encode(b"ann:p@ss")
    assert all(b"CONNECT shop.example:443 " in head and login in head for head in proxy.heads)


@pytest.mark.parametrize("status", [402, 407, 429, 502, 503, 504])
async def test_a_status_that_says_all_is_not_asked_about(status: int) -> None:
    """It would be one more request for nothing."""
    proxy = Refusing(answer(f"{status} Why", body=b"why"))
    async with listening(proxy) as port:
        exchange = await failed(Request(url=URL), session_on(f"http://127.0.0.1:{port}"))

    assert exchange.proxy_answer is not None
    assert len(proxy.heads) == 1


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 403 No\r\n\r\n", b"\x00\xff" * 100, b"HTTP/1.1 403 No\r\nA: " + b"x" * 99999]
)
async def test_a_proxy_without_words_is_told_all_the_same(said: bytes) -> None:
    """It may be gone by the time it is asked again, or say something else."""

    class Fickle(Refusing):
        async def __call__(self, reader: Reader, writer: Writer) -> None:
            is_first = not self.heads
            await super().__call__(reader, writer)
            if is_first:
                self._said = said

    proxy = Fickle(answer("403 Forbidden", body=b"why"))
    async with listening(proxy) as port:
        exchange = await failed(Request(url=URL), session_on(f"http://127.0.0.1:{port}"))

    assert exchange.proxy_answer is not None
    assert (exchange.proxy_answer.status, exchange.proxy_answer.body) == (403, b"")
