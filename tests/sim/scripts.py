"""Tiny worlds, and rivals that do as they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

import msgspec

from proxysieve.core.model import Outcome
from proxysieve.sim.bans import START_AT
from proxysieve.sim.figures import Figures
from proxysieve.sim.player import play
from proxysieve.sim.rivals.rival import Go, Later, Remembering, Rival
from proxysieve.sim.scenario import Exits, Scenario, parse_scenario
from proxysieve.sim.world import SimAnswer, World

OK = Outcome.OK
B = Outcome.BLOCKED
E = Outcome.SITE_ERROR
D = Outcome.PROXY_ERROR
U = Outcome.UNCLEAR


def scenario(text: str = "") -> Scenario:
    """One written down in a test; without noise unless it says so."""
    quiet = "" if "[noise]" in text else "\n[noise]\nflaky_share = 0.0\n"
    return parse_scenario(text + quiet, source="test.toml", default_name="test")


def world(text: str = "", seed: int = 1) -> World:
    """The world of a scenario that is written down in a test."""
    return World(scenario(text), seed)


def plain(count: int, *, sites: int = 1) -> World:
    """A world of so many good exits, for rivals that are asked by a test itself."""
    quiet = scenario(f"[vendor]\nsites = {sites}\n")
    return World(msgspec.structs.replace(quiet, exits=(Exits(count=count),)), 1)


def outcomes(world: World, exit_: int, moments: Iterable[float]) -> list[Outcome]:
    """What requests through one exit at these seconds from the start bring."""
    return [world.ask(0, exit_, START_AT + moment).outcome for moment in moments]


def answer(outcome: Outcome) -> SimAnswer:
    return SimAnswer(outcome, START_AT, 0.0, was_banned=False)


def use(rival: Rival, outcome: Outcome, seconds: float = 0.0, *, took: float = 0.0, site: int = 0) -> int:
    """Have *rival* send one request that comes to *outcome*; the exit that it went through."""
    go = sent(rival, seconds, site=site)
    rival.finish(site, go.ticket, answer(outcome), START_AT + seconds + took)
    return go.exit


def sent(rival: Rival, seconds: float = 0.0, *, site: int = 0) -> Go:
    """The request that *rival* sends so many seconds from the start."""
    move = rival.start(site, START_AT + seconds)
    assert isinstance(move, Go)
    return move


class Script(Remembering):
    """Uses one exit after the other, each as often as it says, at once; then waits for answers."""

    def __init__(self, exits: Iterable[int]) -> None:
        self._exits = list(exits)
        self.answers: list[tuple[int, float, Outcome]] = []

    def start(self, site: int, now: float) -> Go | Later:  # noqa: ARG002 - it follows its script
        if not self._exits:
            return Later(None)
        exit_ = self._exits.pop(0)
        return Go(exit_, exit_)

    def finish(self, site: int, ticket: int, answer: SimAnswer, now: float) -> None:  # noqa: ARG002 - likewise
        self.answers.append((ticket, now - START_AT, answer.outcome))


def played(text: str, rival: Callable[[World, Random], Rival], seed: int = 1) -> Figures:
    """The figures of *rival* in a scenario that is written down in a test."""
    return play(scenario(text), "rival", rival, seed)
