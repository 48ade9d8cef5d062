"""Crawlee's session pools: JavaScript's in two sizes and a variant, and Python's.

A new session keeps the next proxy of the list for its whole life. An error adds 1 to its score, and success takes 0.5
off. At 3, after 50 uses or when it is too old, it is unusable; a block makes it so at once. All sites share one pool.

``tests/sim/test_real_rivals.py`` compares Python's with the real one.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Protocol

from proxysieve.core.model import Outcome
from proxysieve.sim.rivals.rival import Go, Remembering
from proxysieve.sim.world import SimAnswer, World

MAX_ERROR_SCORE = 3.0
ERROR_DECREMENT = 0.5
MAX_USAGE_COUNT = 50
MAX_AGE_SECONDS = 3000.0
POOL_SIZE = 1000
# Recognised by 401, 403 and 429.
BLOCKS = frozenset({Outcome.BLOCKED, Outcome.THROTTLED})
# A dead exit never answers, which is a time-out, too. A clear failure of the proxy would be a block to Crawlee.
TIME_OUTS = frozenset({Outcome.UNCLEAR, Outcome.PROXY_ERROR})


class Session:
    """One session of a pool."""

    __slots__ = ("created_at", "error_score", "exit", "is_retired", "use_count")

    def __init__(self, exit_: int, now: float) -> None:
        self.exit = exit_
        self.created_at = now
        self.error_score = 0.0
        self.use_count = 0
        self.is_retired = False

    def is_usable(self, now: float) -> bool:
        """Whether it may be used at *now*."""
        return (
            not self.is_retired
            and self.error_score < MAX_ERROR_SCORE
            and self.use_count < MAX_USAGE_COUNT
            and now - self.created_at < MAX_AGE_SECONDS
        )

    def mark_good(self, now: float) -> None:  # noqa: ARG002 - Python's uses the time
        """It got a page."""
        self.use_count += 1
        self.error_score = max(0.0, self.error_score - ERROR_DECREMENT)

    def mark_bad(self, now: float) -> None:  # noqa: ARG002 - likewise
        """It got an error with an unknown cause."""
        self.use_count += 1
        self.error_score += 1.0

    def mark_timed_out(self, now: float) -> None:
        """No answer came in time: it is marked where that happens, and again where the request is retried."""
        self.mark_bad(now)
        self.mark_bad(now)

    def retire(self) -> None:
        """It was blocked, so it ends."""
        self.is_retired = True


class PythonSession(Session):
    """Python's: only the score says that it was blocked, and the score grows whenever the session becomes unusable."""

    __slots__ = ()

    def mark_good(self, now: float) -> None:
        """A session that became unusable while it waited for the answer is not marked."""
        if self.is_usable(now):
            super().mark_good(now)
            self._retire_if_unusable(now)

    def mark_bad(self, now: float) -> None:
        """It is marked even if it is unusable."""
        super().mark_bad(now)
        self._retire_if_unusable(now)

    def mark_timed_out(self, now: float) -> None:
        """An error like any other."""
        self.mark_bad(now)

    def retire(self) -> None:
        """From now on its score is at least the highest, because nothing reduces it any more."""
        self.error_score += MAX_ERROR_SCORE

    def _retire_if_unusable(self, now: float) -> None:
        if not self.is_usable(now):
            self.retire()


class Pool(Protocol):
    """What all variants can do."""

    def get(self, now: float) -> Session:
        """A session that is usable at *now*."""
        ...


class RandomPool:
    """It is filled first, with a new session for each request. Then it draws any; an unusable one replaces all such.

    Args:
        new: Makes a session.
        size: How many sessions it holds.
    """

    def __init__(self, new: Callable[[float], Session], rng: Random, *, size: int = POOL_SIZE) -> None:
        self._new = new
        self._rng = rng
        self._size = size
        self._sessions: list[Session] = []

    def get(self, now: float) -> Session:
        """A new one while there is room (unusable ones count), else one by chance."""
        if len(self._sessions) < self._size:
            return self._create(now)
        session = self._sessions[int(self._rng.random() * len(self._sessions))]
        if session.is_usable(now):
            return session
        self._sessions = [one for one in self._sessions if one.is_usable(now)]
        return self._create(now)

    def _create(self, now: float) -> Session:
        session = self._new(now)
        self._sessions.append(session)
        return session


class UntilFailurePool:
    """The oldest usable session; a new one if there is none."""

    def __init__(self, new: Callable[[float], Session]) -> None:
        self._new = new
        self._sessions: list[Session] = []

    def get(self, now: float) -> Session:
        """Skips sessions for good once they were unusable."""
        while self._sessions and not self._sessions[0].is_usable(now):
            del self._sessions[0]
        if not self._sessions:
            self._sessions.append(self._new(now))
        return self._sessions[0]


class PythonPool(RandomPool):
    """Python's: it is filled up at every request before one is drawn."""

    def get(self, now: float) -> Session:
        """One by chance, from a full pool."""
        while len(self._sessions) < self._size:
            self._create(now)
        return super().get(now)


class Crawlee(Remembering):
    """A pool, its addresses, and what an answer means to a session.

    Args:
        world: Its list of addresses.
        pool: Makes the pool, given a function that makes a session.
        session: Makes a session for an exit (-1 for none yet) at a time.
    """

    def __init__(
        self,
        world: World,
        pool: Callable[[Callable[[float], Session]], Pool],
        session: Callable[[int, float], Session] = Session,
    ) -> None:
        self._addresses = world.exits.addresses
        self._next = 0
        # A session gets its proxy at its first use. For JavaScript's pools that follows at once.
        self._pool = pool(lambda now: session(-1, now))
        self._out: dict[int, Session] = {}
        self._ticket = 0

    def start(self, site: int, now: float) -> Go:  # noqa: ARG002 - it knows no sites
        session = self._pool.get(now)
        if session.exit < 0:
            session.exit = self._next_exit()
        self._ticket += 1
        self._out[self._ticket] = session
        return Go(session.exit, self._ticket)

    def finish(self, site: int, ticket: int, answer: SimAnswer, now: float) -> None:  # noqa: ARG002 - likewise
        session = self._out.pop(ticket)
        if answer.outcome is Outcome.OK:
            session.mark_good(now)
        elif answer.outcome in BLOCKS:
            session.retire()
        elif answer.outcome in TIME_OUTS:
            session.mark_timed_out(now)
        else:
            session.mark_bad(now)

    def _next_exit(self) -> int:
        exit_ = self._addresses[self._next]
        self._next = (self._next + 1) % len(self._addresses)
        return exit_


def crawlee(world: World, rng: Random) -> Crawlee:
    """With the default pool of 1,000."""
    return Crawlee(world, lambda new: RandomPool(new, rng))


def crawlee_100(world: World, rng: Random) -> Crawlee:
    """With a pool of 100, which 3,000 pages can fill."""
    return Crawlee(world, lambda new: RandomPool(new, rng, size=100))


def crawlee_until_failure(world: World, rng: Random) -> Crawlee:  # noqa: ARG001 - it uses no chance
    """It uses each session as long as it works."""
    return Crawlee(world, UntilFailurePool)


def crawlee_python(world: World, rng: Random) -> Crawlee:
    """Python's, with its defaults."""
    return Crawlee(world, lambda new: PythonPool(new, rng), PythonSession)
