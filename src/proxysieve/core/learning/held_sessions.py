"""Which sessions are to blame: is an exit blocked, or does the site, or a sign, fail for all?

A session that worked and is blocked is only *held* at first. Once a later request is answered well elsewhere, it counts
as blocked. Normally that takes a second, and an outage teaches nothing. When independent exits fail together, and that
is too unlikely to be chance, there is an *alarm*: single probes go to the site, and the held sessions wait. If one of
them works again, none was to blame. If others work and it does not, all were.

A recheck ends no session while nobody else is answered well. With fewer than five sessions there is no alarm, and a
sign that is mistaken about all pages would otherwise end one after the other.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import NamedTuple

from proxysieve.core.learning.usage import BlockedUse
from proxysieve.core.model import Outcome
from proxysieve.core.records import ExitRecord, SessionRecord

# How unlikely failures are, in nats. A working session fails once in fifty times. An answer says nothing of the exit
# once in five times, since a page that fails by its own fault is asked for several times.
FAILED_SESSION = math.log(50)
FAILED_ANSWER = math.log(5)
# Once in a thousand million times: five sessions, or thirteen answers in a row.
ALARMING = 19.5
# How long to wait whether others get the refused page; a failed request is sent again at once.
PAGE_SECONDS = 5.0
# The pause between two probes, as a share of the time of the alarm: at most this share of a crawl is lost.
PROBE_SHARE = 0.2
FIRST_PROBE_SECONDS = 1.0
LAST_PROBE_SECONDS = 3600.0


class Incident(NamedTuple):
    """A session that worked was refused, and it is not known yet whether it is to blame.

    Attributes:
        page_number: Of the page that it was refused; 0 if unknown.
        is_weak: Whether the refusal may be the page's own.
        was_unclear: Whether the answer was counted as unclear.
    """

    session: SessionRecord
    exit: ExitRecord
    outcome: Outcome
    at: float
    blocked: BlockedUse
    page_number: int = 0
    is_weak: bool = False
    was_unclear: bool = False


class Failed(NamedTuple):
    """A failure since the site last answered well."""

    asked_at: float
    nats: float
    sign: str
    page_number: int


class HeldSessions:
    """The sessions that may be blocked.

    Attributes:
        held: The incidents of sessions that are not used meanwhile, by session.
        rechecks: Those of an alarm or a recheck: the first that is used again decides for all.
        alarm_at: Since when everything fails; 0 if there is no alarm.
        alarm_sign: The sign of most of its failures.
        probe_at: When the next probe of the alarm is due.
        ok_asked_at: When the latest request went out that was answered well; 0 if there is none.
    """

    def __init__(self) -> None:
        self.held: dict[str, Incident] = {}
        self.rechecks: dict[str, Incident] = {}
        self.alarm_at = 0.0
        self.alarm_sign = ""
        self.probe_at = 0.0
        self.ok_asked_at = 0.0
        self._probe: int | None = None
        self._probe_count = 0
        self._recheck: int | None = None
        self._recheck_at = 0.0
        self._failures: dict[str | int, Failed] = {}

    # Who may be used.

    def is_held(self, name: str) -> bool:
        """Whether the session called *name* is held."""
        return name in self.held or name in self.rechecks

    @property
    def is_leader_held(self) -> bool:
        """Whether a canary is held, and the reason is not known yet."""
        return bool(self.held) and any(incident.blocked.is_expected for incident in self.held.values())

    @property
    def is_probing(self) -> bool:
        """Whether a probe is under way."""
        return self._probe is not None

    def is_recheck_due(self, now: float) -> bool:
        """Whether a recheck is due now."""
        is_due = self._probe_count % 2 == 0 if self.alarm_at else self._recheck is None and now >= self._recheck_at
        return bool(self.rechecks) and is_due

    def may_recheck(self, now: float) -> dict[str, Incident]:
        """What may be rechecked if nothing else can be done: those of an alarm when it is time, else all held."""
        if not self.rechecks:
            return self.held
        return self.rechecks if self.alarm_at or now >= self._recheck_at else {}

    def postpone(self, name: str, at: float) -> bool:
        """Whether the recheck of *name*, which failed at *at*, tells nothing, as nobody was answered well since.

        Then the site or a sign may be to blame, and the next recheck comes later.
        """
        refused_at = self.rechecks[name].at if name in self.rechecks else 0.0
        if self.ok_asked_at > refused_at:
            return False
        pause = max(FIRST_PROBE_SECONDS, PROBE_SHARE * (at - refused_at))
        self._recheck_at = at + min(pause, LAST_PROBE_SECONDS)
        return True

    # What happens.

    def use(self, name: str, lease: int) -> None:
        """The session called *name* gets a request."""
        if self.alarm_at:
            self._probe = lease
        elif self.is_held(name):
            if not (self.rechecks.get(name) or self.held[name]).page_number:
                self.rechecks |= self.held
                self.held = {}
            elif name in self.held:
                self.rechecks[name] = self.held.pop(name)
            self._recheck = lease

    def end(self, lease: int, at: float, *, is_ok: bool) -> bool:
        """The request of *lease* is over; whether it decides for all that wait for a recheck."""
        is_recheck = lease == self._recheck
        if is_recheck:
            self._recheck = None
        if lease == self._probe:
            self._probe = None
            if not is_ok and self.alarm_at:
                self._probe_count += 1
                pause = max(FIRST_PROBE_SECONDS, PROBE_SHARE * (at - self.alarm_at))
                self.probe_at = at + min(pause, LAST_PROBE_SECONDS)
        return is_recheck

    def hold(self, incident: Incident) -> None:
        """Hold the session of *incident*."""
        kept = self.rechecks if self.alarm_at else self.held
        kept[incident.session.name] = incident

    def recheck_page(self, page_number: int) -> None:
        """Several were refused *page_number*: the sessions held for it are rechecked elsewhere."""
        for name in [name for name, incident in self.held.items() if incident.page_number == page_number]:
            self.rechecks[name] = self.held.pop(name)

    def refine(self, name: str, asked_at: float, number: int) -> None:
        """An earlier request of the session called *name* was refused, too."""
        for kept in (self.held, self.rechecks):
            incident = kept.get(name)
            if incident is not None and number < incident.blocked.number:
                earlier = incident.blocked._replace(asked_at=asked_at, number=number)
                kept[name] = incident._replace(blocked=earlier)

    def fail(
        self, subject: str | int, asked_at: float, nats: float, at: float, sign: str = "", page_number: int = 0
    ) -> None:
        """*subject*, a session or a lease, failed at *at* by *sign*; *nats* say how unlikely that was.

        Several refusals of one *page_number* count once: they are not unlikely.
        """
        if not self.ok_asked_at or asked_at < self.ok_asked_at:
            return
        if page_number and any(failed.page_number == page_number for failed in self._failures.values()):
            return
        self._failures.setdefault(subject, Failed(asked_at, nats, sign, page_number))
        if not self.alarm_at and sum(failed.nats for failed in self._failures.values()) >= ALARMING:
            self.alarm_at = min(failed.asked_at for failed in self._failures.values())
            self.probe_at = at + FIRST_PROBE_SECONDS
            self._probe_count = 0
            signs = Counter(failed.sign for failed in self._failures.values())
            self.alarm_sign = signs.most_common(1)[0][0]
            self.rechecks |= self.held
            self.held = {}

    def succeed(self, asked_at: float, page_number: int = 0) -> list[Incident]:
        """A request of *asked_at*, for *page_number*, was answered well; the incidents that are confirmed by that.

        A refused page is not confirmed before others get that page, unless nobody asks for it.
        """
        self.ok_asked_at = max(self.ok_asked_at, asked_at)
        if self._failures:
            self._failures = {one: told for one, told in self._failures.items() if told.asked_at >= asked_at}
        if self.alarm_at:
            if asked_at <= self.alarm_at:
                return []
            self.alarm_at, self.alarm_sign, self._probe = 0.0, "", None
        if not self.held:
            return []
        confirmed = [incident for incident in self.held.values() if _is_confirmed(incident, asked_at, page_number)]
        for incident in confirmed:
            del self.held[incident.session.name]
        return confirmed

    def take_forgiven(self, asked_at: float) -> list[Incident]:
        """The weak refusals whose page nobody asked for again; their sessions are not held any more."""
        if not self.held:
            return []
        forgiven = [one for one in self.held.values() if one.is_weak and asked_at - one.at > PAGE_SECONDS]
        for incident in forgiven:
            del self.held[incident.session.name]
        return forgiven

    def take_page(self, page_number: int) -> list[Incident]:
        """The refusals of *page_number*; their sessions are not held for it any more."""
        taken = []
        for kept in (self.held, self.rechecks):
            names = [name for name, incident in kept.items() if incident.page_number == page_number]
            taken += [kept.pop(name) for name in names]
        return taken

    def refused_at(self, name: str) -> float:
        """When the held session called *name* sent the refused request."""
        incident = self.held.get(name) or self.rechecks.get(name)
        return incident.blocked.asked_at if incident else 0.0

    def page_of(self, name: str) -> int:
        """The page that the held session called *name* was refused; 0 if unknown."""
        incident = self.held.get(name) or self.rechecks.get(name)
        return incident.page_number if incident else 0

    def take(self, name: str) -> list[Incident]:
        """All that share the fate of the session called *name*: it alone, if its refused page is known."""
        incident = self.rechecks.get(name)
        if incident is None or not incident.page_number:
            return self.take_rechecks()
        return [self.rechecks.pop(name)]

    def take_rechecks(self) -> list[Incident]:
        """Those that wait for a recheck; they do not any more."""
        rechecks, self.rechecks = list(self.rechecks.values()), {}
        return rechecks

    def take_all(self) -> list[Incident]:
        """The same, and all that are held."""
        held, self.held = list(self.held.values()), {}
        return self.take_rechecks() + held

    def forget(self, name: str) -> None:
        """The session called *name* is gone."""
        self.held.pop(name, None)
        self.rechecks.pop(name, None)


def _is_confirmed(incident: Incident, asked_at: float, page_number: int) -> bool:
    if incident.blocked.asked_at >= asked_at:
        return False
    if incident.page_number in {0, page_number}:
        return True
    return not incident.is_weak and asked_at - incident.at > PAGE_SECONDS
