"""The site's side of HTTP/2, and what its beginning shows of the client."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError

from proxysieve.testbed.answers import SiteAnswer
from proxysieve.testbed.wire import BURST_BYTES, LONGEST_BODY_BYTES, Headers, Request, Response, reset

PROTOCOL: Final = "HTTP/2"

_PREFACE_BYTES = 24
_FRAME_HEAD_BYTES = 9
_HEADERS, _PRIORITY, _SETTINGS, _WINDOW_UPDATE = 1, 2, 4, 8
_ACK, _PADDED, _HAS_PRIORITY = 0x01, 0x08, 0x20
# Stream 0 stands for the whole connection.
_CONNECTION = 0

Respond = Callable[[Request, str, str], Awaitable[SiteAnswer]]
"""Returns the answer to a request, given the connection's HTTP/2 fingerprint and priority."""


class Opening:
    """What a client sends before its first request."""

    def __init__(self) -> None:
        self.priority = ""
        self._unread = b""
        self._left_of_preface = _PREFACE_BYTES
        self._is_over = False
        self._settings: list[str] = []
        self._window = ""
        self._priorities: list[str] = []

    def feed(self, burst: bytes) -> None:
        """Take the next bytes of the connection."""
        preface = min(self._left_of_preface, len(burst))
        self._left_of_preface -= preface
        self._unread += burst[preface:]
        while (frame := self._next_frame()) is not None:
            self._take_frame(*frame)

    def fingerprint(self, headers: Headers) -> str:
        """Return Akamai's fingerprint, with the order that the pseudo-headers have in *headers*."""
        order = ",".join(name[1] for name, _ in headers if name.startswith(":"))
        settings, priorities = ";".join(self._settings), ",".join(self._priorities) or "0"
        return f"{settings}|{self._window or '00'}|{priorities}|{order}"

    def _next_frame(self) -> tuple[int, int, int, bytes] | None:
        """Return the type, the flags, the stream and the payload of the next frame, once all of it is there."""
        if self._is_over:
            self._unread = b""
            return None
        end = _FRAME_HEAD_BYTES + int.from_bytes(self._unread[:3])
        if len(self._unread) < max(end, _FRAME_HEAD_BYTES):
            return None
        frame, self._unread = self._unread[:end], self._unread[end:]
        return frame[3], frame[4], int.from_bytes(frame[5:9]), frame[_FRAME_HEAD_BYTES:]

    def _take_frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _SETTINGS and not flags & _ACK:
            pairs = (payload[at : at + 6] for at in range(0, len(payload), 6))
            self._settings += [f"{int.from_bytes(pair[:2])}:{int.from_bytes(pair[2:])}" for pair in pairs]
        elif kind == _WINDOW_UPDATE and stream == _CONNECTION:
            self._window = self._window or str(int.from_bytes(payload))
        elif kind == _PRIORITY:
            self._priorities.append(_priority_text(stream, payload))
        elif kind == _HEADERS:
            self._is_over = True
            self.priority = _priority_text(stream, payload[bool(flags & _PADDED) :]) if flags & _HAS_PRIORITY else ""


def _priority_text(stream: int, payload: bytes) -> str:
    depends_on = int.from_bytes(payload[:4])
    # On the wire, the weight is one less.
    return f"{stream}:{depends_on >> 31}:{depends_on & 0x7FFFFFFF}:{payload[4] + 1}"


class Http2Server:
    """Serves one connection, with a task for each of its streams."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, respond: Respond) -> None:
        self._reader = reader
        self._writer = writer
        self._respond = respond
        self._opening = Opening()
        # Headers are not normalised: the site wants to see their order.
        config = H2Configuration(
            client_side=False,
            header_encoding="latin-1",
            normalize_inbound_headers=False,
            validate_inbound_headers=False,
        )
        self._connection = H2Connection(config)
        self._has_window = asyncio.Event()
        self._heads: dict[int, Headers] = {}
        self._bodies: dict[int, bytearray] = {}
        self._answering: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Answer requests until the client closes the connection."""
        self._connection.initiate_connection()
        async with asyncio.TaskGroup() as streams:
            # It is no error here if a client breaks off.
            with contextlib.suppress(OSError):
                await self._receive(streams)
            for task in self._answering.values():
                task.cancel()

    async def _receive(self, streams: asyncio.TaskGroup) -> None:
        await self._flush()
        while burst := await self._reader.read(BURST_BYTES):
            self._opening.feed(burst)
            try:
                events = self._connection.receive_data(burst)
            except ProtocolError:
                # The message to the client about it is ready.
                await self._flush()
                return
            for event in events:
                self._handle(event, streams)
            await self._flush()

    def _handle(self, event: Event, streams: asyncio.TaskGroup) -> None:
        match event:
            case RequestReceived():
                self._heads[event.stream_id] = tuple((str(name), str(value)) for name, value in event.headers)
                self._bodies[event.stream_id] = bytearray()
            case DataReceived():
                self._take_data(event)
            case StreamEnded():
                self._start_answer(event.stream_id, streams)
            case StreamReset():
                self._forget(event.stream_id)
            case WindowUpdated() | RemoteSettingsChanged():
                self._has_window.set()
            case _:
                pass

    def _take_data(self, event: DataReceived) -> None:
        self._connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        body = self._bodies.get(event.stream_id)
        if body is None:
            return
        body += event.data
        if len(body) > LONGEST_BODY_BYTES:
            self._connection.reset_stream(event.stream_id, ErrorCodes.ENHANCE_YOUR_CALM)
            self._forget(event.stream_id)

    def _start_answer(self, stream: int, streams: asyncio.TaskGroup) -> None:
        if stream not in self._heads:
            return
        head, body = self._heads.pop(stream), bytes(self._bodies.pop(stream))
        task = streams.create_task(self._answer(stream, head, body))
        self._answering[stream] = task
        task.add_done_callback(lambda _: self._answering.pop(stream, None))

    def _forget(self, stream: int) -> None:
        self._heads.pop(stream, None)
        self._bodies.pop(stream, None)
        if stream in self._answering:
            self._answering[stream].cancel()

    async def _answer(self, stream: int, head: Headers, body: bytes) -> None:
        request = _request_of(head, body)
        answer = await self._respond(request, self._opening.fingerprint(head), self._opening.priority)
        if answer.is_reset:
            reset(self._writer)
            return
        try:
            await self._send(stream, answer.response, has_body=request.method != "HEAD")
        except (ProtocolError, OSError):
            # The client has closed the stream or the connection meanwhile.
            return

    async def _send(self, stream: int, response: Response, *, has_body: bool) -> None:
        pieces = response.pieces if response.pieces is not None else [response.body] if response.body else []
        self._connection.send_headers(stream, _head_of(response), end_stream=not has_body)
        if has_body:
            await self._send_body(stream, pieces)
        await self._flush()

    async def _send_body(self, stream: int, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            left = memoryview(piece)
            while left:
                size = await self._wait_for_window(stream)
                self._connection.send_data(stream, bytes(left[:size]))
                left = left[size:]
                await self._flush()
        self._connection.end_stream(stream)

    async def _wait_for_window(self, stream: int) -> int:
        """Return how many bytes the client takes now; wait until it takes any."""
        while (window := self._connection.local_flow_control_window(stream)) <= 0:
            self._has_window.clear()
            await self._has_window.wait()
        return min(window, self._connection.max_outbound_frame_size)

    async def _flush(self) -> None:
        if data := self._connection.data_to_send():
            self._writer.write(data)
        await self._writer.drain()


def _request_of(head: Headers, body: bytes) -> Request:
    pseudo = dict(field for field in head if field[0].startswith(":"))
    headers = tuple(field for field in head if not field[0].startswith(":"))
    fields = {**dict(headers), "host": pseudo.get(":authority", "")}
    # Browsers may send each cookie in a header of its own (RFC 9113, 8.2.3).
    if cookies := [value for name, value in headers if name == "cookie"]:
        fields["cookie"] = "; ".join(cookies)
    return Request(
        method=pseudo.get(":method", ""),
        target=pseudo.get(":path", "/"),
        version=PROTOCOL,
        headers=headers,
        fields=fields,
        body=body,
    )


def _head_of(response: Response) -> list[tuple[str, str]]:
    head = [(":status", str(response.status)), *((name.lower(), value) for name, value in response.headers)]
    if response.pieces is None and response.status not in {204, 304}:
        head.append(("content-length", str(len(response.body))))
    return head
