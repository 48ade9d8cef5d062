"""What a proxy answers to a CONNECT that it refuses."""

from __future__ import annotations

import asyncio
import base64
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from contextlib import suppress
from pathlib import Path

import pytest
from tests.clients.rude_servers import (
    HEAD_END,
    Behaviour,
    answer,
    authority,
    listening,
    over_tls,
    saying,
    socks,
    trusted_proxy,
)
from tests.clients.walks import CHROME, ROOM, failed, session_on

from proxysieve.clients.curl import CurlClient
from proxysieve.clients.protocol import Request
from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.core.model import Failure
from proxysieve.core.records import SessionRecord
from proxysieve.sessions.session import Session

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


class Fickle(Refusing):
    """One that says something else from the second time on."""

    def __init__(self, said: bytes, *then: bytes) -> None:
        super().__init__(said)
        self._then = list(then)

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        await super().__call__(reader, writer)
        if self._then:
            self._said = self._then.pop(0)


FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\n"
CHUNKED = FORBIDDEN + b"transfer-encoding: gzip, Chunked\r\n\r\n"


@pytest.mark.parametrize(
    "said",
    [
        b"",
        FORBIDDEN + b"\r\n",
        b"\x00\xff" * 100,
        FORBIDDEN + b"A: " + b"x" * 99999,
        HEAD_END,
        b"\n" + HEAD_END,
        b"HTTP/1.1" + HEAD_END,
        b"HTTP/1.1 4_03 No" + HEAD_END + b"no",
        b"HTTP/1.1 " + b"4" * 5000 + HEAD_END + b"no",
        b"SSH 403" + HEAD_END + b"no",
        b"\x05\xff" + HEAD_END,
        b"HTTP/1.1 200 OK" + HEAD_END + b"no",
        CHUNKED + b"no size\r\nno",
        CHUNKED + b"-5\r\nno",
        CHUNKED + b"0\r\n\r\n",
        CHUNKED + b"3",
    ],
)
async def test_a_proxy_without_words_is_told_all_the_same(said: bytes) -> None:
    """It may be gone by the time it is asked again, or say something else."""
    proxy = Fickle(answer("403 Forbidden", body=b"why"), said)
    async with listening(proxy) as port:
        exchange = await failed(Request(url=URL), session_on(f"http://127.0.0.1:{port}"))

    assert exchange.proxy_answer is not None
    assert (exchange.proxy_answer.status, exchange.proxy_answer.body) == (403, b"")


@pytest.mark.parametrize("size", [b"3", b"0003;name=value", b"3  "])
async def test_a_text_in_chunks_is_read_without_their_sizes(size: bytes) -> None:
    """They would stand in the reason."""
    async with listening(Refusing(CHUNKED + size + b"\r\nwhy\r\n0\r\n\r\n")) as port:
        exchange = await failed(Request(url=URL), session_on(f"http://127.0.0.1:{port}"))

    assert exchange.proxy_answer is not None
    assert exchange.proxy_answer.body == b"why"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://b\u00fccher.example/", "xn--bcher-kva.example:443"),
        ("https://SHOP.example:8443/a?b#c", "shop.example:8443"),
        ("https://ann:secret@shop.example/", "shop.example:443"),
        ("https://[2001:DB8::1]/", "[2001:db8::1]:443"),
        ("https://0x7f.1:444/", "127.0.0.1:444"),
        ("https:\\/shop.example/", ""),
    ],
)
async def test_it_is_asked_about_the_same_place(url: str, place: str) -> None:
    """However that is written."""
    proxy = Refusing(answer("403 Forbidden", body=b"why"))
    async with listening(proxy) as port:
        await failed(Request(url=url), session_on(f"http://127.0.0.1:{port}"))

    told = [(head.split()[1], head.split(b"Host: ")[1].split(b"\r\n")[0]) for head in proxy.heads]
    assert told == ([(place.encode(), place.encode())] * 2 if place else [])


async def test_who_is_cancelled_while_it_asks_leaves_it_to_others() -> None:
    """The text is not given up for what somebody had no time for."""
    refusal, client = answer("403 Forbidden", body=b"why"), CurlClient()
    proxy = Fickle(refusal, b"", refusal)
    asked = asyncio.Event()

    async def behave(reader: Reader, writer: Writer) -> None:
        is_second = len(proxy.heads) == 1
        await proxy(reader, writer)
        if is_second:
            asked.set()
            await reader.read()

    async with listening(behave) as port:
        line = f"http://127.0.0.1:{port}"
        asking = asyncio.create_task(failed(Request(url=URL), session_on(line), client))
        await asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        exchange = await failed(Request(url=URL), session_on(line), client)

    assert exchange.proxy_answer is not None
    assert exchange.proxy_answer.body == b"why"


@pytest.mark.parametrize("behave", [socks(2), saying(answer("403 Forbidden", body=b"why"))])
@pytest.mark.parametrize("scheme", ["socks5h", "http"])
async def test_nobody_else_is_asked(behave: Behaviour, scheme: str) -> None:
    """Neither a SOCKS proxy, nor one that brings a page without TLS, has answered a CONNECT."""
    met = 0

    async def counting(reader: Reader, writer: Writer) -> None:
        nonlocal met
        met += 1
        await behave(reader, writer)

    async with listening(counting) as port:
        session = session_on(f"{scheme}://127.0.0.1:{port}")
        with suppress(AssertionError):
            exchange = await failed(Request(url="http://shop.example/", timeout_seconds=1), session)
            assert exchange.proxy_answer is None

    assert met == 1


async def test_a_text_is_kept_without_the_login_of_who_asked() -> None:
    """It is told to other sessions of the proxy, whose own login is another."""
    client, told = CurlClient(), []
    async with listening(
        Refusing(answer("403 Forbidden", body=b"user-first42 may not, whose password is hunter2"))
    ) as port:
        proxy = parse_proxy(f"http://user-{{session}}:hunter2@127.0.0.1:{port}")
        for name in ("first42", "second7"):
            record = SessionRecord(name=name, proxy_key=proxy.key, exit_name=name, fingerprint=CHROME, opened_at=0)
            told.append(await failed(Request(url=URL), Session(record, "shop.example", proxy, ROOM), client))

    assert [one.proxy_answer.body for one in told if one.proxy_answer] == [b"*** may not, whose password is ***"] * 2


async def test_a_proxy_behind_tls_is_asked_behind_it(tmp_path: Path) -> None:
    """And its certificate is to be trusted, as for libcurl."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    proxy = Refusing(answer("403 Forbidden", body=b"why"))
    async with listening(over_tls(proxy, trusted_proxy)) as port:
        session = session_on(f"https://127.0.0.1:{port}")
        exchange = await failed(Request(url=URL), session, CurlClient(ca_path=str(tmp_path / "ca.pem")))
        assert exchange.proxy_answer is not None
        assert exchange.proxy_answer.body == b"why"

    assert len(proxy.heads) == 2
