"""All that is learned of one site, for a policy that learns: what may work, how much, and which blocks are real.

A learner costs the moments of use of each exit, up to 1 KB, and some microseconds for each answer. What must outlast
a change of the policy is in the records of exits and sessions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping

import msgspec

from proxysieve.core.evidence import DISPUTABLE, is_weak
from proxysieve.core.learning.candidates import Candidates
from proxysieve.core.learning.control_group import ControlGroup, SignCounts
from proxysieve.core.learning.held_sessions import FAILED_ANSWER, FAILED_SESSION, HeldSessions, Incident
from proxysieve.core.learning.rotation import Member, Rotation
from proxysieve.core.learning.usage import BlockedUse, Usage
from proxysieve.core.learning.usage_limits import FLOOR, WINDOWS, UsageLimitsRecord
from proxysieve.core.learning.use_times import Uses
from proxysieve.core.model import Outcome, Proxy, Scope, Verdict
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.proxies.other_sites import OtherSites
from proxysieve.core.records import ExitRecord, Moment, Positive, SessionRecord, Weight

REFUSALS = frozenset({Outcome.BLOCKED, Outcome.THROTTLED})
# These refuse an exit with all of its neighbours, however little it is used.
NOT_FOR_USE = frozenset({Scope.NETWORK, Scope.COUNTRY})
# Limits, bans and lists of proxies change from day to day, so all that is known loses half its weight in a day.
HALF_LIFE_SECONDS = 86400.0


class LearnerRecord(msgspec.Struct, kw_only=True):
    """What is saved of a learner, beside the sessions and exits.

    Attributes:
        at: When it was saved, in Unix seconds.
        recovered: By history: how many blocked exits had recovered, by the power of two of the seconds.
        still: How many had not.
        depth: How many requests in flight an exit is proven to bear.
        latency: The average seconds of a good answer.
        sign_counts: What each sign meant so far.
    """

    at: Moment = 0.0
    exits: UsageLimitsRecord = msgspec.field(default_factory=UsageLimitsRecord)
    networks: UsageLimitsRecord = msgspec.field(default_factory=UsageLimitsRecord)
    recovered: dict[str, list[Weight]] = {}
    still: dict[str, list[Weight]] = {}
    depth: Positive = FLOOR
    latency: Moment = 0.0
    sign_counts: dict[str, SignCounts] = msgspec.field(default_factory=dict, name="tallies")


class Learner:
    """What is learned of one site.

    Attributes:
        usage: How much its exits may be used.
        candidates: Where the next working session may come from.
        rotation: The working sessions, by their cost.
        held_sessions: The sessions that may be blocked.
        control_group: Who was refused which page.
    """

    def __init__(
        self, catalog: Catalog, exits: Mapping[str, ExitRecord], other_sites: OtherSites, carrying: Container[str] = ()
    ) -> None:
        self._catalog = catalog
        self._other_sites = other_sites
        # Exits whose proxies were not in the list when their records were restored.
        self._absent: set[str] = set()
        self._exits = exits
        self.usage = Usage()
        self.candidates = Candidates(catalog, exits, other_sites, carrying)
        self.held_sessions = HeldSessions()
        self.control_group = ControlGroup()
        self.rotation: dict[float, Rotation] = {}
        self.at = 0.0
        # When any exit was last used, in this run.
        self._used_at = 0.0

    # What happens.

    def use(self, lease: int, session: SessionRecord, proxy: Proxy, at: float) -> tuple[int, float]:
        """A request goes out; its number at its exit, and its moment, which no other request there has."""
        self._age(at)
        number, at = self.usage.use(session.exit_id, proxy.network, at)
        self._used_at = max(self._used_at, at)
        if session.has_worked:
            rotation = self.rotation.get(proxy.cost)
            if rotation is not None:
                rotation.use(session.name)
        else:
            self.candidates.begin(lease, proxy, at)
            self.usage.network_limits.note_neighbour(proxy.network)
        self.held_sessions.use(session.name, lease)
        return number, at

    def part(self, proxies: Mapping[str, Proxy]) -> None:
        """*proxies* have left."""
        for key in proxies.keys() & self._exits.keys():
            self.candidates.part(proxies[key])
        self._other_sites.part(proxies)
        networks = {network for _, network in self._catalog.groups}
        self.usage.drop_old(self._used_at - WINDOWS[-1], self._is_there, networks)

    def welcome(self, proxies: Mapping[str, Proxy]) -> None:
        """*proxies* have come, or come back."""
        self._other_sites.welcome(proxies)
        for exit_id in [one for one in self._absent if one.partition("/")[0] in proxies]:
            self._absent.discard(exit_id)
            self._recall(exit_id, self._exits.get(exit_id))
        for key in proxies.keys() & self._exits.keys():
            self.candidates.welcome(proxies[key], self._exits[key])

    def land(self, session: SessionRecord) -> None:
        """A request of *session* is over."""
        proxy = self._catalog.get(session.proxy_key)
        rotation = self.rotation.get(proxy.cost) if proxy else None
        if rotation is not None:
            rotation.land(session.name)

    def work(self, session: SessionRecord, exit_: ExitRecord) -> None:
        """*session* works, and joins the rotation."""
        proxy = self._catalog.get(session.proxy_key)
        if proxy is None:
            return
        if session.is_named:
            # Other sessions may use its exit as well.
            self.candidates.leave(proxy, exit_, exit_.last_bad_at)
            return
        rotation = self.rotation.get(proxy.cost)
        if rotation is None:
            rotation = self.rotation[proxy.cost] = Rotation()
        uses = self.usage.exits.setdefault(session.exit_id, Uses())
        network = self.usage.uses_of_network(proxy.network) if proxy.network else None
        rotation.add(Member(session, proxy, exit_, uses, network))
        if not session.exit_name:
            self.candidates.carry(proxy)

    def outlast(self, session: SessionRecord, exit_: ExitRecord) -> None:
        """*session*, which had ended meanwhile, was answered well."""
        proxy = self._catalog.get(session.proxy_key)
        if proxy is not None and not session.exit_name:
            self.candidates.free(proxy, exit_)

    def stop(self, session: SessionRecord) -> None:
        """*session* leaves the rotation."""
        for rotation in self.rotation.values():
            rotation.discard(session.name)

    def leave(self, session: SessionRecord, exit_: ExitRecord | None) -> None:
        """*session* has ended."""
        self.held_sessions.forget(session.name)
        self.control_group.forget(session.name)
        proxy = self._catalog.get(session.proxy_key)
        if exit_ is None or not exit_.is_judged:
            # One use tells nothing.
            self.usage.exits.pop(session.exit_id, None)
        elif proxy is not None and not session.exit_name:
            self.candidates.leave(proxy, exit_, exit_.last_bad_at)

    def doubt(
        self, lease: int, session: SessionRecord, verdict: Verdict, page_number: int, asked_at: float, at: float
    ) -> None:
        """A request failed."""
        outcome, sign = verdict.outcome, verdict.sign
        if outcome in DISPUTABLE and self.control_group.refused_at(page_number) < self.held_sessions.ok_asked_at:
            # This refusal came before others were answered well. At the end of a crawl no other page may be left.
            return
        if is_weak(verdict) and session.has_worked:
            self.held_sessions.fail(lease, asked_at, FAILED_ANSWER, at, sign, page_number)
        elif outcome is Outcome.SITE_ERROR or (outcome is Outcome.UNCLEAR and session.has_worked):
            self.held_sessions.fail(lease, asked_at, FAILED_ANSWER, at, sign)
        elif session.has_worked:
            self.held_sessions.fail(session.name, asked_at, FAILED_SESSION, at, sign, page_number)

    def confirm(self, incident: Incident, at: float) -> str:
        """A held session is to blame; why it was blocked, in words."""
        proxy = self._catalog.get(incident.session.proxy_key)
        if proxy is None:
            return ""
        if not incident.session.exit_name and incident.outcome is not Outcome.THROTTLED:
            self.candidates.block(proxy, incident.exit, incident.outcome, incident.at)
        if incident.outcome not in REFUSALS or incident.exit.scope in NOT_FOR_USE:
            return ""
        exits = [member.uses for member in self.working()]
        networks = [member.network for member in self.working() if member.network is not None]
        return self.usage.explain(incident.blocked, exits, networks, at)

    def blocked(self, session: SessionRecord, asked_at: float, number: int, *, is_expected: bool) -> BlockedUse:
        """What the limits learn from a session that was refused."""
        proxy = self._catalog.get(session.proxy_key)
        return BlockedUse(session.exit_id, proxy.network if proxy else "", asked_at, number, is_expected)

    def retire(self, member: Member) -> None:
        """The session of *member* may not be used any more: it is too old, or its proxy has left."""
        self.stop(member.session)
        if not member.session.exit_name:
            self.candidates.leave(member.proxy, member.exit, member.exit.last_bad_at)

    def forget_exit(self, exit_id: str) -> None:
        """Forget when the exit was used."""
        self.usage.exits.pop(exit_id, None)

    def _is_there(self, exit_id: str) -> bool:
        return exit_id.partition("/")[0] in self._catalog

    # What is known.

    def working(self) -> Iterator[Member]:
        """The working sessions, at any cost."""
        for rotation in self.rotation.values():
            yield from rotation.all.values()

    def bears(self, proxy: Proxy, now: float) -> bool:
        """Whether all limits allow one more request through the exit of *proxy* and its network."""
        usage = self.usage
        uses = usage.exits.get(proxy.key)
        if uses is not None and usage.exit_limits.limits_at(uses) > now:
            return False
        uses = usage.networks.get(proxy.network) if proxy.network else None
        return uses is None or usage.network_limits.limits_at(uses, proxy.network) <= now

    def bears_again(self, session: SessionRecord, now: float, in_flight: int) -> bool:
        """Whether one more request, beside *in_flight* ones, keeps *session* within all that is proven."""
        member = next(
            (rotation.all[session.name] for rotation in self.rotation.values() if session.name in rotation.all), None
        )
        if member is None or in_flight >= self.usage.depth.proven:
            return False
        known = [(self.usage.exit_limits, member.uses, "")]
        if member.network is not None and member.network.count > member.uses.count:
            known.append((self.usage.network_limits, member.network, member.proxy.network))
        return all(
            max(pace.limits_at(uses, subject), pace.frontier_at(uses)) <= now and not pace.is_unproven(uses, now)
            for pace, uses, subject in known
        )

    # What is kept.

    def record(self) -> LearnerRecord:
        """What is to be saved."""
        recoveries = self.candidates.recoveries
        return LearnerRecord(
            at=self.at,
            exits=self.usage.exit_limits.record(),
            networks=self.usage.network_limits.record(),
            recovered={history: recovery.recovered for history, recovery in recoveries.items()},
            still={history: recovery.still for history, recovery in recoveries.items()},
            depth=self.usage.depth.proven,
            latency=self.candidates.latency,
            sign_counts=self.control_group.sign_counts,
        )

    def restore(self, record: LearnerRecord | None, exits: Iterable[tuple[str, ExitRecord]]) -> None:
        """Restore what was saved."""
        used_at: defaultdict[str, list[float]] = defaultdict(list)
        # Those that failed longest ago come first.
        for exit_id, kept in sorted(exits, key=lambda one: one[1].failed_at):
            times = kept.used_at
            proxy = self._recall(exit_id, kept)
            if proxy and times:
                used_at[proxy.network] += times
        self.usage.networks = {network: Uses(sorted(times)) for network, times in used_at.items() if network}
        if record is None:
            return
        self.at = record.at
        self.usage.exit_limits.restore(record.exits)
        self.usage.network_limits.restore(record.networks)
        self.usage.depth.reset(record.depth)
        self.candidates.latency = record.latency
        self.control_group.sign_counts = dict(record.sign_counts)
        for history, recovery in self.candidates.recoveries.items():
            recovery.restore(record.recovered.get(history, []), record.still.get(history, []))

    def _recall(self, exit_id: str, kept: ExitRecord | None) -> Proxy | None:
        """Restore what was *kept* of an exit; its proxy, None if it is not in the list."""
        proxy = self._catalog.get(exit_id.partition("/")[0])
        if proxy is None:
            self._absent.add(exit_id)
        if proxy is None or kept is None:
            return None
        if kept.used_at:
            # Held in this form they take a quarter of the memory.
            self.usage.exits[exit_id], kept.used_at = Uses(kept.used_at), None
        if not proxy.is_gateway and kept.is_tried:
            self.candidates.know(proxy, kept)
        return proxy

    def _age(self, now: float) -> None:
        days = (now - self.at) // HALF_LIFE_SECONDS if self.at else 0.0
        if days >= 1:
            share = 0.5**days
            self.candidates.forget(share)
            self.usage.forget(share)
            self.control_group.fade(share)
        if days or not self.at:
            self.at = now
