"""The pool: one list of proxies, every site's desk, one store, one client."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from http.cookiejar import Cookie
from os import PathLike
from random import Random, SystemRandom
from types import TracebackType
from typing import Self

from proxysieve.clients.curl import CurlClient
from proxysieve.clients.protocol import Client
from proxysieve.clock import Clock, SystemClock
from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.fingerprints.offered import FINGERPRINTS
from proxysieve.core.model import Proxy
from proxysieve.core.policies.adaptive import Adaptive
from proxysieve.core.policies.classic import Classic
from proxysieve.core.policies.round_robin import RoundRobin
from proxysieve.core.policies.uniform_random import UniformRandom
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.proxies.elsewhere import Elsewhere
from proxysieve.core.proxies.loads import Loads
from proxysieve.core.records import Record
from proxysieve.core.site.engine import Engine, SiteStatus
from proxysieve.core.site.policy import Policy
from proxysieve.errors import ConfigError, ProxySieveError
from proxysieve.judging.samples import Samples
from proxysieve.judging.tables import OwnSign, make_judge
from proxysieve.lists.proxy_list import Change, Proxies, list_proxies
from proxysieve.pool.attempts import OnTried, Sender, Settings
from proxysieve.pool.named_session import NamedSession
from proxysieve.pool.site_queue import SiteQueue
from proxysieve.pool.site_queues import SiteQueues
from proxysieve.relay import way_through
from proxysieve.sessions.clients import Clients
from proxysieve.sessions.cookie_file import cookies_at, read_cookies
from proxysieve.sessions.own_headers import Given, OwnHeaders
from proxysieve.sessions.session import Session
from proxysieve.site_of import site_of
from proxysieve.stores import Store, open_store, samples_directory

log = logging.getLogger("proxysieve")

# A crash costs at most this much of what was learned.
SAVE_SECONDS = 1.0
# How long closing waits for a download that was cancelled; libcurl may swallow that.
CANCEL_SECONDS = 1.0
# So many proxies come or go at once, so that a list of a million holds nobody up for more than some milliseconds.
PROXIES_AT_ONCE = 5_000
# How long a claim on the store holds where it does not end with the process.
CLAIM_SECONDS = 60.0

# What makes each of them, of max_sessions and thrift.
POLICIES: dict[str, Callable[[int, float], Policy]] = {
    "adaptive": lambda _, thrift: Adaptive(thrift),
    "classic": lambda max_sessions, _: Classic(max_sessions),
    "round_robin": lambda *_: RoundRobin(),
    "uniform_random": lambda *_: UniformRandom(),
}


class SessionPool(Sender):
    """Sessions for any site, out of one list of proxies. Use it in ``async with``.

    Args:
        proxies: The path of a file with one a line, the http(s) address of such a list, or ``-`` for the standard
            input; or lines and :class:`Proxy` values; or a :class:`ProxyList` of several of these. They are read when
            the pool is opened, and files and addresses again whenever they change.
        store: Where to keep what is learned: a directory, or ``memory:``.
        policy: ``adaptive``, ``classic``, ``round_robin`` or ``uniform_random``. Each site has one of its own.
        thrift: The adaptive's trade-off: how long a request may wait for others' answers, to spare tries. With 1, as
            many fresh exits are tried at once as requests wait; with 2, half as many.
        max_sessions: The classic's trade-off: a lower number uses the sessions that work sooner and more, a higher
            one keeps looking for more of them.
        max_rate: Requests a second to a site, over all sessions; 0 for no cap.
        attempts: How often a request may fail on sessions that had worked: twice as often where it was throttled. By
            the site's own fault it may fail three times at the most.
        deadline_seconds: How long after its start a request may still be tried again, or wait for a session; 0 for no
            such limit.
        max_wait_seconds: How long to wait for something to be due where nothing works.
        timeout_seconds: For one try, redirects included.
        max_bytes: How large a decoded body may be.
        max_clients: How many sessions' clients stay open; beyond, those not used for longest are closed.
        client: Sends what :meth:`get` asks for.
        signs: Signs of your own, asked before those that come with the package: functions of an exchange that return a
            verdict or None, or files like ``signs.toml``.
        headers: For every request of :meth:`get`, on top of those that an identity sends by itself: values by names,
            for every site that is asked; and such a mapping by the name of a site (``shop.example``), for that one.
            What carries a secret must be given for a site. No redirect takes one of them to another site; see
            :mod:`proxysieve.sessions.own_headers`.
        cookies: What every session starts with: ``cookies.txt`` or a JSON file, or cookies. What a site sets later
            counts for more.
        likeness: Whether a page is doubted, and asked for again, that is unlike the good pages of its site.
        site: The site of a URL: the scope in which a ban holds.
        clock: The time.
        seed: Makes the pool's chance repeatable.
        on_tried: Is told of every try, with its site.
        on_joined: Is told when proxies have joined while the pool was open, and how many.

    Raises:
        ConfigError: An argument is wrong; when it is opened: there is no usable proxy.
    """

    def __init__(
        self,
        proxies: Proxies,
        *,
        store: str | PathLike[str] = ".proxysieve",
        policy: str = "adaptive",
        thrift: float = 1.0,
        max_sessions: int = 100,
        max_rate: float = 30.0,
        attempts: int = 5,
        deadline_seconds: float = 600.0,
        max_wait_seconds: float = 30.0,
        timeout_seconds: float = 30.0,
        max_bytes: int = 50_000_000,
        max_clients: int = 200,
        client: Client | None = None,
        signs: Sequence[OwnSign] = (),
        headers: Given | OwnHeaders | None = None,
        cookies: str | PathLike[str] | Iterable[Cookie] = (),
        likeness: bool = True,
        site: Callable[[str], str] = site_of,
        clock: Clock | None = None,
        seed: int | None = None,
        on_tried: OnTried = lambda _site, _tried: None,
        on_joined: Callable[[int], None] = lambda _count: None,
    ) -> None:
        if policy not in POLICIES:
            raise ConfigError(f"unknown policy {policy!r}: expected one of {', '.join(sorted(POLICIES))}")
        for name, value, least in (
            ("max_sessions", max_sessions, 1),
            ("attempts", attempts, 1),
            ("max_clients", max_clients, 1),
            ("max_rate", max_rate, 0),
            ("deadline_seconds", deadline_seconds, 0),
            ("max_wait_seconds", max_wait_seconds, 0),
        ):
            if not value >= least:
                raise ConfigError(f"{name} is {value}: expected {least} or more")
        if not thrift > 0:
            raise ConfigError(f"thrift is {thrift}: expected more than 0")
        self._fingerprints: Sequence[Fingerprint] | None = None
        self._listed = list_proxies(proxies)
        self._on_joined = on_joined
        self._clock = clock or SystemClock()
        super().__init__(
            Settings(
                client=client or CurlClient(),
                clock=self._clock,
                attempts=attempts,
                deadline_seconds=deadline_seconds,
                max_wait_seconds=max_wait_seconds,
                timeout_seconds=timeout_seconds,
                max_bytes=max_bytes,
                headers=OwnHeaders.of(headers or {}).bound_to(),
                on_tried=on_tried,
            )
        )
        self._catalog = Catalog()
        self._elsewhere, self._loads = Elsewhere(), Loads()
        # One that learns serves one site.
        self._make_policy = partial(POLICIES[policy], max_sessions, thrift)
        self._max_rate = max_rate
        self._judge = make_judge(signs)
        self._likeness = likeness
        self._cookies = (
            read_cookies(cookies, self._clock.now()) if isinstance(cookies, str | PathLike) else list(cookies)
        )
        self._site = site
        self._rng = Random(SystemRandom().getrandbits(64) if seed is None else seed)
        self._clients = Clients(max_clients)
        self._store: Store = open_store(store)
        self._samples = Samples(samples_directory(self._store))
        self._fence: int | None = None
        self._site_queues = SiteQueues(self._store, self._make_site_queue)
        self._is_closing = asyncio.Event()
        self._saver: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._saver is not None:
            raise ProxySieveError("a pool is opened once; make another one")
        try:
            await self._read_proxies()
            self._fence = await self._store.claim("", CLAIM_SECONDS)
        except BaseException:
            await self._store.close()
            raise
        self._saver = asyncio.create_task(self._save_now_and_then())
        self._watcher = asyncio.create_task(self._listed.watch(self._clock, self._is_closing, self._take))
        return self

    async def _read_proxies(self) -> None:
        if not self._listed.is_read:
            for problem in await asyncio.to_thread(self._listed.read):
                log.warning("%s", problem)
        self._catalog = await asyncio.to_thread(Catalog, self._listed.proxies)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Save what was learned, and close everything. Twice does no harm."""
        if self._fence is None:
            return
        try:
            self._is_closing.set()
            if self._watcher:
                # It may be in the middle of a download.
                self._watcher.cancel()
                await asyncio.wait([self._watcher], timeout=CANCEL_SECONDS)
            if self._saver:
                await asyncio.wait([self._saver])
                if not self._saver.cancelled():
                    # What it could not save is saved now, or the reason is told now; a task's own would be told twice.
                    self._saver.exception()
            await self.save()
        finally:
            self._fence = None
            await self._clients.close()
            await self._store.close()

    def drain(self) -> None:
        """Send nothing more: requests under way may end, and whoever waits for a session is told that it is over."""
        self._site_queues.drain()

    async def save(self) -> None:
        """Save what was learned now, without waiting for the next second.

        Raises:
            StoreError: It cannot be saved; it stays in memory, and is tried again with the next save.
        """
        await self._site_queues.save(self._check_open())

    def _check_open(self) -> int:
        """The fence of the claim on the store, which it has while it is open."""
        if self._fence is None:
            raise self._not_open()
        return self._fence

    async def _take(self, change: Change) -> None:
        """Take over what became of the list: who joins comes first, so that there is no moment without proxies."""
        with self._catalog.change():
            for batch in _batches(change.joined):
                self._join(batch)
                await asyncio.sleep(0)
            for batch in _batches(change.left):
                self._leave(batch)
                await asyncio.sleep(0)
            for batch in _batches(change.changed):
                self._replace(batch)
                await asyncio.sleep(0)
        self._site_queues.wake()
        if change.joined:
            self._on_joined(len(change.joined))

    def _join(self, proxies: Mapping[str, Proxy]) -> None:
        for proxy in proxies.values():
            self._catalog.add(proxy)
        for site_queue in self._site_queues.values():
            site_queue.welcome(proxies)

    def _leave(self, proxies: Mapping[str, Proxy]) -> None:
        for key in proxies:
            self._catalog.remove(key)
        for site_queue in self._site_queues.values():
            site_queue.part(proxies)

    def _replace(self, proxies: Mapping[str, Proxy]) -> None:
        before = {key: old for key in proxies if (old := self._catalog.get(key))}
        for proxy in proxies.values():
            self._catalog.replace(proxy)
        for site_queue in self._site_queues.values():
            site_queue.change(before, proxies)

    def use_fingerprints(self, fingerprints: Sequence[Fingerprint]) -> None:
        """Have all sessions be one of *fingerprints*, as a browser wants it that does not imitate others.

        What a store kept of another kind of visitor ends when its site is opened: its cookies would not be known
        again. What is known of the exits stays.

        Raises:
            ProxySieveError: Sessions were used already that look otherwise.
        """
        if self._site_queues and tuple(fingerprints) != tuple(self._fingerprints_offered):
            raise ProxySieveError("the pool has sessions that look otherwise already: open the browser before using it")
        self._fingerprints = tuple(fingerprints)

    @property
    def _fingerprints_offered(self) -> Sequence[Fingerprint]:
        # What a client looks like may be known only once it is open.
        clients: Sequence[Fingerprint] = getattr(self._settings.client, "fingerprints", FINGERPRINTS)
        return self._fingerprints or clients

    def relay(self, session: Session) -> AbstractAsyncContextManager[str]:
        """A way to the proxy of *session* for a browser, which needs no login: ``async with`` gives its URL.

        Browsers have no flag for a login. Where the proxy wants one, this is a port on loopback that logs in, open as
        long as the block; else it is the proxy's own address.

        Raises:
            ConfigError: In ``async with``: the user or the password is too long for SOCKS5.
        """
        return way_through(session.proxy, session.exit)

    def session(self, name: str, *, site: str) -> NamedSession:
        """The session called *name* at *site* (``shop.example``), and no other, on every run.

        It is opened at its first use. What it finds lost, it says; see :class:`NamedSession`.
        """
        if not isinstance(name, str):
            raise ConfigError(f"a session's name is a text, not {name!r}")
        if not name:
            raise ConfigError("a session's name must not be empty")
        try:
            name.encode()
        except UnicodeEncodeError as error:
            # What cannot be saved would keep all else from being saved.
            raise ConfigError(f"a session's name is a text, and {name!r} has half a letter in it") from error
        return NamedSession(name, site, self._settings, self._site_queue_of, self._site)

    def site_of(self, url: str) -> str:
        """The site that *url* belongs to."""
        return self._site(url)

    async def status(self, site: str) -> SiteStatus:
        """How many sessions and exits stand where at *site* now."""
        return (await self._site_queue_of(site)).status()

    def statuses(self) -> dict[str, SiteStatus]:
        """The same for every site that was used since the pool was opened."""
        return self._site_queues.statuses()

    def suspicions(self) -> dict[str, list[str]]:
        """The signs that may be mistaken, in words, by site; nobody was given up for them."""
        return {
            site: [*site_queue.suspicions.values()]
            for site, site_queue in self._site_queues.items()
            if site_queue.suspicions
        }

    @property
    def is_open(self) -> bool:
        """Whether it was opened, and not closed since."""
        return self._fence is not None

    def has_session(self, name: str) -> bool:
        """Whether a session called *name* is open at a site that is being used."""
        return any(name in site_queue.engine.state.sessions for site_queue in self._site_queues.values())

    @property
    def working_count(self) -> int:
        """How many sessions work, over all sites."""
        return self._site_queues.working_count

    def _not_open(self) -> ProxySieveError:
        if self._saver is None:
            return ProxySieveError("the pool is not open: use it in async with")
        return ProxySieveError("the pool is not open any more: use it within its async with")

    async def _site_queue(self, url: str) -> SiteQueue:
        return await self._site_queue_of(self._site(url))

    async def _site_queue_of(self, site: str) -> SiteQueue:
        self._check_open()
        if self._saver is not None and self._saver.done():
            # It ends by itself only if what was learned cannot be saved; better to stop than to lose it.
            self._saver.result()
        return await self._site_queues.at(site)

    def _make_site_queue(self, site: str, records: Sequence[Record]) -> SiteQueue:
        engine = Engine(
            site,
            self._catalog,
            self._make_policy(),
            max_rate=self._max_rate,
            fingerprints=self._fingerprints_offered,
            elsewhere=self._elsewhere,
            loads=self._loads,
            records=records,
            now=self._clock.now(),
        )
        return SiteQueue(
            engine,
            clock=self._clock,
            rng=self._rng,
            judge=self._judge,
            clients=self._clients,
            samples=self._samples,
            records=records,
            likeness=self._likeness,
            cookies=cookies_at(site, self._cookies, self._site),
            on_free=self._site_queues.wake,
        )

    async def _save_now_and_then(self) -> None:
        while not self._is_closing.is_set():
            await self._clock.wait(self._is_closing, self._clock.now() + SAVE_SECONDS)
            await self.save()
            self._site_queues.leave_idle()

    def __repr__(self) -> str:
        return f"<SessionPool of {len(self._catalog)} proxies, {len(self._site_queues)} sites, {self._store!r}>"


def _batches(proxies: Sequence[Proxy]) -> Iterator[dict[str, Proxy]]:
    for start in range(0, len(proxies), PROXIES_AT_ONCE):
        yield {proxy.key: proxy for proxy in proxies[start : start + PROXIES_AT_ONCE]}
