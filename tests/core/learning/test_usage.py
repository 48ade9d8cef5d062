"""A site that limits, bans and changes its mind is understood from what becomes of the exits that are used there."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from random import Random

import pytest
from tests.core.worlds import DAY, START

from proxysieve.core.learning.usage import BlockedUse, Usage
from proxysieve.core.learning.usage_limits import FLOOR, WINDOWS

NO_MORE = "holds no more"


class Site:
    """Bears *n* uses of an address within *seconds*; one that had more is banned for good, *late* seconds after."""

    def __init__(self, n: float = math.inf, seconds: float = 60.0, *, late: float = 0.0) -> None:
        self.n = n
        self._seconds = seconds
        self._late = late
        self._asked: dict[str, list[float]] = {}
        self._banned_at: dict[str, float] = {}

    def is_ok(self, address: str, at: float) -> bool:
        asked = self._asked.setdefault(address, [])
        asked.append(at)
        if sum(one > at - self._seconds for one in asked[-1000:]) > self.n:
            self._banned_at.setdefault(address, at + self._late)
        return at < self._banned_at.get(address, math.inf)


class Crawl:
    """Exits at a site, which answers at once, and what is learned of it."""

    def __init__(self, site: Site | None = None, *, by_network: bool = False, is_forgetful: bool = False) -> None:
        self.usage = Usage()
        self.is_forgetful = is_forgetful
        self.site = site or Site()
        self.by_network = by_network
        self.networks: dict[str, str] = {}
        self.blocked: dict[str, str] = {}

    def ask(self, exit_id: str, at: float, *, network: str = "", is_down: bool = False, is_canary: bool = False) -> str:
        """One request; why it was blocked, ``ok`` if it was not. *is_down* blocks it for no reason of ours."""
        usage = self.usage
        self.networks[exit_id] = network
        number, at = usage.use(exit_id, network, at)
        if self.site.is_ok(network if self.by_network else exit_id, at) and not is_down:
            usage.serve(exit_id, number)
            usage.answer_well(network, at)
            usage.prove(exit_id, network, number, at, 1, at)
            return "ok"
        working = [one for one in self.networks if one not in self.blocked and one != exit_id]
        exits = [usage.exits[one] for one in working]
        networks = [usage.networks[name] for name in {self.networks[one] for one in working} - {""}]
        why = usage.explain(BlockedUse(exit_id, network, at, number, is_canary), exits, networks, at)
        self.blocked[exit_id] = why
        if self.is_forgetful:
            del usage.exits[exit_id], self.networks[exit_id]
        return why

    def run(self, begins: dict[str, float], gaps: Sequence[float], until: float) -> list[str]:
        """Use each exit from a time on, every so many seconds, until it is blocked; why they were."""
        due = [(at, name, gap) for (name, at), gap in zip(begins.items(), gaps, strict=True)]
        heapq.heapify(due)
        whys = []
        while due and due[0][0] <= until:
            at, name, gap = heapq.heappop(due)
            why = self.ask(name, at)
            if why == "ok":
                heapq.heappush(due, (at + gap, name, gap))
            else:
                whys.append(why)
        return whys

    def run_together(self, gaps: Sequence[float], count: int, seconds: float = 200.0) -> list[str]:
        """Use exits at different paces so that each has its use of that *count* within one second; why they end."""
        begins = {f"exit{place}": START + 100 + place / 10 - count * gap for place, gap in enumerate(gaps)}
        return self.run(begins, gaps, START + 100 + seconds)

    def run_evenly(self, until: float, start: float = START) -> list[str]:
        """Use twenty exits, each every five seconds; why they end."""
        begins = {f"exit{place}": start + place / 4 for place in range(20)}
        return self.run(begins, [5.0] * 20, until)

    def obey(self, exit_id: str, seconds: float, start: float = START) -> int:
        """Use an exit as soon as it may be, until it is blocked; how often it was used."""
        at, pace = start, self.usage.exit_limits
        while at <= start + seconds and self.ask(exit_id, at) == "ok":
            uses = self.usage.exits[exit_id]
            at = max(at + 0.25, pace.frontier_at(uses), pace.limits_at(uses))
        return self.usage.exits[exit_id].count


def test_a_canary_finds_the_limit_of_an_exit() -> None:
    """One that goes ahead is blocked at its 31st use of a minute, and the others are held to thirty."""
    crawl = Crawl(Site(30, 60.0))

    whys = [crawl.ask("canary", START + number, is_canary=True) for number in range(31)]

    assert whys == ["ok"] * 30 + ["a limit of 30"]
    assert [(one.n, one.above, one.subject) for one in crawl.usage.exit_limits.limits] == [(30, 30.0, "canary")]


def test_nobody_is_lost_after_the_canary() -> None:
    """Exits that are used as soon as they may be bear it all day, once one has found the limit."""
    crawl = Crawl(Site(30, 60.0))
    for number in range(31):
        crawl.ask("canary", START + number, is_canary=True)

    counts = [crawl.obey(name, DAY / 4, START + 100) for name in "abc"]

    assert list(crawl.blocked) == ["canary"]
    assert all(count >= 28 for count in counts)


def test_nothing_is_proven_before_three_have_done_it() -> None:
    """Exits that stay within what is granted get three uses in any time, until some go ahead."""
    crawl = Crawl()

    assert crawl.obey("a", 8000) == FLOOR


# Networks.


def network_of_one(crawl: Crawl, name: str, count: int) -> None:
    """One exit bears *count* uses within a minute, so that none of an exit is suspected for fewer."""
    for number in range(count):
        assert crawl.ask(name, START + number, network=name) == "ok"


def overdo_network(crawl: Crawl) -> str:
    """Three exits of a network are used in turn until one is blocked; why it is."""
    for number in range(1000):
        why = crawl.ask(f"x{number % 3}", START + 100 + number, network="x")
        if why != "ok":
            return why
    return ""


def test_a_network_is_suspected_where_its_exits_did_nothing_new() -> None:
    """Each was used a dozen times, which others bear; together they were used like no network before."""
    crawl = Crawl(Site(36, 120.0), by_network=True)
    network_of_one(crawl, "alone", 30)

    why = overdo_network(crawl)

    (limit,) = crawl.usage.network_limits.limits
    assert why == "a limit of 36 of the network"
    assert (limit.n, limit.subject, limit.sure) == (36, "x", 0.5)
    assert crawl.usage.exit_limits.limits == []


def test_where_the_exit_may_be_to_blame_its_network_is_suspected_less() -> None:
    """A block that the use of the exit explains is for its network's in one case of ten."""
    crawl = Crawl(Site(36, 120.0), by_network=True)

    overdo_network(crawl)

    assert [(one.n, one.sure) for one in crawl.usage.exit_limits.limits] == [(12, 0.9)]
    assert [(one.n, one.sure) for one in crawl.usage.network_limits.limits] == [(36, 0.1)]


def test_a_good_answer_of_a_neighbour_acquits_the_network() -> None:
    """If another exit of it still works, it was not the network that was banned."""
    crawl = Crawl(Site(36, 120.0))
    network_of_one(crawl, "alone", 30)
    for number in range(40):
        assert crawl.ask(f"x{number % 3}", START + 100 + number, network="x") == "ok"
    crawl.ask("x1", START + 140, network="x", is_down=True)
    assert [one.subject for one in crawl.usage.network_limits.limits] == ["x"]

    crawl.ask("y1", START + 141, network="y")
    assert crawl.usage.network_limits.limits
    crawl.ask("x2", START + 142, network="x")
    assert crawl.usage.network_limits.limits == []


def test_what_an_exit_bears_is_granted_to_networks() -> None:
    """Its uses are uses of its network, so nine tenths of what is proven are granted to other networks at once."""
    crawl = Crawl()

    network_of_one(crawl, "alone", 22)

    assert crawl.usage.exit_limits.granted[-1] == 20
    assert crawl.usage.network_limits.granted[-1] == 18


# Bans that come late.

PACES = [(0.25, 0.5, 1.0, 1.5, 2.0, 3.0), (0.3, 0.7, 1.1, 1.7, 2.3, 2.9), (2.0, 0.5, 1.5, 0.25, 3.0, 1.0)]


@pytest.mark.parametrize("late", [10.0, 20.0, 45.0])
@pytest.mark.parametrize("gaps", PACES)
def test_bans_that_come_late_are_recognised(gaps: Sequence[float], late: float) -> None:
    """Exits of different paces are banned at different counts, which agree for one moment before: that of the cause."""
    crawl = Crawl(Site(30, 3600.0, late=late))

    whys = crawl.run_together(gaps, 30)

    assert any(why.startswith("bans come") for why in whys)
    assert crawl.usage.exit_limits.lag == pytest.approx(late, abs=2.0)
    assert crawl.usage.network_limits.lag == crawl.usage.exit_limits.lag
    assert [one.n for one in crawl.usage.exit_limits.limits] == [pytest.approx(30, abs=2)]


def test_bans_that_come_late_are_recognised_after_a_long_quiet_time() -> None:
    """However rare blocks were before, it takes enough of them to compare before all begins anew."""
    crawl = Crawl(Site(30, 3600.0, late=20.0))
    for number in range(20_000):
        assert crawl.ask(f"once{number // 2}", START - 10_000 + number / 2) == "ok"

    crawl.run_together(PACES[0], 30)

    assert crawl.usage.exit_limits.lag == pytest.approx(20.0, abs=2.0)


def test_bans_that_come_late_are_recognised_of_exits_that_are_gone() -> None:
    """A name at a provider is forgotten when it is blocked, but not what it was used for."""
    crawl = Crawl(Site(30, 3600.0, late=20.0), is_forgetful=True)

    crawl.run_together(PACES[0], 30)

    assert crawl.usage.exits == {}
    assert crawl.usage.exit_limits.lag == pytest.approx(20.0, abs=2.0)


def test_exits_are_not_banned_any_more_once_the_lag_is_known() -> None:
    """What is granted is what all bore at the time of the cause."""
    crawl = Crawl(Site(30, 3600.0, late=20.0))
    crawl.run_together(PACES[0], 30)
    lost = len(crawl.blocked)

    counts = [crawl.obey(name, 3000.0, START + 1000) for name in "abc"]

    assert len(crawl.blocked) == lost
    assert all(count > 20 for count in counts)


@pytest.mark.parametrize("gaps", PACES)
def test_bans_that_come_at_once_are_not_taken_for_late(gaps: Sequence[float]) -> None:
    """Whatever the paces are, the counts agree at the block itself."""
    crawl = Crawl(Site(30, 3600.0))

    crawl.run_together(gaps, 30)

    assert len(crawl.blocked) == len(gaps)
    assert crawl.usage.exit_limits.lag == 0.0


# Changes, and chance.


def test_a_sudden_change_is_noticed_and_all_begins_anew() -> None:
    """Where exits are blocked one after the other for what they always did, nothing that was proven holds."""
    crawl = Crawl()
    crawl.run_evenly(START + 500)
    proven_before = crawl.usage.exit_limits.granted[-1]

    crawl.site.n = 5
    whys = crawl.run_evenly(START + 1000, START + 500)

    pace = crawl.usage.exit_limits
    assert proven_before > 60
    assert any(NO_MORE in why for why in whys[:6])
    assert pace.began_at > START + 500
    assert pace.lag == 0.0


def test_after_a_change_the_new_limit_is_learned() -> None:
    """What was proven before is forgotten, so a new exit finds out what holds now, and the others keep to it."""
    crawl = Crawl()
    crawl.run_evenly(START + 500)
    crawl.site.n = 5
    crawl.run_evenly(START + 1000, START + 500)
    lost = len(crawl.blocked)

    whys = [crawl.ask("canary", START + 2000 + number, is_canary=True) for number in range(6)]
    for name in "abc":
        crawl.obey(name, 3600.0, START + 3000)

    assert whys[-1] != "ok"
    assert len(crawl.blocked) == lost + 1


def test_blocks_in_the_background_are_hardly_ever_a_change() -> None:
    """One request of two hundred is blocked whatever one does; of 80,000, one cluster at most is taken for more."""
    whys: list[str] = []

    for seed in range(4):
        crawl, rng = Crawl(), Random(seed)
        exits = [f"exit{number}" for number in range(30)]
        for number in range(20_000):
            place = number % len(exits)
            why = crawl.ask(exits[place], START + number / 10, is_down=rng.random() < 0.005)
            if why != "ok":
                whys.append(why)
                exits[place] = f"exit{place}-{number}"

    assert len(whys) > 300
    assert sum(NO_MORE in why or why.startswith("bans come") for why in whys) <= 1


def test_blocks_of_those_that_go_ahead_are_no_change() -> None:
    """They were sent to find out how much is borne, so that they are blocked surprises nobody."""
    crawl = Crawl(Site(3, 3600.0))

    whys = [crawl.ask(f"canary{place}", START + number, is_canary=True) for place in range(20) for number in range(4)]

    assert not any(NO_MORE in why for why in whys)


# Uses.


def test_requests_of_an_exit_are_numbered() -> None:
    """From one on, each exit for itself, and those of its network together."""
    usage = Usage()

    numbers = [usage.use(name, "x", START)[0] for name in "aabab"]

    assert numbers == [1, 2, 1, 3, 2]
    assert usage.networks["x"].count == 5


@pytest.mark.parametrize("network", ["", "x"])
def test_no_two_requests_of_an_exit_are_of_one_moment(network: str) -> None:
    """Requests that go out at once, or whose clock goes back, follow each other all the same, at once."""
    usage = Usage()

    moments = [usage.use("a", network, at)[1] for at in (START, START, START - 5.0, START + 1.0)]

    assert moments == sorted(set(moments))
    assert (moments[0], moments[-1]) == (START, START + 1.0)
    assert moments[2] == pytest.approx(START, abs=0.001)


def test_no_two_requests_of_a_network_are_of_one_moment() -> None:
    """Nor are those of different exits; where the network is unknown, exits have nothing to do with each other."""
    usage = Usage()

    together = [usage.use(name, "x", START)[1] for name in "aba"]
    apart = [usage.use(name, "", START)[1] for name in "cd"]

    assert together == sorted(set(together))
    assert apart == [START, START]


def test_uses_without_a_network_count_for_none() -> None:
    """Where the network is not known, there is none to wear down."""
    usage = Usage()

    usage.use("a", "", START)

    assert usage.networks == {}


def test_what_is_kept_of_an_exit_is_its_uses_as_far_back_as_windows_reach() -> None:
    """Older ones do not matter for anything that is proven; an unknown exit has none."""
    usage = Usage()
    for at in (START, START + 1.00049, START + WINDOWS[-1] + 1):
        usage.use("a", "", at)

    assert usage.used_at("a") == [START + 1.0, START + WINDOWS[-1] + 1]
    assert usage.used_at("b") is None


def test_answers_may_come_in_any_order() -> None:
    """The latest that was answered is the one with the highest number."""
    usage = Usage()
    for _ in range(3):
        usage.use("a", "", START)

    for number in (2, 3, 1):
        usage.serve("a", number)

    assert usage.exits["a"].served == 3


def test_questions_that_are_out_make_a_limit_lower_until_they_are_answered() -> None:
    """Of thirty-one requests the last is refused before any is answered; good answers that follow raise the limit."""
    usage = Usage()
    for number in range(31):
        usage.use("a", "", START + number / 10)

    usage.explain(BlockedUse("a", "", START + 3.0, 31, is_expected=True), [], [], START + 4)
    assert [limit.n for limit in usage.exit_limits.limits] == [FLOOR]

    usage.bear("a", START + 2.9, START + 5)
    assert [limit.n for limit in usage.exit_limits.limits] == [30]


def test_more_in_flight_is_proven_by_three_that_were() -> None:
    """How many requests of one exit may be out has a frontier like the windows."""
    crawl = Crawl()
    for number in range(1, 4):
        crawl.usage.use("a", "", START + number)
        crawl.usage.prove("a", "", number, START + number, 8, START + number)

    assert crawl.usage.depth.proven == 8


def test_what_is_known_fades() -> None:
    """Of exits and of networks alike."""
    crawl = Crawl()
    network_of_one(crawl, "alone", 42)

    crawl.usage.forget(0.5)

    assert crawl.usage.exit_limits.granted[-1] == 20
    assert crawl.usage.network_limits.granted[-1] == 18
