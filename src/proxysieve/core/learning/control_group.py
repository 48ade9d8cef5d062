"""The control group: who else was refused the same page, and who was not?

A bare 403, an empty 200 or a lost connection says little by itself. It was a block if another exit gets the same page;
it is the page's own, and nobody's block, if sessions are refused it alike that are answered well elsewhere. To take
each 403 for a block burned a session at every page that is nobody's to see.

The same question guards against a sign that is mistaken: where it condemns one working session after the other at one
page, and they work elsewhere, it is the page that bears the sign. Known signs are believed without the page, as soon as
anybody is answered well later: to wait for the page cost up to 51 exits instead of 19 in `late-bans`. A sign that was
mistaken once has to wait for the page from then on.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from typing import NamedTuple

from proxysieve.core.records import Count

# So many sessions that work must be refused a page alike before they are believed rather than the page.
ALIKE_COUNT = 2
# And so many before nobody is sent there any more; one of them has to be answered well elsewhere afterwards.
OWN_COUNT = 3
# Where pages were so often refused to all by a sign, and nobody was blocked by it, the next is likely one of them.
USUAL_COUNT = 3
# Who asked within so long of each other asked the same site.
SAME_TIME_SECONDS = 1.0
# One page that bore a sign by itself weighs as much as so many blocks.
MISTAKES_WEIGHT = 10
# Pages that are remembered, and those who were refused each.
MOST_PAGES, MOST_REFUSALS = 2_000, 30


class Refusal(NamedTuple):
    """Somebody was refused a page.

    Attributes:
        session_name: Of the session.
        exit_id: Of its exit.
        proxy_key: Of its proxy.
        sign: What decided.
        asked_at: When the request went out.
        had_worked: Whether the session had been answered well before.
        is_presumed: Whether it was taken for a block until others tell, as a session was not worth a doubt.
    """

    session_name: str
    exit_id: str
    proxy_key: str
    sign: str
    asked_at: float
    had_worked: bool
    is_presumed: bool


class RefusedPage:
    """What is known of one page that was refused to somebody.

    Attributes:
        refusals: Who was refused it, by exit.
        confirmed: The exits among them that were answered well elsewhere, when asked later.
        refused_at: When the first session that works asked for it, to be refused; infinity if none did.
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
        blocked_count: How many exits it was a block of: others got the page.
        worked_count: How many of these had sessions that worked.
        page_count: How many pages it was that bore it: others were refused them alike.
    """

    blocked_count: Count = 0
    page_count: Count = 0
    worked_count: Count = 0


class ControlGroup:
    """The pages of one site that were refused to somebody, and what came of it.

    Attributes:
        tallies: What each sign meant so far.
    """

    def __init__(self) -> None:
        self.sign_counts: dict[str, SignCounts] = {}
        self._pages: OrderedDict[int, RefusedPage] = OrderedDict()
        self._of_session: dict[str, set[int]] = {}
        self._own: OrderedDict[int, str] = OrderedDict()
        self._answered: deque[float] = deque(maxlen=MOST_PAGES)

    def fail(self, page_number: int, refusal: Refusal) -> int:
        """*refusal* was refused *page_number*; how many working sessions were refused it alike, this one included."""
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
        """*page_number* was had through the exit, asked at that moment; who else was refused it, and so was blocked."""
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
        """Whether anybody was answered well who asked at about that moment: else the site may have failed for all."""
        return any(abs(one - asked_at) <= SAME_TIME_SECONDS for one in reversed(self._answered))

    def confirm(self, session: str, asked_at: float) -> list[tuple[int, str]]:
        """*session* was answered well when asked at that moment.

        Returns:
            The pages that turn out to be refused to all, each with the sign by which they are.
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
        """*page_number* bears *sign* itself; who was suspected for it."""
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
        """Whether a page is likelier to bear *sign* by itself than somebody to be blocked by it."""
        counts = self.sign_counts.get(sign)
        return counts is not None and not counts.blocked_count and counts.page_count >= USUAL_COUNT

    def is_trusted(self, page_number: int, sign: str, *, is_weak: bool) -> bool:
        """Whether *sign* is taken for a block of whoever was refused the page, before others tell of that page.

        To wait costs sessions that meanwhile go past a limit which is not believed in yet.
        """
        counts = self.sign_counts.get(sign, SignCounts())
        if self.is_disputed(page_number, sign):
            return False
        # Those who never worked were blocked from the start, and say nothing of those who do.
        proven = counts.worked_count if is_weak else counts.blocked_count
        return proven >= (USUAL_COUNT if is_weak else 0) and counts.page_count * MISTAKES_WEIGHT <= proven

    def is_disputed(self, page_number: int, sign: str) -> bool:
        """Whether *page_number* was refused by *sign* to a session that works, so that it is no news of another's."""
        known = self._pages.get(page_number)
        return known is not None and known.alike(sign) > 0

    def refused_at(self, page_number: int) -> float:
        """When a session that works first asked for *page_number*, to be refused; infinity if none did."""
        known = self._pages.get(page_number)
        return known.refused_at if known else math.inf

    def forget(self, session: str) -> None:
        """The session is gone; what it was refused stays a question of its exit."""
        self._of_session.pop(session, None)

    def fade(self, share: float) -> None:
        """Have what signs meant weigh only *share* of what it did."""
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
        """*session* stands no more for its exit at *page_number*."""
        pages = self._of_session.get(session)
        if pages is not None:
            pages.discard(page_number)
            if not pages:
                del self._of_session[session]
