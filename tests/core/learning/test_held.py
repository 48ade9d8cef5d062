"""Whom to believe when sessions that worked are refused."""

from __future__ import annotations

import pytest

from proxysieve.core.fingerprints.offered import IDENTITIES
from proxysieve.core.learning.held import (
    FAILED_ANSWER,
    FAILED_SESSION,
    FIRST_PROBE_SECONDS,
    PROBE_SHARE,
    Doubts,
    Incident,
)
from proxysieve.core.learning.overuse import Blocked
from proxysieve.core.model import Outcome
from proxysieve.core.records import ExitRecord, SessionRecord

START = 1000.0


def incident(name: str, asked_at: float = START) -> Incident:
    """The session called *name* was refused, a second after it asked."""
    session = SessionRecord(name=name, proxy=name, exit="", identity=IDENTITIES[0], opened_at=1.0)
    blocked = Blocked(name, "", asked_at, 5, is_expected=False)
    return Incident(session, ExitRecord(), Outcome.BLOCKED, asked_at + 1, blocked)


def names(incidents: list[Incident]) -> list[str]:
    return [one.session.name for one in incidents]


def refuse(doubts: Doubts, name: str, asked_at: float) -> None:
    """A session that worked is refused, as the facts tell of it."""
    doubts.fail(name, asked_at, FAILED_SESSION, asked_at + 1)
    doubts.hold(incident(name, asked_at))


def alarmed(count: int = 6) -> Doubts:
    """All of *count* sessions were refused after the site had answered well."""
    doubts = Doubts()
    doubts.succeed(START - 100)
    for number in range(count):
        refuse(doubts, f"s{number}", START + number)
    return doubts


class TestBelief:
    """When a block is believed."""

    def test_a_later_question_that_is_answered_well_tells(self) -> None:
        """Once somebody else gets through who asked later, the site works, and so the session is blocked."""
        doubts = Doubts()
        doubts.hold(incident("ann"))

        believed = doubts.succeed(START + 0.1)

        assert names(believed) == ["ann"]
        assert not doubts.is_held("ann")

    @pytest.mark.parametrize("asked_at", [START - 1, START])
    def test_an_earlier_question_does_not(self, asked_at: float) -> None:
        """What was asked before may have been answered before all began to fail."""
        doubts = Doubts()
        doubts.hold(incident("ann"))

        assert doubts.succeed(asked_at) == []
        assert doubts.is_held("ann")

    def test_the_earliest_refusal_counts(self) -> None:
        """Where an earlier request of the session turns out to be refused too, that is when it was blocked."""
        doubts = Doubts()
        doubts.hold(incident("ann"))
        doubts.refine("ann", START - 10, 3)
        doubts.refine("ann", START - 5, 4)

        believed = doubts.succeed(START - 4)

        assert [(one.blocked.asked_at, one.blocked.number) for one in believed] == [(START - 10, 3)]

    def test_who_is_gone_is_in_doubt_no_more(self) -> None:
        """Neither as held, nor as a suspect."""
        doubts = alarmed()
        doubts.forget("s0")
        other = Doubts()
        other.hold(incident("ann"))
        other.forget("ann")

        assert not doubts.is_held("s0")
        assert not other.is_held("ann")

    def test_one_at_a_time_is_tried_again(self) -> None:
        """To use one who is held makes suspects of all; the next is tried once that was answered."""
        doubts = Doubts()
        doubts.hold(incident("ann"))
        doubts.hold(incident("bob"))
        assert not doubts.is_trial_due(START + 5)

        doubts.use("ann", lease=7)
        under_way = doubts.is_trial_due(START + 5)
        doubts.end(7, START + 5, is_ok=False)

        assert (under_way, doubts.is_trial_due(START + 5)) == (False, True)
        assert list(doubts.suspects) == ["ann", "bob"]
        assert names(doubts.take_all()) == ["ann", "bob"]
        assert doubts.take_all() == []

    def test_the_answer_to_a_trial_decides_and_no_other(self) -> None:
        """Once; whatever else is over says nothing of the suspects."""
        doubts = Doubts()
        doubts.hold(incident("ann"))
        doubts.use("bob", lease=6)
        doubts.use("ann", lease=7)

        decides = [doubts.end(lease, START + 5, is_ok=False) for lease in (6, 7, 7)]

        assert decides == [False, True, False]

    def test_suspects_are_taken_once(self) -> None:
        """Those held since the trial began are not among them: their fate does not hang on it."""
        doubts = Doubts()
        doubts.hold(incident("ann"))
        doubts.use("ann", lease=7)
        doubts.hold(incident("bob"))

        assert names(doubts.take_suspects()) == ["ann"]
        assert doubts.take_suspects() == []
        assert doubts.is_held("bob")


class TestAlarm:
    """When exits that have nothing in common fail together."""

    def test_five_sessions_make_one(self) -> None:
        """Five that worked and are refused, with no good answer between them."""
        assert not alarmed(4).alarm_at
        assert alarmed(5).alarm_at == START

    def test_all_are_suspects_then(self) -> None:
        """Those held before, and those who come after."""
        doubts = alarmed(7)

        assert sorted(doubts.suspects) == [f"s{number}" for number in range(7)]
        assert doubts.held == {}
        assert doubts.probe_at >= START + 5 + FIRST_PROBE_SECONDS

    def test_one_session_does_not_make_one(self) -> None:
        """However many of its requests fail."""
        doubts = Doubts()
        doubts.succeed(START - 100)
        for number in range(50):
            doubts.fail("ann", START + number, FAILED_SESSION, START + 60)

        assert not doubts.alarm_at

    def test_the_sites_own_errors_make_one(self) -> None:
        """Thirteen in a row, each of another request."""
        doubts = Doubts()
        doubts.succeed(START - 100)
        alarms = []
        for lease in range(13):
            doubts.fail(lease, START + lease, FAILED_ANSWER, START + lease + 1)
            alarms.append(bool(doubts.alarm_at))

        assert alarms == [False] * 12 + [True]

    def test_a_good_answer_between_them_prevents_one(self) -> None:
        """What failed before it counts no more, what was asked before it does not count later either."""
        doubts = alarmed(4)
        doubts.succeed(START + 50)
        for number in range(4, 8):
            refuse(doubts, f"s{number}", START + 51)
        for number in range(8, 20):
            doubts.fail(f"s{number}", START + 49, FAILED_SESSION, START + 60)

        assert not doubts.alarm_at

    def test_nothing_alarms_before_the_first_good_answer(self) -> None:
        """A site that never worked is no outage."""
        doubts = Doubts()
        for lease in range(100):
            doubts.fail(lease, START + lease, FAILED_ANSWER, START + lease)

        assert not doubts.alarm_at

    def test_pauses_grow_with_the_outage(self) -> None:
        """A fifth of the time for which the site has been failing; a second at least, an hour at most."""
        doubts = alarmed()
        pauses = []
        for lease, seconds in enumerate((2.0, 50.0, 1000.0, 1_000_000.0)):
            doubts.use("other", lease)
            assert doubts.is_probing
            doubts.end(lease, START + seconds, is_ok=False)
            pauses.append(doubts.probe_at - (START + seconds))

        assert pauses == pytest.approx([FIRST_PROBE_SECONDS, PROBE_SHARE * 50, PROBE_SHARE * 1000, 3600])
        assert not doubts.is_probing

    def test_the_probes_alternate(self) -> None:
        """A suspect, then whoever else there is: the site may work again, and the suspect be blocked all the same."""
        doubts = alarmed()
        trials = []
        for lease in range(4):
            trials.append(doubts.is_trial_due(START + 5))
            doubts.use("s0" if trials[-1] else "other", lease)
            doubts.end(lease, START + 100, is_ok=False)

        assert trials == [True, False, True, False]

    def test_it_ends_with_a_later_question_answered_well(self) -> None:
        """An answer to a question from before it began says nothing."""
        doubts = alarmed()

        doubts.succeed(START - 1)
        before = doubts.alarm_at
        doubts.succeed(START + 60)

        assert before == START
        assert doubts.alarm_at == 0.0
        assert doubts.is_trial_due(START + 5)
        assert next(iter(doubts.suspects)) == "s0"
