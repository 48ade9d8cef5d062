"""What goes well moves the frontier, what is blocked tells of limits, and both say to the moment when one may go on."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.core.worlds import DAY, START

from proxysieve.core.learning.learned_limit import Limit
from proxysieve.core.learning.usage_limits import FLOOR, WINDOWS, Frontier, UsageLimits, UsageLimitsRecord
from proxysieve.core.learning.use_times import Uses

LAST = len(WINDOWS) - 1
# Quarters of seconds are exact in floating point, and so is "a moment before".
MOMENT = 0.25
GAPS = st.lists(st.sampled_from([0.0, 0.25, 1.0, 3.0, 40.0, 500.0]), max_size=100)
PROVEN = st.lists(st.integers(FLOOR, 60), min_size=len(WINDOWS), max_size=len(WINDOWS)).map(sorted)
ABOVE = st.integers(0, 4000).map(lambda quarters: quarters * MOMENT)
LIMITS = st.lists(
    st.builds(
        lambda n, above, more, subject: Limit(
            n, above, above + more, seconds=above + more, subject=subject, since=START, sure=0.9
        ),
        st.integers(FLOOR, 60),
        ABOVE,
        ABOVE.filter(bool),
        st.sampled_from(["", "a", "b"]),
    ),
    max_size=4,
)


def used(times: Iterable[float]) -> Uses:
    """Uses at *times*."""
    uses = Uses()
    for at in times:
        uses.add(at)
    return uses


def burst(count: int, gap: float = 1.0, *, start: float = START) -> Uses:
    """So many uses, *gap* seconds apart."""
    return used(start + gap * number for number in range(count))


def with_gaps(gaps: list[float]) -> Uses:
    """Uses that far from one another."""
    at, times = START, []
    for gap in gaps:
        at += gap
        times.append(at)
    return used(times)


def knowing(*limits: Limit, proven: int = FLOOR, share: float = 1.0) -> UsageLimits:
    """A pace with *limits*, and with so many uses proven in any window."""
    pace = UsageLimits(share)
    pace.restore(UsageLimitsRecord(limits=list(limits), proven=[proven] * len(WINDOWS)))
    return pace


def succeed(pace: UsageLimits, uses: Uses, subject: str = "a", *, at: float = 0.0) -> None:
    """What *subject* was asked at *at*, else last, was answered well at once."""
    at = at or uses.nth_last(1)
    pace.prove(subject, uses, at, at)


def block(
    pace: UsageLimits,
    uses: Uses,
    subject: str = "a",
    *,
    out_count: int = 0,
    others: Iterable[Uses] = (),
    at: float = 0.0,
) -> str:
    """What *subject* was asked at *at*, else last, was blocked; why."""
    at = at or uses.nth_last(1)
    counts = pace.counts(uses, at)
    return pace.explain(subject, counts, uses, others, at) or pace.assume(subject, counts, uses, at, out_count, 0.9)


def one_more(uses: Uses, at: float, seconds: float) -> int:
    """How many uses there are in the *seconds* up to *at*, with one more then."""
    return uses.within(seconds, at) + 1


# What went well.


@given(st.integers(1, 50), st.lists(st.integers(1, 100)))
def test_a_frontier_is_the_third_best_success(proven: int, counts: list[int]) -> None:
    """It moves when, and only when, a third success at or above a higher count comes."""
    frontier = Frontier(proven)

    for place, count in enumerate(counts):
        before = frontier.proven
        has_moved = frontier.prove(count)

        assert frontier.proven == sorted([proven] * 3 + counts[: place + 1])[-3]
        assert has_moved is (frontier.proven > before)


@pytest.mark.parametrize(("successes", "proven"), [(0, 3), (1, 3), (2, 3), (3, 20), (9, 20)])
def test_three_successes_move_the_frontier(successes: int, proven: int) -> None:
    """Twenty uses at once are proven by the third exit that bore them, and not before."""
    pace = UsageLimits()

    for _ in range(successes):
        succeed(pace, burst(20, 0.0))

    assert [frontier.proven for frontier in pace.frontiers] == [proven] * len(WINDOWS)
    assert pace.granted == [proven] * len(WINDOWS)


def test_each_window_has_a_frontier_of_its_own() -> None:
    """One use a second proves eight for eight seconds, and all but the two last for a minute."""
    pace, uses = UsageLimits(), Uses()

    for number in range(50):
        uses.add(START + number)
        succeed(pace, uses)

    assert [frontier.proven for frontier in pace.frontiers] == [3, 3, 4, 8, 16, 32, *[48] * 8]


def test_an_answer_proves_what_had_been_asked_till_then() -> None:
    """Uses after a question are nothing that its answer could prove."""
    pace, uses = UsageLimits(), burst(30, 0.25)

    for _ in range(3):
        succeed(pace, uses, at=START + 19 * 0.25)

    assert pace.granted[LAST] == 20


@given(GAPS, st.integers(0, 99))
def test_what_is_granted_never_falls_with_the_window(gaps: list[float], salt: int) -> None:
    """Longer windows have room for more, which the search for the moment relies on."""
    pace, uses = UsageLimits(), Uses()

    for place, gap in enumerate(gaps):
        uses.add((uses.nth_last(1) if uses.count else START) + gap)
        if (place * 7 + salt) % 5:
            succeed(pace, uses)

    assert pace.granted == sorted(pace.granted)


def test_only_a_share_of_what_is_proven_is_granted() -> None:
    """So that of several networks one can lead."""
    pace = UsageLimits(0.9)

    for _ in range(3):
        succeed(pace, burst(20, 0.0))

    assert (pace.frontiers[0].proven, pace.granted[0]) == (20, 18)


def test_what_an_exit_bears_its_network_bears() -> None:
    """The network's frontier rises to that of the exits where it is lower, and stays where it is higher."""
    network, exits = knowing(proven=10), UsageLimits()
    exits.restore(UsageLimitsRecord(proven=[5] * 7 + [20] * 7))

    network.raise_to(exits)

    assert [frontier.proven for frontier in network.frontiers] == [10] * 7 + [20] * 7
    assert network.granted == [10] * 7 + [20] * 7


# When one more use is due.


@given(GAPS, PROVEN)
def test_the_frontier_gives_the_first_moment_at_which_one_more_is_granted(gaps: list[float], proven: list[int]) -> None:
    """At that moment no window has more than is granted; a moment before, one has."""
    pace, uses = UsageLimits(), with_gaps(gaps)
    pace.restore(UsageLimitsRecord(proven=proven))

    at = pace.frontier_at(uses)

    def is_granted(at: float) -> bool:
        return all(one_more(uses, at, window) <= count for window, count in zip(WINDOWS, proven, strict=True))

    assert is_granted(max(at, START))
    if uses.count and at > uses.nth_last(1):
        assert not is_granted(at - MOMENT)


@given(GAPS, LIMITS)
def test_limits_give_the_first_moment_at_which_one_more_is_within_all(gaps: list[float], limits: list[Limit]) -> None:
    """At that moment none is passed that is not the subject's own; a moment before, one is."""
    pace, uses = knowing(*limits), with_gaps(gaps)

    for subject in ("", "a", "b", "c"):
        at = pace.limits_at(uses, subject)

        binding = [one for one in limits if not subject or one.subject != subject]
        assert all(one_more(uses, max(at, START), one.below) <= one.n for one in binding)
        if uses.count and at > uses.nth_last(1):
            assert any(one_more(uses, at - MOMENT, one.below) > one.n for one in binding)


@given(GAPS, PROVEN, st.integers(0, 4000))
def test_beyond_the_frontier_means_before_its_moment(gaps: list[float], proven: list[int], quarters: int) -> None:
    """Where all that is proven is granted, one more use is unproven just until it is granted."""
    pace, uses = UsageLimits(), with_gaps(gaps)
    pace.restore(UsageLimitsRecord(proven=proven))
    now = START + quarters * MOMENT

    assert pace.is_unproven(uses, now) is (pace.frontier_at(uses) > now)


def test_an_exit_that_was_never_used_may_go_at_once() -> None:
    """Neither the frontier nor any limit has to do with it."""
    pace = knowing(Limit(30, 10.0, 60.0))

    assert pace.frontier_at(Uses()) == pace.limits_at(Uses()) == -math.inf
    assert not pace.is_unproven(Uses(), START)


# Limits that blocks tell of.


def test_a_burst_of_one_too_many_tells_the_limit() -> None:
    """Where the 31st in 15 seconds is blocked, thirty are borne within more than that."""
    pace, uses = UsageLimits(), burst(31, 0.5)

    why = block(pace, uses, "a")

    assert why == "a limit of 30"
    assert pace.limits == [
        Limit(30, 15.0, DAY, most=30, subject="a", since=START + 15.0, asked_at=START + 15.0, sure=0.9)
    ]


def test_answers_that_are_out_make_a_limit_lower_until_they_come() -> None:
    """What was asked before the block is raised to by those that were answered well, and no further."""
    pace, uses = UsageLimits(), burst(31, 0.5)
    block(pace, uses, "a", out_count=20)
    (limit,) = pace.limits

    borne = {0: limit.n}
    for number in (5, 15, 11, 29, 30, 31):
        pace.bear("a", uses, START + (number - 1) * 0.5)
        borne[number] = limit.n

    assert borne == {0: 10, 5: 10, 15: 15, 11: 15, 29: 29, 30: 30, 31: 30}
    assert limit.most == 30


def test_only_the_one_that_was_blocked_can_bear_more_of_its_limit() -> None:
    """Others' answers, and later ones, say nothing about how many there were."""
    pace, uses = UsageLimits(), burst(31, 0.5)
    block(pace, uses, "a", out_count=20)

    pace.bear("b", uses, START + 10)
    uses.add(START + 100)
    pace.bear("a", uses, START + 100)

    assert [limit.n for limit in pace.limits] == [10]


@given(st.integers(4, 110), st.floats(0.0, 70.0))
def test_the_limit_is_the_last_count_borne_or_up_to_a_quarter_less(count: int, gap: float) -> None:
    """The shortest window is believed that holds three quarters of the uses, and the limit is what it held before."""
    pace = UsageLimits()

    block(pace, burst(count, gap))

    (limit,) = pace.limits
    assert count * 3 / 4 - 1 <= max(limit.n, limit.most) <= count - 1
    assert limit.above == pytest.approx(gap * limit.most, abs=1e-3)


@pytest.mark.parametrize(("count", "out_count"), [(4, 0), (4, 1), (20, 17), (20, 200)])
def test_a_limit_is_never_below_the_floor(count: int, out_count: int) -> None:
    """However many answers are out, three uses are granted."""
    pace = UsageLimits()

    block(pace, burst(count, 0.0), out_count=out_count)

    assert [limit.n for limit in pace.limits] == [FLOOR]


def test_a_block_within_what_is_proven_tells_of_no_limit() -> None:
    """Three others bore as much, so it was not for the use."""
    pace = UsageLimits()
    for _ in range(3):
        succeed(pace, burst(31, 0.5))

    assert not block(pace, burst(31, 0.5), "b")
    assert pace.limits == []


@pytest.mark.parametrize(("below", "is_left"), [(DAY, False), (60.0, True)], ids=["open", "closed"])
def test_a_stricter_limit_replaces_one_that_is_as_open(below: float, is_left: bool) -> None:  # noqa: FBT001
    """One of which the end is known stands beside, as that of the new one may turn out to come sooner."""
    pace = knowing(Limit(50, 1.0, below, since=START), proven=10)

    block(pace, burst(20, 10.0), "b")

    assert [(limit.n, limit.below) for limit in pace.limits] == [*[(50, below)] * is_left, (19, DAY)]


def test_who_told_of_a_limit_is_not_held_to_it() -> None:
    """A network that is blocked anyway is left to be tried, to see whether it is."""
    pace, uses = UsageLimits(), burst(31, 0.5)
    block(pace, uses, "a")

    assert pace.limits_at(uses, "a") == -math.inf
    assert pace.limits_at(uses, "b") == pace.limits_at(uses) == START + 0.5 + DAY


@pytest.mark.parametrize(("later", "is_left"), [(-1.0, True), (0.0, True), (1.0, False)])
def test_an_answer_to_the_blocked_acquits_it(later: float, is_left: bool) -> None:  # noqa: FBT001
    """If it was asked after the block; else it may have been answered before."""
    pace, uses = UsageLimits(), burst(31, 0.5)
    block(pace, uses, "a")

    pace.acquit("b", START + 500)
    pace.acquit("a", uses.nth_last(1) + later)

    assert bool(pace.limits) is is_left


# Limits that others pass.


@pytest.mark.parametrize("gap", [2.0, 30.0, 200.0])
def test_a_window_is_narrowed_from_three_uses_past_the_limit_on(gap: float) -> None:
    """One or two more may only mean that n was counted wrong; three more within a time mean that it is not longer."""
    pace = knowing(Limit(30, 10.0, DAY, since=START))
    uses, ends = Uses(), {}

    for number in range(1, 41):
        uses.add(START + number * gap)
        succeed(pace, uses)
        ends[number] = pace.limits[0].below

    assert set(list(ends.values())[:32]) == {DAY}
    assert set(list(ends.values())[32:]) == {32 * gap}
    assert [(limit.n, limit.above) for limit in pace.limits] == [(30, 10.0)]


def test_a_contradiction_removes_a_limit() -> None:
    """Who passes it by three within a time that was believed to be too short shows that there is none."""
    pace = knowing(Limit(30, 20.0, 60.0, since=START))

    succeed(pace, burst(33, 0.5, start=START + 10))

    assert pace.limits == []


def test_a_success_from_before_a_limit_was_learned_does_not_touch_it() -> None:
    """It may have been the last before the ban."""
    pace = knowing(Limit(30, 20.0, 60.0, since=START + 1000))

    succeed(pace, burst(33, 0.5))

    assert [limit.below for limit in pace.limits] == [60.0]


@given(st.lists(st.tuples(st.integers(1, 120), st.floats(0.1, 300), st.booleans()), max_size=12))
def test_a_window_is_always_at_least_as_long_as_it_must_be(steps: list[tuple[int, float, bool]]) -> None:
    """Whatever goes well or not, a limit is for three uses or more, and its window begins before it ends."""
    pace = UsageLimits()

    for number, (count, gap, is_ok) in enumerate(steps):
        uses = burst(count, gap, start=START + number * DAY)
        if is_ok:
            succeed(pace, uses, str(number))
        else:
            block(pace, uses, str(number))

        for limit in pace.limits:
            assert limit.n >= FLOOR
            assert 0 <= limit.above < limit.below <= DAY
            assert 0 < limit.sure <= 1


def test_past_a_known_window_as_much_is_granted_as_fits_into_it() -> None:
    """Thirty a minute are sixty-four in 128 seconds, and four thousand in a few hours."""
    pace = knowing(Limit(30, 10.0, DAY, since=START), proven=30)
    assert pace.granted == [30] * len(WINDOWS)

    # The 33rd within less than a minute narrows the window.
    succeed(pace, burst(33, 60.0 / 32, start=START + 100))

    assert pace.limits[0].below == 60.0
    assert pace.granted == [30] * 7 + [64, 128, 256, 512, 1024, 2048, 4096]


def test_the_strictest_limit_counts_for_what_is_granted() -> None:
    """Of two known windows, longer times have room for what fits into both."""
    pace = knowing(Limit(10, 0.5, 2.0, seconds=2.0), Limit(30, 10.0, 60.0, seconds=60.0))

    assert pace.granted == [FLOOR] * 7 + [64, 128, 256, 512, 1024, 2048, 4096]


def test_who_knows_the_window_goes_on_at_its_pace() -> None:
    """One exit that is used as soon as it may be carries nearly thirty a minute all day, and never more."""
    pace = knowing(Limit(30, 10.0, 60.0, seconds=60.0), proven=30)
    uses, at = Uses(), START

    while at < START + 3600:
        uses.add(at)
        assert uses.within(60.0, at) <= 30
        at = max(at, pace.frontier_at(uses), pace.limits_at(uses))

    assert uses.count > 0.9 * 30 * 60


# Blocks, with limits that are known.


def test_a_block_past_a_limit_is_for_that_and_narrows_it_from_below() -> None:
    """The window is longer than the time that the n + 1 uses took, and surer to be one."""
    pace = knowing(Limit(30, 10.0, 60.0, since=START, sure=0.9))

    why = block(pace, burst(31, 1.5, start=START + 10))

    assert why == "more than 30 in 45 s"
    assert [(limit.n, limit.above, limit.below) for limit in pace.limits] == [(30, 45.0, 60.0)]
    assert pace.limits[0].sure == pytest.approx(0.95)


def test_a_block_close_below_a_limit_lowers_it() -> None:
    """Of several requests that are out, the first refusal need not be that of the first one too many."""
    pace = knowing(Limit(30, 10.0, 60.0, since=START))

    why = block(pace, burst(28, start=START + 10))

    assert why == "not more than 27"
    assert [limit.n for limit in pace.limits] == [27]


@pytest.mark.parametrize(
    ("passed", "blocks", "n"),
    [(0, 1, 19), (2, 1, 19), (3, 1, 30), (3, 2, 19), (50, 18, 30), (50, 19, 19)],
)
def test_blocks_within_a_limit_lower_it_where_that_loses_less(passed: int, blocks: int, n: int) -> None:
    """A block counts as thirty requests; each other that passes 20 unharmed stands for the eleven that it has left."""
    pace = knowing(Limit(30, 10.0, 60.0, since=START), proven=30)
    others = [burst(25, 0.5, start=START + 10) for _ in range(passed)]

    for number in range(blocks):
        block(pace, burst(20, start=START + 10), str(number), others=others)

    assert pace.limits[0].n == n


def test_a_block_at_less_than_half_of_a_limit_is_not_for_it() -> None:
    """It is not even counted."""
    pace = knowing(Limit(30, 10.0, 60.0, since=START), proven=30)

    assert not block(pace, burst(15, start=START + 10))
    assert [(limit.n, limit.inside_count) for limit in pace.limits] == [(30, 0)]


def test_a_block_within_an_open_limit_is_explained_by_it() -> None:
    """As long as its window may be a day, there is no need for another one."""
    pace = knowing(Limit(30, 10.0, DAY, since=START))
    others = [burst(25, 0.5, start=START + 10) for _ in range(3)]

    why = block(pace, burst(20, start=START + 10), others=others)

    assert why == "within 30"
    assert len(pace.limits) == 1


# When nothing holds any more, and when bans come late.


def test_to_begin_anew_forgets_what_was_proven_and_believed() -> None:
    """All is as at first, but for the time: what was before counts no more."""
    pace, uses = knowing(Limit(30, 10.0, 60.0), proven=40), burst(20, 1.0)

    pace.begin_anew(START + 10)

    assert pace.limits == []
    assert pace.granted == [FLOOR] * len(WINDOWS)
    assert pace.counts(uses, START + 19).in_windows == (1, 2, 4, 8, *[9] * 10)


def test_blocks_and_successes_from_before_it_began_anew_tell_nothing() -> None:
    """They belong to what held then."""
    pace, uses = UsageLimits(), burst(40, 0.25)
    pace.begin_anew(START + 100)

    for _ in range(3):
        succeed(pace, uses)

    assert pace.granted == [FLOOR] * len(WINDOWS)
    assert block(pace, uses, "b") == "before all began anew"
    assert pace.limits == []


def test_where_bans_come_late_a_limit_is_what_was_borne_until_their_cause() -> None:
    """The lag is known from then on, and of each window what all bore is proven."""
    pace, borne = knowing(proven=90), [*range(1, 14), 30]

    pace.be_late(20.0, borne, START)

    assert pace.lag == 20.0
    assert [(limit.n, limit.above, limit.below) for limit in pace.limits] == [(30, 0.0, DAY)]
    assert pace.granted == [max(FLOOR, count) for count in borne]


def test_where_bans_come_late_successes_prove_something_when_they_are_ripe() -> None:
    """Until the lag is over, the exit may be banned for them yet."""
    pace = UsageLimits()
    pace.lag = 20.0
    for number in range(3):
        succeed(pace, burst(20, 0.0), str(number))
    assert pace.granted[LAST] == FLOOR

    succeed(pace, burst(1, start=START + 19.75))
    assert pace.granted[LAST] == FLOOR

    succeed(pace, burst(1, start=START + 20))
    assert pace.granted[LAST] == 20


def test_where_bans_come_late_a_block_takes_its_own_successes_back() -> None:
    """What it bore shortly before was what it was banned for."""
    pace = UsageLimits()
    pace.lag = 20.0
    for number in range(4):
        succeed(pace, burst(20, 0.0), str(number % 2))

    block(pace, burst(20, 0.0), "1", at=START + 10)
    succeed(pace, burst(1, start=START + 30))

    assert pace.granted[LAST] == FLOOR


# What is kept.


@given(LIMITS, PROVEN, st.floats(0, 120), GAPS)
def test_what_is_kept_and_taken_back_decides_the_same(
    limits: list[Limit], proven: list[int], lag: float, gaps: list[float]
) -> None:
    """A pace that was encoded and restored is as if nothing had happened."""
    first, uses = UsageLimits(), with_gaps(gaps)
    first.restore(UsageLimitsRecord(limits=limits, proven=proven, lag=lag))

    second = UsageLimits()
    second.restore(msgspec.json.decode(msgspec.json.encode(first.record()), type=UsageLimitsRecord))

    assert second.record() == first.record() == UsageLimitsRecord(limits=limits, proven=proven, lag=lag)
    assert second.granted == first.granted
    assert second.frontier_at(uses) == first.frontier_at(uses)
    assert second.limits_at(uses, "a") == first.limits_at(uses, "a")


def test_what_is_proven_for_other_windows_is_not_taken_back() -> None:
    """What another version kept does no harm; limits hold whatever the windows are."""
    pace = UsageLimits()

    pace.restore(UsageLimitsRecord(limits=[Limit(30, 10.0, DAY)], proven=[50, 60]))

    assert pace.granted == [FLOOR] * len(WINDOWS)
    assert len(pace.limits) == 1


@given(PROVEN, st.floats(0.01, 1))
def test_what_is_forgotten_by_a_share_grants_that_share(proven: list[int], share: float) -> None:
    """Less is proven, down to the floor, and limits are less sure, so that they are tried sooner."""
    pace = UsageLimits()
    pace.restore(UsageLimitsRecord(limits=[Limit(30, 10.0, DAY, sure=0.8)], proven=proven))
    assume(pace.limits[0].chance_below(5.0) == pytest.approx(0.2))

    pace.forget(share)

    assert pace.granted == [max(FLOOR, int(count * share)) for count in proven]
    assert pace.limits[0].chance_below(5.0) == pytest.approx(1 - 0.8 * share)
