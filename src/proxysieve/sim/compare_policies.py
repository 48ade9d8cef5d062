"""The comparison: every policy in every world, on all cores."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from multiprocessing import get_context

from proxysieve.core.site.policy_protocol import Policy
from proxysieve.sim.engine_adapter import by_engine
from proxysieve.sim.figures import Figures
from proxysieve.sim.player import play
from proxysieve.sim.players import recruit_of
from proxysieve.sim.scenario import Scenario, load_scenario

Task = tuple[Scenario, str, int]


def simulate(scenario: Scenario | str, policy: Policy | str, *, seed: int = 1) -> Figures:
    """Play *scenario* once, in virtual time.

    Args:
        scenario: A loaded one, or what :func:`load_scenario` takes.
        policy: The name of one, or your own: an object with ``choose(state, now, rng)``. Each site has a copy, which is
            new in each run.
        seed: Of the world, which is the same for every policy, and of the policy's own chance.

    Raises:
        ConfigError: There is no such scenario or policy, or the scenario is wrong.
    """
    world = load_scenario(scenario) if isinstance(scenario, str) else scenario
    if isinstance(policy, str):
        return play(world, policy, recruit_of(policy), seed)
    return play(world, type(policy).__name__, by_engine(lambda: deepcopy(policy)), seed)


def contest(scenarios: Sequence[Scenario], policies: Sequence[str], seeds: Sequence[int]) -> Iterator[Figures]:
    """Play every policy in every world. The figures come in that order.

    Raises:
        ConfigError: There is no such policy.
    """
    for policy in policies:
        recruit_of(policy)
    tasks = [(scenario, policy, seed) for scenario in scenarios for policy in policies for seed in seeds]
    return _on_all_cores(tasks) if len(tasks) > 1 else map(_play, tasks)


def _on_all_cores(tasks: Sequence[Task]) -> Iterator[Figures]:
    # Spawned, because a process with threads must not be forked.
    workers = min(os.cpu_count() or 1, len(tasks))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        yield from executor.map(_play, tasks)


def _play(task: Task) -> Figures:
    scenario, policy, seed = task
    return simulate(scenario, policy, seed=seed)
