"""The adaptive policy: few tries, no overuse, nothing given up too early. docs/policy.md has the mathematics."""

from __future__ import annotations

from random import Random

from proxysieve.core.learning.learner import Lore
from proxysieve.core.learning.limits import PROOFS
from proxysieve.core.learning.rotation import Turn, Turns
from proxysieve.core.learning.tiers import Tier
from proxysieve.core.model import Proxy, Reach
from proxysieve.core.site.policy import Choice, Open, Rest, Reuse
from proxysieve.core.site.state import MAX_IN_FLIGHT, Facts

# So many of those that work go ahead of the others, and one at least.
CANARY_SHARE = 0.04
# A canary that has been used twice as often as the next one leads by enough.
LEAD = 2
# After a change of the limits, who did not work for so long is as good an experiment as who is new.
RESTED_SECONDS = 60.0
# A probe that will be borne with this chance needs no need.
CERTAIN = 0.8
# What is to be won by a probe must be more than this part of the window.
LEAST_GAIN = 0.05
# To lose one of n that work weighs as much as so many seconds of want, divided by n; and never less than that.
LOSS_SECONDS, LEAST_LOSS_SECONDS = 50.0, 0.5
# How many neighbours of a blocked exit are tried, to see whether its network is blocked.
NEIGHBOUR_COUNT = 4
# Nothing else may change meanwhile, but what is dared grows with the time.
LOOK_AGAIN_SECONDS, LEAST_SECONDS = 1.0, 0.01

WANT = "all sessions rest"
# What a plan limits, no risk taken at the site will raise.
FULL = "proxies carry as many requests as they may"


class Probe:
    """One session that goes past a limit, until it has done so often enough.

    Attributes:
        session: Its name.
        span: How long its n uses before had taken, at least, when it began.
        count: How often it went.
    """

    def __init__(self) -> None:
        self.session = ""
        self.span = 0.0
        self.count = 0


class Want:
    """For how many seconds requests had to wait though nothing was to be expected, since the last probe."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._since: float | None = None

    def begin(self, now: float) -> None:
        """Nothing can be done."""
        self._since = now if self._since is None else self._since

    def end(self, now: float) -> None:
        """Something can."""
        self._seconds, self._since = self.seconds(now), None

    def seconds(self, now: float) -> float:
        """How long it was, up to *now*."""
        return self._seconds + (now - self._since if self._since is not None else 0.0)

    def forget(self) -> None:
        """A probe is on its way."""
        self._seconds, self._since = 0.0, None


class Adaptive:
    """Picks what is likely to cost least. One of it serves one site.

    Args:
        thrift: How much a request may wait for others' answers, to spare tries: with 1, as many fresh exits are tried
            at once as requests wait; with 2, half as many.
    """

    learns = True

    def __init__(self, thrift: float = 1.0) -> None:
        self._thrift = thrift
        self._canaries: list[Turn] = []
        self._began_at = 0.0
        self._leading_network = ""
        self._probe = Probe()
        # One for what is likely to cost a session, one for what is likely to cost a request.
        self._want, self._small_want = Want(), Want()
        self._version = -1

    def choose(self, facts: Facts, now: float, rng: Random) -> Choice:
        choice = self._choose(facts, now, rng)
        if isinstance(choice, Rest) and choice.why == WANT:
            self._want.begin(now)
            self._small_want.begin(now)
        elif not isinstance(choice, Rest) or choice.why == FULL:
            self._want.end(now)
            self._small_want.end(now)
        return choice

    def _choose(self, facts: Facts, now: float, rng: Random) -> Choice:
        lore = facts.lore
        assert lore is not None, "the policy learns"  # noqa: S101
        self._look_again(lore)
        lore.supply.give_up_on_slow(now)
        unmet = float(facts.waiting)
        tiers = lore.supply.tiers()
        for tier in tiers:
            turns = lore.turns.get(tier.cost)
            if turns is not None:
                choice = self._reuse(facts, lore, turns, now)
                if choice is not None:
                    return choice
                unmet -= self._soon(facts, lore, turns)
            carry = min(float(MAX_IN_FLIGHT), self._thrift / tier.chance)
            unmet -= lore.supply.expected.get(tier.cost, 0.0) * carry
            if unmet <= 0 and not self._is_left_over(facts):
                return self._rest(lore, now, "what is being tried may be enough")
            choice = self._probe_limit(facts, lore, turns, now, CERTAIN) or self._open(facts, lore, tier, now, rng)
            if choice is not None:
                return choice
        if facts.is_crowded:
            return self._rest(lore, now, FULL)
        for tier in tiers:
            choice = self._probe_limit(facts, lore, lore.turns.get(tier.cost), now)
            if choice is not None:
                return choice
        return self._rest(lore, now, WANT)

    @staticmethod
    def _is_left_over(facts: Facts) -> bool:
        """Whether others may be used now, but not by this request, as it has just failed on all of them."""
        return bool(facts.avoided) and any(
            turn.session.exit_id in facts.avoided
            for turns in (facts.lore.turns.values() if facts.lore else ())
            for turn in turns.ready.values()
        )

    def _rest(self, lore: Lore, now: float, why: str) -> Rest:
        due = [at for turns in lore.turns.values() if (at := turns.next_at()) is not None]
        return Rest(max(min([now + LOOK_AGAIN_SECONDS, *due]), now + LEAST_SECONDS), why)

    def _look_again(self, lore: Lore) -> None:
        version = lore.wear.exit_pace.version + lore.wear.network_pace.version
        if version != self._version:
            self._version = version
            for turns in lore.turns.values():
                turns.wake_all()

    # Those that work.

    def _reuse(self, facts: Facts, lore: Lore, turns: Turns, now: float) -> Choice:
        turns.wake(now)
        first = self._first(facts, lore, turns, now)
        if first is None or first.uses.count * LEAD > lore.wear.exit_pace.frontiers[-1].proven:
            canary = self._canary(facts, lore, turns, now)
            if canary and (first is None or canary.uses.count < LEAD * first.uses.count):
                return Reuse(canary.session, "goes ahead of the others", Reach.AHEAD)
        if first is None:
            return None
        return Reuse(first.session, "rested longest", Reach(self._is_unproven(lore, first, now)))

    def _first(self, facts: Facts, lore: Lore, turns: Turns, now: float) -> Turn | None:
        """The one that rested longest of those that may be used within what is known."""
        pace = lore.wear.exit_pace
        while turn := next((turn for turn in turns.ready.values() if self._is_for_it(facts, turn)), None):
            if not facts.is_open(turn.session, now):
                # One whose proxy has left may come back.
                if turn.session.proxy in facts.catalog:
                    lore.retire(turn)
                else:
                    turns.put_off(turn, now + LOOK_AGAIN_SECONDS, is_held_back=False)
                continue
            if facts.in_flight.get(turn.session.name, 0) >= min(lore.wear.depth.proven, MAX_IN_FLIGHT):
                turns.set_aside(turn)
                continue
            limits_at, granted_at = self._limits_at(facts, lore, turn), pace.frontier_at(turn.uses)
            # Where nobody else of its network is used, that has nothing to add.
            if turn.network and turn.network.count > turn.uses.count and max(limits_at, granted_at) <= now:
                network = lore.wear.network_pace
                limits_at = network.limits_at(turn.network, turn.proxy.network)
                granted_at = network.frontier_at(turn.network)
                if limits_at <= now < granted_at and self._leads(facts, turns, turn):
                    granted_at = now
            if max(limits_at, granted_at) <= now:
                return turn
            turns.put_off(turn, max(limits_at, granted_at), is_held_back=limits_at <= now)
        return None

    @staticmethod
    def _is_for_it(facts: Facts, turn: Turn) -> bool:
        """Whether *turn* may carry the request for which one is chosen, as far as that is known of others."""
        return turn.session.exit_id not in facts.avoided and not facts.is_full(turn.proxy.key)

    @staticmethod
    def _limits_at(facts: Facts, lore: Lore, turn: Turn) -> float:
        """When its exit may be used, within all limits."""
        return max(facts.rests_until(turn.session.exit_id), lore.wear.exit_pace.limits_at(turn.uses))

    @staticmethod
    def _network_at(lore: Lore, turn: Turn) -> float:
        """When its network may be, within all that is known."""
        if turn.network is None or turn.network.count == turn.uses.count:
            return 0.0
        pace = lore.wear.network_pace
        return max(pace.limits_at(turn.network, turn.proxy.network), pace.frontier_at(turn.network))

    @staticmethod
    def _is_unproven(lore: Lore, turn: Turn, now: float) -> bool:
        wear = lore.wear
        # Who is within what is granted is within what is proven, unless more is granted; a network may lead.
        return (wear.exit_pace.grants_more and wear.exit_pace.is_unproven(turn.uses, now)) or (
            turn.network is not None
            and turn.network.count > turn.uses.count
            and wear.network_pace.is_unproven(turn.network, now)
        )

    # Those that go ahead.

    def _canary(self, facts: Facts, lore: Lore, turns: Turns, now: float) -> Turn | None:
        if lore.doubts.is_leader_held:
            return None
        if self._began_at != lore.wear.exit_pace.began_at:
            # What they know of their exits is of another time.
            self._began_at, self._canaries = lore.wear.exit_pace.began_at, []
        self._canaries = [turn for turn in self._canaries if turns.all.get(turn.session.name) is turn]
        if lore.doubts.alarm_at:
            # One that has failed since leads nobody: without another, those held back would wait for hours.
            self._canaries = [turn for turn in self._canaries if turn.session.exit_id not in facts.avoided]
        if len(self._canaries) < max(1, int(CANARY_SHARE * len(turns.all))):
            self._appoint(facts, lore, turns, now)
        for turn in self._canaries:
            is_free = facts.is_ready(turn.session, now) and self._limits_at(facts, lore, turn) <= now
            if is_free and self._may_lead_network(facts, lore, turns, turn, now):
                return turn
        return None

    def _appoint(self, facts: Facts, lore: Lore, turns: Turns, now: float) -> None:
        """Make one more a canary: the one used most, as the others are to stay behind it."""
        others = [
            turn
            for turn in turns.all.values()
            if turn not in self._canaries
            and turn.session.exit_id not in facts.avoided
            and (turn.session.opened_at >= self._began_at or turn.uses.nth_last(1) < now - RESTED_SECONDS)
            and self._limits_at(facts, lore, turn) <= now
        ]
        if others:
            self._canaries.append(max(others, key=lambda turn: turn.uses.count))

    def _may_lead_network(self, facts: Facts, lore: Lore, turns: Turns, turn: Turn, now: float) -> bool:
        if self._network_at(lore, turn) <= now:
            return True
        assert turn.network is not None, "else it had no time"  # noqa: S101
        limits_at = lore.wear.network_pace.limits_at(turn.network, turn.proxy.network)
        return limits_at <= now and self._leads(facts, turns, turn)

    def _leads(self, facts: Facts, turns: Turns, turn: Turn) -> bool:
        """Whether its network is the one that goes ahead of the others: the one of which most are at work."""
        leading, network = self._leading_network, turn.proxy.network
        if leading == network:
            return True
        is_idle = not any(
            one.proxy.network == leading and facts.in_flight.get(one.session.name) for one in turns.all.values()
        )
        if is_idle or turns.in_network[network] > turns.in_network[leading]:
            self._leading_network = network
            return True
        return False

    def _soon(self, facts: Facts, lore: Lore, turns: Turns) -> float:
        """How many requests those can carry soon that wait only for a canary."""
        wear = lore.wear
        if wear.exit_pace.lag or wear.exit_pace.limits or wear.network_pace.limits or not self._canaries:
            return 0.0
        if facts.is_crowded:
            # They cannot, whatever the canary finds out.
            return 0.0
        depth = wear.depth.proven
        full_count = sum(facts.in_flight.get(name, 0) >= depth for name in turns.all)
        carried = len(facts.flights) - lore.supply.try_count
        return max(0.0, float(MAX_IN_FLIGHT * (turns.held_back_count + full_count) - carried))

    # Those that may work.

    def _open(self, facts: Facts, lore: Lore, tier: Tier, now: float, rng: Random) -> Choice:
        def is_free(proxy: Proxy) -> bool:
            if proxy.key in facts.avoided or now < facts.rests_until(proxy.key) or facts.is_full(proxy.key):
                return False
            return proxy.is_gateway or facts.session_on(proxy, now) is None

        def may_be_used(proxy: Proxy) -> bool:
            return is_free(proxy) and lore.bears(proxy, now)

        for limit in lore.wear.network_pace.limits:
            if limit.trial_count < NEIGHBOUR_COUNT and limit.sure < 1:
                proxy = lore.supply.neighbour(tier, limit.subject, is_free, rng)
                if proxy is not None:
                    return Open(proxy, "a neighbour of one that was blocked")
        gives_way = facts.drought.gives_way(tier.cost, now)
        found = lore.supply.find(tier, may_be_used, rng, now, gives_way=gives_way)
        again = lore.supply.find_blocked(tier, may_be_used, now)
        if again and (found is None or again.chance > found.chance) and self._dares(now, again.chance):
            self._small_want.forget()
            found = again
        return Open(found.proxy, f"{found.why}, works with {found.chance:.0%}") if found else None

    def _dares(self, now: float, chance: float) -> bool:
        """Whether want has lasted long enough for something that is unlikely to work."""
        return chance > 0 and self._small_want.seconds(now) * MAX_IN_FLIGHT >= (1 - chance) / chance

    # Past what is believed.

    def _probe_limit(self, facts: Facts, lore: Lore, turns: Turns | None, now: float, certain: float = 0.0) -> Choice:
        """A request past a limit: always with the same session until it fails, and one at a time at first."""
        probe, limited = self._probe, turns.limited() if turns else []
        out_count = facts.in_flight.get(probe.session, 0)
        if not turns or not limited or out_count >= (2 if probe.count > 1 else 1):
            return None
        for turn in self._candidates(lore, turns, limited, now):
            chance, gain, span = self._odds(lore, turn, now)
            if not facts.is_ready(turn.session, now) or gain <= LEAST_GAIN:
                continue
            name = turn.session.name
            is_again = name == probe.session and probe.count <= PROOFS and span >= 0.98 * probe.span
            if is_again or self._is_worth(chance, gain, len(turns.all), now, certain):
                probe.count = probe.count + 1 if is_again else 1
                probe.session, probe.span = name, probe.span if is_again else span
                self._want.forget()
                return Reuse(turn.session, "past a limit, to see whether it is one", Reach.PAST_LIMIT)
        return None

    def _is_worth(self, chance: float, gain: float, count: int, now: float, certain: float) -> bool:
        if certain:
            return chance >= certain
        price = max(LEAST_LOSS_SECONDS, LOSS_SECONDS / count)
        return chance > 0 and self._want.seconds(now) * chance * gain >= price * (1 - chance)

    def _candidates(self, lore: Lore, turns: Turns, limited: list[tuple[float, Turn]], now: float) -> list[Turn]:
        """Who might go: the one that went last, the one whose time comes first, the ones that risk just enough."""
        limits, began_at = lore.wear.exit_pace.limits, lore.wear.exit_pace.began_at
        # Who was used before all began anew would prove nothing.
        clear = (turn for _, turn in limited if all(turn.uses.nth_last(limit.n) >= began_at for limit in limits))
        candidates = [next(clear, limited[0][1])]
        if self._probe.session in turns.all:
            candidates.insert(0, turns.all[self._probe.session])
        for limit in limits:
            if not limit.is_open:
                least = now + limit.seconds - limit.seconds_for(CERTAIN)
                candidates += [turn for due, turn in limited if due <= least][-1:]
        return candidates

    def _odds(self, lore: Lore, turn: Turn, now: float) -> tuple[float, float, float]:
        """How likely it is that a use is borne, what part of the window that wins, how long the n uses before took."""
        found = [(limit, turn.uses) for limit in lore.wear.exit_pace.limits]
        if turn.network is not None and self._network_at(lore, turn) > now:
            found += [(limit, turn.network) for limit in lore.wear.network_pace.limits]
        spans = [(limit, now - uses.nth_last(limit.n)) for limit, uses in found if uses.count >= limit.n]
        passed = [(limit, span) for limit, span in spans if span < limit.below]
        if not passed:
            return 0.0, 0.0, 0.0
        return (
            min(limit.chance_below(span) for limit, span in passed),
            min(1 - span / limit.below for limit, span in passed),
            min(span for _, span in passed),
        )
