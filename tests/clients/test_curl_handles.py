"""Handles of libcurl's go from session to session, and nothing of a session goes with them."""

from __future__ import annotations

import asyncio
import gc
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.clients.rude_servers import answer, blurting, chunked, closing, listening, saying, silent
from tests.clients.walks import ROOM, Asked, failed, moved, playing, send, session_on

from proxysieve.clients.connections import Connections, Timers
from proxysieve.clients.curl import CurlClient, Walk
from proxysieve.clients.curl_handles import MOST_IDLE, AnswerReader, Ask, Dress, Handles
from proxysieve.clients.protocol import Request
from proxysieve.core.fingerprints.available import FINGERPRINTS
from proxysieve.core.model import Failure
from proxysieve.core.urls.channels import Channel
from proxysieve.errors import ConfigError, SessionEnded

SITE = "http://a.example/"
SECURE = "http://127.0.0.1:1/"


def descriptor_count() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


def setting_cookies(_: Asked) -> bytes:
    return answer("200 OK", "Set-Cookie: mine=1", stays=True)


async def test_what_a_request_had_is_not_the_next_one_s() -> None:
    """Neither cookies, nor headers, nor a body, nor a method; the handle is the same where it can be."""
    client = CurlClient()
    async with playing(setting_cookies) as (line, seen):
        first = session_on(line)
        await client.send(Request(url=SITE), first)
        await client.send(Request(url=SITE), first)
        await client.send(Request(url=SITE, headers={"X-Own": "1"}), first)
        await client.send(Request(url=SITE, method="POST", content=b"a=1"), first)
        await send(Request(url=SITE), session_on(line), client)
        ROOM.end(first)

    assert [one.headers.get("cookie") for one in seen] == [None, "mine=1", "mine=1", "mine=1", None]
    assert [one.headers.get("x-own") for one in seen] == [None, None, "1", None, None]
    assert [(one.method, one.body) for one in seen[2:]] == [("GET", b""), ("POST", b"a=1"), ("GET", b"")]
    assert seen[0].names == seen[4].names


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE", "POST", "PUT", "PATCH", "post"])
@pytest.mark.parametrize("content", [None, b"", b"\0\xff"])
@pytest.mark.parametrize("headers", [{}, {"content-TYPE": "text/plain"}, {"Content-Type": ""}])
async def test_a_body_is_said_to_be_what_it_is(method: str, content: bytes | None, headers: dict[str, str]) -> None:
    """With its length, also where a method for bodies has none, and as nothing that nobody said."""
    nothing = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    async with playing(lambda _: nothing) as (line, seen):
        await send(Request(url=SITE, method=method, content=content, headers=headers), session_on(line))

    is_for_bodies = method.upper() in {"POST", "PUT", "PATCH"}
    has_body = method != "HEAD" and (content is not None or is_for_bodies)
    (asked,) = seen
    assert (asked.method, asked.body) == (method.upper(), (content or b"") if has_body else b"")
    assert asked.headers.get("content-length") == (str(len(content or b"")) if has_body else None)
    assert asked.headers.get("content-type") == next(iter(headers.values()), None)
    assert not asked.headers.keys() & {"expect", "transfer-encoding"}


@settings(deadline=None)
@given(st.text() | st.text("\r\n\0: Aa\ud800"), st.text() | st.text("\r\n\0 Aa\udfff"), st.text() | st.text("\r\n GE"))
def test_what_is_taken_is_one_line_of_a_request(name: str, value: str, method: str) -> None:
    """What would be two, or none, is refused, whoever hands it to the client."""
    with suppress(ConfigError):
        request = Request(url=SITE, method=method, headers={name: value})
        assert f"{name}: {value}".encode()
        assert not set("\r\n\0") & set(f"{request.method}{name}{value}")
        assert request.method.isascii()
        assert " " not in request.method + name


@pytest.mark.parametrize("seconds", [1e-9, 0.0, -1.0, 1e10, float("inf")])
async def test_any_time_can_be_given(seconds: float) -> None:
    """The shortest are over at once, and the longest never."""
    async with playing({}) as (line, _):
        if seconds > 1:
            assert (await send(Request(url=SITE, timeout_seconds=seconds), session_on(line))).status == 200
        else:
            exchange = await failed(Request(url=SITE, timeout_seconds=seconds), session_on(line))
            assert exchange.failure is Failure.TIMEOUT


def test_nothing_secret_prints() -> None:
    """Neither cookies, nor bodies, nor own headers, in whatever prints the values around a request."""
    own = (("Authorization", "Bearer hunter2"), ("Referer", "http://a.example/hunter2"))
    ask = Ask(SITE, "POST", "sid=hunter2", b"hunter2", 1.0, 1, is_redirected=False)
    values = ask, Dress(FINGERPRINTS[0], Channel.TLS, own), Request(url=SITE, headers=dict(own), content=b"hunter2")

    assert all("hunter2" not in f"{value!r} {value}" for value in values)


@pytest.mark.parametrize("fingerprint", FINGERPRINTS, ids=lambda one: one.impersonate)
async def test_what_others_can_overhear_is_not_told(fingerprint: object) -> None:
    """Without TLS browsers send no hints and nothing of what they fetch, except to this machine."""
    client = CurlClient()
    async with playing({}) as (line, seen):
        for url in (SITE, SECURE):
            await send(Request(url=url), session_on(line, fingerprint), client)  # type: ignore[arg-type]

    clear, secure = ({name for name in one.headers if name.startswith(("sec-", "priority"))} for one in seen)
    assert not {name for name in clear if name.startswith("sec-")}
    assert {"sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"} <= secure
    assert seen[0].headers["accept-encoding"] == "gzip, deflate"
    assert seen[1].headers["accept-encoding"].startswith("gzip, deflate, br")


async def test_each_session_has_connections_of_its_own() -> None:
    """And they are closed with it, a kept one too."""
    open_count, most = 0, 0

    async def behave(reader: Reader, writer: Writer) -> None:
        nonlocal open_count, most
        open_count += 1
        most = max(most, open_count)
        with suppress(EOFError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(answer(stays=True))
        open_count -= 1

    client = CurlClient()
    async with listening(behave) as port:
        sessions = [session_on(f"http://127.0.0.1:{port}") for _ in range(5)]
        for session in sessions * 2:
            await client.send(Request(url=SITE), session)
        assert (open_count, most) == (5, 5)
        for session in sessions:
            ROOM.end(session)
        for _ in range(100):
            if not open_count:
                break
            await asyncio.sleep(0.01)
        assert open_count == 0


@pytest.mark.parametrize("seconds", [0.0, 0.005, 0.02, 0.05, 0.1])
@pytest.mark.parametrize("behave", [silent, blurting(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")])
async def test_a_request_can_be_cancelled_at_any_moment(behave: object, seconds: float) -> None:
    """The session goes on, and no descriptor is left."""
    client = CurlClient()
    async with listening(behave) as port, playing({}) as (line, _):  # type: ignore[arg-type]
        await send(Request(url=SITE), session_on(line), client)
        before = descriptor_count()
        session = session_on(f"http://127.0.0.1:{port}")
        asking = asyncio.create_task(client.send(Request(url=SITE), session))
        await asyncio.sleep(seconds)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        ROOM.end(session)
        await ROOM.close()
        for _ in range(100):
            if descriptor_count() <= before:
                break
            await asyncio.sleep(0.01)
        assert descriptor_count() <= before
        assert (await send(Request(url=SITE), session_on(line), client)).status == 200


async def test_what_is_out_when_the_connections_close_is_told() -> None:
    """It ends as the session does."""
    client = CurlClient()
    async with listening(silent) as port:
        session = session_on(f"http://127.0.0.1:{port}")
        asking = asyncio.create_task(client.send(Request(url=SITE), session))
        await asyncio.sleep(0.05)
        await session.client(client._open).aclose()
        with pytest.raises(SessionEnded) as caught:
            await asking
    assert caught.value.session == session.name


@pytest.mark.parametrize("turns", range(4))
async def test_nothing_goes_out_once_the_connections_close(turns: int) -> None:
    """However far closing is, and how often it was done."""
    client = CurlClient()
    async with playing({}) as (line, seen):
        session = session_on(line)
        connections = session.client(client._open)
        closings = [asyncio.create_task(connections.aclose()) for _ in range(2)]
        for _ in range(turns):
            await asyncio.sleep(0)
        if turns:
            with pytest.raises(SessionEnded):
                await client.send(Request(url=SITE), session)
        await asyncio.gather(*closings)
        with pytest.raises(SessionEnded):
            await client.send(Request(url=SITE), session)

    assert not seen


async def test_a_redirect_is_not_followed_once_the_connections_close() -> None:
    """They may be closed while the answer that leads on waits to be read."""
    closings: list[asyncio.Task[None]] = []

    class Closing(Connections):
        async def ask(self, ask: Ask, dress: Dress) -> AnswerReader:
            reading = await super().ask(ask, dress)
            closings.append(asyncio.create_task(self.aclose()))
            await asyncio.sleep(0)
            return reading

    async with playing({SITE: moved("/2")}) as (line, seen):
        session = session_on(line)
        with pytest.raises(SessionEnded):
            await Walk(Request(url=SITE), Closing(Handles(), line), session.fingerprint, session.cookies).end()
        await asyncio.gather(*closings)

    assert [one.url for one in seen] == [SITE]


async def test_idle_handles_are_few() -> None:
    """However many requests were out at once."""
    handles, dress = Handles(), Dress(FINGERPRINTS[0], Channel.TLS)
    taken = [handles.take(dress) for _ in range(MOST_IDLE + 10)]
    for handle in taken:
        handles.give_back(dress, handle)
    gc.collect()

    again = {id(handles.take(dress)) for _ in range(MOST_IDLE)}
    assert again == {id(handle) for handle in taken[:MOST_IDLE]}
    assert id(handles.take(dress)) not in {id(handle) for handle in taken}


@pytest.mark.parametrize(
    ("lines", "status", "headers", "stray"),
    [
        (["HTTP/1.1 200 OK", "A: 1", ""], 200, (("a", "1"),), False),
        (["HTTP/1.1 200 Connection established", "Via: x", "", "HTTP/2 404 ", "b: 2", ""], 404, (("b", "2"),), False),
        (["HTTP/1.1 103 Early", "Link: x", "", "HTTP/1.1 200 OK", "A: 1", ""], 200, (("a", "1"),), False),
        (["HTTP/1.1 200 OK", "A: 1", "  more", ""], 200, (("a", "1 more"),), False),
        (["HTTP/1.1 200 OK", " stray", "A: 1", ""], 200, (("a", "1"),), True),
        (["HTTP/1.1 200 OK", "A: 1", "", "Trailer: x", ""], 200, (("a", "1"),), False),
        (["HTTP/1.1 200 OK", "HTTP/1.1 404: x", "A: 1", ""], 200, (("http/1.1 404", "x"), ("a", "1")), False),
        (["HTTP/1.1 407 No", "A: 1", "", "HTTP/1.1 407 No", "b: 2", ""], 407, (("b", "2"),), False),
        (["HTTP/1.1 200 OK", "NoColon", "A: Caf\xe9", ""], 200, (("nocolon", ""), ("a", "Caf\xe9")), False),
    ],
)
def test_headers_are_those_of_the_last_answer(
    lines: list[str], status: int, headers: tuple[tuple[str, str], ...], *, stray: bool
) -> None:
    """A proxy's, interim ones and trailers say nothing of it."""
    reading = AnswerReader(100)
    for line in lines:
        assert reading.hear(f"{line}\r\n".encode("latin-1")) > 0

    assert (reading.status, reading.headers(), reading.has_stray, reading.is_whole) == (status, headers, stray, True)


async def test_trailers_are_no_answer() -> None:
    """Also those that look like one."""
    pieces = b"2\r\nok\r\n0\r\n", b"HTTP/1.1 404 gone: x\r\n", b"HTTP/2 302 : x\r\nLocation: /2\r\n\r\n"
    async with listening(saying(chunked(*pieces))) as port:
        response = await send(Request(url=SITE), session_on(f"http://127.0.0.1:{port}"))

    assert (response.status, response.body, response.redirect_count) == (200, b"ok", 0)


async def test_a_time_out_is_one_wherever_it_comes() -> None:
    """Also where the connection was kept from an answer before."""
    async with listening(silent) as port:
        exchange = await failed(Request(url=SITE, timeout_seconds=0.2), session_on(f"http://127.0.0.1:{port}"))
    assert exchange.failure is Failure.TIMEOUT

    async with listening(closing) as port:
        exchange = await failed(Request(url=SITE, timeout_seconds=2), session_on(f"http://127.0.0.1:{port}"))
    assert exchange.failure is Failure.RESET


async def test_a_timer_that_is_none_is_not_set() -> None:
    """libcurl says -1 for it, and would be asked once more for each request."""
    timers = Timers(asyncio.get_running_loop())
    called: list[str] = []

    none = timers.call_later(-0.001, called.append, "none")
    timers.call_later(0, called.append, "some")
    timers.call_later(0.01, called.append, "late").cancel()
    none.cancel()
    await asyncio.sleep(0.03)

    assert called == ["some"]
