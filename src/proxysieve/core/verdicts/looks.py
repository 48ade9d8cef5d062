"""Learns what the good pages of one site have in common, and so finds pages that are unlike them.

No sign knows some block pages, which may come with status 200. But they are no pages of the site: they lack what its
pages share. That is a weak hint, as a site may have many kinds of pages, and to doubt a good page wastes requests. So a
page is doubted only if all of this is true:

1. Enough good pages of its kind are known, and they have a *core*: traits that stand on nearly all of them. A site of
   many kinds has no core, and none of its pages is ever doubted.
2. It has almost nothing of the core.
3. It is like none of the *layouts* of good pages that were met, however seldom.
4. It is slight: it offers as little to read and to follow as block pages do. An article in a new layout is no block.

Where a site has sent only JSON, pictures or the like, HTML need only be slight and like no layout. In the other
direction nothing is doubted: block pages are made for people, and a crawl may come to an API or a picture at any time.

Of 54 good pages of other sites, which share nothing with a site either, the fourth reason alone spares two thirds. A
site's queue asks for this after the judge, as the engine sees no bodies.

Most good pages are recognised by a few literal texts of the core, in some microseconds. How they look is read of the
first ones, then ever more seldom, each of those standing for the ones before it.
"""

from __future__ import annotations

from heapq import nsmallest

import msgspec

from proxysieve.core.model import OK, Exchange, Outcome, Verdict
from proxysieve.core.records import Count
from proxysieve.core.verdicts.repeated_pages import Repeats
from proxysieve.core.verdicts.traits import Kind, PageTraits, literal_of

# The sign of a page that is like no good one.
UNLIKE = "unlike"
# So many good pages of a kind must be known. An API may answer what does not exist in another shape, and seldom.
ENOUGH = {Kind.HTML: 20, Kind.JSON: 100}
# HTML counts as unknown below one in so many answers, once so many of other kinds are known.
ENOUGH_OTHERS, ONE_IN = 50, 50
CORE_SHARE, LEAST_CORE = 0.9, 8
STRANGE_SHARE, OWN_SHARE = 0.1, 0.5
# Two pages are of one layout if they share so much of all that they have.
ALIKE = 0.3
# Nothing is forgotten by time alone.
FADE_AT, RESTART_AT = 1_024, 128
MOST_TRAITS, KEPT_TRAITS, SKETCH, MOST_LAYOUTS = 160, 96, 16, 12
# What an accepted layout counts for.
REMEMBERED = 32
# Of the pages that are recognised, one in so many is read: fewer as more are known.
STEP_GROWTH, LARGEST_STEP = 8, 128
LITERALS, LEAST_LITERALS = 8, 4
# Unknown block pages are smaller, so larger pages are not read for this.
SMALL_BYTES = 20_000
# Fewer changes are not worth saving.
CHANGES_SAVED_AT_ONCE = 8


class Layout(msgspec.Struct, kw_only=True):
    """One make of pages.

    Attributes:
        sketch: The smallest hashes of the traits of its first page, which stand for all of them.
        size: How many traits that page has.
        count: How many pages are like it; halved now and then.
    """

    sketch: list[int]
    size: Count
    count: Count

    def similarity(self, traits: dict[int, bytes]) -> float:
        """About how much it and a page share, from 0 to 1."""
        if not self.sketch or not self.size:
            return 0.0 if traits else 1.0
        shared = self.size * sum(trait in traits for trait in self.sketch) / len(self.sketch)
        return shared / (self.size + len(traits) - shared)


class KindRecord(msgspec.Struct, kw_only=True):
    """What is known of the good pages of one kind.

    Attributes:
        seen_count: How many they are.
        count: The same; halved now and then, together with *traits*.
        traits: On how many of them each trait stands, by its hash.
        literals: Texts that stand on pages with a trait of the core, by its hash.
        unread_count: How many were recognised since one was read.
    """

    seen_count: Count = 0
    count: Count = 0
    traits: dict[int, Count] = {}
    literals: dict[int, str] = {}
    layouts: list[Layout] = []
    unread_count: Count = 0


class Album:
    """The pages of one kind."""

    def __init__(self, kept: KindRecord) -> None:
        self.kept = kept
        self._settle()

    def _settle(self) -> None:
        """Find out what follows from what is kept."""
        kept = self.kept
        self.core = frozenset(trait for trait, count in kept.traits.items() if count >= CORE_SHARE * kept.count)
        self._literals = [text.encode() for text in kept.literals.values()]
        self._step = min(LARGEST_STEP, kept.count // STEP_GROWTH)

    @property
    def has_core(self) -> bool:
        """Whether its pages share enough to tell others from them."""
        return len(self.core) >= LEAST_CORE

    def core_share(self, look: PageTraits) -> float:
        """How much of the core a page has."""
        return sum(trait in look.traits for trait in self.core) / len(self.core)

    @property
    def has_literals(self) -> bool:
        """Whether its pages can be recognised at a glance."""
        return len(self._literals) >= LEAST_LITERALS and self.has_core

    def recognises(self, look: PageTraits) -> bool:
        """Whether half of the literals stand on a page."""
        if not self.has_literals:
            return False
        wanted = (len(self._literals) + 1) // 2
        spare = len(self._literals) - wanted
        for literal in self._literals:
            if look.place_of(literal) >= 0:
                wanted -= 1
            else:
                spare -= 1
            if not wanted or spare < 0:
                break
        return not wanted

    def has_layout_of(self, look: PageTraits) -> bool:
        """Whether a page is like one that was taken for good."""
        return any(layout.similarity(look.traits) >= ALIKE for layout in self.kept.layouts)

    def learn(self, look: PageTraits, *, is_recognised: bool) -> bool:
        """Take a page for good; whether it was read."""
        kept = self.kept
        kept.seen_count += 1
        # One that is not recognised stands for itself only; where none can be, any stands for those before it.
        is_usual = is_recognised or not self.has_literals
        if is_usual and kept.unread_count + 1 < self._step:
            kept.unread_count += 1
            return False
        if look.kind is not Kind.HTML and not look.traits:
            return False
        weight = kept.unread_count + 1 if is_usual else 1
        kept.unread_count -= weight - 1
        self._read(look, weight)
        return True

    def accept(self, look: PageTraits) -> None:
        """Take a doubted page for good, and remember its layout well."""
        self.kept.seen_count += 1
        self._read(look, 1)
        self._note_layout(look, REMEMBERED)

    def _read(self, look: PageTraits, weight: int) -> None:
        kept = self.kept
        if not self.has_core or self.core_share(look) < OWN_SHARE:
            self._note_layout(look, weight)
        kept.count += weight
        for trait in look.traits.keys() & kept.traits.keys():
            kept.traits[trait] += weight
        fresh = nsmallest(MOST_TRAITS, look.traits.keys() - kept.traits.keys())
        kept.traits.update(dict.fromkeys(fresh, weight))
        if len(kept.traits) > MOST_TRAITS:
            best = sorted(kept.traits, key=lambda trait: (-kept.traits[trait], trait))[:KEPT_TRAITS]
            kept.traits = {trait: kept.traits[trait] for trait in best}
        self._settle()
        self._forget()
        self._settle()
        self._note_literals(look)

    def _note_layout(self, look: PageTraits, weight: int) -> None:
        """Count a page to the layout that it is most like, or to one of its own."""
        layouts = self.kept.layouts
        best = max(layouts, key=lambda layout: layout.similarity(look.traits), default=None)
        if best is not None and best.similarity(look.traits) >= ALIKE:
            best.count += weight
            return
        if len(layouts) >= MOST_LAYOUTS:
            layouts.remove(min(layouts, key=lambda layout: layout.count))
        layouts.append(Layout(sketch=nsmallest(SKETCH, look.traits), size=len(look.traits), count=weight))

    def _note_literals(self, look: PageTraits) -> None:
        """Keep some texts by which pages with the core are recognised at a glance: the first ones of a page."""
        kept = self.kept
        if len(kept.literals.keys() & self.core) < LITERALS:
            kept.literals = {trait: text for trait, text in kept.literals.items() if trait in self.core}
            fresh = {trait: literal_of(look.traits[trait]) for trait in look.traits.keys() & self.core}
            places = {trait: look.place_of(text) for trait, text in fresh.items() if text}
            for trait in sorted(places, key=lambda trait: (places[trait], trait)):
                if len(kept.literals) < LITERALS and places[trait] >= 0 and fresh[trait].isascii():
                    kept.literals[trait] = fresh[trait].decode()
            self._literals = [text.encode() for text in kept.literals.values()]

    def _forget(self) -> None:
        kept = self.kept
        if kept.count >= RESTART_AT and not self.has_core:
            # The site was made anew, or its pages share nothing: so nothing is lost, and a new core is found sooner.
            kept.count = kept.unread_count = 0
            kept.traits = {}
        if kept.count >= FADE_AT:
            kept.count //= 2
            kept.traits = {trait: count // 2 for trait, count in kept.traits.items() if count > 1}
            for layout in kept.layouts:
                layout.count //= 2


class LooksRecord(msgspec.Struct, kw_only=True):
    """What is kept of the looks of a site's pages."""

    html: KindRecord
    json: KindRecord
    other: KindRecord


class Looks:
    """What the good pages of one site have in common."""

    def __init__(self) -> None:
        self._albums = {kind: Album(KindRecord()) for kind in Kind}
        self._repeats = Repeats()
        # Since they were saved.
        self._change_count = 0

    def judge(self, exchange: Exchange, verdict: Verdict, *, is_expected: bool = False) -> Verdict:
        """*verdict*, or a doubt if it is good but the page is like no good one. Good pages are learned.

        Args:
            exchange: With what came back.
            verdict: What all signs say of it.
            is_expected: Whether it is what its caller said a good page is.
        """
        if verdict.outcome is not Outcome.OK or not is_page(exchange):
            return verdict
        # A sign that says OK knows better. A page without any sign may be doubted.
        look, may_doubt = traits_of(exchange), verdict is OK and not is_expected
        doubt = self._doubt_repeated(look, exchange.url) if may_doubt else ""
        doubt = doubt or self._see(look, may_doubt=may_doubt)
        return Verdict(outcome=Outcome.UNCLEAR, why=doubt, sign=UNLIKE, confidence=0.5) if doubt else verdict

    def doubt(self, look: PageTraits) -> str:
        """Why a page is unlike all good ones; empty if it is not, or if too little is known."""
        album = self._albums[look.kind]
        return "" if album.recognises(look) else self._doubt(look, album)

    def learn(self, look: PageTraits) -> None:
        """Take a page for good."""
        self._see(look, may_doubt=False)

    def _see(self, look: PageTraits, *, may_doubt: bool) -> str:
        """Why a page is unlike all good ones; if it is not, it is learned."""
        album = self._albums[look.kind]
        is_recognised = album.recognises(look)
        doubt = self._doubt(look, album) if may_doubt and not is_recognised else ""
        if not doubt:
            self._change_count += album.learn(look, is_recognised=is_recognised)
        return doubt

    def _doubt_repeated(self, look: PageTraits, url: str) -> str:
        is_small = look.kind is Kind.HTML and look.content.size <= SMALL_BYTES
        if not is_small or self._albums[look.kind].recognises(look) or not look.is_slight:
            return ""
        return "the same as at another address" if self._repeats.is_repeated(look.content, url) else ""

    def _doubt(self, look: PageTraits, album: Album) -> str:
        if not look.is_slight or not self._is_strange(look, album) or album.has_layout_of(look):
            return ""
        return f"unlike the {_roughly(self.seen_count)} good pages seen here"

    def accept(self, look: PageTraits) -> None:
        """Take a page for good that was doubted, so that others like it are not."""
        self._albums[look.kind].accept(look)
        self._repeats.accept(look.content)
        self.call_for_saving()

    @property
    def seen_count(self) -> int:
        """How many good pages were seen."""
        return sum(album.kept.seen_count for album in self._albums.values())

    @property
    def are_to_be_saved(self) -> bool:
        """Whether they have changed by enough."""
        return self._change_count >= CHANGES_SAVED_AT_ONCE

    def take_record(self) -> LooksRecord:
        """What is to be saved now; it goes on changing."""
        self._change_count = 0
        return self.record()

    def call_for_saving(self) -> None:
        """Have them saved the next time, however little has changed."""
        self._change_count += CHANGES_SAVED_AT_ONCE

    def record(self) -> LooksRecord:
        """What is known; it goes on changing."""
        return LooksRecord(**{kind: album.kept for kind, album in self._albums.items()})

    def restore(self, record: LooksRecord) -> None:
        """Go on from what was kept."""
        self._albums = {kind: Album(getattr(record, kind)) for kind in Kind}

    def _is_strange(self, look: PageTraits, album: Album) -> bool:
        """Whether a page lacks what others share."""
        if album.kept.count >= ENOUGH.get(look.kind, 0) and album.has_core:
            return album.core_share(look) < STRANGE_SHARE
        others = self.seen_count - album.kept.seen_count
        return look.kind is Kind.HTML and others >= max(ENOUGH_OTHERS, ONE_IN * album.kept.seen_count)


def is_page(exchange: Exchange) -> bool:
    """Whether it is a page that can be like others; a robots.txt is none."""
    return exchange.status == 200 and bool(exchange.body) and not exchange.url.endswith("/robots.txt")


def traits_of(exchange: Exchange) -> PageTraits:
    """The traits of the page that came back."""
    return PageTraits(exchange.content)


def _roughly(count: int) -> str:
    """*count* rounded down to one digit, so that a report groups what is the same."""
    unit = 10 ** (len(str(count)) - 1)
    return f"{count // unit * unit:,}" + ("+" if count % unit else "")
