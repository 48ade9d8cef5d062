"""Where the next working session may come from: fresh exits, idle ones, and blocked ones that may have recovered.

An exit whose try told nothing is *unclear*: neither fresh nor blocked. When it counted as fresh, a list of hung proxies
was tried for ever. When it counted as blocked, an outage of ten seconds cost a tier for hours.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Container, Iterator, Mapping
from itertools import islice
from random import Random
from typing import NamedTuple

from proxysieve.core.learning.ban_recovery import Recovery
from proxysieve.core.learning.tiers import AT_ONCE, BARRED, CHALLENGED, HISTORIES, UNCLEAR, ExitGroup, Tier
from proxysieve.core.model import Outcome, Proxy, Scope
from proxysieve.core.proxies.catalog import NAMES_AT_A_GATEWAY, Catalog, GroupKey, group_key
from proxysieve.core.proxies.other_sites import Agreement, OtherSites
from proxysieve.core.proxies.random_set import RandomSet
from proxysieve.core.records import ExitRecord

# So many random draws may find no free exit before all are looked at.
DRAW_COUNT = 16
# A try that takes so many times the usual time most likely gets no answer.
PATIENCE = 4.0
FIRST_PATIENCE_SECONDS = 10.0
# The weight of the newest answer in the usual time.
NEWEST_SHARE = 0.05
# If fewer than this work, a failing neighbour tells nothing.
NEIGHBOUR_CHANCE = 0.3
# An exit that is refused with all of its network counts as so many failures of its neighbours.
BARRED_WEIGHT = 8
BAD_OUTCOMES = frozenset({Outcome.BLOCKED, Outcome.PROXY_ERROR})
KNOWN_OUTCOMES = BAD_OUTCOMES | {Outcome.OK}
# Of a session name: the site has not answered through it, as far as is known.
MISSED = frozenset({Outcome.UNCLEAR, Outcome.PROXY_ERROR})
# An exit that worked at its last use most likely still works.
IDLE, IDLE_CHANCE = "idle", 0.9


class Candidate(NamedTuple):
    """A proxy worth a try, how likely it is to work, and why."""

    proxy: Proxy
    chance: float
    why: str


class FirstTry(NamedTuple):
    """The first request of a session.

    Attributes:
        history: How its exit stood before it was blocked, if it was.
        rested: How many seconds the blocked exit was not used.
        heard: What other sites tell of the exit, if they do.
    """

    at: float
    chance: float
    tier: Tier
    group: ExitGroup
    history: str
    rested: float
    heard: Agreement | None


class Candidates:
    """What is known of exits that do not work now, or not yet.

    Args:
        catalog: All proxies.
        exits: What happened to the exits that were used.
        other_sites: What other sites tell of the proxies.
        carrying: The keys of the plain proxies that carry a session.

    Attributes:
        recoveries: How blocked exits recover, by how they stood before.
        expected: How many of the tries under way will find a working exit, by cost.
        heard_good: How often exits worked that work at other sites.
        heard_bad: How often exits worked that are blocked at other sites.
        latency: The average seconds of a good answer; 0 if unknown.
    """

    def __init__(
        self, catalog: Catalog, exits: Mapping[str, ExitRecord], other_sites: OtherSites, carrying: Container[str] = ()
    ) -> None:
        self._catalog = catalog
        self._other_sites = other_sites
        self.heard_good, self.heard_bad = Agreement(1.0), Agreement(0.0)
        self._exits = exits
        self._version = -1
        self._tiers: dict[float, Tier] = {}
        self._groups: dict[GroupKey, ExitGroup] = {}
        self._carrying = carrying
        self._tries: OrderedDict[int, FirstTry] = OrderedDict()
        self._overdue: dict[int, FirstTry] = {}
        self.recoveries = {
            history: Recovery(share, ends_at_once=history in AT_ONCE) for history, share in HISTORIES.items()
        }
        self.expected: dict[float, float] = {}
        self.latency = 0.0

    def tiers(self) -> list[Tier]:
        """All tiers, the cheapest first."""
        if self._version != self._catalog.version:
            self._version = self._catalog.version
            for key in self._catalog.groups:
                group = self._group(key)
                group.fresh = None
                self._tier(key[0]).put(group)
            for key in self._groups.keys() - self._catalog.groups.keys():
                self._groups[key].fresh = []
                self._tier(key[0]).take_out(self._groups[key])
            self._drop_empty_groups()
        return sorted(self._tiers.values(), key=_cost)

    def _drop_empty_groups(self) -> None:
        """Forget groups of which nothing is known: lists that change for days name ever new networks."""
        for key in self._groups.keys() - self._catalog.groups.keys():
            if self._groups[key].place == (0, 0):
                # If its proxies left just now, it can still be drawn from.
                self._tier(key[0]).take_out(self._groups.pop(key))

    def welcome(self, proxy: Proxy, record: ExitRecord) -> None:
        """*proxy* has come back. If it carries no session, what is known of its exit puts it in its place."""
        if record.is_tried and proxy.key not in self._carrying:
            # Other sites know it already.
            self.leave(proxy, record, record.last_bad_at, is_news=False)

    def part(self, proxy: Proxy) -> None:
        """*proxy* has left: forget its place until it comes back."""
        self.carry(proxy)

    def _tier(self, cost: float) -> Tier:
        tier = self._tiers.get(cost)
        if tier is None:
            tier = self._tiers[cost] = Tier(cost)
        return tier

    def _group(self, key: GroupKey) -> ExitGroup:
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = ExitGroup(key)
        return group

    # What happened.

    def begin(self, lease: int, proxy: Proxy, at: float) -> None:
        """A session that has not worked yet is tried on *proxy*."""
        tier, group = self._tier(proxy.cost), self._group(group_key(proxy))
        history, rested = "", 0.0
        was_idle = tier.idle.pop(proxy.key, "") is None
        for name, blocked in tier.blocked.items():
            blocked_at = blocked.pop(proxy.key, None)
            if blocked_at is not None:
                history, rested = name, at - blocked_at
        if history and proxy.is_gateway:
            # No other name of it is tried before this one is answered.
            tier.blocked[history][proxy.key] = at
        heard = None if history or was_idle else self._heard_of(proxy)
        if was_idle:
            history, chance = IDLE, IDLE_CHANCE
        elif history:
            chance = self.recoveries[history].chance(rested)
        else:
            chance = heard.chance(tier.chance) if heard else tier.chance_of((group.ok, group.bad))
        self._tries[lease] = FirstTry(at, chance, tier, group, history, rested, heard)
        self.expected[tier.cost] = self.expected.get(tier.cost, 0.0) + chance
        if not history:
            self._move(tier, group, out=1)

    def end(self, lease: int, proxy: Proxy | None, outcome: Outcome | None, record: ExitRecord, at: float) -> None:
        """The try of *lease* was answered.

        Args:
            lease: Of the request.
            proxy: None if it has left meanwhile.
            outcome: None if the answer tells nothing of the exit.
            record: Of the exit.
            at: When it was answered.
        """
        tried = self._overdue.pop(lease, None) or self._take(lease)
        if tried is None:
            return
        # An error of the site tells nothing of an unclear exit.
        is_unclear = outcome is Outcome.UNCLEAR or (outcome is Outcome.SITE_ERROR and tried.history == UNCLEAR)
        self._learn(tried, outcome, record, is_unclear=is_unclear)
        if proxy is None:
            return
        if proxy.is_gateway and outcome is not None:
            self._count_missed(proxy, outcome, at)
        if outcome is Outcome.THROTTLED and not proxy.is_gateway:
            # The site would serve it at another time.
            self._tier(proxy.cost).idle[proxy.key] = None
        elif is_unclear:
            self._put_behind(proxy, tried.history, at)
        elif outcome is Outcome.OK:
            self._tell(proxy, works=True)
        elif outcome in BAD_OUTCOMES:
            self.block(proxy, record, outcome, at)
        else:
            self._put_back(proxy, tried)

    def _learn(self, tried: FirstTry, outcome: Outcome | None, record: ExitRecord, *, is_unclear: bool) -> None:
        """Count what a try tells of the exits with the same history."""
        is_ok, is_known = outcome is Outcome.OK, outcome in KNOWN_OUTCOMES
        if tried.history in self.recoveries and (is_known or (is_unclear and tried.history == UNCLEAR)):
            self.recoveries[tried.history].count(tried.rested, recovered=is_ok)
        if tried.history == UNCLEAR and outcome is not None:
            tried.tier.put_off_due(tried.rested, is_unclear=is_unclear)
        if tried.heard and is_known:
            tried.heard.count(works=is_ok)
        if not tried.history:
            ok, bad = int(is_known and is_ok), int(is_known and not is_ok)
            if bad and record.scope is Scope.NETWORK:
                bad = BARRED_WEIGHT
            tried.tier.ok += ok
            tried.tier.bad += min(bad, 1)
            self._move(tried.tier, tried.group, ok=ok, bad=bad, out=-1)

    def block(
        self, proxy: Proxy, record: ExitRecord, outcome: Outcome | None, at: float, *, is_news: bool = True
    ) -> None:
        """The exit of *proxy* does not work any more; a gateway has others."""
        if proxy.is_gateway:
            return
        history = _history(record, outcome)
        if is_news and history != BARRED:
            # A block of a whole country tells other sites nothing.
            self._tell(proxy, works=False)
        self.carry(proxy)
        self._tier(proxy.cost).blocked[history][proxy.key] = at

    def convict(self, proxy: Proxy, record: ExitRecord, at: float) -> None:
        """A fresh exit is blocked: others got what it was refused."""
        if not proxy.is_gateway:
            self._judge_anew(proxy, bad=1)
            self.block(proxy, record, Outcome.BLOCKED, at)

    def acquit(self, proxy: Proxy, record: ExitRecord) -> None:
        """The exit of a plain *proxy* counted as blocked, and is not."""
        self._tell(proxy, works=True)
        self.carry(proxy)
        if record.is_judged:
            self._tier(proxy.cost).idle[proxy.key] = None
        else:
            self._judge_anew(proxy, bad=-1)

    def _judge_anew(self, proxy: Proxy, *, bad: int) -> None:
        tier, group = self._tier(proxy.cost), self._group(group_key(proxy))
        tier.bad = max(0, tier.bad + bad)
        # It may be drawn again.
        group.fresh = None
        self._move(tier, group, bad=max(-group.bad, bad))

    def _put_behind(self, proxy: Proxy, history: str, at: float) -> None:
        """A try of *proxy* told nothing: until it is due again, untried ones come first."""
        if not proxy.is_gateway:
            self.carry(proxy)
            name = history if history in self.recoveries else UNCLEAR
            self._tier(proxy.cost).blocked[name][proxy.key] = at

    def _count_missed(self, proxy: Proxy, outcome: Outcome, at: float) -> None:
        """Count a try of a gateway. If the site answered none of so many names in a row, the gateway is put behind."""
        tier, group = self._tier(proxy.cost), self._group(group_key(proxy))
        group.missed = group.missed + 1 if outcome in MISSED else 0
        stood_behind = tier.blocked[UNCLEAR].pop(proxy.key, None) is not None
        if group.missed >= NAMES_AT_A_GATEWAY:
            tier.blocked[UNCLEAR][proxy.key] = at
        elif stood_behind:
            group.fresh = None
            tier.put(group)

    def _put_back(self, proxy: Proxy, tried: FirstTry) -> None:
        tier = self._tier(proxy.cost)
        if tried.history == IDLE:
            tier.idle[proxy.key] = None
        elif tried.history and not proxy.is_gateway:
            blocked = tier.blocked[tried.history]
            blocked[proxy.key] = tried.at - tried.rested
            blocked.move_to_end(proxy.key, last=False)

    def carry(self, proxy: Proxy) -> None:
        """The exit of *proxy* carries a working session, so it is neither blocked nor idle."""
        tier = self._tier(proxy.cost)
        tier.idle.pop(proxy.key, None)
        for blocked in tier.blocked.values():
            blocked.pop(proxy.key, None)

    def free(self, proxy: Proxy, record: ExitRecord) -> None:
        """The exit of *proxy* works. If it carries no session, another session may use it."""
        if proxy.key not in self._carrying:
            self.carry(proxy)
            self.leave(proxy, record, record.last_bad_at)

    def leave(self, proxy: Proxy, record: ExitRecord, at: float, *, is_news: bool = True) -> None:
        """A session on a plain *proxy* has ended. Unless the exit is blocked, another session may use it."""
        if proxy.is_gateway:
            return
        tier = self._tier(proxy.cost)
        if any(proxy.key in blocked for name, blocked in tier.blocked.items() if name != UNCLEAR):
            return
        self.carry(proxy)
        if record.last in BAD_OUTCOMES:
            self.block(proxy, record, record.last, at, is_news=is_news)
        elif record.last is Outcome.UNCLEAR:
            self._put_behind(proxy, UNCLEAR, record.last_unclear_at)
        else:
            tier.idle[proxy.key] = None

    def know(self, proxy: Proxy, record: ExitRecord) -> None:
        """Restore what was saved of the exit of a plain *proxy*."""
        if not record.is_judged:
            self.leave(proxy, record, record.last_bad_at)
            return
        tier, group = self._tier(proxy.cost), self._group(group_key(proxy))
        ok = int(record.ok_count > 0)
        tier.ok += ok
        tier.bad += 1 - ok
        self._move(tier, group, ok=ok, bad=1 - ok)
        self.leave(proxy, record, record.last_bad_at)
        if record.last is Outcome.OK:
            self._tell(proxy, works=True)

    def _tell(self, proxy: Proxy, *, works: bool) -> None:
        if not proxy.is_gateway:
            self._other_sites.tell(proxy.key, works=works)

    def _heard_of(self, proxy: Proxy) -> Agreement | None:
        if proxy.key in self._other_sites.good:
            return self.heard_good
        return self.heard_bad if self._other_sites.is_bad(proxy.key) else None

    def answer_well(self, seconds: float) -> None:
        """A good answer took *seconds*."""
        self.latency += (NEWEST_SHARE if self.latency else 1.0) * (seconds - self.latency)

    def give_up_on_slow(self, now: float) -> None:
        """Expect nothing more from tries that have been under way for long."""
        patience = PATIENCE * self.latency if self.latency else FIRST_PATIENCE_SECONDS
        while self._tries:
            lease, tried = next(iter(self._tries.items()))
            if now - tried.at <= patience:
                break
            self._take(lease)
            self._overdue[lease] = tried

    @property
    def try_count(self) -> int:
        """How many tries are under way."""
        return len(self._tries) + len(self._overdue)

    def forget(self, share: float) -> None:
        """Reduce the weight of what is known to *share*."""
        for recovery in self.recoveries.values():
            recovery.forget(share)
        for tier in self._tiers.values():
            tier.ok, tier.bad = int(tier.ok * share), int(tier.bad * share)
        for key, group in self._groups.items():
            ok, bad = int(group.ok * share), int(group.bad * share)
            self._move(self._tier(key[0]), group, ok=ok - group.ok, bad=bad - group.bad)
        self._drop_empty_groups()

    def has_blocked(self, history: str) -> bool:
        """Whether an exit with that *history* is blocked."""
        return any(tier.blocked[history] for tier in self._tiers.values())

    def _take(self, lease: int) -> FirstTry | None:
        tried = self._tries.pop(lease, None)
        if tried is not None:
            self.expected[tried.tier.cost] -= tried.chance
            if not self._tries:
                # Sums of fractions drift.
                self.expected.clear()
        return tried

    @staticmethod
    def _move(tier: Tier, group: ExitGroup, *, ok: int = 0, bad: int = 0, out: int = 0) -> None:
        tier.take_out(group)
        group.ok += ok
        group.bad += bad
        group.out += out
        if group.fresh is None or group.fresh or group.out:
            tier.put(group)

    # What to try next.

    def find(
        self, tier: Tier, is_free: Callable[[Proxy], bool], rng: Random, now: float, *, gives_way: bool = False
    ) -> Candidate | None:
        """The exit of *tier* that is likeliest to work, of those that are not known to be blocked.

        Args:
            tier: Where to look.
            is_free: Whether a proxy may be used.
            rng: The source of chance.
            now: The moment, in Unix seconds.
            gives_way: Whether untried exits come after those of other tiers.
        """
        idle = self._idle(tier, is_free)
        if idle is not None:
            return Candidate(idle, IDLE_CHANCE, "worked before")
        fresh = None if gives_way else self._fresh(tier, is_free, rng)
        return fresh or self._due(tier, is_free, now)

    def _due(self, tier: Tier, is_free: Callable[[Proxy], bool], now: float) -> Candidate | None:
        """An exit whose last try told nothing, so long ago that it is as good as an untried one."""
        for key, at in islice(tier.blocked[UNCLEAR].items(), DRAW_COUNT):
            proxy = self._catalog.get(key)
            if now - at >= tier.due_seconds and proxy is not None and is_free(proxy):
                return self._found_again(proxy, UNCLEAR, now - at)
        return None

    def _found_again(self, proxy: Proxy, history: str, seconds: float) -> Candidate:
        said = f"unclear {seconds:.0f} s ago" if history == UNCLEAR else f"blocked {seconds:.0f} s ago, {history}"
        return Candidate(proxy, self.recoveries[history].chance(seconds), said)

    def _idle(self, tier: Tier, is_free: Callable[[Proxy], bool]) -> Proxy | None:
        for _ in range(min(DRAW_COUNT, len(tier.idle))):
            key = next(iter(tier.idle))
            proxy = self._catalog.get(key)
            if proxy is not None and proxy.cost == tier.cost and is_free(proxy):
                return proxy
            # It may be free later.
            tier.idle.move_to_end(key)
        return None

    def neighbour(self, tier: Tier, network: str, is_free: Callable[[Proxy], bool], rng: Random) -> Proxy | None:
        """A fresh exit of *network*, unless it is too likely to be blocked anyway."""
        group = self._groups.get((tier.cost, network))
        if group is None or tier.chance < NEIGHBOUR_CHANCE:
            return None
        return self._fresh_in(group, is_free, rng)

    def _fresh(self, tier: Tier, is_free: Callable[[Proxy], bool], rng: Random) -> Candidate | None:
        best = self._best_fresh(tier, is_free, rng)
        chance = self.heard_good.chance(tier.chance)
        if best is None or best.chance < chance:
            proxy = self._good_elsewhere(tier, is_free, rng)
            if proxy is not None:
                return Candidate(proxy, chance, "works at other sites")
        return best

    def _best_fresh(self, tier: Tier, is_free: Callable[[Proxy], bool], rng: Random) -> Candidate | None:
        for equals in list(tier.best_first()):
            for group in self._any_order(equals, rng):
                proxy = self._fresh_in(group, is_free, rng)
                if proxy is not None:
                    return Candidate(proxy, tier.chance_of((group.ok, group.bad)), "never used here")
                if not group.fresh:
                    tier.take_out(group)
        return None

    @staticmethod
    def _any_order(groups: RandomSet[ExitGroup], rng: Random) -> Iterator[ExitGroup]:
        """First a few at random, as one of them mostly does; then all."""
        for _ in range(DRAW_COUNT):
            if groups:
                yield groups.draw(rng)
        yield from list(groups)

    def _good_elsewhere(self, tier: Tier, is_free: Callable[[Proxy], bool], rng: Random) -> Proxy | None:
        for _ in range(min(DRAW_COUNT, len(self._other_sites.good))):
            proxy = self._catalog.get(self._other_sites.draw_good(rng))
            if proxy and proxy.cost == tier.cost and not self._is_known(proxy) and is_free(proxy):
                return proxy
        return None

    def _fresh_in(self, group: ExitGroup, is_free: Callable[[Proxy], bool], rng: Random) -> Proxy | None:
        if group.fresh is None:
            group.fresh = list(self._catalog.groups.get(group.key, {}).values())
        fresh = group.fresh
        passes = DRAW_COUNT
        while fresh and passes:
            place = int(rng.random() * len(fresh))
            proxy = fresh[place]
            if self._is_known(proxy):
                fresh[place] = fresh[-1]
                fresh.pop()
            elif is_free(proxy) and not self._other_sites.is_bad(proxy.key):
                return proxy
            else:
                passes -= 1
        return next((proxy for proxy in fresh if not self._is_known(proxy) and is_free(proxy)), None)

    def _is_known(self, proxy: Proxy) -> bool:
        if proxy.is_gateway:
            return proxy.key in self._tier(proxy.cost).blocked[UNCLEAR]
        if proxy.key not in self._catalog:
            return True
        record = self._exits.get(proxy.key)
        if record is None:
            return False
        return record.is_judged or any(proxy.key in blocked for blocked in self._tier(proxy.cost).blocked.values())

    def find_blocked(self, tier: Tier, is_free: Callable[[Proxy], bool], now: float) -> Candidate | None:
        """The blocked exit of *tier* that has most likely recovered."""
        best: Candidate | None = None
        for name, blocked in tier.blocked.items():
            for key, at in islice(blocked.items(), DRAW_COUNT):
                proxy = self._catalog.get(key)
                if proxy is not None and is_free(proxy):
                    found = self._found_again(proxy, name, now - at)
                    if best is None or found.chance > best.chance:
                        best = found
                    break
        return best


def _cost(tier: Tier) -> float:
    return tier.cost


def _history(record: ExitRecord, outcome: Outcome | None) -> str:
    """How the exit of *record* stood before it failed with *outcome*."""
    if outcome is Outcome.BLOCKED and record.scope in {Scope.NETWORK, Scope.COUNTRY}:
        return BARRED
    if record.ok_count:
        return CHALLENGED if outcome is Outcome.BLOCKED and record.scope is Scope.SESSION else "worked"
    return "dead" if outcome is Outcome.PROXY_ERROR else "never worked"
