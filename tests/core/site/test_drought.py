"""Whether nothing works at a site."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.worlds import DAY, START, World, dry_up, gateway, plain, plains

from proxysieve.core.model import Outcome, Proxy, Verdict
from proxysieve.core.proxies.catalog import NAMES_AT_A_GATEWAY, Catalog
from proxysieve.core.records import ExitRecord
from proxysieve.core.site.choices import Wait
from proxysieve.core.site.drought import DROUGHT_COUNT, DROUGHT_SECONDS, FEWEST_BAD_ANSWERS, Drought

SILENT = (
    Verdict(outcome=Outcome.UNCLEAR, why="timed out", sign="timeout"),
    Verdict(outcome=Outcome.UNCLEAR, why="reset", sign="reset"),
    Verdict(outcome=Outcome.UNCLEAR, why="status 502", sign="status-502"),
    Verdict(outcome=Outcome.PROXY_ERROR, why="the proxy could not be reached"),
)
SAID = (
    Verdict(outcome=Outcome.BLOCKED, why="status 999"),
    Verdict(outcome=Outcome.THROTTLED, why="status 429"),
    Verdict(outcome=Outcome.UNCLEAR, why="status 403", sign="status-403"),
)


def dear(number: int) -> Proxy:
    return Proxy(scheme="http", host=f"dear{number}", port=8000, cost=20.0)


class Site:
    """A drought, and the records of the exits that it hears of."""

    def __init__(self, *proxies: Proxy) -> None:
        self.catalog = Catalog(proxies)
        self.drought = Drought(self.catalog)
        self.exits: dict[str, ExitRecord] = {}
        self.now = START

    def fail(self, proxy: Proxy, said: Verdict, name: str = "") -> None:
        """An exit of *proxy* fails, a second later."""
        self.now += 1
        record = self.exits.setdefault(f"{proxy.key}/{name}" if name else proxy.key, ExitRecord())
        self.drought.note_bad(proxy, said, self.now)
        if said.outcome is not Outcome.SITE_ERROR:
            self.drought.note_failure(proxy, record, said)
            record.count(said.outcome)
            record.last = said.outcome
            if said.outcome is Outcome.UNCLEAR:
                record.last_unclear_at = self.now
            else:
                record.last_bad_at = self.now

    def succeed(self, proxy: Proxy) -> None:
        self.now += 1
        record = self.exits.setdefault(proxy.key, ExitRecord())
        record.last_ok_at, record.last = self.now, Outcome.OK
        record.count(Outcome.OK)
        self.drought.succeed(proxy, self.now)


class Sizes(dict[float, "Counter[bool]"]):
    """The sizes of a catalog, which count how often all of them were looked at."""

    looks = 0

    def __iter__(self) -> Iterator[float]:
        self.looks += 1
        return super().__iter__()


def test_all_tiers_are_looked_at_once_between_two_answers() -> None:
    """A pick asks each of a thousand tiers whether it gives way: to look at all for each would take its square."""
    proxies = [Proxy(scheme="http", host="cheap", port=8000 + number, cost=1.0 + number) for number in range(1000)]
    site = Site(*proxies)
    for proxy in proxies[:-1]:
        site.fail(proxy, SAID[0])
    sizes = site.catalog.sizes = Sizes(site.catalog.sizes)

    for _ in range(3):
        assert all(site.drought.gives_way(proxy.cost, site.now) for proxy in proxies[:-1])
    site.fail(proxies[-1], SAID[0])
    assert not any(site.drought.gives_way(proxy.cost, site.now) for proxy in proxies)

    assert sizes.looks == 2


@pytest.mark.parametrize("said", SILENT)
def test_tries_that_never_reach_the_site_wait_for_the_last_proxy(said: Verdict) -> None:
    """However many do not answer, one that was never tried may work."""
    proxies = plains(3 * DROUGHT_COUNT)
    site = Site(*proxies)
    for proxy in proxies[:-1]:
        site.fail(proxy, said)
        site.fail(proxy, said)
    before = site.drought.is_everywhere

    site.fail(proxies[-1], said)

    assert (before, site.drought.is_everywhere) == (False, True)


@pytest.mark.parametrize("said", SAID)
def test_a_thousand_refusals_of_the_site_are_enough(said: Verdict) -> None:
    """What is refused to so many is refused to all."""
    proxies = plains(3 * DROUGHT_COUNT)
    site = Site(*proxies)
    for proxy in proxies[: DROUGHT_COUNT - 1]:
        site.fail(proxy, said)
    before = site.drought.is_everywhere

    site.fail(proxies[DROUGHT_COUNT], said)

    assert (before, site.drought.is_everywhere) == (False, True)


@pytest.mark.parametrize("said", [*SILENT, *SAID])
def test_each_tier_has_its_turn(said: Verdict) -> None:
    """Where the cheap ones fail, however they do, the dear ones are tried before nothing works; then all gives up."""
    site = Site(*plains(2 * DROUGHT_COUNT), *map(dear, range(10)))
    for proxy in plains(2 * DROUGHT_COUNT):
        site.fail(proxy, said)

    gave_way = site.drought.gives_way(1.0, site.now)
    was_everywhere = []
    for number in range(10):
        was_everywhere.append(site.drought.is_everywhere)
        site.fail(dear(number), said)

    assert (gave_way, any(was_everywhere), site.drought.is_everywhere) == (True, False, True)
    assert not site.drought.gives_way(1.0, site.now)


@pytest.mark.parametrize("said", [*SILENT, *SAID])
def test_a_cheap_gateway_gives_way_too(said: Verdict) -> None:
    """It has names without end, and a hundred of them stand for it."""
    site = Site(gateway(0), dear(1))
    for number in range(NAMES_AT_A_GATEWAY):
        assert not site.drought.gives_way(1.0, site.now)
        site.fail(gateway(0), said, f"name{number}")

    assert site.drought.gives_way(1.0, site.now)
    assert not site.drought.is_everywhere


def test_a_tier_that_gave_way_does_not_come_back_for_others_answers() -> None:
    """Only when it is answered well itself, or after an hour."""
    site = Site(*plains(3), dear(1))
    for proxy in plains(3):
        site.fail(proxy, SAID[0])
    site.succeed(dear(1))

    assert site.drought.gives_way(1.0, site.now)
    assert not site.drought.gives_way(1.0, site.now + DROUGHT_SECONDS)
    site.succeed(plain(2))
    assert not site.drought.gives_way(1.0, site.now)


def test_the_sites_own_errors_count_in_each_tier() -> None:
    """A site that is down answers all alike: the cheap ones give way, and after the dear ones nothing works."""
    site = Site(*plains(2), dear(1), dear(2))
    error = Verdict(outcome=Outcome.SITE_ERROR, why="status 500")
    for _ in range(FEWEST_BAD_ANSWERS):
        site.fail(plain(0), error)
    gave_way, was_everywhere = site.drought.gives_way(1.0, site.now), site.drought.is_everywhere

    for _ in range(FEWEST_BAD_ANSWERS):
        site.fail(dear(1), error)

    assert (gave_way, was_everywhere, site.drought.is_everywhere) == (True, False, True)


def test_exits_that_are_never_drawn_do_not_put_it_off() -> None:
    """Once all were tried, many bad answers are enough, whichever they came through."""
    site = Site(*plains(3), dear(1))
    for proxy in (*plains(3), dear(1)):
        site.succeed(proxy)
    for _ in range(FEWEST_BAD_ANSWERS):
        site.fail(plain(0), SILENT[0])

    assert site.drought.is_everywhere


PROXIES = [*plains(4), gateway(0), dear(1), dear(2)]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(PROXIES),
        st.sampled_from([*SILENT, *SAID, Verdict(outcome=Outcome.SITE_ERROR), None]),
        st.sampled_from([0.0, 0.0, 0.0, 100.0, 4000.0]),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(steps=STEPS, leaving=st.sets(st.sampled_from(PROXIES)))
def test_the_books_agree_with_what_happened(steps: list, leaving: set[Proxy]) -> None:  # type: ignore[type-arg] # of several kinds
    """No count is negative, nothing never tried is given up for silence, and those who leave take all with them."""
    site = Site(*PROXIES)
    answered: set[str] = set()
    for number, (proxy, said, pause) in enumerate(steps):
        site.now += pause
        answered.add(proxy.key)
        if said is None:
            site.succeed(proxy)
        else:
            site.fail(proxy, said, f"name{number}" if proxy.is_gateway else "")
        drought = site.drought
        assert drought.has_untried is (len(answered) < len(PROXIES))
        if drought.is_everywhere and all(said in SILENT for _, said, _ in steps[: number + 1]):
            assert not drought.has_untried
        for cost in site.catalog.sizes:
            assert not (drought.is_everywhere and drought.gives_way(cost, site.now))

    for proxy in leaving:
        site.catalog.remove(proxy.key)
    site.drought.part({proxy.key: proxy for proxy in leaving})

    assert site.drought.failing_count >= 0
    assert site.drought.is_everywhere <= bool(site.catalog)
    if leaving == set(PROXIES):
        assert site.drought.failing_count == 0
    site.catalog.add(plain(9))
    site.drought.welcome({plain(9).key: plain(9)}, site.exits, are_new=True)
    assert not site.drought.is_everywhere


def test_where_nothing_works_a_gateway_does_not_take_all_probes() -> None:
    """It has always a name that has not failed, but a proxy that failed long ago is news as well, at whatever cost."""
    world = World([gateway(0), dear(1)], "classic")
    dry_up(world)

    used: set[str] = set()
    while len(used) < 2 and world.now < START + DAY:
        pick = world.choose()
        if isinstance(pick, Wait):
            world.now = max(world.now + 1, pick.until or 0.0)
        else:
            used.add(world.proxy(world.take(pick)))
            world.report(pick.leased, Outcome.BLOCKED)

    assert used == {gateway(0).key, dear(1).key}
