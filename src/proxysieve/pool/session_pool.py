"""The pool: one list of proxies, a queue for each site, one store, one client."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Self

from proxysieve.core.fingerprints.available import FINGERPRINTS
from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.model import Proxy
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.proxies.other_sites import OtherSites
from proxysieve.core.proxies.proxy_loads import Loads
from proxysieve.core.records import Record
from proxysieve.core.site.engine import Engine
from proxysieve.core.site.status import SiteStatus
from proxysieve.errors import ConfigError, ProxySieveError
from proxysieve.judging.samples import Samples
from proxysieve.judging.sign_tables import make_judge
from proxysieve.lists.proxy_list import Change, Proxies, list_proxies
from proxysieve.pool.attempts import Sender
from proxysieve.pool.events import ProxiesJoined
from proxysieve.pool.named_session import NamedSession
from proxysieve.pool.settings import Settings, takes
from proxysieve.pool.site_queue import SiteQueue
from proxysieve.pool.site_registry import SiteRegistry
from proxysieve.relay import way_through
from proxysieve.sessions.clients import Clients
from proxysieve.sessions.cookie_file import cookies_at
from proxysieve.sessions.session import Session
from proxysieve.stores import Store, open_store, samples_directory

log = logging.getLogger("proxysieve")

# A crash costs at most this much of what was learned.
SAVE_SECONDS = 1.0
# How long closing waits for a download that was cancelled; libcurl may swallow that.
CANCEL_SECONDS = 1.0
# So many proxies join or leave in one step: a list of a million then blocks the loop for some milliseconds at most.
PROXIES_AT_ONCE = 5_000
# How long a claim on the store holds where it does not end with the process.
CLAIM_SECONDS = 60.0


class SessionPool(Sender):
    """Sessions for any site, out of one list of proxies. Use it in ``async with``.

    Args:
        proxies: The path of a file with one a line, the http(s) address of such a list, or ``-`` for the standard
            input; or lines and :class:`Proxy` values; or a :class:`ProxyList` of several of these. The pool reads them
            when it is opened, and reads files and addresses again whenever they change.

    Every option of :class:`~proxysieve.pool.settings.Settings` is an argument by its name, as in ``max_rate=5``.

    Raises:
        ConfigError: An option is wrong; when it is opened: there is no usable proxy.
    """

    @takes(Settings)
    def __init__(self, proxies: Proxies, settings: Settings) -> None:
        super().__init__(settings)
        self._fingerprints: Sequence[Fingerprint] | None = None
        self._listed = list_proxies(proxies)
        self._clock = settings.clock
        self._catalog = Catalog()
        self._other_sites, self._loads = OtherSites(), Loads()
        self._judge = make_judge(settings.signs)
        self._cookies = settings.first_cookies()
        self._rng = settings.random()
        self._clients = Clients(settings.max_clients)
        self._store: Store = open_store(settings.store)
        self._samples = Samples(samples_directory(self._store))
        self._fence: int | None = None
        self._site_registry = SiteRegistry(self._store, self._make_site_queue)
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
        """Save what was learned, and close everything. A second call does nothing."""
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
                    # save() below tries again and raises; the error of the task would be a second one.
                    self._saver.exception()
            await self.save()
        finally:
            self._fence = None
            await self._clients.close()
            await self._store.close()

    def drain(self) -> None:
        """Send nothing more. Requests under way may end; those that wait for a session get NoSessionAvailable."""
        self._site_registry.drain()

    async def save(self) -> None:
        """Save what was learned, now and not within the next second.

        Raises:
            StoreError: It cannot be saved. It stays in memory until the next save.
        """
        await self._site_registry.save(self._check_open())

    def _check_open(self) -> int:
        """The fence of the claim on the store, which it has while it is open."""
        if self._fence is None:
            any_more, within = ("", "in") if self._saver is None else (" any more", "within its")
            raise ProxySieveError(f"the pool is not open{any_more}: use it {within} async with")
        return self._fence

    async def _take(self, change: Change) -> None:
        """Take over the changes of the list. Those that join come first, so that the pool is never without proxies."""
        with self._catalog.change():
            for proxies, take in (
                (change.joined, self._join),
                (change.left, self._leave),
                (change.changed, self._replace),
            ):
                for batch in _batches(proxies):
                    take(batch)
                    await asyncio.sleep(0)
        self._site_registry.wake()
        if change.joined:
            self.settings.on_event(ProxiesJoined(len(change.joined)))

    def _join(self, proxies: Mapping[str, Proxy]) -> None:
        for proxy in proxies.values():
            self._catalog.add(proxy)
        for site_queue in self._site_registry.values():
            site_queue.welcome(proxies)

    def _leave(self, proxies: Mapping[str, Proxy]) -> None:
        for key in proxies:
            self._catalog.remove(key)
        for site_queue in self._site_registry.values():
            site_queue.part(proxies)

    def _replace(self, proxies: Mapping[str, Proxy]) -> None:
        before = {key: old for key in proxies if (old := self._catalog.get(key))}
        for proxy in proxies.values():
            self._catalog.replace(proxy)
        for site_queue in self._site_registry.values():
            site_queue.change(before, proxies)

    def use_fingerprints(self, fingerprints: Sequence[Fingerprint]) -> None:
        """Give every session one of *fingerprints*. A browser that imitates no other needs this.

        Stored sessions with other fingerprints end when their site is opened. What is known of the exits stays.

        Raises:
            ProxySieveError: The pool has used sessions with other fingerprints already.
        """
        if self._site_registry and tuple(fingerprints) != tuple(self._fingerprints_offered):
            raise ProxySieveError("the pool has sessions that look otherwise already: open the browser before using it")
        self._fingerprints = tuple(fingerprints)

    @property
    def _fingerprints_offered(self) -> Sequence[Fingerprint]:
        # A client may know its fingerprints only once it is open.
        clients: Sequence[Fingerprint] = getattr(self.settings.client, "fingerprints", FINGERPRINTS)
        return self._fingerprints or clients

    def relay(self, session: Session) -> AbstractAsyncContextManager[str]:
        """A way to the proxy of *session* that needs no login: ``async with`` gives its URL.

        It is for browsers, which have no flag for a login. If the proxy wants one, the URL is a port on loopback that
        logs in, and it is open as long as the block. Otherwise it is the proxy's own address.

        Raises:
            ConfigError: In ``async with``: the user or the password is too long for SOCKS5.
        """
        return way_through(session.proxy, session.exit)

    def session(self, name: str, *, site: str) -> NamedSession:
        """The session called *name* at *site* (``shop.example``), and no other, on every run.

        Its first use opens it. If its exit is lost, requests say so; see :class:`NamedSession`.
        """
        if not isinstance(name, str):
            raise ConfigError(f"a session's name is a text, not {name!r}")
        if not name:
            raise ConfigError("a session's name must not be empty")
        try:
            name.encode()
        except UnicodeEncodeError as error:
            # It could not be saved, and nothing else with it.
            raise ConfigError(f"a session's name is a text, and {name!r} has half a letter in it") from error
        return NamedSession(name, site, self.settings, self._site_queue_of)

    def site_of(self, url: str) -> str:
        """The site that *url* belongs to."""
        return self.settings.site(url)

    async def status(self, site: str) -> SiteStatus:
        """How many sessions and exits have each standing at *site* now."""
        return (await self._site_queue_of(site)).status()

    def statuses(self) -> dict[str, SiteStatus]:
        """The same for every site that was used since the pool was opened."""
        return self._site_registry.statuses()

    def suspicions(self) -> dict[str, list[str]]:
        """The signs that may be mistaken, in words, by site. No session was given up because of them."""
        return {
            site: [*site_queue.suspicions.values()]
            for site, site_queue in self._site_registry.items()
            if site_queue.suspicions
        }

    @property
    def is_open(self) -> bool:
        """Whether it was opened, and not closed since."""
        return self._fence is not None

    def has_session(self, name: str) -> bool:
        """Whether a session called *name* is open at a site that is being used."""
        return any(name in site_queue.engine.state.sessions for site_queue in self._site_registry.values())

    @property
    def working_count(self) -> int:
        """How many sessions work, over all sites."""
        return self._site_registry.working_count

    async def _site_queue(self, url: str) -> SiteQueue:
        return await self._site_queue_of(self.site_of(url))

    async def _site_queue_of(self, site: str) -> SiteQueue:
        self._check_open()
        if self._saver is not None and self._saver.done():
            # It ends by itself only if saving fails. It is better to stop than to lose what was learned.
            self._saver.result()
        return await self._site_registry.at(site)

    def _make_site_queue(self, site: str, records: Sequence[Record]) -> SiteQueue:
        engine = Engine(
            site,
            self._catalog,
            self.settings.make_policy(),
            max_rate=self.settings.max_rate,
            fingerprints=self._fingerprints_offered,
            other_sites=self._other_sites,
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
            looks=self.settings.looks,
            cookies=cookies_at(site, self._cookies, self.settings.site),
            on_free=self._site_registry.wake,
        )

    async def _save_now_and_then(self) -> None:
        while not self._is_closing.is_set():
            await self._clock.wait(self._is_closing, self._clock.now() + SAVE_SECONDS)
            await self.save()
            self._site_registry.leave_idle()

    def __repr__(self) -> str:
        return f"<SessionPool of {len(self._catalog)} proxies, {len(self._site_registry)} sites, {self._store!r}>"


def _batches(proxies: Sequence[Proxy]) -> Iterator[dict[str, Proxy]]:
    for start in range(0, len(proxies), PROXIES_AT_ONCE):
        yield {proxy.key: proxy for proxy in proxies[start : start + PROXIES_AT_ONCE]}
