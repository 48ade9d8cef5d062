"""Which sessions are to blame: what an answer tells of other sessions.

A session that worked and is refused is only held (*held_sessions*), and a refused page waits for what others get there
(*control_group*). Here evidence becomes conclusions: a session is released or condemned, an exit of which nothing was
known is convicted or acquitted. Only a policy that learns has this; else each answer stands for itself.

An exit that never worked is not tried again after a weak refusal: to try each twice would double the waste where most
are banned. It is called blocked only once another exit gets the page, and is as fresh as before if nobody does.
"""

from __future__ import annotations

from proxysieve.core.events import Reported
from proxysieve.core.evidence import DISPUTABLE, is_weak
from proxysieve.core.learning.control_group import ALIKE_COUNT, Refusal
from proxysieve.core.learning.held_sessions import Incident
from proxysieve.core.learning.learner import REFUSALS, Learner
from proxysieve.core.model import Outcome, Reach, Scope, Verdict
from proxysieve.core.records import ExitRecord, SessionRecord
from proxysieve.core.site.sessions import Flight, SiteSessions

# So many refusals in a row that may each be the page's own are not, whatever the pages.
REFUSALS_IN_A_ROW = 4


class Conclusions:
    """Decides about the held sessions of *site_sessions*, by what *learner* knows."""

    def __init__(self, learner: Learner, site_sessions: SiteSessions) -> None:
        self._learner = learner
        self._site_sessions = site_sessions

    def is_news(self, page_number: int, verdict: Verdict) -> bool:
        """Whether *verdict* tells anything of a session: not if others that work were refused the page before."""
        return not (is_weak(verdict) and self._learner.control_group.is_disputed(page_number, verdict.sign))

    def hear(self, event: Reported, flight: Flight) -> bool:
        """Learn what any answer tells, also that to a question asked before the exit's last bad one.

        Returns:
            Whether it decides for all that wait for a recheck.
        """
        learner, site_sessions = self._learner, self._site_sessions
        site_sessions.changed.add(("lore", ""))
        session, record, outcome = flight.session, flight.exit, event.verdict.outcome if event.verdict else None
        is_late, proxy = flight.at < record.last_bad_at, site_sessions.catalog.get(session.proxy_key)
        if event.verdict and not is_late and outcome in DISPUTABLE:
            record.scope = event.verdict.scope
        is_recheck = learner.held_sessions.end(event.lease, event.at, is_ok=outcome is Outcome.OK)
        heard = None if is_late else self._heard(event, session, record)
        learner.candidates.end(event.lease, proxy, heard, record, event.at)
        if outcome is Outcome.OK:
            learner.candidates.answer_well(event.at - flight.at)
            learner.usage.serve(session.exit_id, flight.number)
            if is_late and flight.reach:
                learner.usage.bear(session.exit_id, flight.at, event.at)
            return is_recheck
        if event.verdict and not event.verdict.is_of_proxy and flight.reach < Reach.PAST_LIMIT:
            learner.doubt(event.lease, session, event.verdict, event.page_number, flight.at, event.at)
        if is_late and outcome in REFUSALS:
            learner.held_sessions.refine(session.name, flight.at, flight.number)
        return is_recheck

    def _heard(self, event: Reported, session: SessionRecord, record: ExitRecord) -> Outcome | None:
        """What *event* says of an exit that was tried; None if nothing."""
        if event.verdict is None:
            return None
        if event.verdict.is_of_proxy:
            if session.exit_name:
                # Its other names would have met it, too.
                return None
            if event.verdict.until:
                # It would have been let through, at another time.
                return Outcome.THROTTLED if record.ok_count else Outcome.UNCLEAR
        return Outcome.BLOCKED if self._is_presumed(event, session) else event.verdict.outcome

    def _is_presumed(self, event: Reported, session: SessionRecord) -> bool:
        """Whether an exit that never worked is taken for blocked until others tell, and so not tried again."""
        if session.has_worked or not event.page_number or event.verdict is None or not is_weak(event.verdict):
            return False
        return not self._learner.control_group.is_usually_own(event.verdict.sign)

    def conclude(self, flight: Flight, event: Reported) -> list[str]:
        """What a good answer says about others; the sessions that end with it."""
        learner = self._learner
        session, at = flight.session, event.at
        if learner.held_sessions.is_held(session.name) and flight.at > learner.held_sessions.refused_at(session.name):
            self._release_alike(session.name)
        confirmed = learner.held_sessions.succeed(flight.at, event.page_number)
        for incident in learner.held_sessions.take_forgiven(flight.at):
            self._release(incident)
        if event.page_number:
            for refusal in learner.control_group.succeed(event.page_number, session.exit_id, flight.at):
                self._convict(refusal, at)
        for page_number, sign in learner.control_group.confirm(session.name, flight.at):
            self._acquit(page_number, sign)
        proxy = self._site_sessions.catalog.get(session.proxy_key)
        network = proxy.network if proxy else ""
        learner.usage.answer_well(network, flight.at)
        if flight.reach and proxy:
            learner.usage.prove(session.exit_id, network, flight.number, flight.at, flight.depth, at)
        return [name for incident in confirmed for name in self._condemn(incident, at)]

    def hold(self, flight: Flight, event: Reported, verdict: Verdict, *, is_recheck: bool) -> list[str]:
        """Hold a session until it is known whether it is to blame, unless that is known already."""
        learner = self._learner
        session, outcome, at = flight.session, verdict.outcome, event.at
        blocked = learner.blocked(session, flight.at, flight.number, is_expected=flight.reach >= Reach.AHEAD)
        page_number = 0 if self._is_sure(event.page_number, verdict) else event.page_number
        # At the end of a crawl nothing but pages may be left that are nobody's to see.
        is_doubtful = bool(page_number) and is_weak(verdict) and session.unclear_count < REFUSALS_IN_A_ROW
        meant = Outcome.BLOCKED if is_weak(verdict) else outcome
        incident = Incident(session, flight.exit, meant, at, blocked, page_number, is_doubtful, is_weak(verdict))
        if outcome is Outcome.THROTTLED:
            # That the site says so itself leaves no doubt.
            learner.confirm(incident, at)
            if learner.held_sessions.is_held(session.name):
                self._release_alike(session.name)
            return []
        if learner.held_sessions.is_held(session.name):
            # It was rechecked, which tells nothing while all fail, or of the same page.
            if (
                not is_recheck
                or learner.held_sessions.alarm_at
                or (page_number and page_number == learner.held_sessions.page_of(session.name))
            ):
                return []
            if learner.held_sessions.postpone(session.name, at):
                return []
            if is_doubtful:
                # Now that page is the question, and of those whose fate it shared nothing is known yet.
                learner.held_sessions.forget(session.name)
                learner.held_sessions.hold(incident)
                return []
            return [name for one in learner.held_sessions.take(session.name) for name in self._condemn(one, at)]
        self._site_sessions.take_off_work(session)
        if session.is_named:
            session.lost = f"{outcome}: {verdict.why}"
        if flight.reach is Reach.PAST_LIMIT and not learner.held_sessions.alarm_at and not is_doubtful:
            # It was to be expected.
            return self._condemn(incident, at)
        learner.held_sessions.hold(incident)
        return []

    def is_doubtful(self, session: SessionRecord, event: Reported, verdict: Verdict) -> bool:
        """Whether others are to tell at once what an unclear answer means, so that *session* is not used meanwhile."""
        if not event.page_number or not session.has_worked or session.is_named or not is_weak(verdict):
            return False
        return not self._learner.control_group.is_usually_own(verdict.sign)

    def _is_sure(self, page_number: int, verdict: Verdict) -> bool:
        """Whether it does not depend on the page what *verdict* means."""
        if verdict.outcome is not Outcome.BLOCKED and not is_weak(verdict):
            return True
        return self._learner.control_group.is_trusted(
            page_number, verdict.sign or verdict.outcome, is_weak=is_weak(verdict)
        )

    def compare(self, flight: Flight, page_number: int, verdict: Verdict) -> None:
        """Ask who else was refused *page_number*."""
        learner = self._learner
        session, sign = flight.session, verdict.sign or verdict.outcome
        is_presumed = not session.has_worked and (verdict.outcome is Outcome.BLOCKED or is_weak(verdict))
        refusal = Refusal(
            session.name, session.exit_id, session.proxy_key, sign, flight.at, session.has_worked, is_presumed
        )
        if learner.control_group.fail(page_number, refusal) >= ALIKE_COUNT:
            learner.held_sessions.recheck_page(page_number)
        if learner.control_group.is_own(page_number, sign):
            self._acquit(page_number, sign)

    def _acquit(self, page_number: int, sign: str) -> None:
        """*page_number* itself bears *sign*: whoever was refused it is not to blame."""
        learner, site_sessions = self._learner, self._site_sessions
        for incident in learner.held_sessions.take_page(page_number):
            self._release(incident)
        for refusal in learner.control_group.own(page_number, sign):
            record, proxy = site_sessions.exits.get(refusal.exit_id), site_sessions.catalog.get(refusal.proxy_key)
            if not record or not proxy or proxy.is_gateway:
                continue
            if record.last is Outcome.BLOCKED:
                record.blocked_count -= 1
                record.unclear_count += 1
                record.last, record.last_bad_at = Outcome.UNCLEAR, 0.0
                site_sessions.changed.add(("exit", refusal.exit_id))
            elif not refusal.is_presumed:
                continue
            learner.candidates.acquit(proxy, record)

    def _convict(self, refusal: Refusal, at: float) -> None:
        """Others got what was refused to *refusal*, of which nothing else is known."""
        learner, site_sessions = self._learner, self._site_sessions
        record, proxy = site_sessions.exits.get(refusal.exit_id), site_sessions.catalog.get(refusal.proxy_key)
        if not record or not proxy or record.is_judged or refusal.proxy_key in site_sessions.session_on:
            return
        if not refusal.is_presumed and not learner.control_group.others_got_through(refusal.asked_at):
            # The site may have been down.
            return
        record.unclear_count -= 1
        record.count(Outcome.BLOCKED)
        record.last, record.last_bad_at = Outcome.BLOCKED, max(record.last_unclear_at, refusal.asked_at)
        site_sessions.changed.add(("exit", refusal.exit_id))
        if refusal.is_presumed:
            # It stands among the blocked, unless its proxy has been away meanwhile.
            learner.candidates.leave(proxy, record, at, is_news=False)
        else:
            learner.candidates.convict(proxy, record, at)

    def _release_alike(self, name: str) -> None:
        """The session called *name* is not to blame, and nobody who was refused the same."""
        learner = self._learner
        page_number = learner.held_sessions.page_of(name)
        for incident in (
            learner.held_sessions.take_page(page_number) if page_number else learner.held_sessions.take_all()
        ):
            self._release(incident)

    def _release(self, incident: Incident) -> None:
        site_sessions = self._site_sessions
        session = incident.session
        session.lost, session.unclear_count = "", 0
        incident.exit.last = Outcome.OK
        self._note_settled(session)
        if site_sessions.sessions.get(session.name) is session and not session.is_named:
            site_sessions.put_to_work(session)
        proxy = site_sessions.catalog.get(session.proxy_key)
        if proxy:
            self._learner.candidates.free(proxy, incident.exit)

    def _condemn(self, incident: Incident, at: float) -> list[str]:
        """The session of *incident* is to blame."""
        record = incident.exit
        if incident.was_unclear and record.last is Outcome.UNCLEAR:
            # It was a block after all, as others got the page.
            record.unclear_count -= 1
            record.count(Outcome.BLOCKED)
        record.last = incident.outcome
        self._note_settled(incident.session)
        self._learner.confirm(incident, at)
        if record.scope is Scope.SESSION and incident.outcome is Outcome.BLOCKED:
            # Its exit was not meant; another session from there may pass.
            record.last = Outcome.UNCLEAR
        return [] if incident.session.is_named else self._site_sessions.close(incident.session)

    def _note_settled(self, session: SessionRecord) -> None:
        """It is known whether *session*, which was held, is to blame: that is to be saved, of its exit as well."""
        if self._site_sessions.sessions.get(session.name) is session:
            self._site_sessions.changed |= {("session", session.name), ("exit", session.exit_id)}
