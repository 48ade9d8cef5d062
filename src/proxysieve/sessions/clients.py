"""The clients of sessions: one each, with tunnels of its own, closed with its session.

Each client of an ended session is closed in a task of its own. Closing takes a while, and curl_cffi's swallows the
cancellation of whoever waits for it.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

log = logging.getLogger("proxysieve")

C = TypeVar("C")
S = TypeVar("S", bound=Hashable)


class Clients:
    """The clients of sessions. Beyond *limit*, those that were unused for longest are closed.

    Sessions of synchronous users ask from their own threads, so there is a lock.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._clients: OrderedDict[tuple[Hashable, Hashable], Any] = OrderedDict()
        self._busy: dict[Hashable, int] = {}
        self._ended: set[Hashable] = set()
        self._closings: set[asyncio.Task[None]] = set()
        self._lock = threading.RLock()

    def get(self, session: S, make: Callable[[S], C]) -> C:
        """The client that *make* made for *session*, made now if there is none."""
        key = (session, make)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = make(session)
            self._clients.move_to_end(key)
            client: C = self._clients[key]
            return client

    def hold(self, session: Hashable) -> None:
        """Keep the clients of *session* open: a request is under way."""
        with self._lock:
            self._busy[session] = self._busy.get(session, 0) + 1

    def release(self, session: Hashable) -> None:
        """A request of *session* is over."""
        with self._lock:
            self._busy[session] -= 1
            if not self._busy[session]:
                del self._busy[session]
            self._tidy()

    def end(self, session: Hashable) -> None:
        """*session* ended: close its clients as soon as no request of it is under way."""
        with self._lock:
            self._ended.add(session)
            self._tidy()

    def _tidy(self) -> None:
        over = [session for session in self._ended if session not in self._busy]
        self._ended.difference_update(over)
        if over:
            self._drop([key for key in self._clients if key[0] in over])
        surplus = len(self._clients) - self._limit
        if surplus > 0:
            idle = [key for key, client in self._clients.items() if self._is_idle(key[0], client)]
            self._drop(idle[:surplus])

    def _is_idle(self, session: Hashable, client: object) -> bool:
        # A browser's page may be in use after its request.
        return session not in self._busy and not getattr(client, "is_busy", False)

    def _drop(self, keys: list[tuple[Hashable, Hashable]]) -> None:
        # In their own tasks: closing takes time, and curl_cffi's client swallows the cancellation of its caller.
        for key in keys:
            closing = asyncio.get_running_loop().create_task(close_client(self._clients.pop(key)))
            self._closings.add(closing)
            closing.add_done_callback(self._closings.discard)

    async def close(self) -> None:
        """Close all of them."""
        with self._lock:
            self._drop(list(self._clients))
        if self._closings:
            await asyncio.wait(self._closings)


async def close_client(client: Any) -> None:  # noqa: ANN401 - any client at all
    """Close *client* in the way it offers, if it offers one."""
    close = getattr(client, "aclose", None) or getattr(client, "close", None)
    try:
        result = close() if close else None
        if inspect.isawaitable(result):
            await result
    except Exception as error:  # noqa: BLE001 - a client that fails to close must not end a crawl
        log.warning("a session's client could not be closed: %s", type(error).__name__)
