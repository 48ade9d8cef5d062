"""When an outage begins and ends."""

from __future__ import annotations

from proxysieve.testbed import Outage
from proxysieve.testbed.outages import Outages


def test_outages_meet_as_many_requests_as_they_say() -> None:
    """After as many as they say, whatever the time; where two overlap, the second waits for the first."""
    first, second = Outage(after_requests=2, requests=2), Outage(after_requests=3, requests=2, style="drop")
    outages = Outages([first, second])

    met = [outages.meet(now) for now in range(8)]

    assert met == [None, None, first, first, second, second, None, None]


def test_an_outage_may_go_by_the_clock() -> None:
    """From the first request that meets it on; it is not over before its requests are, either."""
    outage = Outage(after_requests=1, requests=2, seconds=10)
    busy, idle = Outages([outage]), Outages([outage])

    assert [busy.meet(now) for now in (0, 100, 101, 109, 110, 111)] == [None, outage, outage, outage, None, None]
    assert [idle.meet(now) for now in (0, 100, 500, 501)] == [None, outage, outage, None]


def test_no_outage_is_the_rule() -> None:
    """A site without any serves everybody."""
    assert Outages(()).meet(0.0) is None
