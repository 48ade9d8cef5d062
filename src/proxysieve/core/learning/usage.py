"""How hard exits are used: who was used when, what that proved, and what blocks were for.

The network is learned beside the exit, not instead: what the exit's own use explains is not asked of its network,
except as a guess that neighbours can clear. Late bans are found and not assumed. Most sites have none, and to wait with
each proof would slow down the start of every crawl. So the delay is 0 until the counts of blocked exits agree at
another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable
from typing import NamedTuple

from proxysieve.core.learning.change_detector import ChangeDetector
from proxysieve.core.learning.usage_limits import SURE_OF_USE, WINDOWS, Frontier, UsageLimits
from proxysieve.core.learning.use_times import Uses

# What is granted to networks is less than what is proven, so that the one that leads does lead.
NETWORK_SHARE = 0.9
# A block that an exit's own use explains is for its network's in one case of ten; else, as likely as not.
SURE_OF_NETWORK, SURE_WITHOUT_EXIT = 0.1, 0.5
# Bans come late, by as long as makes the counts of so many blocked exits agree to this ratio, which did not before.
LATE_EXITS, MOST_LATE_EXITS = 4, 12
AGREEING, DISAGREEING = 1.15, 1.4
FEWEST_SECONDS_LATE, MOST_SECONDS_LATE = 5, 120
# Of fewer uses no ratio tells anything.
FEWEST_USES_LATE = 3
DAY_SECONDS = 86400.0
# What tells two requests apart that go out at once.
TICK_SECONDS = 1e-6
# Of many uses not every one has to prove anything: one more in a hundred tells little.
PROOFS_KEPT, MOST_BETWEEN_PROOFS = 50, 8


class BlockedUse(NamedTuple):
    """An exit was blocked.

    Attributes:
        network: Of its, empty where it is unknown.
        asked_at: When the request went out.
        number: Which of the exit's requests it was.
        is_expected: Whether it was sent to find out how much is borne.
    """

    exit_id: str
    network: str
    asked_at: float
    number: int
    is_expected: bool


class Usage:
    """What is known of uses and what they lead to.

    Attributes:
        exits: The uses of each exit.
        networks: Those of each network.
        exit_limits: How much an exit may be used.
        network_limits: How much a network may be used.
        depth: How many requests of one exit may be in flight.
    """

    def __init__(self) -> None:
        self.exits: dict[str, Uses] = {}
        self.networks: dict[str, Uses] = {}
        self.exit_limits = UsageLimits()
        self.network_limits = UsageLimits(NETWORK_SHARE)
        self.depth = Frontier()
        self._surprise = ChangeDetector()
        self._lately: deque[tuple[Uses, float]] = deque(maxlen=MOST_LATE_EXITS)

    def use(self, exit_id: str, network: str, at: float) -> tuple[int, float]:
        """One more request through the exit; its number, and the moment it is known by: no two have the same."""
        uses = self.exits.get(exit_id)
        if uses is None:
            uses = self.exits[exit_id] = Uses()
        others = self.uses_of_network(network) if network else uses
        at = max(at, uses.last + TICK_SECONDS, others.last + TICK_SECONDS)
        uses.add(at)
        if network:
            others.add(at)
        return uses.count, at

    def uses_of_network(self, network: str) -> Uses:
        """The uses of *network*, none if it is new."""
        uses = self.networks.get(network)
        if uses is None:
            uses = self.networks[network] = Uses()
        return uses

    def used_at(self, exit_id: str) -> list[float] | None:
        """The latest uses of the exit, as far back as windows reach."""
        uses = self.exits.get(exit_id)
        return [round(at, 3) for at in uses.latest(WINDOWS[-1])] if uses else None

    def drop_old(self, until: float, is_there: Callable[[str], bool], networks: Container[str]) -> None:
        """Forget the uses before *until* of exits that are not there, and of networks other than *networks*."""
        self.exits = {one: uses for one, uses in self.exits.items() if uses.last > until or is_there(one)}
        self.networks = {one: uses for one, uses in self.networks.items() if uses.last > until or one in networks}

    def serve(self, exit_id: str, number: int) -> None:
        """The exit's request of that *number* was answered well."""
        uses = self.exits.get(exit_id)
        if uses is not None and number > uses.served:
            uses.served = number

    def answer_well(self, network: str, asked_at: float) -> None:
        """A session that works was answered well."""
        self._surprise.answer_well()
        if network and self.network_limits.limits:
            self.network_limits.acquit(network, asked_at)

    def prove(self, exit_id: str, network: str, number: int, asked_at: float, depth: int, now: float) -> None:
        """A request beyond what was proven was answered well.

        Args:
            exit_id: Of the exit.
            network: Its network, empty where it is unknown.
            number: Which of the exit's requests it was.
            asked_at: When it went out.
            depth: How many of the exit's were in flight with it.
            now: When it was answered.
        """
        self.depth.prove(depth)
        if number % min(1 + number // PROOFS_KEPT, MOST_BETWEEN_PROOFS):
            return
        uses, version = self.exits.get(exit_id), self.exit_limits.version
        if uses is None:
            return
        self.exit_limits.prove(exit_id, uses, asked_at, now)
        if self.exit_limits.version != version:
            self.network_limits.raise_to(self.exit_limits)
        others = self.uses_of_network(network) if network else uses
        if others.count > uses.count:
            self.network_limits.prove(network, others, asked_at, now)

    def bear(self, exit_id: str, asked_at: float, now: float) -> None:
        """The same, of an exit that was asked before it was blocked and is blocked now."""
        uses, pace = self.exits.get(exit_id), self.exit_limits
        if uses is None:
            return
        pace.bear(exit_id, uses, asked_at)
        if not pace.lag:
            pace.prove(exit_id, uses, asked_at, now)

    def explain(self, blocked: BlockedUse, exits: Iterable[Uses], networks: Iterable[Uses], now: float) -> str:
        """Learn why an exit was blocked; in words, empty where it was not for its use, or nobody knows.

        Args:
            blocked: The exit.
            exits: The uses of those that work.
            networks: Those of the networks that work.
            now: When the block came to be believed.
        """
        if blocked.exit_id not in self.exits:
            # It was away for so long that its uses tell nothing any more.
            return ""
        why = self._explain_by_use(blocked, exits, networks, now)
        self._lately.append((self.exits[blocked.exit_id], blocked.asked_at))
        is_news = not blocked.is_expected and blocked.asked_at >= self.exit_limits.began_at
        if not is_news or not self._surprise.block():
            return why
        lag = self._seconds_late()
        if lag:
            self._be_late(lag, now)
            why = f"bans come {lag:.0f} s late"
        else:
            self.exit_limits.begin_anew(now)
            self.network_limits.begin_anew(now)
            why = "too many at once: what was proven holds no more"
        self._lately.clear()
        return why

    def _explain_by_use(self, blocked: BlockedUse, exits: Iterable[Uses], networks: Iterable[Uses], now: float) -> str:
        uses, pace = self.exits[blocked.exit_id], self.exit_limits
        counts = pace.counts(uses, blocked.asked_at - pace.lag)
        out_count = max(0, blocked.number - 1 - uses.served)
        why = pace.explain(blocked.exit_id, counts, uses, exits, now)
        if why:
            return why
        why = pace.assume(blocked.exit_id, counts, uses, now, out_count, SURE_OF_USE)
        if not blocked.network:
            return why
        sure = SURE_OF_NETWORK if why else SURE_WITHOUT_EXIT
        return self._explain_by_network(blocked, networks, now, out_count, sure) or why

    def _explain_by_network(
        self, blocked: BlockedUse, networks: Iterable[Uses], now: float, out_count: int, sure: float
    ) -> str:
        network, pace = blocked.network, self.network_limits
        uses = self.uses_of_network(network)
        counts = pace.counts(uses, blocked.asked_at - pace.lag)
        why = pace.explain(network, counts, uses, networks, now)
        why = why or pace.assume(network, counts, uses, now, out_count, sure)
        return f"{why} of the network" if why else ""

    def _seconds_late(self) -> float:
        """By how long bans come late, as the counts of that time agree and those of the blocks do not; else 0."""
        if len(self._lately) < LATE_EXITS or self.exit_limits.lag:
            return 0.0
        ratios: dict[int, float] = {}
        for lag in range(MOST_SECONDS_LATE):
            counts = [uses.within(DAY_SECONDS, asked_at - lag) for uses, asked_at in self._lately]
            if min(counts) < FEWEST_USES_LATE:
                break
            ratios[lag] = max(counts) / min(counts)
        best = min(ratios, key=ratios.__getitem__, default=0)
        is_late = best >= FEWEST_SECONDS_LATE and ratios[best] < AGREEING and ratios[0] > DISAGREEING
        return float(best) if is_late else 0.0

    def _be_late(self, lag: float, now: float) -> None:
        pace = self.exit_limits
        columns = [pace.counts(uses, asked_at - lag).in_windows for uses, asked_at in self._lately]
        pace.be_late(lag, [max(1, min(column) - 1) for column in zip(*columns, strict=True)], now)
        self.network_limits.lag = lag

    def forget(self, share: float) -> None:
        """Have what is known weigh only *share* of what it did."""
        self.exit_limits.forget(share)
        self.network_limits.forget(share)
