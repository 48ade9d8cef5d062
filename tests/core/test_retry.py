"""What a try costs a request, and how long the next one waits."""

from __future__ import annotations

import pytest
from tests.core.worlds import verdict

from proxysieve.core.model import Outcome
from proxysieve.core.retry import Budget


@pytest.mark.parametrize(
    ("outcome", "had_worked", "counts"),
    [
        pytest.param(Outcome.OK, True, False, id="ok"),
        pytest.param(Outcome.OK, False, False, id="ok-on-a-new-one"),
        pytest.param(Outcome.BLOCKED, True, True, id="block"),
        pytest.param(Outcome.BLOCKED, False, False, id="block-on-a-new-one"),
        pytest.param(Outcome.THROTTLED, True, True, id="throttle"),
        pytest.param(Outcome.THROTTLED, False, False, id="throttle-on-a-new-one"),
        pytest.param(Outcome.PROXY_ERROR, True, True, id="proxy-error"),
        pytest.param(Outcome.PROXY_ERROR, False, False, id="proxy-error-on-a-new-one"),
        pytest.param(Outcome.UNCLEAR, True, True, id="unclear"),
        pytest.param(Outcome.UNCLEAR, False, False, id="unclear-on-a-new-one"),
        pytest.param(Outcome.SITE_ERROR, True, True, id="site-error"),
        pytest.param(Outcome.SITE_ERROR, False, True, id="site-error-on-a-new-one"),
    ],
)
def test_only_what_says_something_of_the_request_uses_an_attempt_up(
    *, outcome: Outcome, had_worked: bool, counts: bool
) -> None:
    """Finding another blocked or dead proxy is free; the site's errors and losses of good sessions are not."""
    budget = Budget(3)

    counted = budget.spend(verdict(outcome), had_worked=had_worked)

    assert counted is counts
    assert budget.left == 3 - counts


def test_the_sites_errors_are_given_longer_and_longer_pauses() -> None:
    """Half a second, then twice as long each time, and half a minute at most."""
    budget, error = Budget(10), verdict(Outcome.SITE_ERROR)

    pauses = []
    for _ in range(9):
        budget.spend(error, had_worked=True)
        pauses.append(budget.pause_seconds(error))

    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.SITE_ERROR])
def test_all_else_goes_on_at_once(outcome: Outcome) -> None:
    """Another session can be tried without a pause, even after the site was in trouble."""
    budget = Budget(10)
    budget.spend(verdict(Outcome.SITE_ERROR), had_worked=True)

    budget.spend(verdict(outcome), had_worked=True)

    assert budget.pause_seconds(verdict(outcome)) == 0
