"""What answers make of the doubts about others, sessions that share an exit and proxies that were away included."""

from __future__ import annotations

import msgspec
from tests.core.worlds import START, World, gateway, plain, plains, verdict

from proxysieve.core.events import Leased, Reported, SessionClosed, SessionOpened
from proxysieve.core.fingerprints.available import FINGERPRINTS
from proxysieve.core.model import Outcome, Proxy, Verdict
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.proxies.other_sites import OtherSites
from proxysieve.core.site.choices import Pick
from proxysieve.core.site.state import SiteState

WEAK = Verdict(outcome=Outcome.UNCLEAR, why="a bare 403", sign="status-403")
PAGE = 7


class Site:
    """The facts of one site, for a policy that learns, and events made by hand."""

    def __init__(self, *proxies: Proxy) -> None:
        self.state = SiteState(Catalog(proxies), other_sites=OtherSites())
        self.now = START
        self._lease = 0

    def open(self, name: str, proxy: Proxy, exit_: str = "") -> None:
        self.state.apply(SessionOpened(self.now, name, proxy.key, exit_, FINGERPRINTS[0], is_named=False))

    def lease(self, name: str) -> int:
        self.now += 1
        self._lease += 1
        self.state.apply(Leased(self.now, self._lease, name))
        return self._lease

    def report(self, lease: int, said: Verdict | Outcome, page_number: int = 0) -> list[str]:
        self.now += 1
        return self.state.apply(
            Reported(self.now, lease, verdict(said) if isinstance(said, Outcome) else said, 0, page_number)
        )

    def send(self, name: str, said: Verdict | Outcome, page_number: int = 0) -> list[str]:
        return self.report(self.lease(name), said, page_number)

    def held(self) -> set[str]:
        assert self.state.learner
        return {name for name in self.state.sessions if self.state.learner.held_sessions.is_held(name)}

    def is_known(self, proxy: Proxy) -> bool:
        """Whether the exit of a plain *proxy* stands among those that may be tried again."""
        assert self.state.learner
        tiers = self.state.learner.candidates.tiers()
        return any(
            proxy.key in {*tier.idle, *(key for kept in tier.blocked.values() for key in kept)} for tier in tiers
        )


def test_of_two_that_share_an_exit_one_may_end() -> None:
    """A provider may have fewer names than there are sessions; what the other did with the exit still counts."""
    few = msgspec.structs.replace(gateway(0), numbers=(1, 1))
    site = Site(few, plain(0))
    for name in ("1", "1-2"):
        site.open(name, few, "1")
        site.send(name, Outcome.OK)
    site.open("other", plain(0))
    site.send("other", Outcome.OK)
    for name in ("1", "1-2"):
        site.send(name, Outcome.BLOCKED)
    assert site.held() == {"1", "1-2"}

    ended = site.send("other", Outcome.OK)

    assert ended == ["1", "1-2"]
    record = site.state.exits[few.key]
    assert (record.ok_count, record.blocked_count) == (2, 2)
    assert list(site.state.exits) == [plain(0).key, few.key]


def test_the_exit_of_a_session_that_ended_too_early_is_not_lost() -> None:
    """Its first request was out when it was closed, and is answered well: another session may use the exit."""
    site = Site(plain(0))
    site.open("ann", plain(0))
    lease = site.lease("ann")
    assert not site.is_known(plain(0))
    site.state.apply(SessionClosed(site.now, "ann"))

    site.report(lease, Outcome.OK)

    assert site.is_known(plain(0))


def test_who_was_away_is_convicted_like_others() -> None:
    """What looked like a block turns out to be one after the proxy has left and come back: it may recover."""
    site = Site(*plains(2))
    site.open("ann", plain(0))
    site.send("ann", WEAK, PAGE)
    there = {plain(0).key: plain(0)}
    site.state.catalog.remove(plain(0).key)
    site.state.part(there)
    site.state.catalog.add(plain(0))
    site.state.welcome(there, are_new=True)

    site.open("bob", plain(1))
    site.send("bob", Outcome.OK, PAGE)

    assert site.state.exits[plain(0).key].last is Outcome.BLOCKED
    assert site.is_known(plain(0))


def test_a_trial_that_ends_in_another_doubt_decides_nothing_for_others() -> None:
    """Of several suspects one is tried again, and its page may be to blame: the others stay in doubt."""
    site = Site(*plains(3))
    for number, name in enumerate(("ann", "bob", "eve")):
        site.open(name, plain(number))
        site.send(name, Outcome.OK)
    site.send("ann", Outcome.BLOCKED)
    site.send("bob", Outcome.BLOCKED)
    recheck = site.lease("ann")
    site.send("eve", Outcome.OK)

    site.report(recheck, WEAK, PAGE)

    assert set(site.state.sessions) == {"ann", "bob", "eve"}
    assert site.held() == {"ann", "bob"}


def test_who_is_held_is_tried_where_no_suspect_can_be() -> None:
    """The proxy of the only suspect has left; else nobody would ever tell, and nothing would be sent any more."""
    world = World(plains(2), "adaptive")
    for leased in [world.take(world.choose(waiting=20)) for _ in range(2)]:
        world.report(leased, Outcome.OK)
    for page_number in (PAGE, PAGE + 1):
        leased = world.lease()
        world.pass_time(1)
        world.apply(Reported(world.now, leased.lease, WEAK, 0, page_number))
    world.pass_time(60)
    recheck = world.lease()
    refusal = world.session(recheck)
    left = world.catalog.get(refusal.proxy_key)
    assert left is not None
    world.catalog.remove(left.key)
    world.engine.part({left.key: left})
    world.report(recheck, None)

    world.pass_time(60)
    choice = world.choose()

    assert isinstance(choice, Pick), choice
    assert choice.leased.session_name != refusal.name
