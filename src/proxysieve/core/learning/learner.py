"""All that is learned of one site, for a policy that learns: who may work, how hard, and whom to believe."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping

import msgspec

from proxysieve.core.evidence import DISPUTABLE, is_weak
from proxysieve.core.learning.candidates import Supply
from proxysieve.core.learning.control_group import Contrast, Tally
from proxysieve.core.learning.held import FAILED_ANSWER, FAILED_SESSION, Doubts, Incident
from proxysieve.core.learning.limits import FLOOR, WINDOWS, PaceRecord
from proxysieve.core.learning.overuse import Blocked, Wear
from proxysieve.core.learning.rotation import Turn, Turns
from proxysieve.core.learning.uses import Uses
from proxysieve.core.model import Outcome, Proxy, Scope, Verdict
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.proxies.elsewhere import Hearsay
from proxysieve.core.records import ExitRecord, Moment, Positive, SessionRecord, Weight

REFUSALS = frozenset({Outcome.BLOCKED, Outcome.THROTTLED})
# However little an exit is used, it is refused with all of its neighbours.
NOT_FOR_USE = frozenset({Scope.NETWORK, Scope.COUNTRY})
# Limits, bans and lists of proxies change by the day: what was learned weighs half a day later, all of it alike.
HALF_LIFE_SECONDS = 86400.0


class LoreRecord(msgspec.Struct, kw_only=True):
    """What is kept of it, beside the sessions and exits.

    Attributes:
        at: As of when, in Unix seconds.
        recovered: Of each standing, how many blocked exits had recovered, by the power of two of the seconds.
        still: How many had not.
        depth: How many requests in flight are proven to be borne.
        latency: How long a good answer takes, in seconds.
        tallies: What each sign meant so far, by contrast.
    """

    at: Moment = 0.0
    exits: PaceRecord = msgspec.field(default_factory=PaceRecord)
    networks: PaceRecord = msgspec.field(default_factory=PaceRecord)
    recovered: dict[str, list[Weight]] = {}
    still: dict[str, list[Weight]] = {}
    depth: Positive = FLOOR
    latency: Moment = 0.0
    tallies: dict[str, Tally] = {}


class Lore:
    """What is learned of one site.

    Attributes:
        wear: How hard its exits may be used.
        supply: Where the next working one may come from.
        turns: Those that work, by their cost.
        doubts: Whose blocks are not believed yet.
        contrast: Which pages were refused to whom.
    """

    def __init__(
        self, catalog: Catalog, exits: Mapping[str, ExitRecord], hearsay: Hearsay, carrying: Container[str] = ()
    ) -> None:
        self._catalog = catalog
        self._hearsay = hearsay
        # Exits of proxies that were not in the list when what is known of them was to be taken back.
        self._absent: set[str] = set()
        self._exits = exits
        self.wear = Wear()
        self.supply = Supply(catalog, exits, hearsay, carrying)
        self.doubts = Doubts()
        self.contrast = Contrast()
        self.turns: dict[float, Turns] = {}
        self.at = 0.0
        # When any exit was used last, in this run.
        self._used_at = 0.0

    # What happens.

    def use(self, lease: int, session: SessionRecord, proxy: Proxy, at: float) -> tuple[int, float]:
        """A request goes out; which one of its exit it is, and the moment it is known by."""
        self._age(at)
        number, at = self.wear.use(session.exit_id, proxy.network, at)
        self._used_at = max(self._used_at, at)
        if session.has_worked:
            turns = self.turns.get(proxy.cost)
            if turns is not None:
                turns.use(session.name)
        else:
            self.supply.begin(lease, proxy, at)
            self.wear.network_pace.note_trial(proxy.network)
        self.doubts.use(session.name, lease)
        return number, at

    def part(self, proxies: Mapping[str, Proxy]) -> None:
        """*proxies* have left."""
        for key in proxies.keys() & self._exits.keys():
            self.supply.part(proxies[key])
        self._hearsay.part(proxies)
        networks = {network for _, network in self._catalog.groups}
        self.wear.drop_old(self._used_at - WINDOWS[-1], self._is_there, networks)

    def welcome(self, proxies: Mapping[str, Proxy]) -> None:
        """*proxies* have come, or come back."""
        self._hearsay.welcome(proxies)
        for exit_id in [one for one in self._absent if one.partition("/")[0] in proxies]:
            self._absent.discard(exit_id)
            self._recall(exit_id, self._exits.get(exit_id))
        for key in proxies.keys() & self._exits.keys():
            self.supply.welcome(proxies[key], self._exits[key])

    def land(self, session: SessionRecord) -> None:
        """A request of *session* is over."""
        proxy = self._catalog.get(session.proxy)
        turns = self.turns.get(proxy.cost) if proxy else None
        if turns is not None:
            turns.land(session.name)

    def work(self, session: SessionRecord, exit_: ExitRecord) -> None:
        """*session* works, and may have its turns."""
        proxy = self._catalog.get(session.proxy)
        if proxy is None:
            return
        if session.pinned:
            # Its exit is as good for others.
            self.supply.leave(proxy, exit_, exit_.last_bad_at)
            return
        turns = self.turns.get(proxy.cost)
        if turns is None:
            turns = self.turns[proxy.cost] = Turns()
        uses = self.wear.exits.setdefault(session.exit_id, Uses())
        network = self.wear.uses_of_network(proxy.network) if proxy.network else None
        turns.add(Turn(session, proxy, exit_, uses, network))
        if not session.exit:
            self.supply.carry(proxy)

    def outlast(self, session: SessionRecord, exit_: ExitRecord) -> None:
        """*session*, which had ended meanwhile, was answered well."""
        proxy = self._catalog.get(session.proxy)
        if proxy is not None and not session.exit:
            self.supply.free(proxy, exit_)

    def stop(self, session: SessionRecord) -> None:
        """*session* has no turns any more."""
        for turns in self.turns.values():
            turns.discard(session.name)

    def leave(self, session: SessionRecord, exit_: ExitRecord | None) -> None:
        """*session* has ended."""
        self.doubts.forget(session.name)
        self.contrast.forget(session.name)
        proxy = self._catalog.get(session.proxy)
        if exit_ is None or not exit_.is_judged:
            # That it was used once is of no interest.
            self.wear.exits.pop(session.exit_id, None)
        elif proxy is not None and not session.exit:
            self.supply.leave(proxy, exit_, exit_.last_bad_at)

    def doubt(
        self, lease: int, session: SessionRecord, verdict: Verdict, page: int, asked_at: float, at: float
    ) -> None:
        """A request failed."""
        outcome, sign = verdict.outcome, verdict.sign
        if outcome in DISPUTABLE and self.contrast.refused_at(page) < self.doubts.ok_asked_at:
            # That page was refused before others were answered well: at the end of a crawl nothing else may be left.
            return
        if is_weak(verdict) and session.has_worked:
            self.doubts.fail(lease, asked_at, FAILED_ANSWER, at, sign, page)
        elif outcome is Outcome.SITE_ERROR or (outcome is Outcome.UNCLEAR and session.has_worked):
            self.doubts.fail(lease, asked_at, FAILED_ANSWER, at, sign)
        elif session.has_worked:
            self.doubts.fail(session.name, asked_at, FAILED_SESSION, at, sign, page)

    def believe(self, incident: Incident, at: float) -> str:
        """A session was refused, and that is so; why, in words."""
        proxy = self._catalog.get(incident.session.proxy)
        if proxy is None:
            return ""
        if not incident.session.exit and incident.outcome is not Outcome.THROTTLED:
            self.supply.block(proxy, incident.exit, incident.outcome, incident.at)
        if incident.outcome not in REFUSALS or incident.exit.scope in NOT_FOR_USE:
            return ""
        exits = [turn.uses for turn in self.working()]
        networks = [turn.network for turn in self.working() if turn.network is not None]
        return self.wear.explain(incident.blocked, exits, networks, at)

    def blocked(self, session: SessionRecord, asked_at: float, number: int, *, is_expected: bool) -> Blocked:
        """What is to be told of a session that was refused."""
        proxy = self._catalog.get(session.proxy)
        return Blocked(session.exit_id, proxy.network if proxy else "", asked_at, number, is_expected)

    def retire(self, turn: Turn) -> None:
        """The session of *turn* is not to be used any more, for its age or because its proxy has left."""
        self.stop(turn.session)
        if not turn.session.exit:
            self.supply.leave(turn.proxy, turn.exit, turn.exit.last_bad_at)

    def forget_exit(self, exit_id: str) -> None:
        """When the exit was used does not matter any more."""
        self.wear.exits.pop(exit_id, None)

    def _is_there(self, exit_id: str) -> bool:
        return exit_id.partition("/")[0] in self._catalog

    # What is known.

    def working(self) -> Iterator[Turn]:
        """Those that work, at whatever cost."""
        for turns in self.turns.values():
            yield from turns.all.values()

    def bears(self, proxy: Proxy, now: float) -> bool:
        """Whether the exit of *proxy* and its network bear a request more, by all limits."""
        wear = self.wear
        uses = wear.exits.get(proxy.key)
        if uses is not None and wear.exit_pace.limits_at(uses) > now:
            return False
        uses = wear.networks.get(proxy.network) if proxy.network else None
        return uses is None or wear.network_pace.limits_at(uses, proxy.network) <= now

    def bears_again(self, session: SessionRecord, now: float, in_flight: int) -> bool:
        """Whether *session*, with *in_flight* requests out, stays within all that is proven with one more."""
        turn = next((turns.all[session.name] for turns in self.turns.values() if session.name in turns.all), None)
        if turn is None or in_flight >= self.wear.depth.proven:
            return False
        known = [(self.wear.exit_pace, turn.uses, "")]
        if turn.network is not None and turn.network.count > turn.uses.count:
            known.append((self.wear.network_pace, turn.network, turn.proxy.network))
        return all(
            max(pace.limits_at(uses, subject), pace.frontier_at(uses)) <= now and not pace.is_unproven(uses, now)
            for pace, uses, subject in known
        )

    # What is kept.

    def record(self) -> LoreRecord:
        """What is to be kept."""
        recoveries = self.supply.recoveries
        return LoreRecord(
            at=self.at,
            exits=self.wear.exit_pace.record(),
            networks=self.wear.network_pace.record(),
            recovered={standing: recovery.recovered for standing, recovery in recoveries.items()},
            still={standing: recovery.still for standing, recovery in recoveries.items()},
            depth=self.wear.depth.proven,
            latency=self.supply.latency,
            tallies=self.contrast.tallies,
        )

    def restore(self, record: LoreRecord | None, exits: Iterable[tuple[str, ExitRecord]]) -> None:
        """Take back what was kept."""
        used_at: defaultdict[str, list[float]] = defaultdict(list)
        # Those that failed longest ago are looked at first.
        for exit_id, kept in sorted(exits, key=lambda one: one[1].failed_at):
            times = kept.used_at
            proxy = self._recall(exit_id, kept)
            if proxy and times:
                used_at[proxy.network] += times
        self.wear.networks = {network: Uses(sorted(times)) for network, times in used_at.items() if network}
        if record is None:
            return
        self.at = record.at
        self.wear.exit_pace.restore(record.exits)
        self.wear.network_pace.restore(record.networks)
        self.wear.depth.reset(record.depth)
        self.supply.latency = record.latency
        self.contrast.tallies = dict(record.tallies)
        for standing, recovery in self.supply.recoveries.items():
            recovery.restore(record.recovered.get(standing, []), record.still.get(standing, []))

    def _recall(self, exit_id: str, kept: ExitRecord | None) -> Proxy | None:
        """Take back what was *kept* of an exit; its proxy, None if that is not in the list."""
        proxy = self._catalog.get(exit_id.partition("/")[0])
        if proxy is None:
            self._absent.add(exit_id)
        if proxy is None or kept is None:
            return None
        if kept.used_at:
            # From here on they stand there, and take a quarter of the room.
            self.wear.exits[exit_id], kept.used_at = Uses(kept.used_at), None
        if not proxy.is_gateway and kept.is_tried:
            self.supply.know(proxy, kept)
        return proxy

    def _age(self, now: float) -> None:
        days = (now - self.at) // HALF_LIFE_SECONDS if self.at else 0.0
        if days >= 1:
            share = 0.5**days
            self.supply.forget(share)
            self.wear.forget(share)
            self.contrast.fade(share)
        if days or not self.at:
            self.at = now
