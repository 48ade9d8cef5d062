"""What came back: an exchange into a verdict.

Opinions are asked for in the order of how sure they are, and the first one decides:

1. how the request failed, and what its caller knows (signs of their own);
2. the proxy's own evidence, so that its refusals are never held against the site;
3. a header by which a vendor says that it stepped in;
4. where redirects ended, and what they said themselves where they did not end at the page;
5. a mark in the body that stands on block pages only;
6. a mark of a site's own error: many of them look like block pages, and come with the same statuses;
7. a login in the page's place;
8. the content, where it says in words that somebody is refused or is to prove to be human, and the status does not say
   the same: such a status is unclear, or a site's error, and the words say whose;
9. the status;
10. the rest of the content: that one is too fast, a word, or nothing at all.

Judging never raises. A sign of the caller's that does is passed over; if a rule of ours does, the answer is unclear.
Both are told to whoever made the judge.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from proxysieve.core.model import OK, Exchange, Failure, Outcome, Scope, Verdict
from proxysieve.core.verdicts.hops import LOGIN_WALL, is_in_clear, login_wall, on_the_way, was_in_clear
from proxysieve.core.verdicts.proxy_answers import (
    answer_to_connect,
    by_status,
    is_busy,
    wants_credentials,
    wants_payment,
    with_reason,
)
from proxysieve.core.verdicts.retry_after import retry_after
from proxysieve.core.verdicts.signs import SHORT_LENGTH, Scan, SearchedExchange, Sign, Table

SignFunction = Callable[[Exchange], Verdict | None]
# Is told what failed, by its name, and how.
OnFault = Callable[[str, str], None]

PROXY_FAILURES = frozenset({Failure.PROXY_UNREACHABLE, Failure.PROXY_REFUSED})
SITE_FAILURES = frozenset(
    {
        Failure.UNRESOLVED,
        Failure.TOO_LARGE,
        Failure.REDIRECTS,
        Failure.MISLED,
        Failure.SITE_GARBLED,
        Failure.UNSENDABLE,
        Failure.UNREADABLE,
    }
)
FINAL_FAILURES = frozenset({Failure.TOO_LARGE, Failure.UNSENDABLE, Failure.UNREADABLE})
# What a proxy can do in a site's place where no TLS keeps it from that, so that others are to tell.
LEADING_ASTRAY = frozenset({Failure.REDIRECTS, Failure.MISLED})
# 420 and 430 are what Twitter and Shopify say for 429.
THROTTLE_STATUSES = frozenset({420, 429, 430})
# What the proxy may say as well as the site, where there is no tunnel: that its plan is used up, or the way is closed.
EITHERS = frozenset({402, 502, 504})
# Below are announcements that an answer will follow (RFC 9110, 15.2).
FIRST_STATUS = 200
# What no server of its own says: LinkedIn's 999 is a refusal.
LAST_STATUS = 599
REFUSALS = frozenset({Outcome.BLOCKED, Outcome.THROTTLED})
# What is answered with a page. To HEAD none is sent, and the others do their work without (RFC 9110, 9.3).
PAGE_METHODS = frozenset({"GET", "POST"})
# What is said in a few words and surely, and what is a guess.
SURE, LIKELY, GUESSED = 0.99, 0.8, 0.5
# A page of so much visible text is about something.
CHECK_LENGTH = 1_000
# A page that is only a refusal is shorter.
REFUSAL_LENGTH = 600
REFUSAL_WORDS = frozenset(
    {
        "forbidden",
        "403 forbidden",
        "403",
        "access denied",
        "denied",
        "blocked",
        "access forbidden",
        "unauthorized",
        "no",
    }
)
REFUSAL_WORD_BYTES = 512
# And says so at once.
SAID_FIRST = 200
# A page that is missing is no refusal, and says much else.
MISSING_STATUSES = frozenset({404, 410})
# Answers about what was sent, which say "rejected" of files and orders (RFC 9110, 15.5.21).
UNPROCESSABLE_STATUS = 422
# A refusal and its ground stand in one sentence or two; what is further away is in the page's footer.
NEAR_LENGTH = 160
FIRST_ERROR, FIRST_SITE_ERROR = 400, 500


# The rules about what a page says that bears no mark; what stands behind ``status-`` is a rule each.
RULES = frozenset({"human-check", "refusal-text", "throttle-text", "refusal-word", "empty-body", LOGIN_WALL})
# What an answer is called over which a rule of ours raises an exception.
FAULT = "judge-failed"
STATUS_RULE = "status-"


class Words(NamedTuple):
    """Texts that say something together, or on a page of nothing else; in lower case.

    Attributes:
        widgets: What shows a captcha.
        checks: How visitors are asked to prove that they are human.
        refusals: How addresses are told that they are refused.
        throttles: How visitors are asked to slow down.
        denials: Words for a refusal, which say no more than a status does.
        grounds: What makes a refusal one of the visitor: its address, its behaviour, a firewall.
        content: What a page has that is more than a check.
    """

    widgets: frozenset[str] = frozenset()
    checks: frozenset[str] = frozenset()
    refusals: frozenset[str] = frozenset()
    throttles: frozenset[str] = frozenset()
    denials: frozenset[str] = frozenset()
    grounds: frozenset[str] = frozenset()
    content: frozenset[str] = frozenset()


class Judge:
    """Judges exchanges, by the marks of a table and by rules.

    Args:
        signs: In the order in which they are asked.
        words: What hints at a check on a page of nothing else.
        make_scan: Makes what finds texts in a body, of the texts of a table.
        own: Signs of the caller's, which are asked first.
        off: The names of rules that are not to be asked: some of :data:`RULES`, or ``status-403`` and the like.
        on_fault: Is told of each exception that was caught.
    """

    def __init__(
        self,
        signs: Sequence[Sign],
        words: Words,
        make_scan: Callable[[Table], Scan],
        own: Sequence[SignFunction] = (),
        off: Collection[str] = (),
        on_fault: OnFault = lambda _name, _how: None,
    ) -> None:
        self._words = words
        self._on_fault = on_fault
        # What is said in full, and needs no second hint.
        self._telling = words.widgets | words.checks | words.refusals | words.throttles
        self._table = Table(signs, sorted(frozenset().union(*words)))
        self._scan = make_scan(self._table)
        self._own = tuple(own)
        self._off = frozenset(off)

    def judge(self, exchange: Exchange, *last_signs: SignFunction) -> Verdict:
        """The first opinion, that of *last_signs* after all others; silence means that all is well."""
        return next(self._heeded(exchange, last_signs), OK)

    def see(self, exchange: Exchange, *last_signs: SignFunction) -> list[Verdict]:
        """All opinions, the one that decides first."""
        return list(self._heeded(exchange, last_signs))

    def _heeded(self, exchange: Exchange, last_signs: Iterable[SignFunction]) -> Iterator[Verdict]:
        for verdict in self._opinions(exchange, last_signs):
            if verdict.sign not in self._off:
                yield _of_resource(verdict) if verdict.scope is Scope.RESOURCE else verdict

    def _opinions(self, exchange: Exchange, last_signs: Iterable[SignFunction]) -> Iterator[Verdict]:
        failure = failed(exchange)
        if failure is not None:
            yield from self._guarded(self._on_the_way(exchange))
            yield from self._guarded(self._proxys_opinions(exchange))
            yield failure
            return
        for sign in self._own:
            yield from self._asked(sign, exchange)
        yield from self._guarded(self._usual_opinions(exchange))
        for sign in last_signs:
            yield from self._asked(sign, exchange)

    def _guarded(self, opinions: Iterator[Verdict]) -> Iterator[Verdict]:
        """*opinions*; where a rule of ours fails over an answer, that it did."""
        try:
            yield from opinions
        except Exception as error:  # noqa: BLE001 - whatever a site sends, its answer gets a verdict
            self._on_fault("the judge", repr(error))
            why = f"the judge failed ({type(error).__name__})"
            yield Verdict(outcome=Outcome.UNCLEAR, why=why, sign=FAULT, confidence=GUESSED)

    def _proxys_opinions(self, exchange: Exchange) -> Iterator[Verdict]:
        """What the proxy says that refused a CONNECT; nothing where it is not known what it answered."""
        if exchange.proxy_answer is None:
            return
        answer = answer_to_connect(exchange.proxy_answer, exchange.at)
        yield from _said(wants_credentials(answer))
        yield from _said(wants_payment(answer))
        reading = SearchedExchange(answer, self._scan)
        signs = [one for one in (*self._table.of_headers(answer), *self._table.of_body(reading)) if one.is_proxys]
        of_others, of_itself = (
            [with_reason(one, answer) for one in _verdicts(answer, signs, outcomes)]
            for outcomes in (frozenset(Outcome) - {Outcome.PROXY_ERROR}, {Outcome.PROXY_ERROR})
        )
        yield from of_others
        yield from _said(is_busy(answer))
        yield from of_itself
        yield by_status(answer)

    def _asked(self, sign: SignFunction, exchange: Exchange) -> tuple[Verdict, ...]:
        """What a sign of the caller's says; nothing if it fails, so that its mistake costs no page."""
        try:
            opinion: object = sign(exchange)
        except Exception as error:  # noqa: BLE001 - it is the caller's code
            fault = repr(error)
        else:
            if opinion is None:
                return ()
            if isinstance(opinion, Verdict) and math.isfinite(opinion.until):
                return (opinion,)
            fault = f"it returned {opinion!r}, where a verdict or None is expected"
        self._on_fault(f"the sign {getattr(sign, '__qualname__', type(sign).__qualname__)}", fault)
        return ()

    def _usual_opinions(self, exchange: Exchange) -> Iterator[Verdict]:
        reading = SearchedExchange(exchange, self._scan)
        # One look at each; the order of the stages is that of how sure they are.
        headers, in_body = list(self._table.of_headers(exchange)), list(self._table.of_body(reading))
        yield from _said(wants_credentials(exchange))
        yield from _verdicts(exchange, headers + in_body, {Outcome.PROXY_ERROR})
        yield from _verdicts(exchange, headers, REFUSALS)
        yield from _verdicts(exchange, self._table.of_address(exchange))
        yield from self._on_the_way(exchange)
        yield from _verdicts(exchange, in_body, REFUSALS)
        yield from _verdicts(exchange, headers + in_body, {Outcome.SITE_ERROR, Outcome.UNCLEAR, Outcome.OK})
        yield from _said(login_wall(exchange, reading.content))
        said = self._content(reading)
        by_status = [*_verdicts(exchange, self._table.of_status(exchange)), *_said(status(exchange))]
        if said is not None and self._explains(said, by_status):
            yield said
            yield from by_status
        else:
            yield from by_status
            yield from _said(said)

    def _on_the_way(self, exchange: Exchange) -> Iterator[Verdict]:
        """What the redirects say by marks, each as an answer of its own."""
        for hop in on_the_way(exchange):
            reading = SearchedExchange(hop, self._scan)
            signs = [*self._table.of_headers(hop), *self._table.of_address(hop), *self._table.of_body(reading)]
            yield from _verdicts(hop, signs, {*REFUSALS, Outcome.PROXY_ERROR})

    def _explains(self, said: Verdict, by_status: list[Verdict]) -> bool:
        """Whether what the page says is surer than its status, which may mean anything unless it refuses by itself."""
        is_sure = any(one.outcome in REFUSALS and one.sign not in self._off for one in by_status)
        return said.outcome is Outcome.BLOCKED and said.sign not in self._off and not is_sure

    def _content(self, reading: SearchedExchange) -> Verdict | None:
        """What a page says that bears no mark."""
        exchange = reading.exchange
        if exchange.status == 200 and exchange.body == b"":
            return empty(exchange)
        if exchange.body is None:
            return None
        is_error = exchange.status >= FIRST_ERROR and exchange.status not in MISSING_STATUSES
        words = {self._table.words[number] for number in reading.found if number in self._table.words}
        if not is_error and words.isdisjoint(self._telling):
            return refusal_word(reading)
        return self._in_words(reading, words, is_error=is_error) or refusal_word(reading)

    def _in_words(self, reading: SearchedExchange, words: set[str], *, is_error: bool) -> Verdict | None:
        """What *words* on a page come to, if it is about nothing else; with an error it may be longer."""
        exchange, content = reading.exchange, reading.content
        is_about_something = bool(words & self._words.content)
        length = len(content.visible)
        if length > (SHORT_LENGTH if is_error else CHECK_LENGTH):
            return None
        if not is_error and (is_about_something or content.leads_on):
            return None
        # What stands in the title alone must be all of it: pages of programs have no more than a title either.
        checks = [check for check in words & self._words.checks if check in content.visible or check == content.title]
        has_widget = bool(words & self._words.widgets)
        is_elsewhere = not is_error and (content.has_form or (exchange.status in MISSING_STATUSES and not has_widget))
        is_check = has_widget or is_error or length < REFUSAL_LENGTH
        if checks and not is_about_something and not is_elsewhere and is_check:
            confidence = 0.9 if has_widget else LIKELY
            return _refusal(exchange, "human-check", "asks for a human", confidence=confidence, scope=Scope.SESSION)
        if length > REFUSAL_LENGTH and not is_error:
            return None
        shown = f"{content.title} {content.visible if is_error else content.visible[:SAID_FIRST]}"
        if _any_in(shown, words & self._words.refusals):
            return _refusal(exchange, "refusal-text", "says that it refuses", confidence=LIKELY, scope=Scope.EXIT)
        if not is_about_something and length <= REFUSAL_LENGTH and _any_in(shown, words & self._words.throttles):
            return _refusal(
                exchange, "throttle-text", "says to slow down", confidence=LIKELY, outcome=Outcome.THROTTLED
            )
        is_of_sent = exchange.status == UNPROCESSABLE_STATUS or exchange.status >= FIRST_SITE_ERROR
        is_visitors = is_error and not is_of_sent and not is_about_something
        if is_visitors and _are_near(shown, words & self._words.denials, words & self._words.grounds):
            return _refusal(exchange, "refusal-text", "refuses its visitor", confidence=LIKELY, scope=Scope.EXIT)
        return None


def _any_in(shown: str, texts: Iterable[str]) -> bool:
    return any(text in shown for text in texts)


def _are_near(shown: str, denials: Iterable[str], grounds: Iterable[str]) -> bool:
    """Whether one of *denials* stands beside one of *grounds*."""
    beside = (
        shown[max(0, at - NEAR_LENGTH) : at + len(ground) + NEAR_LENGTH]
        for ground in grounds
        for at in _places(shown, ground)
    )
    return any(_any_in(part, denials) for part in beside)


def _places(shown: str, text: str) -> Iterator[int]:
    at = shown.find(text)
    while at >= 0:
        yield at
        at = shown.find(text, at + len(text))


def failed(exchange: Exchange) -> Verdict | None:
    """No answer: the proxy's fault, the site's, or not to be told apart."""
    failure = exchange.failure
    if failure is None:
        return None
    sign = failure.name.lower().replace("_", "-")
    if failure in PROXY_FAILURES:
        return Verdict(outcome=Outcome.PROXY_ERROR, why=str(failure), sign=sign, confidence=SURE)
    may_be_proxys = failure in LEADING_ASTRAY and was_in_clear(exchange)
    if failure in SITE_FAILURES and not may_be_proxys:
        return Verdict(
            outcome=Outcome.SITE_ERROR,
            why=str(failure),
            sign=sign,
            confidence=SURE,
            is_final=failure in FINAL_FAILURES,
        )
    return Verdict(outcome=Outcome.UNCLEAR, why=str(failure), sign=sign, confidence=GUESSED)


def status(exchange: Exchange) -> Verdict | None:
    """The status alone. A 404, and whatever else the site says of the page itself, is a result."""
    code, sign = exchange.status, f"status-{exchange.status}"
    wait = retry_after(exchange)
    if code in THROTTLE_STATUSES or (code == 503 and wait):
        return Verdict(outcome=Outcome.THROTTLED, why=f"status {code}", sign=sign, confidence=LIKELY, until=wait)
    if 0 < code < FIRST_STATUS:
        why = f"status {code}, which is no answer"
        return Verdict(outcome=Outcome.UNCLEAR, why=why, sign=sign, confidence=GUESSED)
    if code > LAST_STATUS:
        return _refusal(exchange, sign, f"status {code}", confidence=0.9)
    if code == 403 or (code == 401 and not exchange.header("www-authenticate")):
        # Bans look like this, and so do pages that are nobody's to see: only others' answers can tell.
        return Verdict(outcome=Outcome.UNCLEAR, why=f"status {code}", sign=sign, confidence=GUESSED, until=wait)
    if code in EITHERS and is_in_clear(exchange):
        # Without a tunnel the proxy may have said it as well as the site.
        why = f"status {code}, from the proxy or the site"
        return Verdict(outcome=Outcome.UNCLEAR, why=why, sign=sign, confidence=GUESSED, until=wait)
    if code >= 500:
        return Verdict(outcome=Outcome.SITE_ERROR, why=f"status {code}", sign=sign, confidence=LIKELY, until=wait)
    return None


def empty(exchange: Exchange) -> Verdict | None:
    """A page of nothing, where there should be one. An empty robots.txt says that nothing is asked."""
    if exchange.method.upper() not in PAGE_METHODS or exchange.url.partition("?")[0].endswith("/robots.txt"):
        return None
    why = "status 200 with an empty body"
    return Verdict(outcome=Outcome.UNCLEAR, why=why, sign="empty-body", confidence=GUESSED)


def refusal_word(reading: SearchedExchange) -> Verdict | None:
    """A page that says no more than that it is refused, in the words of its status."""
    if reading.content.size > REFUSAL_WORD_BYTES or reading.content.visible.strip(" .!") not in REFUSAL_WORDS:
        return None
    why = f"says no more than {reading.content.visible!r}"
    return Verdict(outcome=Outcome.UNCLEAR, why=why, sign="refusal-word", confidence=GUESSED)


def _of_resource(verdict: Verdict) -> Verdict:
    """*verdict* on what is refused to everybody: nobody is given up for it, and it is not asked for again."""
    outcome = Outcome.SITE_ERROR if verdict.outcome in REFUSALS else verdict.outcome
    return msgspec.structs.replace(verdict, outcome=outcome, is_final=outcome is not Outcome.OK)


def _said(opinion: Verdict | None) -> tuple[Verdict, ...]:
    return () if opinion is None else (opinion,)


def _verdicts(
    exchange: Exchange, signs: Iterable[Sign], outcomes: Iterable[Outcome] = frozenset(Outcome)
) -> Iterator[Verdict]:
    for sign in signs:
        if sign.verdict in outcomes:
            wait = retry_after(exchange)
            if sign.wait_seconds:
                wait = max(wait, exchange.at + sign.wait_seconds)
            yield Verdict(
                outcome=sign.verdict,
                why=sign.why,
                vendor=sign.vendor,
                sign=sign.name,
                scope=sign.scope,
                confidence=sign.confidence,
                until=wait,
                is_final=sign.final,
            )


def _refusal(
    exchange: Exchange,
    sign: str,
    why: str,
    *,
    confidence: float,
    scope: Scope | None = None,
    outcome: Outcome = Outcome.BLOCKED,
) -> Verdict:
    return Verdict(outcome=outcome, why=why, sign=sign, scope=scope, confidence=confidence, until=retry_after(exchange))
