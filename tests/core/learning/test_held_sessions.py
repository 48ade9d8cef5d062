"""Whom to believe when sessions that worked are refused."""

from __future__ import annotations

import pytest

from proxysieve.core.fingerprints.available import FINGERPRINTS
from proxysieve.core.learning.held_sessions import (
    FAILED_ANSWER,
    FAILED_SESSION,
    FIRST_PROBE_SECONDS,
    PROBE_SHARE,
    HeldSessions,
    Incident,
)
from proxysieve.core.learning.usage import BlockedUse
from proxysieve.core.model import Outcome
from proxysieve.core.records import ExitRecord, SessionRecord

START = 1000.0


def incident(name: str, asked_at: float = START) -> Incident:
    """The session called *name* was refused, a second after it asked."""
    session = SessionRecord(name=name, proxy_key=name, exit_name="", fingerprint=FINGERPRINTS[0], opened_at=1.0)
    blocked = BlockedUse(name, "", asked_at, 5, is_expected=False)
    return Incident(session, ExitRecord(), Outcome.BLOCKED, asked_at + 1, blocked)


def names(incidents: list[Incident]) -> list[str]:
    return [one.session.name for one in incidents]


def refuse(held_sessions: HeldSessions, name: str, asked_at: float) -> None:
    """A session that worked is refused, as the facts tell of it."""
    held_sessions.fail(name, asked_at, FAILED_SESSION, asked_at + 1)
    held_sessions.hold(incident(name, asked_at))


def alarmed(count: int = 6) -> HeldSessions:
    """All of *count* sessions were refused after the site had answered well."""
    held_sessions = HeldSessions()
    held_sessions.succeed(START - 100)
    for number in range(count):
        refuse(held_sessions, f"s{number}", START + number)
    return held_sessions


class TestBelief:
    """When a block is believed."""

    def test_a_later_question_that_is_answered_well_tells(self) -> None:
        """Once somebody else gets through who asked later, the site works, and so the session is blocked."""
        held_sessions = HeldSessions()
        held_sessions.hold(incident("ann"))

        confirmed = held_sessions.succeed(START + 0.1)

        assert names(confirmed) == ["ann"]
        assert not held_sessions.is_held("ann")

    @pytest.mark.parametrize("asked_at", [START - 1, START])
    def test_an_earlier_question_does_not(self, asked_at: float) -> None:
        """What was asked before may have been answered before all began to fail."""
        held_sessions = HeldSessions()
        held_sessions.hold(incident("ann"))

        assert held_sessions.succeed(asked_at) == []
        assert held_sessions.is_held("ann")

    def test_the_earliest_refusal_counts(self) -> None:
        """Where an earlier request of the session turns out to be refused too, that is when it was blocked."""
        held_sessions = HeldSessions()
        held_sessions.hold(incident("ann"))
        held_sessions.refine("ann", START - 10, 3)
        held_sessions.refine("ann", START - 5, 4)

        confirmed = held_sessions.succeed(START - 4)

        assert [(one.blocked.asked_at, one.blocked.number) for one in confirmed] == [(START - 10, 3)]

    def test_who_is_gone_is_in_doubt_no_more(self) -> None:
        """Neither as held, nor as a suspect."""
        held_sessions = alarmed()
        held_sessions.forget("s0")
        other = HeldSessions()
        other.hold(incident("ann"))
        other.forget("ann")

        assert not held_sessions.is_held("s0")
        assert not other.is_held("ann")

    def test_one_at_a_time_is_tried_again(self) -> None:
        """To use one who is held makes suspects of all; the next is tried once that was answered."""
        held_sessions = HeldSessions()
        held_sessions.hold(incident("ann"))
        held_sessions.hold(incident("bob"))
        assert not held_sessions.is_recheck_due(START + 5)

        held_sessions.use("ann", lease=7)
        under_way = held_sessions.is_recheck_due(START + 5)
        held_sessions.end(7, START + 5, is_ok=False)

        assert (under_way, held_sessions.is_recheck_due(START + 5)) == (False, True)
        assert list(held_sessions.rechecks) == ["ann", "bob"]
        assert names(held_sessions.take_all()) == ["ann", "bob"]
        assert held_sessions.take_all() == []

    def test_the_answer_to_a_trial_decides_and_no_other(self) -> None:
        """Once; whatever else is over says nothing of the suspects."""
        held_sessions = HeldSessions()
        held_sessions.hold(incident("ann"))
        held_sessions.use("bob", lease=6)
        held_sessions.use("ann", lease=7)

        decides = [held_sessions.end(lease, START + 5, is_ok=False) for lease in (6, 7, 7)]

        assert decides == [False, True, False]

    def test_suspects_are_taken_once(self) -> None:
        """Those held since the trial began are not among them: their fate does not hang on it."""
        held_sessions = HeldSessions()
        held_sessions.hold(incident("ann"))
        held_sessions.use("ann", lease=7)
        held_sessions.hold(incident("bob"))

        assert names(held_sessions.take_rechecks()) == ["ann"]
        assert held_sessions.take_rechecks() == []
        assert held_sessions.is_held("bob")


class TestAlarm:
    """When exits that have nothing in common fail together."""

    def test_five_sessions_make_one(self) -> None:
        """Five that worked and are refused, with no good answer between them."""
        assert not alarmed(4).alarm_at
        assert alarmed(5).alarm_at == START

    def test_all_are_suspects_then(self) -> None:
        """Those held before, and those who come after."""
        held_sessions = alarmed(7)

        assert sorted(held_sessions.rechecks) == [f"s{number}" for number in range(7)]
        assert held_sessions.held == {}
        assert held_sessions.probe_at >= START + 5 + FIRST_PROBE_SECONDS

    def test_one_session_does_not_make_one(self) -> None:
        """However many of its requests fail."""
        held_sessions = HeldSessions()
        held_sessions.succeed(START - 100)
        for number in range(50):
            held_sessions.fail("ann", START + number, FAILED_SESSION, START + 60)

        assert not held_sessions.alarm_at

    def test_the_sites_own_errors_make_one(self) -> None:
        """Thirteen in a row, each of another request."""
        held_sessions = HeldSessions()
        held_sessions.succeed(START - 100)
        alarms = []
        for lease in range(13):
            held_sessions.fail(lease, START + lease, FAILED_ANSWER, START + lease + 1)
            alarms.append(bool(held_sessions.alarm_at))

        assert alarms == [False] * 12 + [True]

    def test_a_good_answer_between_them_prevents_one(self) -> None:
        """What failed before it counts no more, what was asked before it does not count later either."""
        held_sessions = alarmed(4)
        held_sessions.succeed(START + 50)
        for number in range(4, 8):
            refuse(held_sessions, f"s{number}", START + 51)
        for number in range(8, 20):
            held_sessions.fail(f"s{number}", START + 49, FAILED_SESSION, START + 60)

        assert not held_sessions.alarm_at

    def test_nothing_alarms_before_the_first_good_answer(self) -> None:
        """A site that never worked is no outage."""
        held_sessions = HeldSessions()
        for lease in range(100):
            held_sessions.fail(lease, START + lease, FAILED_ANSWER, START + lease)

        assert not held_sessions.alarm_at

    def test_pauses_grow_with_the_outage(self) -> None:
        """A fifth of the time for which the site has been failing; a second at least, an hour at most."""
        held_sessions = alarmed()
        pauses = []
        for lease, seconds in enumerate((2.0, 50.0, 1000.0, 1_000_000.0)):
            held_sessions.use("other", lease)
            assert held_sessions.is_probing
            held_sessions.end(lease, START + seconds, is_ok=False)
            pauses.append(held_sessions.probe_at - (START + seconds))

        assert pauses == pytest.approx([FIRST_PROBE_SECONDS, PROBE_SHARE * 50, PROBE_SHARE * 1000, 3600])
        assert not held_sessions.is_probing

    def test_the_probes_alternate(self) -> None:
        """A suspect, then whoever else there is: the site may work again, and the suspect be blocked all the same."""
        held_sessions = alarmed()
        trials = []
        for lease in range(4):
            trials.append(held_sessions.is_recheck_due(START + 5))
            held_sessions.use("s0" if trials[-1] else "other", lease)
            held_sessions.end(lease, START + 100, is_ok=False)

        assert trials == [True, False, True, False]

    def test_it_ends_with_a_later_question_answered_well(self) -> None:
        """An answer to a question from before it began says nothing."""
        held_sessions = alarmed()

        held_sessions.succeed(START - 1)
        before = held_sessions.alarm_at
        held_sessions.succeed(START + 60)

        assert before == START
        assert held_sessions.alarm_at == 0.0
        assert held_sessions.is_recheck_due(START + 5)
        assert next(iter(held_sessions.rechecks)) == "s0"
