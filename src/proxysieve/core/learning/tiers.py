"""Exits by what they have in common: their cost, their network, and how they stood before they were blocked.

Exits are taken together by *group*: those of one network at one cost, or one gateway provider. How likely a fresh one
is to work is a Beta count of its group, shrunk towards what is known of all exits at that cost.

A challenge spares the exit by a curve and not by a rule: many sites challenge addresses, whoever comes. So another
session may try from there at once, with a chance of a half at first, which follows what becomes of those tries.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from proxysieve.core.model import Proxy
from proxysieve.core.proxies.catalog import GroupKey
from proxysieve.core.proxies.random_set import RandomSet

# How many exits elsewhere weigh as much as one of the group itself.
SHRINKAGE = 1.5
# How exits stood before they were blocked, and what share of such blocks never ends, before anything is known. If the
# session was refused and not the exit, another session may pass at once. If all of a network or country is, the exit
# hardly ever recovers. An unclear exit is not blocked as far as is known.
CHALLENGED, BARRED, UNCLEAR = "challenged", "barred", "unclear"
HISTORIES = {"worked": 0.2, "never worked": 0.8, "dead": 0.9, CHALLENGED: 0.5, BARRED: 0.97, UNCLEAR: 0.5}
# Those that may be well at once: what was refused, or failed, was not the exit.
AT_ONCE = frozenset({CHALLENGED, UNCLEAR})
# When one whose try told nothing is as good as one that was never tried; twice as long each time that it was not.
FIRST_DUE_SECONDS, LAST_DUE_SECONDS = 60.0, 86400.0


class ExitGroup:
    """The exits of one network at one cost, or of one gateway provider.

    Attributes:
        ok: How many worked at their first use.
        bad: How many did not.
        out: How many are being tried.
        fresh: Those never used here, and some that were; None until it is asked for.
        missed: How many tries in a row were no good, by whatever fault.
    """

    __slots__ = ("bad", "fresh", "key", "missed", "ok", "out")

    def __init__(self, key: GroupKey) -> None:
        self.key = key
        self.fresh: list[Proxy] | None = None
        self.ok = self.bad = self.out = self.missed = 0

    @property
    def place(self) -> tuple[int, int]:
        """What it has in common with others that are as likely; those being tried count as failed until they answer."""
        return self.ok, self.bad + self.out


class Tier:
    """The groups of one cost.

    Attributes:
        ok: How many exits worked at their first use.
        bad: How many did not.
        blocked: Exits that are, by how they stood before; those blocked longest ago first, with the moment. Those whose
            last try told nothing stand among them.
        idle: Exits that worked, and whose session ended by nobody's fault.
        due_seconds: After which time those whose last try told nothing are as good as fresh ones.
    """

    def __init__(self, cost: float) -> None:
        self.cost = cost
        self.ok = self.bad = 0
        self.blocked: dict[str, OrderedDict[str, float]] = {name: OrderedDict() for name in HISTORIES}
        self.idle: OrderedDict[str, None] = OrderedDict()
        self.due_seconds = FIRST_DUE_SECONDS
        self._by_place: dict[tuple[int, int], RandomSet[ExitGroup]] = {}

    @property
    def chance(self) -> float:
        """How likely any fresh exit is to work."""
        return (self.ok + 1) / (self.ok + self.bad + 2)

    def chance_of(self, place: tuple[int, int]) -> float:
        """The same for one of a group in *place*."""
        ok, bad = place
        return (ok + SHRINKAGE * self.chance) / (ok + bad + SHRINKAGE)

    def put_off_due(self, rested: float, *, is_unclear: bool) -> None:
        """One whose last try told nothing was tried again after *rested* seconds; whether it told nothing again."""
        if not is_unclear:
            self.due_seconds = FIRST_DUE_SECONDS
        elif rested >= self.due_seconds:
            self.due_seconds = min(2 * self.due_seconds, LAST_DUE_SECONDS)

    def put(self, group: ExitGroup) -> None:
        """Have *group* where it belongs, to be drawn from."""
        self._by_place.setdefault(group.place, RandomSet()).add(group)

    def take_out(self, group: ExitGroup) -> None:
        """Do not draw from *group* any more."""
        there = self._by_place.get(group.place)
        if there is not None:
            there.discard(group)
            if not there:
                del self._by_place[group.place]

    def best_first(self) -> Iterator[RandomSet[ExitGroup]]:
        """The groups, those whose exits are likeliest to work first, equals together."""
        if len(self._by_place) == 1:
            yield from self._by_place.values()
        else:
            for place in sorted(self._by_place, key=self.chance_of, reverse=True):
                yield self._by_place[place]
