"""What the adaptive policy promises: few tries, no overuse, nothing given up too early."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

import msgspec
import pytest
from tests.core.worlds import DAY, World, gateway, plain, plains

from proxysieve.core.events import Leased
from proxysieve.core.learning.learned_limit import Limit
from proxysieve.core.learning.learner import Learner
from proxysieve.core.learning.tiers import FIRST_DUE_SECONDS
from proxysieve.core.model import Outcome, Proxy, Reach
from proxysieve.core.policies.adaptive import Adaptive
from proxysieve.core.proxies.catalog import NAMES_AT_A_GATEWAY
from proxysieve.core.records import SessionRecord
from proxysieve.core.site.choices import Pick, Wait
from proxysieve.core.site.state import MAX_IN_FLIGHT, THROTTLED_SECONDS

Answer = Callable[[str, float], Outcome | None]


def proxy(network: int, number: int, cost: float = 1.0) -> Proxy:
    """One of the *network* that has this number."""
    return Proxy(scheme="http", host=f"203.0.{network}.{number}", port=8000, cost=cost)


def world_of(*proxies: Proxy, max_rate: float = 0.0) -> World:
    return World(proxies, Adaptive(), max_rate=max_rate)


def learner_of(world: World) -> Learner:
    learner = world.engine.state.learner
    assert learner is not None
    return learner


def take_all(world: World, waiting: int = 1000) -> list[Leased]:
    """All that may go out at once."""
    leases: list[Leased] = []
    for _ in range(waiting):
        choice = world.choose(waiting - len(leases))
        if not isinstance(choice, Pick):
            break
        leases.append(world.take(choice))
    return leases


def crawl(
    world: World, seconds: float, answer: Answer, *, waiting: int = 4, apart: float = 1e-4
) -> list[tuple[Leased, str]]:
    """A crawl that has *waiting* requests to send at any time, *apart* seconds, each answered half a second later."""
    sent: list[tuple[Leased, str]] = []
    out: deque[tuple[float, Leased]] = deque()
    end = world.now + seconds
    while world.now < end:
        choice = world.choose(waiting)
        if isinstance(choice, Pick):
            leased = world.take(choice)
            sent.append((leased, world.proxy(leased)))
            out.append((world.now + 0.5, leased))
            world.now += apart
            continue
        world.now += 0.1
        while out and out[0][0] <= world.now:
            _, leased = out.popleft()
            told = answer(world.proxy(leased), leased.at)
            world.now -= 1
            world.report(leased, told)
    for _, leased in out:
        world.report(leased, None)
    return sent


def warm(count: int, *, spare: int = 0) -> World:
    """*count* plain proxies of which each carries a session that has worked for a while, and some never used."""
    world = world_of(*plains(count + spare))
    tried = [world.take(world.choose(1000)) for _ in range(count)]
    for leased in tried:
        world.report(leased, Outcome.OK)
    world.pass_time(3600)
    assert world.engine.state.working.session_count == count
    return world


def refuse_all(world: World, count: int) -> None:
    """All that work are used once, and refused together."""
    leases: dict[str, Leased] = {}
    while len(leases) < count:
        leased = world.lease()
        if leased.session_name in leases:
            world.report(leased, None)
        else:
            leases[leased.session_name] = leased
    for leased in leases.values():
        world.report(leased, Outcome.BLOCKED)


class Limited:
    """A site that bans who asks more than *n* times in *window* seconds, for good."""

    def __init__(self, n: int, window: float) -> None:
        self._n = n
        self._window = window
        self._asked: dict[str, list[float]] = {}
        self.banned: set[str] = set()

    def __call__(self, exit_id: str, at: float) -> Outcome:
        asked = [one for one in self._asked.get(exit_id, []) if at - one < self._window]
        self._asked[exit_id] = [*asked, at]
        if len(asked) >= self._n:
            self.banned.add(exit_id)
        return Outcome.BLOCKED if exit_id in self.banned else Outcome.OK


class TestAvoided:
    """A page that has failed on some exits."""

    def world(self, working: int, *, fresh: int = 0) -> tuple[World, list[SessionRecord]]:
        """One in which some exits work and others were never tried."""
        world = world_of(*plains(working))
        while world.engine.state.working.session_count < working:
            leases = take_all(world)
            for leased in leases:
                world.report(leased, Outcome.OK)
        for number in range(fresh):
            world.catalog.add(plain(100 + number))
        world.pass_time(60)
        return world, list(world.engine.state.sessions.values())

    def test_it_goes_through_others_while_there_are_any(self) -> None:
        """Whichever has its turn next."""
        world, sessions = self.world(4)
        for count in range(1, 4):
            avoided = {session.exit_id for session in sessions[:count]}
            chosen = [self.choose(world, avoided) for _ in range(4)]

            assert {session.exit_id for session in chosen} == {session.exit_id for session in sessions[count:]}

    def test_it_tries_a_fresh_one_before_it_goes_again_where_it_failed(self) -> None:
        """Also if what works could carry all."""
        world, sessions = self.world(3, fresh=1)

        session = self.choose(world, {session.exit_id for session in sessions})

        assert session.proxy_key == plain(100).key

    def test_it_goes_again_where_there_is_nobody_else(self) -> None:
        """Better than never."""
        world, sessions = self.world(3)

        assert self.choose(world, {session.exit_id for session in sessions}) in sessions

    def test_names_of_a_gateway_are_others(self) -> None:
        """A name on which it failed says nothing of the next one."""
        world = world_of(gateway(0))
        session = world.send(Outcome.OK)
        world.pass_time(60)

        other = self.choose(world, {session.exit_id})

        assert (other.proxy_key, other.exit_id == session.exit_id) == (session.proxy_key, False)

    @pytest.mark.parametrize("seed", range(5))
    def test_in_an_alarm_those_that_failed_since_it_began_are_left_alone(self, seed: int) -> None:
        """Where all but one die together, the last one is found, though it was no leader."""
        world = World(plains(8), Adaptive(), seed=seed)
        served: Counter[str] = Counter()
        good: list[str] = []

        def answer(exit_id: str, _: float) -> Outcome:
            served[exit_id] += 1
            if len(served) == 8 and not good:
                good.append(exit_id)
            is_dead = served[exit_id] > 5 and exit_id not in good
            return Outcome.UNCLEAR if is_dead else Outcome.OK

        crawl(world, 60, answer, waiting=10)

        assert served[good[0]] > 20

    def choose(self, world: World, avoided: set[str]) -> SessionRecord:
        """Whom the page is sent through, and well."""
        leased = world.take(world.engine.choose(world.now, world.rng, 1, 7, avoided))
        session = world.session(leased)
        world.report(leased, Outcome.OK)
        world.pass_time(3600)
        return session


class TestTries:
    """Whom it tries, and how many."""

    def test_dear_exits_are_tried_before_cheap_ones_that_do_not_answer_are_again(self) -> None:
        """Each cheap one once; when the dear ones work, they carry all until the cheap ones are due."""
        cheap, dear = plains(20), [msgspec.structs.replace(plain(100 + number), cost=20.0) for number in range(3)]
        for seed in range(20):
            world = World([*cheap, *dear], Adaptive(), seed=seed)
            tried: list[str] = []
            while not world.engine.state.working:
                leased = world.lease()
                tried.append(world.proxy(leased))
                is_dear = tried[-1] in {one.key for one in dear}
                world.report(leased, Outcome.OK if is_dear else Outcome.UNCLEAR)

            assert sorted(tried[:-1]) == sorted(one.key for one in cheap)
            assert {world.send(Outcome.OK).proxy_key for _ in range(10)} == {tried[-1]}
            world.pass_time(FIRST_DUE_SECONDS)
            assert world.send(Outcome.UNCLEAR).proxy_key in tried[:-1]

    @pytest.mark.parametrize("outcome", [Outcome.BLOCKED, Outcome.PROXY_ERROR, Outcome.UNCLEAR])
    def test_a_cheap_gateway_that_fails_altogether_gives_way_to_dear_ones(self, outcome: Outcome) -> None:
        """Its names have no end."""
        world = world_of(gateway(0), msgspec.structs.replace(plain(1), cost=20.0))
        for _ in range(2 * NAMES_AT_A_GATEWAY):
            leased = world.lease()
            is_dear = world.proxy(leased) == plain(1).key
            world.report(leased, Outcome.OK if is_dear else outcome)
            if is_dear:
                break
        else:
            raise AssertionError("the dear one never had its turn")

        assert [world.send(Outcome.OK).proxy_key for _ in range(10)] == [plain(1).key] * 10

    def test_as_many_are_tried_as_are_needed(self) -> None:
        """A try that works with an even chance counts for two requests if it does, so for one on average."""
        leases = {waiting: len(take_all(world_of(*plains(100)), waiting)) for waiting in (1, 2, 8)}

        assert leases == {1: 1, 2: 1, 8: 4}

    def test_nobody_else_is_tried_meanwhile(self) -> None:
        """The next one who comes waits for the answer."""
        world = world_of(*plains(100))
        world.lease()

        wait = world.choose()

        assert isinstance(wait, Wait)
        assert wait.why == "what is being tried may be enough"
        assert wait.until is not None
        assert not wait.is_hopeless

    def test_one_that_works_is_used(self) -> None:
        """Nothing fresh is tried while it can carry all."""
        world = world_of(*plains(100))
        session = world.send(Outcome.OK)

        for _ in range(10):
            world.pass_time(60)
            assert world.send(Outcome.OK) is session

    def test_networks_that_work_come_first(self) -> None:
        """And those that are blocked last."""
        world = world_of(*(proxy(network, number) for network in (1, 2, 3) for number in range(1, 9)))
        for _ in range(3):
            leased = world.lease()
            network = world.catalog.get(world.proxy(leased))
            assert network is not None
            world.report(leased, Outcome.OK if network.network == "203.0.1.0/24" else Outcome.BLOCKED)
        worked = Counter(one.proxy_key for one in world.engine.state.sessions.values())
        assert len(worked) <= 1

        tried = [world.proxy(leased) for leased in take_all(world, 60) if leased.is_draw]

        networks = [one.network for key in tried if (one := world.catalog.get(key))]
        assert len(networks) > 8
        if worked:
            assert networks[0] == "203.0.1.0/24"

    def test_a_blocked_network_is_avoided(self) -> None:
        """Of two networks, one of which failed, the other is tried, whatever the seed."""
        for seed in range(20):
            proxies = [proxy(network, number) for network in (1, 2) for number in range(1, 9)]
            world = World(proxies, Adaptive(), seed=seed)
            first, second = world.send(Outcome.BLOCKED), world.send(Outcome.BLOCKED)
            networks = {one.network for key in (first.proxy_key, second.proxy_key) if (one := world.catalog.get(key))}

            assert len(networks) == 2

    def test_cheap_exits_come_first(self) -> None:
        """A dear one is used only where the cheap ones do not suffice."""
        world = world_of(*(proxy(1, number, cost=1.0) for number in range(1, 4)), proxy(2, 1, cost=10.0))
        tried = [world.send(Outcome.BLOCKED).proxy_key for _ in range(4)]

        assert tried[-1] == proxy(2, 1).key

    def test_a_cheap_one_that_works_is_all_that_is_used(self) -> None:
        """However long the dear one rested."""
        world = world_of(proxy(1, 1, cost=1.0), proxy(2, 1, cost=10.0))
        used = set()
        for _ in range(30):
            used.add(world.send(Outcome.OK).proxy_key)
            world.pass_time(30)

        assert used == {proxy(1, 1).key}

    def test_an_exit_that_was_closed_is_used_again(self) -> None:
        """That its session came to an end does not make a good exit bad."""
        world = world_of(plain(0))
        session = world.send(Outcome.OK)
        world.close(session.name)

        assert isinstance(world.choose(), Pick)

    def test_exits_are_used_again_after_a_day(self) -> None:
        """A session ends after a day; the exit that it had still works."""
        world = world_of(plain(0))
        session = world.send(Outcome.OK)
        world.pass_time(DAY)

        leased = world.lease()

        assert leased.session_name != session.name
        assert leased.session_name in world.engine.state.sessions

    def test_an_exit_whose_proxy_was_away_is_used_again(self) -> None:
        """Its session is open again with its proxy, and has its turns."""
        world = world_of(plain(0))
        session = world.send(Outcome.OK)
        world.catalog.remove(session.proxy_key)
        assert not isinstance(world.choose(), Pick)

        world.catalog.add(plain(0))

        assert world.proxy(world.lease()) == session.proxy_key

    def test_an_exit_that_only_a_name_used_is_used_by_others(self) -> None:
        """It is as good for them."""
        world = world_of(plain(0))
        world.send(Outcome.OK, "ann")

        assert isinstance(world.choose(), Pick)

    def test_proxies_that_left_are_not_used(self) -> None:
        """Neither working sessions of theirs, nor new ones."""
        world = world_of(*plains(2))
        session = world.send(Outcome.OK)

        world.catalog.remove(session.proxy_key)

        assert world.proxy(world.lease()) != session.proxy_key


class TestUse:
    """How hard those that work are used."""

    def test_eight_at_a_time_are_the_most(self) -> None:
        """Whoever wants more waits."""
        world = world_of(plain(0))
        world.send(Outcome.OK)

        for _ in range(30):
            leases = take_all(world)
            assert len(leases) <= MAX_IN_FLIGHT
            for leased in leases:
                world.report(leased, Outcome.OK)
            world.pass_time(5)

    def test_one_goes_ahead_of_the_others(self) -> None:
        """The others do not do what it has not proven."""
        world = world_of(*plains(10))
        crawl(world, 120, lambda *_: Outcome.OK, waiting=40)

        counts = sorted((member.uses.count for member in learner_of(world).working()), reverse=True)
        ahead = [leased for leased in world.events if isinstance(leased, Leased) and leased.reach is Reach.AHEAD]

        assert len(counts) == 10
        assert ahead
        assert counts[0] >= max(counts[1:])

    @pytest.mark.parametrize("apart", [1e-4, 0.0], ids=["one-after-the-other", "at-the-same-moment"])
    def test_an_unknown_limit_costs_few(self, apart: float) -> None:
        """Where a site bans for good after the eleventh request in a minute, nearly all exits live on."""
        site = Limited(10, 60.0)
        world = world_of(*plains(30))

        sent = crawl(world, 1200, site, waiting=20, apart=apart)

        assert len(site.banned) <= 6
        assert len(sent) > 1000
        assert any(7 <= limit.n <= 10 for limit in learner_of(world).usage.exit_limits.limits)

    def test_a_known_limit_is_kept(self) -> None:
        """Not more than so many within the window, however many wait."""
        world = world_of(*plains(3))
        learner_of(world).usage.exit_limits.limits = [Limit(5, 59.9, 60.0)]
        sent = crawl(world, 600, lambda *_: Outcome.OK, waiting=50)

        uses: dict[str, list[float]] = {}
        for leased, key in sent:
            if leased.reach is not Reach.PAST_LIMIT:
                uses.setdefault(key, []).append(leased.at)

        assert len(uses) == 3
        assert all(
            later - first >= 60 for times in uses.values() for first, later in zip(times, times[5:], strict=False)
        )

    def test_a_limit_is_probed_after_want(self) -> None:
        """Where requests wait long enough, one session at a time goes past what is believed."""
        world = warm(20)
        learner_of(world).usage.exit_limits.limits = [Limit(3, 1.0, sure=0.9)]

        sent = crawl(world, 900, lambda *_: Outcome.OK, waiting=50)

        assert any(leased.reach is Reach.PAST_LIMIT for leased, _ in sent)
        assert sent[0][0].reach is not Reach.PAST_LIMIT

    def test_what_the_site_asks_for_is_kept(self) -> None:
        """A throttled session rests at least as long as it was told, and comes back as the same one."""
        world = world_of(plain(0))
        session = world.send(Outcome.OK)
        until = world.now + 500
        world.report(world.lease(), Outcome.THROTTLED, until=until)

        for _ in range(100):
            assert isinstance(world.choose(), Wait)
            world.pass_time(4.9)
        world.now = max(world.now, until)

        assert world.session(world.lease()) is session

    def test_throttled_without_a_time_is_a_minute(self) -> None:
        """The usual window."""
        world = world_of(plain(0))
        session = world.send(Outcome.OK)
        world.send(Outcome.THROTTLED)
        world.pass_time(THROTTLED_SECONDS - 1)
        early = world.choose()
        world.pass_time(1)

        assert isinstance(early, Wait)
        assert world.session(world.lease()) is session

    def test_the_rate_cap_is_kept(self) -> None:
        """Two a second are two a second."""
        world = world_of(*plains(20), max_rate=2)

        sent = crawl(world, 60, lambda *_: Outcome.OK, waiting=20)

        assert 100 < len(sent) <= 122


class TestBlocks:
    """Whom it believes."""

    def test_one_block_is_believed_once_others_work(self) -> None:
        """Not before, and then the session ends."""
        world = warm(2)
        first = world.lease()
        world.report(first, Outcome.BLOCKED)
        assert first.session_name in world.engine.state.sessions

        second = world.lease()
        world.report(second, Outcome.OK)

        assert second.session_name != first.session_name
        assert world.closed == [first.session_name]

    @pytest.mark.parametrize("count", [1, 2, 5, 6, 8])
    def test_a_false_alarm_loses_no_session(self, count: int) -> None:
        """Where the site fails for all and works again, all go on as they were."""
        world = warm(count)
        refuse_all(world, count)
        before = set(world.engine.state.sessions)

        for _ in range(200):
            choice = world.choose()
            if isinstance(choice, Pick):
                world.report(world.take(choice), Outcome.OK)
            else:
                world.now = choice.until or world.now + 1

        assert world.closed == []
        assert set(world.engine.state.sessions) == before
        assert world.engine.state.working.session_count == count

    @pytest.mark.parametrize("count", [6, 8])
    def test_an_outage_that_lasts_loses_no_session(self, count: int) -> None:
        """Single probes go out, and when one is answered well, all are back."""
        world = warm(count)
        refuse_all(world, count)
        begin, end, probes = world.now, world.now + 600, 0

        while world.now < end + 600:
            choice = world.choose()
            if isinstance(choice, Wait):
                world.now = choice.until or world.now + 1
                continue
            probes += world.now < end
            world.report(world.take(choice), Outcome.BLOCKED if world.now < end else Outcome.OK)

        assert 5 < probes < 60
        assert world.closed == []
        assert world.engine.state.working.session_count == count
        assert world.engine.state.site.last_ok_at > begin

    def test_a_ban_of_all_that_work_is_believed(self) -> None:
        """Once fresh exits work, and those do not."""
        world = warm(8, spare=20)
        refuse_all(world, 8)
        banned = {session.proxy_key for session in world.engine.state.sessions.values()}
        end = world.now + 1200

        while world.now < end:
            choice = world.choose()
            if isinstance(choice, Wait):
                world.now = choice.until or world.now + 1
                continue
            leased = world.take(choice)
            world.report(leased, Outcome.BLOCKED if world.proxy(leased) in banned else Outcome.OK)

        assert len(world.closed) >= 8
        assert world.engine.state.working.session_count >= 1
        assert all(session.proxy_key not in banned for session in world.engine.state.working)

    def test_a_name_is_not_tried_for_others(self) -> None:
        """That a session with a name was refused is found out with its own requests, or with those of others."""
        world = world_of(plain(0))
        world.send(Outcome.OK, "ann")
        world.send(Outcome.BLOCKED, "ann")
        world.pass_time(10)

        choice = world.choose()

        assert not isinstance(choice, Pick) or choice.leased.session_name != "ann"

    def test_one_tried_again_that_is_told_to_rest_rests(self) -> None:
        """What the site asks for holds for a trial too."""
        world = world_of(plain(0))
        world.send(Outcome.OK)
        world.send(Outcome.BLOCKED)
        world.pass_time(5)
        world.send(Outcome.THROTTLED, until=world.now + 500)
        world.pass_time(5)

        assert isinstance(world.choose(), Wait)


class TestEnds:
    """What must not happen."""

    def test_choosing_changes_nothing_that_is_kept(self) -> None:
        """Which neighbours of a blocked exit are tried is known by the requests, not by the questions."""
        world = world_of(*(proxy(1, number) for number in range(1, 6)))
        learner = learner_of(world)
        learner.usage.network_limits.limits = [Limit(50, 1.0, subject="203.0.1.0/24", sure=0.5)]
        before = msgspec.json.encode(learner.record())

        for _ in range(10):
            world.choose()

        assert msgspec.json.encode(learner.record()) == before

    @pytest.mark.parametrize("outcome", [Outcome.BLOCKED, Outcome.SITE_ERROR, Outcome.UNCLEAR, None])
    def test_a_blocked_exit_is_tried_again_and_again(self, outcome: Outcome | None) -> None:
        """Whatever came of the last try."""
        world = world_of(plain(0))
        world.send(Outcome.BLOCKED)
        tries = 0
        for _ in range(60):
            world.pass_time(3600)
            choice = world.choose()
            if isinstance(choice, Pick):
                world.report(world.take(choice), outcome)
                tries += 1

        assert tries > 10

    def test_the_answer_of_a_name_that_was_closed_is_no_harm(self) -> None:
        """Neither what was proven with it, nor what was not."""
        world = world_of(gateway(0))
        world.send(Outcome.OK)
        leases = take_all(world)
        assert any(leased.reach for leased in leases)
        for name in list(world.engine.state.sessions):
            world.close(name)

        for leased in leases:
            world.report(leased, Outcome.OK)

        assert not any(session.has_worked for session in world.engine.state.working)

    def test_without_proxies_there_is_nothing_to_wait_for(self) -> None:
        """It says so, as with any policy."""
        assert world_of().choose() == Wait(None, "there are no proxies", is_hopeless=True)
