"""The exits of a world as columns. Their properties are drawn from the seed before anything happens."""

from __future__ import annotations

from hashlib import blake2b
from random import Random

from proxysieve.sim.scenario import Exits, Scenario


def stream(seed: int, purpose: str) -> Random:
    """A random generator for one *purpose*, so that drawing more for one purpose changes no other."""
    return Random(f"{seed}: {purpose}")


class Group:
    """Exits of one kind.

    Attributes:
        first: The number of its first exit; numbers run through all groups.
    """

    def __init__(self, number: int, spec: Exits, first: int) -> None:
        self.number = number
        self.spec = spec
        self.first = first

    @property
    def members(self) -> range:
        """The numbers of its exits."""
        return range(self.first, self.first + self.spec.count)


class ExitTable:
    """All exits of a world, by their number.

    Attributes:
        network: The number of its /24; numbers run through all groups.
        is_dead: Whether it never answers.
        cost: The cost of a request.
        members: The exits of each network.
    """

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self._seed = seed
        self.groups: list[Group] = []
        self.network: list[int] = []
        self.is_dead: list[bool] = []
        self.cost: list[float] = []
        self.network_count = 0
        rng = stream(seed, "exits")
        for number, spec in enumerate(scenario.exits):
            self._add(Group(number, spec, len(self.network)), rng)
        self.members: list[list[int]] = [[] for _ in range(self.network_count)]
        for exit_, network in enumerate(self.network):
            self.members[network].append(exit_)
        self.addresses = [exit_ for group in self.groups for exit_ in self._addresses(group)]

    def __len__(self) -> int:
        return len(self.network)

    def named(self, group: Group, name: str) -> int:
        """The exit behind a provider's session *name*: any of them, but always the same one."""
        whole = f"{self._seed}/{group.number}/{name}".encode()
        return group.first + int.from_bytes(blake2b(whole, digest_size=8).digest()) % group.spec.count

    def _add(self, group: Group, rng: Random) -> None:
        spec = group.spec
        self.groups.append(group)
        for _ in range(spec.count):
            self.network.append(self.network_count + int(rng.random() * spec.networks))
            self.is_dead.append(rng.random() < spec.dead_share)
            self.cost.append(spec.cost)
        self.network_count += spec.networks

    def _addresses(self, group: Group) -> list[int]:
        # Rivals work on a list of addresses. For a provider, they write as many session names as it has exits.
        if not group.spec.provider:
            return list(group.members)
        return [self.named(group, f"address-{number}") for number in range(group.spec.count)]
