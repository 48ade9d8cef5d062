"""IMAGINES a world of sites, bans and exits; plays our policies and those of rivals in it; compares them."""

from proxysieve.core.site.policy_protocol import Choice, Open, Policy, Reuse
from proxysieve.sim.compare_policies import contest, simulate
from proxysieve.sim.figures import Figures, RunFigures
from proxysieve.sim.scenario import Scenario, load_scenario, shipped_scenarios

__all__ = [
    "Choice",
    "Figures",
    "Open",
    "Policy",
    "Reuse",
    "RunFigures",
    "Scenario",
    "contest",
    "load_scenario",
    "shipped_scenarios",
    "simulate",
]
