"""When the site serves nobody: outages begin after a number of requests for pages."""

from __future__ import annotations

from collections.abc import Sequence

from proxysieve.testbed.world import Outage


class Outages:
    """Counts the requests for pages, and those that met an outage."""

    def __init__(self, outages: Sequence[Outage]) -> None:
        self._outages = outages
        self._request_count = 0
        self._met_counts = [0] * len(outages)
        self._began_at = [0.0] * len(outages)

    def meet(self, now: float) -> Outage | None:
        """Count a request for a page at *now*; returns the first outage that it meets, if any."""
        number = self._request_count
        self._request_count += 1
        for place, outage in enumerate(self._outages):
            if number >= outage.after_requests and not self._is_over(place, now):
                if not self._met_counts[place]:
                    self._began_at[place] = now
                self._met_counts[place] += 1
                return outage
        return None

    def _is_over(self, place: int, now: float) -> bool:
        outage = self._outages[place]
        return self._met_counts[place] >= outage.requests and now - self._began_at[place] >= outage.seconds
