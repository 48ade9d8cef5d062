"""What is kept of a site, when it is read again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.worlds import DAY, START, World, plain, plains

from proxysieve.core.learning.learned_limit import Limit
from proxysieve.core.learning.learner import LearnerRecord
from proxysieve.core.learning.usage_limits import UsageLimitsRecord
from proxysieve.core.model import LONGEST_COOLDOWN_SECONDS, Outcome
from proxysieve.core.policies.adaptive import Adaptive
from proxysieve.core.records import ExitRecord, FailingRecord, SiteRecord, bring_back
from proxysieve.core.site.choices import Pick
from proxysieve.core.site.engine import Engine

MOMENTS = st.floats(-1e11, 1e11)


@given(st.lists(MOMENTS, min_size=4, max_size=4), st.lists(MOMENTS), MOMENTS)
def test_no_moment_lies_ahead(moments: list[float], used_at: list[float], rest: float) -> None:
    """What happened did so until now, and a rest ends within a day; what lies in the past stays as it was."""
    record = ExitRecord(last_ok_at=moments[0], last_bad_at=moments[1], cooldown_until=rest, used_at=[*used_at])
    learner = LearnerRecord(at=moments[2], exits=UsageLimitsRecord(limits=[Limit(n=3, above=0.0, since=moments[3])]))
    site = SiteRecord(failing={"1.0": FailingRecord(since=moments[3], exit_count=2)})
    lay_ahead = [bring_back(one, START) for one in (record, learner, site)]

    back = [min(moment, START) for moment in moments]
    assert [record.last_ok_at, record.last_bad_at, learner.at, learner.exits.limits[0].since] == back
    assert (site.failing["1.0"].since, site.failing["1.0"].exit_count) == (back[3], 2)
    assert record.used_at == [min(moment, START) for moment in used_at]
    assert record.cooldown_until == min(rest, START + LONGEST_COOLDOWN_SECONDS)
    assert lay_ahead[1:] == [max(moments[2:]) > START, moments[3] > START]
    assert not any(bring_back(one, START) for one in (record, learner, site))


@given(ahead=st.floats(0, 1e9), outcomes=st.lists(st.sampled_from(Outcome), max_size=30), rest=st.floats(0, 1e9))
def test_a_run_with_a_wrong_clock_spoils_no_later_one(ahead: float, outcomes: list[Outcome], rest: float) -> None:
    """However far it was ahead, and however long a site asked to wait: within a day a request goes out, and counts."""
    wrong = World(plains(3), Adaptive(), start=START + ahead)
    for outcome in outcomes:
        choice = wrong.choose()
        if isinstance(choice, Pick):
            wrong.report(wrong.take(choice), outcome, until=wrong.now + rest)
    wrong.save()

    world = World(plains(3), Adaptive(), start=START)
    world.engine = Engine(
        "shop.example", world.catalog, world.policy, records=list(wrong.store.values()), now=world.now
    )

    while not isinstance(choice := world.choose(), Pick):
        assert choice.until is not None
        world.now = max(choice.until, world.now + 1)
        assert world.now <= START + DAY + 1
    session = world.session(world.take(choice))
    world.report(choice.leased, Outcome.OK)
    assert session.has_worked
    assert world.engine.state.site.last_ok_at == world.now
    assert any(
        world.exit(proxy).last_ok_at == world.now for proxy in plains(3) if proxy.key in world.engine.state.exits
    )


@pytest.mark.parametrize("policy", ["adaptive", "classic"])
@pytest.mark.parametrize("ahead", [3 * DAY, 1e9])
def test_a_rest_that_was_brought_back_ends_however_often_a_job_is_started(ahead: float, policy: str) -> None:
    """A day's rest does not begin anew with every run: jobs of an hour would wait for ever."""
    world = World([plain(0)], policy, start=START + ahead)
    world.send(Outcome.THROTTLED, until=world.now + DAY)

    waited = []
    for hour in range(0, 30, 5):
        world.engine, world.now = world.restart(now=START + 3600 * hour), START + 3600 * hour
        waited.append(not isinstance(world.choose(), Pick))

    assert waited == [True, True, True, True, True, False]


def test_a_site_that_asks_for_thirty_years_is_asked_again_after_a_day() -> None:
    """In the same run, too."""
    world = World([plain(0)], Adaptive())
    world.send(Outcome.THROTTLED, until=world.now + 1e9)

    wait = world.choose()
    world.pass_time(DAY)

    assert not isinstance(wait, Pick)
    assert isinstance(world.choose(), Pick)
