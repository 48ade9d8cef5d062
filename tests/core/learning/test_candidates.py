"""Where the next working session comes from."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from tests.core.worlds import START, World, gateway, plain

from proxysieve.core.learning.candidates import FIRST_PATIENCE_SECONDS, PATIENCE, Candidate, Candidates
from proxysieve.core.learning.tiers import FIRST_DUE_SECONDS, LAST_DUE_SECONDS, SHRINKAGE
from proxysieve.core.model import Outcome, Proxy
from proxysieve.core.proxies.catalog import NAMES_AT_A_GATEWAY, Catalog
from proxysieve.core.proxies.other_sites import OtherSites
from proxysieve.core.records import ExitRecord


def proxy(network: int, number: int, cost: float = 1.0) -> Proxy:
    """One of the *network* that has this number."""
    return Proxy(scheme="http", host=f"203.0.{network}.{number}", port=8000, cost=cost)


class Place:
    """A supply, with what is known of exits, and a lease for each try."""

    def __init__(self, *proxies: Proxy) -> None:
        self.catalog = Catalog(proxies)
        self.exits: dict[str, ExitRecord] = {}
        self.at_work: set[str] = set()
        self.candidates = Candidates(self.catalog, self.exits, OtherSites(), self.at_work)
        self.now = START
        self._lease = 0

    def begin(self, of: Proxy) -> int:
        self._lease += 1
        self.candidates.begin(self._lease, of, self.now)
        return self._lease

    def end(self, lease: int, of: Proxy, outcome: Outcome | None) -> None:
        """The try is over, in the order in which the facts take it in."""
        record = self.exits.setdefault(of.key, ExitRecord())
        self.candidates.end(lease, of, outcome, record, self.now)
        if outcome is not None:
            record.count(outcome)
            record.last = outcome
        if outcome is Outcome.OK and not of.is_gateway:
            self.at_work.add(of.key)

    def attempt(self, of: Proxy, outcome: Outcome | None) -> None:
        self.end(self.begin(of), of, outcome)

    def leave(self, of: Proxy) -> None:
        """Its session ended by nobody's fault."""
        self.at_work.discard(of.key)
        self.candidates.leave(of, self.exits[of.key], self.now)

    def block(self, of: Proxy) -> None:
        """Its session was blocked, and that is believed."""
        self.at_work.discard(of.key)
        self.exits[of.key].last = Outcome.BLOCKED
        self.candidates.block(of, self.exits[of.key], Outcome.BLOCKED, self.now)

    def is_free(self, of: Proxy) -> bool:
        return of.key not in self.at_work

    def find(self, seed: int = 1) -> Candidate | None:
        return self.candidates.find(self.candidates.tiers()[0], self.is_free, Random(seed), self.now)

    def found(self, seed: int = 1) -> Candidate:
        found = self.find(seed)
        assert found is not None
        return found

    def find_blocked(self) -> Candidate | None:
        return self.candidates.find_blocked(self.candidates.tiers()[0], self.is_free, self.now)

    def found_blocked(self) -> Candidate:
        found = self.find_blocked()
        assert found is not None
        return found


class TestFresh:
    """Exits that were never used at the site."""

    def test_the_best_group_comes_first(self) -> None:
        """Exits of a network that worked are tried before those of one that did not."""
        place = Place(*(proxy(network, number) for network in (1, 2, 3) for number in range(1, 20)))
        place.attempt(proxy(1, 1), Outcome.BLOCKED)
        place.attempt(proxy(2, 1), Outcome.OK)

        found = {place.found(seed).proxy.network for seed in range(50)}

        assert found == {"203.0.2.0/24"}

    def test_equals_are_equally_likely(self) -> None:
        """Of networks of which nothing is known, any may be drawn."""
        place = Place(*(proxy(network, number) for network in (1, 2, 3) for number in range(1, 20)))

        found = [place.found(seed).proxy.network for seed in range(600)]

        assert all(140 < found.count(f"203.0.{network}.0/24") < 260 for network in (1, 2, 3))

    def test_what_one_group_did_counts_for_others_too(self) -> None:
        """The chance is shrunk towards that of all exits, which weighs as much as one and a half of the group."""
        place = Place(*(proxy(network, number) for network in (1, 2) for number in range(1, 20)))
        for number in (1, 2, 3):
            place.attempt(proxy(1, number), Outcome.OK)

        tier = place.candidates.tiers()[0]

        assert tier.chance == pytest.approx(4 / 5)
        assert tier.chance_of((0, 0)) == pytest.approx(tier.chance)
        assert tier.chance_of((3, 0)) == pytest.approx((3 + SHRINKAGE * 0.8) / (3 + SHRINKAGE))
        assert tier.chance < place.found().chance < 1

    def test_those_being_tried_count_as_failed_for_the_choice_alone(self) -> None:
        """So the tries of one burst are spread; what is expected of them does not change by that."""
        place = Place(*(proxy(network, number) for network in (1, 2) for number in range(1, 20)))
        before = place.found().chance

        place.begin(proxy(1, 1))
        found = {place.found(seed).proxy.network for seed in range(50)}
        place.begin(proxy(1, 2))

        assert found == {"203.0.2.0/24"}
        assert place.candidates.expected == {1.0: pytest.approx(2 * before)}

    @pytest.mark.parametrize("outcome", [*Outcome, None])
    def test_only_what_tells_of_the_exit_counts(self, outcome: Outcome | None) -> None:
        """The site's own errors, answers that say nothing and dropped leases leave the counts as they were."""
        place = Place(proxy(1, 1), proxy(1, 2))

        place.attempt(proxy(1, 1), outcome)

        tier = place.candidates.tiers()[0]
        is_known = outcome not in {Outcome.SITE_ERROR, Outcome.UNCLEAR, Outcome.THROTTLED, None}
        assert (tier.ok, tier.bad) == (outcome is Outcome.OK, is_known and outcome is not Outcome.OK)
        assert place.candidates.expected.get(1.0, 0.0) == 0
        assert place.candidates.try_count == 0

    def test_each_is_found_once(self) -> None:
        """Until all were used; then there is none left."""
        proxies = [proxy(network, number) for network in (1, 2, 3) for number in range(1, 10)]
        place = Place(*proxies)
        found = []
        for _ in proxies:
            found.append(place.found().proxy)
            place.attempt(found[-1], Outcome.OK)

        assert sorted(one.key for one in found) == sorted(one.key for one in proxies)
        assert place.find() is None

    def test_one_that_is_not_free_now_may_be_later(self) -> None:
        """Its group is not given up for that."""
        place = Place(proxy(1, 1))
        tier = place.candidates.tiers()[0]

        taken = place.candidates.find(tier, lambda _: False, Random(1), place.now)

        assert taken is None
        assert place.found().proxy == proxy(1, 1)

    def test_a_gateway_has_names_without_end(self) -> None:
        """Whatever happened to others of its names, it may be tried; its chance falls with their failures."""
        place = Place(gateway(0))
        before = place.found().chance

        for _ in range(20):
            place.attempt(gateway(0), Outcome.BLOCKED)

        assert place.found().proxy == gateway(0)
        assert place.found().chance < before / 4
        assert place.find_blocked() is None

    def test_proxies_come_and_go(self) -> None:
        """One that was taken out is not found; one that was put in is."""
        place = Place(proxy(1, 1), proxy(2, 1))
        place.found()
        place.catalog.remove(proxy(1, 1).key)
        without = {place.found(seed).proxy for seed in range(20)}
        place.catalog.remove(proxy(2, 1).key)
        nothing = place.find()
        place.catalog.add(proxy(3, 1))
        fresh = {place.found(seed).proxy for seed in range(20)}

        assert (without, nothing, fresh) == ({proxy(2, 1)}, None, {proxy(3, 1)})

    def test_a_gateway_that_left_is_not_found(self) -> None:
        """Neither as a fresh one nor as a neighbour, until it comes back."""
        place = Place(gateway(0))
        place.attempt(gateway(0), Outcome.OK)
        place.found()
        place.catalog.remove(gateway(0).key)
        (tier,) = place.candidates.tiers()
        without = place.find(), place.candidates.neighbour(tier, gateway(0).key, place.is_free, Random(1))
        place.catalog.add(gateway(0))

        assert without == (None, None)
        assert place.found().proxy == gateway(0)

    def test_the_answer_of_one_that_left_is_no_loss(self) -> None:
        """The group of a proxy that was taken out while it was tried and put back is as good as before."""
        place = Place(proxy(1, 1), proxy(1, 2))
        lease = place.begin(proxy(1, 1))
        place.catalog.remove(proxy(1, 1).key)
        place.end(lease, proxy(1, 1), None)
        place.catalog.add(proxy(1, 1))

        assert place.candidates.try_count == 0
        assert place.found().chance == 0.5

    def test_the_cheapest_tier_comes_first(self) -> None:
        """Whatever works better."""
        place = Place(proxy(1, 1, cost=5.0), proxy(2, 1, cost=1.0), proxy(3, 1, cost=0.5))

        assert [tier.cost for tier in place.candidates.tiers()] == [0.5, 1.0, 5.0]


class TestSlow:
    """Tries that take long."""

    def test_they_are_given_up_on(self) -> None:
        """Nothing is expected of one that takes four times the usual time, nor of one of ten seconds before any."""
        place = Place(*(proxy(1, number) for number in range(1, 5)))
        place.begin(proxy(1, 1))
        place.candidates.give_up_on_slow(place.now + FIRST_PATIENCE_SECONDS)
        at_first = dict(place.candidates.expected)
        place.candidates.answer_well(1.0)
        place.candidates.give_up_on_slow(place.now + PATIENCE)
        patient = dict(place.candidates.expected)
        place.candidates.give_up_on_slow(place.now + PATIENCE + 0.1)

        assert at_first == patient == {1.0: 0.5}
        assert place.candidates.expected == {}
        assert place.candidates.try_count == 1

    def test_their_answers_still_count(self) -> None:
        """Late is not wrong."""
        place = Place(proxy(1, 1))
        lease = place.begin(proxy(1, 1))
        place.candidates.give_up_on_slow(place.now + 100)

        place.end(lease, proxy(1, 1), Outcome.OK)

        assert place.candidates.tiers()[0].ok == 1
        assert place.candidates.expected.get(1.0, 0.0) == 0
        assert place.candidates.try_count == 0


class TestUnclear:
    """Exits whose last try told nothing."""

    def test_they_stand_behind_those_that_were_never_tried(self) -> None:
        """Each is tried once before any is tried again, however unlikely the others are to work."""
        proxies = [proxy(1, number) for number in range(1, 6)]
        place = Place(*proxies, proxy(2, 1))
        place.attempt(proxy(2, 1), Outcome.BLOCKED)

        found = []
        while one := place.find():
            found.append(one.proxy)
            place.attempt(one.proxy, Outcome.UNCLEAR)

        assert sorted(one.key for one in found) == sorted(one.key for one in proxies)

    def test_they_are_as_good_as_fresh_ones_when_they_are_due(self) -> None:
        """After a minute, and after twice as long each time that it tells nothing again; at most a day."""
        place = Place(proxy(1, 1))
        place.attempt(proxy(1, 1), Outcome.UNCLEAR)

        pauses = []
        for _ in range(14):
            tried_at = place.now
            while not place.find():
                place.now += 30
            pauses.append(place.now - tried_at)
            place.attempt(proxy(1, 1), Outcome.UNCLEAR)

        doubled = [FIRST_DUE_SECONDS * 2**number for number in range(14)]
        assert pauses == [min(pause, LAST_DUE_SECONDS) for pause in doubled]

    def test_one_that_is_answered_ends_the_doubts_of_its_tier(self) -> None:
        """Then silence was the site's, or the network's."""
        place = Place(proxy(1, 1), proxy(1, 2))
        for number in (1, 2, 1, 2):
            place.now += LAST_DUE_SECONDS
            place.attempt(proxy(1, number), Outcome.UNCLEAR)
        place.now += LAST_DUE_SECONDS
        place.attempt(proxy(1, 1), Outcome.OK)

        place.attempt(proxy(1, 2), Outcome.UNCLEAR)
        place.now += 2 * FIRST_DUE_SECONDS

        assert place.found().proxy == proxy(1, 2)

    def test_they_may_be_dared_before_they_are_due(self) -> None:
        """Where nothing else is left, by how often they turned out well; at first that is even."""
        place = Place(proxy(1, 1), proxy(1, 2))
        place.attempt(proxy(1, 1), Outcome.UNCLEAR)
        at_first = place.found_blocked()
        for _ in range(20):
            place.attempt(proxy(1, 1), Outcome.UNCLEAR)

        assert at_first == Candidate(proxy(1, 1), 0.5, "unclear 0 s ago")
        assert place.found_blocked().chance < 0.1

    def test_one_that_had_worked_is_not_offered_as_that(self) -> None:
        """An idle exit that hangs would be tried first for ever."""
        place = Place(proxy(1, 1), proxy(1, 2))
        place.attempt(proxy(1, 1), Outcome.OK)
        place.leave(proxy(1, 1))

        place.attempt(proxy(1, 1), Outcome.UNCLEAR)

        assert place.found().proxy == proxy(1, 2)

    def test_a_blocked_one_goes_behind_the_other_blocked_ones(self) -> None:
        """It was tried, and waits for its turn anew; of bans nothing was learned."""
        place = Place(proxy(1, 1), proxy(1, 2))
        place.attempt(proxy(1, 1), Outcome.BLOCKED)
        place.now += 500
        place.attempt(proxy(1, 2), Outcome.BLOCKED)
        place.now += 500
        before = place.candidates.recoveries["never worked"].chance(100)

        place.attempt(proxy(1, 1), Outcome.UNCLEAR)

        assert place.found_blocked().proxy == proxy(1, 2)
        assert place.candidates.recoveries["never worked"].chance(100) == before

    @pytest.mark.parametrize("outcome", [Outcome.UNCLEAR, Outcome.PROXY_ERROR])
    def test_a_gateway_of_whose_names_none_is_answered_stands_behind(self, outcome: Outcome) -> None:
        """A hundred names stand for it; one that is answered by the site, however, brings it back."""
        place = Place(gateway(0), proxy(1, 1), proxy(1, 2))
        place.attempt(proxy(1, 1), Outcome.BLOCKED)
        for _ in range(NAMES_AT_A_GATEWAY):
            place.attempt(gateway(0), outcome)
        behind = {place.found(seed).proxy for seed in range(20)}
        place.attempt(proxy(1, 2), Outcome.BLOCKED)
        nothing = place.find()
        place.now += FIRST_DUE_SECONDS
        due = place.found().proxy

        place.attempt(gateway(0), Outcome.BLOCKED)

        assert (behind, nothing, due) == ({proxy(1, 2)}, None, gateway(0))
        assert place.found().why == "never used here"

    def test_one_name_at_a_time_tries_a_gateway_that_stands_behind(self) -> None:
        """Its names are as many as requests wait."""
        place = Place(gateway(0))
        for _ in range(NAMES_AT_A_GATEWAY):
            place.attempt(gateway(0), Outcome.UNCLEAR)
        place.now += FIRST_DUE_SECONDS
        place.begin(place.found().proxy)

        assert place.find() is None

    def test_they_are_so_after_a_restart_and_a_change_of_the_list(self) -> None:
        """What is known of them is kept."""
        place = Place(proxy(1, 1), proxy(1, 2))
        place.attempt(proxy(1, 1), Outcome.UNCLEAR)
        record = place.exits[proxy(1, 1).key]
        record.last_unclear_at = place.now
        for again in (place, Place(proxy(1, 1), proxy(1, 2))):
            again.exits[proxy(1, 1).key] = record
            again.candidates.part(proxy(1, 1))
            again.candidates.welcome(proxy(1, 1), record)

            assert {again.found(seed).proxy for seed in range(20)} == {proxy(1, 2)}

    def test_those_that_give_way_are_not_tried_fresh(self) -> None:
        """But those that worked are, and those that are due."""
        place = Place(proxy(1, 1), proxy(1, 2))
        (tier,) = place.candidates.tiers()
        place.attempt(proxy(1, 1), Outcome.UNCLEAR)

        def find() -> Candidate | None:
            return place.candidates.find(tier, place.is_free, Random(1), place.now, gives_way=True)

        nothing = find()
        place.now += FIRST_DUE_SECONDS
        due = find()

        assert nothing is None
        assert due is not None
        assert due.proxy == proxy(1, 1)


class TestBlocked:
    """Exits that may have recovered."""

    @pytest.mark.parametrize(
        ("record", "outcome", "history"),
        [
            pytest.param(ExitRecord(ok_count=1), Outcome.BLOCKED, "worked", id="worked"),
            pytest.param(ExitRecord(ok_count=1), Outcome.PROXY_ERROR, "worked", id="worked-and-died"),
            pytest.param(ExitRecord(), Outcome.BLOCKED, "never worked", id="never-worked"),
            pytest.param(ExitRecord(), Outcome.THROTTLED, "never worked", id="throttled-at-first"),
            pytest.param(ExitRecord(), Outcome.PROXY_ERROR, "dead", id="dead"),
        ],
    )
    def test_they_stand_apart_by_what_they_were(self, record: ExitRecord, outcome: Outcome, history: str) -> None:
        """What worked once recovers more often than what never did, or what is dead."""
        place = Place(proxy(1, 1))

        place.candidates.block(proxy(1, 1), record, outcome, place.now)

        blocked = place.candidates.tiers()[0].blocked
        assert {name for name, exits in blocked.items() if exits} == {history}

    def test_they_come_back_with_time(self) -> None:
        """The longer ago, the likelier; who worked before is likelier than who never did."""
        place = Place(proxy(1, 1), proxy(1, 2))
        place.attempt(proxy(1, 1), Outcome.BLOCKED)
        place.attempt(proxy(1, 2), Outcome.OK)
        place.block(proxy(1, 2))
        chances = []
        for seconds in (0, 60, 600, 6000, 60000):
            place.now = START + seconds
            found = place.find_blocked()
            if seconds:
                assert found is not None
                assert found.proxy == proxy(1, 2)
            chances.append(found.chance if found else 0.0)

        assert place.find() is None
        assert chances == sorted(chances)
        assert 0 <= chances[0] < 0.1 < chances[-1] < 1

    def test_what_recovered_and_what_did_not_is_learned(self) -> None:
        """Each kind for itself."""
        place = Place(proxy(1, 1))
        place.candidates.block(proxy(1, 1), ExitRecord(), Outcome.BLOCKED, place.now)
        recoveries = place.candidates.recoveries
        place.now += 1000
        before = recoveries["never worked"].chance(1000), recoveries["worked"].chance(1000)

        place.attempt(proxy(1, 1), Outcome.OK)

        assert recoveries["never worked"].chance(1000) > before[0]
        assert recoveries["worked"].chance(1000) == before[1]
        assert place.find() is None
        assert place.find_blocked() is None

    @pytest.mark.parametrize("outcome", [Outcome.SITE_ERROR, None])
    def test_one_whose_try_tells_nothing_at_all_stays_blocked(self, outcome: Outcome | None) -> None:
        """It is tried again later, as one that was blocked when it was, and nothing was learned."""
        place = Place(proxy(1, 1), proxy(1, 2))
        place.attempt(proxy(1, 1), Outcome.BLOCKED)
        place.now += 500
        place.attempt(proxy(1, 2), Outcome.BLOCKED)
        place.now += 500
        before = place.found_blocked()

        place.attempt(proxy(1, 1), outcome)

        assert place.find() is None
        assert place.found_blocked() == before
        assert before.proxy == proxy(1, 1)

    def test_a_pardoned_one_is_not_found(self) -> None:
        """It works."""
        place = Place(proxy(1, 1))
        place.attempt(proxy(1, 1), Outcome.BLOCKED)

        place.candidates.tiers()
        place.exits[proxy(1, 1).key].last = Outcome.OK
        place.candidates.carry(proxy(1, 1))
        place.at_work.add(proxy(1, 1).key)

        assert place.find() is None
        assert place.find_blocked() is None

    def test_one_that_left_is_not_found(self) -> None:
        """Until it comes back."""
        place = Place(proxy(1, 1))
        place.attempt(proxy(1, 1), Outcome.BLOCKED)
        place.catalog.remove(proxy(1, 1).key)
        without = place.find_blocked()
        place.catalog.add(proxy(1, 1))

        assert without is None
        assert place.found_blocked().proxy == proxy(1, 1)
        assert place.find() is None


class TestIdle:
    """Exits that worked, and that nobody uses."""

    def test_they_come_before_fresh_ones(self) -> None:
        """Whose session ended by nobody's fault most likely works again."""
        place = Place(*(proxy(1, number) for number in range(1, 9)))
        place.attempt(proxy(1, 3), Outcome.OK)
        at_work = {place.found(seed).proxy for seed in range(50)}

        place.leave(proxy(1, 3))

        assert proxy(1, 3) not in at_work
        assert {place.found(seed).proxy for seed in range(50)} == {proxy(1, 3)}
        assert place.found().chance > place.candidates.tiers()[0].chance

    def test_to_try_one_again_tells_nothing_of_fresh_ones(self) -> None:
        """The counts of its group are of first uses."""
        place = Place(proxy(1, 1), proxy(1, 2))
        place.attempt(proxy(1, 1), Outcome.OK)
        place.leave(proxy(1, 1))

        place.attempt(proxy(1, 1), Outcome.BLOCKED)

        tier = place.candidates.tiers()[0]
        assert (tier.ok, tier.bad) == (1, 0)
        assert place.found().proxy == proxy(1, 2)
        assert place.found_blocked().proxy == proxy(1, 1)

    @pytest.mark.parametrize("outcome", [Outcome.SITE_ERROR, None])
    def test_one_whose_try_tells_nothing_stays_idle(self, outcome: Outcome | None) -> None:
        """It may still work."""
        place = Place(proxy(1, 1))
        place.attempt(proxy(1, 1), Outcome.OK)
        place.leave(proxy(1, 1))
        before = place.found()

        place.attempt(proxy(1, 1), outcome)

        assert place.found() == before

    def test_one_that_was_blocked_last_is_not_idle(self) -> None:
        """It is blocked, since then."""
        place = Place(proxy(1, 1))
        place.attempt(proxy(1, 1), Outcome.OK)
        place.exits[proxy(1, 1).key].last = Outcome.BLOCKED

        place.leave(proxy(1, 1))

        assert place.find() is None
        assert place.found_blocked().proxy == proxy(1, 1)

    def test_one_that_is_at_work_when_proxies_come_is_not_idle_once_it_is_blocked(self) -> None:
        """Whatever the list of proxies did meanwhile."""
        place = Place(proxy(1, 1))
        place.attempt(proxy(1, 1), Outcome.OK)
        place.catalog.add(proxy(2, 1))
        place.candidates.tiers()
        place.catalog.remove(proxy(2, 1).key)

        place.block(proxy(1, 1))

        assert place.find() is None
        assert place.found_blocked().proxy == proxy(1, 1)

    def test_one_that_was_away_is_found_again(self) -> None:
        """Its session ended while its proxy was not in the list."""
        place = Place(proxy(1, 1), proxy(1, 2))
        place.attempt(proxy(1, 1), Outcome.OK)
        place.catalog.remove(proxy(1, 1).key)
        place.at_work.clear()
        without = place.found().proxy
        place.catalog.add(proxy(1, 1))
        place.candidates.welcome(proxy(1, 1), place.exits[proxy(1, 1).key])

        assert without == proxy(1, 2)
        assert place.found().proxy == proxy(1, 1)


class TestMemory:
    """What is kept, and for how long."""

    def test_what_was_known_is_known_again(self) -> None:
        """The counts of the networks, and since when exits are blocked."""
        place = Place(*(proxy(network, number) for network in (1, 2) for number in range(1, 9)))
        records = {
            proxy(1, 1): ExitRecord(ok_count=3, last=Outcome.OK),
            proxy(2, 1): ExitRecord(blocked_count=1, last=Outcome.BLOCKED, last_bad_at=START - 60),
            proxy(2, 2): ExitRecord(ok_count=1, blocked_count=1, last=Outcome.BLOCKED, last_bad_at=START - 90),
        }
        for of, record in records.items():
            place.exits[of.key] = record
            place.candidates.know(of, record)

        place.at_work.add(proxy(1, 1).key)

        tier = place.candidates.tiers()[0]
        found = {place.found(seed).proxy for seed in range(50)}

        assert (tier.ok, tier.bad) == (2, 1)
        assert {one.network for one in found} == {"203.0.1.0/24"}
        assert not found & set(records)
        assert tier.blocked["never worked"] == {proxy(2, 1).key: START - 60}
        assert tier.blocked["worked"] == {proxy(2, 2).key: START - 90}

    def test_it_fades(self) -> None:
        """Half of the counts is half as sure."""
        place = Place(*(proxy(1, number) for number in range(1, 30)))
        for number in range(1, 21):
            place.attempt(proxy(1, number), Outcome.OK)
        before = place.found().chance

        place.candidates.forget(0.5)

        assert place.candidates.tiers()[0].ok == 10
        assert 0.5 < place.found().chance < before


def test_one_whose_second_try_brings_the_sites_own_error_is_not_tried_for_ever() -> None:
    """That told nothing again: those of dearer tiers that were never tried come first, until it is due."""
    dear = msgspec.structs.replace(plain(9), cost=5.0)
    world = World([plain(0), dear], "adaptive")
    world.send(Outcome.UNCLEAR)
    world.pass_time(3600)

    used = [world.send(Outcome.SITE_ERROR).proxy_key for _ in range(2)]

    assert used == [plain(0).key, dear.key]
