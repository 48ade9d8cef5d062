"""How a crawl is played, and what it comes to."""

from __future__ import annotations

import asyncio
from functools import partial
from random import Random
from typing import NamedTuple

import msgspec
import pytest
from tests.fakes import URL, facts_of
from tests.sim.scripts import OK, B, E, Script, played, scenario

from proxysieve import Request, Response, Session, SessionPool
from proxysieve.clock import VirtualClock
from proxysieve.core.model import Outcome
from proxysieve.core.policies import POLICIES
from proxysieve.core.policies.classic import Classic
from proxysieve.core.site.policy_protocol import Choice, Open
from proxysieve.core.site.state import SiteState
from proxysieve.sim import Figures, shipped_scenarios, simulate
from proxysieve.sim.bans import START_AT
from proxysieve.sim.engine_adapter import Engines, plain_proxy
from proxysieve.sim.player import play
from proxysieve.sim.players import RECRUITS
from proxysieve.sim.rivals.rival import Go, Later, Remembering
from proxysieve.sim.world import SimAnswer, World

SMALL = "pages = 40\nconcurrency = 5\n[exits]\ncount = 20\nnetworks = 4\n[bans]\nexit_share = 0.5\n"
KEPT_NAMES = [
    "scenario", "policy", "seed", "pages", "seconds", "requests", "wasted_per_page", "cost_per_page", "blocked",
    "burned", "on_banned_share", "peak_per_minute",
]  # fmt: skip


class Sent(NamedTuple):
    """A request: when, through which exit, and how many waited."""

    at: float
    exit: int
    waiting: int


class Waiting(Remembering):
    """Sends each request some seconds after it was asked for the first time, and remembers when it was asked."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due_at = 0.0
        self.asked: list[float] = []

    def start(self, site: int, now: float) -> Go | Later:  # noqa: ARG002 - there is one
        self.asked.append(now - START_AT)
        self._due_at = self._due_at or now + self._seconds
        return Go(0, 0) if now >= self._due_at else Later(self._due_at)

    def finish(self, site: int, ticket: int, answer: SimAnswer, now: float) -> None:  # noqa: ARG002 - any will do
        self._due_at = 0.0


def test_a_crawl_ends_when_all_pages_are_in() -> None:
    """And its figures are what happened, to the bit: a tiny crawl by hand."""
    # The second of two exits is refused; the page is wanted again, and the third request gets it.
    made = scenario(
        "pages = 2\nconcurrency = 1\n[[exits]]\ncount = 1\n[[exits]]\ncount = 1\nbanned_share = 1\ncost = 5"
    )
    script = Script([0, 1, 0])

    figures = play(made, "script", lambda _world, _rng: script, 1)

    assert [outcome for _, _, outcome in script.answers] == [OK, B, OK]
    assert figures == Figures(
        scenario="test",
        policy="script",
        seed=1,
        pages=2,
        seconds=round(script.answers[-1][1], 3),
        requests=3,
        wasted_per_page=0.5,
        cost_per_page=3.5,
        blocked=1,
        burned=0,
        on_banned_share=0.333333,
        peak_per_minute=2,
    )


def test_no_more_requests_are_in_flight_than_may_be() -> None:
    """As many are, as long as there are pages: nobody is asked for one more before an answer came."""
    counts: list[int] = []

    class Counting(Script):
        def start(self, site: int, now: float) -> Go | Later:
            move = super().start(site, now)
            counts.append(len(counts) + 1 - len(self.answers))
            return move

    played("pages = 20\nconcurrency = 5", lambda _world, _rng: Counting(range(20)))

    assert counts == [1, 2, 3, 4, *([5] * 16)]


def test_who_has_nothing_for_ever_ends_the_crawl() -> None:
    """With what there is until then."""
    figures = played("pages = 20\nconcurrency = 5", lambda _world, _rng: Script([0, 1, 2]))

    assert (figures.pages, figures.requests) == (3, 3)


def test_time_jumps_to_when_the_rival_wants_to_be_asked() -> None:
    """Not before, unless an answer comes."""
    waiting = Waiting(7.0)

    played("pages = 1\nconcurrency = 1", lambda _world, _rng: waiting)

    assert waiting.asked == [0.0, 7.0]


def test_who_wants_to_be_asked_at_once_does_not_stop_the_time() -> None:
    """A moment passes all the same."""

    class Impatient(Waiting):
        def start(self, site: int, now: float) -> Go | Later:
            return Later(now) if now < START_AT + 1 else super().start(site, now)

    assert played("pages = 1\nconcurrency = 1", lambda _world, _rng: Impatient(0.0)).pages == 1


def test_a_crawl_is_given_up_at_20_wasted_requests_a_page() -> None:
    """Of those wanted; what is out then is heard of all the same."""
    figures = played("pages = 10\nconcurrency = 3\n[bans]\nexit_share = 1.0", RECRUITS["random"])

    assert figures.pages == 0
    assert 200 <= figures.requests <= 203
    assert figures.blocked == figures.requests
    assert figures.wasted_per_page == figures.requests


@pytest.mark.parametrize(("pages", "hours"), [(10, 6), (10_001, 12)])
def test_a_crawl_is_given_up_after_six_hours(pages: int, hours: int) -> None:
    """Twelve, if more than 10,000 pages are wanted."""
    figures = played(f"pages = {pages}\nconcurrency = 1", lambda _world, _rng: Waiting(3600.0))

    assert figures.pages == hours - 1
    assert figures.seconds <= hours * 3600


def test_a_probe_brings_no_page() -> None:
    """It is a request, and the page is wanted as before."""

    class Probing(Script):
        def start(self, site: int, now: float) -> Go | Later:
            move = super().start(site, now)
            return move._replace(is_probe=len(self.answers) < 2) if isinstance(move, Go) else move

    figures = played("pages = 1\nconcurrency = 1", lambda _world, _rng: Probing([0, 1, 2]))

    assert (figures.pages, figures.requests, figures.wasted_per_page) == (1, 3, 2.0)


def test_pages_are_split_evenly_between_a_vendors_sites() -> None:
    """Site by site, with one more for the first where they do not divide."""
    sites: list[int] = []

    class Noting(Script):
        def start(self, site: int, now: float) -> Go | Later:
            sites.append(site)
            return super().start(site, now)

    played("pages = 5\nconcurrency = 1\n[vendor]\nsites = 2", lambda _world, _rng: Noting(range(5)))

    assert sorted(sites) == [0, 0, 0, 1, 1]


def test_the_busiest_minute_slides() -> None:
    """Requests 50 seconds apart make two in a minute, whatever the clock on the wall says."""
    figures = played(
        "pages = 6\nconcurrency = 1\n[noise]\nflaky_share=0\nlatency_seconds=0.01", lambda _w, _r: Waiting(50.0)
    )

    assert figures.peak_per_minute == 2


def test_burned_exits_are_counted_once() -> None:
    """However often they are banned."""
    figures = played(
        "pages = 30\nconcurrency = 1\n[exits]\ncount = 1\n[limit]\nrequests = 5\nwindow_seconds = 60\nban_seconds = 2",
        RECRUITS["random"],
    )

    assert figures.blocked > 2
    assert figures.burned == 1


def test_several_runs_are_summed_up_and_the_last_is_told_apart() -> None:
    """The pause between them is no time of the crawl; what was learned is kept."""
    text = SMALL + "[runs]\ncount = 2\npause_seconds = 3600\n"

    figures = played(text, RECRUITS["informed"])

    assert not isinstance(figures.last, msgspec.UnsetType)
    assert (figures.pages, figures.last.pages) == (80, 40)
    assert figures.last.blocked == 0 < figures.blocked
    assert figures.last.seconds < figures.seconds < 3600


def test_the_engine_knows_after_a_run_what_it_was_told_in_it() -> None:
    """Its records are taken out, and loaded into a new one."""
    world = World(scenario(SMALL), 1)
    engines = Engines(world, lambda: Classic(5), Random(1))
    before = engines._engines[0]
    for step in range(60):
        move = engines.start(0, START_AT + step)
        assert isinstance(move, Go)
        answer = world.ask(0, move.exit, START_AT + step)
        engines.finish(0, move.ticket, answer, START_AT + step + 0.5)

    engines.rest()

    after = engines._engines[0]
    assert after is not before
    assert [one.name for one in after.state.working] == [one.name for one in before.state.working]
    assert {key: one.blocked_count for key, one in after.state.exits.items()} == {
        key: one.blocked_count for key, one in before.state.exits.items()
    }
    assert len(after.state.working) > 0


def test_the_engine_obeys_retry_after() -> None:
    """An exit that was throttled is left alone until the window has room: no two refusals follow each other."""
    figures = played(
        "pages = 60\nconcurrency = 1\n[exits]\ncount = 1\n"
        "[limit]\nrequests = 3\nwindow_seconds = 30\nstyle = 'throttle'\n",
        RECRUITS["uniform_random"],
    )

    assert figures.pages == 60
    assert 0 < figures.blocked <= 60
    assert figures.burned == 0


def test_an_engine_behind_a_provider_gets_the_exit_of_its_sessions_name() -> None:
    """Sessions that work keep working, as the name keeps its exit."""
    text = "pages = 200\nconcurrency = 5\n[exits]\ncount = 500\nprovider = true\n[bans]\nexit_share = 0.8\n"

    figures = played(text, RECRUITS["classic"])

    assert figures.pages == 200
    assert figures.blocked < figures.requests * 0.75


@pytest.mark.parametrize("policy", RECRUITS)
def test_the_same_seed_gives_the_same_figures(policy: str) -> None:
    """To the bit; another seed gives others."""
    made = scenario(SMALL + "[noise]\nflaky_share = 0.1\n")

    first, second, other = (simulate(made, policy, seed=seed) for seed in (3, 3, 4))

    assert first == second
    assert msgspec.structs.replace(other, seed=3) != first


@pytest.mark.parametrize("name", shipped_scenarios())
def test_every_shipped_scenario_can_be_played(name: str) -> None:
    """With few pages, by the engine with either policy and both bounds."""
    short = msgspec.structs.replace(shipped_scenarios()[name], pages=60, concurrency=10)

    for policy in ("adaptive", "classic", "oracle", "informed"):
        figures = simulate(short, policy)
        assert figures.scenario == short.name
        assert figures.pages == 60 * short.runs.count


def test_figures_have_their_names_in_json() -> None:
    """Those that are promised, in that order, and the last run's only where there are several."""
    one = simulate(scenario(SMALL), "oracle").as_json()
    two = simulate(scenario(SMALL + "[runs]\ncount = 2"), "oracle").as_json()

    assert list(one) == KEPT_NAMES
    assert list(two) == [*KEPT_NAMES, "last"]


def test_anybodys_policy_can_play() -> None:
    """An object that chooses is enough; it is called by the name of its class."""

    class FirstOne:
        def choose(self, state: SiteState, now: float, rng: Random) -> Choice:  # noqa: ARG002 - it leaves nothing to chance
            proxies = [proxy for proxy in state.catalog if state.may_be_drawn(proxy, now)]
            return Open(proxies[0], "the first") if proxies else None

    figures = simulate(scenario("pages = 5\nconcurrency = 1\n[exits]\ncount = 9"), FirstOne())

    assert (figures.policy, figures.pages, figures.wasted_per_page) == ("FirstOne", 5, 0.0)


def test_what_the_engine_hears_of_an_answer_is_a_verdict() -> None:
    """An error of the site is not held against the exit: the one that works is used again."""
    world = World(scenario("[exits]\ncount = 1"), 1)
    engines = Engines(world, Classic, Random(1))
    for outcome in (OK, E, Outcome.UNCLEAR, OK):
        move = engines.start(0, START_AT)
        assert isinstance(move, Go)
        engines.finish(0, move.ticket, SimAnswer(outcome, START_AT + 1, 0.0, was_banned=False), START_AT + 1)

    record = next(iter(engines._engines[0].state.exits.values()))
    assert (record.ok_count, record.unclear_count, record.blocked_count) == (2, 1, 0)


@pytest.mark.parametrize("concurrency", [1, 6])
@pytest.mark.parametrize("name", ["adaptive", "classic"])
async def test_a_pool_on_a_virtual_clock_and_the_player_choose_alike(
    clock: VirtualClock, name: str, concurrency: int
) -> None:
    """The same seed and the same answers make the same proxies at the same moments, and as many wait in both."""
    made = scenario(
        f"pages = 80\nconcurrency = {concurrency}\n[exits]\ncount = 30\n[bans]\nexit_share = 0.5\n"
        "[limit]\nrequests = 6\nwindow_seconds = 10\nban_seconds = 60\n"
    )
    imagined: list[Sent] = []

    class Noted(Engines):
        def start(self, site: int, now: float) -> Go | Later:
            move = super().start(site, now)
            if isinstance(move, Go):
                imagined.append(Sent(now - START_AT, move.exit, self._waiting))
            return move

    play(made, "noted", lambda world, rng: Noted(world, partial(POLICIES[name], 6, 1.0), rng), 11)
    real: list[Sent] = []
    world = World(made, 11)
    proxies = [plain_proxy(world.exits, exit_) for exit_ in range(30)]
    exit_of = {proxy.key: exit_ for exit_, proxy in enumerate(proxies)}

    class Imagined:
        """A client whose site is the world's."""

        async def send(self, request: Request, session: Session) -> Response:
            exit_, now = exit_of[session.proxy.key], clock.now()
            real.append(Sent(now - START_AT, exit_, facts_of(pool).waiting))
            answer = world.ask(0, exit_, now)
            await clock.wait(asyncio.Event(), answer.at)
            return Response(url=request.url, status=200 if answer.outcome is OK else 999, headers=(), body=b"page")

    pool = SessionPool(
        [proxy.url() for proxy in proxies],
        store="memory:",
        policy=name,
        max_rate=0,
        max_sessions=6,
        seed=11,
        client=Imagined(),
        clock=clock,
    )
    async with pool:
        pages = iter(range(80))

        async def crawl() -> None:
            for number in pages:
                await pool.get(f"{URL}{number}")

        crawls = [asyncio.create_task(crawl()) for _ in range(concurrency)]
        while not all(task.done() for task in crawls):
            await clock.advance(0.05)

    assert [one.exit for one in real] == [one.exit for one in imagined]
    assert [one.at for one in real] == pytest.approx([one.at for one in imagined], abs=1e-3)
    assert [one.waiting for one in real][concurrency:] == [one.waiting for one in imagined][concurrency:]
    assert len(real) > 80
