"""Each proxy in turn, whatever happened to it: what most people write first."""

from __future__ import annotations

from random import Random

from proxysieve.core.site.policy_protocol import Choice, use
from proxysieve.core.site.state import SiteState


class RoundRobin:
    """The proxy behind the one that was used last, in the order of the list."""

    def choose(self, state: SiteState, now: float, rng: Random) -> Choice:  # noqa: ARG002 - it leaves nothing to chance
        choices = (use(proxy, state, now, "its turn") for proxy in state.catalog.after(state.site.last_proxy))
        return next((choice for choice in choices if choice), None)
