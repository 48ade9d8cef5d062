"""The options of a pool, of a job and of a check: each stands here once, with its default and its limit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache, update_wrapper
from http.cookiejar import Cookie
from inspect import Signature, signature
from numbers import Real
from os import PathLike
from random import Random, SystemRandom
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar

import msgspec
from msgspec import Meta

from proxysieve.clients.curl import CurlClient
from proxysieve.clients.protocol import Client
from proxysieve.clock import Clock, SystemClock
from proxysieve.core.policies import POLICIES
from proxysieve.core.site.policy_protocol import Policy
from proxysieve.errors import ConfigError
from proxysieve.judging.sign_tables import OwnSign
from proxysieve.lists.proxy_list import Proxies
from proxysieve.pool.events import PoolEvent
from proxysieve.sessions.cookie_file import read_cookies
from proxysieve.sessions.own_headers import Given, OwnHeaders
from proxysieve.site_of import site_of
from proxysieve.stores import Store

P = ParamSpec("P")
S = TypeVar("S")
V = TypeVar("V")

Count = Annotated[int, Meta(ge=1)]
NotNegative = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]


class RequestSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How requests are sent and judged.

    Attributes:
        max_rate: Requests a second to a site, over all sessions; 0 for no cap.
        timeout_seconds: For one try, redirects included.
        client: Sends the requests.
        signs: Signs of your own, asked before those that come with the package: functions of an exchange that return a
            verdict or None, or files like ``signs.toml``.
        headers: Your own, on top of those that a session's browser sends: values by names, for every site; and such a
            mapping by the name of a site (``shop.example``), for that one. A secret needs its site. No redirect takes
            a header to another site; see :mod:`proxysieve.sessions.own_headers`.
        cookies: What every session starts with: ``cookies.txt`` or a JSON file, or cookies. What a site sets later
            counts for more.
        clock: The time.
        seed: Makes the chance repeatable.

    Raises:
        ConfigError: A value is outside its limits.
    """

    max_rate: NotNegative = 30.0
    timeout_seconds: Positive = 30.0
    client: Client = msgspec.field(default_factory=CurlClient)
    signs: Sequence[OwnSign] = ()
    headers: Given | OwnHeaders = {}
    cookies: str | PathLike[str] | Iterable[Cookie] = ()
    clock: Clock = msgspec.field(default_factory=SystemClock)
    seed: int | None = None

    def __post_init__(self) -> None:
        # They do not show their values, as a mapping does.
        msgspec.structs.force_setattr(self, "headers", OwnHeaders.of(self.headers))
        for name, limit in limits(type(self)).items():
            value = getattr(self, name)
            is_number = isinstance(value, Real)
            if limit.ge is not None and not (is_number and value >= limit.ge):
                raise ConfigError(f"{name} is {value!r}: expected {limit.ge} or more")
            if limit.gt is not None and not (is_number and value > limit.gt):
                raise ConfigError(f"{name} is {value!r}: expected more than {limit.gt}")

    def own_headers(self, urls: Iterable[str] = ()) -> OwnHeaders:
        """The user's own headers, where *urls* are asked for."""
        return OwnHeaders.of(self.headers).bound_to(urls)

    def first_cookies(self) -> list[Cookie]:
        """What every session starts with."""
        if isinstance(self.cookies, str | PathLike):
            return read_cookies(self.cookies, self.clock.now())
        return list(self.cookies)

    def random(self) -> Random:
        """The chance that the seed makes."""
        return Random(SystemRandom().getrandbits(64) if self.seed is None else self.seed)

    def __repr__(self) -> str:
        # Headers, cookies and proxies have secrets in them.
        shown = {name: value for name in self.__struct_fields__ if isinstance(value := getattr(self, name), Real)}
        return f"{type(self).__name__}({', '.join(f'{name}={value}' for name, value in shown.items())})"


class Settings(RequestSettings, frozen=True, kw_only=True):
    """How a pool works.

    Attributes:
        store: Where to keep what is learned: a directory, ``memory:``, or a :class:`~proxysieve.stores.Store`, which
            the pool closes.
        policy: ``adaptive``, ``classic``, ``round_robin`` or ``uniform_random``. Each site has one of its own.
        thrift: For adaptive: how long a request may wait for the answers of others, to spare tries. With 1, it tries
            as many new proxies at once as requests wait; with 2, half as many.
        max_sessions: For classic: a lower number uses the working sessions sooner and more; a higher one keeps
            looking for more of them.
        attempts: How often a request may fail on sessions that had worked; twice as often where it was throttled. By
            the site's own error it may fail three times at most.
        deadline_seconds: How long after its start a request may be tried again or wait for a session; 0 for no limit.
        max_wait_seconds: How long to wait for something to be due where nothing works.
        max_bytes: How large a decoded body may be.
        max_clients: How many sessions keep their client open; beyond that, the one unused for longest is closed.
        looks: Whether to doubt, and ask for again, a page that looks like no good page of its site.
        site: Gives the site of a URL: the scope in which a block holds.
        on_event: Is called with each event of :mod:`proxysieve.pool.events`.

    Raises:
        ConfigError: A value is outside its limits, or there is no such policy.
    """

    store: str | PathLike[str] | Store = ".proxysieve"
    policy: str = "adaptive"
    thrift: Positive = 1.0
    max_sessions: Count = 100
    attempts: Count = 5
    deadline_seconds: NotNegative = 600.0
    max_wait_seconds: NotNegative = 30.0
    max_bytes: Count = 50_000_000
    max_clients: Count = 200
    looks: bool = True
    site: Callable[[str], str] = site_of
    on_event: Callable[[PoolEvent], object] = lambda _: None

    def __post_init__(self) -> None:
        RequestSettings.__post_init__(self)
        if self.policy not in POLICIES:
            raise ConfigError(f"unknown policy {self.policy!r}: expected one of {', '.join(sorted(POLICIES))}")

    def make_policy(self) -> Policy:
        """A policy for one site."""
        return POLICIES[self.policy](self.max_sessions, self.thrift)


@cache
def limits(settings: type[msgspec.Struct]) -> dict[str, Meta]:
    """The limits of the options of *settings*, by their names."""
    fields = msgspec.structs.fields(settings)
    return {one.name: one.type.__metadata__[0] for one in fields if hasattr(one.type, "__metadata__")}


@cache
def defaults(settings: type[msgspec.Struct]) -> dict[str, Any]:
    """The defaults of the options of *settings*, by their names."""
    return {one.name: one.default for one in msgspec.structs.fields(settings)}


def takes(
    settings: Callable[P, V],
) -> Callable[[Callable[[S, Proxies, V], None]], Callable[Concatenate[S, Proxies, P], None]]:
    """Have an ``__init__`` take the options of *settings* by their names, in place of the value."""

    def decorate(init: Callable[[S, Proxies, V], None]) -> Callable[Concatenate[S, Proxies, P], None]:
        def with_options(self: S, proxies: Proxies, *args: P.args, **options: P.kwargs) -> None:
            init(self, proxies, settings(*args, **options))

        *own, _ = signature(init).parameters.values()
        shown = Signature([*own, *signature(settings).parameters.values()])
        update_wrapper(with_options, init).__signature__ = shown  # type: ignore[attr-defined] # for help()
        return with_options  # type: ignore[return-value] # proxies= is no name to mypy, but works

    return decorate
