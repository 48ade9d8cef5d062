"""The control group: who is believed when some are refused a page, and what becomes of the others."""

from __future__ import annotations

import msgspec
import pytest
from tests.core.worlds import World, gateway, plain, plains

from proxysieve.core.events import Leased, Reported
from proxysieve.core.evidence import own_verdict
from proxysieve.core.learning.control_group import MOST_PAGES, OWN_COUNT, USUAL_COUNT, ControlGroup, Refusal, SignCounts
from proxysieve.core.learning.learner import HALF_LIFE_SECONDS
from proxysieve.core.learning.tiers import BARRED, CHALLENGED
from proxysieve.core.model import Outcome, Proxy, Scope, Verdict
from proxysieve.core.records import ExitRecord, SessionRecord
from proxysieve.core.site.choices import Lost, Pick

BARE = Verdict(outcome=Outcome.UNCLEAR, why="status 403", sign="status-403")
EMPTY = Verdict(outcome=Outcome.UNCLEAR, why="status 200 with an empty body", sign="empty-body")
LOST = Verdict(outcome=Outcome.UNCLEAR, why="connection lost", sign="reset")
MARK = Verdict(outcome=Outcome.BLOCKED, why="captcha page", sign="human-captcha", vendor="HUMAN")
FINE = Verdict(outcome=Outcome.OK)


class Site(World):
    """A world whose answers are verdicts on pages."""

    def __init__(self, proxies: list[Proxy]) -> None:
        super().__init__(proxies, "adaptive")

    def lease_for(self, page_number: int) -> Leased:
        return self.take(self.engine.choose(self.now, self.rng, 1, page_number))

    def answer(self, leased: Leased, verdict: Verdict, page_number: int) -> Verdict:
        """The verdict on what came back a moment later, as a desk gives it."""
        self.pass_time(0.1)
        self.apply(Reported(self.now, leased.lease, verdict, page_number=page_number))
        return self.engine.settle(page_number, verdict)

    def ask(self, page_number: int, verdict: Verdict) -> tuple[SessionRecord, Verdict]:
        """One request; who carried it, and what was made of it."""
        leased = self.lease_for(page_number)
        session = self.session(leased)
        return session, self.answer(leased, verdict, page_number)

    def several(self, count: int) -> list[SessionRecord]:
        """So many sessions that work, by asking for that many pages at once."""
        leases = [self.take(self.engine.choose(self.now, self.rng, count, 1000 + one)) for one in range(count)]
        sessions = [self.session(leased) for leased in leases]
        for one, leased in enumerate(leases):
            self.answer(leased, FINE, 1000 + one)
        assert all(session.has_worked for session in sessions)
        return sessions

    def at_once(self, page_number: int, *verdicts: Verdict) -> list[tuple[SessionRecord, Verdict]]:
        """One request after the other for *page_number*, as it is refused."""
        return [self.ask(page_number, verdict) for verdict in verdicts]

    def is_open(self, session: SessionRecord) -> bool:
        return self.engine.state.sessions.get(session.name) is session

    def record(self, session: SessionRecord) -> ExitRecord:
        return self.engine.state.exits[session.exit_id]

    def blocked(self, history: str) -> set[str]:
        learner = self.engine.state.learner
        assert learner is not None
        return {key for tier in learner.candidates.tiers() for key in tier.blocked[history]}


class TestWeakEvidence:
    """A bare 403 is a block if others get the page, and the page's own if they do not."""

    def test_who_works_and_is_refused_waits_for_what_others_get(self) -> None:
        """Neither is it used meanwhile, nor is it given up."""
        site = Site(plains(4))
        site.several(2)

        refused, verdict = site.ask(1, BARE)
        others = [site.session(site.lease_for(page_number)) for page_number in (2, 3, 4)]

        assert verdict.outcome is Outcome.UNCLEAR
        assert site.is_open(refused)
        assert refused not in others

    def test_it_was_a_block_if_another_gets_the_page(self) -> None:
        """Then it is one: the session ends, and its exit is blocked."""
        site = Site(plains(4))
        site.several(2)
        refused, _ = site.ask(1, BARE)

        site.ask(1, FINE)

        assert not site.is_open(refused)
        assert (site.record(refused).last, site.record(refused).blocked_count) == (Outcome.BLOCKED, 1)

    def test_that_others_get_other_pages_does_not_tell(self) -> None:
        """It may be the page."""
        site = Site(plains(4))
        site.several(2)
        refused, _ = site.ask(1, BARE)

        site.ask(2, FINE)

        assert site.is_open(refused)

    def test_nobody_is_blocked_if_others_are_refused_alike(self) -> None:
        """They go on once one of them is answered well elsewhere, and the page is asked for no more."""
        site = Site(plains(9))
        working = site.several(4)

        tries = site.at_once(1, BARE, BARE)
        site.ask(2, FINE)
        tries += site.at_once(1, BARE)
        site.ask(3, FINE)
        *_, (_, verdict) = site.at_once(1, BARE)

        assert len({session.name for session, _ in tries}) == OWN_COUNT
        assert (verdict.outcome, verdict.scope, verdict.is_final) == (Outcome.SITE_ERROR, Scope.RESOURCE, True)
        assert all(site.is_open(session) for session in working)
        assert site.engine.status(site.now).blocked == 0

    def test_an_empty_page_that_is_empty_for_all_is_a_page(self) -> None:
        """It is what there is."""
        site = Site(plains(9))
        site.several(4)

        site.at_once(1, EMPTY, EMPTY)
        site.ask(2, FINE)
        site.at_once(1, EMPTY)
        site.ask(3, FINE)
        *_, (_, verdict) = site.at_once(1, EMPTY)

        assert verdict.outcome is Outcome.OK

    def test_a_fresh_exit_is_taken_for_blocked_until_others_tell(self) -> None:
        """It is not tried again; but if the page is refused to all, it is as fresh as before."""
        site = Site(plains(9))
        fresh, _ = site.ask(1, BARE)
        assert site.blocked("never worked") == {fresh.proxy_key}
        site.several(4)

        site.at_once(1, BARE, BARE)
        site.ask(2, FINE)
        site.at_once(1, BARE)
        site.ask(3, FINE)
        site.at_once(1, BARE)

        assert not site.record(fresh).is_judged
        assert site.blocked("never worked") == set()

    def test_a_fresh_exit_is_blocked_once_another_gets_the_page(self) -> None:
        """What was taken for granted is known then."""
        site = Site(plains(9))
        fresh, _ = site.ask(1, BARE)

        site.ask(1, FINE)

        record = site.record(fresh)
        assert (record.last, record.blocked_count, record.unclear_count) == (Outcome.BLOCKED, 1, 0)

    def test_a_lost_connection_of_a_fresh_exit_was_a_block_if_another_gets_the_page(self) -> None:
        """It counts as one that does not work here."""
        site = Site(plains(40))
        fresh, _ = site.ask(1, LOST)
        assert not site.record(fresh).is_judged

        site.ask(1, FINE)

        assert (site.record(fresh).last, site.record(fresh).blocked_count) == (Outcome.BLOCKED, 1)

    def test_a_lost_connection_of_a_working_session_is_an_accident(self) -> None:
        """It is used on."""
        site = Site([plain(0)])
        (session,) = site.several(1)

        site.ask(1, LOST)
        site.ask(2, FINE)

        assert site.is_open(session)

    def test_whose_page_nobody_asks_for_again_is_forgiven(self) -> None:
        """It is not held for ever."""
        site = Site(plains(3))
        site.several(2)
        refused, _ = site.ask(1, BARE)

        site.pass_time(10)
        site.ask(2, FINE)

        held = {site.session(site.lease_for(page_number)).name for page_number in range(3, 9)}
        assert refused.name in held

    def test_where_pages_are_refused_to_all_the_next_is_no_reason_to_wait(self) -> None:
        """A session is used on, as the last pages with this sign were nobody's to see."""
        site = Site(plains(9))
        site.several(4)
        for page_number in range(1, USUAL_COUNT + 1):
            site.at_once(page_number, BARE, BARE)
            site.ask(100 + page_number, FINE)
            site.at_once(page_number, BARE)
            site.ask(200 + page_number, FINE)
            site.at_once(page_number, BARE)

        learner = site.engine.state.learner
        assert learner is not None
        assert learner.control_group.is_usually_own(BARE.sign)
        refused, _ = site.ask(77, BARE)
        assert not learner.held_sessions.is_held(refused.name)

    def test_a_named_session_is_not_lost_by_one_page(self) -> None:
        """It has no others to be compared with, so that it takes two pages."""
        site = Site(plains(3))
        leased = site.lease("ann")
        site.answer(leased, FINE, 1)
        for page_number in (2, 2, 2):
            site.answer(site.lease("ann"), BARE, page_number)
        assert not site.engine.state.sessions["ann"].lost

        site.answer(site.lease("ann"), BARE, 3)

        assert site.engine.state.sessions["ann"].lost


class TestSuspectedSigns:
    """A sign that condemns at one page whoever comes, while they work elsewhere, is mistaken."""

    def test_a_page_that_bears_the_mark_costs_no_exit(self) -> None:
        """Whoever was refused it is well: nobody stands blocked in the end, and the page is no data."""
        site = Site(plains(9))
        site.several(5)

        site.at_once(1, MARK, MARK)
        site.ask(2, FINE)
        site.at_once(1, MARK)
        site.ask(3, FINE)
        *_, (_, verdict) = site.at_once(1, MARK)

        assert (verdict.outcome, verdict.is_final) == (Outcome.UNCLEAR, True)
        assert "human-captcha" in verdict.why
        assert site.engine.status(site.now).blocked == 0

    def test_then_the_sign_is_no_more_believed_at_once(self) -> None:
        """The next page that bears it costs no session either."""
        site = Site(plains(9))
        site.several(5)
        for page_number in (1, 10):
            site.at_once(page_number, MARK, MARK)
            site.ask(page_number + 1, FINE)
            site.at_once(page_number, MARK)
            site.ask(page_number + 2, FINE)
            before = {session.name for session in site.engine.state.working}
            site.at_once(page_number, MARK)

        site.ask(30, FINE)
        assert {session.name for session in site.engine.state.working} >= before
        assert site.engine.status(site.now).blocked == 0

    def test_a_real_block_is_believed_as_soon_as_others_work(self) -> None:
        """A trusted sign does not wait for the page."""
        site = Site(plains(4))
        site.several(2)
        refused, _ = site.ask(1, MARK)

        site.ask(2, FINE)

        assert not site.is_open(refused)

    def test_an_alarm_says_by_which_sign(self) -> None:
        """When all who worked are refused, a person is told what refused them."""
        site = Site(plains(9))
        leases = []
        site.several(8)
        for page_number in range(8):
            leases.append((site.lease_for(page_number), page_number))
            site.pass_time(0.01)
        for leased, page_number in leases:
            site.answer(leased, MARK, page_number)

        assert site.engine.alarm_sign == MARK.sign
        assert MARK.sign in site.engine.choose(site.now, site.rng).why


class TestScopes:
    """Whom a refusal is aimed at."""

    def test_a_challenge_spares_the_exit(self) -> None:
        """The visitor is given up, and another may come from there: it is not blocked."""
        site = Site(plains(4))
        site.several(2)
        refused, _ = site.ask(1, msgspec.structs.replace(MARK, scope=Scope.SESSION))

        site.ask(1, FINE)

        assert not site.is_open(refused)
        assert site.blocked(CHALLENGED) == {refused.proxy_key}
        assert site.engine.status(site.now).blocked == 0

    def test_another_visitor_from_there_is_likely_to_pass(self) -> None:
        """At once, and less likely with each that does not."""
        site = Site(plains(4))
        learner = site.engine.state.learner
        assert learner is not None
        recovery = learner.candidates.recoveries[CHALLENGED]

        first = recovery.chance(0)
        for _ in range(3):
            recovery.count(1, recovered=False)

        assert first == pytest.approx(0.5)
        assert recovery.chance(0) < 0.3

    @pytest.mark.parametrize("scope", [Scope.NETWORK, Scope.COUNTRY])
    def test_who_is_refused_with_all_its_neighbours_will_not_recover(self, scope: Scope) -> None:
        """It is not re-checked as others are, and other sites hear nothing of it."""
        site = Site(plains(4))
        refused, _ = site.ask(1, msgspec.structs.replace(MARK, scope=scope))

        learner = site.engine.state.learner
        assert learner is not None
        assert site.blocked(BARRED) == {refused.proxy_key}
        assert not learner.candidates._other_sites.is_bad(refused.proxy_key)
        assert learner.candidates.recoveries[BARRED].chance(3600) < learner.candidates.recoveries[
            "never worked"
        ].chance(3600)

    def test_a_network_that_is_refused_is_left_alone(self) -> None:
        """One of its exits tells of all of them, and those of others are tried."""
        lines = [Proxy(scheme="http", host=f"10.0.{net}.{host}", port=8000) for net in (1, 2) for host in range(1, 9)]
        site = Site(lines)
        barred = msgspec.structs.replace(MARK, scope=Scope.NETWORK)
        first, _ = site.ask(1, barred)
        network = next(proxy.network for proxy in lines if proxy.key == first.proxy_key)

        tried = [site.ask(1, MARK)[0].proxy_key for _ in range(6)]

        assert {proxy.network for proxy in lines if proxy.key in tried}.isdisjoint({network})

    def test_no_limit_is_learned_from_it(self) -> None:
        """However little the exit had been used, it would have been refused."""
        site = Site(plains(3))
        site.several(1)
        for page_number in range(12):
            site.ask(page_number, FINE)
        site.ask(20, msgspec.structs.replace(MARK, scope=Scope.COUNTRY))
        site.ask(20, FINE)

        learner = site.engine.state.learner
        assert learner is not None
        assert learner.usage.exit_limits.limits == []

    def test_a_name_at_a_provider_is_replaced_by_another(self) -> None:
        """It has others, in other countries as it may be."""
        site = Site([gateway(0)])
        site.ask(1, msgspec.structs.replace(MARK, scope=Scope.COUNTRY))

        session, _ = site.ask(1, FINE)

        assert session.has_worked


class TestTheEndOfACrawl:
    """Nothing but pages may be left that are nobody's to see, which is no reason to think that the site is down."""

    def refused(self, *pages: int) -> Site:
        """As many sessions that work as are needed, and then a bare 403 for each of *pages*."""
        site = Site(plains(40))
        site.several(40)
        for page_number in pages:
            site.ask(page_number, BARE)
        return site

    def test_a_page_counts_once_however_often_it_is_asked_for(self) -> None:
        """Each of six pages is refused to five sessions."""
        assert self.refused(*[*range(1, 7)] * 5).engine.alarm_sign is None

    def test_thirteen_pages_are_an_alarm(self) -> None:
        """So many that nobody had been refused before do not lie at the end of a crawl by chance."""
        assert self.refused(*range(1, 13)).engine.alarm_sign is None
        assert self.refused(*range(1, 14)).engine.alarm_sign == BARE.sign

    def test_pages_that_were_refused_before_the_last_good_answer_are_none(self) -> None:
        """Meanwhile others were answered well, so it is no news that these are refused again."""
        site = Site(plains(40))
        site.several(40)
        for page_number in range(1, 21):
            site.ask(page_number, BARE)
            site.ask(100 + page_number, FINE)
        for page_number in range(1, 21):
            site.ask(page_number, BARE)

        assert site.engine.alarm_sign is None


def test_two_blocked_sessions_of_one_exit_are_counted_once_each() -> None:
    """A block that was aimed at the visitor leaves the exit unclear, which is no answer that could be counted anew."""
    site = Site(plains(3))
    aimed = msgspec.structs.replace(MARK, scope=Scope.SESSION)
    (other,) = site.several(1)
    named = site.lease("ann")
    session = site.session(named)
    site.answer(named, FINE, 5)
    assert session.exit_id == other.exit_id

    site.ask(1, aimed)
    site.pass_time(0.5)
    site.answer(site.lease("ann"), aimed, 2)
    for page_number in (3, 4):
        site.pass_time(10)
        site.ask(page_number, FINE)

    record = site.record(session)
    assert session.lost
    assert (record.blocked_count, record.unclear_count) == (2, 0)


class TestMemory:
    """What is kept of it all."""

    def test_what_signs_meant_survives_a_restart(self) -> None:
        """The next run trusts them as this one does."""
        site = Site(plains(4))
        site.several(2)
        site.ask(1, BARE)
        site.ask(1, FINE)

        loaded = site.restart().state.learner

        assert loaded is not None
        assert loaded.control_group.sign_counts[BARE.sign].blocked_count == 1

    def test_what_signs_meant_fades(self) -> None:
        """A site of some empty pages may begin to block with such: after days, sessions are held for it again."""
        site = Site(plains(30))
        site.several(10)
        learner = site.engine.state.learner
        assert learner is not None
        learner.control_group.sign_counts[EMPTY.sign] = SignCounts(page_count=USUAL_COUNT)
        assert learner.control_group.is_usually_own(EMPTY.sign)

        site.pass_time(2 * HALF_LIFE_SECONDS)
        site.ask(2, FINE)

        assert not learner.control_group.sign_counts

    def test_what_is_believed_later_is_saved(self) -> None:
        """That others get the page makes a block of a doubt, and the next run must not begin with that exit."""
        site = Site(plains(4))
        site.several(2)
        refused, _ = site.ask(1, BARE)
        site.save()
        site.ask(1, FINE)
        assert site.record(refused).last is Outcome.BLOCKED

        loaded = site.restart().state.exits[refused.exit_id]

        assert (loaded.last, loaded.blocked_count, loaded.unclear_count) == (Outcome.BLOCKED, 1, 0)

    def test_a_named_session_in_doubt_is_not_lost_by_a_restart(self) -> None:
        """Who is only held, as all fail together, may be forgiven; a run that ends meanwhile cannot know."""
        site = Site(plains(12))
        site.several(9)
        site.answer(site.lease("ann"), FINE, 50)
        ann = site.lease("ann")
        others = [site.take(site.engine.choose(site.now, site.rng, 9, page_number)) for page_number in range(100, 108)]
        site.answer(ann, MARK, 51)
        for page_number, leased in enumerate(others, start=100):
            site.answer(leased, MARK, page_number)
        assert site.engine.alarm_sign == MARK.sign
        assert isinstance(site.choose_named("ann"), Lost)

        assert isinstance(site.restart().choose_named("ann", site.now, site.rng), Pick)

    def test_only_so_many_pages_are_remembered(self) -> None:
        """The oldest are forgotten, with who was refused them."""
        control_group = ControlGroup()
        for page_number in range(1, MOST_PAGES + 50):
            control_group.fail(
                page_number, Refusal("ann", "exit", "proxy", "sign", 1.0, had_worked=True, is_presumed=False)
            )

        assert len(control_group._pages) == MOST_PAGES
        assert not control_group.is_disputed(1, "sign")
        assert control_group.confirm("ann", 2.0) == []

    def test_two_sessions_of_one_exit_are_one_suspect(self) -> None:
        """A named one shares its exit with others; the last of them stands for it, and the others for nothing."""
        control_group = ControlGroup()
        for session in ("ann", "other"):
            refusal = Refusal(session, "exit", "proxy", "sign", 1.0, had_worked=True, is_presumed=False)
            control_group.fail(1, refusal)
        blamed = control_group.succeed(1, "elsewhere", 2.0)

        assert [refusal.session_name for refusal in blamed] == ["other"]
        assert control_group.confirm("ann", 3.0) == []

    def test_what_a_page_comes_to_says_why(self) -> None:
        """In words, and never as a block of somebody."""
        assert "sessions too that work elsewhere" in own_verdict(BARE).why
        assert own_verdict(EMPTY).outcome is Outcome.OK
        assert own_verdict(MARK).is_final
