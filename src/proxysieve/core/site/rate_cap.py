"""The rate cap of a site: so many requests a second over all sessions, whatever the policy."""

from __future__ import annotations

from proxysieve.core.records import SiteRecord

# A sleeper wakes late by some milliseconds, and may catch up that much.
LEEWAY_SECONDS = 0.05


class RateCap:
    """At most *max_rate* requests a second; 0 for no cap. When the next one is due stands in the site's record."""

    def __init__(self, max_rate: float) -> None:
        self._seconds_apart = 1 / max_rate if max_rate else 0.0

    def due_at(self, site: SiteRecord) -> float:
        """When the next request may be sent, in Unix seconds."""
        return site.next_at - min(self._seconds_apart / 2, LEEWAY_SECONDS) if self._seconds_apart else 0.0

    def count(self, site: SiteRecord, at: float, request_count: int = 1) -> None:
        """So many requests were sent *at* that moment."""
        site.next_at = max(site.next_at, at) + request_count * self._seconds_apart

    def count_redirects(self, site: SiteRecord, redirect_count: int) -> None:
        """Redirects have sent so many more requests since the last one was counted."""
        site.next_at += redirect_count * self._seconds_apart
