"""Our own engine as a player's rival: the real one, with one for each site, without a pool around it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from ipaddress import IPv6Address
from random import Random

from proxysieve.core.events import Reported
from proxysieve.core.model import SESSION_PLACEHOLDER, Outcome, Proxy, Verdict
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.proxies.other_sites import OtherSites
from proxysieve.core.records import Record
from proxysieve.core.site.choices import Wait
from proxysieve.core.site.engine import Engine
from proxysieve.core.site.policy_protocol import Policy
from proxysieve.core.site.retry import wants_another
from proxysieve.sim.exits import ExitTable, Group
from proxysieve.sim.rivals.rival import Go, Later, Recruit, Rival
from proxysieve.sim.world import SimAnswer, World

# The judge's verdicts. They never change, so all requests share them.
VERDICTS = {
    Outcome.OK: Verdict(outcome=Outcome.OK),
    Outcome.BLOCKED: Verdict(outcome=Outcome.BLOCKED, why="status 403"),
    Outcome.SITE_ERROR: Verdict(outcome=Outcome.SITE_ERROR, why="status 500"),
    Outcome.PROXY_ERROR: Verdict(outcome=Outcome.PROXY_ERROR, why="the proxy could not be reached"),
    Outcome.UNCLEAR: Verdict(outcome=Outcome.UNCLEAR, why="timed out"),
}


class Engines:
    """An engine for each site, with one catalog of all proxies, as in a pool."""

    def __init__(self, world: World, policy: Callable[[], Policy], rng: Random) -> None:
        self._world = world
        self._policy = policy
        self._rng = rng
        self._waiting = 1
        # The next pages of each site, and the page of each running request. A refused page is requested again, through
        # an exit on which it has not failed.
        self._pages: list[deque[int]] = [deque() for _ in world.sites]
        self._asked: list[dict[int, int]] = [{} for _ in world.sites]
        self._failed_on: list[dict[int, set[str]]] = [{} for _ in world.sites]
        self._page_count = 0
        self._exits: dict[str, int] = {}
        self._providers: dict[str, Group] = {}
        self._catalog = Catalog()
        self._other_sites = OtherSites()
        for group in world.exits.groups:
            self._add(group)
        self._kept: list[dict[tuple[str, str], Record]] = [{} for _ in world.sites]
        self._engines = [self._engine(site) for site in range(len(world.sites))]

    def expect(self, site: int, waiting: int) -> None:
        """So many requests wait for the next start."""
        self._waiting = waiting
        while len(self._pages[site]) < waiting:
            self._add_page(site)

    def start(self, site: int, now: float) -> Go | Later:
        """The engine's choice, which is used at once."""
        engine, pages = self._engines[site], self._pages[site]
        self.expect(site, self._waiting)
        avoided = self._failed_on[site].get(pages[0], ())
        choice = engine.choose(now, self._rng, self._waiting, pages[0], avoided)
        if isinstance(choice, Wait):
            return Later(choice.until)
        self._asked[site][choice.leased.lease] = pages.popleft()
        if choice.opened:
            engine.apply(choice.opened)
        engine.apply(choice.leased)
        session = engine.state.flights[choice.leased.lease].session
        exit_ = self._exits.get(session.exit_id)
        if exit_ is None:
            exit_ = self._world.exits.named(self._providers[session.proxy_key], session.exit_name)
            self._exits[session.exit_id] = exit_
        return Go(exit_, choice.leased.lease)

    def finish(self, site: int, ticket: int, answer: SimAnswer, now: float) -> None:
        """Report the answer with its verdict."""
        page_number, engine = self._asked[site].pop(ticket), self._engines[site]
        exit_id = engine.state.flights[ticket].session.exit_id
        engine.apply(Reported(now, ticket, verdict_on(answer), page_number=page_number))
        if wants_another(answer.outcome):
            self._failed_on[site].setdefault(page_number, set()).add(exit_id)
        if answer.outcome is Outcome.OK:
            self._failed_on[site].pop(page_number, None)
            self._add_page(site)
        else:
            self._pages[site].append(page_number)

    def _add_page(self, site: int) -> None:
        self._page_count += 1
        self._pages[site].append(self._page_count)

    def rest(self) -> None:
        """Save the records, and load them into new engines."""
        self._other_sites = OtherSites()
        for site, engine in enumerate(self._engines):
            for record in engine.take_changes():
                self._keep(self._kept[site], record)
            self._engines[site] = self._engine(site)

    @staticmethod
    def _keep(kept: dict[tuple[str, str], Record], record: Record) -> None:
        if record.value is None:
            kept.pop((record.kind, record.key), None)
        else:
            kept[record.kind, record.key] = record

    def _engine(self, site: int) -> Engine:
        records = list(self._kept[site].values())
        return Engine(
            f"site-{site}.example", self._catalog, self._policy(), other_sites=self._other_sites, records=records
        )

    def _add(self, group: Group) -> None:
        if group.spec.provider:
            provider = provider_of(group)
            self._providers[provider.key] = group
            self._catalog.add(provider)
            return
        for exit_ in group.members:
            proxy = plain_proxy(self._world.exits, exit_)
            self._exits[proxy.key] = exit_
            self._catalog.add(proxy)


def plain_proxy(exits: ExitTable, exit_: int) -> Proxy:
    """The proxy in front of one exit. Its /48 is the exit's network."""
    # The world's /24s may have millions of members each. After the first byte, which stands for private addresses, the
    # network has 40 bits and the exit 80.
    host = IPv6Address(0xFD << 120 | exits.network[exit_] << 80 | exit_)
    return Proxy(scheme="http", host=str(host), port=8000, cost=exits.cost[exit_])


def provider_of(group: Group) -> Proxy:
    """The gateway in front of all exits of a group."""
    user = f"customer-session-{SESSION_PLACEHOLDER}"
    return Proxy(
        scheme="http",
        host=f"gateway-{group.number}.example",
        port=8000,
        username=user,
        password="secret",  # noqa: S106 - imagined
        cost=group.spec.cost,
    )


def verdict_on(answer: SimAnswer) -> Verdict:
    """The judge's verdict on *answer*."""
    if answer.outcome is Outcome.THROTTLED:
        return Verdict(outcome=Outcome.THROTTLED, why="status 429", until=answer.until)
    return VERDICTS[answer.outcome]


def by_engine(policy: Callable[[], Policy]) -> Recruit:
    """Makes a rival that plays a policy of the core."""

    def recruit(world: World, rng: Random) -> Rival:
        return Engines(world, policy, rng)

    return recruit
