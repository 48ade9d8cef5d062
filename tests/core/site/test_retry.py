"""What a try costs a request, what follows it, and what is not to be sent twice."""

from __future__ import annotations

from itertools import repeat

import msgspec
import pytest
from tests.core.worlds import START, verdict

from proxysieve.core.model import Exchange, Failure, Outcome, Verdict
from proxysieve.core.site.retry import CAUSES, IDEMPOTENT, Again, Budget, Over, may_repeat, wants_another

URL = "https://shop.example/"
GET = Exchange(url=URL)
POST = Exchange(url=URL, method="POST")


def fail(budget: Budget, *outcomes: Outcome, had_worked: bool = True, now: float = START) -> list[Again | Over]:
    """What follows each of the *outcomes*."""
    follows = []
    for outcome in outcomes:
        budget.spend(verdict(outcome), had_worked=had_worked)
        follows.append(budget.follow(GET, verdict(outcome), now))
    return follows


def count_tries(budget: Budget, outcome: Outcome) -> int:
    """How many tries a request has that always ends so, on sessions that had worked."""
    return next(count for count, _ in enumerate(repeat(None), 1) if isinstance(fail(budget, outcome)[0], Over))


@pytest.mark.parametrize(
    ("outcome", "had_worked", "counts"),
    [
        pytest.param(Outcome.OK, True, False, id="ok"),
        pytest.param(Outcome.OK, False, False, id="ok-on-a-new-one"),
        pytest.param(Outcome.BLOCKED, True, True, id="block"),
        pytest.param(Outcome.BLOCKED, False, False, id="block-on-a-new-one"),
        pytest.param(Outcome.THROTTLED, True, True, id="throttle"),
        pytest.param(Outcome.THROTTLED, False, False, id="throttle-on-a-new-one"),
        pytest.param(Outcome.PROXY_ERROR, True, True, id="proxy-error"),
        pytest.param(Outcome.PROXY_ERROR, False, False, id="proxy-error-on-a-new-one"),
        pytest.param(Outcome.UNCLEAR, True, True, id="unclear"),
        pytest.param(Outcome.UNCLEAR, False, False, id="unclear-on-a-new-one"),
        pytest.param(Outcome.SITE_ERROR, True, True, id="site-error"),
        pytest.param(Outcome.SITE_ERROR, False, True, id="site-error-on-a-new-one"),
    ],
)
def test_only_what_says_something_of_the_request_uses_an_attempt_up(
    *, outcome: Outcome, had_worked: bool, counts: bool
) -> None:
    """Finding another blocked or dead proxy is free; the site's errors and losses of good sessions are not."""
    budget = Budget(3)

    counted = budget.spend(verdict(outcome), had_worked=had_worked)

    assert counted is counts
    assert budget.used == counts


@pytest.mark.parametrize(
    ("attempts", "outcome", "tries"),
    [
        pytest.param(5, Outcome.BLOCKED, 5, id="block"),
        pytest.param(5, Outcome.PROXY_ERROR, 5, id="proxy-error"),
        pytest.param(5, Outcome.UNCLEAR, 5, id="unclear"),
        pytest.param(5, Outcome.THROTTLED, 10, id="throttle"),
        pytest.param(5, Outcome.SITE_ERROR, 3, id="site-error"),
        pytest.param(2, Outcome.SITE_ERROR, 2, id="site-error-with-few-attempts"),
        pytest.param(1, Outcome.SITE_ERROR, 1, id="site-error-with-one-attempt"),
        pytest.param(1, Outcome.THROTTLED, 2, id="throttle-with-one-attempt"),
    ],
)
def test_each_cause_has_a_budget(attempts: int, outcome: Outcome, tries: int) -> None:
    """Blocks, dead proxies and the unclear share the user's attempts; throttles have twice, site errors three."""
    assert count_tries(Budget(attempts), outcome) == tries


def test_every_failure_has_a_cause() -> None:
    """Whatever a verdict may say, it is known what follows."""
    assert set(CAUSES) == set(Outcome) - {Outcome.OK}


def test_budgets_do_not_eat_each_other() -> None:
    """A throttled site, or one in trouble, leaves the attempts for blocks as they are."""
    budget = Budget(2)
    early = [*[Outcome.THROTTLED] * 3, Outcome.SITE_ERROR, Outcome.BLOCKED]

    follows = fail(budget, *early, Outcome.UNCLEAR)

    assert [isinstance(one, Again) for one in follows] == [True] * len(early) + [False]
    assert budget.used == len(follows)


SILENT = (
    Verdict(outcome=Outcome.UNCLEAR, why="timed out", sign="timeout"),
    Verdict(outcome=Outcome.UNCLEAR, why="reset", sign="reset"),
    Verdict(outcome=Outcome.PROXY_ERROR, why="the proxy could not be reached", sign=""),
)


@pytest.mark.parametrize("silent", SILENT)
def test_what_never_reached_the_site_uses_no_attempt_while_others_are_left(silent: Verdict) -> None:
    """It is no fault of the page's; but a page that ends so on thirty of them is one that nobody gets."""
    budget = Budget(5)
    follows: list[Again | Over] = []
    while not follows or isinstance(follows[-1], Again):
        assert not budget.spend(silent, had_worked=True, has_others=True)
        follows.append(budget.follow(GET, silent, START))

    assert len(follows) == 30
    assert budget.used == 0


@pytest.mark.parametrize("silent", SILENT)
def test_it_uses_attempts_where_nobody_else_is_left(silent: Verdict) -> None:
    """And what the site said uses them in any case."""
    budget = Budget(2)
    refused = Verdict(outcome=Outcome.UNCLEAR, why="status 403", sign="status-403")

    assert budget.spend(silent, had_worked=True, has_others=False)
    assert isinstance(budget.follow(GET, silent, START), Again)
    assert budget.spend(refused, had_worked=True, has_others=True)
    assert isinstance(budget.follow(GET, refused, START), Over)


def test_the_deadline_ends_what_uses_no_attempt() -> None:
    """However many others are left."""
    budget = Budget(5, deadline_seconds=10, started_at=START)
    budget.spend(SILENT[0], had_worked=True, has_others=True)

    assert isinstance(budget.follow(GET, SILENT[0], START + 9), Again)
    assert isinstance(budget.follow(GET, SILENT[0], START + 11), Over)


@pytest.mark.parametrize("outcome", Outcome)
def test_another_exit_is_wanted_after_all_but_the_sites_own_errors(outcome: Outcome) -> None:
    """A 500 is no better from elsewhere."""
    assert wants_another(outcome) is (outcome not in {Outcome.OK, Outcome.SITE_ERROR})


def test_looking_costs_nothing() -> None:
    """A thousand blocked proxies that had not worked end nothing."""
    follows = fail(Budget(1), *[Outcome.BLOCKED, Outcome.THROTTLED, Outcome.UNCLEAR] * 333, had_worked=False)

    assert set(follows) == {Again(START, keeps_session=False)}


def test_the_number_of_tries_can_be_limited() -> None:
    """Those included that cost nothing."""
    follows = fail(Budget(5, max_tries=3), *[Outcome.BLOCKED] * 3, had_worked=False)

    assert [isinstance(one, Over) for one in follows] == [False, False, True]


@pytest.mark.parametrize("outcome", CAUSES)
def test_what_cannot_be_helped_is_not_tried_again(outcome: Outcome) -> None:
    """Whatever it is, if another try cannot bring anything else."""
    final = msgspec.structs.replace(verdict(outcome), is_final=True)

    assert Budget(5).follow(GET, final, START) == Over()


def test_the_sites_errors_are_given_longer_and_longer_pauses_on_the_same_session() -> None:
    """Half a second, then twice as long: another session would be no better."""
    follows = fail(Budget(5), Outcome.SITE_ERROR, Outcome.SITE_ERROR)

    assert follows == [Again(START + 0.5, keeps_session=True), Again(START + 1, keeps_session=True)]


@pytest.mark.parametrize("outcome", [one for one in CAUSES if one is not Outcome.SITE_ERROR])
def test_all_else_goes_on_at_once(outcome: Outcome) -> None:
    """Another session can be tried without a pause, even after the site was in trouble."""
    *_, follow = fail(Budget(10), Outcome.SITE_ERROR, outcome)

    assert follow == Again(START, keeps_session=False)


class TestRests:
    """What Retry-After means for the request."""

    def follow(self, outcome: Outcome, *, until: float, deadline_seconds: float) -> Again | Over:
        budget = Budget(5, deadline_seconds=deadline_seconds, started_at=START)
        said = verdict(outcome, until=until)
        budget.spend(said, had_worked=True)
        return budget.follow(GET, said, START + 10)

    @pytest.mark.parametrize(("rest", "pause"), [(0.1, 0.5), (60, 60), (590, 590)])
    def test_a_pause_is_no_shorter_than_the_site_asked(self, rest: float, pause: float) -> None:
        """The same session would only have to wait, so the request does."""
        follow = self.follow(Outcome.SITE_ERROR, until=START + 10 + rest, deadline_seconds=600)

        assert follow == Again(START + 10 + pause, keeps_session=True)

    def test_a_rest_beyond_the_deadline_ends_the_request_at_once(self) -> None:
        """It is told when to come back."""
        follow = self.follow(Outcome.SITE_ERROR, until=START + 910, deadline_seconds=600)

        assert follow == Over("the site asked to come back in 900 s, past the deadline of 600 s", START + 910)

    def test_without_a_deadline_any_rest_is_waited_for(self) -> None:
        """Zero means none."""
        follow = self.follow(Outcome.SITE_ERROR, until=START + 86400, deadline_seconds=0)

        assert follow == Again(START + 86400, keeps_session=True)

    @pytest.mark.parametrize("outcome", [Outcome.THROTTLED, Outcome.BLOCKED, Outcome.UNCLEAR])
    def test_what_one_exit_was_asked_holds_for_no_other(self, outcome: Outcome) -> None:
        """The exit rests, and the request goes on with another session."""
        follow = self.follow(outcome, until=START + 86400, deadline_seconds=600)

        assert follow == Again(START + 10, keeps_session=False)


class TestDeadline:
    """How long a request may be tried again."""

    @pytest.mark.parametrize(
        ("outcome", "after", "goes_on"),
        [
            pytest.param(Outcome.BLOCKED, 600, True, id="block-at-the-deadline"),
            pytest.param(Outcome.BLOCKED, 600.1, False, id="block-after-it"),
            pytest.param(Outcome.SITE_ERROR, 599.5, True, id="pause-that-ends-with-it"),
            pytest.param(Outcome.SITE_ERROR, 599.6, False, id="pause-that-ends-after-it"),
        ],
    )
    def test_no_try_begins_after_it(self, outcome: Outcome, after: float, *, goes_on: bool) -> None:
        """A pause that would end later is not begun."""
        budget = Budget(5, deadline_seconds=600, started_at=START)

        (follow,) = fail(budget, outcome, now=START + after)

        assert isinstance(follow, Again) is goes_on
        assert goes_on or "past the deadline of 600 s" in getattr(follow, "why", "")

    def test_used_up_attempts_are_told_before_it(self) -> None:
        """Where both are over, more time would not have helped."""
        budget = Budget(1, deadline_seconds=600, started_at=START)

        assert fail(budget, Outcome.BLOCKED, now=START + 900) == [Over()]


def wall(outcome: Outcome = Outcome.BLOCKED, *, vendor: str = "Cloudflare", confidence: float = 0.99) -> Verdict:
    return Verdict(outcome=outcome, vendor=vendor, confidence=confidence)


@pytest.mark.parametrize(
    ("exchange", "said", "repeats"),
    [
        pytest.param({"failure": Failure.PROXY_UNREACHABLE}, Outcome.PROXY_ERROR, True, id="no-proxy"),
        pytest.param({"failure": Failure.PROXY_REFUSED}, Outcome.PROXY_ERROR, True, id="proxy-refused"),
        pytest.param({"failure": Failure.UNRESOLVED}, Outcome.SITE_ERROR, True, id="no-such-name"),
        pytest.param({"status": 407}, Outcome.PROXY_ERROR, True, id="proxy-wants-credentials"),
        pytest.param({"status": 403}, wall(), True, id="vendor-refuses"),
        pytest.param({"status": 429}, wall(Outcome.THROTTLED, confidence=0.8), True, id="vendor-throttles"),
        pytest.param({"status": 200, "final_url": URL}, wall(), True, id="vendor-refuses-on-the-spot"),
        pytest.param({"status": 200, "final_url": f"{URL}thanks"}, wall(), False, id="vendor-refuses-the-next-page"),
        pytest.param({"status": 200, "redirect_count": 1}, wall(), False, id="vendor-refuses-after-a-redirect"),
        pytest.param({"status": 403}, wall(confidence=0.79), False, id="vendor-perhaps"),
        pytest.param({"status": 403}, wall(vendor=""), False, id="block-of-nobody"),
        pytest.param({"status": 403}, Outcome.BLOCKED, False, id="plain-403"),
        pytest.param({"status": 429}, Outcome.THROTTLED, False, id="plain-429"),
        pytest.param({"status": 502}, wall(Outcome.PROXY_ERROR), False, id="proxy-in-between"),
        pytest.param({"status": 500}, wall(Outcome.SITE_ERROR), False, id="site-error"),
        pytest.param({"status": 200}, wall(Outcome.UNCLEAR), False, id="unclear"),
        pytest.param({"failure": Failure.TIMEOUT}, Outcome.UNCLEAR, False, id="time-out"),
        pytest.param({"failure": Failure.RESET}, Outcome.UNCLEAR, False, id="reset"),
        pytest.param({"failure": Failure.TLS}, Outcome.UNCLEAR, False, id="tls"),
        pytest.param({"failure": Failure.GARBLED}, Outcome.UNCLEAR, False, id="garbled"),
        pytest.param({"failure": Failure.REDIRECTS}, Outcome.SITE_ERROR, False, id="redirects"),
    ],
)
def test_what_may_have_had_an_effect_is_not_sent_twice(
    exchange: dict[str, object], said: Outcome | Verdict, *, repeats: bool
) -> None:
    """A POST goes out again only if it never got to the site, or a wall before it surely refused."""
    sent = msgspec.structs.replace(POST, **exchange)
    judged = said if isinstance(said, Verdict) else verdict(said)

    follow = Budget(5).follow(sent, judged, START)

    assert may_repeat(sent, judged) is repeats
    assert isinstance(follow, Again) is repeats
    assert repeats or follow == Over("a POST may have had an effect, and was not sent again")


@pytest.mark.parametrize("method", ["POST", "PATCH", "CONNECT", "FROB", "post"])
def test_methods_that_nobody_vouches_for_are_like_post(method: str) -> None:
    """Unknown ones as well."""
    assert not may_repeat(msgspec.structs.replace(GET, method=method), verdict(Outcome.UNCLEAR))


@pytest.mark.parametrize("method", [*sorted(IDEMPOTENT), "get"])
@pytest.mark.parametrize("outcome", CAUSES)
def test_idempotent_methods_are_sent_again_whatever_happened(method: str, outcome: Outcome) -> None:
    """GET, HEAD, OPTIONS, TRACE, PUT and DELETE, by RFC 9110."""
    assert may_repeat(msgspec.structs.replace(GET, method=method), verdict(outcome))
