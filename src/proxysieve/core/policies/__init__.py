"""RANKS: which session carries the next request. A policy reads the state of the site; events change it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from proxysieve.core.policies.adaptive import Adaptive
from proxysieve.core.policies.classic import Classic
from proxysieve.core.policies.round_robin import RoundRobin
from proxysieve.core.policies.uniform_random import UniformRandom
from proxysieve.core.site.policy_protocol import Policy

# Each makes its policy from max_sessions and thrift.
POLICIES: Mapping[str, Callable[[int, float], Policy]] = MappingProxyType(
    {
        "adaptive": lambda _, thrift: Adaptive(thrift),
        "classic": lambda max_sessions, _: Classic(max_sessions),
        "round_robin": lambda *_: RoundRobin(),
        "uniform_random": lambda *_: UniformRandom(),
    }
)
