"""Who is there: the open sessions of one site, those that work, and the exits that they use.

It keeps the books for what events change; what events mean is for *state*, and what follows for
others is for *conclusions*.

* A session that nobody named is saved once it has worked. So a crash leaves no half-known sessions that would occupy
  proxies.
* Sessions whose proxy left the list are kept and not used, as lists come and go. Only what is known of their exits is
  forgotten, after 30 days.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from random import Random
from typing import NamedTuple

from proxysieve.core.learning.learner import Learner
from proxysieve.core.model import Proxy, Reach
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.proxies.other_sites import OtherSites
from proxysieve.core.records import ExitRecord, SessionRecord

# As long as an exit can be trusted to be the same: the classic's figure, which is that of Apify Proxy.
SESSION_SECONDS = 24 * 3600.0
# Exits of proxies that left the list so long ago are forgotten: what is known of them tells nothing any more.
ABSENT_SECONDS = 30 * 24 * 3600.0
# How often it is looked for.
LOOK_SECONDS = 24 * 3600.0
# A heap of ends may be twice as long as there are sessions, and so much longer, before those that ended are taken out.
ENDS_KEPT = 64
# Less cannot be told apart in Unix seconds, and a session would end as it is opened.
LEAST_SECONDS = 0.001
# Of more draws than these no chance is any different, and each takes its place in a list.
MOST_DRAWS = 100_000


class Flight(NamedTuple):
    """A request that is out. A tuple, because one is made for every request."""

    session: SessionRecord
    exit: ExitRecord
    at: float
    is_draw: bool = False
    reach: Reach = Reach.PROVEN
    depth: int = 1
    number: int = 0


class Working:
    """The sessions that work, to be drawn from at random: each as often as it was drawn as a new one.

    They stand by age, so that the order, and with it what chance picks, does not depend on their history.
    """

    def __init__(self) -> None:
        self._sessions: list[SessionRecord] = []
        self.session_count = 0

    def add(self, session: SessionRecord, count: int = 1) -> None:
        """Add *session* so many times, also if it is there."""
        place = bisect_left(self._sessions, age(session), key=age)
        self.session_count += self._sessions[place : place + 1] != [session]
        self._sessions[place:place] = [session] * count

    def discard(self, session: SessionRecord) -> None:
        """Take out *session* altogether; absent does no harm."""
        place = bisect_left(self._sessions, age(session), key=age)
        end = bisect_right(self._sessions, age(session), key=age)
        self.session_count -= end > place
        del self._sessions[place:end]

    def draw(self, rng: Random) -> SessionRecord:
        """Any of them, all equally likely; there must be one."""
        return self._sessions[int(rng.random() * len(self._sessions))]

    def __iter__(self) -> Iterator[SessionRecord]:
        return iter(self._sessions)

    def __len__(self) -> int:
        return len(self._sessions)


def ends_at(session: SessionRecord, proxy: Proxy | None) -> float:
    """From when on the exit of *session*, whose proxy is *proxy*, cannot be trusted to be the same."""
    seconds = proxy.ttl_seconds if proxy else 0.0
    end = session.opened_at + min(SESSION_SECONDS, max(seconds, LEAST_SECONDS) if seconds else SESSION_SECONDS)
    if proxy and session.exit_name and proxy.idle_seconds:
        return min(end, max(session.used_at, session.opened_at) + proxy.idle_seconds)
    return end


def age(session: SessionRecord) -> tuple[float, str]:
    """By what sessions are put in an order that does not depend on their history."""
    return session.opened_at, session.name


class SiteSessions:
    """The sessions of one site and what they use.

    Attributes:
        sessions: The open ones, by name.
        exits: What happened, by exit.
        working: Those that work, and may be drawn.
        session_on: By proxy, the session that nobody named on a plain one.
        changed: Kind and key of the records that differ from what was saved last.
        learner: What is learned of the site; None unless the policy learns.
    """

    def __init__(self, catalog: Catalog, other_sites: OtherSites | None) -> None:
        self.catalog = catalog
        self.sessions: dict[str, SessionRecord] = {}
        self.exits: dict[str, ExitRecord] = {}
        self.working = Working()
        self.session_on: dict[str, SessionRecord] = {}
        self.changed: set[tuple[str, str]] = set()
        self.learner = Learner(catalog, self.exits, other_sites, self.session_on) if other_sites is not None else None
        # When the first of those that nobody named is too old, and its name; what has ended since counts no more.
        self._ends: list[tuple[float, str]] = []
        self._look_at = 0.0
        # How many open sessions share an exit: a provider may have fewer names than there are sessions.
        self._sharing: Counter[str] = Counter()

    def is_open(self, session: SessionRecord, now: float) -> bool:
        """Whether *session* may be used again at all: its exit is there, and can be trusted to be the same."""
        proxy = self.catalog.get(session.proxy_key)
        if session.lost or proxy is None:
            return False
        # A plain proxy's exit stays what it is unless it is said for how long; a session that nobody named ends all
        # the same, as the classic's.
        keeps = session.is_named and not session.exit_name and not proxy.ttl_seconds
        return keeps or now < ends_at(session, proxy)

    def admit(self, session: SessionRecord) -> None:
        """*session* is open."""
        self.sessions[session.name] = session
        self._sharing[session.exit_id] += 1
        if session.is_named:
            return
        self.note_end(session)
        if not session.exit_name:
            self.session_on[session.proxy_key] = session
        self.put_to_work(session)

    def put_to_work(self, session: SessionRecord) -> None:
        """*session*, if it has worked, is to be picked from now on."""
        if session.proxy_key not in self.catalog:
            # It is kept in case that its proxy comes back, but works for nobody.
            return
        if session.draw_count:
            self.working.add(session, min(session.draw_count, MOST_DRAWS))
        if self.learner and session.draw_count:
            self.learner.work(session, self.exit_of(session))

    def close(self, session: SessionRecord | None) -> list[str]:
        """End *session*; its name, unless it had ended before."""
        if session is None or self.sessions.get(session.name) is not session:
            return []
        del self.sessions[session.name]
        if session.has_worked or session.is_named:
            self.changed.add(("session", session.name))
        self.take_off_work(session)
        if self.learner:
            self.learner.leave(session, self.exits.get(session.exit_id))
        if self.session_on.get(session.proxy_key) is session:
            del self.session_on[session.proxy_key]
        self._sharing[session.exit_id] -= 1
        if not self._sharing[session.exit_id]:
            del self._sharing[session.exit_id]
            if session.exit_id in self.exits and session.exit_name:
                self.sum_up(session.exit_id)
        return [session.name]

    def take_off_work(self, session: SessionRecord) -> None:
        """*session* is not to be picked for now."""
        self.working.discard(session)
        if self.learner:
            self.learner.stop(session)

    def exit_of(self, session: SessionRecord) -> ExitRecord:
        """What happened to the exit of *session*, nothing if it is new."""
        record = self.exits.get(session.exit_id)
        if record is None:
            record = self.exits[session.exit_id] = ExitRecord()
        return record

    def sum_up(self, exit_id: str) -> None:
        """Keep of a name at a provider, which is used no more, what it adds to the provider."""
        proxy = exit_id.partition("/")[0]
        self.exits.setdefault(proxy, ExitRecord()).absorb(self.exits.pop(exit_id))
        self.changed |= {("exit", exit_id), ("exit", proxy)}
        if self.learner:
            self.learner.forget_exit(exit_id)

    def close_over_age(self, now: float) -> list[str]:
        """End those that nobody named and that are too old at *now*; their names."""
        closed: list[str] = []
        while self._ends and self._ends[0][0] <= now:
            _, name = heappop(self._ends)
            session = self.sessions.get(name)
            if session is None or session.is_named:
                continue
            if ends_at(session, self.catalog.get(session.proxy_key)) > now:
                # It is another of that name, or was used since, or may live longer than was noted.
                self.note_end(session)
            else:
                closed += self.close(session)
        return closed

    def note_end(self, session: SessionRecord) -> None:
        """Have *session* looked at when it may be too old."""
        heappush(self._ends, self._end_of(session))
        if len(self._ends) > 2 * len(self.sessions) + ENDS_KEPT:
            self._ends = [self._end_of(one) for one in self.sessions.values() if not one.is_named]
            heapify(self._ends)

    def _end_of(self, session: SessionRecord) -> tuple[float, str]:
        return ends_at(session, self.catalog.get(session.proxy_key)), session.name

    def forget_absent(self, now: float) -> None:
        """Forget the exits of proxies that have left long before *now*; a store would grow by them for ever."""
        if now < self._look_at:
            return
        self._look_at = now + LOOK_SECONDS
        for exit_id in [one for one, record in self.exits.items() if self._is_long_absent(one, record, now)]:
            del self.exits[exit_id]
            self.changed.add(("exit", exit_id))
            if self.learner:
                self.learner.forget_exit(exit_id)

    def _is_long_absent(self, exit_id: str, record: ExitRecord, now: float) -> bool:
        if exit_id.partition("/")[0] in self.catalog or self._sharing[exit_id]:
            return False
        heard_at = max(record.last_ok_at, record.last_bad_at, record.last_unclear_at, record.cooldown_until)
        return now - heard_at > ABSENT_SECONDS
