"""Whose turn it is, against a model that sorts."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from tests.core.worlds import plain

from proxysieve.core.fingerprints.available import FINGERPRINTS
from proxysieve.core.learning.rotation import Member, Rotation
from proxysieve.core.learning.use_times import Uses
from proxysieve.core.records import ExitRecord, SessionRecord

NAMES = [f"s{number}" for number in range(5)]


def member(name: str) -> Member:
    """A session that works, on a proxy of its own."""
    proxy = plain(int(name[1:]))
    session = SessionRecord(name=name, proxy_key=proxy.key, exit_name="", fingerprint=FINGERPRINTS[0], opened_at=1.0)
    return Member(session, proxy, ExitRecord(), Uses(), None)


class AnyTurns(RuleBasedStateMachine):
    """Whatever is done to the turns, those ready are the ones that the model has ready."""

    @initialize()
    def start(self) -> None:
        self.rotation = Rotation()
        self.now = 0.0
        self.ready: list[str] = []
        self.aside: set[str] = set()
        self.waiting: dict[str, tuple[float, bool]] = {}

    @rule(name=st.sampled_from(NAMES))
    def add(self, name: str) -> None:
        if name not in self.rotation.all:
            self.rotation.add(member(name))
            self.ready.append(name)

    @rule(name=st.sampled_from(NAMES))
    def discard(self, name: str) -> None:
        self.rotation.discard(name)
        self.waiting.pop(name, None)
        self.aside.discard(name)
        self.ready = [one for one in self.ready if one != name]

    @rule(name=st.sampled_from(NAMES))
    def use(self, name: str) -> None:
        self.rotation.use(name)
        if name in self.ready or name in self.waiting:
            self.waiting.pop(name, None)
            self.ready = [one for one in self.ready if one != name] + [name]

    @rule(seconds=st.sampled_from([1.0, 5.0, 50.0]), is_held_back=st.booleans())
    def put_off(self, seconds: float, *, is_held_back: bool) -> None:
        if self.ready:
            name = self.ready.pop(0)
            self.rotation.put_off(self.rotation.all[name], self.now + seconds, is_held_back=is_held_back)
            self.waiting[name] = self.now + seconds, is_held_back

    @rule()
    def set_aside(self) -> None:
        if self.ready:
            name = self.ready.pop(0)
            self.rotation.set_aside(self.rotation.all[name])
            self.aside.add(name)

    @rule(name=st.sampled_from(NAMES))
    def land(self, name: str) -> None:
        self.rotation.land(name)
        if name in self.aside:
            self.aside.discard(name)
            self.ready.append(name)

    @rule(seconds=st.sampled_from([0.0, 1.0, 7.0]))
    def wake(self, seconds: float) -> None:
        self.now += seconds
        self.rotation.wake(self.now)
        self.bring_back([name for name, (due, _) in self.waiting.items() if due <= self.now])

    @rule()
    def wake_all(self) -> None:
        self.rotation.wake_all()
        self.bring_back(list(self.waiting))

    def bring_back(self, names: list[str]) -> None:
        # The sort is stable, and who waits stands in the order in which they began to.
        for name in sorted(names, key=lambda one: self.waiting[one][0]):
            del self.waiting[name]
            self.ready.append(name)

    @invariant()
    def all_stand_where_the_model_has_them(self) -> None:
        rotation = self.rotation
        assert list(rotation.ready) == self.ready
        assert set(rotation.all) == {*self.ready, *self.aside, *self.waiting}
        assert rotation.held_back_count == sum(is_held_back for _, is_held_back in self.waiting.values())
        assert rotation.next_at() == min((due for due, _ in self.waiting.values()), default=None)
        limited = sorted((due for due, is_held_back in self.waiting.values() if not is_held_back))
        assert [due for due, _ in rotation.limited()] == limited
        assert sum(rotation.in_network.values()) == len(rotation.all)


def test_turns_do_as_the_model_does() -> None:
    """Whoever is put off, set aside, discarded or woken: nobody is lost, and no stale entry comes back."""
    run_state_machine_as_test(AnyTurns, settings=settings(max_examples=200, stateful_step_count=40, deadline=None))


def test_the_one_that_rested_longest_comes_first() -> None:
    """Each use moves a session behind all others."""
    rotation = Rotation()
    for name in NAMES:
        rotation.add(member(name))

    for name in ("s3", "s0", "s1"):
        rotation.use(name)

    assert list(rotation.ready) == ["s2", "s4", "s3", "s0", "s1"]


def test_one_added_again_is_another() -> None:
    """What waited for the session of that name before does not bring it back."""
    rotation = Rotation()
    first, second = member("s0"), member("s0")
    rotation.add(first)
    rotation.put_off(first, 10.0, is_held_back=False)
    rotation.discard("s0")
    rotation.add(second)
    rotation.put_off(second, 20.0, is_held_back=False)

    rotation.wake(10.0)
    before = list(rotation.ready)
    rotation.wake(20.0)

    assert before == []
    assert rotation.ready["s0"] is second
