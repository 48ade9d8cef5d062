"""Compares the answers of many exits to one request.

A crawl compares over time (:mod:`proxysieve.core.learning.control_group`). Here every exit was asked once for the same
page, so the answers themselves are the control group:

1. If others got the page, a bare refusal was a block, and a 502 without TLS came from the proxy.
2. If others got the page, an answer that there is none is doubted, and so is a page that is as slight as block pages
   and unlike the others. A minority casts no doubt: one proxy may lie, and show its own page.
3. If nobody got the page and all got the same answer, the page itself may be so.
"""

from __future__ import annotations

import enum
from collections import Counter
from heapq import nsmallest
from typing import NamedTuple

import msgspec

from proxysieve.core.evidence import ACCIDENTS, is_weak
from proxysieve.core.model import OK, Exchange, Outcome, Verdict
from proxysieve.core.verdicts.judge import LIKELY
from proxysieve.core.verdicts.looks import ALIKE, SKETCH, UNLIKE, Layout, is_page, traits_of
from proxysieve.core.verdicts.traits import SLIGHT_JSON_BYTES, Kind, PageTraits

# If a page comes in more layouts, none of them is typical.
MOST_MAKES = 50
# The proxy may say these as well as the site.
EITHERS = frozenset(sign for sign in ACCIDENTS if "status-" in sign)


class Rank(enum.IntEnum):
    """How much of a page a good answer is."""

    NONE = 0  # it is no good answer
    WORD = 1  # the site's word on the page: that there is none, or that it is elsewhere
    SLIGHT = 2  # a page that is as slight as block pages are
    PAGE = 3


RANKS_IN_WORDS = {Rank.WORD: "no page", Rank.SLIGHT: "a slight page", Rank.PAGE: "a page"}


class Make(msgspec.Struct, kw_only=True):
    """Pages that are made alike."""

    layout: Layout
    is_slight: bool


class ExitAnswer(NamedTuple):
    """What one exit was told.

    Attributes:
        make: Of the page, where it is one that may be doubted.
    """

    verdict: Verdict
    status: int
    make: Make | None


class Comparison:
    """The answers to one request, each through another exit."""

    def __init__(self) -> None:
        self._answers: list[ExitAnswer] = []
        self._makes: list[Make] = []

    def add(self, exchange: Exchange, verdict: Verdict, *, is_expected: bool = False) -> None:
        """Take in what one exit was told.

        Args:
            exchange: The answer; its body is not kept.
            verdict: What all signs say of it.
            is_expected: Whether it was asked for what a good page has, so that a good one is not doubted.
        """
        # A sign that says OK knows better. A page without any sign may be doubted.
        may_doubt = verdict is OK and not is_expected and is_page(exchange)
        self._answers.append(
            ExitAnswer(verdict, exchange.status, self._make_of(traits_of(exchange)) if may_doubt else None)
        )

    def verdicts(self) -> list[Verdict]:
        """What each answer comes to beside the others, in the order in which they were added."""
        ranks = [_rank(answer) for answer in self._answers]
        counts, best = Counter(ranks), max(ranks, default=Rank.NONE)
        return [
            _beside(answer, rank, best) if counts[rank] <= counts[best] or not rank else answer.verdict
            for answer, rank in zip(self._answers, ranks, strict=True)
        ]

    def remarks(self) -> list[str]:
        """What else a person should know of the answers, in words."""
        counts = Counter(map(_rank, self._answers))
        best = max(counts, default=Rank.NONE)
        if best is Rank.NONE:
            remarks = [self._refused_alike()]
        else:
            # Where most got less, numbers do not tell who is right.
            doubtful = [rank for rank in (Rank.SLIGHT, Rank.WORD) if rank < best and counts[rank] > counts[best]]
            remarks = [self._said_alike() if best is Rank.WORD else ""]
            remarks += [_contradiction(best, counts[best], rank, counts[rank]) for rank in doubtful]
        return [remark for remark in remarks if remark]

    def _refused_alike(self) -> str:
        """That all who got through met the same, if they did."""
        met = [answer.verdict for answer in self._answers if answer.status and not _is_proxys(answer.verdict)]
        if len({(verdict.outcome, verdict.sign) for verdict in met}) != 1:
            return ""
        why = f"{met[0].vendor} {met[0].why}".strip()
        if len(met) == 1:
            alone = f"one answer alone ({why}) does not tell a block from a page that nobody is shown"
            return alone if is_weak(met[0]) else ""
        return (
            f"all {len(met):,} that got through were answered alike ({why}): it may be the page that is so, "
            "whoever asks; another page of the site would tell"
        )

    def _said_alike(self) -> str:
        """That there is no page for any of those who were answered well, if it was said in one way."""
        statuses = [answer.status for answer in self._answers if _rank(answer) is Rank.WORD]
        if len(set(statuses)) != 1:
            return ""
        whom = f"all {len(statuses):,} that were answered well" if len(statuses) > 1 else "the only one answered well"
        return f"status {statuses[0]} is what {whom} got: it may be the page that is so; another page would tell more"

    def _make_of(self, look: PageTraits) -> Make:
        known = next((make for make in self._makes if make.layout.similarity(look.traits) >= ALIKE), None)
        if known is not None:
            known.is_slight = known.is_slight and _is_slight(look)
            return known
        layout = Layout(sketch=nsmallest(SKETCH, look.traits), size=len(look.traits), count=1)
        made = Make(layout=layout, is_slight=_is_slight(look))
        if len(self._makes) < MOST_MAKES:
            self._makes.append(made)
        return made


def _rank(answer: ExitAnswer) -> Rank:
    if answer.verdict.outcome is not Outcome.OK:
        return Rank.NONE
    if not 200 <= answer.status < 300:
        return Rank.WORD
    is_slight = answer.make is not None and answer.make.is_slight
    return Rank.SLIGHT if is_slight else Rank.PAGE


def _beside(answer: ExitAnswer, rank: Rank, best: Rank) -> Verdict:
    """What *answer* comes to where others got the *best*."""
    verdict, got = answer.verdict, "others got the page" if best > Rank.WORD else "others were answered"
    if rank is best:
        return verdict
    if rank is Rank.WORD:
        why = f"status {answer.status}, where {got}"
        return Verdict(outcome=Outcome.UNCLEAR, why=why, sign=f"status-{answer.status}", confidence=0.5)
    if rank is Rank.SLIGHT:
        why = "a slight page, unlike the one that others got"
        return Verdict(outcome=Outcome.UNCLEAR, why=why, sign=UNLIKE, confidence=0.5)
    why = f"{verdict.why}, where {got}"
    if is_weak(verdict):
        return msgspec.structs.replace(verdict, outcome=Outcome.BLOCKED, why=why, confidence=LIKELY)
    if verdict.outcome is Outcome.UNCLEAR and verdict.sign in EITHERS:
        return msgspec.structs.replace(verdict, outcome=Outcome.PROXY_ERROR, why=why, confidence=LIKELY)
    return verdict


def _contradiction(best: Rank, best_count: int, rank: Rank, count: int) -> str:
    return (
        f"{best_count:,} got {RANKS_IN_WORDS[best]} and {count:,} {RANKS_IN_WORDS[rank]}: who is right is not told by "
        "numbers, but by what --expect says that the page has"
    )


def _is_proxys(verdict: Verdict) -> bool:
    return verdict.outcome is Outcome.PROXY_ERROR or verdict.sign in EITHERS


def _is_slight(look: PageTraits) -> bool:
    """Whether it may be a block page; plain text is, if it is short."""
    return look.is_slight or (look.kind is Kind.OTHER and look.content.size <= SLIGHT_JSON_BYTES)
