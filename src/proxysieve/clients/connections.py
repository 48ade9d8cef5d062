"""The connections of one session, over which its requests go out.

Each session has connections of its own: in one pool for all, sessions on one proxy would share connections and tickets
of TLS.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from curl_cffi import AsyncCurl, Curl, CurlECode, CurlError

from proxysieve.clients.curl_handles import AnswerReader, Ask, Dress, Handle, Handles
from proxysieve.core.verdicts.failures.curl import Progress
from proxysieve.errors import SessionEnded

# How often we ask libcurl while a request is out; usually its timers and sockets tell us.
SAFEGUARD_SECONDS = 1.0
CURL_SOCKET_TIMEOUT = -1


class Broken(Exception):  # noqa: N818 - it says what happened
    """A request ended without an answer.

    Attributes:
        code: libcurl's: https://curl.se/libcurl/c/libcurl-errors.html
        progress: How far it came.
        reading: What came until then, such as a proxy's answer to the CONNECT.
    """

    def __init__(self, code: int, message: str, progress: Progress, reading: AnswerReader) -> None:
        super().__init__(message)
        self.code = code
        self.progress = progress
        self.reading = reading


class NoTimer:
    """A timer that never fires."""

    def cancel(self) -> None:
        """Nothing."""


class Timers:
    """An event loop as curl_cffi calls it.

    libcurl says *no timer any more* by a time of -1. curl_cffi would process its connections at once then, and so once
    more for each request.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.create_future, self.create_task = loop.create_future, loop.create_task
        self.add_reader, self.remove_reader = loop.add_reader, loop.remove_reader
        self.add_writer, self.remove_writer = loop.add_writer, loop.remove_writer
        self._call_later = loop.call_later

    def call_later(self, seconds: float, call: Callable[..., object], *args: object) -> asyncio.TimerHandle | NoTimer:
        """The same as of a loop, but no timer if *seconds* are less than 0."""
        return NoTimer() if seconds < 0 else self._call_later(seconds, call, *args)


class Multi(AsyncCurl):
    """libcurl's connections, which cost nothing while no request is out.

    curl_cffi processes its own ten times a second each; 500 of them take 7 % of a core.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loop = Timers(self.loop)  # type: ignore[assignment] # as much of one as it takes
        self._safeguard: asyncio.TimerHandle | NoTimer | None = None

    async def perform(self, curl: Curl) -> None:
        """Have *curl* do its request.

        Raises:
            CurlError: It failed.
        """
        done = self.add_handle(curl)
        if self._safeguard is None:
            self._safeguard = self.loop.call_later(SAFEGUARD_SECONDS, self._look)
        try:
            await done
        finally:
            if curl in self._curl2future:
                self.remove_handle(curl)
            if not self._curl2future and self._safeguard is not None:
                self._safeguard.cancel()
                self._safeguard = None

    def _look(self) -> None:
        self._safeguard = self.loop.call_later(SAFEGUARD_SECONDS, self._look)
        self.process_data(CURL_SOCKET_TIMEOUT, 0)

    async def _force_timeout(self) -> None:
        """Do nothing: a timer does this while a request is out."""

    async def end(self, error: Exception) -> None:
        """Close all connections; what is out ends with *error*."""
        for curl, done in list(self._curl2future.items()):
            self._pop_future(curl)
            if not done.done():
                done.set_exception(error)
        await self.close()  # type: ignore[no-untyped-call] # of curl_cffi's


class Connections:
    """What a session sends its requests through; closed with it.

    Args:
        handles: Where handles are taken from.
        proxy: With its login; empty for none.
        session: Its name.
    """

    def __init__(self, handles: Handles, proxy: str, session: str = "") -> None:
        self._handles = handles
        self._proxy = proxy
        self._session = session
        self._multi = Multi()
        self._is_closed = False

    async def ask(self, ask: Ask, dress: Dress) -> AnswerReader:
        """What the site answers. No redirect is followed.

        Raises:
            Broken: Nothing, or not all of it.
            SessionEnded: The connections are closed, or were meanwhile.
        """
        if self._is_closed:
            # For example between two redirects.
            raise self._ended()
        handle = self._handles.take(dress)
        is_reusable = False
        try:
            handle.prepare(ask, self._proxy)
            await self._perform(handle)
            is_reusable = ask.is_plain and not handle.reading.is_cut_short
        finally:
            reading = handle.reading
            if is_reusable:
                self._handles.give_back(dress, handle)
            else:
                handle.curl.close()
        return reading

    async def _perform(self, handle: Handle) -> None:
        reading = handle.reading
        try:
            await self._multi.perform(handle.curl)
        except CurlError as error:
            if not reading.is_cut_short:
                code = int(error.code)
                if code == CurlECode.WRITE_ERROR and not reading.is_too_large:
                    # We did not stop it: libcurl could not unpack what came.
                    code = CurlECode.BAD_CONTENT_ENCODING
                raise Broken(code, str(error), handle.progress(), reading) from error
        if not reading.is_whole:
            # Libcurl takes the headers that came for all of them. If the length of the body is not among them, a
            # connection that was cut would count as a 404.
            raise Broken(CurlECode.PARTIAL_FILE, "cut within the headers", handle.progress(), reading)
        if reading.has_stray:
            raise Broken(CurlECode.WEIRD_SERVER_REPLY, "a header goes on from none", handle.progress(), reading)

    async def aclose(self) -> None:
        """Close all of them; a second time changes nothing."""
        if not self._is_closed:
            self._is_closed = True
            await self._multi.end(self._ended())

    def _ended(self) -> SessionEnded:
        return SessionEnded(self._session, "its connections were closed")
