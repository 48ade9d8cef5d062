"""Stand-ins for the network, for tests in which it does not matter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from typing import TypedDict, Unpack

from proxysieve import Client, Exchange, Request, Response, Session, SessionPool, Tried
from proxysieve.clock import Clock
from proxysieve.core.site.state import SiteState
from proxysieve.judging.sign_tables import OwnSign
from proxysieve.pool.events import PoolEvent, TryEnded

URL = "http://shop.example/"
SITE = "shop.example"
OK = Exchange(url=URL, status=200, body=b"page")
BLOCK = Exchange(url=URL, status=999)

Answer = Callable[[Request, Session], Response]


class Scripted:
    """A client that answers what a function says."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def send(self, request: Request, session: Session) -> Response:
        return self._answer(request, session)


class InTurn:
    """A client that gives its answers in turn, whoever asks: statuses, errors to raise, and what answers itself."""

    def __init__(self, *answers: int | BaseException | Answer) -> None:
        self.answers = list(answers)

    async def send(self, request: Request, session: Session) -> Response:
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return (answers(answer) if isinstance(answer, int) else answer)(request, session)


def answers(status: int, *headers: tuple[str, str]) -> Answer:
    """What always answers the same."""
    return lambda request, _: Response(url=request.url, status=status, headers=headers, body=b"page")


def lines(count: int) -> list[str]:
    """Proxies that nothing is sent to."""
    return [f"http://user:secret@proxy-{number}.example:8000" for number in range(count)]


class Options(TypedDict, total=False):
    """What tests set of a pool."""

    store: str | PathLike[str]
    policy: str
    max_sessions: int
    max_rate: float
    attempts: int
    deadline_seconds: float
    max_wait_seconds: float
    max_clients: int
    clock: Clock
    seed: int | None
    looks: bool
    signs: Sequence[OwnSign]
    site: Callable[[str], str]
    on_event: Callable[[PoolEvent], object]


def pool_of(count: int, client: Client | None = None, **options: Unpack[Options]) -> SessionPool:
    """A pool without a cap, of *count* proxies, at which *client* or else every page is good."""
    settled: Options = {"store": "memory:", "max_rate": 0, "seed": 1, **options}
    return SessionPool(lines(count), client=client or Scripted(answers(200)), **settled)


def tries_in(events: Sequence[PoolEvent]) -> list[Tried]:
    """The tries that a pool told of."""
    return [event.tried for event in events if isinstance(event, TryEnded)]


def facts_of(pool: SessionPool) -> SiteState:
    """What *pool* knows of the site."""
    return pool._site_registry[SITE].engine.state
