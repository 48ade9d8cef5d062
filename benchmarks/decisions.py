"""A digest of all decisions in the simulated worlds: who was asked what, and when.

Two versions of the code decide alike if their digests are equal. So a change that should move and rename only is held
against the version before it:

    .venv/bin/python benchmarks/decisions.py > after.txt
    PYTHONPATH=OLD/src .venv/bin/python benchmarks/decisions.py > before.txt
    diff before.txt after.txt

The same seed draws the world and the chance of the policy. All is played in virtual time. Versions before the order of
saved records was fixed also need PYTHONHASHSEED=0, for the worlds with several runs.
"""

from __future__ import annotations

import argparse
import hashlib
from concurrent.futures import ProcessPoolExecutor
from unittest import mock

from proxysieve.sim import shipped_scenarios, simulate
from proxysieve.sim.scenario import load_scenario
from proxysieve.sim.world import SimAnswer, World

POLICIES = ("adaptive", "classic")


def digest(task: tuple[str, str, int]) -> str:
    """Play one world once; the digest of each request's site, exit and moment, in their order."""
    name, policy, seed = task
    seen = hashlib.sha256()
    ask = World.ask

    def noted(world: World, site: int, exit_: int, now: float) -> SimAnswer:
        seen.update(f"{site} {exit_} {now!r}\n".encode())
        return ask(world, site, exit_, now)

    with mock.patch.object(World, "ask", noted):
        simulate(load_scenario(name), policy, seed=seed)
    return seen.hexdigest()[:16]


def main() -> None:
    """Print a line for each world, policy and seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="how many (default: 3)")
    parser.add_argument("worlds", nargs="*", default=sorted(shipped_scenarios()), help="their names (default: all)")
    options = parser.parse_args()
    tasks = [(world, policy, seed) for world in options.worlds for policy in POLICIES for seed in range(options.seeds)]
    with ProcessPoolExecutor() as processes:
        for (world, policy, seed), told in zip(tasks, processes.map(digest, tasks), strict=True):
            print(f"{world} {policy} {seed} {told}", flush=True)


if __name__ == "__main__":
    main()
