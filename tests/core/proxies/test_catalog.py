"""The catalog does what a list without doubles would do, in constant time."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.core.worlds import gateway, plain, plains

from proxysieve.core.model import Proxy
from proxysieve.core.proxies.catalog import Catalog

PROXIES = [*plains(6), *(gateway(number) for number in range(3))]


class CatalogAgainstAList(RuleBasedStateMachine):
    """The model is a list in which the last element takes the place of one that is removed."""

    def __init__(self) -> None:
        super().__init__()
        self.catalog = Catalog()
        self.model: list[Proxy] = []

    @rule(proxy=st.sampled_from(PROXIES))
    def add(self, proxy: Proxy) -> None:
        is_new = proxy not in self.model
        if is_new:
            self.model.append(proxy)

        assert self.catalog.add(proxy) is is_new

    @rule(proxy=st.sampled_from(PROXIES))
    def remove(self, proxy: Proxy) -> None:
        was_there = proxy in self.model
        if was_there:
            place = self.model.index(proxy)
            self.model[place] = self.model[-1]
            self.model.pop()

        assert self.catalog.remove(proxy.key) is was_there

    @rule(proxy=st.sampled_from(PROXIES))
    def go_round(self, proxy: Proxy) -> None:
        start = self.model.index(proxy) + 1 if proxy in self.model else 0

        assert list(self.catalog.after(proxy.key)) == self.model[start:] + self.model[:start]

    @rule(seed=st.integers(0, 2**32))
    def draw(self, seed: int) -> None:
        if self.model:
            assert self.catalog.draw(Random(seed)) in self.model

    @invariant()
    def same_as_the_model(self) -> None:
        assert list(self.catalog) == self.model
        assert len(self.catalog) == len(self.model)
        assert self.catalog.gateway_count == sum(proxy.is_gateway for proxy in self.model)
        for proxy in PROXIES:
            assert (proxy.key in self.catalog) is (proxy in self.model)
            assert self.catalog.get(proxy.key) == (proxy if proxy in self.model else None)


TestCatalogAgainstAList = CatalogAgainstAList.TestCase
TestCatalogAgainstAList.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_all_proxies_are_drawn_equally_often() -> None:
    """Drawing favours nobody: 10,000 draws from 5 proxies, each within 5 standard deviations of 2,000."""
    catalog, rng = Catalog(plains(5)), Random(4)

    draws = Counter(catalog.draw(rng).key for _ in range(10_000))

    assert len(draws) == 5
    assert all(abs(count - 2000) < 5 * 40 for count in draws.values())


def test_removing_the_last_one_leaves_an_empty_catalog() -> None:
    """A catalog may run empty, and then has no first proxy either."""
    catalog = Catalog([plain(1)])

    catalog.remove(plain(1).key)

    assert not catalog
    assert next(catalog.after("anything"), None) is None


@pytest.mark.parametrize(("count", "shown"), [(0, "<Catalog of 0 proxies>"), (3, "<Catalog of 3 proxies>")])
def test_the_repr_says_how_many(count: int, shown: str) -> None:
    """A debugger shows the size and no passwords."""
    assert repr(Catalog(plains(count))) == shown


def test_many_changes_can_be_one() -> None:
    """For those who look at everything anew with each."""
    catalog = Catalog(plains(3))
    version = catalog.version

    with catalog.change():
        catalog.add(plain(7))
        catalog.remove(plain(1).key)
        assert catalog.version == version
    catalog.add(plain(8))

    assert catalog.version == version + 2
    assert len(catalog) == 4


def test_a_proxy_is_replaced_where_it_stands() -> None:
    """With its options go its group and its limit; one that is not there is none of the catalog's business."""
    catalog = Catalog(plains(3))
    dear = Proxy(scheme="http", host="plain1", port=8000, cost=5.0, max_in_flight=2)

    assert catalog.replace(dear)
    assert not catalog.replace(plain(9))

    assert [proxy.cost for proxy in catalog] == [1.0, 5.0, 1.0]
    assert list(catalog.groups) == [(1.0, ""), (5.0, "")]
    assert catalog.limited_count == 1
    catalog.remove(dear.key)
    assert catalog.limited_count == 0
