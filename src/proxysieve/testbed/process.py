"""The testbed in a process of its own, so that the servers and what they measure do not share a core.

The two processes exchange lines of JSON. The world goes in and the places come out; then each `truth` that goes in
brings one out. The testbed ends with its input, so it cannot outlive its parent.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from typing import IO, Self

import msgspec

from proxysieve.errors import ProxySieveError
from proxysieve.testbed.bed import Bed, Places, Testbed
from proxysieve.testbed.truth import Truth
from proxysieve.testbed.world import World

_LONGEST_FAREWELL_SECONDS = 10.0


class _Order(msgspec.Struct, frozen=True, kw_only=True):
    """A request of the parent."""

    world: World
    announce: bool | None


class _Failure(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Why the testbed did not start."""

    reason: str


class _Started(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Where the testbed runs."""

    places: Places


class TestbedProcess(Bed):
    """The same as `Testbed`, but in another process, for callers with or without an event loop."""

    __test__ = False  # because pytest takes classes of this name for tests

    def __init__(self, world: World, *, announce: bool | None = None) -> None:
        """Prepare a testbed.

        Args:
            world: What it is made of.
            announce: Whether proxies announce their exits; by default only if they must.
        """
        super().__init__(world)
        self._order = _Order(world=world, announce=announce)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start the process and wait until everything listens.

        Raises:
            ProxySieveError: The testbed did not start; the message says why.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-m", "proxysieve.testbed"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            self._places = self._await_start()
        except BaseException:
            self._reap()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._reap()

    def truth(self) -> Truth:
        """Return what the servers have seen so far."""
        return msgspec.json.decode(self._ask(b"truth"), type=Truth)

    def _await_start(self) -> Places:
        answer = msgspec.json.decode(self._ask(msgspec.json.encode(self._order)), type=_Started | _Failure)
        if isinstance(answer, _Failure):
            raise ProxySieveError(f"the testbed did not start: {answer.reason}")
        return answer.places

    def _ask(self, question: bytes) -> bytes:
        to_child, from_child = self._pipes()
        try:
            to_child.write(question + b"\n")
            to_child.flush()
            answer = from_child.readline()
        except BrokenPipeError:
            answer = b""
        if not answer:
            raise ProxySieveError("the testbed's process has ended; its standard error says why")
        return answer

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        if self._process is None or self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the testbed is not running: enter it first")
        return self._process.stdin, self._process.stdout

    def _reap(self) -> None:
        if self._process is None:
            return
        to_child, from_child = self._pipes()
        with contextlib.suppress(BrokenPipeError):
            to_child.close()
        try:
            self._process.wait(_LONGEST_FAREWELL_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        from_child.close()


async def serve_parent() -> None:
    """Run the testbed that the first line of standard input describes, until that input ends."""
    # The parent decides when to stop. A Ctrl-C in the terminal reaches both processes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lines = await _open_stdin()
    try:
        order = msgspec.json.decode(await lines.readline(), type=_Order)
        async with Testbed(order.world, announce=order.announce) as bed:
            _tell(_Started(places=bed.places))
            while await lines.readline():
                _tell(bed.truth())
    except (ProxySieveError, OSError, msgspec.MsgspecError) as error:
        _tell(_Failure(reason=str(error)))


async def _open_stdin() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    return reader


def _tell(message: msgspec.Struct) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()
