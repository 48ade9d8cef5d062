"""Who is banned when, decided without a server or a clock."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxysieve.testbed.bans import Bans
from proxysieve.testbed.world import Limit

EXIT = "127.1.0.1"
NEIGHBOUR = "127.1.0.2"
STRANGER = "127.1.1.1"


def answers(bans: Bans, moments: list[float], address: str = EXIT) -> list[str]:
    """Return what requests at these moments get."""
    return [bans.judge(address, now).answer for now in moments]


def test_without_bans_and_limit_everything_is_served() -> None:
    """A site that bans nobody serves everybody."""
    assert answers(Bans(), [0.0] * 1000) == ["ok"] * 1000


def test_a_banned_exit_is_banned_for_good() -> None:
    """A ban from the start never ends, and holds for that exit alone."""
    bans = Bans(banned=[EXIT])

    assert bans.judge(EXIT, 1e9).wait_seconds == math.inf
    assert bans.is_banned(EXIT, 1e9)
    assert bans.judge(NEIGHBOUR, 0.0).answer == "ok"
    assert not bans.was_burned(EXIT)


def test_more_than_the_limit_within_the_window_brings_a_ban() -> None:
    """The limit itself is still served; the next request is blocked and bans the exit."""
    bans = Bans(limit=Limit(requests=3, window_seconds=10))

    assert answers(bans, [0, 1, 2, 3]) == ["ok", "ok", "ok", "blocked"]
    assert bans.was_burned(EXIT)
    assert not bans.was_burned(NEIGHBOUR)


def test_requests_leave_the_window_when_it_has_passed() -> None:
    """A steady pace at the limit is served for ever."""
    bans = Bans(limit=Limit(requests=2, window_seconds=10))

    assert answers(bans, [0, 5, 10, 15, 20, 25]) == ["ok"] * 6


def test_a_ban_ends_when_its_time_has_passed() -> None:
    """The first request at the end of the ban is served again."""
    bans = Bans(limit=Limit(requests=1, window_seconds=10, ban_seconds=60))

    assert answers(bans, [0, 1, 60.9, 61]) == ["ok", "blocked", "blocked", "ok"]


@pytest.mark.parametrize(("blocked_count", "last"), [(False, "ok"), (True, "blocked")])
def test_hammering_renews_a_ban_where_blocked_requests_count(*, blocked_count: bool, last: str) -> None:
    """Refused requests keep the window full, and each of them begins the ban anew."""
    limit = Limit(requests=3, window_seconds=10, ban_seconds=60, blocked_count=blocked_count)
    bans = Bans(limit=limit)

    hammered = answers(bans, [float(now) for now in range(50)])

    assert hammered == ["ok"] * 3 + ["blocked"] * 47
    assert answers(bans, [75.0]) == [last]


def test_a_rare_request_does_not_renew_a_ban() -> None:
    """A single refused request leaves the window with room, so that the ban ends when it should."""
    bans = Bans(limit=Limit(requests=3, window_seconds=10, ban_seconds=60, blocked_count=True))

    assert answers(bans, [0, 0, 0, 0, 30, 60]) == ["ok"] * 3 + ["blocked"] * 2 + ["ok"]


def test_a_limit_of_networks_counts_neighbours_together() -> None:
    """Neighbours use up one limit, and share the ban."""
    bans = Bans(limit=Limit(requests=2, window_seconds=10, scope="network"))

    assert answers(bans, [0, 0]) == ["ok", "ok"]
    assert answers(bans, [1], NEIGHBOUR) == ["blocked"]
    assert answers(bans, [1], STRANGER) == ["ok"]
    assert bans.is_banned(EXIT, 2)
    assert bans.was_burned(EXIT)


def test_throttling_tells_when_the_window_has_room() -> None:
    """What waits as long as it was told is served; the exit is never banned."""
    bans = Bans(limit=Limit(requests=2, window_seconds=10, style="throttle"))
    assert answers(bans, [0, 4]) == ["ok", "ok"]

    ruling = bans.judge(EXIT, 7)

    assert (ruling.answer, ruling.wait_seconds) == ("throttled", 3)
    assert bans.judge(EXIT, 7 + ruling.wait_seconds).answer == "ok"
    assert not bans.is_banned(EXIT, 7)
    assert not bans.was_burned(EXIT)


def test_throttled_requests_prolong_the_wait_where_they_count() -> None:
    """Then the time to wait is counted from the refused requests too."""
    bans = Bans(limit=Limit(requests=2, window_seconds=10, style="throttle", blocked_count=True))
    answers(bans, [0, 1])

    assert bans.judge(EXIT, 4).wait_seconds == 7
    assert bans.judge(EXIT, 6).wait_seconds == 8


@given(
    pauses=st.lists(st.integers(0, 40), max_size=60),
    requests=st.integers(1, 5),
    blocked_count=st.booleans(),
)
def test_waiting_as_told_is_always_enough(pauses: list[int], requests: int, *, blocked_count: bool) -> None:
    """Whatever came before, a throttled client that waits its time is served."""
    limit = Limit(requests=requests, window_seconds=16, style="throttle", blocked_count=blocked_count)
    bans = Bans(limit=limit)
    now = 0.0

    for pause in pauses:
        now += pause
        ruling = bans.judge(EXIT, now)
        if ruling.answer == "throttled":
            now += ruling.wait_seconds
            assert bans.judge(EXIT, now).answer == "ok"


@given(pauses=st.lists(st.integers(0, 40), max_size=60), requests=st.integers(1, 5))
def test_never_more_than_the_limit_is_served_within_a_window(pauses: list[int], requests: int) -> None:
    """Among the served requests, none has as many others as the limit in the window before it."""
    bans = Bans(limit=Limit(requests=requests, window_seconds=16, ban_seconds=5))
    now = 0.0
    served = []

    for pause in pauses:
        now += pause
        if bans.judge(EXIT, now).answer == "ok":
            served.append(now)

    assert all(later - earlier >= 16 for earlier, later in zip(served, served[requests:], strict=False))
