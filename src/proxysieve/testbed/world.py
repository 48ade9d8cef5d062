"""What a testbed is made of: a value that describes it, and the exits that follow from it."""

from __future__ import annotations

import hashlib
import random
import re
from typing import Literal, get_args

import msgspec

from proxysieve.errors import ConfigError

BlockStyle = Literal[
    "forbidden",
    "throttled",
    "challenge",
    "captcha",
    "sorry",
    "empty",
    "unknown",
    "reset",
    "json",
    "country",
    "network",
    "hidden_captcha",
]
Fate = Literal["ok", "missing", "forbidden", "empty"]
Kind = Literal["plain", "refusing", "hanging", "slow", "demanding", "failing"]

SCRIPTED_STYLES: frozenset[BlockStyle] = frozenset({"hidden_captcha"})
"""Blocks that scripts make. A client without scripts gets a page of the site."""

_HOSTS_PER_NETWORK = 254
_LEAST_ASSET_BYTES = 1_000
_HOST = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9])?")
_MOST_NETWORKS = 120 * 256
_SHARES = ("banned_share", "banned_network_share", "flaky_share", "missing_share", "forbidden_share", "empty_share")
_COUNTS = ("refusing", "hanging", "slow", "demanding", "failing", "page_bytes", "hits_kept", "false_mark_after")


class Limit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many requests the site allows.

    Attributes:
        requests: More than this within the window are too many.
        window_seconds: How far the window reaches back.
        scope: Whose requests are counted together.
        style: Whether an excess brings a ban, or a 429 until the window has room again.
        ban_seconds: How long a ban lasts.
        blocked_count: Whether refused requests count too, so that repeating them renews a ban.
    """

    requests: int = 30
    window_seconds: float = 10.0
    scope: Literal["exit", "network"] = "exit"
    style: Literal["ban", "throttle"] = "ban"
    ban_seconds: float = 60.0
    blocked_count: bool = False

    def __post_init__(self) -> None:
        if self.requests < 1 or self.window_seconds <= 0 or self.ban_seconds <= 0:
            raise ConfigError(f"a limit needs at least one request and positive times: {self!r}")


class Outage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A time in which the site serves nobody; banned clients see no block either.

    It is over when both its requests and its seconds are. Requests for pages count, from any client, so it comes in the
    middle of a run of any speed.

    Attributes:
        after_requests: How many come before it.
        requests: The least number that meets it.
        seconds: The least time that it lasts, from the first request that met it.
        style: A 503 that speaks of maintenance, a bare 500, or a connection that is reset after the request.
    """

    after_requests: int
    requests: int = 1
    seconds: float = 0.0
    style: Literal["maintenance", "error", "drop"] = "maintenance"

    def __post_init__(self) -> None:
        if self.after_requests < 0 or self.requests < 1 or self.seconds < 0:
            raise ConfigError(f"an outage needs at least one request, and none or more before it: {self!r}")


class World(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The description of a testbed. Equal worlds have the same exits, bans and pages.

    The special kinds of proxies are disjoint, and drawn by the seed. The other proxies are plain.

    Attributes:
        proxies: How many proxies there are, or exits behind the provider.
        networks: The number of /24s over which the exits are spread.
        banned_share: The share of answering proxies whose exits are banned from the start, for good.
        banned_network_share: The share of networks that are banned from the start, for good.
        refusing: How many refuse connections, because nothing listens.
        hanging: How many accept connections and never answer.
        slow: How many add `slow_seconds` to each answer.
        slow_seconds: The delay of the slow ones; within a tunnel, for each burst that the client sends.
        demanding: How many answer 407 to any credentials.
        failing: How many answer 502 without asking the site.
        credentials: Whether proxies want a user and a password.
        provider_names: Whether there is one gateway instead of plain proxies. Its user names carry a session
            name of 1 to 50 letters, digits and `._~`, which keeps the exit that it draws; two names may draw
            the same one. Its refusing exits fail, too.
        limit: How many requests the site allows; None for any number.
        block_styles: What blocks look like; the seed gives each exit one of them. All but `unknown` have signs of
            the systems whose style they have, `hidden_captcha` after its script has run.
        flaky_share: The share of requests that the site answers with 500, at random.
        outages: When the site serves nobody.
        missing_share: The share of page ids that are real 404s.
        forbidden_share: The share that nobody may see: a bare 403, which looks like the block of that style.
        empty_share: The share that is really empty, with status 200.
        false_mark_after: After so many pages, all pages are small and quote a text of a vendor's challenge, which
            detectors take for a challenge; 0 for never.
        bound_cookies: Whether the site sets a visitor cookie, and blocks it from any other address or user agent.
        script_challenge: Whether the site challenges all requests for `/page/...` by a script, which takes a browser
            some tenths of a second, sets the cookie `clearance` and loads the page again. The cookie is good for one
            address and user agent; anything else is challenged. A client that is banned with the style `challenge`
            gets this page for ever.
        page_bytes: The approximate size of a page.
        assets: The size in bytes of each picture, font and sound that pages then refer to; 0 for none, else at
            least 1,000. They can be cached, and everybody gets them: no ban, limit or outage applies to them.
        latency_seconds: How long the site waits before each answer.
        host: The site's name, such as `shop.example`, which only the proxies resolve; without one it is
            `127.0.0.1`, or `localhost` if it speaks TLS.
        https: Whether the site speaks TLS, with a certificate of the testbed's own authority, and HTTP/2 within it
            to clients that offer that.
        https_proxies: Whether the proxies speak TLS, too, to clients that begin with it.
        robots: The text of `/robots.txt`.
        hits_kept: How many hits are kept, the first ones; counts are always exact.
        seed: Another seed draws everything anew.
    """

    proxies: int = 100
    networks: int = 20
    banned_share: float = 0.0
    banned_network_share: float = 0.0
    refusing: int = 0
    hanging: int = 0
    slow: int = 0
    slow_seconds: float = 1.0
    demanding: int = 0
    failing: int = 0
    credentials: bool = True
    provider_names: bool = False
    limit: Limit | None = None
    block_styles: tuple[BlockStyle, ...] = ("forbidden",)
    flaky_share: float = 0.0
    outages: tuple[Outage, ...] = ()
    missing_share: float = 0.0
    forbidden_share: float = 0.0
    empty_share: float = 0.0
    false_mark_after: int = 0
    bound_cookies: bool = False
    script_challenge: bool = False
    page_bytes: int = 15_000
    assets: int = 0
    latency_seconds: float = 0.0
    host: str = ""
    https: bool = False
    https_proxies: bool = False
    robots: str = "User-agent: *\nAllow: /\n"
    hits_kept: int = 300_000
    seed: int = 0

    def __post_init__(self) -> None:
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is a share from 0 to 1, not {getattr(self, name)!r}")
        for name in _COUNTS:
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is a count, not {getattr(self, name)!r}")
        if self.missing_share + self.forbidden_share + self.empty_share > 1:
            raise ConfigError("the missing, forbidden and empty shares together are more than all pages")
        if self.refusing + self.hanging + self.slow + self.demanding + self.failing > self.proxies:
            raise ConfigError(f"the kinds together are more than the {self.proxies} proxies")
        if not 1 <= self.networks <= _MOST_NETWORKS:
            raise ConfigError(f"networks is a number from 1 to {_MOST_NETWORKS}, not {self.networks!r}")
        if not 1 <= self.proxies <= self.networks * _HOSTS_PER_NETWORK:
            raise ConfigError(f"{self.networks} networks hold 1 to {self.networks * _HOSTS_PER_NETWORK} proxies")
        if self.assets and self.assets < _LEAST_ASSET_BYTES:
            raise ConfigError(f"assets is 0, or {_LEAST_ASSET_BYTES} bytes and more, not {self.assets!r}")
        if self.host and not _HOST.fullmatch(self.host):
            raise ConfigError(f"host is a name in lower case such as shop.example, not {self.host!r}")
        if not self.block_styles or not set(self.block_styles) <= set(get_args(BlockStyle)):
            raise ConfigError(f"block_styles are some of {get_args(BlockStyle)}, not {self.block_styles!r}")

    def style_of(self, address: str) -> BlockStyle:
        """Return the style of blocks for *address*."""
        return self.block_styles[int(fraction_of(self.seed, "style", address) * len(self.block_styles))]

    def fate_of(self, page_id: int) -> Fate:
        """Return what a client gets that is served this page."""
        # One draw for all of them, so that they are disjoint.
        fraction = fraction_of(self.seed, "missing", page_id)
        if fraction < self.missing_share:
            return "missing"
        if fraction < self.missing_share + self.forbidden_share:
            return "forbidden"
        if fraction < self.missing_share + self.forbidden_share + self.empty_share:
            return "empty"
        return "ok"

    def is_missing(self, page_id: int) -> bool:
        """Whether the page is a real 404."""
        return self.fate_of(page_id) == "missing"


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """One address that the site sees, and how the proxy in front of it behaves.

    Attributes:
        address: An IPv4 address of loopback.
        network: Its /24.
        kind: How its proxy behaves.
        banned: Whether the site bans it from the start, for good.
        style: What its blocks look like.
    """

    address: str
    network: str
    kind: Kind
    banned: bool
    style: BlockStyle


def lay_out(world: World) -> tuple[Exit, ...]:
    """Return the exits of *world*, one for each proxy, in the same order."""
    rng = random.Random(world.seed)
    addresses = [_address(number, world.networks) for number in range(world.proxies)]
    networks = sorted({network_of(address) for address in addresses})
    banned_networks = set(rng.sample(networks, round(world.banned_network_share * len(networks))))
    kinds = _draw_kinds(world, rng)
    answering = [address for address, kind in zip(addresses, kinds, strict=True) if kind in {"plain", "slow"}]
    banned = set(rng.sample(answering, round(world.banned_share * len(answering))))
    return tuple(
        Exit(
            address=address,
            network=network_of(address),
            kind=kind,
            banned=address in banned or network_of(address) in banned_networks,
            style=world.style_of(address),
        )
        for address, kind in zip(addresses, kinds, strict=True)
    )


def network_of(address: str) -> str:
    """Return the /24 of the IPv4 *address*."""
    return f"{address.rpartition('.')[0]}.0/24"


def fraction_of(*parts: object) -> float:
    """Return a number from 0 to below 1 that depends only on *parts*."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    # 53 bits, because a float holds no more and rounding up would give 1.
    return (int.from_bytes(digest) >> 11) / 2**53


def _address(number: int, networks: int) -> str:
    """Spread addresses evenly over the networks, above 127.0, where a machine has services of its own."""
    host, network = divmod(number, networks)
    return f"127.{1 + network // 256}.{network % 256}.{1 + host}"


def _draw_kinds(world: World, rng: random.Random) -> list[Kind]:
    kinds: list[Kind] = ["refusing"] * world.refusing
    kinds += ["hanging"] * world.hanging
    kinds += ["slow"] * world.slow
    kinds += ["demanding"] * world.demanding
    kinds += ["failing"] * world.failing
    kinds += ["plain"] * (world.proxies - len(kinds))
    rng.shuffle(kinds)
    return kinds
