"""The times of uses are those that a list would hold: exact for the last ones, and never too old for the others."""

from __future__ import annotations

import math
import sys
from bisect import bisect_right
from itertools import accumulate
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from proxysieve.core.learning.use_times import EXACT_COUNT, Uses

TIMES = st.lists(st.integers(0, 1000).map(float), max_size=EXACT_COUNT)
COUNTS = st.one_of(st.integers(0, 300), st.integers(700, 4000))
SEEDS = st.integers(0, 2**32)


def history(count: int, seed: int) -> list[float]:
    """So many times, some at once and some far apart."""
    rng = Random(seed)
    gaps = rng.choices([0.0, 0.25, 1.0, 60.0, 4000.0], [2, 5, 5, 2, 1], k=count)
    return list(accumulate(gaps, initial=1_000_000.0))[1:]


def used(times: list[float]) -> Uses:
    """Uses at *times*, one after the other."""
    uses = Uses()
    for at in times:
        uses.add(at)
    return uses


def after(times: list[float], at: float) -> int:
    return len(times) - bisect_right(times, at)


def coarseness(count: int) -> int:
    """By how many uses the older ones of *count* may be wrong."""
    return max(16, count // 24)


@given(COUNTS, SEEDS)
@settings(max_examples=50, deadline=None)
def test_the_last_ones_are_exact(count: int, seed: int) -> None:
    """Of the last 112 uses everything is known, however many came before."""
    times = history(count, seed)

    uses = used(times)

    last = times[-EXACT_COUNT:]
    assert uses.count == count
    assert [uses.nth_last(n) for n in range(1, len(last) + 1)] == last[::-1]
    assert [uses.after(at) for at in last] == [after(times, at) for at in last]


@given(COUNTS, SEEDS)
@settings(max_examples=50, deadline=None)
def test_older_times_are_never_taken_for_older_than_they_are(count: int, seed: int) -> None:
    """Whoever waits for the n-th last use to be long ago waits a little longer at worst, and never too short."""
    times = history(count, seed)

    uses = used(times)

    assert all(uses.nth_last(n) >= times[-n] for n in range(1, count + 1))


@given(COUNTS, SEEDS)
@settings(max_examples=50, deadline=None)
def test_older_times_are_those_of_a_use_nearby(count: int, seed: int) -> None:
    """The n-th last is never taken for one that came more than a twenty-fourth of all uses later."""
    times = history(count, seed)

    uses = used(times)

    reach = coarseness(count)
    assert all(uses.nth_last(n) <= times[-max(1, n - reach)] for n in range(1, count + 1))


@given(COUNTS, SEEDS)
@settings(max_examples=50, deadline=None)
def test_uses_after_a_moment_are_never_undercounted(count: int, seed: int) -> None:
    """As times are not taken for older, at least as many were after any moment, and not many more."""
    times = history(count, seed)

    uses = used(times)

    moments = [0.0, *times[::7]]
    errors = [uses.after(at) - after(times, at) for at in moments]
    assert all(0 <= error <= coarseness(count) for error in errors)


@given(COUNTS, SEEDS, st.sampled_from([1.0, 60.0, 3600.0, 86400.0]))
@settings(max_examples=50, deadline=None)
def test_uses_within_a_window_leave_out_its_beginning_and_count_its_end(count: int, seed: int, seconds: float) -> None:
    """Half-open, as sites count: exact where the window is recent, and nearly so where it is not."""
    times = history(count, seed)

    uses = used(times)

    for until in times[::9]:
        true = sum(until - seconds < at <= until for at in times)
        is_recent = after(times, until - seconds) <= EXACT_COUNT
        assert abs(uses.within(seconds, until) - true) <= (0 if is_recent else coarseness(count))


@given(st.integers(0, 3000), st.integers(1, 500))
@settings(max_examples=50, deadline=None)
def test_what_never_was_is_infinitely_long_ago(count: int, more: int) -> None:
    """Only what is past the first use has no time."""
    uses = used([float(at) for at in range(count)])

    assert uses.nth_last(count + more) == -math.inf
    assert count == 0 or uses.nth_last(count) > -math.inf


@given(TIMES, st.integers(0, 1000).map(float))
def test_the_latest_are_those_close_to_the_last(times: list[float], seconds: float) -> None:
    """As far back as was asked for, from the last use on."""
    times.sort()

    uses = used(times)

    assert uses.latest(seconds) == [at for at in times if at > times[-1] - seconds]


def test_the_latest_of_many_are_exact_ones() -> None:
    """What is only known coarsely is left out."""
    times = history(5000, 1)

    latest = used(times).latest(math.inf)

    assert len(latest) >= EXACT_COUNT
    assert latest == times[-len(latest) :]


@given(TIMES)
def test_what_is_given_at_once_is_as_if_it_came_one_by_one(times: list[float]) -> None:
    """Uses that were kept and taken back are the same, and all of them count as answered."""
    times.sort()

    uses = Uses(times)

    assert uses.count == uses.served == len(times)
    assert [uses.nth_last(n) for n in range(1, len(times) + 1)] == times[::-1]


def test_any_number_of_uses_takes_no_more_memory_than_a_few() -> None:
    """100,000 uses of one exit are kept in less than four kilobytes."""
    uses = used(history(100_000, 1))

    assert uses.count == 100_000
    assert sum(sys.getsizeof(getattr(uses, name)) for name in Uses.__slots__) < 4096
