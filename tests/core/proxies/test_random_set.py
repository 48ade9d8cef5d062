"""The bag is a set from which anything comes out equally often."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from proxysieve.core.proxies.random_set import RandomSet

ITEMS = st.integers(0, 8)


class BagAgainstASet(RuleBasedStateMachine):
    """The model is a set."""

    def __init__(self) -> None:
        super().__init__()
        self.random_set: RandomSet[int] = RandomSet()
        self.model: set[int] = set()

    @rule(item=ITEMS)
    def add(self, item: int) -> None:
        self.random_set.add(item)
        self.model.add(item)

    @rule(item=ITEMS)
    def discard(self, item: int) -> None:
        self.random_set.discard(item)
        self.model.discard(item)

    @rule(seed=st.integers(0, 2**32))
    def draw(self, seed: int) -> None:
        if self.model:
            assert self.random_set.draw(Random(seed)) in self.model

    @invariant()
    def same_as_the_model(self) -> None:
        assert sorted(self.random_set) == sorted(self.model)
        assert len(self.random_set) == len(self.model)
        assert bool(self.random_set) is bool(self.model)
        assert all((item in self.random_set) is (item in self.model) for item in range(9))


TestBagAgainstASet = BagAgainstASet.TestCase
TestBagAgainstASet.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(st.lists(ITEMS))
def test_doubles_among_the_first_items_count_once(items: list[int]) -> None:
    """A bag begins with the distinct items that it is given, in their order."""
    assert list(RandomSet(items)) == list(dict.fromkeys(items))


@pytest.mark.parametrize("discarded", [[], [0], [6], [0, 3, 6]], ids=["none", "the first", "the last", "several"])
def test_all_items_are_drawn_equally_often(discarded: list[int]) -> None:
    """Drawing favours nobody, whatever was taken out: each is within 5 standard deviations of its share."""
    random_set, rng = RandomSet(range(7)), Random(4)
    for item in discarded:
        random_set.discard(item)

    draws = Counter(random_set.draw(rng) for _ in range(10_000))

    share = 1 / len(random_set)
    assert set(draws) == set(range(7)) - set(discarded)
    assert all(abs(count - 10_000 * share) < 5 * (10_000 * share * (1 - share)) ** 0.5 for count in draws.values())


def test_the_same_seed_draws_the_same() -> None:
    """Chance comes in from outside, so that a run can be repeated."""
    first, again = Random(1), Random(1)
    random_set = RandomSet("abcdefg")

    assert [random_set.draw(first) for _ in range(20)] == [random_set.draw(again) for _ in range(20)]
