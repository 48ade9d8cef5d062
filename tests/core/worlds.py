"""A site to try the core on: proxies by name, a clock that only moves when told, and a store that is a dictionary."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from random import Random

from proxysieve.core.events import Event, Leased, Reported, SessionClosed
from proxysieve.core.model import Outcome, Proxy, Verdict
from proxysieve.core.policies.adaptive import Adaptive
from proxysieve.core.policies.classic import Classic
from proxysieve.core.policies.round_robin import RoundRobin
from proxysieve.core.policies.uniform_random import UniformRandom
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.records import ExitRecord, Record, SessionRecord
from proxysieve.core.site.choices import Lost, Pick, Wait
from proxysieve.core.site.engine import Engine
from proxysieve.core.site.policy_protocol import Policy
from proxysieve.core.site.sessions import Flight

START = 1_000_000.0
DAY = 24 * 3600.0
POLICIES: dict[str, Policy] = {
    "classic": Classic(max_sessions=5),
    "round_robin": RoundRobin(),
    "uniform_random": UniformRandom(),
}
BAD = (Outcome.BLOCKED, Outcome.THROTTLED, Outcome.PROXY_ERROR)


def plain(number: int) -> Proxy:
    """One proxy, one exit."""
    return Proxy(scheme="http", host=f"plain{number}", port=8000)


def gateway(number: int) -> Proxy:
    """A provider that gives every session name an exit of its own."""
    return Proxy(scheme="http", host=f"gateway{number}", port=8000, username="user-{session}", password="secret")


def plains(count: int) -> list[Proxy]:
    return [plain(number) for number in range(count)]


def verdict(outcome: Outcome, *, until: float = 0.0) -> Verdict:
    return Verdict(outcome=outcome, why=f"as told: {outcome}", until=until)


def new_policy(name: str) -> Policy:
    """The policy called *name*; one that learns serves one site alone."""
    return Adaptive() if name == "adaptive" else POLICIES[name]


class World:
    """An engine with its proxies, at a moment, with a generator for chance."""

    def __init__(
        self,
        proxies: Iterable[Proxy],
        policy: Policy | str = "classic",
        *,
        seed: int = 1,
        max_rate: float = 0.0,
        start: float = START,
    ) -> None:
        self.catalog = Catalog(proxies)
        self.policy = new_policy(policy) if isinstance(policy, str) else policy
        self.max_rate = max_rate
        self.engine = Engine("shop.example", self.catalog, self.policy, max_rate=max_rate)
        self.rng = Random(seed)
        self.now = start
        self.store: dict[tuple[str, str], Record] = {}
        self.events: list[Event] = []
        self.closed: list[str] = []

    @property
    def flights(self) -> dict[int, Flight]:
        return self.engine.state.flights

    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    def apply(self, event: Event) -> list[str]:
        closed = self.engine.apply(event)
        self.events.append(event)
        self.closed += closed
        return closed

    def choose(self, waiting: int = 1) -> Pick | Wait:
        return self.engine.choose(self.now, self.rng, waiting)

    def choose_named(self, name: str) -> Pick | Wait | Lost:
        return self.engine.choose_named(name, self.now, self.rng)

    def choose_again(self, name: str) -> Pick | None:
        return self.engine.choose_again(name, self.now)

    def take(self, pick: Pick | Wait | Lost | None) -> Leased:
        """Do as *pick* says."""
        assert isinstance(pick, Pick), pick
        if pick.opened:
            self.apply(pick.opened)
        self.apply(pick.leased)
        return pick.leased

    def lease(self, name: str = "") -> Leased:
        return self.take(self.choose_named(name) if name else self.choose())

    def report(self, leased: Leased, outcome: Outcome | None, *, until: float = 0.0) -> list[str]:
        """What came of it, a second later."""
        self.pass_time(1)
        said = None if outcome is None else verdict(outcome, until=until)
        return self.apply(Reported(self.now, leased.lease, said))

    def send(self, outcome: Outcome | None, name: str = "", *, until: float = 0.0) -> SessionRecord:
        """One request from lease to report; the session that carried it."""
        leased = self.lease(name)
        session = self.session(leased)
        self.report(leased, outcome, until=until)
        return session

    def close(self, name: str) -> list[str]:
        return self.apply(SessionClosed(self.now, name))

    def session(self, leased: Leased) -> SessionRecord:
        return self.flights[leased.lease].session

    def proxy(self, leased: Leased) -> str:
        return self.session(leased).proxy_key

    def exit(self, proxy: Proxy) -> ExitRecord:
        return self.engine.state.exits[proxy.key]

    def work(self, count: int) -> list[SessionRecord]:
        """Open sessions that work until there are *count* of them, each drawn as a new one once."""
        while self.engine.state.working.session_count < count:
            leased = self.lease()
            self.report(leased, None if self.session(leased).has_worked else Outcome.OK)
        return list(self.engine.state.working)

    def save(self) -> None:
        """Keep what changed, as a store does."""
        for record in self.engine.take_changes():
            if record.value is None:
                self.store.pop((record.kind, record.key), None)
            else:
                self.store[record.kind, record.key] = record

    def restart(self, *, order: Random | None = None, now: float = math.inf) -> Engine:
        """The engine that the next run makes of what is in the store, in any order."""
        self.save()
        records = list(self.store.values())
        if order:
            order.shuffle(records)
        policy = Adaptive() if isinstance(self.policy, Adaptive) else self.policy
        return Engine("shop.example", self.catalog, policy, max_rate=self.max_rate, records=records, now=now)


def dry_up(world: World, outcome: Outcome = Outcome.BLOCKED) -> None:
    """Let everything fail until nothing is left to be tried."""
    while not world.engine.state.is_dry:
        world.send(outcome)


def is_name(text: str) -> bool:
    """Whether every provider accepts *text* as the name of a session."""
    return re.fullmatch("[a-z0-9]{8}", text) is not None
