"""The running testbed: the site and the proxies in one event loop."""

from __future__ import annotations

import contextlib
import resource
import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

import msgspec

from proxysieve.testbed.bans import Bans
from proxysieve.testbed.certificates import SITE_HOST, Authority
from proxysieve.testbed.connections import Connections
from proxysieve.testbed.mirror_pages import MirrorPages
from proxysieve.testbed.pages import Pages
from proxysieve.testbed.proxies import PASSWORD, USER, Dialer, ForwardProxy, Gate, plain_gate, provider_gate
from proxysieve.testbed.site import Site
from proxysieve.testbed.stun import StunServer
from proxysieve.testbed.truth import ProxyCounts, Truth
from proxysieve.testbed.world import Exit, World, lay_out

_SITE_ADDRESS = "127.0.0.1"


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything of a running testbed is.

    Attributes:
        site_url: Without a slash at the end.
        gateways: Host and port of each proxy.
        ca_path: The certificate of the authority for the site and the proxies, when they speak TLS.
        announces_exits: Whether exits are announced instead of real.
    """

    site_url: str
    gateways: tuple[str, ...]
    ca_path: str | None
    announces_exits: bool


class Bed:
    """What a running testbed tells about itself.

    Attributes:
        world: What it was made of.
        exits: The exits, one for each proxy, in the same order; or those behind the provider.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.exits = lay_out(world)
        self._pages = Pages(world)
        self._places: Places | None = None

    @property
    def site_url(self) -> str:
        """The site, without a slash at the end."""
        return self.places.site_url

    @property
    def proxy_lines(self) -> list[str]:
        """The proxies; the line of a provider has a literal `{session}` where the session name belongs."""
        return self._lines("http")

    @property
    def socks5_lines(self) -> list[str]:
        """The same proxies by SOCKS5."""
        return self._lines("socks5")

    @property
    def https_lines(self) -> list[str]:
        """The same proxies by HTTP over TLS, in a world where they speak it."""
        return self._lines("https")

    @property
    def ca_path(self) -> Path | None:
        """The certificate to trust, a PEM file, when the site or the proxies speak TLS."""
        path = self.places.ca_path
        return None if path is None else Path(path)

    @property
    def announces_exits(self) -> bool:
        """Whether this machine has too few loopback addresses, so that proxies announce exits to the site."""
        return self.places.announces_exits

    def page_url(self, page_id: int) -> str:
        """Return the URL of a page."""
        return f"{self.site_url}/page/{page_id}"

    def page_urls(self, count: int) -> list[str]:
        """Return the URLs of the first pages."""
        return [self.page_url(page_id) for page_id in range(count)]

    def page_body(self, page_id: int, *, is_marked: bool = False) -> bytes:
        """Return the real page; quoting a challenge, as after `false_mark_after` pages, if *is_marked*."""
        return self._pages.body(page_id, is_marked=is_marked)

    @property
    def places(self) -> Places:
        """Where everything is.

        Raises:
            RuntimeError: The testbed has not been entered.
        """
        if self._places is None:
            raise RuntimeError("the testbed is not running: enter it first")
        return self._places

    def _lines(self, scheme: str) -> list[str]:
        if self.world.provider_names:
            login = f"{USER}-session-{{session}}:{PASSWORD}@"
        else:
            login = f"{USER}:{PASSWORD}@" if self.world.credentials else ""
        return [f"{scheme}://{login}{gateway}" for gateway in self.places.gateways]


class Testbed(Bed):
    """A site that bans, and proxies with exits of their own, in the running event loop.

    Each proxy listens on a loopback address of its own and connects from it, so that the site sees real
    addresses in real networks. If a machine has only one loopback address, the proxies listen on that and
    announce their exits to the site by the PROXY protocol.
    """

    __test__ = False  # because pytest takes classes of this name for tests

    def __init__(
        self, world: World, *, clock: Callable[[], float] = time.monotonic, announce: bool | None = None
    ) -> None:
        """Prepare a testbed.

        Args:
            world: What it is made of.
            clock: What the site counts windows and bans by, in seconds.
            announce: Whether proxies announce their exits; by default only if they must.
        """
        super().__init__(world)
        self._clock = clock
        self._announces = not _has_all_of_loopback() if announce is None else announce
        self._bans = Bans(limit=world.limit, banned=[exit_.address for exit_ in self.exits if exit_.banned])
        self._stun = StunServer()
        self._mirror = MirrorPages(self._stun)
        self._site = Site(world, pages=self._pages, bans=self._bans, mirror=self._mirror, clock=clock)
        self._counts = ProxyCounts()
        self._connections = Connections()
        self._resources = contextlib.ExitStack()

    async def __aenter__(self) -> Self:
        _allow_files(4 * self.world.proxies + 4096)
        try:
            self._places = self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    def truth(self) -> Truth:
        """Return what the servers have seen so far."""
        now = self._clock()
        addresses = [exit_.address for exit_ in self.exits]
        return Truth(
            hits=self._site.hits.hits(),
            fingerprints=self._site.hits.fingerprints(),
            answer_counts=dict(self._site.hits.answer_counts),
            banned_exits=[address for address in addresses if self._bans.is_banned(address, now)],
            burned_exits=[address for address in addresses if self._bans.was_burned(address)],
            connection_count=dict(self._counts.connection_count),
            tunnel_count=dict(self._counts.tunnel_count),
            proxy_answers={int(status): count for status, count in self._counts.answers.items()},
            direct_connection_count=self._site.callers.total() - sum(map(self._site.callers.__getitem__, addresses)),
            mirrors=list(self._mirror.mirrors),
            stun_senders=dict(self._stun.packet_counts),
            passed_count=self._site.clearances.passed_count,
            foreign_clearance_count=self._site.clearances.foreign_count,
        )

    def _start(self) -> Places:
        self._resources.enter_context(self._stun)
        authority, ca_path = self._found_authority() if self.world.https or self.world.https_proxies else (None, None)
        tls = authority.site_context(self.world.host) if authority and self.world.https else None
        listener = _bind(_SITE_ADDRESS)
        port: int = listener.getsockname()[1]
        self._connections.listen(listener, self._site.serve, tls=tls, hears_announcements=self._announces)
        dialer = Dialer(announced_port=port if self._announces else None, site_host=self.world.host)
        proxy_tls = self._proxy_context(authority) if authority and self.world.https_proxies else None
        gateways = [self._start_proxy(exit_, gate, dialer, proxy_tls) for exit_, gate in self._gates()]
        return Places(
            site_url=self._site_url(port),
            gateways=tuple(gateways),
            ca_path=ca_path,
            announces_exits=self._announces,
        )

    def _site_url(self, port: int) -> str:
        if self.world.https:
            return f"https://{self.world.host or SITE_HOST}:{port}"
        return f"http://{self.world.host or _SITE_ADDRESS}:{port}"

    async def _stop(self) -> None:
        with self._resources:
            await self._connections.close()

    def _found_authority(self) -> tuple[Authority, str]:
        folder = self._resources.enter_context(tempfile.TemporaryDirectory(prefix="testbed-"))
        ca_path = Path(folder) / "ca.pem"
        authority = Authority()
        authority.write_to(ca_path)
        return authority, str(ca_path)

    def _proxy_context(self, authority: Authority) -> ssl.SSLContext:
        return authority.proxy_context(sorted({self._address_of(exit_) for exit_, _ in self._gates()}))

    def _address_of(self, exit_: Exit | None) -> str:
        """Return where the proxy with this exit listens."""
        return _SITE_ADDRESS if exit_ is None or self._announces else exit_.address

    def _gates(self) -> Iterable[tuple[Exit | None, Gate]]:
        """Yield each proxy's only exit (None for a provider) and its gate."""
        if self.world.provider_names:
            return [(None, provider_gate(self.world, self.exits))]
        return [(exit_, plain_gate(self.world, exit_)) for exit_ in self.exits]

    def _start_proxy(self, exit_: Exit | None, gate: Gate, dialer: Dialer, tls: ssl.SSLContext | None) -> str:
        listener = _bind(self._address_of(exit_))
        host, port = listener.getsockname()
        name = f"{host}:{port}"
        proxy = ForwardProxy(
            name=name, gate=gate, dialer=dialer, counts=self._counts, slow_seconds=self.world.slow_seconds
        )
        kind = exit_.kind if exit_ else "plain"
        if kind == "refusing":
            self._connections.keep(listener)
        else:
            handle = proxy.hang if kind == "hanging" else proxy.serve
            self._connections.listen(listener, handle, tls=tls, is_tls_optional=True)
        return name


def _bind(address: str) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.bind((address, 0))
    except OSError:
        listener.close()
        raise
    return listener


def _has_all_of_loopback() -> bool:
    """Whether the whole of 127.0.0.0/8 belongs to this machine, as on Linux."""
    try:
        _bind("127.1.0.1").close()
    except OSError:
        return False
    return True


def _allow_files(count: int) -> None:
    """Raise the soft limit of open files as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
