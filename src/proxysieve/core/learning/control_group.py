"""The control group: which other sessions were refused the same page, and which got it?

A bare 403, an empty 200 or a lost connection tells little by itself. It was a block if another exit gets the page. It
is the page's own if other sessions are refused it, too, and are answered well elsewhere. When each 403 counted as a
block, every page that nobody may see cost a session.

The control group also guards against a mistaken sign: if a sign blocks one working session after the other at one page,
and they work elsewhere, the page itself bears the sign. A known sign counts as soon as any later request is answered
well: to wait for the page cost 51 exits instead of 19 in `late-bans`. A sign that was mistaken once waits for the page
from then on.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from typing import NamedTuple

from proxysieve.core.records import Count

# If so many working sessions are refused a page alike, the page is doubted rather than they.
ALIKE_COUNT = 2
# If so many are, no more are sent there. One of them must be answered well elsewhere afterwards.
OWN_COUNT = 3
# If a sign belonged to so many pages, and blocked no exit, the next page likely bears it, too.
USUAL_COUNT = 3
# Requests that went out within so many seconds met the site in the same state.
SAME_TIME_SECONDS = 1.0
# One page that bears a sign itself weighs as much as so many blocks.
MISTAKES_WEIGHT = 10
# The most pages that are remembered, and the most refusals of each.
MOST_PAGES, MOST_REFUSALS = 2_000, 30


class Refusal(NamedTuple):
    """A session was refused a page.

    Attributes:
        exit_id: Of the session's exit.
        proxy_key: Of its proxy.
        sign: The sign that decided.
        asked_at: When the request went out.
        had_worked: Whether the session had worked before.
        is_presumed: Whether it counts as a block until others tell, as the session had not worked yet.
    """

    session_name: str
    exit_id: str
    proxy_key: str
    sign: str
    asked_at: float
    had_worked: bool
    is_presumed: bool


class RefusedPage:
    """What is known of one page that was refused.

    Attributes:
        refusals: By exit.
        confirmed: The refused exits that were answered well elsewhere later.
        refused_at: When the first working session that was refused asked for it; infinity if none did.
    """

    __slots__ = ("confirmed", "refusals", "refused_at")

    def __init__(self) -> None:
        self.refusals: dict[str, Refusal] = {}
        self.confirmed: set[str] = set()
        self.refused_at = math.inf

    def alike(self, sign: str) -> int:
        """How many exits of working sessions were refused it by *sign*."""
        return sum(one.had_worked and one.sign == sign for one in self.refusals.values())


class SignCounts(NamedTuple):
    """What a sign meant so far.

    Attributes:
        blocked_count: How many exits it blocked: others got the page.
        worked_count: How many of these had working sessions.
        page_count: How many pages bore it themselves: others were refused them, too.
    """

    blocked_count: Count = 0
    page_count: Count = 0
    worked_count: Count = 0


class ControlGroup:
    """The pages of one site that were refused, and what became of them.

    Attributes:
        sign_counts: What each sign meant so far.
    """

    def __init__(self) -> None:
        self.sign_counts: dict[str, SignCounts] = {}
        self._pages: OrderedDict[int, RefusedPage] = OrderedDict()
        self._of_session: dict[str, set[int]] = {}
        self._own: OrderedDict[int, str] = OrderedDict()
        self._answered: deque[float] = deque(maxlen=MOST_PAGES)

    def fail(self, page_number: int, refusal: Refusal) -> int:
        """Note *refusal* of *page_number*; how many working sessions were refused it alike, this one included."""
        known = self._pages.get(page_number)
        if known is None:
            known = self._pages[page_number] = RefusedPage()
        self._pages.move_to_end(page_number)
        if refusal.had_worked:
            known.refused_at = min(known.refused_at, refusal.asked_at)
        before = known.refusals.get(refusal.exit_id)
        if len(known.refusals) < MOST_REFUSALS or before:
            if before:
                self._clear(before.session_name, page_number)
            known.refusals[refusal.exit_id] = refusal
            known.confirmed.discard(refusal.exit_id)
            self._of_session.setdefault(refusal.session_name, set()).add(page_number)
        if len(self._pages) > MOST_PAGES:
            self._drop(next(iter(self._pages)))
        return known.alike(refusal.sign)

    def succeed(self, page_number: int, exit_id: str, asked_at: float) -> list[Refusal]:
        """A request of that moment got *page_number* through the exit; which other exits were blocked there."""
        self._answered.append(asked_at)
        self._own.pop(page_number, None)
        known = self._drop(page_number) if self._pages else None
        if known is None:
            return []
        blamed = [refusal for refusal in known.refusals.values() if refusal.exit_id != exit_id]
        for refusal in blamed:
            counts = self.sign_counts.get(refusal.sign, SignCounts())
            worked_count = counts.worked_count + refusal.had_worked
            self.sign_counts[refusal.sign] = counts._replace(
                blocked_count=counts.blocked_count + 1, worked_count=worked_count
            )
        return blamed

    def others_got_through(self, asked_at: float) -> bool:
        """Whether a request of about that moment was answered well: else the site may have failed for all."""
        return any(abs(one - asked_at) <= SAME_TIME_SECONDS for one in reversed(self._answered))

    def confirm(self, session: str, asked_at: float) -> list[tuple[int, str]]:
        """A request of that moment by *session* was answered well.

        Returns:
            The pages that are refused to all, as is known now, each with its sign.
        """
        own = []
        for page_number in self._of_session.get(session, ()):
            known = self._pages[page_number]
            for refusal in known.refusals.values():
                if refusal.session_name == session and refusal.asked_at < asked_at:
                    known.confirmed.add(refusal.exit_id)
                    if self.is_own(page_number, refusal.sign):
                        own.append((page_number, refusal.sign))
        return own

    def is_own(self, page_number: int, sign: str) -> bool:
        """Whether *page_number* itself bears *sign*, whoever asks."""
        if self._own.get(page_number) == sign:
            return True
        known = self._pages.get(page_number)
        needed = ALIKE_COUNT if self.is_usually_own(sign) else OWN_COUNT
        return known is not None and bool(known.confirmed) and known.alike(sign) >= needed

    def own(self, page_number: int, sign: str) -> list[Refusal]:
        """*page_number* itself bears *sign*; its refusals by that sign."""
        known = self._drop(page_number)
        if known is None:
            return []
        self._own[page_number] = sign
        if len(self._own) > MOST_PAGES:
            self._own.popitem(last=False)
        counts = self.sign_counts.get(sign, SignCounts())
        self.sign_counts[sign] = counts._replace(page_count=counts.page_count + 1)
        return list(known.refusals.values())

    def is_usually_own(self, sign: str) -> bool:
        """Whether *sign* is more likely the page's own than a block."""
        counts = self.sign_counts.get(sign)
        return counts is not None and not counts.blocked_count and counts.page_count >= USUAL_COUNT

    def is_trusted(self, page_number: int, sign: str, *, is_weak: bool) -> bool:
        """Whether *sign* counts as a block before others tell of the page.

        Waiting costs sessions that meanwhile go past a limit which is not known yet.
        """
        counts = self.sign_counts.get(sign, SignCounts())
        if self.is_disputed(page_number, sign):
            return False
        # Sessions that never worked were blocked from the start, and tell nothing of those that work.
        proven = counts.worked_count if is_weak else counts.blocked_count
        return proven >= (USUAL_COUNT if is_weak else 0) and counts.page_count * MISTAKES_WEIGHT <= proven

    def is_disputed(self, page_number: int, sign: str) -> bool:
        """Whether a working session was refused *page_number* by *sign*, so that it tells nothing of another."""
        known = self._pages.get(page_number)
        return known is not None and known.alike(sign) > 0

    def refused_at(self, page_number: int) -> float:
        """When the first working session that was refused asked for *page_number*; infinity if none did."""
        known = self._pages.get(page_number)
        return known.refused_at if known else math.inf

    def forget(self, session: str) -> None:
        """The session is gone; its exit's refusals stay."""
        self._of_session.pop(session, None)

    def fade(self, share: float) -> None:
        """Reduce the weight of what signs meant to *share*."""
        faded = {
            sign: SignCounts(*(int(count * share) for count in counts)) for sign, counts in self.sign_counts.items()
        }
        self.sign_counts = {sign: counts for sign, counts in faded.items() if any(counts)}

    def _drop(self, page_number: int) -> RefusedPage | None:
        known = self._pages.pop(page_number, None)
        if known is not None:
            for refusal in known.refusals.values():
                self._clear(refusal.session_name, page_number)
        return known

    def _clear(self, session: str, page_number: int) -> None:
        """*session* does not stand for its exit at *page_number* any more."""
        pages = self._of_session.get(session)
        if pages is not None:
            pages.discard(page_number)
            if not pages:
                del self._of_session[session]
