"""Chances are chances, they grow with the time, and what is seen moves them the right way."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proxysieve.core.learning.ban_recovery import Recovery
from proxysieve.core.learning.change_detector import ChangeDetector
from proxysieve.core.learning.learned_limit import LONGEST_WINDOW, ROUND_WINDOWS, Limit, windows_up_to

DAY = 86400.0
SECONDS = st.floats(0, 1e6)
COUNTS = st.lists(st.floats(0, 1e4), min_size=20, max_size=20)


@st.composite
def limits(draw: st.DrawFn) -> Limit:
    """Limits with any window that is possible, and any certainty."""
    below = draw(st.one_of(st.floats(0.6, DAY), st.just(DAY)))
    above = draw(st.floats(0, below * 0.9))
    return Limit(30, above, below, sure=draw(st.floats(0.05, 1)))


# Windows.


@given(SECONDS, SECONDS)
def test_longer_windows_are_up_to_more_of_them(one: float, other: float) -> None:
    """A share between none and all, which never falls."""
    low, high = sorted([one, other])

    assert 0 <= windows_up_to(low) <= windows_up_to(high) <= 1


def test_no_window_is_shorter_than_any_and_none_is_longer_than_a_day() -> None:
    """The share begins with nothing and ends with all."""
    assert windows_up_to(0) == windows_up_to(0.4) == 0
    assert windows_up_to(DAY) == windows_up_to(1e9) == 1


@pytest.mark.parametrize("window", [window for window, _ in ROUND_WINDOWS])
def test_round_windows_are_likelier_than_those_around_them(window: float) -> None:
    """The share jumps at what people write down."""
    before, at, later = (windows_up_to(window * part) for part in (0.99, 1, 1.01))

    assert at - before > 5 * (later - at)


# Limits.


@given(limits(), SECONDS, SECONDS)
def test_a_longer_rest_is_likelier_to_be_enough(limit: Limit, one: float, other: float) -> None:
    """A chance never falls with the time, and never is less than that of there being no limit."""
    low, high = sorted([one, other])

    assert 1 - limit.sure <= limit.chance_below(low) + 1e-9
    assert limit.chance_below(low) <= limit.chance_below(high) <= 1


@given(limits(), st.floats(0, 1))
def test_what_is_known_of_a_window_is_certain(limit: Limit, part: float) -> None:
    """Past its known end one use more is borne; before its known beginning only if there is no limit."""
    assert limit.chance_below(limit.below) == 1
    assert limit.chance_below(limit.above * part) == pytest.approx(1 - limit.sure)


@given(limits(), st.floats(0.001, 1))
def test_the_seconds_for_a_chance_are_the_least_that_give_it(limit: Limit, chance: float) -> None:
    """Exact to a tenth of a percent, from the shortest time on that comes into question."""
    seconds = limit.seconds_for(chance)

    assert limit.chance_below(seconds) >= chance
    assert max(limit.above, 0.5) <= seconds <= limit.below
    if seconds > max(limit.above, 0.5) * 1.002:
        assert limit.chance_below(seconds / 1.0011) < chance


@given(limits(), st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_higher_chance_takes_longer(limit: Limit, one: float, other: float) -> None:
    """Whoever wants to be surer waits."""
    low, high = sorted([one, other])

    assert limit.seconds_for(low) <= limit.seconds_for(high) * 1.001


@pytest.mark.parametrize(("below", "is_open"), [(60.0, False), (3600.0, False), (LONGEST_WINDOW, True)])
def test_a_window_without_a_known_end_is_open(below: float, is_open: bool) -> None:  # noqa: FBT001
    """Until something was borne that a long window would have refused."""
    assert Limit(30, 5.0, below).is_open is is_open


# Recovery.


def recovery(recovered: list[float], still: list[float], lasting_share: float = 0.3) -> Recovery:
    """What was counted."""
    found = Recovery(lasting_share)
    found.restore(recovered, still)
    return found


@given(COUNTS, COUNTS, st.floats(0, 1), SECONDS, SECONDS)
def test_recovery_grows_likelier_with_the_time(
    recovered: list[float], still: list[float], lasting_share: float, one: float, other: float
) -> None:
    """Whatever was counted, the chance is one and never falls."""
    low, high = sorted([one, other])

    found = recovery(recovered, still, lasting_share)

    assert 0 <= found.chance(low) <= found.chance(high) + 1e-9
    assert found.chance(high) <= 1


@given(COUNTS, COUNTS, SECONDS, SECONDS)
def test_a_recovery_makes_later_ones_likelier(
    recovered: list[float], still: list[float], tried: float, asked: float
) -> None:
    """What recovered early would have later; of shorter times it says nothing, up to the longest of three days."""
    assume(tried < 2**18)
    found = recovery(recovered, still)
    before = found.chance(asked)

    found.count(tried, recovered=True)

    assert found.chance(asked) >= before - 1e-9
    if asked < tried / 2 - 1:
        assert found.chance(asked) == before


@given(COUNTS, COUNTS, SECONDS, SECONDS)
def test_a_ban_that_lasts_makes_earlier_recoveries_unlikelier(
    recovered: list[float], still: list[float], tried: float, asked: float
) -> None:
    """What had not recovered late would not have earlier; of longer times it says nothing, likewise."""
    assume(tried < 2**18)
    found = recovery(recovered, still)
    before = found.chance(asked)

    found.count(tried, recovered=False)

    assert found.chance(asked) <= before + 1e-9
    if asked > tried * 2 + 1:
        assert found.chance(asked) == before


def test_where_bans_last_ten_minutes_that_is_learned() -> None:
    """From twenty exits that were tried again, half of them too early."""
    found = Recovery(0.3)

    for seconds in (100, 200, 300, 400, 500, 1100, 1200, 1500, 1800, 2000):
        found.count(seconds, recovered=seconds > 600)

    assert found.chance(100) < 0.1
    assert found.chance(2000) > 0.8


def test_what_is_forgotten_by_half_weighs_half() -> None:
    """One exit after forgetting half weighs as much as two before."""
    old, new = Recovery(0.3), Recovery(0.3)
    for _ in range(4):
        old.count(50, recovered=True)
        old.count(5000, recovered=False)
    for _ in range(2):
        new.count(50, recovered=True)
        new.count(5000, recovered=False)

    old.forget(0.5)

    assert [old.chance(2.0**power) for power in range(20)] == [new.chance(2.0**power) for power in range(20)]


@given(COUNTS, COUNTS, SECONDS)
def test_what_was_kept_is_taken_back(recovered: list[float], still: list[float], seconds: float) -> None:
    """A restored recovery gives the same chances, and does not share its counts with what was kept."""
    first = recovery(recovered, still)

    second = recovery(first.recovered, first.still)

    assert second.chance(seconds) == first.chance(seconds)
    second.count(seconds, recovered=True)
    assert first.recovered == recovered


@pytest.mark.parametrize(
    ("recovered", "still"), [([], []), ([1.0] * 19, [1.0] * 19), ([1.0] * 20, [1.0] * 21)], ids=["none", "few", "odd"]
)
def test_records_of_another_size_are_ignored(recovered: list[float], still: list[float]) -> None:
    """What another version kept does no harm."""
    assert recovery(recovered, still).chance(600) == Recovery(0.3).chance(600)


# Surprise.


def answers(surprise: ChangeDetector, blocked_share: float, count: int, rng: Random) -> list[int]:
    """After which of *count* answers it was alarmed."""
    alarms = []
    for number in range(count):
        if rng.random() >= blocked_share:
            surprise.answer_well()
        elif surprise.block():
            alarms.append(number)
    return alarms


@pytest.mark.parametrize("seed", range(4))
def test_blocks_at_the_usual_rate_hardly_ever_alarm(seed: int) -> None:
    """Of 100,000 answers with one block in two hundred, not more than one is taken for a change."""
    surprise = ChangeDetector()

    alarms = answers(surprise, 0.005, 100_000, Random(seed))

    assert len(alarms) <= 1
    assert surprise.usual_share == pytest.approx(0.005, rel=0.2)


@pytest.mark.parametrize("seed", range(10))
def test_one_in_five_blocked_alarms_within_a_few_dozens(seed: int) -> None:
    """After ten thousand quiet answers a change is noticed before sixty more are through."""
    surprise, rng = ChangeDetector(), Random(seed)
    answers(surprise, 0.005, 10_000, rng)

    alarms = answers(surprise, 0.2, 60, rng)

    assert alarms


def test_blocks_alone_alarm_at_once() -> None:
    """Four in a row are no chance, even where nothing is known of the site."""
    surprise = ChangeDetector()

    assert [surprise.block() for _ in range(4)] == [False, False, False, True]


def test_two_blocks_in_a_row_are_no_change_however_quiet_it_was() -> None:
    """Two exits that die at once are no reason to forget all that is known of a site that never blocked before."""
    surprise = ChangeDetector()
    for _ in range(100_000):
        surprise.answer_well()

    assert [surprise.block() for _ in range(2)] == [False, False]


def test_after_an_alarm_evidence_is_gathered_anew() -> None:
    """One change alarms once, and not with each block that follows."""
    surprise = ChangeDetector()
    while not surprise.block():
        pass

    assert not surprise.block()


def test_what_is_usual_stays_below_what_is_a_change() -> None:
    """A site that blocks half of everything still can surprise."""
    surprise = ChangeDetector()

    answers(surprise, 0.5, 2000, Random(1))

    assert surprise.usual_share <= 0.1
