"""Each rival's rule, by a small script of its own."""

from __future__ import annotations

from random import Random

import pytest
from tests.sim.scripts import OK, B, D, E, U, answer, plain, played, sent, use, world

from proxysieve.core.model import Outcome
from proxysieve.sim import load_scenario, simulate
from proxysieve.sim.bans import START_AT
from proxysieve.sim.rivals.apify_2019 import Apify2019
from proxysieve.sim.rivals.crawlee import PythonPool, PythonSession, Session, crawlee_100, crawlee_until_failure
from proxysieve.sim.rivals.informed import MAX_IN_FLIGHT, Informed
from proxysieve.sim.rivals.oracle import Oracle
from proxysieve.sim.rivals.resin import Resin
from proxysieve.sim.rivals.rival import Later
from proxysieve.sim.rivals.rotating_proxies import RotatingProxies
from proxysieve.sim.rivals.rotation import AnyAddress, InTurn
from proxysieve.sim.rivals.stygian import Stygian
from proxysieve.sim.rivals.zyte import Zyte


def rng() -> Random:
    return Random(7)


def test_a_provider_stands_in_the_list_of_addresses_with_as_many_names_as_exits() -> None:
    """After the plain proxies, which stand for themselves; two names may have one exit."""
    made = world("[[exits]]\ncount = 3\n[[exits]]\ncount = 40\nprovider = true\n")

    addresses = made.exits.addresses
    assert addresses[:3] == [0, 1, 2]
    assert len(addresses) == 43
    assert 10 < len(set(addresses[3:])) < 40
    assert set(addresses[3:]) <= set(range(3, 43))


def test_any_address_remembers_nothing() -> None:
    """Blocked ones are as likely as others."""
    rival = AnyAddress(plain(4), rng())

    used = [use(rival, B) for _ in range(400)]

    assert all(70 < used.count(exit_) < 130 for exit_ in range(4))


def test_in_turn_goes_round() -> None:
    """Whatever came of it."""
    rival = InTurn(plain(3), rng())

    assert [use(rival, outcome) for outcome in (OK, B, D, OK)] == [0, 1, 2, 0]


class TestApify2019:
    """``pickSession``."""

    def test_success_stores_a_session_and_failure_deletes_it(self) -> None:
        """Twice, or absent, does no harm."""
        rival = Apify2019(plain(500), rng())
        store = rival._stores[0]

        first = sent(rival)
        counts = []
        for outcome in (OK, OK, E, E):
            rival.finish(0, first.ticket, answer(outcome), START_AT)
            counts.append(len(store))

        assert counts == [1, 1, 0, 0]

    def test_the_chance_of_a_new_session_falls_with_the_number_of_stored_ones(self) -> None:
        """To none at 100."""
        rival = Apify2019(plain(500), rng())
        for _ in range(2000):
            use(rival, OK)

        known = len(rival._exits)
        for _ in range(500):
            use(rival, OK)

        assert len(rival._stores[0]) == 100
        assert len(rival._exits) == known

    def test_sites_have_stores_of_their_own(self) -> None:
        """What works at one is not stored at the other."""
        rival = Apify2019(plain(500, sites=2), rng())

        use(rival, OK, site=0)

        assert [len(store) for store in rival._stores] == [1, 0]


class TestCrawlee:
    """Its pools."""

    def test_new_sessions_take_proxies_in_turn_until_the_pool_is_full(self) -> None:
        """One a request."""
        rival = crawlee_100(plain(30), rng())

        assert [use(rival, OK) for _ in range(60)] == [*range(30), *range(30)]

    def test_a_full_pool_is_drawn_from(self) -> None:
        """No session is made while those drawn are usable."""
        rival = crawlee_100(plain(500), rng())

        used = [use(rival, OK) for _ in range(300)]

        assert used[:100] == list(range(100))
        assert set(used[100:]) <= set(range(100))

    def test_a_block_retires_at_once_and_all_unusable_make_way_when_one_is_drawn(self) -> None:
        """So the pool is filled up again from then on."""
        rival = crawlee_100(plain(500), rng())

        used = [use(rival, B) for _ in range(102)]

        assert used == list(range(102))

    @pytest.mark.parametrize(("outcome", "strikes"), [(E, 3), (U, 2), (D, 2)])
    def test_errors_retire_at_a_score_of_three(self, outcome: Outcome, strikes: int) -> None:
        """An error is one, a time-out two, of the site or of a dead proxy."""
        rival = crawlee_until_failure(plain(5), rng())

        used = [use(rival, outcome) for _ in range(strikes + 1)]

        assert used == [0] * strikes + [1]

    def test_success_takes_half_an_error_away(self) -> None:
        """Never below none."""
        rival = crawlee_until_failure(plain(5), rng())

        used = [use(rival, outcome) for outcome in (OK, E, E, OK, OK, E, E, OK)]

        assert used == [0] * 7 + [1]

    def test_a_session_retires_after_fifty_uses(self) -> None:
        """However good it is."""
        rival = crawlee_until_failure(plain(5), rng())

        assert [use(rival, OK) for _ in range(51)] == [0] * 50 + [1]

    def test_a_session_retires_when_too_old(self) -> None:
        """After 3,000 seconds."""
        rival = crawlee_until_failure(plain(5), rng())

        assert [use(rival, OK, seconds) for seconds in (0, 2999, 3000)] == [0, 0, 1]

    def test_pythons_pool_is_filled_before_anything_is_picked(self) -> None:
        """And proxies are taken at the first use."""
        made: list[Session] = []

        def new(now: float) -> Session:
            made.append(Session(-1, now))
            return made[-1]

        PythonPool(new, rng(), size=10).get(START_AT)

        assert len(made) == 10

    def test_pythons_time_out_is_an_error_like_any_other(self) -> None:
        """JavaScript's counts twice."""
        sessions = [Session(0, START_AT), PythonSession(0, START_AT)]

        for session in sessions:
            session.mark_timed_out(START_AT)

        assert [session.error_score for session in sessions] == [2.0, 1.0]

    def test_nothing_revives_pythons_sessions(self) -> None:
        """What an answer under way brings is no news of one that was blocked."""
        session = PythonSession(0, START_AT)

        session.retire()
        for _ in range(10):
            session.mark_good(START_AT)

        assert (session.error_score, session.use_count) == (3.0, 0)
        assert not session.is_usable(START_AT)


class TestRotatingProxies:
    """scrapy-rotating-proxies."""

    def test_any_available_proxy_is_as_likely_as_any_other(self) -> None:
        """However often it was used before."""
        rival = RotatingProxies(plain(4), rng())
        dead = use(rival, B)

        used = [use(rival, OK, 0.1) for _ in range(900)]

        assert dead not in used
        assert all(240 < used.count(exit_) < 360 for exit_ in set(range(4)) - {dead})

    def test_what_fails_is_dead_whatever_it_was(self) -> None:
        """An error of the site too."""
        rival = RotatingProxies(plain(4), rng())
        dead = {use(rival, outcome) for outcome in (B, E, U)}

        assert {use(rival, OK, 0.1) for _ in range(20)} == set(range(4)) - dead

    def test_the_dead_come_back_within_their_back_off(self) -> None:
        """Up to 300 seconds for the first failure, at a tick of five."""
        rival = RotatingProxies(plain(200), rng())
        for _ in range(199):
            use(rival, B)

        available = []
        for seconds in (4.9, 150, 300):
            rival._recheck_due(START_AT + seconds)
            available.append(len(rival._available))

        assert available[0] == 1
        assert 70 < available[1] < 130
        assert available[2] == 200

    def test_the_back_off_doubles_up_to_an_hour(self) -> None:
        """Each failure counts, and success forgets them."""
        rival = RotatingProxies(plain(1), rng())
        waits = []
        for failures in range(6):
            rival._failures[0] = failures
            longest = 0.0
            for _ in range(300):
                rival._failures[0] = failures
                rival._set_dead(0, START_AT)
                longest = max(longest, rival._next_check[0] - START_AT)
            waits.append(longest)

        assert waits == [pytest.approx(most, rel=0.05) for most in (300, 600, 1200, 2400, 3600, 3600)]

    def test_when_all_are_dead_all_are_unchecked(self) -> None:
        """Rather than to wait."""
        rival = RotatingProxies(plain(3), rng())

        used = [use(rival, B) for _ in range(6)]

        assert sorted(used[:3]) == sorted(used[3:]) == [0, 1, 2]

    def test_of_a_provider_one_name_answers_for_all(self) -> None:
        """They share host and port; so nearly every name goes on being used, whatever came of it."""
        rival = RotatingProxies(world("[[exits]]\ncount = 20\nprovider = true\n"), rng())

        for _ in range(200):
            use(rival, B)

        assert len(rival._available) == 19


class TestZyte:
    """The queue of eight."""

    def test_a_session_begins_with_a_request_of_its_own(self) -> None:
        """Eight of them, and then they take turns."""
        rival = Zyte(plain(500), rng())

        begun = [sent(rival) for _ in range(8)]
        assert all(go.is_probe for go in begun)
        assert isinstance(rival.start(0, START_AT), Later)
        for go in begun:
            rival.finish(0, go.ticket, answer(OK), START_AT)

        assert [use(rival, OK) for _ in range(16)] == [go.exit for go in begun] * 2

    def test_one_error_discards_a_session_and_begins_another(self) -> None:
        """Once, though several of its requests fail."""
        rival = Zyte(plain(500), rng())
        begun = [use(rival, OK) for _ in range(8)]
        first, again = [sent(rival) for _ in range(9)][0::8]
        assert first.exit == again.exit == begun[0]

        for go in (first, again):
            rival.finish(0, go.ticket, answer(B), START_AT)

        assert [sent(rival).is_probe for _ in range(3)] == [True, False, False]

    def test_eight_bad_beginnings_in_a_row_end_it(self) -> None:
        """For all sites."""
        rival = Zyte(plain(500), rng())
        for outcome in (B,) * 7 + (OK,) + (B,) * 8:
            use(rival, outcome)

        assert rival.start(0, START_AT) == Later(None)


class TestResin:
    """The better of two."""

    def test_without_latencies_the_one_that_carries_less_is_taken(self) -> None:
        """The second on a tie."""
        rival = Resin(plain(2), rng())
        rival._leases = {0: 3, 1: 1}

        assert rival._better(0, START_AT, 0, 1) == 1
        assert rival._better(0, START_AT, 1, 0) == 1
        rival._leases = {0: 1, 1: 1}
        assert rival._better(0, START_AT, 1, 0) == 0

    def test_with_latencies_load_times_latency_decides(self) -> None:
        """So fast blocks draw it on."""
        rival = Resin(plain(2), rng())
        slow, fast = (0, 1)
        ways = {slow: (OK, 2.0), fast: (B, 0.4)}
        for _ in range(20):
            go = sent(rival)
            outcome, took = ways[go.exit]
            rival.finish(0, go.ticket, answer(outcome), START_AT + took)

        assert rival._better(0, START_AT + 5, slow, fast) == fast
        rival._leases[fast] = 9
        assert rival._better(0, START_AT + 5, slow, fast) == slow

    def test_a_latency_is_forgotten_after_ten_minutes(self) -> None:
        """Then only the load counts."""
        rival = Resin(plain(2), rng())
        for _ in range(20):
            use(rival, OK, took=1.0)

        assert rival._latency(0, 0, START_AT + 601) > 0
        assert rival._latency(0, 0, START_AT + 602) == 0

    def test_three_failures_of_the_transport_in_a_row_take_a_node_out(self) -> None:
        """Not two, and no blocks."""
        rival = Resin(plain(1), rng())

        for outcome in (B, B, B, B, D, D, B, D, U):
            use(rival, outcome)
        assert rival.start(0, START_AT) != Later(None)
        use(rival, D)

        assert rival.start(0, START_AT) == Later(None)


class TestStygian:
    """Thompson sampling."""

    def test_what_works_is_used_most(self) -> None:
        """After a while nearly always."""
        rival = Stygian(plain(10), rng())

        used = []
        for _ in range(400):
            go = sent(rival)
            used.append(go.exit)
            rival.finish(0, go.ticket, answer(OK if go.exit == 3 else B), START_AT)

        assert used[-100:].count(3) > 90

    def test_five_failures_in_a_row_open_the_breaker_for_a_minute(self) -> None:
        """Then one request tries, and opens it again if it fails."""
        rival = Stygian(plain(1), rng())
        for _ in range(5):
            use(rival, B)

        assert rival.start(0, START_AT + 59) == Later(START_AT + 60)
        recheck = sent(rival, 60)
        assert isinstance(rival.start(0, START_AT + 60), Later)
        rival.finish(0, recheck.ticket, answer(B), START_AT + 61)
        assert rival.start(0, START_AT + 120) == Later(START_AT + 121)
        use(rival, OK, 121)
        assert use(rival, B, 122) == 0
        assert use(rival, B, 122) == 0

    def test_counts_lose_five_per_cent_in_five_minutes(self) -> None:
        """Successes and failures alike."""
        rival = Stygian(plain(2), rng())
        for outcome in (OK, OK, B, B):
            use(rival, outcome)
        before = [(arm.successes, arm.failures) for arm in rival._arms]

        use(rival, E, 650)

        total = sum(arm.successes for arm in rival._arms)
        assert total == pytest.approx(0.95**2 * sum(successes for successes, _ in before))

    def test_the_highest_of_a_group_is_drawn_as_if_each_had_drawn(self) -> None:
        """The share with which untried ones win against one that is half good is that of single draws."""
        rival = Stygian(plain(4), Random(1))
        while not any(arm.successes for arm in rival._arms):
            use(rival, OK)
        known = next(arm.number for arm in rival._arms if arm.successes)

        wins = sum(rival._highest() is rival._arms[known] for _ in range(20_000)) / 20_000

        single = Random(2)
        expected = 0
        for _ in range(20_000):
            others = max(single.random() for _ in range(3))
            expected += single.betavariate(2, 1) > others
        assert wins == pytest.approx(expected / 20_000, abs=0.015)


class TestOracle:
    """The bound that sees everything."""

    @pytest.mark.parametrize("name", ["clean", "mostly-banned", "tight-limit-long-ban", "quota", "late-bans"])
    def test_it_is_never_blocked(self, name: str) -> None:
        """What it wastes is what is flaky."""
        figures = simulate(load_scenario(name), "oracle")

        assert (figures.blocked, figures.burned, figures.on_banned_share) == (0, 0, 0.0)
        assert figures.wasted_per_page == pytest.approx(0.01, abs=0.006)

    def test_it_waits_through_an_outage(self) -> None:
        """And only what was flaky besides is wasted."""
        figures = played(
            "pages = 50\nconcurrency = 5\n[outage]\nstart_seconds = 2\nseconds = 100\nseen_as = 'unclear'", Oracle
        )

        assert figures.requests == 50
        assert figures.seconds > 100

    def test_it_takes_the_cheapest_exit_that_works(self) -> None:
        """However few there are."""
        figures = simulate(load_scenario("cheap-needles"), "oracle")

        assert figures.cost_per_page == pytest.approx(1.01, abs=0.006)

    def test_it_waits_for_room(self) -> None:
        """With one exit that bears two in ten seconds, six pages take more than 20."""
        figures = played(
            "pages = 6\nconcurrency = 6\n[exits]\ncount = 1\n"
            "[limit]\nrequests = 2\nwindow_seconds = 10\nban_seconds = 99\n",
            Oracle,
        )

        assert (figures.pages, figures.requests) == (6, 6)
        assert 20 < figures.seconds < 25


class TestInformed:
    """The bound that knows every limit and no ban."""

    def test_it_tries_as_many_fresh_ones_as_wait(self) -> None:
        """All different, in random order."""
        rival = Informed(plain(100), rng())

        tried = [sent(rival).exit for _ in range(50)]

        assert len(set(tried)) == 50
        assert tried != sorted(tried)

    def test_a_working_exit_carries_eight_and_what_waits_beyond_tries_fresh_ones(self) -> None:
        """As long as it has room nothing fresh is tried."""
        rival = Informed(plain(100), rng())
        first = use(rival, OK)

        used = [sent(rival).exit for _ in range(10)]

        assert used[:MAX_IN_FLIGHT] == [first] * 8
        assert first not in used[MAX_IN_FLIGHT:]

    def test_of_those_that_work_the_longest_rested_is_used(self) -> None:
        """In turn, when all is quiet."""
        rival = Informed(plain(100), rng())
        out = [sent(rival, 0.1 * place) for place in range(3)]
        for go in out:
            rival.finish(0, go.ticket, answer(OK), START_AT + 1)

        assert [use(rival, OK, 2 + place) for place in range(6)] == [go.exit for go in out] * 2

    @pytest.mark.parametrize("outcome", [B, D])
    def test_what_was_blocked_or_dead_for_good_is_left_alone(self, outcome: Outcome) -> None:
        """While anything else is there."""
        rival = Informed(plain(50), rng())

        used = [use(rival, outcome, step) for step in range(50)]

        assert sorted(used) == list(range(50))

    def test_an_exit_that_worked_is_tried_again_when_the_ban_it_knows_is_over(self) -> None:
        """The mean of what others cause; before that it tries fresh ones."""
        rival = Informed(world("[exits]\ncount = 50\n[others]\nbans_per_hour = 0\nban_seconds = 100\n"), rng())
        first = use(rival, OK, 0.0)
        assert use(rival, B, 1.0) == first

        assert use(rival, B, 100.0) != first
        assert use(rival, OK, 101.5) == first

    def test_it_never_exceeds_a_limit(self) -> None:
        """So nothing is burned, and only old bans are met."""
        for name in ("tight-limit-long-ban", "network-limit", "quota", "late-bans", "limit-appears"):
            assert simulate(load_scenario(name), "informed").burned == 0

    def test_it_prefers_cheap_exits(self) -> None:
        """Fresh ones too, as the oracle's costs could not be compared with its own otherwise."""
        rival = Informed(world("[[exits]]\ncount = 5\ncost = 9\n[[exits]]\ncount = 5\n"), rng())

        assert {use(rival, B) for _ in range(5)} == {5, 6, 7, 8, 9}
        assert use(rival, OK) < 5
