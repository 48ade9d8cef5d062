"""The working sessions in the order of their use: the one unused for longest first; one that may not be used waits.

A turn that waits stands in a heap; it leaves by a new stamp, and what the heap still holds of it counts no more.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from heapq import heappop, heappush
from itertools import count

from proxysieve.core.learning.use_times import Uses
from proxysieve.core.model import Proxy
from proxysieve.core.records import ExitRecord, SessionRecord


class Member:
    """One session that works.

    Attributes:
        uses: When its exit was used.
        network: When its network was; None where that is unknown.
        is_waiting: Whether it may not be used before some moment.
        is_held_back: Whether it waits only for others to go ahead.
    """

    __slots__ = ("exit", "is_held_back", "is_waiting", "network", "proxy", "session", "stamp", "uses")

    def __init__(
        self, session: SessionRecord, proxy: Proxy, exit_: ExitRecord, uses: Uses, network: Uses | None
    ) -> None:
        self.session = session
        self.proxy = proxy
        self.exit = exit_
        self.uses = uses
        self.network = network
        self.stamp = 0
        self.is_waiting = self.is_held_back = False


class Rotation:
    """All that work at one cost.

    Attributes:
        all: By name.
        ready: Those that may be used, as far as is known, by name; the one unused for longest first.
        held_back_count: How many wait only for others to go ahead.
        in_network: How many there are of each network.
    """

    def __init__(self) -> None:
        self.all: dict[str, Member] = {}
        self.ready: OrderedDict[str, Member] = OrderedDict()
        self.held_back_count = 0
        self.in_network: Counter[str] = Counter()
        # Due, a number that breaks ties, the stamp that the turn had, the turn: it counts while the stamp is the same.
        self._waiting: list[tuple[float, int, int, Member]] = []
        self._order = count()

    def add(self, member: Member) -> None:
        """*member* works."""
        self.all[member.session.name] = member
        self.in_network[member.proxy.network] += 1
        self._make_ready(member)

    def discard(self, name: str) -> None:
        """The session called *name* works no more; absent does no harm."""
        member = self.all.pop(name, None)
        if member is not None:
            self._leave_queue(member)
            self.ready.pop(name, None)
            self.in_network[member.proxy.network] -= 1
            if not self.in_network[member.proxy.network]:
                del self.in_network[member.proxy.network]

    def use(self, name: str) -> None:
        """The session called *name* got a request."""
        if name in self.ready:
            self.ready.move_to_end(name)
        elif name in self.all and self.all[name].is_waiting:
            # A probe: its time is another now.
            self._make_ready(self.all[name])

    def set_aside(self, member: Member) -> None:
        """It carries all that it may, until a request of it is over."""
        self.ready.pop(member.session.name, None)

    def land(self, name: str) -> None:
        """A request of the session called *name* is over."""
        member = self.all.get(name)
        if member is not None and name not in self.ready and not member.is_waiting:
            self.ready[name] = member

    def put_off(self, member: Member, until: float, *, is_held_back: bool) -> None:
        """It may not be used before *until*."""
        self.ready.pop(member.session.name, None)
        self._leave_queue(member)
        member.is_waiting, member.is_held_back = True, is_held_back
        self.held_back_count += is_held_back
        heappush(self._waiting, (until, next(self._order), member.stamp, member))

    def wake(self, now: float) -> None:
        """Have those ready whose time has come."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= now:
            _, _, stamp, member = heappop(waiting)
            if stamp == member.stamp:
                self._make_ready(member)

    def wake_all(self) -> None:
        """Have all looked at anew, as more is allowed."""
        waiting, self._waiting = sorted(self._waiting), []
        for _, _, stamp, member in waiting:
            if stamp == member.stamp:
                self._make_ready(member)

    def next_at(self) -> float | None:
        """When the first of those who wait is due."""
        waiting = self._waiting
        while waiting and waiting[0][2] != waiting[0][3].stamp:
            heappop(waiting)
        return waiting[0][0] if waiting else None

    def limited(self) -> list[tuple[float, Member]]:
        """Those that a limit keeps from being used, with their time, in its order."""
        entries = [one for one in self._waiting if one[2] == one[3].stamp and not one[3].is_held_back]
        return [(due, member) for due, _, _, member in sorted(entries)]

    def _make_ready(self, member: Member) -> None:
        self._leave_queue(member)
        self.ready[member.session.name] = member

    def _leave_queue(self, member: Member) -> None:
        member.stamp += 1
        self.held_back_count -= member.is_held_back
        member.is_waiting = member.is_held_back = False
