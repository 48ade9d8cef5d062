"""The same pool for callers without ``await``: they hand their work to a loop in the background."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import msgspec

from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.model import Exchange, Verdict
from proxysieve.core.site.status import SiteStatus
from proxysieve.lists.proxy_list import Proxies
from proxysieve.pool.attempts import Attempt, Attempts, Headers, Page, Sender
from proxysieve.pool.named_session import NamedSession
from proxysieve.pool.session_pool import SessionPool
from proxysieve.pool.settings import Settings, takes
from proxysieve.pool.site_queue import Lease
from proxysieve.sessions.session import Session
from proxysieve.sync.loop import Loop


class SyncAttempt:
    """One try of a request; see :class:`~proxysieve.pool.attempts.Attempt`."""

    def __init__(self, loop: Loop, attempt: Attempt) -> None:
        self._loop = loop
        self._attempt = attempt

    def check(
        self,
        status: int,
        headers: Headers = (),
        body: str | bytes | None = None,
        *,
        url: str = "",
        redirect_count: int = 0,
    ) -> None:
        """Go on if this is a good answer; else leave the attempt, and the next one follows."""
        self._loop.call(lambda: self._attempt.check(status, headers, body, url=url, redirect_count=redirect_count))

    def report(self, exchange: Exchange) -> Verdict:
        """The same for an exchange, but the block goes on."""
        return self._loop.call(lambda: self._attempt.report(exchange))

    def __enter__(self) -> Session:
        return self._loop.run(self._attempt.__aenter__())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return self._loop.run(self._attempt.__aexit__(kind, error, trace))


class SyncLease:
    """The right to send one request with one session; see :class:`~proxysieve.pool.site_queue.Lease`."""

    def __init__(self, loop: Loop, lease: Lease) -> None:
        self._loop = loop
        self._lease = lease
        self.session = lease.session

    def report(self, exchange: Exchange) -> Verdict:
        """Judge *exchange* and learn from it."""
        return self._loop.call(lambda: self._lease.report(exchange))

    def drop(self) -> None:
        """Give the lease back. Nothing is learned of the session, as it was not to blame."""
        self._loop.call(self._lease.drop)


class SyncSender:
    """The three ways to send requests, without ``await``; see :class:`~proxysieve.pool.attempts.Sender`."""

    def __init__(self, loop: Loop, sender: Sender) -> None:
        self._loop = loop
        self._sender = sender

    def get(
        self, url: str, *, headers: Mapping[str, str] | None = None, expect: str = "", max_tries: int | None = None
    ) -> Page:
        """Fetch *url* with the pool's own client, by as many sessions as it takes."""
        return self._loop.run(self._sender.get(url, headers=headers, expect=expect, max_tries=max_tries))

    def attempts(
        self, url: str, *, method: str = "GET", expect: str = "", max_tries: int | None = None
    ) -> Iterator[SyncAttempt]:
        """The attempts to send a request to *url* with any client: ``for``, then ``with``."""
        attempts: Attempts = self._sender.attempts(url, method=method, expect=expect, max_tries=max_tries)
        while True:
            try:
                attempt = self._loop.run(attempts.__anext__())
            except StopAsyncIteration:
                return
            yield SyncAttempt(self._loop, attempt)

    @contextmanager
    def acquire(self, url: str) -> Iterator[SyncLease]:
        """A lease for one request to *url*: send it with ``lease.session``, then ``lease.report(exchange)``."""
        with self._loop.entered(self._sender.acquire(url)) as lease:
            yield SyncLease(self._loop, lease)


class SyncSessionPool(SyncSender):
    """:class:`~proxysieve.pool.session_pool.SessionPool` with the same arguments and names, for use in ``with``.

    Threads may share it.
    """

    @takes(Settings)
    def __init__(self, proxies: Proxies, settings: Settings) -> None:
        pool = SessionPool(proxies, **msgspec.structs.asdict(settings))
        super().__init__(Loop(), pool)
        self._pool = pool

    def __enter__(self) -> Self:
        self._loop.open()
        try:
            self._loop.run(self._pool.__aenter__())
        except BaseException:
            self._loop.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Save what was learned, and close everything. A second call does nothing."""
        if not self._loop.is_open:
            return
        try:
            self._loop.run(self._pool.close())
        finally:
            self._loop.close()

    def use_fingerprints(self, fingerprints: Sequence[Fingerprint]) -> None:
        """Give every session one of *fingerprints*; see ``SessionPool.use_fingerprints``."""
        self._loop.call(lambda: self._pool.use_fingerprints(fingerprints))

    @contextmanager
    def relay(self, session: Session) -> Iterator[str]:
        """A way to the proxy of *session* that needs no login: ``with`` gives its URL."""
        with self._loop.entered(self._pool.relay(session)) as url:
            yield url

    def session(self, name: str, *, site: str) -> SyncNamedSession:
        """The session called *name* at *site*, and no other, on every run."""
        return SyncNamedSession(self._loop, self._pool.session(name, site=site))

    def status(self, site: str) -> SiteStatus:
        """How many sessions and exits have each standing at *site* now."""
        return self._loop.run(self._pool.status(site))

    def __repr__(self) -> str:
        return f"<SyncSessionPool over {self._pool!r}>"


def behind(pool: SyncSessionPool) -> tuple[Loop, SessionPool]:
    """The pool that *pool* stands for, and the loop on which it lives; for adapters."""
    return pool._loop, pool._pool  # noqa: SLF001 - of this module


class SyncNamedSession(SyncSender):
    """One session that its user names; see :class:`~proxysieve.pool.named_session.NamedSession`."""

    def __init__(self, loop: Loop, session: NamedSession) -> None:
        super().__init__(loop, session)
        self._session = session

    def renew(self) -> None:
        """Drop the exit, fingerprint, cookies and data. The next request opens the session anew."""
        self._loop.run(self._session.renew())

    def __repr__(self) -> str:
        return f"<SyncNamedSession of {self._session!r}>"
