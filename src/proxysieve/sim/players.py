"""The policies that can play, by name."""

from __future__ import annotations

from functools import partial

from proxysieve.core.policies import POLICIES
from proxysieve.errors import ConfigError
from proxysieve.sim.engine_adapter import by_engine
from proxysieve.sim.rivals.apify_2019 import Apify2019
from proxysieve.sim.rivals.crawlee import crawlee, crawlee_100, crawlee_python, crawlee_until_failure
from proxysieve.sim.rivals.informed import Informed
from proxysieve.sim.rivals.oracle import Oracle
from proxysieve.sim.rivals.resin import Resin
from proxysieve.sim.rivals.rival import Recruit
from proxysieve.sim.rivals.rotating_proxies import RotatingProxies
from proxysieve.sim.rivals.rotation import AnyAddress, InTurn
from proxysieve.sim.rivals.stygian import Stygian
from proxysieve.sim.rivals.zyte import Zyte

# As a pool has them unless it is told otherwise.
MAX_SESSIONS, THRIFT = 100, 1.0
RECRUITS: dict[str, Recruit] = {
    **{name: by_engine(partial(make, MAX_SESSIONS, THRIFT)) for name, make in POLICIES.items()},
    "random": AnyAddress,
    "in_turn": InTurn,
    "apify_2019": Apify2019,
    "crawlee": crawlee,
    "crawlee_100": crawlee_100,
    "crawlee_until_failure": crawlee_until_failure,
    "crawlee_python": crawlee_python,
    "rotating_proxies": RotatingProxies,
    "zyte": Zyte,
    "resin": Resin,
    "stygian": Stygian,
    "informed": Informed,
    "oracle": Oracle,
}


def recruit_of(name: str) -> Recruit:
    """Makes the player of the policy *name*.

    Raises:
        ConfigError: There is none with that name.
    """
    if name not in RECRUITS:
        raise ConfigError(f"unknown policy {name!r}: expected one of {', '.join(RECRUITS)}")
    return RECRUITS[name]
