"""How robots.txt is asked for: how many at once, how long, until when, and what is learned by it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxysieve.core.model import OK, Outcome, Tried, Verdict
from proxysieve.core.robots.asking import (
    GROW_SECONDS,
    MOST_TRIES,
    REFUSALS_NEEDED,
    SHORT_SECONDS,
    Asking,
    End,
    verdict_on_session,
)

DEAD = (Outcome.PROXY_ERROR, 0)
HUNG = (Outcome.UNCLEAR, 0)
REFUSED = (Outcome.UNCLEAR, 403)
WALLED = (Outcome.BLOCKED, 403)
CAPTCHA = (Outcome.BLOCKED, 200)
BROKEN = (Outcome.SITE_ERROR, 500)
ANY = st.sampled_from([DEAD, HUNG, REFUSED, WALLED, CAPTCHA, BROKEN])


def asking(places: int = 50, attempts: int = 5, timeout_seconds: float = 30.0) -> Asking:
    return Asking(places=places, attempts=attempts, timeout_seconds=timeout_seconds)


def fail(search: Asking, kind: tuple[Outcome, int], *, now: float = 0.0, is_final: bool = False) -> End | None:
    outcome, status = kind
    tried = Tried(
        session="s", proxy="p", verdict=outcome, why=f"{outcome} {status}", status=status, seconds=1.0, counted=False
    )
    return search.fail(tried, now, is_final=is_final)


def test_twice_as_many_are_asked_after_each_failure() -> None:
    """And no more than there is place for."""
    search, widths = asking(), []
    for _ in range(8):
        widths.append(search.width)
        fail(search, DEAD)

    assert widths == [1, 2, 4, 8, 16, 32, 50, 50]


def test_who_says_nothing_is_not_waited_for_alone() -> None:
    """After a second another one is asked."""
    search = asking()
    assert search.look_again_at(100.0) == 100.0 + GROW_SECONDS
    assert not search.may_start(1, 100.0)

    search.grow()

    assert search.may_start(1, 101.0)


def test_a_few_have_all_the_time_and_the_others_little() -> None:
    """A proxy that takes eight seconds works, and one that hangs is not to hold a place for half a minute."""
    search = asking(places=8)
    assert [search.seconds_for(patient_count) for patient_count in range(4)] == [30, 30, SHORT_SECONDS, SHORT_SECONDS]
    assert [asking(places=1).seconds_for(count) for count in range(2)] == [30, SHORT_SECONDS]
    assert asking(timeout_seconds=2.0).seconds_for(50) == 2.0


@given(st.lists(st.sampled_from([REFUSED, WALLED, DEAD, HUNG]), max_size=400), st.integers(1, 200))
def test_no_more_are_refused_than_it_takes_to_believe_it(kinds: list[tuple[Outcome, int]], places: int) -> None:
    """However many are asked at once, and whoever fails between them."""
    search = asking(places=places)
    under_way = sent_refused = 0
    for kind in kinds:
        while search.may_start(under_way, 0.0):
            under_way += 1
        end = fail(search, kind)
        under_way -= 1
        sent_refused += kind in {REFUSED, WALLED}
        if end is not None:
            assert (end, sent_refused) == (End(), REFUSALS_NEEDED)
            break
        assert 1 <= search.width <= places
        if sent_refused > 1:
            assert under_way <= max(places, REFUSALS_NEEDED)


def test_what_is_refused_through_many_exits_is_not_there() -> None:
    """RFC 9309, 2.3.1.3; the first 29 are not believed."""
    search = asking()

    ends = [fail(search, REFUSED) for _ in range(REFUSALS_NEEDED)]

    assert ends == [None] * (REFUSALS_NEEDED - 1) + [End()]
    assert search.is_refused_by_all


@pytest.mark.parametrize("kind", [(Outcome.PROXY_ERROR, 407), (Outcome.BLOCKED, 200), (Outcome.THROTTLED, 429), HUNG])
def test_what_is_no_refusal_is_not_believed(kind: tuple[Outcome, int]) -> None:
    """A proxy's 407, a captcha, a limit, a silence: another exit may get it, up to a bound."""
    search = asking()

    ends = [fail(search, kind) for _ in range(MOST_TRIES)]

    assert ends == [None] * (MOST_TRIES - 1) + [End(f"{kind[0]} {kind[1]}")]
    assert not search.is_refused_by_all


@pytest.mark.parametrize(("attempts", "error_count"), [(1, 1), (2, 2), (5, 3)])
def test_an_error_of_the_site_is_asked_again_after_a_pause(attempts: int, error_count: int) -> None:
    """Twice as long each time, with no more than one; then nothing may be fetched (RFC 9309, 2.3.1.4)."""
    search, now = asking(attempts=attempts), 100.0
    for pause in [0.5, 1.0][: error_count - 1]:
        assert fail(search, BROKEN, now=now) is None
        assert (search.may_start(0, now), search.look_again_at(now)) == (False, now + pause)
        now += pause
        assert (search.may_start(0, now), search.width) == (True, 1)

    assert fail(search, BROKEN, now=now) == End("site_error 500")


def test_what_another_try_cannot_change_is_not_tried() -> None:
    """An address that no client can send."""
    assert fail(asking(), BROKEN, is_final=True) == End("site_error 500")


@given(st.lists(ANY, max_size=MOST_TRIES + 50))
def test_it_ends_whatever_comes(kinds: list[tuple[Outcome, int]]) -> None:
    """Within so many tries, three of which at the most are errors of the site."""
    search = asking()
    for number, kind in enumerate(kinds, start=1):
        assert number <= MOST_TRIES
        if fail(search, kind) is not None:
            break
        assert kinds[:number].count(BROKEN) < 3


def test_how_it_goes_is_told() -> None:
    """What failed most comes first."""
    search = asking()
    assert str(search) == "0 tries so far"
    fail(search, HUNG)
    assert str(search) == "1 try so far: 1 x unclear 0"
    for kind in (DEAD, DEAD, REFUSED, CAPTCHA):
        fail(search, kind)
    assert str(search) == "5 tries so far: 2 x proxy_error 0, 1 x unclear 0, 1 x unclear 403"


@pytest.mark.parametrize(
    ("outcome", "status", "of_fresh", "of_working"),
    [
        pytest.param(Outcome.OK, 200, False, False, id="a good answer"),
        pytest.param(Outcome.OK, 404, False, False, id="no such file"),
        pytest.param(Outcome.SITE_ERROR, 500, False, False, id="the site's error"),
        pytest.param(Outcome.UNCLEAR, 403, False, False, id="a bare refusal"),
        pytest.param(Outcome.UNCLEAR, 0, True, False, id="silence"),
        pytest.param(Outcome.UNCLEAR, 502, True, False, id="a gateway's error"),
        pytest.param(Outcome.BLOCKED, 403, True, False, id="a wall"),
        pytest.param(Outcome.THROTTLED, 429, True, True, id="a limit"),
        pytest.param(Outcome.PROXY_ERROR, 0, True, True, id="a dead proxy"),
    ],
)
def test_only_what_comes_before_the_site_is_learned(
    outcome: Outcome, status: int, *, of_fresh: bool, of_working: bool
) -> None:
    """Of a session that works nothing but that its proxy failed, or that it is to slow down."""
    verdict = OK if outcome is Outcome.OK else Verdict(outcome=outcome, why="why", confidence=0.5)

    learned = [verdict_on_session(verdict, status, had_worked=had_worked) for had_worked in (False, True)]

    assert learned == [verdict if is_learned else None for is_learned in (of_fresh, of_working)]
