"""Whether nothing works at a site: what failed of each tier of proxies since it was last answered well.

A tier is *exhausted* once as good as all of it has failed, and the site is in a *drought* once every tier is and
nothing works. Three counts tell, each over the proxies of one cost, so that a cheap tier that hangs does not hide that
the expensive one was never tried:

* All exits failed, however they did.
* A thousand exits were refused. A proxy that does not answer says nothing of the others: tries that never reached the
  site count only once every proxy of the tier was tried.
* Answers in a row were no good, three for each exit: some are never drawn, as they cool down or carry other sessions.

It holds under every policy: the classic tries for ever, and its tries cost a page no attempt.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from proxysieve.core.evidence import is_answer
from proxysieve.core.model import Outcome, Proxy, Verdict
from proxysieve.core.proxies.catalog import NAMES_AT_A_GATEWAY, Catalog
from proxysieve.core.records import ExitRecord, FailingRecord

# So many exits that fail in a row are no accident: even where 99 % are banned it happens once in 20,000 times.
DROUGHT_COUNT = 1000
# A page that fails by its own fault gives a handful of bad answers.
BAD_ANSWERS_AN_EXIT = 3
FEWEST_BAD_ANSWERS = 50
# What nobody asked about for so long is asked about anew: bans end, and proxies come back.
DROUGHT_SECONDS = 3600.0
REFUSALS = frozenset({Outcome.BLOCKED, Outcome.THROTTLED})


class Failures:
    """What failed of one tier.

    Attributes:
        since: Failures count that came after this moment, in Unix seconds.
        bad_at: When the last bad answer came.
        tried: The keys of the proxies through which anything was ever tried.
        failing: How many exits of each proxy have failed.
        failing_count: How many that is together.
        refused_count: How many of these exits the site itself refused.
        whole: The keys of the proxies that refuse whoever comes, and so have failed with all of their names.
        bad_count: How many answers in a row were not good at the whole site, and came through this tier.
        answer_count: How many of them the site itself gave.
    """

    def __init__(self) -> None:
        self.since = self.bad_at = 0.0
        self.tried: set[str] = set()
        self.failing: Counter[str] = Counter()
        self.whole: set[str] = set()
        self.failing_count = self.refused_count = self.bad_count = self.answer_count = 0

    def begin_anew(self, since: float) -> None:
        """Nothing that failed up to *since* counts any more."""
        self.since = max(self.since, since)
        self.failing.clear()
        self.whole.clear()
        self.failing_count = self.refused_count = self.bad_count = self.answer_count = 0

    def has(self, record: ExitRecord) -> bool:
        """Whether the exit of *record* is one of those that failed."""
        return record.failed_at > self.since

    def fail(self, key: str, exit_count: int, *, is_refused: bool) -> None:
        """So many exits of a proxy failed."""
        self.failing[key] += exit_count
        self.failing_count += exit_count
        self.refused_count += exit_count * is_refused

    def drop(self, keys: Iterable[str]) -> None:
        """Proxies have left."""
        for key in keys:
            self.tried.discard(key)
            self.whole.discard(key)
            self.failing_count = max(0, self.failing_count - self.failing.pop(key, 0))
        self.refused_count = min(self.refused_count, self.failing_count)

    @property
    def unasked_count(self) -> int:
        """How many names need not be asked, as their gateway providers refuse whoever comes."""
        return sum(max(0, NAMES_AT_A_GATEWAY - self.failing[key]) for key in self.whole)


class Drought:
    """The failures of one site, by the cost of the proxies.

    Attributes:
        probe_count: How many single probes failed since it was known that nothing works.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._tiers: defaultdict[float, Failures] = defaultdict(Failures)
        self.probe_count = 0
        # What holds until something happens; each tier asks for it at each pick, and there may be a thousand.
        self._is_everywhere: bool | None = None
        self._version = -1

    @property
    def failing_count(self) -> int:
        """How many exits failed since their tier was last answered well."""
        return sum(tier.failing_count for tier in self._tiers.values())

    @property
    def bad_count(self) -> int:
        """How many answers in a row were not good, the site's own errors included."""
        return sum(tier.bad_count for tier in self._tiers.values())

    @property
    def has_untried(self) -> bool:
        """Whether there is a proxy through which nothing was ever tried."""
        return sum(len(tier.tried) for tier in self._tiers.values()) < len(self._catalog)

    @property
    def is_everywhere(self) -> bool:
        """Whether as good as everything has failed; never where there are no proxies."""
        if self._is_everywhere is None or self._version != self._catalog.version:
            self._version, self._is_everywhere = self._catalog.version, self._look()
        return self._is_everywhere

    def _look(self) -> bool:
        if all(map(self._is_exhausted, self._catalog.sizes)):
            return bool(self._catalog)
        reach = sum(map(_reach, self._catalog.sizes.values()))
        return self.bad_count >= _most_bad(reach) and not self.has_untried

    def gives_way(self, cost: float, now: float) -> bool:
        """Whether fresh exits of that cost stand behind all others, as those that were tried of it failed."""
        return self.is_news(cost, now) and self._is_exhausted(cost) and not self.is_everywhere

    def _is_exhausted(self, cost: float) -> bool:
        tier, size = self._tiers.get(cost), self._catalog.sizes.get(cost)
        if tier is None or size is None:
            return False
        is_tried = len(tier.tried) >= size.total()
        failing = tier.failing_count + tier.unasked_count if is_tried else tier.refused_count
        bad = tier.bad_count if is_tried else tier.answer_count
        reach = _reach(size)
        return failing >= min(reach, DROUGHT_COUNT) or bad >= _most_bad(reach)

    def has_failed(self, proxy: Proxy, record: ExitRecord | None) -> bool:
        """Whether the exit of *record*, at *proxy*, failed since its tier was last answered well."""
        return record is not None and self._tiers[proxy.cost].has(record)

    def is_news(self, cost: float, now: float) -> bool:
        """Whether what failed of that cost still counts at *now*."""
        return now - self._tiers[cost].bad_at < DROUGHT_SECONDS

    def succeed(self, proxy: Proxy | None, at: float) -> None:
        """The site answered well, through *proxy* if that is still in the list."""
        self._is_everywhere = None
        self.probe_count = 0
        for tier in self._tiers.values():
            tier.bad_count = tier.answer_count = 0
        if proxy is not None:
            tier = self._tiers[proxy.cost]
            tier.begin_anew(at)
            tier.tried.add(proxy.key)

    def note_bad(self, proxy: Proxy | None, verdict: Verdict, at: float) -> None:
        """An answer was no good, which may say nothing of its exit."""
        self._is_everywhere = None
        if proxy is None:
            return
        tier = self._tiers[proxy.cost]
        if at - tier.bad_at >= DROUGHT_SECONDS:
            tier.begin_anew(tier.bad_at)
        tier.bad_at = max(tier.bad_at, at)
        tier.tried.add(proxy.key)
        tier.bad_count += 1
        tier.answer_count += is_answer(verdict)

    def note_failure(self, proxy: Proxy | None, record: ExitRecord, verdict: Verdict) -> None:
        """The exit of *record*, at *proxy*, has failed; to be said before *record* knows."""
        self._is_everywhere = None
        if proxy is not None and not self._tiers[proxy.cost].has(record):
            self._tiers[proxy.cost].fail(proxy.key, 1, is_refused=is_answer(verdict))

    def note_whole(self, proxy: Proxy | None) -> None:
        """*proxy* refuses whoever comes."""
        self._is_everywhere = None
        if proxy is not None and proxy.is_gateway:
            self._tiers[proxy.cost].whole.add(proxy.key)

    def note_passed(self, proxy: Proxy) -> None:
        """Something came through *proxy*: it does not, or not any more."""
        whole = self._tiers[proxy.cost].whole
        if proxy.key in whole:
            whole.discard(proxy.key)
            self._is_everywhere = None

    def record(self) -> dict[str, FailingRecord]:
        """What is to be kept, by the cost of the tier."""
        return {
            str(cost): FailingRecord(tier.since, tier.failing_count, tier.refused_count)
            for cost, tier in self._tiers.items()
        }

    def restore(self, exits: Mapping[str, ExitRecord], kept: Mapping[str, FailingRecord]) -> None:
        """Take back what *exits* tell, and what was *kept* beside.

        Answers in a row and pauses begin anew: who starts a run wants to know now.
        """
        self._is_everywhere = None
        for exit_id, record in exits.items():
            proxy = self._catalog.get(exit_id.partition("/")[0])
            if proxy is not None:
                tier = self._tiers[proxy.cost]
                tier.since = max(tier.since, record.last_ok_at)
                tier.bad_at = max(tier.bad_at, record.failed_at)
        for cost, tier in self._tiers.items():
            tier.since = max(tier.since, kept.get(str(cost), FailingRecord()).since)
        self._take_in(exits, exits)
        for cost, tier in self._tiers.items():
            known = kept.get(str(cost))
            if known is not None:
                tier.failing_count = min(tier.failing_count, known.exit_count)
                tier.refused_count = min(tier.failing_count, known.refused_count)

    def part(self, proxies: Mapping[str, Proxy]) -> None:
        """*proxies*, by their keys, have left."""
        self._is_everywhere = None
        for tier in self._tiers.values():
            tier.drop(proxies)

    def welcome(self, proxies: Mapping[str, Proxy], exits: Mapping[str, ExitRecord], *, are_new: bool) -> None:
        """*proxies*, by their keys, have come, or come back; the *are_new* that did not fail put a drought off."""
        self._is_everywhere = None
        self._take_in(proxies, exits)
        if not are_new:
            return
        for key, proxy in proxies.items():
            if not self.has_failed(proxy, exits.get(key)):
                tier = self._tiers[proxy.cost]
                tier.refused_count = max(0, min(tier.refused_count, DROUGHT_COUNT) - _names(proxy))
                tier.bad_count = tier.answer_count = self.probe_count = 0

    def _take_in(self, keys: Iterable[str], exits: Mapping[str, ExitRecord]) -> None:
        for key in keys:
            proxy, record = self._catalog.get(key), exits.get(key)
            if proxy is None or record is None or not record.is_tried:
                continue
            tier = self._tiers[proxy.cost]
            tier.tried.add(key)
            if tier.has(record):
                # Of a gateway provider only the sums are kept.
                failed = record.blocked_count + record.throttled_count + record.proxy_error_count + record.unclear_count
                tier.fail(key, min(failed, _names(proxy)), is_refused=record.last in REFUSALS)


def _names(proxy: Proxy) -> int:
    return NAMES_AT_A_GATEWAY if proxy.is_gateway else 1


def _reach(size: Counter[bool]) -> int:
    return size[False] + size[True] * NAMES_AT_A_GATEWAY


def _most_bad(reach: int) -> int:
    return min(max(BAD_ANSWERS_AN_EXIT * reach, FEWEST_BAD_ANSWERS), DROUGHT_COUNT)
