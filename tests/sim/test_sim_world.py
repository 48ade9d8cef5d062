"""Each mechanism of a world, by itself."""

from __future__ import annotations

import math
from statistics import median

import pytest
from tests.sim.scripts import OK, B, D, E, U, outcomes, world

from proxysieve.core.model import Outcome
from proxysieve.sim.bans import START_AT
from proxysieve.sim.world import World

LIMIT = "[exits]\ncount = 2\nnetworks = 1\n[limit]\nrequests = 2\nwindow_seconds = 10\nban_seconds = 100\n"


def share(flags: list[bool]) -> float:
    return sum(flags) / len(flags)


def is_banned(world: World, exit_: int, seconds: float = 0.0, *, site: int = 0) -> bool:
    return world.sites[site].banned_until(exit_, START_AT + seconds) > 0


def banned(world: World, seconds: float = 0.0, *, site: int = 0) -> list[bool]:
    return [is_banned(world, exit_, seconds, site=site) for exit_ in range(len(world.exits))]


def test_exits_are_spread_over_their_groups_networks() -> None:
    """No network belongs to two groups."""
    made = world("[[exits]]\ncount = 200\nnetworks = 3\n[[exits]]\ncount = 200\nnetworks = 2\ncost = 5\n")

    assert set(made.exits.network[:200]) == {0, 1, 2}
    assert set(made.exits.network[200:]) == {3, 4}
    assert made.exits.cost == [1.0] * 200 + [5.0] * 200


def test_a_dead_exit_fails_as_a_proxy_after_ten_seconds() -> None:
    """And the site never hears of it."""
    made = world(LIMIT.replace("networks = 1", "networks = 1\ndead_share = 1.0"))

    answers = [made.ask(0, 0, START_AT + moment) for moment in range(5)]

    assert {(answer.outcome, answer.at - START_AT - place) for place, answer in enumerate(answers)} == {(D, 10.0)}
    assert made.burned_count() == 0


def test_dead_exits_are_the_share_that_was_asked_for() -> None:
    """Of each group by itself."""
    made = world("[[exits]]\ncount = 4000\ndead_share = 0.3\n[[exits]]\ncount = 1000\n")

    assert share(made.exits.is_dead[:4000]) == pytest.approx(0.3, abs=0.03)
    assert not any(made.exits.is_dead[4000:])


def test_exits_are_banned_each_on_its_own() -> None:
    """In the share that was asked for, for ever, in every network."""
    made = world("[exits]\ncount = 4000\nnetworks = 4\n[bans]\nexit_share = 0.75\n")

    for network in range(4):
        members = made.exits.members[network]
        assert share([is_banned(made, exit_, 1e9) for exit_ in members]) == pytest.approx(0.75, abs=0.05)


def test_networks_are_banned_as_a_whole() -> None:
    """All of their exits, or none."""
    made = world("[exits]\ncount = 4000\nnetworks = 400\n[bans]\nnetwork_share = 0.7\n")

    flags = banned(made)
    by_network = {network: {flags[exit_] for exit_ in made.exits.members[network]} for network in range(400)}
    assert all(len(seen) <= 1 for seen in by_network.values())
    assert share([True in seen for seen in by_network.values()]) == pytest.approx(0.7, abs=0.06)


def test_a_group_may_have_a_share_of_its_own() -> None:
    """Which stands in place of the one for all."""
    made = world("[[exits]]\ncount = 2000\nbanned_share = 0.1\n[[exits]]\ncount = 2000\n[bans]\nexit_share = 0.9\n")

    flags = banned(made)
    assert share(flags[:2000]) == pytest.approx(0.1, abs=0.03)
    assert share(flags[2000:]) == pytest.approx(0.9, abs=0.03)


def test_old_bans_end_evenly_within_their_time() -> None:
    """After a quarter of it a quarter is over, and in the end all are."""
    made = world("[exits]\ncount = 4000\n[bans]\nexit_share = 1.0\nlift_within_seconds = 3600\n")

    assert [round(share(banned(made, moment)), 1) for moment in (0, 1800, 3600)] == [1.0, 0.5, 0.0]


def test_one_request_more_than_the_limit_is_blocked_and_brings_the_ban() -> None:
    """It ends by itself; requests during it neither count nor renew it."""
    made = world(LIMIT)

    assert outcomes(made, 0, [0, 1, 2, 50, 101.9, 102, 103, 104]) == [OK, OK, B, B, B, OK, OK, B]
    assert outcomes(made, 1, [104]) == [OK]
    assert made.burned_count() == 1


def test_a_window_slides() -> None:
    """A request counts until the window has passed it, and no longer."""
    made = world(LIMIT)

    assert outcomes(made, 0, [0, 9, 10, 18.9]) == [OK, OK, OK, B]


def test_blocked_requests_count_where_the_site_says_so() -> None:
    """Hammering renews the ban, and it ends only after a pause."""
    made = world(LIMIT.replace("ban_seconds = 100", "ban_seconds = 20\nblocked_count = true"))

    assert outcomes(made, 0, [0, 1, 2, 3, 22.5, 23]) == [OK, OK, B, B, B, OK]


def test_a_limit_may_count_by_network() -> None:
    """Then all of its exits are banned together, and burned."""
    made = world(LIMIT.replace("ban_seconds = 100", "ban_seconds = 100\nscope = 'network'"))

    assert outcomes(made, 0, [0, 1]) == [OK, OK]
    assert outcomes(made, 1, [2, 3]) == [B, B]
    assert outcomes(made, 0, [4]) == [B]
    assert made.burned_count() == 2


def test_a_ban_may_come_late() -> None:
    """What is asked until then is answered."""
    made = world(LIMIT.replace("ban_seconds = 100", "ban_seconds = 100\nafter_seconds = 5"))

    assert outcomes(made, 0, [0, 1, 2, 3, 6.9, 7, 106.9, 107]) == [OK, OK, OK, OK, OK, B, B, OK]


def test_a_throttle_says_when_the_window_has_room() -> None:
    """And nobody is burned by it."""
    made = world("[exits]\ncount = 1\n[limit]\nrequests = 2\nwindow_seconds = 10\nstyle = 'throttle'\n")

    assert outcomes(made, 0, [0, 4]) == [OK, OK]
    refusal = made.ask(0, 0, START_AT + 5)
    assert (refusal.outcome, refusal.until - START_AT) == (Outcome.THROTTLED, 10.0)
    assert outcomes(made, 0, [9.9, 10, 11]) == [Outcome.THROTTLED, OK, Outcome.THROTTLED]
    assert made.burned_count() == 0


def test_a_throttle_may_count_what_it_refused() -> None:
    """Then asking again moves the moment away."""
    made = world(
        "[exits]\ncount = 1\n[limit]\nrequests = 2\nwindow_seconds = 10\nstyle = 'throttle'\nblocked_count = true\n"
    )

    outcomes(made, 0, [0, 4, 5])

    assert made.ask(0, 0, START_AT + 6).until - START_AT == 14.0


def test_a_limit_is_in_force_in_its_time_only() -> None:
    """What went before does not count; what it banned stays so."""
    timed = LIMIT.replace("ban_seconds = 100", "ban_seconds = 100\nfrom_seconds = 20\nuntil_seconds = 30")

    assert outcomes(world(timed), 0, [17, 18, 19, 20, 21, 22, 40]) == [OK, OK, OK, OK, OK, B, B]
    assert outcomes(world(timed), 0, [28, 29, 30, 31]) == [OK, OK, OK, OK]


def test_of_several_limits_each_holds() -> None:
    """Whichever is broken first."""
    made = world(LIMIT + "[vendor]\nsites = 1\n")
    both = world(
        "[exits]\ncount = 1\n[[limit]]\nrequests = 2\nwindow_seconds = 1\nban_seconds = 5\n"
        "[[limit]]\nrequests = 3\nwindow_seconds = 100\nban_seconds = 50\n"
    )

    assert outcomes(made, 0, [0, 1, 2]) == [OK, OK, B]
    assert outcomes(both, 0, [0, 1, 2, 3, 10]) == [OK, OK, OK, B, B]


def test_a_quota_ends_an_exit_for_good() -> None:
    """With the request that is one too many."""
    made = world("[exits]\ncount = 1\n[quota]\nrequests = 3\n")

    assert outcomes(made, 0, [0, 1, 2, 3, 1e8]) == [OK, OK, OK, B, B]
    assert made.burned_count() == 1


def test_quotas_differ_by_their_spread() -> None:
    """Evenly around the number."""
    quota = world("[exits]\ncount = 3000\n[quota]\nrequests = 30\nspread = 0.3\n").sites[0].quota

    assert quota is not None
    assert (min(quota), max(quota)) == (21, 39)
    assert sum(quota) / 3000 == pytest.approx(30, abs=0.5)


def test_other_users_get_exits_banned_at_their_rate() -> None:
    """In the long run, an exit is banned by the share that rate and length say."""
    made = world("[exits]\ncount = 3000\n[others]\nbans_per_hour = 6.0\nban_seconds = 600\n")

    # M/G/infinity: with one ban a ban's length on average, none is in force with the chance 1/e.
    assert share(banned(made, 0)) == 0.0
    assert share(banned(made, 36_000)) == pytest.approx(1 - 1 / math.e, abs=0.03)


def test_a_vendors_other_sites_share_its_bans() -> None:
    """Those of the first, by the share; what is not banned at the first is not banned there."""
    made = world("[exits]\ncount = 4000\n[bans]\nexit_share = 0.5\n[vendor]\nsites = 2\nshared_share = 0.9\n")

    first, second = banned(made), banned(made, site=1)
    assert share([there for here, there in zip(first, second, strict=True) if here]) == pytest.approx(0.9, abs=0.03)
    assert not any(there for here, there in zip(first, second, strict=True) if not here)


def test_limits_of_two_sites_are_counted_apart() -> None:
    """As each site sees its own requests."""
    made = world(LIMIT + "[vendor]\nsites = 2\n")

    outcomes(made, 0, [0, 1])

    assert made.ask(1, 0, START_AT + 2).outcome is OK
    assert made.ask(0, 0, START_AT + 2).outcome is B


@pytest.mark.parametrize(("seen_as", "outcome"), [("site_error", E), ("blocked", B), ("unclear", U)])
def test_in_an_outage_everything_fails_as_it_is_seen(seen_as: str, outcome: Outcome) -> None:
    """From its start, and not at its end any more; nobody is banned by it."""
    made = world(f"[exits]\ncount = 1\n[outage]\nstart_seconds = 20\nseconds = 120\nseen_as = '{seen_as}'\n")

    assert outcomes(made, 0, [19.9, 20, 139.9, 140]) == [OK, outcome, outcome, OK]


def test_flaky_answers_are_errors_of_the_site_and_time_outs_by_halves() -> None:
    """Whether the exit is banned or not."""
    text = "[exits]\ncount = 1\n[bans]\nexit_share = 1.0\n[noise]\nflaky_share = 0.2\n"

    seen = outcomes(world(text), 0, range(5000))

    assert {outcome: round(seen.count(outcome) / 5000, 1) for outcome in set(seen)} == {B: 0.8, E: 0.1, U: 0.1}


def test_answers_take_a_log_normal_time_and_blocks_less() -> None:
    """Median as asked, sigma 0.4; a block takes 0.4 of a good answer."""
    good = world("[exits]\ncount = 1\n[noise]\nflaky_share = 0\nlatency_seconds = 2.0\n")
    bad = world("[exits]\ncount = 1\n[bans]\nexit_share = 1.0\n[noise]\nflaky_share = 0\nlatency_seconds = 2.0\n")

    seconds = [good.ask(0, 0, START_AT).at - START_AT for _ in range(5000)]
    blocked = [bad.ask(0, 0, START_AT).at - START_AT for _ in range(5000)]

    assert median(seconds) == pytest.approx(2.0, rel=0.03)
    logs = [math.log(one) for one in seconds]
    mean = sum(logs) / 5000
    assert math.sqrt(sum((one - mean) ** 2 for one in logs) / 5000) == pytest.approx(0.4, rel=0.05)
    assert blocked == pytest.approx([0.4 * one for one in seconds])


def test_a_providers_name_draws_an_exit_and_keeps_it() -> None:
    """Any exit of its group, all equally likely."""
    made = world("[[exits]]\ncount = 10\n[[exits]]\ncount = 50\nprovider = true\n")
    group = made.exits.groups[1]

    drawn = [made.exits.named(group, f"name{number}") for number in range(5000)]

    assert drawn == [made.exits.named(group, f"name{number}") for number in range(5000)]
    assert set(drawn) == set(range(10, 60))


def test_a_request_to_a_banned_exit_is_known_as_such() -> None:
    """The one that brought the ban is not."""
    made = world(LIMIT)

    assert [made.ask(0, 0, START_AT + moment).was_banned for moment in range(4)] == [False, False, False, True]


def test_the_same_seed_is_the_same_world_whatever_was_asked_before() -> None:
    """Exits, networks, bans, quotas and the bans of others do not depend on what policies do; another seed differs."""
    text = (
        "[exits]\ncount = 300\ndead_share = 0.2\n[bans]\nexit_share = 0.4\nlift_within_seconds = 900\n"
        "[quota]\nrequests = 1000\nspread = 0.5\n[others]\nbans_per_hour = 20\nban_seconds = 60\n"
    )
    left, right, other = world(text), world(text), world(text, seed=2)
    outcomes(left, 5, range(300))
    outcomes(right, 9, [1.0] * 20)

    for made in (left, right):
        assert made.exits.network == world(text).exits.network
    assert banned(left, 400) == banned(right, 400)
    assert left.sites[0].quota == right.sites[0].quota
    assert banned(left, 400) != banned(other, 400)


def test_the_nth_request_meets_the_same_chance_through_any_exit() -> None:
    """Whether it is flaky, and how slow its answer is."""
    text = "[exits]\ncount = 5\n[noise]\nflaky_share = 0.3\n"
    left, right = world(text), world(text)

    assert [left.ask(0, 0, START_AT) for _ in range(200)] == [right.ask(0, n % 5, START_AT) for n in range(200)]
