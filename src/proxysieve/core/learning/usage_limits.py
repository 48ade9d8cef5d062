"""How hard exits, or networks, may be used: a frontier that only canaries cross, and limits that blocks tell of.

* The *frontier*: for windows from a second to hours, the highest count of uses that is proven, by three successes at or
  above it. Only canaries go beyond, so a limit that nobody knows yet costs one session and not all. Windows in powers
  of two are enough: the counts of the next longer one hold too, and where a limit hides, a block makes it exact.
* The *limits*: not more than *n* uses within a window that is longer than *above* and at most *below* seconds. A block
  beyond the frontier tells n, and that its n + 1 uses came too fast. Who has room under *below* is within the limit; a
  probe that goes past it narrows what is unknown of the window. Somebody else may have caused the block. The limit
  holds for all until a probe, all the same: to wait costs time only, and to go on costs an exit for each block.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from proxysieve.core.learning.learned_limit import Limit
from proxysieve.core.learning.use_times import Uses
from proxysieve.core.records import Moment, Positive, Weight

WINDOWS = tuple(float(2**power) for power in range(14))
# As often a count must have gone well; a single success may be the last before the ban.
PROOFS = 3
# So many uses are granted without proof: an exit that does not bear them is hardly worth having.
FLOOR = 3
# To lose a working exit weighs as much as so many requests that it might have carried.
LOSS = 30
# So sure is it that a block beyond the frontier was for the use, and not somebody else's doing.
SURE_OF_USE = 0.9
# Of several requests that are out, the first refusal that comes in need not be that of the first one too many.
MARGIN = 3
# Within a known window, as much is granted for longer windows as fits into them, from twice its length on.
GRANTED_FROM = 1.9


class Counts(NamedTuple):
    """How often an exit, or a network, had been used when a question was asked, that one included.

    Attributes:
        at: When.
        in_windows: Within each of :data:`WINDOWS`.
    """

    at: float
    in_windows: tuple[int, ...]


class Frontier:
    """What is proven for one window, or for the requests in flight.

    Attributes:
        proven: The count that three successes reached.
    """

    __slots__ = ("_best", "proven")

    def __init__(self, proven: int = FLOOR) -> None:
        self.reset(proven)

    def reset(self, proven: int = FLOOR) -> None:
        """Forget all but *proven*."""
        self._best = [proven] * PROOFS
        self.proven = proven

    def prove(self, count: int) -> bool:
        """A success at *count*; whether the frontier moved."""
        if count <= self.proven:
            return False
        self._best[0] = count
        self._best.sort()
        has_moved, self.proven = self._best[0] != self.proven, self._best[0]
        return has_moved


class Proof(NamedTuple):
    """A success that may still turn out to be the cause of a ban, until it is ripe."""

    ripe_at: float
    subject: str
    uses: Uses
    asked_at: float


class UsageLimitsRecord(msgspec.Struct, kw_only=True):
    """What is kept of a pace."""

    limits: list[Limit] = []
    proven: list[Positive] = []
    lag: Weight = 0.0
    began_at: Moment = 0.0


class UsageLimits:
    """What is known of how hard exits, or networks, may be used at the site.

    Args:
        share: What part of the proven counts is granted to those that do not lead.

    Attributes:
        limits: What blocks told.
        grants_more: Whether more is granted than is proven.
        granted: What those that do not lead may do, for each window.
        lag: How long after its cause a ban may come, in seconds.
        began_at: When all that was proven before turned out to hold no more; 0 if that never happened.
        version: Grows when more is granted than before.
    """

    def __init__(self, share: float = 1.0) -> None:
        self._share = share
        self.frontiers = [Frontier() for _ in WINDOWS]
        self.limits: list[Limit] = []
        self.granted = [FLOOR] * len(WINDOWS)
        self.lag = 0.0
        self.began_at = 0.0
        self.version = 0
        self._proofs: deque[Proof] = deque()
        self._granted_rules = self._proven_rules = _rules(self.granted)
        self.grants_more = False

    # When one more use is due.

    def frontier_at(self, uses: Uses) -> float:
        """When one more use stays within what is granted."""
        return uses.due_at(self._granted_rules)

    def limits_at(self, uses: Uses, subject: str = "") -> float:
        """When one more use of *subject* stays within all limits; one that it told of itself does not count."""
        at, count = -math.inf, uses.count
        for limit in self.limits:
            if limit.n <= count and (limit.subject != subject or not subject):
                due = uses.nth_last(limit.n) + limit.seconds
                if due > at:
                    at = due
        return at

    def is_unproven(self, uses: Uses, now: float) -> bool:
        """Whether one more use at *now* goes beyond what is proven."""
        return uses.due_at(self._proven_rules) > now

    def counts(self, uses: Uses, at: float) -> Counts:
        """The counts as of *at*, of uses since all began anew."""
        return Counts(at, tuple(uses.within(min(window, at - self.began_at), at) for window in WINDOWS))

    # What went well.

    def prove(self, subject: str, uses: Uses, asked_at: float, now: float) -> None:
        """What *subject* was asked at *asked_at* was answered well."""
        self._proofs.append(Proof(now + self.lag, subject, uses, asked_at))
        while self._proofs and self._proofs[0].ripe_at <= now:
            proof = self._proofs.popleft()
            later = proof.uses.after(proof.asked_at)
            if self.limits:
                self._narrow(proof.uses, proof.asked_at, later)
            self._move_frontiers(proof.uses, proof.asked_at, later)

    def _move_frontiers(self, uses: Uses, asked_at: float, later: int) -> None:
        has_moved = False
        for window, frontier in zip(WINDOWS, self.frontiers, strict=True):
            since = max(asked_at - window, self.began_at)
            # Looking at single uses is cheaper than counting, and most of the time it is enough.
            if uses.nth_last(frontier.proven + 1 + later) > since:
                has_moved |= frontier.prove(uses.after(since) - later)
        if has_moved:
            self._grant()

    def raise_to(self, other: UsageLimits) -> None:
        """What *other* has proven holds here as well: an exit's uses are uses of its network."""
        for mine, theirs in zip(self.frontiers, other.frontiers, strict=True):
            if theirs.proven > mine.proven:
                mine.reset(theirs.proven)
        self._grant()

    def bear(self, subject: str, uses: Uses, asked_at: float) -> None:
        """*subject* had been asked before it was blocked, and that was answered well."""
        for limit in self.limits:
            # Counted back from the refused one, which was one more than the most.
            count = limit.most + 1 - uses.within(limit.asked_at - asked_at, limit.asked_at)
            if limit.subject == subject and asked_at <= limit.asked_at and limit.n < count <= limit.most:
                limit.n = count
                self._grant()

    def acquit(self, subject: str, asked_at: float) -> None:
        """*subject* was answered well at *asked_at*, so it is not banned, whatever its block seemed to tell."""
        if any(limit.subject == subject and limit.since < asked_at for limit in self.limits):
            self.limits = [one for one in self.limits if one.subject != subject or one.since >= asked_at]
            self._grant()

    def note_neighbour(self, network: str) -> None:
        """A fresh exit of *network* is tried."""
        for limit in self.limits:
            limit.neighbour_count += limit.subject == network

    def _narrow(self, uses: Uses, asked_at: float, later: int) -> None:
        """Learn from a success past a limit that its window is not as long as it might be."""
        for limit in [one for one in self.limits if asked_at > one.since]:
            # One use more than n may only mean that n was counted wrong.
            span = asked_at - uses.nth_last(limit.n + PROOFS + later)
            if span > asked_at - self.began_at or span >= limit.below:
                continue
            if span <= limit.above:
                self.limits.remove(limit)
            else:
                limit.narrow(below=span)
            self._grant()

    def _grant(self) -> None:
        self.version += 1
        self._proven_rules = _rules(frontier.proven for frontier in self.frontiers)
        self.granted = [max(FLOOR, int(self._share * frontier.proven)) for frontier in self.frontiers]
        closed = [limit for limit in self.limits if not limit.is_open]
        longest = max((limit.below for limit in closed), default=math.inf)
        for place, window in enumerate(WINDOWS):
            if window >= GRANTED_FROM * longest:
                borne = min(int(limit.n * window / limit.seconds) for limit in closed)
                self.granted[place] = max(self.granted[place], borne)
        self._granted_rules = _rules(self.granted)
        pairs = zip(self.granted, self.frontiers, strict=True)
        self.grants_more = any(granted > frontier.proven for granted, frontier in pairs)

    # What did not.

    def explain(self, subject: str, counts: Counts, uses: Uses, others: Iterable[Uses], now: float) -> str:
        """Why *subject* was blocked, by the limits that are known, in words; empty if they do not tell.

        Args:
            subject: The exit or network.
            counts: How it had been used when the question was asked.
            uses: Its uses.
            others: Those of the ones that work.
            now: When the block came to be believed.
        """
        self._proofs = deque(proof for proof in self._proofs if proof.subject != subject)
        if counts.at < self.began_at:
            return "before all began anew"
        return self._past_limit(counts, uses) or self._within_limit(counts, uses, others, now)

    def assume(self, subject: str, counts: Counts, uses: Uses, now: float, out_count: int, sure: float) -> str:
        """Believe in a new limit, if *subject* was used like nobody before it when it was blocked.

        Args:
            subject: The exit or network.
            counts: How it had been used when the question was asked.
            uses: Its uses.
            now: When the block came to be believed.
            out_count: How many questions that it was asked before are still out.
            sure: How likely the limit is to be one.
        """
        place = self._window(counts)
        if place is None or counts.at < self.began_at:
            return ""
        count = counts.in_windows[place]
        n = max(FLOOR, count - 1 - out_count)
        span = counts.at - uses.nth_last(count + uses.after(counts.at))
        limit = Limit(
            n, max(0.0, span), most=count - 1, subject=subject, since=now, asked_at=counts.at + self.lag, sure=sure
        )
        # A stricter one for windows as long makes others needless.
        self.limits = [one for one in self.limits if one.n < n or one.below < limit.below]
        self.limits.append(limit)
        self._grant()
        return f"a limit of {n}"

    def _past_limit(self, counts: Counts, uses: Uses) -> str:
        later = uses.after(counts.at)
        for limit in self.limits:
            span = counts.at - uses.nth_last(limit.n + 1 + later)
            if span < limit.below:
                limit.sure = 1 - (1 - limit.sure) / 2
                limit.narrow(above=min(span, limit.below / 1.001))
                return f"more than {limit.n} in {span:.0f} s"
        return ""

    def _within_limit(self, counts: Counts, uses: Uses, others: Iterable[Uses], now: float) -> str:
        for limit in self.limits:
            count = uses.within(limit.below, counts.at)
            if count * 2 <= limit.n:
                continue
            limit.inside_count += 1
            passed = sum(one.within(limit.below, counts.at) >= count for one in others)
            if count >= limit.n - MARGIN or limit.inside_count * LOSS > passed * (limit.n - count + 1):
                limit.n, limit.inside_count, limit.since = max(FLOOR, count - 1), 0, now
                self._grant()
                return f"not more than {limit.n}"
            if limit.is_open:
                return f"within {limit.n}"
        return ""

    def _window(self, counts: Counts) -> int | None:
        """The window that explains a block: never before were there so many uses in it, and that was just reached."""
        pairs = list(zip(counts.in_windows, self.frontiers, strict=True))
        valid = [place for place, (count, frontier) in enumerate(pairs) if count > frontier.proven]
        if not valid:
            return None
        most = counts.in_windows[valid[-1]]
        return next(place for place in valid if counts.in_windows[place] * 4 >= most * 3)

    def begin_anew(self, now: float) -> None:
        """What was proven holds no more, nor what was believed."""
        self.began_at = now
        self.limits = []
        self._proofs.clear()
        for frontier in self.frontiers:
            frontier.reset()
        self._grant()

    def be_late(self, lag: float, borne: Sequence[int], now: float) -> None:
        """Bans come *lag* seconds late; *borne* is what exits bore within each window until then."""
        self.begin_anew(now)
        self.lag = lag
        self.limits = [Limit(max(FLOOR, borne[-1]), 0.0, since=now)]
        for count, frontier in zip(borne, self.frontiers, strict=True):
            frontier.reset(max(FLOOR, count))
        self._grant()

    # What is kept.

    def record(self) -> UsageLimitsRecord:
        """What is to be kept."""
        proven = [frontier.proven for frontier in self.frontiers]
        return UsageLimitsRecord(limits=self.limits, proven=proven, lag=self.lag, began_at=self.began_at)

    def restore(self, record: UsageLimitsRecord) -> None:
        """Take back what was kept."""
        self.limits, self.lag, self.began_at = record.limits, record.lag, record.began_at
        if len(record.proven) == len(WINDOWS):
            for proven, frontier in zip(record.proven, self.frontiers, strict=True):
                frontier.reset(proven)
        self._grant()

    def forget(self, share: float) -> None:
        """Have what is known weigh only *share* of what it did."""
        for limit in self.limits:
            limit.sure *= share
        for frontier in self.frontiers:
            frontier.reset(max(FLOOR, int(frontier.proven * share)))
        self._grant()


def _rules(counts: Iterable[int]) -> list[tuple[int, float]]:
    """Each count with the longest window that it is for: who keeps to that keeps to the shorter ones."""
    return list(dict(zip(counts, WINDOWS, strict=True)).items())
