"""The adaptive policy: few tries, no overuse, nothing given up too early. docs/inside/policy.md has the mathematics."""

from __future__ import annotations

from random import Random

from proxysieve.core.learning.learner import Learner
from proxysieve.core.learning.rotation import Member, Rotation
from proxysieve.core.learning.tiers import Tier
from proxysieve.core.learning.usage_limits import PROOFS
from proxysieve.core.model import Proxy, Reach
from proxysieve.core.site.policy_protocol import Choice, NotBefore, Open, Reuse
from proxysieve.core.site.state import MAX_IN_FLIGHT, SiteState

# So many of those that work go ahead of the others, and one at least.
CANARY_SHARE = 0.04
# A canary that has been used twice as often as the next one leads by enough.
LEAD = 2
# After a change of the limits, who did not work for so long is as good an experiment as who is new.
RESTED_SECONDS = 60.0
# A limit test that is borne with this chance needs no want.
CERTAIN = 0.8
# A limit test must win more than this part of the window.
LEAST_GAIN = 0.05
# To lose one of n that work weighs as much as so many seconds of want, divided by n; and never less than that.
LOSS_SECONDS, LEAST_LOSS_SECONDS = 50.0, 0.5
# How many neighbours of a blocked exit are tried, to see whether its network is blocked.
NEIGHBOUR_COUNT = 4
# Nothing else may change meanwhile, but what is dared grows with the time.
LOOK_AGAIN_SECONDS, LEAST_SECONDS = 1.0, 0.01

WANT = "all sessions cool down or wait"
# What a plan limits, no risk taken at the site will raise.
FULL = "proxies carry as many requests as they may"


class LimitTest:
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
    """For how many seconds requests had to wait though nothing was to be expected, since the last limit test."""

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
        """A limit test is under way."""
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
        self._canaries: list[Member] = []
        self._began_at = 0.0
        self._leading_network = ""
        self._limit_test = LimitTest()
        # One for what is likely to cost a session, one for what is likely to cost a request.
        self._want, self._small_want = Want(), Want()
        self._version = -1

    def choose(self, state: SiteState, now: float, rng: Random) -> Choice:
        choice = self._choose(state, now, rng)
        if isinstance(choice, NotBefore) and choice.why == WANT:
            self._want.begin(now)
            self._small_want.begin(now)
        elif not isinstance(choice, NotBefore) or choice.why == FULL:
            self._want.end(now)
            self._small_want.end(now)
        return choice

    def _choose(self, state: SiteState, now: float, rng: Random) -> Choice:
        learner = state.learner
        assert learner is not None, "the policy learns"  # noqa: S101
        self._look_again(learner)
        learner.candidates.give_up_on_slow(now)
        unmet = float(state.waiting)
        tiers = learner.candidates.tiers()
        for tier in tiers:
            rotation = learner.rotation.get(tier.cost)
            if rotation is not None:
                choice = self._reuse(state, learner, rotation, now)
                if choice is not None:
                    return choice
                unmet -= self._soon(state, learner, rotation)
            carry = min(float(MAX_IN_FLIGHT), self._thrift / tier.chance)
            unmet -= learner.candidates.expected.get(tier.cost, 0.0) * carry
            if unmet <= 0 and not self._is_left_over(state):
                return self._rest(learner, now, "what is being tried may be enough")
            choice = self._test_limit(state, learner, rotation, now, CERTAIN) or self._open(
                state, learner, tier, now, rng
            )
            if choice is not None:
                return choice
        if state.is_crowded:
            return self._rest(learner, now, FULL)
        for tier in tiers:
            choice = self._test_limit(state, learner, learner.rotation.get(tier.cost), now)
            if choice is not None:
                return choice
        return self._rest(learner, now, WANT)

    @staticmethod
    def _is_left_over(state: SiteState) -> bool:
        """Whether others may be used now, but not by this request, as it has just failed on all of them."""
        return bool(state.avoided) and any(
            member.session.exit_id in state.avoided
            for rotation in (state.learner.rotation.values() if state.learner else ())
            for member in rotation.ready.values()
        )

    def _rest(self, learner: Learner, now: float, why: str) -> NotBefore:
        due = [at for rotation in learner.rotation.values() if (at := rotation.next_at()) is not None]
        return NotBefore(max(min([now + LOOK_AGAIN_SECONDS, *due]), now + LEAST_SECONDS), why)

    def _look_again(self, learner: Learner) -> None:
        version = learner.usage.exit_limits.version + learner.usage.network_limits.version
        if version != self._version:
            self._version = version
            for rotation in learner.rotation.values():
                rotation.wake_all()

    # Those that work.

    def _reuse(self, state: SiteState, learner: Learner, rotation: Rotation, now: float) -> Choice:
        rotation.wake(now)
        first = self._first(state, learner, rotation, now)
        if first is None or first.uses.count * LEAD > learner.usage.exit_limits.frontiers[-1].proven:
            canary = self._canary(state, learner, rotation, now)
            if canary and (first is None or canary.uses.count < LEAD * first.uses.count):
                return Reuse(canary.session, "goes ahead of the others", Reach.AHEAD)
        if first is None:
            return None
        return Reuse(first.session, "unused for longest", Reach(self._is_unproven(learner, first, now)))

    def _first(self, state: SiteState, learner: Learner, rotation: Rotation, now: float) -> Member | None:
        """The one unused for longest of those that may be used within what is known."""
        pace = learner.usage.exit_limits
        while member := next((member for member in rotation.ready.values() if self._is_for_it(state, member)), None):
            if not state.is_open(member.session, now):
                # One whose proxy has left may come back.
                if member.session.proxy_key in state.catalog:
                    learner.retire(member)
                else:
                    rotation.put_off(member, now + LOOK_AGAIN_SECONDS, is_held_back=False)
                continue
            if state.in_flight.get(member.session.name, 0) >= min(learner.usage.depth.proven, MAX_IN_FLIGHT):
                rotation.set_aside(member)
                continue
            limits_at, granted_at = self._limits_at(state, learner, member), pace.frontier_at(member.uses)
            # Where nobody else of its network is used, that has nothing to add.
            if member.network and member.network.count > member.uses.count and max(limits_at, granted_at) <= now:
                network = learner.usage.network_limits
                limits_at = network.limits_at(member.network, member.proxy.network)
                granted_at = network.frontier_at(member.network)
                if limits_at <= now < granted_at and self._leads(state, rotation, member):
                    granted_at = now
            if max(limits_at, granted_at) <= now:
                return member
            rotation.put_off(member, max(limits_at, granted_at), is_held_back=limits_at <= now)
        return None

    @staticmethod
    def _is_for_it(state: SiteState, member: Member) -> bool:
        """Whether *member* may carry the request for which one is chosen, as far as that is known of others."""
        return member.session.exit_id not in state.avoided and not state.is_full(member.proxy.key)

    @staticmethod
    def _limits_at(state: SiteState, learner: Learner, member: Member) -> float:
        """When its exit may be used, within all limits."""
        return max(state.cooldown_until(member.session.exit_id), learner.usage.exit_limits.limits_at(member.uses))

    @staticmethod
    def _network_at(learner: Learner, member: Member) -> float:
        """When its network may be, within all that is known."""
        if member.network is None or member.network.count == member.uses.count:
            return 0.0
        pace = learner.usage.network_limits
        return max(pace.limits_at(member.network, member.proxy.network), pace.frontier_at(member.network))

    @staticmethod
    def _is_unproven(learner: Learner, member: Member, now: float) -> bool:
        usage = learner.usage
        # Who is within what is granted is within what is proven, unless more is granted; a network may lead.
        return (usage.exit_limits.grants_more and usage.exit_limits.is_unproven(member.uses, now)) or (
            member.network is not None
            and member.network.count > member.uses.count
            and usage.network_limits.is_unproven(member.network, now)
        )

    # Those that go ahead.

    def _canary(self, state: SiteState, learner: Learner, rotation: Rotation, now: float) -> Member | None:
        if learner.held_sessions.is_leader_held:
            return None
        if self._began_at != learner.usage.exit_limits.began_at:
            # What they know of their exits is of another time.
            self._began_at, self._canaries = learner.usage.exit_limits.began_at, []
        self._canaries = [member for member in self._canaries if rotation.all.get(member.session.name) is member]
        if learner.held_sessions.alarm_at:
            # A canary that has failed since is none: without another, those held back would wait for hours.
            self._canaries = [member for member in self._canaries if member.session.exit_id not in state.avoided]
        if len(self._canaries) < max(1, int(CANARY_SHARE * len(rotation.all))):
            self._appoint(state, learner, rotation, now)
        for member in self._canaries:
            is_free = state.is_ready(member.session, now) and self._limits_at(state, learner, member) <= now
            if is_free and self._may_lead_network(state, learner, rotation, member, now):
                return member
        return None

    def _appoint(self, state: SiteState, learner: Learner, rotation: Rotation, now: float) -> None:
        """Make one more a canary: the one used most, as the others are to stay behind it."""
        others = [
            member
            for member in rotation.all.values()
            if member not in self._canaries
            and member.session.exit_id not in state.avoided
            and (member.session.opened_at >= self._began_at or member.uses.nth_last(1) < now - RESTED_SECONDS)
            and self._limits_at(state, learner, member) <= now
        ]
        if others:
            self._canaries.append(max(others, key=lambda member: member.uses.count))

    def _may_lead_network(
        self, state: SiteState, learner: Learner, rotation: Rotation, member: Member, now: float
    ) -> bool:
        if self._network_at(learner, member) <= now:
            return True
        assert member.network is not None, "else it had no time"  # noqa: S101
        limits_at = learner.usage.network_limits.limits_at(member.network, member.proxy.network)
        return limits_at <= now and self._leads(state, rotation, member)

    def _leads(self, state: SiteState, rotation: Rotation, member: Member) -> bool:
        """Whether its network is the one that goes ahead of the others: the one of which most are at work."""
        leading, network = self._leading_network, member.proxy.network
        if leading == network:
            return True
        is_idle = not any(
            one.proxy.network == leading and state.in_flight.get(one.session.name) for one in rotation.all.values()
        )
        if is_idle or rotation.in_network[network] > rotation.in_network[leading]:
            self._leading_network = network
            return True
        return False

    def _soon(self, state: SiteState, learner: Learner, rotation: Rotation) -> float:
        """How many requests those can carry soon that wait only for a canary."""
        usage = learner.usage
        if usage.exit_limits.lag or usage.exit_limits.limits or usage.network_limits.limits or not self._canaries:
            return 0.0
        if state.is_crowded:
            # They cannot, whatever the canary finds out.
            return 0.0
        depth = usage.depth.proven
        full_count = sum(state.in_flight.get(name, 0) >= depth for name in rotation.all)
        carried = len(state.flights) - learner.candidates.try_count
        return max(0.0, float(MAX_IN_FLIGHT * (rotation.held_back_count + full_count) - carried))

    # Those that may work.

    def _open(self, state: SiteState, learner: Learner, tier: Tier, now: float, rng: Random) -> Choice:
        def is_free(proxy: Proxy) -> bool:
            if proxy.key in state.avoided or now < state.cooldown_until(proxy.key) or state.is_full(proxy.key):
                return False
            return proxy.is_gateway or state.session_on(proxy, now) is None

        def may_be_used(proxy: Proxy) -> bool:
            return is_free(proxy) and learner.bears(proxy, now)

        for limit in learner.usage.network_limits.limits:
            if limit.neighbour_count < NEIGHBOUR_COUNT and limit.sure < 1:
                proxy = learner.candidates.neighbour(tier, limit.subject, is_free, rng)
                if proxy is not None:
                    return Open(proxy, "a neighbour of one that was blocked")
        gives_way = state.drought.gives_way(tier.cost, now)
        found = learner.candidates.find(tier, may_be_used, rng, now, gives_way=gives_way)
        again = learner.candidates.find_blocked(tier, may_be_used, now)
        if again and (found is None or again.chance > found.chance) and self._dares(now, again.chance):
            self._small_want.forget()
            found = again
        return Open(found.proxy, f"{found.why}, works with {found.chance:.0%}") if found else None

    def _dares(self, now: float, chance: float) -> bool:
        """Whether want has lasted long enough for something that is unlikely to work."""
        return chance > 0 and self._small_want.seconds(now) * MAX_IN_FLIGHT >= (1 - chance) / chance

    # Past what is believed.

    def _test_limit(
        self, state: SiteState, learner: Learner, rotation: Rotation | None, now: float, certain: float = 0.0
    ) -> Choice:
        """A request past a limit: always with the same session until it fails, and one at a time at first."""
        limit_test, limited = self._limit_test, rotation.limited() if rotation else []
        out_count = state.in_flight.get(limit_test.session, 0)
        if not rotation or not limited or out_count >= (2 if limit_test.count > 1 else 1):
            return None
        for member in self._members(learner, rotation, limited, now):
            chance, gain, span = self._odds(learner, member, now)
            if not state.is_ready(member.session, now) or gain <= LEAST_GAIN:
                continue
            name = member.session.name
            is_again = name == limit_test.session and limit_test.count <= PROOFS and span >= 0.98 * limit_test.span
            if is_again or self._is_worth(chance, gain, len(rotation.all), now, certain):
                limit_test.count = limit_test.count + 1 if is_again else 1
                limit_test.session, limit_test.span = name, limit_test.span if is_again else span
                self._want.forget()
                return Reuse(member.session, "past a limit, to see whether it is one", Reach.PAST_LIMIT)
        return None

    def _is_worth(self, chance: float, gain: float, count: int, now: float, certain: float) -> bool:
        if certain:
            return chance >= certain
        price = max(LEAST_LOSS_SECONDS, LOSS_SECONDS / count)
        return chance > 0 and self._want.seconds(now) * chance * gain >= price * (1 - chance)

    def _members(
        self, learner: Learner, rotation: Rotation, limited: list[tuple[float, Member]], now: float
    ) -> list[Member]:
        """Who might go: the one that went last, the one whose time comes first, the ones that risk just enough."""
        limits, began_at = learner.usage.exit_limits.limits, learner.usage.exit_limits.began_at
        # Who was used before all began anew would prove nothing.
        clear = (member for _, member in limited if all(member.uses.nth_last(limit.n) >= began_at for limit in limits))
        members = [next(clear, limited[0][1])]
        if self._limit_test.session in rotation.all:
            members.insert(0, rotation.all[self._limit_test.session])
        for limit in limits:
            if not limit.is_open:
                least = now + limit.seconds - limit.seconds_for(CERTAIN)
                members += [member for due, member in limited if due <= least][-1:]
        return members

    def _odds(self, learner: Learner, member: Member, now: float) -> tuple[float, float, float]:
        """How likely it is that a use is borne, what part of the window that wins, how long the n uses before took."""
        found = [(limit, member.uses) for limit in learner.usage.exit_limits.limits]
        if member.network is not None and self._network_at(learner, member) > now:
            found += [(limit, member.network) for limit in learner.usage.network_limits.limits]
        spans = [(limit, now - uses.nth_last(limit.n)) for limit, uses in found if uses.count >= limit.n]
        passed = [(limit, span) for limit, span in spans if span < limit.below]
        if not passed:
            return 0.0, 0.0, 0.0
        return (
            min(limit.chance_below(span) for limit, span in passed),
            min(1 - span / limit.below for limit, span in passed),
            min(span for _, span in passed),
        )
