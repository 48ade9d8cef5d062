"""One site's decisions: rests, caps, droughts, sessions with names, and what is told of it all."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import msgspec
import pytest
from tests.core.worlds import BAD, DAY, POLICIES, World, dry_up, gateway, is_name, plain, plains

from proxysieve.core.events import Asked, SessionClosed, SessionOpened
from proxysieve.core.fingerprints.available import FINGERPRINTS
from proxysieve.core.learning.held_sessions import HeldSessions
from proxysieve.core.learning.learned_limit import Limit
from proxysieve.core.learning.usage import Usage
from proxysieve.core.learning.usage_limits import FLOOR, WINDOWS, UsageLimits
from proxysieve.core.model import Outcome, Proxy
from proxysieve.core.policies.classic import Classic
from proxysieve.core.proxies.catalog import NAMES_AT_A_GATEWAY, Catalog
from proxysieve.core.records import ExitRecord, Record
from proxysieve.core.site.choices import Lost, Pick, Wait
from proxysieve.core.site.drought import DROUGHT_COUNT, DROUGHT_SECONDS, FEWEST_BAD_ANSWERS
from proxysieve.core.site.engine import Engine
from proxysieve.core.site.policy_protocol import Choice, Open
from proxysieve.core.site.state import MAX_IN_FLIGHT, SiteState
from proxysieve.core.site.status import SiteStatus

EACH_POLICY = pytest.mark.parametrize("policy", sorted(POLICIES))
EVERY_POLICY = pytest.mark.parametrize("policy", [*sorted(POLICIES), "adaptive"])
EACH_KIND = pytest.mark.parametrize(
    "proxy", [pytest.param(plain(0), id="plain"), pytest.param(gateway(0), id="gateway")]
)


class TestSessions:
    """How sessions come to be and end."""

    def test_a_pick_changes_nothing(self) -> None:
        """Choosing only reads: asked twice with the same seed, the answer is the same, and nothing is to be saved."""
        world = World([*plains(5), gateway(0)])
        world.work(2)
        world.save()

        first, second = (world.engine.choose(world.now, Random(seed)) for seed in (3, 3))

        assert first == second
        assert world.engine.take_changes() == []

    @EACH_POLICY
    def test_a_plain_proxy_has_no_name_at_a_provider(self, policy: str) -> None:
        """A plain proxy's session goes by the proxy alone."""
        world = World([plain(0)], policy)

        session = world.send(Outcome.OK)

        assert is_name(session.name)
        assert session.exit_name == ""
        assert session.exit_id == plain(0).key

    @pytest.mark.parametrize("outcome", BAD)
    @EACH_KIND
    def test_a_bad_answer_ends_a_session(self, outcome: Outcome, proxy: Proxy) -> None:
        """A working session that is blocked, throttled or failed by its proxy is not used again."""
        world = World([proxy], Classic(max_sessions=1))
        session = world.send(Outcome.OK)
        leased = world.lease()
        assert world.session(leased) is session

        closed = world.report(leased, outcome)

        assert closed == [session.name]
        world.pass_time(3600)
        assert world.session(world.lease()).name != session.name

    def test_one_unclear_answer_is_an_accident_and_two_are_not(self) -> None:
        """A working session survives an answer that says nothing, but not two in a row."""
        world = World([plain(0)], "round_robin")
        session = world.send(Outcome.OK)

        ends = [world.report(world.lease(), outcome) for outcome in (Outcome.UNCLEAR, Outcome.OK, Outcome.UNCLEAR)]
        last = world.report(world.lease(), Outcome.UNCLEAR)

        assert ends == [[], [], []]
        assert last == [session.name]

    def test_answers_that_say_nothing_are_one_accident_when_asked_together(self) -> None:
        """Requests under way when one said nothing are not the second time."""
        world = World([plain(0)], "round_robin")
        session = world.send(Outcome.OK)
        leases = [world.lease() for _ in range(4)]

        ends = [world.report(leased, Outcome.UNCLEAR) for leased in leases]

        assert ends == [[], [], [], []]
        assert session.unclear_count == world.exit(plain(0)).unclear_count == 1

    def test_a_plain_proxy_changes_hands(self) -> None:
        """Whoever opens a session where one is open ends that one, however it came to it."""
        world = World([plain(0)])
        first = world.send(Outcome.OK)
        opened = SessionOpened(world.now, "second", plain(0).key, "", FINGERPRINTS[0], is_named=False)

        closed = world.apply(opened)

        assert closed == [first.name]
        assert set(world.engine.state.sessions) == {"second"}

    def test_a_new_session_has_no_credit(self) -> None:
        """A session that was never answered well ends with the first answer that says nothing."""
        world = World([plain(0)])
        leased = world.lease()

        closed = world.report(leased, Outcome.UNCLEAR)

        assert closed == [leased.session_name]

    @pytest.mark.parametrize("outcome", [Outcome.SITE_ERROR, None])
    def test_what_says_nothing_of_the_exit_is_not_counted(self, outcome: Outcome | None) -> None:
        """The site's own errors and dropped leases leave the exit's record, and a working session, as they were."""
        world = World([plain(0)])
        session = world.send(Outcome.OK)
        before = msgspec.structs.replace(world.exit(plain(0)))

        for _ in range(5):
            world.send(outcome)

        assert world.exit(plain(0)) == before
        assert world.engine.state.sessions == {session.name: session}
        assert not world.engine.state.is_dry

    @pytest.mark.parametrize("outcome", [Outcome.SITE_ERROR, None])
    def test_what_never_worked_is_not_kept(self, outcome: Outcome | None) -> None:
        """A new session that met with the site's own error, or was given back, frees its proxy."""
        world = World([plain(0)])
        leased = world.lease()

        closed = world.report(leased, outcome)

        assert closed == [leased.session_name]
        assert world.exit(plain(0)) == ExitRecord()

    @EACH_KIND
    def test_a_late_answer_does_not_keep_a_proxy_occupied(self, proxy: Proxy) -> None:
        """A good answer to a question from before another session's block is no start for a new session."""
        world = World([proxy])
        named = world.lease("ann")
        leased = world.lease()
        world.report(named, Outcome.BLOCKED)

        closed = world.report(leased, Outcome.OK)

        if proxy.is_gateway:  # there it was asked of another exit
            assert closed == []
        else:
            assert closed == [leased.session_name]
            assert isinstance(world.choose(), Pick)

    @EACH_POLICY
    @EACH_KIND
    def test_a_session_ends_after_a_day(self, policy: str, proxy: Proxy) -> None:
        """For a day its exit can be trusted to be the same, and not a second longer."""
        world = World([proxy], policy)
        opened_at = world.now
        session = world.send(Outcome.OK)
        world.now = opened_at + DAY

        leased = world.lease()

        assert leased.session_name != session.name
        assert session.name in world.closed
        assert len(world.engine.state.working) == 0

    def test_closing_from_outside_is_final(self) -> None:
        """A session that was closed by its user is not picked again; closing it twice does no harm."""
        world = World([plain(0)])
        session = world.send(Outcome.OK)

        closed = [world.close(session.name), world.close(session.name), world.close("unknown")]

        assert closed == [[session.name], [], []]
        assert world.session(world.lease()).name != session.name

    def test_an_answer_that_comes_after_the_end_is_still_news(self) -> None:
        """A session that was closed with a request out is not reopened by its answer, but the exit gets the credit."""
        world = World([plain(0)])
        leased = world.lease()
        world.close(leased.session_name)

        world.report(leased, Outcome.OK)

        assert world.engine.state.sessions == {}
        assert len(world.engine.state.working) == 0
        assert world.exit(plain(0)).ok_count == 1

    @EACH_POLICY
    def test_a_session_carries_eight_requests_and_no_more(self, policy: str) -> None:
        """With the only session full, whoever comes next waits for an answer."""
        world = World([plain(0)], policy)
        world.send(Outcome.OK)

        leases = [world.lease() for _ in range(MAX_IN_FLIGHT)]
        choice = world.choose()
        world.report(leases[0], Outcome.OK)

        assert choice == Wait(None, "all sessions are busy or cool down")
        assert isinstance(world.choose(), Pick)

    @EACH_POLICY
    def test_a_proxy_that_left_is_not_picked(self, policy: str) -> None:
        """Neither its working session nor a new one goes through a proxy that was taken out."""
        world = World([plain(0), plain(1)], policy)
        world.work(2)

        world.catalog.remove(plain(0).key)

        picks = [world.lease() for _ in range(MAX_IN_FLIGHT)]
        assert {world.proxy(leased) for leased in picks} == {plain(1).key}
        assert isinstance(world.choose(), Wait)

    def test_sessions_at_a_gateway_each_have_an_exit_and_a_look(self) -> None:
        """Every new session at a provider has a fresh name, which is its exit's, and any of the identities."""
        world = World([gateway(0)], Classic(max_sessions=1000))

        leases = [world.lease() for _ in range(200)]

        sessions = [world.session(leased) for leased in leases]
        assert len({session.exit_name for session in sessions}) == 200
        assert all(is_name(session.exit_name) and session.name == session.exit_name for session in sessions)
        assert {session.fingerprint for session in sessions} == set(FINGERPRINTS)

    def test_names_at_a_gateway_leave_only_sums(self) -> None:
        """A name that is not used any more costs nothing; what happened to it counts for its provider."""
        world = World([gateway(0)])

        for outcome in (Outcome.BLOCKED, Outcome.PROXY_ERROR, Outcome.THROTTLED, Outcome.UNCLEAR, None):
            world.send(outcome, until=world.now + 30)

        good = world.send(Outcome.OK)
        world.close(good.name)

        record = world.exit(gateway(0))
        assert set(world.engine.state.exits) == {gateway(0).key}
        assert (record.ok_count, record.last_ok_at) == (1, world.now)
        counts = record.blocked_count, record.proxy_error_count, record.throttled_count, record.unclear_count
        assert counts == (1, 1, 1, 1)
        assert record.cooldown_until == 0


class TestRests:
    """Retry-After is a lower bound."""

    @EACH_POLICY
    @pytest.mark.parametrize("outcome", [Outcome.THROTTLED, Outcome.BLOCKED, Outcome.OK])
    def test_a_resting_exit_is_left_alone(self, policy: str, outcome: Outcome) -> None:
        """Until the moment that the site named, the exit is not used; from then on it is."""
        world = World([plain(0), plain(1)], policy)
        world.work(2)
        leased = world.lease()
        cooling_down, until = world.proxy(leased), world.now + 500
        world.report(leased, outcome, until=until)

        others = {world.proxy(world.lease()) for _ in range(MAX_IN_FLIGHT)}
        world.now = until - 0.001
        before = world.choose()
        world.now = until
        leased = world.lease()

        assert cooling_down not in others
        assert before == Wait(until, "all sessions are busy or cool down")
        assert world.proxy(leased) == cooling_down

    def test_the_later_of_two_rests_holds(self) -> None:
        """A shorter rest does not cut a longer one off, even when its answer comes late."""
        world = World([plain(0)])
        first, second = world.lease("ann"), world.lease("ann")
        until = world.now + 900

        world.report(first, Outcome.THROTTLED, until=until)
        world.report(second, Outcome.THROTTLED, until=until - 800)

        assert world.exit(plain(0)).cooldown_until == until

    def test_a_late_answer_may_still_ask_for_a_rest(self) -> None:
        """An answer that counts for nothing else is believed in when it names a time."""
        world = World([plain(0)], "round_robin")
        first, second = world.lease(), world.lease()
        until = world.now + 900

        world.report(first, Outcome.BLOCKED)
        world.report(second, Outcome.THROTTLED, until=until)

        assert world.exit(plain(0)).cooldown_until == until
        assert world.exit(plain(0)).throttled_count == 0

    def test_when_all_rest_the_first_to_come_back_is_waited_for(self) -> None:
        """With every exit at rest nothing but time helps, and it is known how much."""
        world = World(plains(3), "round_robin")
        start = world.now

        for seconds in (300, 100, 200):
            world.send(Outcome.OK, until=start + seconds)

        assert world.choose() == Wait(start + 100, "all 3 exits cool down, as the site asked", is_hopeless=True)

    def test_a_new_named_session_rests_like_any_other(self) -> None:
        """A name is opened on an exit that does not rest, and waits while there is none."""
        world = World([plain(0), plain(1)])
        world.work(2)
        until = world.now + 500
        leased = world.lease()
        cooling_down = world.proxy(leased)
        world.report(leased, Outcome.THROTTLED, until=until)

        homes = {world.send(Outcome.OK, f"name{number}").proxy_key for number in range(20)}
        world.catalog.remove(homes.pop())
        wait = world.choose_named("late")

        assert homes == set()
        assert cooling_down in world.catalog
        assert wait == Wait(until, "all 1 exits cool down, as the site asked", is_hopeless=True)


class TestRateCap:
    """The cap over all sessions of a site."""

    def test_who_waits_as_told_gets_the_whole_rate(self) -> None:
        """Waiting exactly until the moment that is named, a hundred requests at 10 a second take 9.9 seconds."""
        world = World([gateway(0)], "uniform_random", max_rate=10)
        start = world.now

        for _ in range(100):
            choice = world.choose()
            while isinstance(choice, Wait):
                assert choice.until is not None
                assert not choice.is_hopeless
                world.now = choice.until
                choice = world.choose()
            world.take(choice)

        assert world.now - start == pytest.approx(9.85, abs=1e-6)

    def test_a_quiet_time_saves_nothing_up(self) -> None:
        """After an hour's pause the next second has its share and no more."""
        world = World([gateway(0)], "uniform_random", max_rate=2)
        world.lease()
        world.pass_time(3600)

        world.lease()

        assert isinstance(world.choose(), Wait)

    def test_named_sessions_are_under_the_cap_too(self) -> None:
        """Rotation by name is no way around it, neither at the first use nor later."""
        world = World(plains(3), max_rate=1)
        world.lease("ann")

        waits = [world.choose_named("ann"), world.choose_named("bob"), world.choose()]

        assert waits == [Wait(world.now + 0.95, "the site's rate cap")] * 3

    def test_what_a_page_asks_for_beside_leases_counts_from_when_it_was_asked(self) -> None:
        """Three things more keep the next request for three turns, and a quiet time before them saves nothing up."""
        world = World(plains(3), max_rate=1)
        world.lease()
        world.pass_time(3600)

        world.apply(Asked(world.now, 3))

        assert world.choose() == Wait(world.now + 2.95, "the site's rate cap")

    def test_what_was_counted_when_it_was_asked_is_not_counted_by_its_lease(self) -> None:
        """One that is judged afterwards takes no turn more."""
        world = World(plains(3), max_rate=1)
        session = world.session(world.lease())
        world.apply(Asked(world.now, 1))
        due_at = world.engine.state.site.next_at

        world.apply(world.engine.leased(session.name, world.now, is_counted=True))

        assert world.engine.state.site.next_at == due_at

    def test_without_a_cap_there_is_no_wait(self) -> None:
        """Zero means no cap."""
        world = World([gateway(0)], "uniform_random")

        leases = [world.lease() for _ in range(50)]

        assert len(leases) == len(world.flights) == 50


class Stubborn:
    """A policy that wants the first proxy, come what may."""

    def choose(self, state: SiteState, now: float, rng: Random) -> Choice:  # noqa: ARG002 - it looks at nothing
        return Open(next(iter(state.catalog)), "because")


class TestRulesOverPolicies:
    """What a policy asks for is not granted where a rule is against it."""

    def test_a_rest_is_kept(self) -> None:
        """Retry-After is the least to wait, whatever the policy."""
        world = World(plains(2), Stubborn())
        until = world.now + 60
        world.send(Outcome.THROTTLED, until=until)

        wait = world.choose()

        assert isinstance(wait, Wait)
        assert wait.until == until

    def test_a_session_carries_no_more_than_it_may(self) -> None:
        """The ninth request waits for an answer."""
        world = World(plains(1), Stubborn())
        world.send(Outcome.OK)
        for _ in range(MAX_IN_FLIGHT):
            world.lease()

        assert isinstance(world.choose(), Wait)


class TestDrought:
    """When nothing works, single probes go out, ever more seldom."""

    @EACH_POLICY
    def test_probes_go_out_alone_with_doubling_pauses(self, policy: str) -> None:
        """1, 2, 4 … seconds after the last failure; only time can change it."""
        world = World(plains(5), policy)
        dry_up(world)

        pauses = []
        for _ in range(12):
            wait = world.choose()
            assert isinstance(wait, Wait)
            assert wait.is_hopeless
            assert wait.until is not None
            assert wait.why.startswith("none of the 5 exits tried since the last good answer works, most often: ")
            pauses.append(wait.until - world.now)
            world.now = wait.until
            leased = world.lease()
            assert world.choose() == Wait(None, "nothing works; waiting for the answer to a probe")
            world.report(leased, Outcome.BLOCKED)

        assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048]

    @pytest.mark.parametrize("outcome", [*BAD, Outcome.UNCLEAR])
    def test_any_kind_of_failure_makes_one(self, outcome: Outcome) -> None:
        """Blocks, throttles, dead proxies and answers that say nothing all count, each exit once."""
        world = World(plains(4))

        dry_up(world, outcome)

        assert world.engine.state.drought.failing_count == 4

    def test_it_ends_after_an_hour_of_silence(self) -> None:
        """Bans end, and proxies come back: what nobody asked about for so long is asked about anew, pauses and all."""
        world = World(plains(5))
        dry_up(world)
        for _ in range(8):
            world.pass_time(3000)
            world.send(Outcome.BLOCKED)
        world.pass_time(DROUGHT_SECONDS)

        leases = [world.lease() for _ in range(5)]
        for leased in leases:
            world.report(leased, Outcome.BLOCKED)

        assert world.engine.state.drought.failing_count == 5
        assert world.engine.state.drought.probe_count == 0

    def test_the_callers_own_errors_make_none(self) -> None:
        """They say nothing about the site."""
        world = World(plains(2))

        for _ in range(200):
            world.send(None)

        assert isinstance(world.choose(), Pick)

    def test_a_few_of_the_sites_own_errors_make_none(self) -> None:
        """Pages that fail by their own fault are no reason to hold the others."""
        world = World(plains(2))

        for _ in range(FEWEST_BAD_ANSWERS - 1):
            world.send(Outcome.SITE_ERROR)

        assert isinstance(world.choose(), Pick)

    def test_very_many_bad_answers_make_one_whatever_they_are(self) -> None:
        """Some exit may never be drawn, as one that rests; then it is not waited for."""
        world = World(plains(10))
        world.send(Outcome.THROTTLED, until=world.now + 1_000_000)
        world.pass_time(1)
        world.send(Outcome.OK)
        world.apply(SessionClosed(world.now, next(iter(world.engine.state.sessions))))
        world.pass_time(1)

        for _ in range(FEWEST_BAD_ANSWERS):
            world.send(Outcome.SITE_ERROR if world.rng.random() < 0.5 else Outcome.BLOCKED)

        assert world.engine.state.is_dry
        assert isinstance(world.choose(), Wait)

    def test_one_good_answer_ends_it(self) -> None:
        """As soon as one exit works, the search goes on as before, and a later drought starts with a short pause."""
        world = World(plains(5))
        dry_up(world)
        world.pass_time(1)
        world.send(Outcome.BLOCKED)
        world.pass_time(2)

        world.send(Outcome.OK)

        assert not world.engine.state.is_dry
        assert world.engine.state.drought.failing_count == world.engine.state.drought.probe_count == 0
        assert len([world.lease() for _ in range(5)]) == 5

    def test_a_working_session_means_no_drought(self) -> None:
        """However many others fail, as long as one works nobody waits."""
        world = World(plains(3), "round_robin")
        world.send(Outcome.OK)

        for _ in range(30):
            leased = world.lease()
            world.report(leased, Outcome.OK if world.proxy(leased) == plain(0).key else Outcome.BLOCKED)

        assert not world.engine.state.is_dry

    def test_what_was_out_when_it_began_is_not_a_probe(self) -> None:
        """Answers that were under way belong to the drought and do not lengthen its pauses."""
        world = World([gateway(0)])
        leases = [world.lease() for _ in range(NAMES_AT_A_GATEWAY + 20)]

        for leased in leases:
            world.report(leased, Outcome.BLOCKED)
        wait = world.choose()

        assert world.engine.state.is_dry
        assert isinstance(wait, Wait)
        assert wait.until == world.now + 1

    @pytest.mark.parametrize(
        ("proxies", "count"),
        [
            pytest.param(plains(1), 1, id="one-proxy"),
            pytest.param(plains(7), 7, id="each-plain-proxy"),
            pytest.param([gateway(0)], NAMES_AT_A_GATEWAY, id="many-names-of-a-gateway"),
            pytest.param([*plains(3), gateway(0), gateway(1)], 3 + 2 * NAMES_AT_A_GATEWAY, id="both"),
            pytest.param([gateway(number) for number in range(20)], DROUGHT_COUNT, id="a-thousand-are-enough"),
        ],
    )
    def test_it_takes_as_good_as_all(self, proxies: list[Proxy], count: int) -> None:
        """It is known once every plain proxy and a hundred names of each gateway failed, or a thousand in all."""
        world = World(proxies, "uniform_random")

        dry_up(world)

        assert world.engine.state.drought.failing_count == count

    def test_it_outlives_a_restart_but_for_its_pauses(self) -> None:
        """The next run does not start with a thousand requests to a site where nothing works, but soon asks again."""
        world = World(plains(5))
        dry_up(world)
        world.save()
        world.pass_time(1)
        leased = world.lease()
        world.save()
        world.report(leased, Outcome.BLOCKED)

        loaded = world.restart()

        wait = loaded.choose(world.now, Random(1))
        assert loaded.state.is_dry
        assert isinstance(wait, Wait)
        assert wait.until == world.now + 1

    def test_fresh_proxies_end_it(self) -> None:
        """Who brings another list does not wait for the end of a drought of the old one, nor inherits its pauses."""
        world = World(plains(5))
        dry_up(world)
        for _ in range(10):
            world.pass_time(4000)
            world.send(Outcome.BLOCKED)
        world.save()

        loaded = Engine("shop.example", Catalog([plain(7), plain(8)]), world.policy, records=world.store.values())

        assert not loaded.state.is_dry
        assert isinstance(loaded.choose(world.now, Random(1)), Pick)
        assert (loaded.state.drought.failing_count, loaded.state.drought.probe_count) == (0, 0)

    def test_its_end_outlives_a_restart_too(self) -> None:
        """A good answer that came after the last save but one is not forgotten."""
        world = World(plains(5))
        dry_up(world)
        world.pass_time(1)
        leased = world.lease()
        world.save()
        world.report(leased, Outcome.OK)

        loaded = world.restart()

        assert loaded.state.site.last_ok_at == world.engine.state.site.last_ok_at
        assert loaded.state.drought.failing_count == 0

    def test_named_sessions_are_not_held(self) -> None:
        """Whether a session with a name goes on is its user's decision."""
        world = World(plains(5))
        world.send(Outcome.OK, "ann")
        dry_up(world)

        assert isinstance(world.choose_named("ann"), Pick)

    def test_an_empty_catalog_is_hopeless(self) -> None:
        """Without proxies there is nothing to wait for, with a name or without one."""
        world = World([])

        assert world.choose() == Wait(None, "there are no proxies", is_hopeless=True)
        assert world.choose_named("ann") == Wait(None, "there are no proxies", is_hopeless=True)


class TestTheSameAgain:
    """The session of a try that the site failed, for the next one."""

    def idle(
        self, policy: str, *, max_rate: float = 0.0, proxies: Sequence[Proxy] = tuple(plains(3))
    ) -> tuple[World, str]:
        """A world in which a session works on each proxy, and the name of one that has just met with an error."""
        world = World(proxies, policy, max_rate=max_rate)
        while world.engine.state.working.session_count < len(proxies):
            leases = []
            for _ in proxies:
                world.pass_time(60)
                leases.append(world.take(world.choose(waiting=len(proxies))))
            for leased in leases:
                world.report(leased, Outcome.OK)
        world.pass_time(20000)
        return world, world.send(Outcome.SITE_ERROR).name

    @EVERY_POLICY
    def test_it_is_to_be_had(self, policy: str) -> None:
        """Whatever the policy would draw, and as no new one."""
        world, name = self.idle(policy)

        pick = world.choose_again(name)

        assert pick is not None
        assert (pick.opened, pick.leased.session_name, pick.leased.is_draw) == (None, name, False)
        world.report(world.take(pick), Outcome.OK)

    @EVERY_POLICY
    def test_choosing_it_changes_nothing(self, policy: str) -> None:
        """It only reads, as any choice does."""
        world, name = self.idle(policy)
        world.save()

        assert world.choose_again(name) == world.choose_again(name)
        assert world.engine.take_changes() == []

    @EVERY_POLICY
    def test_what_is_unknown_or_ended_is_not(self, policy: str) -> None:
        """Any other may be, as if nobody had asked for it."""
        world, name = self.idle(policy)
        world.close(name)

        assert world.choose_again(name) is None
        assert world.choose_again("nobody") is None
        assert isinstance(world.choose(), Pick)

    @EVERY_POLICY
    def test_one_that_had_never_worked_has_ended(self, policy: str) -> None:
        """The site's error closed it, as nothing is known of it and its proxy may be wanted."""
        world = World(plains(5), policy)
        name = world.send(Outcome.SITE_ERROR).name

        assert world.choose_again(name) is None

    @EVERY_POLICY
    def test_a_named_one_belongs_to_its_user(self, policy: str) -> None:
        """Nobody gets it by the way."""
        world, _ = self.idle(policy)
        world.send(Outcome.OK, "ann")

        assert world.choose_again("ann") is None

    @EVERY_POLICY
    def test_a_rest_is_kept(self, policy: str) -> None:
        """Until the moment that the site named; from then on it is to be had."""
        world, name = self.idle(policy)
        pick = world.choose_again(name)
        until = world.now + 100
        world.report(world.take(pick), Outcome.SITE_ERROR, until=until)

        during = world.choose_again(name)
        world.now = until

        assert during is None
        assert world.choose_again(name) is not None

    @EVERY_POLICY
    def test_eight_requests_are_enough_for_it(self, policy: str) -> None:
        """Also where everybody asks for the same one."""
        world, name = self.idle(policy)
        for _ in range(MAX_IN_FLIGHT):
            pick = world.choose_again(name)
            if pick:
                world.take(pick)

        assert 0 < world.engine.state.in_flight[name] <= MAX_IN_FLIGHT
        assert world.choose_again(name) is None

    @EVERY_POLICY
    def test_the_cap_is_kept(self, policy: str) -> None:
        """It is no way around the site's rate."""
        world, name = self.idle(policy, max_rate=0.1)

        before = world.choose_again(name)
        world.pass_time(600)

        assert before is None
        assert world.choose_again(name) is not None

    @EVERY_POLICY
    def test_a_proxy_that_left_is_not_used(self, policy: str) -> None:
        """The session waits for its return with all others."""
        world, name = self.idle(policy)
        world.catalog.remove(world.engine.state.sessions[name].proxy_key)

        assert world.choose_again(name) is None

    def test_one_that_is_held_is_not(self) -> None:
        """Until it is known whether it is blocked."""
        world, name = self.idle("adaptive")
        world.report(world.take(world.choose_again(name)), Outcome.BLOCKED)

        assert name in world.engine.state.sessions
        assert world.choose_again(name) is None

    def test_probes_of_an_alarm_are_for_nobody_in_particular(self) -> None:
        """While all fail together, single requests ask, and the engine says which."""
        world, name = self.idle("adaptive", proxies=plains(40))
        while not doubts_of(world).alarm_at:
            choice = world.choose()
            if isinstance(choice, Pick):
                world.report(world.take(choice), Outcome.SITE_ERROR)
            else:
                world.pass_time(1)
        world.pass_time(3600)

        assert world.choose_again(name) is None
        assert isinstance(world.choose(), Pick)

    def test_what_was_learned_is_kept(self) -> None:
        """One that has gone as far as any has is not asked again at once, however often it is wanted."""
        world, name = self.idle("adaptive")
        count = 0
        while pick := world.choose_again(name):
            world.report(world.take(pick), Outcome.SITE_ERROR)
            count += 1

        assert 0 < count <= FLOOR
        world.pass_time(WINDOWS[-1])
        assert world.choose_again(name) is not None

    def test_a_limit_that_is_believed_in_is_kept(self) -> None:
        """Of the exit, and of its network."""
        near = [Proxy(scheme="http", host=f"203.0.113.{number}", port=8000) for number in range(5)]
        for scope in ("exit_limits", "network_limits"):
            world, name = self.idle("adaptive", proxies=near)
            pace: UsageLimits = getattr(usage_of(world), scope)
            pace.limits = [Limit(1, 900.0, most=1, subject="another")]

            before = world.choose_again(name)
            pace.limits = []

            assert before is None
            assert world.choose_again(name) is not None


def doubts_of(world: World) -> HeldSessions:
    assert world.engine.state.learner
    return world.engine.state.learner.held_sessions


def usage_of(world: World) -> Usage:
    assert world.engine.state.learner
    return world.engine.state.learner.usage


class TestNamedSessions:
    """A session that its user names is that one and no other."""

    @EACH_POLICY
    @EACH_KIND
    def test_a_name_means_one_proxy_exit_and_look(self, policy: str, proxy: Proxy) -> None:
        """Whatever others do meanwhile, and in the next run too."""
        world = World([proxy, plain(7), gateway(7)], policy)
        first = world.send(Outcome.OK, "ann")

        for number in range(30):
            world.send(Outcome.BLOCKED if number % 3 else Outcome.OK)
            assert world.send(Outcome.OK, "ann") is first
        loaded = world.restart().state.sessions["ann"]

        assert loaded == first
        assert isinstance(world.restart().choose_named("ann", world.now, Random(5)), Pick)

    def test_a_name_is_nobody_elses(self) -> None:
        """A policy never picks a session that has a name."""
        world = World(plains(2), "round_robin")
        world.send(Outcome.OK, "ann")

        picked = {world.session(world.lease()).name for _ in range(10)}

        assert "ann" not in picked
        assert len(world.engine.state.working) == 0

    @pytest.mark.parametrize("proxies", [plains(20), [*plains(19), gateway(0)]], ids=["plain", "with-a-gateway"])
    def test_a_name_is_opened_where_others_get_through(self, proxies: list[Proxy]) -> None:
        """Of twenty proxies one works; every name gets its exit there, at a gateway one of its own."""
        world = World(proxies, Classic(max_sessions=1))
        good = proxies[-1]
        while not world.engine.state.working:
            leased = world.lease()
            world.report(leased, Outcome.OK if world.proxy(leased) == good.key else Outcome.BLOCKED)

        named = [world.send(Outcome.OK, f"name{number}") for number in range(10)]

        assert {session.proxy_key for session in named} == {good.key}
        assert len({session.exit_id for session in named}) == (10 if good.is_gateway else 1)

    def test_a_name_is_opened_anywhere_where_nothing_is_known(self) -> None:
        """As long as nobody gets through, all proxies are equally likely."""
        world = World(plains(4))

        homes = [world.proxy(world.lease(f"name{number}")) for number in range(400)]

        assert all(70 <= homes.count(proxy.key) <= 130 for proxy in plains(4))

    @pytest.mark.parametrize("outcome", [*BAD, Outcome.UNCLEAR])
    def test_a_name_that_never_worked_has_nothing_to_lose(self, outcome: Outcome) -> None:
        """Its next request opens it anew, on any proxy."""
        world = World(plains(50))

        sessions = [world.send(outcome, "ann") for _ in range(10)]

        assert len({session.proxy_key for session in sessions}) > 1
        assert len({id(session) for session in sessions}) == 10
        assert world.engine.state.sessions == {}

    def test_a_new_name_waits_in_a_drought(self) -> None:
        """Opening a name is no way around the pauses between probes."""
        world = World(plains(3))
        dry_up(world)

        wait = world.choose_named("ann")

        assert wait == world.choose()
        assert isinstance(wait, Wait)
        assert wait.until == world.now + 1

    def test_a_name_may_share_where_all_are_taken(self) -> None:
        """Where every proxy carries a session, the named one and the other live side by side."""
        world = World([plain(0)])
        other = world.send(Outcome.OK)

        named = world.send(Outcome.OK, "ann")

        assert named.proxy_key == other.proxy_key
        assert set(world.engine.state.sessions) == {other.name, "ann"}

    @pytest.mark.parametrize(
        ("outcomes", "why"),
        [
            pytest.param([Outcome.BLOCKED], "blocked: as told: blocked", id="blocked"),
            pytest.param([Outcome.UNCLEAR] * 2, "unclear: as told: unclear", id="unclear-twice"),
            pytest.param([Outcome.PROXY_ERROR] * 2, "proxy_error: as told: proxy_error", id="proxy-failed-twice"),
        ],
    )
    @EACH_KIND
    def test_a_name_whose_exit_is_lost_says_so(self, outcomes: list[Outcome], why: str, proxy: Proxy) -> None:
        """It is lost for good, also in the next run, until it is closed; then the name is opened anew."""
        world = World([proxy])
        first = world.send(Outcome.OK, "ann")
        for outcome in outcomes:
            world.send(outcome, "ann")
        world.pass_time(10 * DAY)

        lost = [world.choose_named("ann"), world.restart().choose_named("ann", world.now, Random(1))]
        world.close("ann")
        world.save()
        second = world.session(world.lease("ann"))

        assert lost == [Lost(why), Lost(why)]
        assert second is not first
        assert ("session", "ann") not in world.store

    @pytest.mark.parametrize("outcome", [Outcome.UNCLEAR, Outcome.PROXY_ERROR, Outcome.SITE_ERROR, None])
    def test_one_accident_does_not_lose_a_name(self, outcome: Outcome | None) -> None:
        """A single failure that may be anybody's leaves a named session as it is."""
        world = World([plain(0)])
        first = world.send(Outcome.OK, "ann")

        world.send(outcome, "ann")

        assert world.send(Outcome.OK, "ann") is first

    def test_a_name_that_is_throttled_rests(self) -> None:
        """It comes back by itself, at the moment that the site named."""
        world = World([plain(0)])
        first = world.send(Outcome.OK, "ann")
        until = world.now + 500
        world.send(Outcome.THROTTLED, "ann", until=until)

        wait = world.choose_named("ann")
        world.now = until

        assert wait == Wait(until, "the site asked to leave it alone for a while", is_hopeless=True)
        assert world.session(world.lease("ann")) is first

    def test_a_name_whose_proxy_left_is_lost(self) -> None:
        """A session never moves to another proxy by itself."""
        world = World(plains(2))
        session = world.send(Outcome.OK, "ann")

        world.catalog.remove(session.proxy_key)

        assert world.choose_named("ann") == Lost("its proxy is no longer in the list")

    def test_a_name_at_a_gateway_lasts_a_day(self) -> None:
        """A provider gives exits to others after a while; nobody knows that it has not."""
        world = World([gateway(0)])
        opened_at = world.now
        world.send(Outcome.OK, "ann")

        world.now = opened_at + DAY - 1
        before = world.choose_named("ann")
        world.now = opened_at + DAY
        after = world.choose_named("ann")

        assert isinstance(before, Pick)
        assert after == Lost("its provider may have given the exit to somebody else by now")

    def test_a_name_on_a_plain_proxy_lasts(self) -> None:
        """Its exit stays what it is."""
        world = World([plain(0)])
        session = world.send(Outcome.OK, "ann")

        world.pass_time(100 * DAY)

        assert world.session(world.lease("ann")) is session

    def test_a_full_name_waits_for_an_answer(self) -> None:
        """It carries eight requests at a time like any other."""
        world = World([plain(0)])

        leases = [world.lease("ann") for _ in range(MAX_IN_FLIGHT)]
        wait = world.choose_named("ann")
        world.report(leases[3], Outcome.OK)

        assert wait == Wait(None, "it carries all that it may")
        assert isinstance(world.choose_named("ann"), Pick)

    def test_a_name_that_a_session_has_by_chance_is_taken_from_it(self) -> None:
        """Where a user asks for the name of an unnamed session, that one ends first."""
        world = World(plains(2))
        chance = world.send(Outcome.OK)

        named = world.lease(chance.name)

        assert chance.name in world.closed
        assert world.session(named).is_named
        assert len(world.engine.state.working) == 0


class TestStanding:
    """How many stand where."""

    def test_each_exit_is_counted_once(self) -> None:
        """Working sessions, and exits that rest, are blocked or are dead."""
        world = World(plains(6), "round_robin")
        until = world.now + 900

        told = [Outcome.OK, Outcome.BLOCKED, Outcome.THROTTLED, Outcome.PROXY_ERROR, Outcome.UNCLEAR]
        for outcome in told:
            world.send(outcome)
        world.send(Outcome.THROTTLED, until=until)

        assert world.engine.status(world.now) == SiteStatus(working=1, cooling_down=1, blocked=2, dead=1, unclear=1)
        assert world.engine.status(until) == SiteStatus(working=1, cooling_down=0, blocked=3, dead=1, unclear=1)

    def test_the_names_of_a_gateway_are_counted_by_its_sums(self) -> None:
        """Of a provider it is told how many names were blocked and how many were dead, in whatever order."""
        world = World([gateway(0)], "round_robin")

        for outcome in (Outcome.BLOCKED, Outcome.BLOCKED, Outcome.THROTTLED, Outcome.OK, Outcome.PROXY_ERROR):
            world.send(outcome)

        assert world.engine.status(world.now) == SiteStatus(working=1, cooling_down=0, blocked=3, dead=1)

    def test_it_reads_as_a_sentence(self) -> None:
        """It is put into errors as it is."""
        assert str(SiteStatus(1, 2, 3, 4)) == "1 working, 2 cooling down, 3 blocked, 4 dead"


class TestRecords:
    """What is saved and loaded."""

    def test_only_what_changed_is_saved(self) -> None:
        """A request touches its session, its exit and the site; asked again, nothing is left to be saved."""
        world = World(plains(3))
        world.work(2)
        world.save()

        session = world.send(Outcome.OK, "ann")
        changes = world.engine.take_changes()

        assert {(one.kind, one.key) for one in changes} == {
            ("session", "ann"),
            ("exit", session.exit_id),
            ("site", ""),
        }
        assert {one.site for one in changes} == {"shop.example"}
        assert world.engine.take_changes() == []

    def test_changes_come_in_an_order_of_their_own(self) -> None:
        """By kind and key: hashes differ from process to process, and a store may keep the order."""
        world = World(plains(5))
        world.work(5)

        changes = [(one.kind, one.key) for one in world.engine.take_changes()]

        assert len(changes) == 11
        assert changes == sorted(changes)

    def test_a_session_is_kept_only_once_it_worked(self) -> None:
        """What was merely tried leaves the exit's record and no session."""
        world = World(plains(3))

        for outcome in (Outcome.BLOCKED, Outcome.SITE_ERROR, Outcome.UNCLEAR):
            world.send(outcome)
        world.lease()
        world.save()

        assert {kind for kind, _ in world.store} == {"exit", "site"}

    def test_a_session_that_ended_is_deleted(self) -> None:
        """Its record goes with it, its exit's stays."""
        world = World([plain(0)])
        world.send(Outcome.OK)
        world.save()

        world.send(Outcome.BLOCKED)
        world.save()

        assert sorted(kind for kind, _ in world.store) == ["exit", "site"]

    def test_sessions_of_another_list_do_not_work(self) -> None:
        """With another list of proxies, what worked before is not counted, so a drought is seen; it comes back with
        the list."""
        world = World(plains(3))
        world.work(3)
        world.save()
        other = World([plain(10)])
        other.store = world.store

        other_sites = other.restart()
        at_home = world.restart()

        assert len(other_sites.state.working) == 0
        assert len(at_home.state.working) == 3

    def test_a_name_at_a_gateway_without_a_session_is_summed_up(self) -> None:
        """A crash between two saves leaves no exits behind that nobody can use."""
        world = World([gateway(0)])
        name = f"{gateway(0).key}/abcdefgh"
        saved = Record("shop.example", "exit", name, msgspec.json.encode(ExitRecord(blocked_count=2)))

        engine = Engine("shop.example", world.catalog, world.policy, records=[saved])

        assert set(engine.state.exits) == {gateway(0).key}
        assert engine.state.exits[gateway(0).key].blocked_count == 2
        assert {(one.kind, one.key, one.value is None) for one in engine.take_changes()} == {
            ("exit", name, True),
            ("exit", gateway(0).key, False),
        }

    def test_kinds_that_belong_to_others_are_passed_over(self) -> None:
        """Cookies are kept in the same place and mean nothing to the engine."""
        engine = Engine("shop.example", Catalog(), Classic(), records=[Record("shop.example", "cookies", "a", b"[]")])

        assert engine.take_changes() == []

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            pytest.param("site", b"", id="empty-site"),
            pytest.param("site", b'{"lease_count": 1', id="cut-off-site"),
            pytest.param("site", b'{"lease_count": "one"}', id="site-of-another-type"),
            pytest.param("exit", b"\x00\xff", id="garbage-for-an-exit"),
            pytest.param("exit", b'{"last": "excellent"}', id="exit-with-an-unknown-outcome"),
            pytest.param("session", b"{}", id="session-without-a-name"),
            pytest.param("session", b"[]", id="session-that-is-a-list"),
        ],
    )
    def test_a_damaged_record_is_refused(self, kind: str, value: bytes) -> None:
        """The shell is told, rather than given a site that forgot."""
        with pytest.raises(msgspec.DecodeError):
            Engine("shop.example", Catalog(), Classic(), records=[Record("shop.example", kind, "k", value)])


class TestAvoided:
    """A request that has failed on some exits, whatever the policy."""

    @EVERY_POLICY
    @pytest.mark.parametrize("seed", range(20))
    def test_it_does_not_go_where_it_failed_while_another_may_be_used(self, policy: str, seed: int) -> None:
        """Also where it would be the turn of the one on which it did."""
        world = World(plains(4), policy, seed=seed)
        failed: set[str] = set()
        for _ in range(4):
            leased = world.take(world.engine.choose(world.now, world.rng, 1, 0, failed))
            failed.add(world.session(leased).exit_id)
            world.report(leased, Outcome.PROXY_ERROR)
            world.pass_time(4000)

        assert len(failed) == 4

    @EVERY_POLICY
    @pytest.mark.parametrize("seed", range(20))
    def test_it_goes_through_no_name_again_while_there_are_others(self, policy: str, seed: int) -> None:
        """Also where a provider has few: chance may give one that has ended."""
        world = World([msgspec.structs.replace(gateway(0), numbers=(1, 4))], policy, seed=seed)
        failed: set[str] = set()
        for _ in range(4):
            leased = world.take(world.engine.choose(world.now, world.rng, 1, 0, failed))
            failed.add(world.session(leased).exit_id)
            world.report(leased, Outcome.BLOCKED)

        assert len(failed) == 4

    def test_it_avoids_them_alone(self) -> None:
        """A session that somebody asks for by its name is not in its way."""
        world = World(plains(2), "adaptive")
        session = world.send(Outcome.OK, "bob")
        world.take(world.engine.choose(world.now, world.rng, 1, 0, {session.exit_id}))

        assert isinstance(world.choose_named("bob"), Pick)
